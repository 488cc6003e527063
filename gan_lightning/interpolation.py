"""Paths between latent vectors, along which a generator's images change smoothly."""

from typing import Literal

import torch
from torch import Tensor

Kind = Literal["spherical", "linear"]


def lerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """(1 - t) start + t end: the straight line.

    Args:
        start: Latent vectors at t = 0, (..., dim).
        end: Latent vectors at t = 1, of the same shape.
        share: t in [0, 1], of a shape that broadcasts with both.
    """
    return (1 - share) * start + share * end


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """The arc from start to end at constant angular speed (Shoemake 1985; for GANs White 2016, arXiv:1609.04468).

    (sin((1 - t) w) start + sin(t w) end) / sin w, where w is the angle between them; parallel vectors have a straight
    line between them. Normal vectors of many dimensions lie near a sphere, which a straight line leaves.

    Args:
        start: Latent vectors at t = 0, (..., dim).
        end: Latent vectors at t = 1, of the same shape.
        share: t in [0, 1], of a shape that broadcasts with both.
    """
    cosine = torch.cosine_similarity(start, end, dim=-1).clamp(-1, 1).unsqueeze(-1)
    angle = cosine.acos()
    parallel = angle.sin() < 1e-4
    sine = angle.sin().where(~parallel, 1)
    arc = (((1 - share) * angle).sin() * start + (share * angle).sin() * end) / sine
    return lerp(start, end, share).where(parallel, arc)


PATHS = {"spherical": slerp, "linear": lerp}


def paths(start: Tensor, end: Tensor, steps: int, kind: Kind) -> Tensor:
    """Latent vectors (n, steps, dim) from start (n, dim) to end (n, dim), both included, at equal distances of t."""
    share = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device).view(1, steps, 1)
    return PATHS[kind](start[:, None], end[:, None], share)
