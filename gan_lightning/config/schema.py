"""What the keys of a configuration may hold, by the signatures of the classes that it names."""

import inspect
import json
import pkgutil
from typing import Any, Literal, NamedTuple, get_type_hints

from omegaconf import DictConfig, OmegaConf
from pydantic import ConfigDict, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from gan_lightning.config.compose import options, top_level_keys
from gan_lightning.config.messages import did_you_mean, explained, keys_ending_in
from gan_lightning.errors import UserError

Precision = Literal["auto", "bf16", 32]

SETTINGS: dict[str, Any] = {
    "seed": NonNegativeInt,
    "precision": Precision,
    "max_images": PositiveInt | None,
    "max_generator_steps": PositiveInt | None,
    "default_generator_steps": PositiveInt,
    "objective": str | None,
}
"""The top-level keys that hold a value; every other one is a mapping."""

STRICTER: dict[str, Any] = {
    "trainer.max_epochs": PositiveInt | Literal[-1] | None,
    "trainer.devices": PositiveInt | Literal[-1, "auto"] | list[NonNegativeInt],
    "trainer.accelerator": Literal["auto", "cpu", "gpu", "cuda", "mps", "tpu"],
}
"""Options of pytorch-lightning's Trainer whose own type hints let mistakes through."""

SET_BY_MODELS = ("network", "loss", "optimizer", "conditioning", "updates")
"""Groups in which the files of models and experiments state numbers that another choice may not have."""

HYDRAS_OWN = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")
"""Keys that tell Hydra how to build a node."""


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
    allowed = top_level_keys()
    for key, node in ((str(key), node) for key, node in plain.items()):
        if key not in allowed:
            raise UserError(f"{key} is not a valid option.{did_you_mean(key, allowed)}")
        convert(cfg, key, node, SETTINGS.get(key, dict))
        check_node(cfg, key, node)
        check_parts(key, node)


def check_node(cfg: DictConfig, path: str, node: Any) -> None:
    """Check a mapping or list, and those inside it, against the signatures of their `_target_`s."""
    if isinstance(node, dict) and "_target_" in node:
        check_arguments(cfg, path, node)
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inside:
        check_node(cfg, f"{path}.{key}", value)


def check_arguments(cfg: DictConfig, path: str, node: dict[str, Any]) -> None:
    """Check one node's keys and values against the signature of its `_target_`."""
    arguments = arguments_of(locate(f"{path}._target_", node["_target_"]))
    # the program, not the user, gives the required arguments that no file sets
    names = [name for name, argument in arguments.items() if name in node or not argument.required]
    for key in (key for key in node if key not in HYDRAS_OWN):
        if key not in names:
            elsewhere = [full for full in keys_ending_in(key, cfg) if full != f"{path}.{key}"]
            hint = did_you_mean(key, names, f"{path}.", elsewhere)
            raise UserError(f"{path}.{key} is not a valid option.{hint}{advise_on_models(path)}")
        if not holds_node(node[key]):
            convert(cfg, f"{path}.{key}", node[key], STRICTER.get(f"{path}.{key}", arguments[key].hint))


def check_parts(group: str, parts: Any) -> None:
    """Refuse numbers of a part, such as a penalty, that is not chosen: it would be left out silently."""
    if not isinstance(parts, dict) or "_target_" in parts:
        return
    for name, part in parts.items():
        if isinstance(part, dict) and part and "_target_" not in part and name in options(group):
            raise UserError(
                f"{group}.{name} has numbers, which a file of the model or experiment sets, but {group}={name} is not "
                f"chosen: leave {group}= out, or type ~{group}.{name}, too"
            )


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
        raise UserError(
            f"{path}={value} is not allowed: it {', or it '.join(wishes)}{advise_on_models(path)}"
        ) from error


def locate(path: str, target: str) -> Any:
    """The class or function that a dotted name names."""
    try:
        located = pkgutil.resolve_name(target)
    except (ValueError, ImportError, AttributeError) as error:
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
