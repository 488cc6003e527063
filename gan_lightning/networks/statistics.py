"""Statistics of several samples for the discriminator, by which it can recognise a lack of variety."""

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.floats import at_least_float32

EPSILON = 1e-8  # inside the square root, whose slope at 0 is infinite


class MinibatchStd(nn.Module):
    """Minibatch standard deviation (Karras et al. 2017, arXiv:1710.10196, section 3), on feature vectors.

    Features (N, F) -> (N, F + 1): the standard deviation of each feature over a group of samples (dividing by their
    number), averaged over the features, is one more feature of every sample in the group. Samples of a group are no
    longer independent of each other.

    Args:
        group: Number of neighbouring samples in a group.
    """

    def __init__(self, group: PositiveInt = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, features: Tensor) -> Tensor:
        """(N, F) -> (N, F + 1); N must be a multiple of `group`."""
        check_multiple(f"minibatch standard deviation over groups of {self.group}", self.group, len(features))
        groups = at_least_float32(features).unflatten(0, (-1, self.group))
        deviation = (groups.var(1, correction=0) + EPSILON).sqrt().mean(1)
        column = deviation.repeat_interleave(self.group).unsqueeze(1)
        return torch.cat([features, column.to(features.dtype)], 1)


def find_batch_coupling(network: nn.Module) -> str | None:
    """The layer by which a sample's output depends on the rest of its batch, if there is one."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            return "batch norm"
        if isinstance(module, MinibatchStd):
            return "minibatch standard deviation"
    return None


def pack(images: Tensor, count: int) -> Tensor:
    """Packing (Lin et al. 2018, PacGAN, arXiv:1712.04086): D sees `count` different images at once.

    (N, C, H, W) -> (N / count, count * C, H, W): neighbours become the channels of a pack; each image is in one pack.
    """
    check_multiple(f"packing of {count}", count, len(images))
    return images.unflatten(0, (-1, count)).flatten(1, 2)


def check_multiple(what: str, count: int, samples: int) -> None:
    """Refuse batches that cannot be divided into groups of `count`."""
    if samples % count:
        raise UserError(
            f"{what} needs a batch that {count} divides, not {samples} images; "
            f"type data.batch_size={max(samples // count, 1) * count}"
        )
