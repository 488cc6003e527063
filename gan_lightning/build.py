"""From a checked configuration to the objects of a run."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from torch import nn

from gan_lightning.augment import NoAugment
from gan_lightning.config.schema import check
from gan_lightning.data import ImageData
from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape
from gan_lightning.losses import Loss
from gan_lightning.models import GAN, Alternating, ModelOptions, Optimizers, Parts, Unconditional, assemble
from gan_lightning.models.annealing import Annealing
from gan_lightning.models.auxiliary import AuxiliaryTerm
from gan_lightning.models.compatibility import check_batch, check_batch_norm
from gan_lightning.models.module import Weights
from gan_lightning.penalties import Penalty
from gan_lightning.sampling import Sampler
from gan_lightning.training.run_folder import RunFolder, open_run, read_checkpoint

log = logging.getLogger(__name__)

Part = TypeVar("Part")


def build(node: Any, **facts: Any) -> Any:
    """Instantiate a node of the configuration; an empty node gives None."""
    if not node:
        return None
    try:
        return instantiate(node, _convert_="all", **facts)
    except OmegaConfBaseException as error:
        raise UserError(f"{node.get('_target_')}: {str(error).splitlines()[0]}") from error
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise UserError(f"{node.get('_target_')}: {error.__cause__ or error}") from error


def build_part(group: str, node: Any, kind: type[Part], **facts: Any) -> Part:
    """Instantiate a node of the configuration that must give an object of a class.

    Raises:
        UserError: The node gives something else, such as a function that makes one.
    """
    part = build(node, **facts)
    if not isinstance(part, kind):
        raise UserError(
            f"{group}: {node.get('_target_')} gives no {kind.__module__}.{kind.__qualname__}; type {group}=NAME"
        )
    return part


def build_data(cfg: DictConfig) -> ImageData:
    """The data module; it knows its image shape and classes, but has read no image yet."""
    return build_part("data", cfg.data, ImageData)  # type: ignore[type-abstract]


def build_parts(group: str, node: Any, kind: type[Part]) -> dict[str, Part]:
    """The parts of a group of which several can be chosen, by their names, such as penalties."""
    return {str(name): build_part(group, part, kind) for name, part in (node or {}).items() if part}


def build_networks(
    cfg: DictConfig, image_shape: ImageShape, conditioning: Unconditional
) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator, shaped for the images, for what they are conditional on and for packs."""
    channels, height, width = image_shape
    generator = build_part(
        "network",
        cfg.network.generator,
        nn.Module,
        image_shape=image_shape,
        latent_dim=cfg.model.latent_dim,
        condition_dim=conditioning.condition_dim,
    )
    seen = (channels * cfg.model.pack + conditioning.extra_channels, height, width)
    return generator, build_part("network", cfg.network.discriminator, nn.Module, image_shape=seen)


def build_module(cfg: DictConfig, image_shape: ImageShape, num_classes: int) -> GAN:
    """The model, its networks shaped for the images; optimizers are tried here, before any data is loaded.

    Args:
        cfg: Composed configuration.
        image_shape: Channels, height and width of the images.
        num_classes: Number of classes of the data set; 0 or 1 where there are none.
    """
    conditioning = build_part("conditioning", cfg.conditioning, Unconditional, num_classes=num_classes)
    generator, discriminator = build_networks(cfg, image_shape, conditioning)
    parts = Parts(
        generator=generator,
        discriminator=discriminator,
        loss=build_part("loss", cfg.loss, Loss),
        penalties=list(build_parts("penalty", cfg.penalty, Penalty).values()),
        augment=build_part("augment", cfg.augment, NoAugment),
        conditioning=conditioning,
        auxiliary=build_parts("auxiliary", cfg.auxiliary, AuxiliaryTerm),
        updates=build_part("updates", cfg.updates, Alternating),
        annealing=list(build_parts("annealing", cfg.annealing, Annealing).values()),
        optimizers=build_part("optimizer", cfg.optimizer, Optimizers),
    )
    module = assemble(parts, build_part("model", cfg.model, ModelOptions), image_shape)
    processes = max(1, cfg.trainer.devices) if isinstance(cfg.trainer.devices, int) else 1
    check_batch(module.discriminator, cfg.model.pack, cfg.data.batch_size, processes)
    check_batch_norm(module, cfg.data.batch_size, processes)
    try:
        module.configure_optimizers()
    except (TypeError, ValueError) as error:
        raise UserError(f"optimizer.generator, optimizer.discriminator or optimizer.scheduler: {error}") from error
    return module


class LoadedRun(NamedTuple):
    """A run that has been read back.

    Attributes:
        folder: Its folder.
        checkpoint: The file of its weights.
        config: Its configuration, checked.
        content: The content of the checkpoint.
        module: The trained model, on the CPU.
    """

    folder: RunFolder
    checkpoint: Path
    config: DictConfig
    content: dict[str, Any]
    module: GAN


def load_run(run: str, trust: bool = False) -> LoadedRun:
    """What a run folder or checkpoint file holds; no data is needed.

    Args:
        run: Run folder, or one of its checkpoint files.
        trust: Whether the folder's configuration may name any code, which is then run; without it, only what
            `gan_lightning.config.allowed` lists.
    """
    folder, checkpoint = open_run(run)
    cfg = folder.config(trust)
    try:
        check(cfg)
    except UserError as error:
        raise UserError(f"{folder.config_file} describes no run of this version: {error}") from error
    content = read_checkpoint(checkpoint)
    check_weights(cfg, content, checkpoint)
    module = build_module(cfg, content["image_shape"], content["num_classes"])
    module.load_state_dict(content["state_dict"])
    module.on_load_checkpoint(content)
    return LoadedRun(folder, checkpoint, cfg, content, module.eval())


def load_module(run: str, trust: bool = False) -> tuple[GAN, Path]:
    """The trained model of a run folder or checkpoint file, and that file; see `load_run`."""
    loaded = load_run(run, trust)
    return loaded.module, loaded.checkpoint


def check_weights(cfg: DictConfig, content: Mapping[str, Any], checkpoint: Path) -> None:
    """Refuse a checkpoint whose weights are not of the shapes that its configuration gives, before any is built.

    Both are on the meta device, which takes no memory: a run folder of a stranger cannot ask for gigabytes.

    Args:
        cfg: A checked configuration.
        content: The content of the checkpoint.
        checkpoint: Its file, for the message.

    Raises:
        UserError: They differ.
    """
    try:
        with torch.device("meta"):
            expected = build_module(cfg, content["image_shape"], content["num_classes"]).state_dict()
    except OmegaConfBaseException as error:
        raise UserError(f"{checkpoint}: its configuration is incomplete: {str(error).splitlines()[0]}") from error
    shapes = {name: tensor.shape for name, tensor in expected.items()}
    if shapes != {name: getattr(tensor, "shape", None) for name, tensor in content["state_dict"].items()}:
        raise UserError(
            f"{checkpoint} holds other weights than its configuration builds today: an earlier version wrote it; train "
            "again, or install the version that its run's status.json names"
        )


def load_sampler(run: str, weights: Weights = "ema", trust: bool = False) -> tuple[Sampler, Path]:
    """What draws images of a run folder or checkpoint file, and that file; no data is needed.

    Args:
        run: Run folder, or one of its checkpoint files.
        weights: "ema" for the averaged generator, where there is one; "raw" for the generator as it was trained.
        trust: Whether the folder may name code from outside this project, which is then run; see `load_run`.
    """
    module, checkpoint = load_module(run, trust)
    return module.sampler(weights), checkpoint
