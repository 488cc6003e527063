"""Which parts of a GAN do not go together, and what to type instead."""

import logging
import math
from collections.abc import Sequence

from torch import nn

from gan_lightning.augment import AdaptiveAugment, NoAugment
from gan_lightning.errors import UserError
from gan_lightning.losses import Loss, Wasserstein
from gan_lightning.models.annealing import Annealing
from gan_lightning.models.parts import ModelOptions, Parts
from gan_lightning.models.updates import Alternating
from gan_lightning.networks.heads import unwrapped
from gan_lightning.networks.statistics import MinibatchStd, check_multiple, find_batch_coupling
from gan_lightning.penalties import Penalty

log = logging.getLogger(__name__)


def check_parts(parts: Parts, options: ModelOptions) -> None:
    """Refuse parts and options that do not go together, before any head is put on the discriminator."""
    check_energies(parts.discriminator, parts.loss)
    check_weight_clip(options.weight_clip, options.spectral_norm)
    check_pack(options.pack, parts.conditioning.condition_dim, parts.penalties)
    check_generator_batch(parts.updates, parts.loss)
    check_schedules(parts.annealing, parts.optimizers.scheduler)
    check_augment(parts.augment, parts.loss)
    constrained = options.spectral_norm or options.weight_clip is not None
    warn_unconstrained_critic(parts.loss, parts.penalties, constrained)


def check_penalties(discriminator: nn.Module, penalties: Sequence[Penalty]) -> None:
    """Refuse gradient penalties of a critic whose samples depend on each other."""
    coupling = find_batch_coupling(unwrapped(discriminator))
    differentiating = [type(penalty).__name__ for penalty in penalties if penalty.takes_gradients]
    if coupling and differentiating:
        cure = "network.discriminator.norm=layer (or none)" if coupling == "batch norm" else "model.minibatch_std=false"
        raise UserError(
            f"penalty {differentiating[0]} needs each sample's own gradient, but the discriminator has {coupling}, "
            f"by which the samples of a batch depend on each other (arXiv:1704.00028, section 4); type {cure}, or "
            "penalty=none"
        )


def check_energies(discriminator: nn.Module, loss: Loss) -> None:
    """Refuse losses of energies on logits that have no bound, which diverge, and the reverse."""
    given = getattr(unwrapped(discriminator), "energies", False)
    if loss.energies and not given:
        raise UserError(
            f"{type(loss).__name__} compares energies, and the logits of {type(unwrapped(discriminator)).__name__} are "
            "not energies: they have no bound; type network=autoencoder or network=began, or another loss"
        )
    if given and not loss.energies:
        raise UserError(
            f"{type(unwrapped(discriminator)).__name__} returns minus an energy, which is never above 0, and "
            f"{type(loss).__name__} needs logits of both signs; type loss=began (or energy_margin), or network=dcgan"
        )


def check_weight_clip(weight_clip: float | None, spectral_norm: bool) -> None:
    """Refuse to clip weights that are divided by their norm afterwards."""
    if weight_clip is not None and spectral_norm:
        raise UserError(
            "model.weight_clip= bounds the weights that model.spectral_norm=true then divides by their norms, so "
            "they leave the bound again; type model.weight_clip=null, or model.spectral_norm=false"
        )


def check_pack(pack: int, condition_dim: int, penalties: Sequence[Penalty]) -> None:
    """Refuse packs where each image has a label or a penalty of its own."""
    if pack > 1 and (condition_dim or any(penalty.takes_gradients for penalty in penalties)):
        raise UserError(
            f"model.pack={pack} shows D several images as one: it needs a model without gradient penalties, "
            "classes or latent codes; type model.pack=1, or conditioning=none auxiliary=none penalty=none"
        )


def check_batch(discriminator: nn.Module, pack: int, batch_size: int, processes: int) -> None:
    """Refuse batches whose share in each process is not of whole packs and groups of them, before any data is read."""
    together = pack * math.prod(module.group for module in discriminator.modules() if isinstance(module, MinibatchStd))
    shares = f" in each of {processes} processes" if processes > 1 else ""
    check_multiple(f"showing D groups of {together}{shares}", together * processes, batch_size)


def check_batch_norm(module: nn.Module, batch_size: int, processes: int) -> None:
    """Refuse a batch that gives batch norm after a fully connected layer one sample, which has no variance.

    Args:
        module: Both networks.
        batch_size: Number of samples that a network sees at once, all processes together.
        processes: Number of processes that share them.
    """
    if batch_size // processes < 2 and any(isinstance(each, nn.BatchNorm1d) for each in module.modules()):
        raise UserError(
            f"data.batch_size={batch_size} gives batch norm one sample in each process, whose variance is 0; type "
            f"data.batch_size={2 * processes}, or network.generator.norm=none network.discriminator.norm=none"
        )


def check_generator_batch(updates: Alternating, loss: Loss) -> None:
    """Refuse a larger batch where G's step reuses fakes of D's step or compares each with a real image."""
    if updates.generator_batch > 1 and (updates.share_fakes or loss.relativistic):
        raise UserError(
            f"updates.generator_batch={updates.generator_batch} needs fakes of its own that no real image is compared "
            "with; type updates.share_fakes=false and a loss that is not relativistic, or updates.generator_batch=1"
        )


def check_schedules(annealing: Sequence[Annealing], scheduler: object) -> None:
    """Refuse two schedules of the same learning rates."""
    if annealing and scheduler is not None:
        raise UserError(
            "annealing= and optimizer.scheduler= both set the learning rates; type annealing=none, or "
            "optimizer.scheduler=null"
        )


def check_augment(augment: NoAugment, loss: Loss) -> None:
    """Refuse to adapt to logits that do not say whether an image is real."""
    if isinstance(augment, AdaptiveAugment) and loss.decision_boundary is None:
        raise UserError(
            f"augment=ada follows how often D takes real images for real, which a single logit of "
            f"{type(loss).__name__} does not say; type augment=diffaugment, or a loss whose logits do, such as "
            "loss=non_saturating"
        )


def warn_unconstrained_critic(loss: Loss, penalties: Sequence[Penalty], constrained: bool) -> None:
    """Warn of a Wasserstein critic without a constraint, whose loss diverges."""
    if isinstance(loss, Wasserstein) and not constrained and not any(penalty.takes_gradients for penalty in penalties):
        log.warning(
            "loss=wasserstein without a constraint lets the critic grow without bound; "
            "add penalty=wgan_gp network.discriminator.norm=layer, or model.weight_clip=0.01"
        )
