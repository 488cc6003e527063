"""Types of values that many options hold: what is allowed, and what a value is converted to."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

LARGEST_SEED = 2**32 - 1
"""The largest seed that every source of random numbers takes: NumPy's legacy one has 32 bits."""


def as_text(name: object) -> object:
    """A whole number as text, because a folder may be named 2024; anything else as it is."""
    return str(name) if isinstance(name, int) and not isinstance(name, bool) else name


def expand_home(name: str) -> str:
    """The name of a file or folder, a leading ~ or ~USER replaced by that home folder.

    Raises:
        ValueError: The name is empty, holds a null character, or ~USER is nobody on this machine.
    """
    if not name.strip():
        raise ValueError("should name a file or folder; type null, or leave it out, for none")
    if "\0" in name:
        raise ValueError("should name a file or folder, and no name holds a null character")
    try:
        return str(Path(name).expanduser())
    except RuntimeError as error:  # ~USER, and there is no such user
        raise ValueError(f"should name a file or folder ({error}); type ./{name} for one of this very name") from error


PathName = Annotated[str, BeforeValidator(as_text), AfterValidator(expand_home)]
"""The name of a file or folder: never empty, ~ expanded."""

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
"""The seed of a source of random numbers."""
