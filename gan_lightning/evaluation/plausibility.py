"""Whether samples look as if they had been saved in another way than real images: named before scoring.

Each convention and each turn is a function that undoes it. Where undoing one makes the samples much more like real
images than they are, it is named; scores of the samples as they are would be right about the wrong images.
"""

from collections.abc import Callable

import torch
from torch import Tensor

BINS = 16

CLEARLY = 0.5
"""Share of the distance to real images that undoing a convention must leave at most."""

FAR = 0.15
"""Distance, 0 to 1, from which on samples are so unlike real images that a convention is looked for."""

NEAR = 0.05
"""Distance that undoing a convention must leave at most: real images differ by less from each other."""

VERY_FAR = 0.4
"""Distance from which on the scores say little: noise has about 0.8, a trained generator's samples less than 0.1."""

TURNED = 0.03
"""Distance of mean images, 0 to 1, above which samples may be turned: 1,000 like real ones have less than 0.02."""


def invert(images: Tensor) -> Tensor:
    """255 - x: dark for bright."""
    return 255 - images


def stretch(images: Tensor) -> Tensor:
    """128..255 to 0..255: floats from 0 to 1 that were taken for floats from -1 to 1."""
    return (2 * images.int() - 255).clamp(0, 255).to(torch.uint8)


def unscramble(images: Tensor) -> Tensor:
    """The numbers of (n, H, W, C) images that were reshaped to (n, C, H, W) instead of transposed."""
    count, channels, height, width = images.shape
    return images.reshape(count, height, width, channels).permute(0, 3, 1, 2)


CONVENTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "inverted: dark for bright; save 255 - images": invert,
    "of half the contrast: floats from 0 to 1 saved as if from -1 to 1; save 2 * images - 1": stretch,
    "scrambled: (n, H, W, C) reshaped to (n, C, H, W); save images.transpose(0, 3, 1, 2)": unscramble,
}
"""What samples may be, and what undoes it."""


TURNS: dict[str, Callable[[Tensor], Tensor]] = {
    "mirrored, left for right": lambda images: images.flip(3),
    "upside down": lambda images: images.flip(2),
    "turned by 180 degrees": lambda images: images.flip(2, 3),
    "transposed: rows for columns": lambda images: images.transpose(2, 3),
    "turned by 90 degrees": lambda images: images.rot90(1, (2, 3)),
    "turned by 90 degrees the other way": lambda images: images.rot90(-1, (2, 3)),
}
"""How samples may be turned, and what undoes it."""


def find_doubts(samples: Tensor, real: Tensor) -> list[str]:
    """All that seems to be wrong with samples, each as what they are; empty where nothing is the matter.

    Args:
        samples: Images, uint8 (n, C, H, W).
        real: Images of the same shape to compare them with.
    """
    different = len(torch.unique(samples.flatten(1), dim=0))
    doubts = [] if 2 * different > len(samples) else [f"only {different:,} of {len(samples):,} differ from each other"]
    named = find_convention(samples, real) or find_turn(samples, real)
    if named is not None:
        return [*doubts, f"they look {named}"]
    distance = pixel_distance(samples, real)
    if distance > VERY_FAR:
        doubts.append(f"their pixels are far from real ones (distance {distance:.2f} of 1)")
    return doubts


def find_turn(samples: Tensor, real: Tensor) -> str | None:
    """How the samples seem to be turned, by their mean image; None where they are not."""
    square = samples.shape[2] == samples.shape[3]
    mean, goal = (images.float().mean(0, keepdim=True) / 255 for images in (samples, real))
    distances = {
        name: (undo(mean) - goal).abs().mean().item()
        for name, undo in TURNS.items()
        if square or undo(mean).shape == mean.shape
    }
    name = min(distances, key=distances.__getitem__)
    distance = (mean - goal).abs().mean().item()
    return name if distances[name] < min(TURNED, CLEARLY * distance) and distance > TURNED else None


def find_convention(samples: Tensor, real: Tensor) -> str | None:
    """What the samples seem to be instead of images like the real ones; None where nothing is the matter.

    Args:
        samples: Images, uint8 (n, C, H, W).
        real: Images of the same shape to compare them with.
    """
    distance = pixel_distance(samples, real)
    undone = {name: pixel_distance(undo(samples), real) for name, undo in CONVENTIONS.items()}
    name = min(undone, key=undone.__getitem__)
    return name if distance > FAR and undone[name] < min(NEAR, CLEARLY * distance) else None


def pixel_distance(one: Tensor, other: Tensor) -> float:
    """Largest total-variation distance, 0 to 1, of the histograms of pixels and of differences to the pixels around."""
    pairs = zip(histograms(one), histograms(other), strict=True)
    return max((a - b).abs().sum().item() / 2 for a, b in pairs)


def histograms(images: Tensor) -> list[Tensor]:
    """Shares of gray levels, and of absolute differences along rows, columns and channels, each in 16 bins."""
    values = images.int()
    differences = [values.diff(dim=dim).abs() for dim in (1, 2, 3) if images.shape[dim] > 1]
    return [torch.bincount(each.flatten() * BINS // 256, minlength=BINS).double() / each.numel()
            for each in (values, *differences)]  # fmt: skip
