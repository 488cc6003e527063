"""LeCam's penalty, which is one of logits and keeps moving averages."""

import copy

import pytest
import torch

from gan_lightning.__main__ import run_command
from gan_lightning.penalties import (
    LeCam,
)
from tests.helpers import SMALL, built, discriminator_metrics, in_float64, make_penalty, run, weights

# LeCam


def lecam_step(penalty, real, fake):
    """The value of LeCam at one step; it depends on logits alone."""
    return penalty(None, None, None, torch.tensor(real), torch.tensor(fake)).item()


@in_float64
def test_lecam_has_a_closed_form_after_two_steps():
    penalty = LeCam(weight=0.3, decay=0.9, start=0)
    assert lecam_step(penalty, [1.0, 3.0], [-1.0, 0.0]) == 0  # the anchors come first: 2 and -0.5
    # real anchor 0.9 * 2 + 0.1 * 4 = 2.2, fake anchor 0.9 * -0.5 + 0.1 * 1.5 = -0.3
    expected = 0.3 * ((3.3**2 + 5.3**2) / 2 + (2.2**2 + 0) / 2)
    assert lecam_step(penalty, [3.0, 5.0], [0.0, 3.0]) == pytest.approx(expected, rel=1e-9)
    assert penalty.real_anchor.item() == pytest.approx(2.2, rel=1e-9)
    assert penalty.fake_anchor.item() == pytest.approx(-0.3, rel=1e-9)


@in_float64
def test_lecam_waits_with_the_last_batch_as_its_anchor():
    penalty = make_penalty("lecam", start=2)
    assert lecam_step(penalty, [9.0], [-9.0]) == lecam_step(penalty, [1.0], [-1.0]) == 0
    assert (penalty.real_anchor.item(), penalty.fake_anchor.item()) == (1.0, -1.0)
    assert lecam_step(penalty, [1.0], [-1.0]) == 0  # from here on they move slowly
    assert lecam_step(penalty, [1.0], [-1.0]) == pytest.approx(0.3 * 8, rel=1e-9)


def test_lecam_pulls_logits_towards_the_other_sides_anchor():
    penalty = make_penalty("lecam", start=0)
    real, fake = (torch.tensor([value], requires_grad=True) for value in (2.0, -2.0))
    for _ in range(2):
        loss = penalty(None, None, None, real, fake)
    loss.backward()
    assert fake.grad.item() < 0 < real.grad.item()  # followed downhill: real logits down, fake ones up
    assert not penalty.real_anchor.requires_grad


def test_lecam_goes_on_from_its_state():
    first, second = (make_penalty("lecam", start=1) for _ in range(2))
    for _ in range(3):
        lecam_step(first, [1.0, 4.0], [-2.0, 0.5])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert second.steps == 3
    for logits in (([0.5], [0.4]), ([2.0], [-3.0])):
        assert lecam_step(first, *logits) == lecam_step(second, *logits)


def test_lecams_averages_are_in_the_checkpoint():
    module = built("network=mlp", "penalty=[r1,lecam]")
    discriminator_metrics(module, *torch.randn(2, 8, 1, 28, 28))
    content = module.state_dict()
    assert content["penalties.1.steps"] == 1
    other = built("network=mlp", "penalty=[r1,lecam]")
    other.load_state_dict(content)
    assert torch.equal(other.penalties[1].real_anchor, module.penalties[1].real_anchor)


@pytest.mark.slow
def test_a_resumed_run_with_lecam_equals_one_that_never_stopped(tmp_path):
    words = (*SMALL, "penalty=lecam", "penalty.lecam.start=1", "augment=diffaugment", "loss=hinge")
    whole = weights(run(tmp_path / "whole", *words, "max_generator_steps=6"))
    parts = run(tmp_path / "parts", *words, "max_generator_steps=3")
    run_command("resume", f"run={parts.path}", "max_generator_steps=6")
    assert whole["penalties.0.steps"] == 6
    assert all(torch.equal(value, whole[name]) for name, value in weights(parts).items())
