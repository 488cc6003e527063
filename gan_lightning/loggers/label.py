"""What a run is called in dashboards."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from gan_lightning.training.run_folder import RunFolder

GROUPS = ("model", "data", "network", "loss")
"""Config groups whose choices are a run's tags, and hyperparameters of their own."""

LONGEST_NAME, LONGEST_TAG = 128, 64
"""Characters that W&B takes."""


@dataclass(frozen=True)
class RunLabel:
    """Name, group and choices of a run; status.json keeps them, so that a resumed run has the same.

    Attributes:
        name: Name that a person can read, such as `wgan_gp fashion_mnist seed 0`.
        group: Name of the runs that belong together: that of a sweep's folder. None for a run alone.
        choices: What was chosen in the config groups `GROUPS`, such as {"model": "wgan_gp"}; empty when not known.
    """

    name: str
    group: str | None = None
    choices: Mapping[str, str] = field(default_factory=dict)

    @property
    def tags(self) -> tuple[str, ...]:
        """The choices as they are typed: model=wgan_gp."""
        return tuple(f"{group}={choice}"[:LONGEST_TAG] for group, choice in self.choices.items())


def make_label(
    choices: Mapping[str, str], seed: int, overrides: Sequence[str], swept: Collection[str], group: str | None
) -> RunLabel:
    """The label of a new run.

    Args:
        choices: What was chosen in each config group.
        seed: The run's seed.
        overrides: The words that the run was started with.
        swept: Keys that have several values in the sweep; their words make the names of its runs differ.
        group: Name of the sweep, or None.
    """
    named = {"model", "data", "seed"}
    words = [word.lstrip("+") for word in overrides]
    differing = [word for word in words if (key := word.partition("=")[0]) in swept and key not in named]
    name = " ".join([choices["model"], choices["data"], f"seed {seed}", *differing])
    return RunLabel(name[:LONGEST_NAME], group, {key: choices[key] for key in GROUPS})


def read_label(folder: RunFolder) -> RunLabel:
    """The label that a run folder's status.json keeps; the folder's name where it keeps none."""
    try:
        return TypeAdapter(RunLabel).validate_python(folder.status().get("label"))
    except ValidationError:
        return RunLabel(folder.path.name)
