"""Exponential moving average of a generator's weights, kept beside it and never trained."""

import copy

import torch
from torch import nn

RAMP = 0.05  # the half-life never exceeds this share of the images so far, so early weights are forgotten


def decay(batch_images: int, images_so_far: int, half_life: float) -> float:
    """Weight kept by the old average: 0.5 ** (batch / half-life), everything in images the generator learned from.

    The half-life is min(half_life, RAMP * images_so_far), the warm-up of StyleGAN2's training code.
    """
    return 0.5 ** (batch_images / max(1e-8, min(half_life, RAMP * images_so_far)))


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, kept: float) -> None:
    """Parameters move to kept * average + (1 - kept) * model; buffers (batch-norm statistics) are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - kept)
    for own, other in zip(average.buffers(), model.buffers(), strict=True):
        own.copy_(other)


class AveragedGenerator(nn.Module):
    """A copy of the generator whose weights are the moving average of its weights.

    Args:
        generator: Generator to follow.
        half_life: Half-life of the average, in images that the generator has learned from.
    """

    def __init__(self, generator: nn.Module, half_life: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(generator).requires_grad_(False)
        self.half_life = half_life

    def restart(self, generator: nn.Module) -> None:
        """Make the average equal to the generator."""
        update_average(self.network, generator, kept=0.0)

    def update(self, generator: nn.Module, images: int, generator_steps: int) -> None:
        """Move towards the generator, which has just learned from so many images, as in each step before."""
        update_average(self.network, generator, decay(images, images * generator_steps, self.half_life))
