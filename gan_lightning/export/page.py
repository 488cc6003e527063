"""Generators as one HTML page that draws images by itself: weights, forward pass and controls, and nothing fetched."""

import base64
import gzip
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.export.facts import Facts, Trained
from gan_lightning.export.interpret import interpret
from gan_lightning.export.parity import LARGEST_DIFFERENCE, largest_difference
from gan_lightning.export.program import INSTEAD, Program, trace
from gan_lightning.export.reading import SUFFIX
from gan_lightning.export.reference import Reference, reference_of
from gan_lightning.export.weights import plain_generator
from gan_lightning.models.conditioning import LatentCodes
from gan_lightning.sampling import Sampler

CHECKED_IMAGES = 16
"""Images by which the page's program is compared with PyTorch."""

DIRECTIONS = 8
"""Latent directions that have a slider."""

SCRIPTS = ("product", "engine", "latents", "worker", "drawing", "pins", "map", "playground")

FILES = ("page.css", *(f"{name}.js" for name in SCRIPTS))
"""Files of this package that template.html takes in, each where it names it in double braces."""


class Shown(NamedTuple):
    """A generator that a page shows.

    name: The name of its run.
    sampler: What draws its images.
    facts: What there is to know about it.
    reference: The classifier that says what class an image looks like, where there is one.
    """

    name: str
    sampler: Sampler
    facts: Facts
    reference: Reference | None = None


class Page(NamedTuple):
    """A page.

    text: Its HTML.
    error: By how much its pixels differ from PyTorch's at most, of 255, for `CHECKED_IMAGES` images of each generator.
    """

    text: str
    error: float


def show(trained: Trained) -> Shown:
    """A trained generator as a page shows it."""
    return Shown(name_of(trained.file), trained.sampler, trained.facts, reference_of(trained.facts))


def name_of(file: Path) -> str:
    """What a page calls the generator of a checkpoint, by its run's folder, or of an exported file."""
    named = file.with_suffix("") if file.suffix == SUFFIX else file.parent.parent
    return "/".join(named.resolve().parts[-2:])


def make_page(runs: Sequence[Shown]) -> Page:
    """The page of one generator, or of several at the same latent vectors.

    Raises:
        UserError: A page cannot carry a generator, with the layer's name; its pixels would differ from PyTorch's by
            more than `LARGEST_DIFFERENCE`; or the generators do not take the same inputs.
    """
    check_alike(runs)
    weights = Constants()
    shown, errors, classifiers, programs = [], [], {}, []
    for run in runs:
        program = trace_generator(run)
        errors.append(pixel_error(run, program))
        programs.append(program)
        shown.append(
            {
                "name": run.name,
                "facts": run.facts.model_dump(exclude={"network", "conditioning", "recipe"}),
                "network": network_name(run),
                "program": weights.add(program),
                "classifier": run.reference and run.reference.name,
            }
        )
        if run.reference and run.reference.name not in classifiers:
            classifiers[run.reference.name] = describe_reference(run, weights)
    content = {
        "runs": shown,
        "classifiers": classifiers,
        "codes": codes_of(runs[0].sampler),
        "directions": directions(programs[0], runs[0].facts.latent_dim).tolist(),
    }
    return Page(fill_template(content, weights.encode()), max(errors))


def network_name(run: Shown) -> str:
    """The class of a generator."""
    return run.facts.network["_target_"].rpartition(".")[2]


def fill_template(content: dict[str, Any], weights: str) -> str:
    """The page's HTML."""
    text = read("template.html")
    for name in FILES:
        text = text.replace(f"{{{{{name}}}}}", read(name))
    described = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")  # no </script> ends it early
    return text.replace("{{content.json}}", described).replace("{{weights}}", weights)


def read(name: str) -> str:
    """A file of this package."""
    return files("gan_lightning.export").joinpath(name).read_text()


def check_alike(runs: Sequence[Shown]) -> None:
    """Refuse runs that cannot stand on one page.

    Raises:
        UserError: Images are neither gray nor RGB, or the runs do not take the same inputs.
    """
    for run in runs:
        if run.facts.image_shape[0] not in (1, 3):
            raise UserError(
                f"a page shows images of 1 or 3 channels, and those of {run.name} have {run.facts.image_shape[0]}; "
                f"{INSTEAD}"
            )
        for what, first, other in zip(INPUTS, inputs_of(runs[0]), inputs_of(run), strict=True):
            if first != other:
                raise UserError(
                    f"runs on one page share their latent point, so they need the same {what}: {runs[0].name} has "
                    f"{first}, {run.name} has {other}; write a page for each: run={run.name}"
                )


INPUTS = ("latent_dim", "prior", "conditioning", "classes")


def inputs_of(run: Shown) -> tuple[object, ...]:
    """What the generator's inputs are, by `INPUTS`."""
    codes = codes_of(run.sampler)
    conditioning = f"latent codes {codes}" if codes else f"{run.facts.num_classes or 'no'} classes"
    return run.facts.latent_dim, run.facts.prior, conditioning, run.facts.drawn_classes


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


def describe_reference(run: Shown, weights: "Constants") -> dict[str, Any]:
    """What a page knows of a run's reference classifier."""
    assert run.reference is not None
    program = trace(run.reference.network, torch.zeros(1, *run.facts.image_shape))
    return {
        "program": weights.add(rounded(program)),
        "classes": run.reference.classes,
        "test_accuracy": run.reference.test_accuracy,
    }


# Weights


def trace_generator(run: Shown) -> Program:
    """The program of a run's generator, its weights as the page has them."""
    facts, condition_dim = run.facts, run.sampler.conditioning.condition_dim
    generator = plain_generator(run.sampler).cpu()
    return rounded(trace(generator, torch.zeros(1, facts.latent_dim), torch.zeros(1, condition_dim)))


def rounded(program: Program) -> Program:
    """A program whose matrices and kernels are rounded to float16, as the page keeps them."""
    constants = {name: value.half().float() if is_half(value) else value for name, value in program.constants.items()}
    return program._replace(constants=constants)


def is_half(constant: Tensor) -> bool:
    """Whether the page keeps a constant in float16: vectors are few numbers, and stay exact."""
    return constant.ndim >= 2


def pixel_error(run: Shown, program: Program) -> float:
    """The largest difference of a pixel, of 255, between the page's program and the run's own generator.

    Raises:
        UserError: It is above `LARGEST_DIFFERENCE`, or the generator's numbers are not finite.
    """
    inputs = run.sampler.sample_inputs(CHECKED_IMAGES, seed=0)
    expected = run.sampler.generate(inputs).cpu()
    images = torch.cat([interpret(program, z[None].cpu(), y[None].cpu()) for z, y in zip(*inputs, strict=True)])
    if not images.isfinite().all():
        raise UserError(f"the weights are too large for a page, or not finite: training diverged; {INSTEAD}")
    error = float(largest_difference(images.clamp(-1, 1), expected.clamp(-1, 1)))
    if error > LARGEST_DIFFERENCE:
        raise UserError(
            f"a page's images of {run.name} would differ from PyTorch's by {error:.1f}/255, and "
            f"{LARGEST_DIFFERENCE:.0f}/255 is allowed: {network_name(run)} needs weights more exact than a "
            f"page's 16 bits; {INSTEAD}"
        )
    return error


class Constants:
    """The constants of programs, one after the other, as a page holds them."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.offset = 0

    def add(self, program: Program) -> dict[str, Any]:
        """A program as JSON, which says where each of its constants stands and how it is written."""
        table = []
        for name, tensor in program.constants.items():
            part = write_halves(tensor) if is_half(tensor) else tensor.numpy().astype("<f4").tobytes()
            table.append({"name": name, "half": is_half(tensor), "shape": list(tensor.shape), "offset": self.offset})
            self.parts.append(part)
            self.offset += len(part)
        return {"inputs": program.inputs, "operations": program.operations, "constants": table}

    def encode(self) -> str:
        """All of them, compressed, as base64."""
        return base64.b64encode(gzip.compress(b"".join(self.parts), 9, mtime=0)).decode()


def write_halves(tensor: Tensor) -> bytes:
    """All low bytes, then all high bytes, which compress better apart."""
    return np.ascontiguousarray(tensor.numpy().astype("<f2").ravel().view(np.uint8).reshape(-1, 2).T).tobytes()
