"""A generator as an ONNX file: latent vectors in, images out, in batches of any size."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.export.facts import Facts
from gan_lightning.export.weights import KEY, plain_generator
from gan_lightning.sampling import Inputs, Sampler

NEEDED = ("onnx", "onnxscript", "onnxruntime")


class OfLatents(nn.Module):
    """A generator that is conditional on nothing, as a function of z alone.

    Args:
        generator: The generator.
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor) -> Tensor:
        """Images (N, C, H, W) of latent vectors (N, latent_dim)."""
        return self.generator(z, z[:, :0])


def encode_onnx(sampler: Sampler, facts: Facts) -> bytes:
    """The content of an ONNX file.

    Its inputs are `z`, float32 (N, latent_dim), and, where the generator is conditional, `y`, float32 (N,
    condition_dim); its output is `images`, float32 (N, C, H, W) in [-1, 1]. The metadata hold the facts, as JSON.

    Args:
        sampler: What draws the generator's images.
        facts: What there is to know about it.

    Raises:
        UserError: The packages that write ONNX are missing.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(f"format=onnx needs {', '.join(missing)}: type pip install 'gan-lightning[onnx]'")
    z, y = sampler.sample_inputs(2, seed=0)
    generator = plain_generator(sampler).cpu()
    inputs = (z.cpu(), y.cpu()) if y.shape[1] else (z.cpu(),)
    network = generator if y.shape[1] else OfLatents(generator)
    count = torch.export.Dim("N")
    with silence():
        program = torch.onnx.export(
            network,
            inputs,
            dynamo=True,
            verbose=False,
            input_names=["z", "y"][: len(inputs)],
            output_names=["images"],
            dynamic_shapes=tuple({0: count} for _ in inputs),
        )
    assert program is not None  # as no file was named
    model = program.model_proto
    model.metadata_props.add(key=KEY, value=facts.model_dump_json())
    return model.SerializeToString()


def running(content: bytes) -> Callable[[Inputs], Tensor]:
    """What draws the images of an ONNX file that was just made."""
    from onnxruntime import InferenceSession

    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]

    def run(inputs: Inputs) -> Tensor:
        arrays = {name: value.cpu().numpy() for name, value in zip(("z", "y"), inputs, strict=True) if name in names}
        return torch.from_numpy(session.run(None, arrays)[0])

    return run


@contextmanager
def silence() -> Iterator[None]:
    """Keep the exporter's own messages, which are about torch's insides, from the user."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
