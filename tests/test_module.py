"""What Lightning asks of the module: optimizers, schedules, hooks, compilation; and clipped weights."""

import pytest
import torch
from pytorch_lightning import Callback

from tests.helpers import built
from tests.training import SGD, fit


def test_clipped_weights_are_in_bounds_at_every_forward_pass():
    numbers = ["updates.n_critic=3", "model.weight_clip=0.01", "optimizer.discriminator.lr=0.1"]
    module = built("model=wgan", *numbers)  # steps far larger than the bounds
    largest = []

    def measure(network, inputs):
        largest.append(max(parameter.abs().max().item() for parameter in network.parameters()))

    module.discriminator.register_forward_pre_hook(measure)
    fit(module, batches=6)
    assert len(largest) == 2 * 6 + 2  # real and fake in each critic step, fake in each generator step
    assert max(largest) <= 0.01 + 1e-9  # float32's 0.01
    assert max(largest) == pytest.approx(0.01, rel=1e-6)  # and the bounds are reached: batch norm starts at 1


@pytest.mark.parametrize("n_critic", [1, 2])
def test_both_learning_rates_follow_the_generators_steps(n_critic):
    schedule = "optimizer.scheduler={_target_:torch.optim.lr_scheduler.ExponentialLR,_partial_:true,gamma:0.999996}"
    module = fit(built("network=mlp", *SGD, schedule, f"updates.n_critic={n_critic}"), batches=3 * n_critic)
    generator, discriminator = module.trainer.optimizers
    assert generator.param_groups[0]["lr"] == pytest.approx(0.1 * 0.999996**3, rel=1e-9)
    assert discriminator.param_groups[0]["lr"] == pytest.approx(0.05 * 0.999996**3, rel=1e-9)


def test_hooks_around_a_networks_step_run_when_someone_has_written_one():
    heard = []

    class Listener(Callback):
        def on_before_optimizer_step(self, trainer, module, optimizer):
            heard.append(trainer.optimizers.index(optimizer))

    quiet = fit(built("network=mlp"), batches=3)
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    listened = fit(built("network=mlp"), batches=3, callbacks=[Listener()], **options)
    assert heard == [1, 0] * 3  # the discriminator's step, then the generator's
    for name, value in quiet.state_dict().items():
        assert torch.equal(value, listened.state_dict()[name]), name


def test_compiling_leaves_a_penalised_critic_alone(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, mode: compiled.append((type(self).__name__, mode)))
    for words, expected in (
        (("network=mlp",), []),
        (("network=mlp", "model.compile=default"), [("MLPGenerator", "default"), ("MLPDiscriminator", "default")]),
        (
            ("model=wgan_gp", "model.compile=max-autotune-no-cudagraphs"),
            [("DCGANGenerator", "max-autotune-no-cudagraphs")],
        ),
        (("network=mlp", "penalty=[lecam,r1]", "model.compile=default"), [("MLPGenerator", "default")]),
        (
            ("network=mlp", "penalty=lecam", "model.compile=default"),
            [("MLPGenerator", "default"), ("MLPDiscriminator", "default")],
        ),
    ):
        compiled.clear()
        built(*words).compile_networks()
        assert compiled == expected
