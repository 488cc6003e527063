"""From parts to a GAN."""

from dataclasses import replace

import torch
from hydra.utils import get_class
from torch import nn

from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape
from gan_lightning.models.compatibility import check_parts, check_penalties
from gan_lightning.models.gan import GAN
from gan_lightning.models.parts import ModelOptions, Parts
from gan_lightning.networks.heads import add_minibatch_std, apply_spectral_norm


def assemble(parts: Parts, options: ModelOptions, image_shape: ImageShape) -> GAN:
    """A GAN of parts as their configuration groups have built them, the discriminator still without heads.

    Args:
        parts: Networks, loss, penalties and the other parts.
        options: Options that belong to none of them.
        image_shape: Channels, height and width of the images.

    Raises:
        UserError: Parts do not go together; it says what to type instead.
    """
    check_parts(parts, options)
    discriminator = wrap_discriminator(parts, options, image_shape)
    check_penalties(discriminator, parts.penalties)
    if options.generator_spectral_norm:
        apply_spectral_norm(parts.generator, "model.generator_spectral_norm")
    for network in (parts.generator, discriminator):  # the fastest convolutions read channels last
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return find_algorithm(options.algorithm)(replace(parts, discriminator=discriminator), options)


def wrap_discriminator(parts: Parts, options: ModelOptions, image_shape: ImageShape) -> nn.Module:
    """The discriminator with what the condition, auxiliary terms and constraints need."""
    discriminator = parts.conditioning.wrap_discriminator(parts.discriminator, image_shape)
    for term in parts.auxiliary.values():
        discriminator = term.wrap_discriminator(discriminator, parts.conditioning)
    if options.minibatch_std:
        add_minibatch_std(discriminator)
    if options.spectral_norm:
        apply_spectral_norm(discriminator, "model.spectral_norm")
    return discriminator


def find_algorithm(name: str) -> type[GAN]:
    """The class of a dotted name, which must be `GAN` or a subclass of it."""
    allowed = "type model.algorithm=gan_lightning.models.GAN, or the dotted name of a subclass of it"
    try:
        algorithm = get_class(name)
    except (ImportError, ValueError) as error:
        raise UserError(f"model.algorithm={name} cannot be imported: {error}; {allowed}") from error
    if not issubclass(algorithm, GAN):
        raise UserError(f"model.algorithm={name} is not an algorithm of this project; {allowed}")
    return algorithm
