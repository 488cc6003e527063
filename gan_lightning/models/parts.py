"""The parts that a GAN is made of, and the options that belong to none of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic import PositiveFloat, PositiveInt
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.augment import NoAugment
from gan_lightning.losses import Loss
from gan_lightning.models.annealing import Annealing
from gan_lightning.models.auxiliary import AuxiliaryTerm
from gan_lightning.models.conditioning import Unconditional
from gan_lightning.models.prior import Distribution
from gan_lightning.models.updates import Alternating
from gan_lightning.penalties import Penalty

# Not the modes with CUDA graphs: what one network returned would be overwritten when the other is called.
CompileMode = Literal["default", "max-autotune-no-cudagraphs"]


class Optimizers(NamedTuple):
    """How the networks learn.

    generator: Makes the generator's optimizer from its parameters.
    discriminator: Makes the discriminator's.
    scheduler: Makes a learning-rate schedule of each optimizer, stepped after each generator step; None for none.
    """

    generator: Callable[..., Optimizer]
    discriminator: Callable[..., Optimizer]
    scheduler: Callable[[Optimizer], LRScheduler] | None


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the groups of the configuration choose, a field for each.

    Args:
        generator: Network (z, y) -> images.
        discriminator: Network (x, y) -> DiscriminatorOutput.
        loss: Adversarial loss of both networks.
        penalties: Penalties added to the discriminator's loss.
        augment: Augmentation of what the discriminator sees, in both networks' steps.
        conditioning: What y is.
        auxiliary: Terms added to either network's loss, by the names of their metrics.
        updates: Which network steps when.
        annealing: Annealings of learning rates, penalties and Adam's betas, applied in this order.
        optimizers: Optimizers of both networks.
    """

    generator: nn.Module
    discriminator: nn.Module
    loss: Loss
    penalties: Sequence[Penalty]
    augment: NoAugment
    conditioning: Unconditional
    auxiliary: Mapping[str, AuxiliaryTerm]
    updates: Alternating
    annealing: Sequence[Annealing]
    optimizers: Optimizers


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Options of a model that belong to none of its parts; conf/train.yaml has the defaults.

    Args:
        algorithm: Dotted name of the module's class; a subclass of `gan_lightning.models.GAN` is an algorithm of its
            own.
        latent_dim: Number of coordinates of z.
        prior: Distribution of each coordinate of z.
        weight_clip: Bound that every discriminator parameter is clipped to after each step; None for none.
        spectral_norm: Whether the discriminator's weight matrices are divided by their largest singular values.
        generator_spectral_norm: Whether the generator's are.
        pack: Number of images that the discriminator sees at once, side by side as channels (PacGAN).
        minibatch_std: Whether the discriminator sees how much the features of neighbouring samples vary.
        ema_half_life: Half-life of the averaged generator, in images the generator has learned from; None for none.
        compile: Mode of torch.compile for the networks; None leaves them as they are. The first steps then take a
            minute. A discriminator under a gradient penalty is never compiled: compiled networks have no second
            derivative.
    """

    algorithm: str
    latent_dim: PositiveInt
    prior: Distribution
    weight_clip: PositiveFloat | None
    spectral_norm: bool
    generator_spectral_norm: bool
    pack: PositiveInt
    minibatch_std: bool
    ema_half_life: PositiveFloat | None
    compile: CompileMode | None
