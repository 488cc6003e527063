"""Which parts of a game do not go together, and what to type instead."""

import logging
import math
from collections.abc import Sequence

from torch import nn

from gan_lightning.augment import AdaptiveAugment
from gan_lightning.errors import UserError
from gan_lightning.losses import Loss, Wasserstein
from gan_lightning.networks.heads import carrier
from gan_lightning.networks.statistics import MinibatchStd, check_multiple
from gan_lightning.penalties import Penalty

log = logging.getLogger(__name__)


def mixing_layer(network: nn.Module) -> str | None:
    """The layer by which a sample's output depends on the rest of its batch, if there is one."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            return "batch norm"
        if isinstance(module, MinibatchStd):
            return "minibatch standard deviation"
    return None


def check_penalties(discriminator: nn.Module, penalties: Sequence[Penalty]) -> None:
    """Refuse gradient penalties of a critic whose samples depend on each other."""
    mixing = mixing_layer(carrier(discriminator))
    differentiating = [type(penalty).__name__ for penalty in penalties if penalty.takes_gradients]
    if mixing and differentiating:
        cure = "network.discriminator.norm=layer (or none)" if mixing == "batch norm" else "model.minibatch_std=false"
        raise UserError(
            f"penalty {differentiating[0]} needs each sample's own gradient, but the discriminator has {mixing}, "
            f"which mixes the samples of a batch (arXiv:1704.00028, section 4); type {cure}, or penalty=none"
        )


def check_energies(discriminator: nn.Module, loss: Loss) -> None:
    """Refuse losses of energies on logits without a bound, which would fall for ever, and the reverse."""
    given = getattr(carrier(discriminator), "energies", False)
    if loss.energies and not given:
        raise UserError(
            f"{type(loss).__name__} compares energies, and the logits of {type(carrier(discriminator)).__name__} are "
            "none: they have no bound; type network=autoencoder or network=began, or another loss"
        )
    if given and not loss.energies:
        raise UserError(
            f"{type(carrier(discriminator)).__name__} gives minus an energy, which is never above 0, and "
            f"{type(loss).__name__} needs logits of both signs; type loss=began (or energy_margin), or network=dcgan"
        )


def check_clip(weight_clip: float | None, spectral_norm: bool) -> None:
    """Refuse to clip weights that are divided by their norm afterwards."""
    if weight_clip is not None and spectral_norm:
        raise UserError(
            "model.weight_clip= bounds the weights that model.spectral_norm=true then divides by their norms, so "
            "nothing stays in the box; type model.weight_clip=null, or model.spectral_norm=false"
        )


def check_pack(pack: int, code_size: int, penalties: Sequence[Penalty]) -> None:
    """Refuse packs where each image has a label or a penalty of its own."""
    if pack > 1 and (code_size or any(penalty.takes_gradients for penalty in penalties)):
        raise UserError(
            f"model.pack={pack} judges several images as one: it needs a game without gradient penalties, "
            "classes or codes; type model.pack=1, or model=pacgan penalty=none"
        )


def check_batch(discriminator: nn.Module, pack: int, batch_size: int, processes: int) -> None:
    """Refuse batches whose share in each process is not of whole packs and groups of them, before any data is read."""
    together = pack * math.prod(module.group for module in discriminator.modules() if isinstance(module, MinibatchStd))
    shares = f" in each of {processes} processes" if processes > 1 else ""
    check_multiple(f"judging groups of {together}{shares}", together * processes, batch_size)


def check_generator_batch(generator_batch: int, share_fakes: bool, loss: Loss) -> None:
    """Refuse a larger batch where each fake of G's step has been judged before or has a real partner."""
    if generator_batch > 1 and (share_fakes or loss.relativistic):
        raise UserError(
            f"model.generator_batch={generator_batch} needs fakes of its own that no real image is compared with; "
            "type model.share_fakes=false and a loss that is not relativistic, or model.generator_batch=1"
        )


def check_rates(lr_decay: str | None, scheduler: object) -> None:
    """Refuse two schedules of the same learning rates."""
    if lr_decay is not None and scheduler is not None:
        raise UserError(
            f"model.lr_decay={lr_decay} and model.scheduler= both set the learning rates; "
            "type model.lr_decay=null, or model.scheduler=null"
        )


def check_augment(augment: nn.Module | None, loss: Loss) -> None:
    """Refuse to follow logits that do not say real or fake."""
    if isinstance(augment, AdaptiveAugment) and loss.undecided is None:
        raise UserError(
            f"augment=ada asks whether D takes real images for real, which no logit of {type(loss).__name__} says; "
            "type augment=diffaugment, or a loss whose logits do, such as loss=non_saturating"
        )


def warn_of_a_free_critic(loss: Loss, penalties: Sequence[Penalty], constrained: bool) -> None:
    """A Wasserstein critic without a constraint grows for ever."""
    if isinstance(loss, Wasserstein) and not constrained and not any(penalty.takes_gradients for penalty in penalties):
        log.warning(
            "loss=wasserstein without a constraint lets the critic grow without bound; "
            "add penalty=wgan_gp network.discriminator.norm=layer, or model.weight_clip=0.01"
        )
