"""What the keys of a configuration may hold, by the signatures of the classes that it names."""

import inspect
import json
import pkgutil
import re
from typing import Any, Literal, NamedTuple, get_type_hints

from omegaconf import DictConfig, OmegaConf
from pydantic import ConfigDict, PositiveInt, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from gan_lightning.config.compose import options, top_level_keys
from gan_lightning.config.messages import did_you_mean, explained, keys_like
from gan_lightning.config.trainer import ALWAYS_SET, REFUSED, TAKEN
from gan_lightning.config.values import Seed
from gan_lightning.errors import UserError

Precision = Literal["auto", "bf16", 32]

WISH = re.compile(r"^(Input|Value error,|String|List|Dictionary|Tuple|Decimal input) |, unable to parse .*")
"""What stands before "should be ..." in pydantic's messages, and after it, where that says no more."""

SETTINGS: dict[str, Any] = {
    "seed": Seed,
    "precision": Precision,
    "max_images": PositiveInt | None,
    "max_generator_steps": PositiveInt | None,
    "default_generator_steps": PositiveInt,
    "objective": str | None,
}
"""The top-level keys that hold a value; every other one is a mapping."""

TRAINER = "pytorch_lightning.Trainer"
"""What `trainer._target_` names: a run has no other trainer."""

SET_BY_MODELS = ("network", "loss", "optimizer", "conditioning", "updates")
"""Groups in which the files of models and experiments state numbers that another choice may not have."""

SINGLE_PARTS = ("data", "loss", "augment", "conditioning", "updates", "optimizer", "model", "network.generator",
                "network.discriminator")  # fmt: skip
"""Where a configuration names one class."""

READ_BY_OTHERS = ("model.latent_dim", "model.pack", "data.batch_size")
"""Numbers of one part that others are built from."""

PARTS_BY_NAME = ("penalty", "auxiliary", "annealing", "logger", "callbacks")
"""Groups that hold any number of classes, by names of their own."""

HYDRAS_OWN: dict[str, Any] = {
    "_target_": str,
    "_partial_": bool,
    "_convert_": Literal["none", "partial", "object", "all"],
    "_recursive_": bool,
}
"""Keys that tell Hydra how to build a node, and what they may hold."""


class Argument(NamedTuple):
    """An argument of a class or function that a configuration names.

    Attributes:
        hint: Its type hint; Any when there is none.
        default: Its default; `inspect.Parameter.empty` when there is none.
    """

    hint: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty


def check(cfg: DictConfig) -> None:
    """Refuse unknown keys and values of a wrong type anywhere in a composed configuration; convert the others in place.

    What is built is what was checked: an integer where a float is meant becomes one, "no" for a yes or no false.

    Raises:
        UserError: A key or value is not allowed; the message names the key, what it holds and what is allowed.
    """
    with explained():
        plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    check_top_level(plain)
    for key, node in ((str(key), node) for key, node in plain.items()):
        convert(cfg, key, node, SETTINGS.get(key, dict))
        if key == "trainer":
            check_trainer(cfg, node)
        else:
            check_node(cfg, key, node)
        check_parts(key, node)
    check_single_parts(cfg)


def check_top_level(plain: dict[Any, Any]) -> None:
    """Refuse keys that no configuration has, and a configuration that lacks one of those that all have."""
    allowed = top_level_keys()
    for key in plain:
        if key not in allowed:
            raise UserError(f"{key} is not a valid option.{did_you_mean(str(key), allowed)}")
    for key in allowed:
        if key not in plain:
            raise UserError(f"{key} is missing: every run has one; leave ~{key} out")


def check_trainer(cfg: DictConfig, node: dict[str, Any]) -> None:
    """Check options of Lightning's Trainer: those that a run takes are converted, the others refused.

    Args:
        cfg: The composed configuration, whose values are converted in place.
        node: Its part `trainer`, resolved.
    """
    if node.get("_target_") != TRAINER:
        raise UserError(f"trainer._target_={node.get('_target_')} is not allowed: a run is trained by {TRAINER}")
    for key in ALWAYS_SET:
        if key not in node:
            raise UserError(f"trainer.{key} is missing: every run has one; leave ~trainer.{key} out")
    for key, value in node.items():
        path = f"trainer.{key}"
        if key in REFUSED:
            raise UserError(f"{path} is not an option of a run: {REFUSED[key]}")
        if key != "_target_" and key not in TAKEN:
            raise UserError(f"{path} is not a valid option.{did_you_mean(str(key), TAKEN, 'trainer.')}")
        convert(cfg, path, value, TAKEN.get(key, str))


def check_node(cfg: DictConfig, path: str, node: Any) -> None:
    """Check a mapping or list, and those inside it, against the signatures of their `_target_`s."""
    if isinstance(node, dict) and "_target_" in node:
        check_arguments(cfg, path, node)
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inside:
        check_node(cfg, f"{path}.{key}", value)


def check_arguments(cfg: DictConfig, path: str, node: dict[str, Any]) -> None:
    """Check one node's keys and values against the signature of its `_target_`."""
    convert(cfg, f"{path}._target_", node["_target_"], str)
    target = locate(f"{path}._target_", node["_target_"])
    try:
        arguments = arguments_of(target)
    except (ValueError, TypeError) as error:  # some of what is written in C
        raise UserError(f"{path}._target_={node['_target_']} says nothing about its arguments: {error}") from error
    # the program, not the user, gives the required arguments that no file sets
    names = [name for name, argument in arguments.items() if name in node or not argument.required]
    for key, value in node.items():
        if key not in names and key not in HYDRAS_OWN:
            hint = did_you_mean(str(key), names, f"{path}.", keys_like(f"{path}.{key}", cfg, names))
            raise UserError(f"{path}.{key} is not a valid option.{hint}{advise_on_models(path)}")
        if key in HYDRAS_OWN or not holds_node(value):
            convert(cfg, f"{path}.{key}", value, HYDRAS_OWN[key] if key in HYDRAS_OWN else arguments[key].hint)


def check_parts(group: str, parts: Any) -> None:
    """Refuse numbers of a part, such as a penalty, that is not chosen: it would be left out silently."""
    if not isinstance(parts, dict) or group not in PARTS_BY_NAME:
        return
    for name, part in parts.items():
        if part and not isinstance(part, dict):
            raise UserError(f"{group}.{name}={part} is not allowed: it should be a class with its options, or null")
        if part and "_target_" not in part and name not in options(group):
            raise UserError(
                f"{group}.{name} names no class: type {group}.{name}._target_=CLASS, or leave {group}.{name} out"
            )
        if isinstance(part, dict) and part and "_target_" not in part and name in options(group):
            raise UserError(
                f"{group}.{name} has numbers, which a file of the model or experiment sets, but {group}={name} is not "
                f"chosen: leave {group}= out, or type ~{group}.{name}, too"
            )


def check_single_parts(cfg: DictConfig) -> None:
    """Refuse a configuration that lacks one of the parts that every run has, or has a number in its place."""
    for path in SINGLE_PARTS:
        node = OmegaConf.select(cfg, path)
        if not OmegaConf.is_dict(node) or "_target_" not in node:
            group = path.partition(".")[0]
            raise UserError(f"{path} names no class: type {group}=NAME, and leave {path}= and ~{path} out")
    for path in READ_BY_OTHERS:
        number = OmegaConf.select(cfg, path)
        if number is None:
            raise UserError(f"{path} is missing: every run has one; leave ~{path} out")
        if OmegaConf.is_config(number):
            raise UserError(f"{path}={number} is not allowed: it should be a number")


def holds_node(value: Any) -> bool:
    """Whether a value is an object that Hydra will build, or a list with one."""
    return any(map(holds_node, value)) if isinstance(value, list) else isinstance(value, dict) and "_target_" in value


def convert(cfg: DictConfig, path: str, value: Any, expected: Any) -> None:
    """Check the value at `path` of the configuration, and put it there in the type of a hint, where that is plain."""
    checked = check_value(path, value, expected)
    try:  # JSON tells 0, 0.0 and false apart, and knows plain values only
        before, after = json.dumps(value), json.dumps(checked)
    except TypeError:
        return
    if after != before:
        OmegaConf.update(cfg, path, json.loads(after), merge=False)


def check_value(path: str, value: Any, expected: Any) -> Any:
    """The value in the type of a hint, where the hint says something about plain values.

    Raises:
        UserError: The value is of another type, or out of the hint's range.
    """
    adapter = adapter_of(expected)
    if adapter is None:
        return value
    try:
        checked = adapter.validate_python(value)
    except ValidationError as error:
        wishes = dict.fromkeys(WISH.sub("", detail["msg"]) for detail in error.errors())
        raise UserError(
            f"{path}={value} is not allowed: it {', or it '.join(wishes)}{advise_on_models(path)}"
        ) from error
    if isinstance(value, bool) and isinstance(checked, int | float) and not isinstance(checked, bool):
        raise UserError(f"{path}={str(value).lower()} is not allowed: it should be a number{advise_on_models(path)}")
    return checked


def adapter_of(expected: Any) -> TypeAdapter[Any] | None:
    """What checks values against a hint; None for a hint that says nothing about plain values."""
    try:
        return TypeAdapter(expected, config=ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False))
    except PydanticSchemaGenerationError:
        return None
    except TypeError:  # a config is refused for hints that carry their own
        return TypeAdapter(expected)


def locate(path: str, target: str) -> Any:
    """The class or function that a dotted name names."""
    try:
        located = pkgutil.resolve_name(target)
    except (SystemExit, Exception) as error:  # whatever the module does when it is imported
        raise UserError(f"{path}={target} names nothing that can be imported: {error}") from error
    if not callable(located):
        raise UserError(f"{path}={target} is neither a class nor a function; type the dotted name of one")
    return located


def arguments_of(target: Any) -> dict[str, Argument]:
    """The arguments of a class or function, and those of a class's base that it takes as `**options`."""
    parameters, hints = inspect.signature(target).parameters, hints_of(target)
    own = {
        name: Argument(hints.get(name, Any), it.default)
        for name, it in parameters.items()
        if it.kind is not it.VAR_KEYWORD
    }
    passes_on = inspect.isclass(target) and len(own) < len(parameters)
    return (arguments_of(target.__base__) if passes_on else {}) | own


def constructor(target: Any) -> Any:
    """The function whose arguments are those of a class or function; a named tuple has no `__init__` of its own."""
    if not inspect.isclass(target):
        return target
    return target.__new__ if target.__init__ is object.__init__ else target.__init__


def hints_of(target: Any) -> dict[str, Any]:
    """Type hints of a class's constructor or of a function."""
    try:
        return get_type_hints(constructor(target), include_extras=True)
    except NameError:  # hints that exist for type checkers only: this library's values go unchecked
        return {}


def advise_on_models(path: str) -> str:
    """What to do about an option that nobody typed, because a model's file did."""
    group = path.partition(".")[0]
    file = "the model's file (or the experiment's)"
    return f"; where you did not type that, {file} did: leave {group}= out" if group in SET_BY_MODELS else ""
