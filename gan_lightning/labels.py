"""Classes as people name them: by number, by name, or several to take in turn."""

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_lightning.errors import UserError

Labels = int | str | Sequence[int | str] | np.ndarray | Tensor
"""A class, or several that images take in turn: whole numbers from 0 on, or names."""

NAMED = 20
"""Classes that a message names."""


def to_numbers(labels: Labels, names: Sequence[str]) -> Tensor:
    """The numbers of classes, int64 (K,).

    Args:
        labels: Classes by number or by name.
        names: The name of each class; empty where the generator is not class-conditional.

    Raises:
        UserError: The generator is not class-conditional, there is no such class, or no class is given.
    """
    if len(names) < 2:
        raise UserError(f"labels={shown(labels)}: this generator is not class-conditional; leave labels= out")
    wanted = listed(labels)
    if not wanted:
        raise UserError(f"labels={shown(labels)} names no class; type labels=0, or leave labels= out for every class")
    return torch.tensor([to_number(label, names) for label in wanted])


def listed(labels: Labels) -> list[Any]:
    """One class or several as a list of plain values."""
    if isinstance(labels, Tensor | np.ndarray):
        return labels.reshape(-1).tolist()
    return [labels] if isinstance(labels, int | str | np.integer) else list(labels)


def to_number(label: Any, names: Sequence[str]) -> int:
    """The number of one class."""
    if isinstance(label, str) and label in names:
        return list(names).index(label)
    whole = isinstance(label, int | np.integer) and not isinstance(label, bool)
    if whole and 0 <= label < len(names):
        return int(label)
    raise UserError(f"labels={label} is not allowed: {allowed(label, names)}")


def allowed(label: Any, names: Sequence[str]) -> str:
    """The classes that there are, and what to type instead of one that there is not."""
    last = len(names) - 1
    close = difflib.get_close_matches(str(label), names, n=1) if isinstance(label, str) else []
    numbers = f"classes are 0 to {last}"
    if list(names) != [str(number) for number in range(len(names))]:
        more = " ..." if len(names) > NAMED else ""
        numbers += f" ({', '.join(names[:NAMED])}{more})"
    return f"{numbers}; type labels={close[0] if close else last}"


def shown(labels: Labels) -> str:
    """Labels as a person types them."""
    several = listed(labels)
    return f"[{','.join(map(str, several))}]" if len(several) != 1 else str(several[0])
