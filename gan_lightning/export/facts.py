"""What there is to know about a trained generator beside its weights."""

from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.models.module import Weights
from gan_lightning.models.prior import Distribution
from gan_lightning.sampling import Sampler

LARGEST_SIDE = 4096
"""Pixels of an image's side, at most."""

Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]

Width = Annotated[int, Field(ge=0, le=2**20)]


class Facts(BaseModel):
    """What an export says about its generator, as JSON.

    Attributes:
        network: The generator's node of the configuration: its class and options.
        conditioning: The node of what it is conditional on.
        image_shape: Channels, height and width of the images.
        num_classes: Number of classes that images can be drawn of; 0 for none.
        classes: Names of the data set's classes, whether or not images can be drawn of one; empty where unknown.
        reference: The shipped classifier of the data set, such as mnist_cnn.
        latent_dim: Number of coordinates of z.
        prior: Distribution of each coordinate of z.
        weights: "ema" for averaged weights, "raw" for those as trained.
        generator_steps: Generator steps that the weights were trained for.
        images_seen: Real images that they were trained on.
        data: Class of the data set that they were trained on, such as "MNIST".
        recipe: What else they were trained with: value of each option, by its full key.
        license: License under which the weights may be used, where their author has named one.
        scores: The last scores of these weights, without the names of folders.
        gan_lightning: Version of this project that wrote the export.
        torch: Version of torch that did.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: dict[str, Any]
    conditioning: dict[str, Any]
    image_shape: tuple[Side, Side, Side]
    num_classes: Width
    classes: list[str]
    reference: Annotated[str, Field(pattern="^[a-z0-9_]+$")] | None = None
    latent_dim: Annotated[PositiveInt, Field(le=2**20)]
    prior: Distribution
    weights: Weights
    generator_steps: NonNegativeInt
    images_seen: NonNegativeInt
    data: str
    recipe: dict[str, str | bool | int | float | list[Any] | dict[str, Any] | None]
    license: str | None = None
    scores: list[ScoreRecord]
    gan_lightning: str
    torch: str

    @model_validator(mode="after")
    def check_classes(self) -> Self:
        """Refuse classes of which some have no name."""
        if self.num_classes and len(self.classes) != self.num_classes:
            raise ValueError(f"{self.num_classes} classes have {len(self.classes)} names")
        return self

    @property
    def drawn_classes(self) -> list[str]:
        """Names of the classes that images can be drawn of."""
        return self.classes[: self.num_classes]


class Trained(NamedTuple):
    """A trained generator, of a run or of an exported file.

    Attributes:
        sampler: What draws its images.
        facts: What there is to know about it.
        file: The file of its weights.
    """

    sampler: Sampler
    facts: Facts
    file: Path
