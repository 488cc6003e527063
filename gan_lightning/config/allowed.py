"""What a run folder's configuration may name: it comes with the folder, perhaps from a stranger, and is only data.

Whatever the user types, or keeps in a `--config-dir`, may name any code. What is read back from a run folder may name
only the classes that belong to the group of the configuration in which they stand: this project's own parts,
optimizers and schedules of torch, and Lightning's Trainer, callbacks and loggers. Everything else is foreign, and
nothing foreign is imported unless the user trusts the folder. What these classes may write to is looked at when a run
is resumed: nothing but the run folder.
"""

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

PACKAGE = "gan_lightning"
"""The package whose classes are this project's own, those that a user has added to it among them."""


class Place(NamedTuple):
    """Where a configuration may name code, and what it may name there.

    base: Dotted name of the class whose subclasses are allowed.
    package: Package of this project in which they are looked for.
    library: Module of a library of which they may be, too.
    names: Dotted names that are allowed besides.
    """

    base: str
    package: str = PACKAGE
    library: str | None = None
    names: tuple[str, ...] = ()

    def describe(self) -> str:
        """What is allowed, in words."""
        places = f"{self.package} or {self.library}" if self.library else self.package
        return " or ".join([f"{self.base} and its subclasses in {places}", *self.names])


OPTIMIZER = Place("torch.optim.Optimizer", library="torch.optim")

PLACES = {
    "trainer": Place("pytorch_lightning.Trainer", library="pytorch_lightning"),
    "model": Place("gan_lightning.models.ModelOptions"),
    "model.algorithm": Place("gan_lightning.models.GAN"),
    "data": Place("gan_lightning.data.ImageData"),
    "network.generator": Place("torch.nn.Module", package="gan_lightning.networks"),
    "network.discriminator": Place("torch.nn.Module", package="gan_lightning.networks"),
    "loss": Place("gan_lightning.losses.Loss"),
    "penalty.*": Place("gan_lightning.penalties.Penalty"),
    "augment": Place("gan_lightning.augment.NoAugment"),
    "conditioning": Place("gan_lightning.models.Unconditional"),
    "auxiliary.*": Place("gan_lightning.models.auxiliary.AuxiliaryTerm"),
    "updates": Place("gan_lightning.models.Alternating"),
    "optimizer": Place("gan_lightning.models.Optimizers"),
    "optimizer.generator": OPTIMIZER,
    "optimizer.discriminator": OPTIMIZER,
    "optimizer.scheduler": Place("torch.optim.lr_scheduler.LRScheduler", library="torch.optim.lr_scheduler"),
    "annealing.*": Place("gan_lightning.models.annealing.Annealing"),
    "callbacks.*": Place("pytorch_lightning.callbacks.Callback", library="pytorch_lightning.callbacks"),
    "logger.*": Place(
        "pytorch_lightning.loggers.Logger",
        library="pytorch_lightning.loggers",
        names=("gan_lightning.loggers.start_wandb", "gan_lightning.loggers.start_tensorboard"),
    ),
}
"""Keys of the configuration under which `_target_` (of `model.algorithm`: the value) names code; `*` is any name."""

NOT_CHOICES = (
    "gan_lightning.csv_logger.CSVLogger",
    "gan_lightning.loggers.tensorboard_logger.GuardedTensorBoardLogger",
    "gan_lightning.loggers.wandb_logger.GuardedWandbLogger",
)
"""Classes of this project that the program builds itself: they write to any file, or address, that they are given."""

PLAIN = (str, int, float, bool, type(None))

INSTANTIATE_KEYS: dict[str, tuple[Any, ...]] = {
    "_partial_": (True, False),
    "_recursive_": (True, False),
    "_convert_": ("none", "partial", "object", "all"),
}
"""Keys that tell Hydra how to build a node, and their harmless values."""


def find_foreign(config: Mapping[Any, Any]) -> list[str]:
    """What a configuration names that a run folder may not, each as `key=value (what is allowed there)`.

    Only names are looked at, and nothing but this project and the libraries above is imported.

    Args:
        config: A configuration as plain mappings, lists and values.
    """
    return [f"{path}={shorten(value)} ({allowed})" for path, value, allowed in walk("", config)]


def foreign_names(config: Mapping[Any, Any]) -> list[str]:
    """What a configuration names that a run folder may not, each as `key=value`."""
    return [f"{path}={shorten(value)}" for path, value, _ in walk("", config)]


def walk(path: str, node: Any) -> Iterator[tuple[str, Any, str]]:
    """Key, value and what is allowed there, for all that is foreign at `path` or below."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk_item(path, key, value)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(f"{path}.{index}", value)
    elif isinstance(node, str) and "${" in node:
        yield path, node, "a run's configuration is written without interpolations"
    elif type(node) not in PLAIN:
        yield path, node, "allowed: text, numbers, true, false and null"


def walk_item(parent: str, key: Any, value: Any) -> Iterator[tuple[str, Any, str]]:
    """The same for one key of a mapping."""
    path = f"{parent}.{key}".removeprefix(".")
    place = place_of(parent if key == "_target_" else path)
    if key == "_target_" or path == "model.algorithm":
        if place is None or not is_allowed(value, place):
            yield path, value, f"allowed: {place.describe()}" if place else "no class is named here"
    elif key == "_args_" or (key in INSTANTIATE_KEYS and not is_one_of(value, INSTANTIATE_KEYS[key])):
        yield path, value, "allowed: " + (", ".join(map(str, INSTANTIATE_KEYS.get(key, ()))) or "keys by their names")
    else:
        if not isinstance(key, str) or "${" in key:
            yield path, value, "keys are plain words"
        yield from walk(path, value)


def is_one_of(value: Any, allowed: tuple[Any, ...]) -> bool:
    """Whether a value is one of a few, and of its type."""
    return any(type(value) is type(one) and value == one for one in allowed)


def place_of(path: str) -> Place | None:
    """The place of a key such as `loss` or `penalty.r1`; None where no code is named."""
    group, dot, name = path.partition(".")
    return PLACES.get(path) or (PLACES.get(f"{group}.*") if dot and "." not in name else None)


def is_allowed(name: Any, place: Place) -> bool:
    """Whether a dotted name is that of something which may stand in a place; see `find_class`."""
    if not isinstance(name, str):
        return False
    if name in place.names:
        return True
    found = find_class(name, place)
    return found is not None and issubclass(found, find_base(place))


def find_base(place: Place) -> type:
    """The class whose subclasses are allowed in a place."""
    module, _, name = place.base.rpartition(".")
    base: type = getattr(import_module(module), name)
    return base


def find_class(name: str, place: Place) -> type | None:
    """The class that a dotted name names, where it is one of this project or of a place's library; else None.

    The name is looked at before anything is imported. Its last part must be a class of the module that the others name,
    and be defined in the same package: no name leads through a module to what that module has imported.
    """
    module, _, attribute = name.rpartition(".")
    home = place.package if is_inside(module, place.package) else place.library
    if home is None or (home == place.library and module != home) or not is_dotted(name):
        return None
    try:
        found = getattr(import_module(module), attribute, None)
    except ImportError:  # it is in this package, and is not there: `find_foreign` lists it
        return None
    if not isinstance(found, type) or not is_inside(found.__module__, home):
        return None
    return None if f"{found.__module__}.{found.__qualname__}" in NOT_CHOICES else found


def is_dotted(name: str) -> bool:
    """Whether a name is made of plain identifiers; special ones such as `__main__` are not."""
    return all(re.fullmatch(r"[A-Za-z_]\w*", part, re.ASCII) and "__" not in part for part in name.split("."))


def is_inside(module: str, package: str) -> bool:
    """Whether a module's dotted name is that of a package or of something in it."""
    return module == package or module.startswith(f"{package}.")


def shorten(value: Any, length: int = 80) -> str:
    """A value in one short line of printable characters."""
    try:
        text = value if isinstance(value, str) and value.isprintable() and value.isascii() else ascii(value)
    except ValueError:  # a number too long to be written
        text = f"a {type(value).__name__}"
    return text if len(text) <= length else f"{text[:length]}..."


# What is written elsewhere

PLACE_ENDINGS = ("dir", "path", "file", "folder")
"""Endings of the keys that hold files and folders."""

SENT_ELSEWHERE = ("trainer.model_registry",)
"""Options of Lightning's by which checkpoints are sent to a server."""

LIGHTNINGS_LOGGERS = "pytorch_lightning.loggers"

LOGGERS_OF_FILES = ("CSVLogger", "TensorBoardLogger")
"""Those of Lightning's loggers that send nothing to an address which the run folder may choose."""


def find_outside(config: Mapping[Any, Any], folder: Path) -> list[str]:
    """The options of callbacks, loggers and the Trainer by which a resumed run would write outside its folder.

    Args:
        config: A configuration as plain mappings, lists and values.
        folder: The run folder.
    """
    found = []
    for group in ("callbacks", "logger", "trainer"):
        for path, value in leaves(group, config.get(group)):
            if path in SENT_ELSEWHERE or (path.startswith("logger.") and sends_elsewhere(path, value)):
                found.append(f"{path}={shorten(value)} (it may send to any address; type another logger=)")
            elif isinstance(value, str) and leads_outside(path, value, folder.resolve()):
                found.append(f"{path}={shorten(value)} (allowed: places in {folder})")
    return found


def leaves(path: str, node: Any) -> Iterator[tuple[str, Any]]:
    """The keys and values below a node; None is left out."""
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(f"{path}.{key}", value)
    elif node is not None:
        yield path, node


def sends_elsewhere(path: str, value: Any) -> bool:
    """Whether a value names one of Lightning's loggers whose address the configuration may choose."""
    module, _, name = str(value).rpartition(".")
    return path.endswith("._target_") and module == LIGHTNINGS_LOGGERS and name not in LOGGERS_OF_FILES


def leads_outside(path: str, value: str, folder: Path) -> bool:
    """Whether a value is, or in a file's name would lead to, a place that is not in the run folder."""
    if is_expanded(value) or any(not re.fullmatch(PLAIN_FIELD, field) for field in re.findall(r"{[^}]*}?", value)):
        return True
    if path.endswith(PLACE_ENDINGS):
        return not Path(value).resolve().is_relative_to(folder)
    return value.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", value)


PLAIN_FIELD = r"{[\w/-]*(:[\d.]*[defg]?)?}"
"""A field of a file's name, such as {epoch:04d}: one that looks up no attribute and adds no characters of its own."""


def is_expanded(value: str) -> bool:
    """Whether programs take a text for a home folder, a variable or an address, none of which a run folder needs."""
    return value.startswith("~") or any(mark in value for mark in ("$", "://", "::", "\0"))


def find_outside_state(state: Any, folder: Path) -> list[str]:
    """The texts in a checkpoint's state of callbacks that are places outside the run folder.

    Args:
        state: The state, as dictionaries, lists, texts and numbers.
        folder: The run folder.
    """
    found = []
    for text in texts(state):
        absolute = text.startswith(("/", "\\")) and not Path(text).resolve().is_relative_to(folder.resolve())
        if absolute or is_expanded(text) or ".." in re.split(r"[/\\]", text):
            found.append(shorten(text))
    return found


def texts(node: Any) -> Iterator[str]:
    """All texts in dictionaries, as keys or values, and in lists."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        yield from (text for pair in node.items() for part in pair for text in texts(part))
    elif isinstance(node, list | tuple | set):
        yield from (text for part in node for text in texts(part))
