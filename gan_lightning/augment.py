"""Augmentations of what the discriminator sees: images (N, C, H, W) -> images of the same shape, random per sample.

They are differentiable, so that the generator learns through them. Images may leave [-1, 1].
"""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from gan_lightning.floats import at_least_float32

Policy = Literal["color", "translation", "cutout"]

BACKGROUND = -1.0  # fills what moves in: black, as around a digit or a garment; the paper's code has 0, which is gray
HOLE = 0.0  # middle gray: in black, half a digit could pass for a whole one, and G would learn to draw it


def uniform(images: Tensor, low: float, high: float) -> Tensor:
    """A number from U[low, high) for each sample, (N, 1, 1, 1)."""
    return low + (high - low) * torch.rand(len(images), 1, 1, 1, device=images.device)


def integers(images: Tensor, low: int, high: int) -> Tensor:
    """A whole number from low to high for each sample, (N, 1)."""
    return torch.randint(low, high + 1, (len(images), 1), device=images.device)


def brightness(images: Tensor) -> Tensor:
    """Images made lighter or darker by up to 0.5, a quarter of the range; they may leave [-1, 1]."""
    return images + uniform(images, -0.5, 0.5)


def saturation(images: Tensor) -> Tensor:
    """The three channels' distances from their mean, times 0 to 2; images with other channels stay as they are."""
    if images.shape[1] != 3:
        return images
    gray = images.mean(1, keepdim=True)
    return gray + (images - gray) * uniform(images, 0, 2)


def contrast(images: Tensor) -> Tensor:
    """All pixels' distances from the image's mean, times 0.5 to 1.5; images may leave [-1, 1]."""
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * uniform(images, 0.5, 1.5)


def translation(images: Tensor) -> Tensor:
    """Images moved by whole pixels, by at most an eighth of the size along each axis; background moves in."""
    for dim in (2, 3):
        most = int(images.shape[dim] / 8 + 0.5)  # as the paper's code rounds
        images = shift(images, integers(images, -most, most), dim)
    return images


def shift(images: Tensor, pixels: Tensor, dim: int) -> Tensor:
    """Samples moved down (dim 2) or right (dim 3), each by its own number of `pixels` (N, 1)."""
    size = images.shape[dim]
    source = torch.arange(size, device=images.device) - pixels
    source = source[:, None, :, None] if dim == 2 else source[:, None, None, :]
    moved = images.gather(dim, source.clamp(0, size - 1).expand_as(images))
    return torch.where((source >= 0) & (source < size), moved, BACKGROUND)


def cutout(images: Tensor) -> Tensor:
    """A hole of half the height and width in each image; near a corner as little as a quarter of it is inside."""
    rows, columns = (stretch(images, dim) for dim in (2, 3))
    return torch.where(rows[:, None, :, None] & columns[:, None, None, :], HOLE, images)


def stretch(images: Tensor, dim: int) -> Tensor:
    """Which rows (dim 2) or columns (dim 3) of each sample the hole covers, (N, size)."""
    size = images.shape[dim]
    length = size // 2
    first = integers(images, -(length // 2), size - length // 2 - length % 2)
    place = torch.arange(size, device=images.device)
    return (place >= first) & (place < first + length)


POLICIES: dict[Policy, tuple[Callable[[Tensor], Tensor], ...]] = {
    "color": (brightness, saturation, contrast),
    "translation": (translation,),
    "cutout": (cutout,),
}
"""The augmentations of each policy, in the order of the paper's code."""


class NoAugment(nn.Module):
    """The discriminator sees images as they are."""

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W), the same."""
        return images

    def adapt(self, real_logits: Tensor, decision_boundary: float | None, images: int) -> dict[str, Tensor]:
        """Adapt to D's logits on real images; here there is nothing to adapt, and nothing to log."""
        return {}


class DiffAugment(NoAugment):
    """Differentiable augmentation (Zhao et al. 2020, arXiv:2006.10738) of all images that D sees, in both steps.

    Args:
        policy: Which of color, translation and cutout are used, always applied in this order. Color takes images out
            of [-1, 1].
        p: Probability that a sample is augmented, by all of them; 1 in the paper.
    """

    p: Tensor

    def __init__(self, policy: list[Policy], p: Annotated[float, Field(ge=0, le=1)]) -> None:
        super().__init__()
        self.steps = [step for word, steps in POLICIES.items() if word in policy for step in steps]
        self.register_buffer("p", torch.tensor(float(p)))

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) -> augmented images, in float32 at least."""
        images = at_least_float32(images)  # otherwise fakes alone would show the rounding of bfloat16
        augmented = images
        for step in self.steps:
            augmented = step(augmented)
        return torch.where(uniform(images, 0, 1) < self.p, augmented, images)


class AdaptiveAugment(DiffAugment):
    """DiffAugment with the adaptive probability of ADA (Karras et al. 2020, arXiv:2006.06676, section 3.1).

    A discriminator that classifies nearly all real images as real has begun to overfit: at every step p rises if the
    mean sign r_t of its logits on them is above the target, and falls if it is below. ADA decides for each augmentation
    separately; here a sample gets all of them or none.

    Args:
        policy: Which augmentations are used, as in DiffAugment.
        target: Target of r_t, which is -1 when D classifies all real images as fake, 0 when it guesses, and 1 when it
            is always right.
        images: Number of real images over which p can go from 0 to 1.
    """

    def __init__(self, policy: list[Policy], target: Annotated[float, Field(ge=-1, le=1)], images: PositiveInt) -> None:
        super().__init__(policy, p=0.0)
        self.target = target
        self.images = images

    @torch.no_grad()
    def adapt(self, real_logits: Tensor, decision_boundary: float | None, images: int) -> dict[str, Tensor]:
        """Move p by the signs of D's logits on real images.

        Args:
            real_logits: Logits (N,) of real images.
            decision_boundary: Logit from which the signs are counted.
            images: Number of real images in this step, of all processes.

        Returns:
            The metric `augment_p`.
        """
        assert decision_boundary is not None
        direction = ((real_logits - decision_boundary).sign().mean() - self.target).sign()
        self.p.add_(direction * images / self.images).clamp_(0, 1)
        return {"augment_p": self.p.clone()}
