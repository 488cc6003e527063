"""A generator as one HTML page that draws images by itself: weights, forward pass and controls, and nothing fetched."""

import base64
import gzip
import json
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.export.facts import Facts
from gan_lightning.export.program import INSTEAD, Program, trace
from gan_lightning.export.weights import plain_generator
from gan_lightning.models.conditioning import LatentCodes
from gan_lightning.sampling import Inputs, Sampler

Bits = Literal[16, 8, 6]

CHECKED_IMAGES = 16
"""Images by which rounded weights are compared with those of the run."""

DIRECTIONS = 8
"""Latent directions that have a slider."""

FILES = ("page.css", "engine.js", "playground.js")
"""Files of this package that template.html takes in, each where it names it in double braces."""


def make_page(sampler: Sampler, facts: Facts, bits: Bits = 16) -> tuple[str, float]:
    """The page of a generator, and by how much its pixels differ from PyTorch's at most, in 255ths.

    Args:
        sampler: What draws images.
        facts: What there is to know about its generator.
        bits: Bits of each weight: 16 for float16; 8 or 6 for whole numbers with a scale for each row.

    Raises:
        UserError: A page cannot carry the generator; the message names the layer.
    """
    if facts.image_shape[0] not in (1, 3):
        raise UserError(f"a page shows images of 1 or 3 channels, and these have {facts.image_shape[0]}; {INSTEAD}")
    generator = plain_generator(sampler).cpu()
    program = trace(generator, facts.latent_dim, sampler.conditioning.condition_dim)
    table, weights = pack(program.constants, bits)
    content = {
        "facts": facts.model_dump(exclude={"network", "conditioning"}),
        "network": facts.network["_target_"].rpartition(".")[2],
        "codes": codes_of(sampler),
        "directions": directions(program, facts.latent_dim).tolist(),
        "program": program.operations,
        "constants": table,
    }
    text = read("template.html")
    for name in FILES:
        text = text.replace(f"{{{{{name}}}}}", read(name))
    described = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")  # no </script> ends it early
    text = text.replace("{{generator.json}}", described).replace("{{weights}}", weights)
    return text, rounding_error(sampler, generator, bits)


def read(name: str) -> str:
    """A file of this package."""
    return files("gan_lightning.export").joinpath(name).read_text()


def codes_of(sampler: Sampler) -> dict[str, int]:
    """How many categories and continuous codes there are to choose; empty where there are none."""
    conditioning = sampler.conditioning
    if not isinstance(conditioning, LatentCodes):
        return {}
    return {"categories": conditioning.categories, "continuous": conditioning.continuous}


def directions(program: Program, latent_dim: int) -> Tensor:
    """Unit vectors (K, latent_dim) of z, along which the first layer's outputs change most, in that order.

    They are the first right singular vectors of its weights (Shen & Zhou 2021, arXiv:2007.06600). Coordinates of z
    where the generator does not begin with a linear layer.
    """
    for operation in program.operations:
        if operation["op"] == "linear":
            weight = program.constants[operation["weight"]][:, :latent_dim]
            if weight.shape[1] == latent_dim:
                return torch.linalg.svd(weight, full_matrices=False).Vh[:DIRECTIONS]
    return torch.eye(latent_dim)[:DIRECTIONS]


# Weights


def pack(constants: dict[str, Tensor], bits: Bits) -> tuple[list[dict[str, Any]], str]:
    """Where each constant stands and how it is written, and all of them, compressed, as base64."""
    table, parts, offset = [], [], 0
    for name, tensor in constants.items():
        kind = "f32" if tensor.ndim < 2 else "f16" if bits == 16 else "i8"
        part = WRITERS[kind](tensor, bits)
        table.append({"name": name, "kind": kind, "shape": list(tensor.shape), "offset": offset})
        parts.append(part)
        offset += len(part)
    return table, base64.b64encode(gzip.compress(b"".join(parts), 9, mtime=0)).decode()


def write_f16(tensor: Tensor, bits: Bits) -> bytes:
    """All low bytes, then all high bytes, which compress better apart."""
    return np.ascontiguousarray(tensor.numpy().astype("<f2").ravel().view(np.uint8).reshape(-1, 2).T).tobytes()


def write_i8(tensor: Tensor, bits: Bits) -> bytes:
    """A scale for each row in float32, then a byte for each weight; gzip leaves out what fewer bits do not use."""
    scales, numbers = quantize(tensor, bits)
    return scales.numpy().astype("<f4").tobytes() + numbers.to(torch.int8).numpy().tobytes()


WRITERS = {"f32": lambda tensor, bits: tensor.numpy().astype("<f4").tobytes(), "f16": write_f16, "i8": write_i8}


def quantize(tensor: Tensor, bits: Bits) -> tuple[Tensor, Tensor]:
    """A scale for each row, and whole numbers, -127 to 127 for 8 bits, that come near the tensor times the scale."""
    rows = tensor.flatten(1)
    scales = (rows.abs().amax(1) / (2 ** (bits - 1) - 1)).clamp(min=1e-30)
    return scales, (rows / scales[:, None]).round()


def rounded(tensor: Tensor, bits: Bits) -> Tensor:
    """A constant as the page reads it."""
    if tensor.ndim < 2:
        return tensor
    if bits == 16:
        return tensor.half().float()
    scales, numbers = quantize(tensor, bits)
    return (numbers * scales[:, None]).reshape(tensor.shape)


def rounding_error(sampler: Sampler, generator: nn.Module, bits: Bits) -> float:
    """The largest change of a pixel, of 255, by rounded weights; the generator keeps them.

    Raises:
        UserError: A weight is too large for float16.
    """
    inputs = sampler.sample_inputs(CHECKED_IMAGES, seed=0)
    images = sampler.generate(inputs)
    with torch.no_grad():
        for weight in generator.parameters():
            weight.copy_(rounded(weight, bits))
        changed = generator(*Inputs(*inputs))
    if not changed.isfinite().all():
        raise UserError(f"the weights are too large for a page, or not finite: training diverged; {INSTEAD}")
    return (changed - images).abs().max().item() * 127.5
