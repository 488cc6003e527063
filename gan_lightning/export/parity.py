"""Whether an exported generator draws what the trained one draws."""

from collections.abc import Callable

import torch
from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.sampling import Inputs, Sampler

COMPARED = (1, 16)
"""Images in each batch that is compared: an export must take any number of them."""

LARGEST_DIFFERENCE = 1.0
"""Largest difference of a pixel, of 255, that an export may have."""


def largest_difference(images: Tensor, expected: Tensor) -> Tensor:
    """The largest difference of a pixel of two batches of images in [-1, 1], in 255ths of their range."""
    return (images - expected).abs().max() * 127.5


def check_parity(sampler: Sampler, exported: Callable[[Inputs], Tensor]) -> float:
    """The largest difference of a pixel between a generator's images and its export's, in 255ths of their range.

    Args:
        sampler: The trained generator.
        exported: The export's images, (N, C, H, W) in [-1, 1], of latent vectors and conditions.

    Raises:
        UserError: The difference is larger than `LARGEST_DIFFERENCE`; such an export is never written.
    """
    batches = [sampler.sample_inputs(count, seed) for seed, count in enumerate(COMPARED)]
    differences = [largest_difference(exported(inputs), sampler.generate(inputs)) for inputs in batches]
    difference = float(torch.stack(differences).max())
    if not difference <= LARGEST_DIFFERENCE:  # not a number is refused, too
        raise UserError(
            f"the export's pixels differ from the trained generator's by up to {difference:.3g} of 255, and "
            f"{LARGEST_DIFFERENCE:g} is allowed; nothing was written. Has its training diverged?"
        )
    return difference
