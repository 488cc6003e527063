"""A generator as one safetensors file, whose metadata says all that it takes to build and use it again."""

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.nn.utils.parametrize import is_parametrized

from gan_lightning.build import build_part
from gan_lightning.config.allowed import find_foreign
from gan_lightning.config.schema import check_node
from gan_lightning.config.stored import import_from_here, refuse
from gan_lightning.errors import UserError
from gan_lightning.export.facts import Facts, Trained
from gan_lightning.models.conditioning import Unconditional
from gan_lightning.models.prior import Prior
from gan_lightning.sampling import Sampler

KEY = "gan_lightning"
"""Key of the metadata under which the facts stand, as JSON."""

MAX_FACTS = 200_000
"""Characters of the facts, at most."""

MAX_HEADER = 10_000_000
"""Bytes of a file's header, at most: the facts, and a line for each tensor."""


def plain_generator(sampler: Sampler) -> nn.Module:
    """A copy of a sampler's generator in eval mode, weights under spectral norm replaced by what they come to."""
    generator = copy.deepcopy(sampler.generator).eval().requires_grad_(False)
    for layer in [layer for layer in generator.modules() if is_parametrized(layer)]:
        weights = {name: getattr(layer, name).detach() for name in layer.parametrizations}  # type: ignore[union-attr]
        del layer.parametrizations
        layer.__class__ = type(layer).__bases__[0]  # torch's remove_parametrizations changes the original's class, too
        for name, weight in weights.items():
            layer.register_parameter(name, nn.Parameter(weight, requires_grad=False))
    return generator


def encode_export(sampler: Sampler, facts: Facts, half: bool = False) -> bytes:
    """A generator and what there is to know about it as the content of a safetensors file.

    Args:
        sampler: What draws its images.
        facts: What there is to know about it.
        half: Whether the weights are rounded to float16, for a file of half the size.
    """
    tensors = {
        name: (value.half() if half and value.is_floating_point() else value).contiguous()
        for name, value in plain_generator(sampler).state_dict().items()
    }
    return save(tensors, metadata={KEY: facts.model_dump_json()})


def decode_export(content: bytes, file: Path, trust: bool = False) -> Trained:
    """The generator of an exported file's content.

    The file may come from a stranger: it names classes of this project alone, and no more is built than its weights
    fill.

    Args:
        content: What the file holds.
        file: Its name, for messages.
        trust: Whether it may name classes from outside this project, which are then imported.

    Raises:
        UserError: The file is no export, is damaged, or names code that is not trusted.
    """
    try:
        facts = Facts.model_validate_json(read_facts(content))
        tensors = load(content)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, SafetensorError) as error:
        raise unreadable(file, error) from error
    nodes = check_nodes(facts, file, trust)
    conditioning = build_part("conditioning", nodes.conditioning, Unconditional, num_classes=facts.num_classes)
    check_shapes(nodes, facts, conditioning, tensors, file)
    generator = build_generator(nodes, facts, conditioning)
    generator.load_state_dict(tensors)
    prior = Prior(facts.latent_dim, facts.prior)
    return Trained(Sampler(generator.eval().requires_grad_(False), prior, conditioning), facts, file)


def unreadable(file: Path, error: Exception) -> UserError:
    """The error for a file that is no export."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, ValidationError):
        wrong = error.errors()[0]
        reason = f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
    return UserError(
        f"{file} cannot be read as an exported generator ({reason}); write one by "
        "python -m gan_lightning export run=FOLDER format=safetensors out=FILE.safetensors"
    )


def read_facts(content: bytes) -> str:
    """The facts in a safetensors file, as JSON.

    Raises:
        ValueError: There are none, or they are longer than any that this project writes.
    """
    length = int.from_bytes(content[:8], "little")
    if not 0 < length <= min(MAX_HEADER, len(content) - 8):
        raise ValueError("it is not a whole safetensors file")
    header = json.loads(content[8 : 8 + length])
    facts = header.get("__metadata__", {}).get(KEY) if isinstance(header, dict) else None
    if not isinstance(facts, str):
        raise ValueError("it holds weights, but nothing about what they are of")
    if len(facts) > MAX_FACTS:
        raise ValueError(f"its description is longer than {MAX_FACTS:,} characters")
    return facts


def check_nodes(facts: Facts, file: Path, trust: bool) -> Any:
    """The nodes of the generator and its conditioning, which name allowed classes and options that these have."""
    nodes = {"network": {"generator": facts.network}, "conditioning": facts.conditioning}
    if trust:
        import_from_here()
    else:
        refuse(find_foreign(nodes), f"{file} names code that an export may not name")
    cfg = OmegaConf.create(nodes)
    check_node(cfg, "network", nodes["network"])
    check_node(cfg, "conditioning", nodes["conditioning"])
    return cfg


def build_generator(nodes: Any, facts: Facts, conditioning: Unconditional) -> nn.Module:
    """The generator, its weights at random."""
    return build_part(
        "network",
        nodes.network.generator,
        nn.Module,
        image_shape=facts.image_shape,
        latent_dim=facts.latent_dim,
        condition_dim=conditioning.condition_dim,
    )


def check_shapes(nodes: Any, facts: Facts, conditioning: Unconditional, tensors: dict[str, Tensor], file: Path) -> None:
    """Refuse a file whose description asks for other weights than it holds, before any memory is taken for them.

    Raises:
        UserError: They differ.
    """
    with torch.device("meta"), parameters_at_most(len(tensors)):
        expected = build_generator(nodes, facts, conditioning).state_dict()
    if expected.keys() != tensors.keys() or not all(fits(tensors[name], wanted) for name, wanted in expected.items()):
        raise UserError(
            f"{file} holds other weights than its description builds today: another version wrote it "
            f"({facts.gan_lightning:.20}); export the run again, or install that version"
        )


def fits(tensor: Tensor, wanted: Tensor) -> bool:
    """Whether a tensor of a file is what a network takes, in its type or rounded to float16."""
    rounded = tensor.dtype == torch.float16 and wanted.is_floating_point()
    return tensor.shape == wanted.shape and (rounded or tensor.dtype == wanted.dtype)


@contextmanager
def parameters_at_most(count: int) -> Iterator[None]:
    """Stop the building of modules that register more parameters: a few characters can ask for billions of layers."""
    registered = 0

    def count_one(module: nn.Module, name: str, parameter: Any) -> None:
        nonlocal registered
        registered += 1
        if registered > 2 * count + 10:  # some are replaced while a module is built
            raise UserError(f"the description of a file with {count} tensors asks for more; export the run again")

    handle = register_module_parameter_registration_hook(count_one)
    try:
        yield
    finally:
        handle.remove()
