"""Floating-point formats: some results need more digits than bfloat16 has, and none may lose digits it came with."""

import torch
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """Float64 as it is, anything else as float32."""
    return values if values.dtype == torch.float64 else values.float()
