"""What there is to know about an exported generator beside its weights."""

from dataclasses import asdict
from typing import Annotated, Any

import torch
from omegaconf import OmegaConf
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from gan_lightning import __version__
from gan_lightning.build import build_data, load_module
from gan_lightning.errors import UserError
from gan_lightning.models.module import Weights
from gan_lightning.models.prior import Distribution
from gan_lightning.sampling import Sampler
from gan_lightning.training.run_folder import open_run

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
        classes: Names of the classes, where they are known.
        latent_dim: Number of coordinates of z.
        prior: Distribution of each coordinate of z.
        weights: "ema" for averaged weights, "raw" for those as trained.
        generator_steps: Generator steps that the weights were trained for.
        images_seen: Real images that they were trained on.
        scores: Records of scores.jsonl of these weights.
        gan_lightning: Version of this project that wrote the export.
        torch: Version of torch that did.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: dict[str, Any]
    conditioning: dict[str, Any]
    image_shape: tuple[Side, Side, Side]
    num_classes: Width
    classes: list[str]
    latent_dim: Annotated[PositiveInt, Field(le=2**20)]
    prior: Distribution
    weights: Weights
    generator_steps: NonNegativeInt
    images_seen: NonNegativeInt
    scores: list[dict[str, str | float | bool | None]]
    gan_lightning: str
    torch: str


def read_run(run: str, weights: Weights = "ema", trust: bool = False) -> tuple[Sampler, Facts]:
    """The sampler of a run folder or checkpoint file, and what there is to know about it.

    Args:
        run: Run folder, or one of its checkpoint files.
        weights: Averaged weights of the generator, if there are any, or those as trained.
        trust: Whether the folder may name code from outside this project, which is then run.
    """
    module, _ = load_module(run, trust)
    folder, _ = open_run(run)
    sampler = module.sampler(weights)
    used: Weights = weights if weights in module.kept_weights else "raw"
    cfg = folder.config(trust)
    scores = [
        {name: value for name, value in asdict(record).items() if value is not None and name not in PLACES}
        for record in folder.scores()
        if record.source == used and record.generator_steps == module.generator_steps
    ]
    facts = Facts(
        network=plain(cfg.network.generator),
        conditioning=plain(cfg.conditioning),
        image_shape=image_shape(sampler),
        num_classes=sampler.conditioning.num_classes,
        classes=class_names(cfg, sampler.conditioning.num_classes),
        latent_dim=sampler.prior.dim,
        prior=sampler.prior.distribution,
        weights=used,
        generator_steps=module.generator_steps,
        images_seen=module.images_seen,
        scores=scores[-MOST_SCORES:],
        gan_lightning=__version__,
        torch=torch.__version__,
    )
    return sampler, facts


PLACES = ("run", "images")
"""Fields of a score's record that name folders of the machine on which it was measured."""

MOST_SCORES = 100


def plain(node: Any) -> Any:
    """A node of a configuration as plain values."""
    return OmegaConf.to_container(node, resolve=True)


def image_shape(sampler: Sampler) -> tuple[int, int, int]:
    """Channels, height and width of a sampler's images."""
    channels, height, width = sampler.generate(sampler.sample_inputs(1, seed=0)).shape[1:]
    return channels, height, width


def class_names(cfg: Any, count: int) -> list[str]:
    """The names of a data set's classes; their numbers where the data set is not at hand."""
    try:
        names = list(build_data(cfg).class_names) if count else []
    except (UserError, OSError):
        names = []
    return names if len(names) == count else [str(number) for number in range(count)]
