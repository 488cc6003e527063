"""What is computed in float64 stays in float64: laws are tested in it, and float32 on the way would hide in them."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gan_lightning.config.compose import options
from gan_lightning.floats import at_least_float32
from gan_lightning.models import updates
from tests.helpers import built, in_float64
from tests.training import fit


class Shortened(TorchDispatchMode):
    """Names of the operations whose results have fewer digits than float64."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        results = function(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves(results) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
        self.names |= {str(function) for tensor in tensors if tensor.dtype != torch.float64}
        return results


@pytest.mark.parametrize("given,found", [("bfloat16", "float32"), ("float32", "float32"), ("float64", "float64")])
def test_nothing_loses_digits(given, found):
    values = torch.rand(100, dtype=getattr(torch, given))
    result = at_least_float32(values)
    assert result.dtype == getattr(torch, found) and torch.equal(result.to(values.dtype), values)


CONFIGURATIONS = [
    *([f"model={model}"] for model in options("model")),
    *(["network=mlp", f"penalty={penalty}"] for penalty in options("penalty")),
    *(["network=mlp", f"augment={augment}"] for augment in options("augment")),
    ["network=mlp", "model.minibatch_std=true", "network.discriminator.norm=none"],
]


@pytest.mark.slow
@in_float64
@pytest.mark.parametrize("words", CONFIGURATIONS, ids=" ".join)
def test_training_in_float64_computes_nothing_in_float32(words, monkeypatch):
    monkeypatch.setattr(updates, "WARMUP_ITERATIONS", 2)
    module = built(*words)
    with Shortened() as shortened:
        fit(module, batches=module.updates.discriminator_steps(0))
        sampler = module.sampler()
        sampler.generate(sampler.sample_inputs(2, seed=0))
    assert module.generator_steps == 1
    assert shortened.names <= {"aten.zeros.default"}  # of Adam's counter: zeros have no digits to lose
