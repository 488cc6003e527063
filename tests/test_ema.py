"""The averaged generator: its decay, its recurrence, and none where there is no half-life."""

import pytest
import torch

from gan_lightning.models.ema import decay, update_average
from tests.helpers import assert_same, built, in_float64
from tests.training import fit


def test_decay_halves_over_the_half_life_and_warms_up():
    assert decay(64, images_so_far=10**9, half_life=640) ** 10 == pytest.approx(0.5)
    assert decay(64, images_so_far=1280, half_life=10**9) == pytest.approx(0.5)  # 5 % of 1,280 is the batch
    assert decay(64, images_so_far=0, half_life=10_000) == pytest.approx(0, abs=1e-12)  # forget the beginning


def test_the_average_lerps_parameters_and_copies_buffers():
    model, average = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    with torch.no_grad():
        model.weight.fill_(5.0)
        average.weight.fill_(1.0)
        model.running_mean.fill_(7.0)
        model.num_batches_tracked.fill_(9)
    update_average(average, model, kept=0.75)
    assert average.weight.tolist() == [2.0] * 3
    assert average.running_mean.tolist() == [7.0] * 3 and average.num_batches_tracked == 9
    assert model.weight.tolist() == [5.0] * 3


@in_float64
@pytest.mark.parametrize("n_critic", [1, 3])
def test_the_averaged_generator_follows_the_recurrence(n_critic):
    module = built("network=mlp", "model.ema_half_life=50", f"updates.n_critic={n_critic}")
    expected = [parameter.detach().clone() for parameter in module.generator.parameters()]
    seen = 0
    generator_step = module.generator_step

    def followed(real, fake):
        nonlocal seen
        outcome = generator_step(real, fake)
        seen += 8
        kept = 0.5 ** (8 / min(50, 0.05 * seen))
        for own, new in zip(expected, module.generator.parameters(), strict=True):
            own.mul_(kept).add_(new.detach(), alpha=1 - kept)
        return outcome

    module.generator_step = followed
    fit(module, batches=5 * n_critic)
    assert seen == 5 * 8
    for own, average in zip(expected, module.averaged.network.parameters(), strict=True):
        assert_same(average, own)
        assert not average.requires_grad


def test_without_a_half_life_there_is_no_average():
    module = built("network=mlp", "model.ema_half_life=null")
    assert module.averaged is None and module.kept_weights == ["raw"]
    assert torch.equal(module.sampler("ema").sample(2), module.sampler("raw").sample(2))
