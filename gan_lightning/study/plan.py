"""The plan of a study: its arms, data sets, seeds and budget, and the jobs that these make."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from hydra.core.override_parser.types import Quote, QuotedString
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt

from gan_lightning.cli.options import CommandOptions
from gan_lightning.config.compose import groups
from gan_lightning.config.values import Seed
from gan_lightning.evaluation.protocol import SCORES

EXAMPLE = "arms=[model=dcgan,model=lsgan]"

LONGEST_NAME = 100
"""Characters of an arm's name, which is part of its folders' names."""


# Arms


def name_arm(words: Sequence[str]) -> str:
    """A name for an arm: its choices, and the last part of its other options with their values.

    >>> name_arm(["model=wgan", "network=mlp", "updates.n_critic=2"])
    'wgan-mlp-n_critic_2'
    """
    parts = []
    for word in words:
        key, _, value = word.lstrip("+~").partition("=")
        parts.append(value if key in groups() else f"{key.rpartition('.')[2]}_{as_file_name(value)}")
    return "-".join(map(as_file_name, parts))


def as_file_name(text: str) -> str:
    """Text without the characters that mean something in a path or on a command line."""
    return re.sub(r"[^\w.+-]+", "_", text).strip("_")


def as_words(arm: object) -> list[str]:
    """The overrides of an arm, which is one of them or a list.

    Raises:
        ValueError: It is neither.
    """
    words = [arm] if isinstance(arm, str) else arm
    if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
        raise ValueError(f"should have arms that are overrides or lists of them, such as {EXAMPLE}, not {arm}")
    return [str(word) for word in words]


def as_arms(value: object) -> object:
    """Arms by their names; those of a list are named by what is in them.

    Raises:
        ValueError: The value is neither a list nor a mapping, or two arms have the same name.
    """
    if isinstance(value, dict):
        return {str(name): as_words(arm) for name, arm in value.items()}
    if not isinstance(value, list):
        raise ValueError(f"should be a list, such as {EXAMPLE}")
    arms = [as_words(arm) for arm in value]
    names = [name_arm(words) for words in arms]
    refuse_repeated(names)
    return dict(zip(names, arms, strict=True))


def check_names(arms: dict[str, list[str]]) -> dict[str, list[str]]:
    """Refuse names of arms that cannot be part of a folder's name.

    Raises:
        ValueError: The message names the arm.
    """
    for name in arms:
        if not name or as_file_name(name) != name or len(name) > LONGEST_NAME:
            raise ValueError(
                f"should have arms whose names are letters, digits and _.+- ({LONGEST_NAME} characters at most), not "
                f"'{name}': name the arm, arms.NAME=[...]"
            )
    refuse_repeated([name.lower() for name in arms])  # some file systems do not tell case
    return arms


def refuse_repeated(names: Sequence[object]) -> None:
    """Refuse a list in which something stands twice.

    Raises:
        ValueError: The message names it.
    """
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"should not have {repeated[0]} twice")


Arms = Annotated[dict[str, list[str]], BeforeValidator(as_arms), AfterValidator(check_names)]


def as_list(value: object) -> object:
    """One name as a list of it."""
    return [value] if isinstance(value, str) else value


def check_list(values: list[Any]) -> list[Any]:
    """Refuse an empty list, and one that has something twice."""
    if not values:
        raise ValueError("should not be empty")
    refuse_repeated(values)
    return values


def check_scores(scores: list[str]) -> list[str]:
    """Refuse what is not a score."""
    for score in scores:
        if score not in SCORES:
            raise ValueError(f"should not have {score}, which is no score. Allowed: {', '.join(SCORES)}")
    return scores


Names = Annotated[list[str], BeforeValidator(as_list), AfterValidator(check_list)]


# Words


def quote_words(word: str) -> str:
    """An option that holds overrides, these in the quotes that Hydra's grammar wants: it allows no = in a list.

    >>> quote_words("arms=[model=gan,[model=wgan,network=mlp]]")
    'arms=["model=gan",["model=wgan","network=mlp"]]'
    """
    key, equals, value = word.partition("=")
    if not equals or (key not in ("arms", "overrides") and not key.startswith("arms.")):
        return word
    return f"{key}={quote_value(value.strip())}"


def quote_value(text: str) -> str:
    """An override in quotes, or a list of overrides each in quotes; what has quotes stays as it is."""
    if text.startswith("[") and text.endswith("]"):
        return f"[{','.join(map(quote_value, split_list(text[1:-1])))}]"
    if not text or text[0] in "'\"" or text == "null":
        return text
    return QuotedString(text, Quote.double).with_quotes()


def split_list(text: str) -> list[str]:
    """What stands between the commas of a list, but for commas inside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        depth += not quote and ((character in "[{(") - (character in "]})"))
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


# The plan


class Budget(BaseModel):
    """What each job may spend: one limit, the same for all arms.

    Args:
        max_images: Real images.
        max_generator_steps: Generator steps.
        minutes: Minutes of training, on a machine that has nothing else to do.
    """

    model_config = ConfigDict(frozen=True)

    max_images: PositiveInt | None = None
    max_generator_steps: PositiveInt | None = None
    minutes: PositiveFloat | None = None

    def words(self) -> list[str]:
        """The words that give a run this budget, and no other that its model or experiment has."""
        limits = {
            "max_images": self.max_images,
            "max_generator_steps": self.max_generator_steps,
            "trainer.max_epochs": None,
            "trainer.max_time": None if self.minutes is None else as_time(self.minutes),
        }
        return [f"{key}={'null' if limit is None else limit}" for key, limit in limits.items()]

    def __str__(self) -> str:
        words = {"max_images": "images", "max_generator_steps": "generator steps", "minutes": "minutes"}
        return " or ".join(f"{limit:,} {words[name]}" for name, limit in self if limit is not None)


def as_time(minutes: float) -> str:
    """Minutes as DD:HH:MM:SS, one second at least."""
    seconds = max(1, round(60 * minutes))
    return f"{seconds // 86400:02}:{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


class Study(CommandOptions):
    """What a study compares, on what, and for how long."""

    arms: Arms = Field({}, description=f"What is compared: {EXAMPLE}; arms.NAME= adds one.")
    data: Names = Field(["mnist"], description="Data sets that every arm is trained on: [mnist,fashion_mnist].")
    seeds: Annotated[list[Seed], AfterValidator(check_list)] = Field(
        [0, 1, 2], description="Seeds that every arm is trained with on every data set."
    )
    budget: Budget | None = Field(
        None,
        description="Of each run: budget.max_images=, .max_generator_steps= or .minutes=.",
    )
    scores: Annotated[Names, AfterValidator(check_scores)] = Field(
        ["frechet", "precision", "recall", "coverage"],
        description="Scores of the table; the first with an order decides what is best.",
    )
    n: PositiveInt | None = Field(
        None, description="Number of samples to score; null: that of test images, at most 10,000."
    )
    overrides: Annotated[list[str], BeforeValidator(as_words)] = Field(
        [], description="Options of every arm; whatever else is typed is added to them."
    )


@dataclass(frozen=True)
class Job:
    """One run of a study.

    Attributes:
        arm: Name of the arm.
        data: Name of the data set.
        seed: Seed of the run.
        words: The words of a training's command line that make the run, but for its folder.
        folder: The run's folder.
    """

    arm: str
    data: str
    seed: int
    words: tuple[str, ...]
    folder: Path

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def title(self) -> str:
        """Name of the run in dashboards and reports."""
        return f"{self.arm} {self.data} seed {self.seed}"


def make_jobs(study: Study, out: Path) -> list[Job]:
    """The jobs of a study: all arms and data sets with the first seed, then with the next.

    Args:
        study: The plan.
        out: Folder of the study.
    """
    return [
        Job(arm, data, seed, tuple(words_of(study, arm, data, seed)), out / f"{arm}-{as_file_name(data)}-seed{seed}")
        for seed, data, arm in product(study.seeds, study.data, study.arms)
    ]


def words_of(study: Study, arm: str, data: str, seed: int) -> list[str]:
    """The words of a training's command line that make a job."""
    budget = [] if study.budget is None else study.budget.words()
    return [*study.overrides, *study.arms[arm], f"data={data}", f"seed={seed}", *budget]
