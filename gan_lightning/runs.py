"""Finding runs by short names: `latest`, and any part of a folder's name that only one run has."""

from pathlib import Path

from gan_lightning.errors import UserError

PLACES = ("runs", "multirun")
"""Folders in which runs and sweeps are kept unless the user names another."""

CONFIG_FILE = ".hydra/config.yaml"
STATUS_FILE = "status.json"
"""Files of a run folder, by which it is known without torch."""

NAMED = 5
"""Runs that a message names."""


def find_run(name: str) -> str:
    """The path that `run=` names; a path is taken as it is, and what a short name stands for is printed.

    Args:
        name: A run folder, one of its checkpoint files, `latest`, or a part of the name of a run in runs/ or multirun/.

    Raises:
        UserError: No run is meant, or several may be; the message names the newest.
    """
    if Path(name).exists() or Path(name).is_absolute():
        return name
    runs = newest_first()
    found = runs[:1] if name == "latest" else matching(name, runs)
    if len(found) == 1:
        print(f"run={name} is {found[0]}")
        return str(found[0])
    if found:
        raise UserError(
            f"run={name} may be any of {len(found)} runs{in_lines(found)}\nType more of its name, or its path"
        )
    if runs:
        raise UserError(f"run={name} is neither a run folder nor part of the name of a run{in_lines(runs)}")
    raise UserError(
        f"run={name} is no run folder, and {' and '.join(f'{place}/' for place in PLACES)} here hold no run; "
        "type run=FOLDER with a folder that a training run named at its end"
    )


def newest_first() -> list[Path]:
    """The runs in runs/ and multirun/, the one that was written last first."""
    files = [
        file
        for place in PLACES
        for depth in ("*", "*/*", "*/*/*")
        for file in Path(place).glob(f"{depth}/{CONFIG_FILE}")
    ]
    return [file.parent.parent for file in sorted(files, key=written, reverse=True)]


def written(config_file: Path) -> float:
    """When a run last wrote its status, in seconds since 1970."""
    status = config_file.parent.parent / STATUS_FILE
    return (status if status.is_file() else config_file).stat().st_mtime


def matching(name: str, runs: list[Path]) -> list[Path]:
    """The runs one of whose folders has the name, else those with the name anywhere in their path."""
    exact = [run for run in runs if name in run.parts]
    return exact or [run for run in runs if name in run.as_posix()]


def in_lines(runs: list[Path]) -> str:
    """The newest runs, a line each."""
    more = ["  ..."] if len(runs) > NAMED else []
    return "\n".join([":", *(f"  {run}" for run in runs[:NAMED]), *more])
