"""From a checked configuration to the objects of a run."""

import logging
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig

from gan_lightning.data import ImageData
from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape
from gan_lightning.models import GAN
from gan_lightning.models.compatibility import check_batch
from gan_lightning.training.run_folder import open_run, read_checkpoint

log = logging.getLogger(__name__)


def build(node: Any, **facts: Any) -> Any:
    """Instantiate a node of the configuration; an empty node gives None."""
    if not node:
        return None
    try:
        return instantiate(node, _convert_="all", **facts)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise UserError(f"{node.get('_target_')}: {error.__cause__ or error}") from error


def build_data(cfg: DictConfig) -> ImageData:
    """The data module; it knows its image shape and classes, but has read no image yet."""
    return build(cfg.data)


def build_module(cfg: DictConfig, image_shape: ImageShape, num_classes: int) -> GAN:
    """The game, its networks shaped for the images; optimizers are tried here, before any data is loaded.

    Args:
        cfg: a composed configuration.
        image_shape: channels, height, width of the images.
        num_classes: of the data set; a game without labels does not care.
    """
    game: type[GAN] = get_class(cfg.model._target_)
    code_size = game.width_of_code(cfg.model, num_classes)
    channels, height, width = image_shape
    judged = (channels * cfg.model.pack + game.label_planes, height, width)
    module: GAN = build(
        cfg.model,
        generator=build(
            cfg.network.generator, image_shape=image_shape, latent_dim=cfg.model.latent_dim, num_classes=code_size
        ),
        discriminator=build(cfg.network.discriminator, image_shape=judged),
        loss=build(cfg.loss),
        penalties=[build(node) for node in cfg.penalty.values() if node],
        augment=build(cfg.augment),
        image_shape=image_shape,
        code_size=code_size,
    )
    processes = cfg.trainer.devices if isinstance(cfg.trainer.devices, int) else 1
    check_batch(module.discriminator, module.packed, cfg.data.batch_size, max(1, processes))
    try:
        module.configure_optimizers()
    except (TypeError, ValueError) as error:
        raise UserError(
            f"model.generator_optimizer, model.discriminator_optimizer or model.scheduler: {error}"
        ) from error
    return module


def load_module(run: str) -> tuple[GAN, Path]:
    """The trained game of a run folder or checkpoint file, on the CPU, and that file; no data is needed."""
    folder, checkpoint = open_run(run)
    content = read_checkpoint(checkpoint)
    module = build_module(folder.config(), content["image_shape"], content["num_classes"])
    try:
        module.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise UserError(
            f"{checkpoint} holds other weights than its configuration builds today: an earlier version wrote it; train "
            "again, or install the version that its run's status.json names"
        ) from error
    module.on_load_checkpoint(content)
    return module.eval(), checkpoint
