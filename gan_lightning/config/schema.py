"""Where conf/ is, what its keys may hold, and errors that name the alternatives."""

import difflib
import inspect
import json
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_type_hints

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException
from pydantic import ConfigDict, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from gan_lightning.errors import UserError

_PACKAGE = Path(__file__).resolve().parent.parent
CONF_DIR = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())
"""Inside the package when installed from a wheel, beside it in a checkout."""

Precision = Literal["auto", "bf16", 32]

ROOT: dict[str, Any] = {
    "seed": NonNegativeInt,
    "precision": Precision,
    "max_images": PositiveInt | None,
    "max_generator_steps": PositiveInt | None,
    "default_generator_steps": PositiveInt,
    **dict.fromkeys(
        (
            "trainer",
            "model",
            "data",
            "network",
            "loss",
            "penalty",
            "augment",
            "conditioning",
            "auxiliary",
            "updates",
            "optimizer",
            "annealing",
            "logger",
            "callbacks",
        ),
        dict,
    ),
}
"""Every top-level key and its type."""

STRICTER: dict[str, Any] = {
    "trainer.max_epochs": PositiveInt | Literal[-1] | None,
    "trainer.devices": PositiveInt | Literal[-1, "auto"] | list[NonNegativeInt],
    "trainer.accelerator": Literal["auto", "cpu", "gpu", "cuda", "mps", "tpu"],
}
"""Options of pytorch-lightning's Trainer whose own type hints let mistakes through."""


def compose(*overrides: str) -> DictConfig:
    """The configuration a command line gives, without running it: `compose("model=wgan", "seed=1")`."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return hydra_compose("train", overrides=list(overrides))


def options(group: str) -> dict[str, str]:
    """The choices of a config group, each with the first comment line of its file; in a folder of it: FOLDER/NAME."""
    folder = CONF_DIR / group
    files = sorted(folder.rglob("*.yaml"), key=lambda file: (len(file.parts), file))
    return {file.relative_to(folder).with_suffix("").as_posix(): describe(file) for file in files}


def describe(file: Path) -> str:
    """The first comment line of a yaml file that is not a Hydra directive."""
    comments = (line[1:].strip() for line in file.read_text().splitlines() if line.startswith("#"))
    return next((comment for comment in comments if not comment.startswith("@package")), "")


def did_you_mean(word: str, allowed: Iterable[str], prefix: str = "") -> str:
    """`; did you mean X? Allowed: ...` for a word that is not among the allowed ones."""
    names = sorted(map(str, allowed))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    hint = f" Did you mean {prefix}{close[0]}?" if close else ""
    return f"{hint} Allowed: {', '.join(names) or 'none'}"


# Checking


def check(cfg: DictConfig) -> None:
    """Refuse unknown keys and values of a wrong type anywhere in a composed configuration; convert the others in place.

    What is built is what was checked: an integer where a float is meant becomes one, "no" for a yes or no false.

    Raises:
        UserError: naming the key, what it holds and what is allowed.
    """
    try:
        plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except (MissingMandatoryValue, OmegaConfBaseException) as error:
        raise explain(error) from error
    assert isinstance(plain, dict)
    for key, value in ((str(key), value) for key, value in plain.items()):
        if key not in ROOT:
            raise UserError(f"{key} is no option.{did_you_mean(key, ROOT)}")
        convert(cfg, key, value, ROOT[key])
    for key in ROOT:
        check_node(cfg, key, plain.get(key))
    for group in ("penalty", "auxiliary", "annealing"):
        check_chosen(group, plain.get(group, {}))


def check_chosen(group: str, parts: dict[str, Any]) -> None:
    """Refuse numbers of a part that is not chosen, in a group of which several can be."""
    for name, node in parts.items():
        if node and "_target_" not in node:
            raise UserError(
                f"{group}.{name} has numbers, which a file of the model or experiment sets, but {group}={name} is not "
                f"chosen: leave {group}= out, or type ~{group}.{name}, too"
            )


def check_node(cfg: DictConfig, path: str, node: Any) -> None:
    """Check a mapping, and the mappings inside it, against the signatures of their `_target_`s."""
    if not isinstance(node, dict):
        return
    if "_target_" in node:
        check_arguments(cfg, path, node)
    for key, value in node.items():
        check_node(cfg, f"{path}.{key}", value)


def check_arguments(cfg: DictConfig, path: str, node: dict[str, Any]) -> None:
    """Check one node's keys and values against the signature of its `_target_`."""
    target = locate(f"{path}._target_", node["_target_"])
    hints, parameters = type_hints(target), parameters_of(target)
    # parameters without a default that no file sets are given by the program, not by the user
    names = [name for name, it in parameters.items() if name in node or it.default is not it.empty]
    for key, value in node.items():
        if key in ("_target_", "_partial_", "_convert_", "_recursive_", "_args_"):
            continue
        if key not in names:
            hint = did_you_mean(key, names, prefix=f"{path}.")
            raise UserError(f"{path}.{key} is no option.{hint}{of_the_model(path)}")
        if not (isinstance(value, dict) and "_target_" in value):
            expected = STRICTER.get(f"{path}.{key}", hints.get(key, Any))
            convert(cfg, f"{path}.{key}", value, expected)


def convert(cfg: DictConfig, path: str, value: Any, expected: Any) -> None:
    """Check the value at `path` of the configuration, and put it there in the type of a hint, where that is plain."""
    checked = check_value(path, value, expected)
    try:  # JSON tells 0, 0.0 and false apart, and knows plain values only
        before, after = json.dumps(value), json.dumps(checked)
    except TypeError:
        return
    if after != before:
        OmegaConf.update(cfg, path, json.loads(after), merge=False)


def hands_on(target: Any) -> bool:
    """Whether a class takes `**options` for its base class."""
    if not inspect.isclass(target):
        return False
    return any(it.kind is it.VAR_KEYWORD for it in inspect.signature(target).parameters.values())


def parameters_of(target: Any) -> dict[str, inspect.Parameter]:
    """A target's parameters, and those that it hands on to its base class."""
    own = {
        name: it for name, it in inspect.signature(target).parameters.items() if it.kind is not it.VAR_KEYWORD
    }  # `**options` is no option
    return (parameters_of(target.__base__) if hands_on(target) else {}) | own


def locate(path: str, target: str) -> Any:
    """The class or function that a dotted name names."""

    try:
        located = pkgutil.resolve_name(target)
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"{path}={target} names nothing that can be imported: {error}") from error
    if not callable(located):
        raise UserError(f"{path}={target} is neither a class nor a function; type the name of one")
    return located


def constructor(target: Any) -> Any:
    """The function whose arguments are those of a class or function; a named tuple has no `__init__` of its own."""
    if not inspect.isclass(target):
        return target
    return target.__new__ if target.__init__ is object.__init__ else target.__init__


def type_hints(target: Any) -> dict[str, Any]:
    """Type hints of a class's constructor or of a function."""
    try:
        own = get_type_hints(constructor(target), include_extras=True)
        return (type_hints(target.__base__) if hands_on(target) else {}) | own
    except NameError:  # hints that exist for type checkers only: this library's values go unchecked
        return {}


def check_value(path: str, value: Any, expected: Any) -> Any:
    """The value in the type of a hint, where the hint says something about plain values."""
    try:
        adapter = TypeAdapter(expected, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticSchemaGenerationError:
        return value
    except TypeError:  # a config is refused for hints that carry their own
        adapter = TypeAdapter(expected)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        wishes = dict.fromkeys(detail["msg"].removeprefix("Input ") for detail in error.errors())
        raise UserError(f"{path}={value} is not allowed: it {', or it '.join(wishes)}{of_the_model(path)}") from error


def of_the_model(path: str) -> str:
    """What to do about an option of a network or a loss that nobody typed."""
    group = path.partition(".")[0]
    file = "the model's file (or the experiment's)"
    return f"; where you did not type that, {file} did: leave {group}= out" if group in ("network", "loss") else ""


# Explaining


def explain(error: Exception) -> UserError:
    """What a Hydra or OmegaConf error means for the person at the keyboard."""
    cause = error.__cause__ if isinstance(error, ConfigCompositionException) and error.__cause__ else error
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and isinstance(cause.parent_node, DictConfig):
        full_key = str(cause.full_key)
        parent = full_key.rpartition(".")[0]
        allowed = [str(key) for key in cause.parent_node if not str(key).startswith("_")]
        if not parent:
            allowed = [key for key in allowed if key in ROOT] + ["accelerator", "experiment"]
        prefix = f"{parent}." if parent else ""
        return UserError(f"{full_key} is no option.{did_you_mean(full_key.rpartition('.')[2], allowed, prefix)}")
    if isinstance(cause, MissingConfigException) and cause.missing_cfg_file:
        group, _, choice = cause.missing_cfg_file.partition("/")
        if group != "hydra":  # Hydra itself knows of no choice in a folder of the group, nor of a word of a list
            return UserError(f"{group}={choice} is no choice.{did_you_mean(choice, options(group))}")
        group, _, choice = cause.missing_cfg_file.rpartition("/")
        return UserError(f"{group}={choice} is no choice.{did_you_mean(choice, cause.options or [])}")
    if isinstance(cause, MissingMandatoryValue):
        return UserError(f"{cause.full_key} has no value: type {cause.full_key}=VALUE")
    if isinstance(cause, OverrideParseException):
        key, _, value = cause.override.partition("=")
        return UserError(
            f"{cause.override} cannot be read as option=value; options have no spaces, and a value with signs besides "
            f"_-./:,+ needs quotes within quotes: type '{key}=\"{value}\"'"
        )
    text = "\n".join(line for line in str(error).splitlines() if line.strip())
    if cause is not error:
        text += "\n" + str(cause).splitlines()[0]
    return UserError(text)


CONFIG_ERRORS = (HydraException, OmegaConfBaseException, ValueError)  # the last for a group that is set to null
