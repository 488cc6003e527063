"""Every default stands once: in conf/. No signature has another one."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan_lightning.config.compose import CONF_DIR
from gan_lightning.config.schema import arguments_of, locate

TRAIN = OmegaConf.load(CONF_DIR / "train.yaml")

FILES = sorted(CONF_DIR.rglob("*.yaml"))


def nodes(tree: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping with a `_target_`, and where it stands."""
    if isinstance(tree, dict):
        if "_target_" in tree:
            yield path, tree
        for key, value in tree.items():
            yield from nodes(value, f"{path}.{key}".lstrip("."))


def resolved(value: Any) -> Any:
    """What `${key}` of conf/train.yaml stands for."""
    is_reference = isinstance(value, str) and value.startswith("${")
    return OmegaConf.select(TRAIN, value[2:-1]) if is_reference else value


def conflicts(path: str, node: dict[str, Any]) -> list[str]:
    """Parameters of this project's target that the node and the signature both give a value, and not the same."""
    if not node["_target_"].startswith("gan_lightning."):
        return []  # another library's defaults are its own
    parameters = arguments_of(locate(path, node["_target_"]))
    both = {key: parameters[key].default for key in node if key in parameters}
    return [
        f"{path or node['_target_']}.{key}: {resolved(node[key])!r} in conf/, {default!r} in the signature"
        for key, default in both.items()
        if default is not inspect.Parameter.empty and resolved(node[key]) != default
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(CONF_DIR).as_posix())
def test_no_key_has_two_defaults(file: Path) -> None:
    tree = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    assert [conflict for path, node in nodes(tree) for conflict in conflicts(path, node)] == []


def test_the_law_finds_a_key_with_two_defaults() -> None:
    node = {"_target_": "gan_lightning.networks.statistics.MinibatchStd", "group": 8}
    assert conflicts("head", node) == ["head.group: 8 in conf/, 4 in the signature"]
    assert conflicts("head", node | {"group": 4}) == []


@pytest.mark.parametrize(
    "group",
    ["network", "loss", "penalty", "augment", "optimizer", "conditioning", "auxiliary", "updates", "annealing"],
)
def test_parts_of_a_model_have_no_defaults_but_those_of_the_configuration(group: str) -> None:
    with_defaults = []
    for file in sorted((CONF_DIR / group).rglob("*.yaml")):
        for path, node in nodes(OmegaConf.to_container(OmegaConf.load(file), resolve=False), file.stem):
            if node["_target_"].startswith("gan_lightning."):
                parameters = arguments_of(locate(path, node["_target_"])).items()
                with_defaults += [f"{path}.{key}" for key, it in parameters if not it.required]
    assert with_defaults == []
