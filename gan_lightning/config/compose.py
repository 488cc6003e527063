"""Where conf/ is, which groups and choices it holds, and how a configuration is composed."""

from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

_PACKAGE = Path(__file__).resolve().parent.parent
CONF_DIR = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())
"""Inside the package when installed from a wheel, beside it in a checkout."""


NO_GROUPS = ("hydra", "study")
"""Folders of conf/ that no run chooses from: what configures Hydra itself, and the studies."""


def compose(*overrides: str, with_hydra: bool = False) -> DictConfig:
    """Compose the configuration of a command line without running it: `compose("model=wgan", "seed=1")`.

    Args:
        overrides: Words of the command line.
        with_hydra: Whether Hydra's own part is in it, too, as `hydra`: the run folder, and what was chosen.

    Raises:
        Exception: One of `messages.CONFIG_ERRORS`, which `messages.explain` puts into plain words.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return hydra_compose("train", overrides=list(overrides), return_hydra_config=with_hydra)


def groups() -> list[str]:
    """The config groups: the folders of conf/ that a run chooses from."""
    return sorted(folder.name for folder in CONF_DIR.iterdir() if folder.is_dir() and folder.name not in NO_GROUPS)


def top_level_keys() -> list[str]:
    """The keys of a composed configuration: those of train.yaml, and the groups that have a key of their own."""
    own = [str(key) for key in OmegaConf.load(CONF_DIR / "train.yaml") if key not in ("defaults", "hydra")]
    return sorted({*own, *filter(has_own_key, groups())})


def has_own_key(group: str) -> bool:
    """Whether the files of a group are composed under its name, not into another part of the configuration."""
    return any(package_of(file).split(".")[0] in ("", group) for file in (CONF_DIR / group).rglob("*.yaml"))


def package_of(file: Path) -> str:
    """The `# @package` of a yaml file; empty when it states none, and stands under the name of its group."""
    lines = (line for line in file.read_text().splitlines() if line.startswith("# @package"))
    return next(lines, "").removeprefix("# @package").strip()


def options(group: str) -> dict[str, str]:
    """The choices of a config group, each with the first comment line of its file; in a folder of it: FOLDER/NAME."""
    folder = CONF_DIR / group
    files = sorted(folder.rglob("*.yaml"), key=lambda file: (len(file.parts), file))
    return {file.relative_to(folder).with_suffix("").as_posix(): describe(file) for file in files}


def describe(file: Path) -> str:
    """The first comment line of a yaml file that is not a Hydra directive."""
    return next(iter(heading(file)), "")


def heading(file: Path) -> list[str]:
    """The comments that a yaml file begins with, but for Hydra's directives."""
    lines = takewhile(lambda line: line.startswith("#"), file.read_text().splitlines())
    return [line.lstrip("# ") for line in lines if not line.startswith("# @package")]


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Full key and value of all that is in nested mappings; an empty mapping is a value."""
    if not isinstance(node, Mapping) or not node:
        yield path, node
        return
    for name, inside in node.items():
        yield from leaves(inside, f"{path}.{name}" if path else str(name))
