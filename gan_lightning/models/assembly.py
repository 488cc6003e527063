"""From parts to a GAN: what a model's configuration says beyond the parts, and which of them do not go together."""

from collections.abc import Mapping, Sequence

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import nn

from gan_lightning.augment import NoAugment
from gan_lightning.images import ImageShape
from gan_lightning.losses import Loss
from gan_lightning.models.annealing import Annealing
from gan_lightning.models.auxiliary import AuxiliaryTerm
from gan_lightning.models.compatibility import (
    check_augment,
    check_energies,
    check_generator_batch,
    check_pack,
    check_penalties,
    check_schedules,
    check_weight_clip,
    warn_unconstrained_critic,
)
from gan_lightning.models.conditioning import Unconditional
from gan_lightning.models.discriminate import Discriminate
from gan_lightning.models.gan import GAN
from gan_lightning.models.module import CompileMode, Optimizers
from gan_lightning.models.prior import Distribution, Prior
from gan_lightning.models.updates import Alternating
from gan_lightning.networks.heads import add_minibatch_std, apply_spectral_norm
from gan_lightning.penalties import Penalty


def assemble(
    *,
    generator: nn.Module,
    discriminator: nn.Module,
    image_shape: ImageShape,
    loss: Loss,
    penalties: Sequence[Penalty],
    augment: NoAugment,
    conditioning: Unconditional,
    auxiliary: Mapping[str, AuxiliaryTerm],
    updates: Alternating,
    annealing: Sequence[Annealing],
    optimizers: Optimizers,
    latent_dim: PositiveInt,
    prior: Distribution,
    ema_half_life: PositiveFloat | None,
    weight_clip: PositiveFloat | None,
    spectral_norm: bool,
    generator_spectral_norm: bool,
    pack: PositiveInt,
    minibatch_std: bool,
    compile: CompileMode | None,
    algorithm: type[GAN] = GAN,
) -> GAN:
    """A GAN of these parts, each as its configuration group has built it.

    Args:
        generator: Network (z, y) -> images.
        discriminator: Network (x, y) -> DiscriminatorOutput, before any head is put on it.
        image_shape: Channels, height and width of the images.
        loss: Adversarial loss of both networks.
        penalties: Penalties added to the discriminator's loss.
        augment: Augmentation of what the discriminator sees.
        conditioning: What y is.
        auxiliary: Terms added to either network's loss, by the names of their metrics.
        updates: Which network steps when.
        annealing: Annealings of learning rates, penalties and Adam's betas, applied in this order.
        optimizers: Optimizers of both networks.
        latent_dim: Number of coordinates of z.
        prior: Distribution of each coordinate of z.
        ema_half_life: Half-life of the averaged generator, in images the generator has learned from; None for none.
        weight_clip: Bound that every discriminator parameter is clipped to after each step; None for none.
        spectral_norm: Whether the discriminator's weight matrices are divided by their largest singular values.
        generator_spectral_norm: Whether the generator's are.
        pack: Number of images that the discriminator sees at once, side by side as channels (PacGAN).
        minibatch_std: Whether the discriminator sees how much the features of neighbouring samples vary.
        compile: Mode of torch.compile for the networks; None leaves them as they are. The first steps then take a
            minute.
        algorithm: Class of the module; a subclass of `GAN` is an algorithm of its own.

    Raises:
        UserError: Parts do not go together; it says what to type instead.
    """
    check_energies(discriminator, loss)
    check_weight_clip(weight_clip, spectral_norm)
    check_pack(pack, conditioning.condition_dim, penalties)
    check_generator_batch(updates, loss)
    check_schedules(annealing, optimizers.scheduler)
    check_augment(augment, loss)
    discriminator = conditioning.wrap_discriminator(discriminator, image_shape)
    for term in auxiliary.values():
        discriminator = term.wrap_discriminator(discriminator, conditioning)
    if minibatch_std:
        add_minibatch_std(discriminator)
    if spectral_norm:
        apply_spectral_norm(discriminator, "model.spectral_norm")
    if generator_spectral_norm:
        apply_spectral_norm(generator, "model.generator_spectral_norm")
    check_penalties(discriminator, penalties)
    warn_unconstrained_critic(loss, penalties, constrained=spectral_norm or weight_clip is not None)
    for network in (generator, discriminator):  # the fastest convolutions read channels last; other weights stay
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return algorithm(
        generator=generator,
        discriminate=Discriminate(discriminator, augment, pack),
        loss=loss,
        penalties=penalties,
        auxiliary=auxiliary,
        prior=Prior(latent_dim, prior),
        conditioning=conditioning,
        updates=updates,
        annealing=annealing,
        optimizers=optimizers,
        ema_half_life=ema_half_life,
        weight_clip=weight_clip,
        compile=compile,
    )
