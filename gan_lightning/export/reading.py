"""Reading a trained generator back: from a run folder, a checkpoint, or an exported file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from gan_lightning import __version__
from gan_lightning.build import LoadedRun, build_data, load_run
from gan_lightning.config.compose import leaves
from gan_lightning.data import ImageData
from gan_lightning.errors import UserError
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.export.facts import Facts, Trained
from gan_lightning.export.weights import decode_export, unreadable
from gan_lightning.models.module import Weights
from gan_lightning.sampling import Sampler

SUFFIX = ".safetensors"
"""By which an exported file is known."""


def read_trained(run: str, weights: Weights = "ema", trust: bool = False) -> Trained:
    """The trained generator of a run folder, of one of its checkpoints, or of an exported file.

    Args:
        run: Run folder, checkpoint, or FILE.safetensors.
        weights: "ema" for the averaged generator, where there is one; "raw" for the generator as it was trained.
        trust: Whether what is read may name code from outside this project, which is then run.

    Raises:
        UserError: It cannot be read, or the file holds other weights than those asked for.
    """
    if Path(run).suffix != SUFFIX:
        return read_run(run, weights, trust)
    trained = read_export(run, trust)
    if weights == "raw" and trained.facts.weights != "raw":
        raise UserError(f"{run} holds the averaged weights alone; leave out weights=raw")
    return trained


def read_export(path: str | Path, trust: bool = False) -> Trained:
    """The generator of a file that `export format=safetensors` wrote; see `weights.decode_export`."""
    file = Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise unreadable(file, error) from error
    return decode_export(content, file, trust)


def read_run(run: str, weights: Weights = "ema", trust: bool = False) -> Trained:
    """The generator of a run folder or checkpoint file.

    Args:
        run: Run folder, or one of its checkpoint files.
        weights: Averaged weights of the generator, if there are any, or those as trained.
        trust: Whether the folder may name code from outside this project, which is then run.
    """
    loaded = load_run(run, trust)
    module, cfg, data = loaded.module, loaded.config, data_of(loaded.config)
    sampler = module.sampler(weights)
    used: Weights = weights if weights in module.kept_weights else "raw"
    facts = Facts(
        network=plain(cfg.network.generator),
        conditioning=plain(cfg.conditioning),
        image_shape=image_shape(sampler),
        num_classes=sampler.conditioning.num_classes,
        classes=class_names(data, sampler.conditioning.num_classes),
        reference=data.reference if data else None,
        latent_dim=sampler.prior.dim,
        prior=sampler.prior.distribution,
        weights=used,
        generator_steps=module.generator_steps,
        images_seen=module.images_seen,
        data=cfg.data._target_.rpartition(".")[2],
        recipe=recipe(cfg),
        scores=scores(loaded, used),
        gan_lightning=__version__,
        torch=torch.__version__,
    )
    return Trained(sampler, facts, loaded.checkpoint)


OF_THE_RECIPE = (
    "model", "network.discriminator", "loss", "penalty", "auxiliary", "augment", "optimizer", "updates", "annealing",
    "data.batch_size", "precision", "seed",
)  # fmt: skip
"""Parts of the configuration that say how a generator was trained; nothing in them names a place on this machine."""


def recipe(cfg: DictConfig) -> dict[str, Any]:
    """The options a generator was trained with, by their full keys."""
    parts = {key: OmegaConf.select(cfg, key) for key in OF_THE_RECIPE}
    found = {key: plain(part) if OmegaConf.is_config(part) else part for key, part in parts.items()}
    return {key: value for group, part in found.items() for key, value in leaves(part, group)}


def scores(loaded: LoadedRun, weights: Weights) -> list[ScoreRecord]:
    """The last scores of the weights, without the names of folders on this machine."""
    return [
        replace(record, run=None, images=None)
        for record in loaded.folder.scores()
        if record.source == weights and record.generator_steps == loaded.module.generator_steps
    ][-MOST_SCORES:]


MOST_SCORES = 100


def plain(node: Any) -> Any:
    """A node of a configuration as plain values."""
    return OmegaConf.to_container(node, resolve=True)


def image_shape(sampler: Sampler) -> tuple[int, int, int]:
    """Channels, height and width of a sampler's images."""
    channels, height, width = sampler.generate(sampler.sample_inputs(1, seed=0)).shape[1:]
    return channels, height, width


def data_of(cfg: DictConfig) -> ImageData | None:
    """The data set that a run was trained on; None where it is not at hand, such as a folder of pictures elsewhere."""
    try:
        return build_data(cfg)
    except (UserError, OSError):
        return None


def class_names(data: ImageData | None, count: int) -> list[str]:
    """The names of a data set's classes; of `count` classes of which the names are unknown, their numbers."""
    names = list(data.class_names) if data else []
    return names if count in (0, len(names)) else [str(number) for number in range(count)]
