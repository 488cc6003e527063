"""f-GAN's losses: each estimates its divergence."""

import math

import pytest
import torch

from gan_lightning.f_divergences import KL, JensenShannon, Pearson, ReverseKL
from gan_lightning.losses import NonSaturating
from tests.helpers import built, make_loss

REAL = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
FAKE = torch.tensor([-0.7, 0.4, 1.1], dtype=torch.float64)


P, Q = [0.5, 0.25, 0.125, 0.125], [0.125, 0.25, 0.125, 0.5]
RATIO = torch.tensor([p / q for p, q in zip(P, Q, strict=True)], dtype=torch.float64)
COUNTS_P, COUNTS_Q = ([round(8 * share) for share in shares] for shares in (P, Q))


def expectation(shares, values):
    return sum(share * value for share, value in zip(shares, values, strict=True))


DIVERGENCES = {  # loss, the optimal logit for a ratio p / q, the divergence of P and Q
    "kl": (KL, lambda u: 1 + u.log(), expectation(P, [math.log(p / q) for p, q in zip(P, Q, strict=True)])),
    "reverse_kl": (ReverseKL, torch.log, expectation(Q, [math.log(q / p) for p, q in zip(P, Q, strict=True)])),
    "pearson": (
        Pearson,
        lambda u: 2 * (u - 1),
        sum((p - q) ** 2 / q for p, q in zip(P, Q, strict=True)),
    ),
    "jensen_shannon": (
        JensenShannon,
        torch.log,
        expectation(P, [math.log(2 * p / (p + q)) for p, q in zip(P, Q, strict=True)])
        + expectation(Q, [math.log(2 * q / (p + q)) for p, q in zip(P, Q, strict=True)]),
    ),
}


def samples(logits, counts):
    """Eight samples of a distribution over four images, by the logit of each image."""
    return logits.repeat_interleave(torch.tensor(counts))


@pytest.mark.parametrize("name", DIVERGENCES)
def test_the_optimal_discriminator_estimates_the_divergence(name):
    loss, best, divergence = DIVERGENCES[name]
    logits = best(RATIO).requires_grad_(True)
    estimate = -loss(saturating=False).discriminator(real=samples(logits, COUNTS_P), fake=samples(logits, COUNTS_Q))
    assert estimate.item() == pytest.approx(divergence, rel=1e-12)
    (slope,) = torch.autograd.grad(estimate, logits)
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-12)  # the maximum
    for step in torch.cat([torch.eye(4), -torch.eye(4)]).double() * 0.1:  # and no logit does better
        moved = logits.detach() + step
        worse = -loss(saturating=False).discriminator(real=samples(moved, COUNTS_P), fake=samples(moved, COUNTS_Q))
        assert worse.item() < divergence - 1e-5


@pytest.mark.parametrize("name", DIVERGENCES)
def test_equal_distributions_have_a_divergence_of_zero(name):
    loss, best, _ = DIVERGENCES[name]
    logits = best(torch.ones(3, dtype=torch.float64))
    assert loss(saturating=False).discriminator(real=logits, fake=logits).item() == pytest.approx(0, abs=1e-12)


F_OF = {
    "kl": lambda u: u * u.log(),
    "reverse_kl": lambda u: -u.log(),
    "pearson": lambda u: (u - 1).square(),
    "jensen_shannon": lambda u: u * u.log() - (u + 1) * ((u + 1) / 2).log(),
}


@pytest.mark.parametrize("name", DIVERGENCES)
def test_conjugates_are_the_supremum_over_all_ratios(name):
    """f*(t) = sup over u of u t - f(u), here over a fine grid of u that contains the best one to 1e-4."""
    loss, best, _ = DIVERGENCES[name]
    u = torch.linspace(1e-4, 20, 200_000, dtype=torch.float64)
    for logit in best(torch.tensor([0.3, 1.0, 4.0], dtype=torch.float64)):
        highest = (u * loss(saturating=False).activation(logit) - F_OF[name](u)).max()
        # the maximum is flat: a grid step of 1e-4 misses it by its square times a curvature of at most 12
        assert highest.item() == pytest.approx(loss(saturating=False).conjugate(logit).item(), abs=1e-6)


@pytest.mark.parametrize("name", ["kl", "reverse_kl", "jensen_shannon"])
def test_realness_of_the_optimal_discriminator_is_the_probability_of_real(name):
    loss, best, _ = DIVERGENCES[name]
    torch.testing.assert_close(loss(saturating=False).realness(best(RATIO)), RATIO / (1 + RATIO))


@pytest.mark.parametrize("name", DIVERGENCES)
def test_a_saturating_generator_minimises_what_the_discriminator_maximises(name):
    loss = DIVERGENCES[name][0](saturating=True)
    logits = FAKE.clone().requires_grad_(True)
    (of_g,) = torch.autograd.grad(loss.generator(real=None, fake=logits), logits)
    (of_d,) = torch.autograd.grad(loss.discriminator(real=REAL, fake=logits), logits)
    assert torch.equal(of_g, -of_d)


def test_jensen_shannon_is_minimax_up_to_a_constant():
    """T = log 2 D: the losses differ by log 4 and log 2, so that every gradient is the same."""
    ours, theirs = make_loss("jensen_shannon"), NonSaturating()
    gap = theirs.discriminator(real=REAL, fake=FAKE) - ours.discriminator(real=REAL, fake=FAKE)
    assert gap.item() == pytest.approx(math.log(4), rel=1e-12)
    gap = theirs.generator(real=None, fake=FAKE) - ours.generator(real=None, fake=FAKE)
    assert gap.item() == pytest.approx(math.log(2), rel=1e-12)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_saturating_can_be_set_on_the_command_line(name):
    assert not make_loss(name).saturating
    assert built(f"loss={name}", "loss.saturating=true", "network=mlp").loss.saturating
