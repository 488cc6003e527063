"""Adversarial losses on logits: closed forms, directions of gradients, symmetries."""

import math

import pytest
import torch

from gan_lightning.config.compose import options
from gan_lightning.f_divergences import JensenShannon
from gan_lightning.losses import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPairing,
    Wasserstein,
)
from tests.helpers import make_loss

REAL = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
FAKE = torch.tensor([-0.7, 0.4, 1.1], dtype=torch.float64)


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


R, F = REAL.tolist(), FAKE.tolist()
D_REAL, D_FAKE = [sigmoid(x) for x in R], [sigmoid(x) for x in F]
CROSS_ENTROPY = -mean(math.log(p) for p in D_REAL) - mean(math.log(1 - p) for p in D_FAKE)


def average_loss(real, fake):
    """Equations of RaSGAN's discriminator, written in probabilities."""
    real_wins = mean(math.log(sigmoid(x - mean(fake))) for x in real)
    fake_loses = mean(math.log(1 - sigmoid(x - mean(real))) for x in fake)
    return -real_wins - fake_loses


def minus_mean(values):
    return -mean(values)


def balanced():
    """BEGAN in the middle of training."""
    loss = make_loss("began")
    loss.balance.fill_(0.25)
    return loss


CLOSED_FORMS = {  # loss, D's at the logits above, G's
    "minimax": (Minimax(), CROSS_ENTROPY, mean(math.log(1 - p) for p in D_FAKE)),
    "non_saturating": (NonSaturating(), CROSS_ENTROPY, minus_mean(math.log(p) for p in D_FAKE)),
    "least_squares": (
        LeastSquares(a=-1, b=1, c=0),
        0.5 * mean((x - 1) ** 2 for x in R) + 0.5 * mean((x + 1) ** 2 for x in F),
        0.5 * mean(x**2 for x in F),
    ),
    "wasserstein": (Wasserstein(), mean(F) - mean(R), minus_mean(F)),
    "hinge": (Hinge(), (0.7 + 2.2 + 0) / 3 + (0.3 + 1.4 + 2.1) / 3, minus_mean(F)),
    "relativistic": (
        RelativisticPairing(),
        minus_mean(math.log(sigmoid(x - y)) for x, y in zip(R, F, strict=True)),
        minus_mean(math.log(sigmoid(y - x)) for x, y in zip(R, F, strict=True)),
    ),
    "relativistic_average": (RelativisticAverage(), average_loss(R, F), average_loss(F, R)),
    "kl": (make_loss("kl"), mean(math.exp(x - 1) for x in F) - mean(R), minus_mean(F)),
    "reverse_kl": (
        make_loss("reverse_kl"),
        mean(-1 - math.log(math.exp(-x)) for x in F) + mean(math.exp(-x) for x in R),
        mean(math.exp(-x) for x in F),
    ),
    "pearson": (make_loss("pearson"), mean(x**2 / 4 + x for x in F) - mean(R), minus_mean(F)),
    "energy_margin": (make_loss("energy_margin"), mean(max(0, 1 + x) for x in F) - mean(R), minus_mean(F)),
    "began": (balanced(), 0.25 * mean(F) - mean(R), minus_mean(F)),
    "jensen_shannon": (
        make_loss("jensen_shannon"),
        minus_mean(math.log(2 - 2 * p) for p in D_FAKE) - mean(math.log(2 * p) for p in D_REAL),
        minus_mean(math.log(2 * p) for p in D_FAKE),
    ),
}


def test_every_loss_has_a_closed_form_here():
    assert set(options("loss")) == set(CLOSED_FORMS)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_losses_equal_their_equations(name):
    loss, discriminator, generator = CLOSED_FORMS[name]
    assert loss.discriminator(real=REAL, fake=FAKE).item() == pytest.approx(discriminator, rel=1e-12)
    real = REAL if loss.relativistic else None
    assert loss.generator(real=real, fake=FAKE).item() == pytest.approx(generator, rel=1e-12)


@pytest.mark.parametrize("name", options("loss"))
def test_the_networks_pull_the_fake_logit_in_opposite_directions(name):
    loss = balanced() if name == "began" else make_loss(name)
    real = torch.tensor([0.4], requires_grad=True)  # between the labels of every loss
    fake = torch.tensor([0.6], requires_grad=True)
    loss.discriminator(real=real, fake=fake).backward()
    assert real.grad.item() < 0 < fake.grad.item()  # D: real logits up, fake logits down
    fake.grad = None
    loss.generator(real=real.detach(), fake=fake).backward()
    assert fake.grad.item() < 0  # G: fake logits up


@pytest.mark.parametrize("name", options("loss"))
def test_only_a_relativistic_generator_looks_at_real_logits(name):
    loss = make_loss(name)
    with_one, with_other = (loss.generator(real=real, fake=FAKE).item() for real in (REAL, REAL + 1))
    assert (with_one != with_other) == loss.relativistic


@pytest.mark.parametrize("name", options("loss"))
def test_realness_keeps_the_order_of_the_logits(name):
    realness = make_loss(name).realness(torch.linspace(-5, 5, 11))
    assert (realness.diff() > 0).all()


@pytest.mark.parametrize("name", options("loss"))
def test_realness_is_a_probability_or_the_logit(name):
    loss, logits = make_loss(name), torch.linspace(-5, 5, 11)
    if not loss.defines_probability:
        assert torch.equal(loss.realness(logits), logits)
        return
    assert ((loss.realness(logits) > 0) & (loss.realness(logits) < 1)).all()
    assert loss.decision_boundary is None or loss.realness(torch.tensor(loss.decision_boundary)) == 0.5


# Saturating and non-saturating


def test_saturating_gradient_vanishes_where_the_non_saturating_one_is_full():
    """At D(G(z)) -> 0: d/dlogit log(1 - D) = -D -> 0, d/dlogit (-log D) = -(1 - D) -> -1."""
    gradients = {}
    for name, loss in {"minimax": Minimax(), "non_saturating": NonSaturating()}.items():
        logit = torch.tensor([-10.0], dtype=torch.float64, requires_grad=True)
        loss.generator(real=None, fake=logit).backward()
        gradients[name] = logit.grad.item()
    assert gradients["minimax"] == pytest.approx(-sigmoid(-10), rel=1e-9)
    assert gradients["non_saturating"] == pytest.approx(-sigmoid(10), rel=1e-9)


WITH_BOUNDARY = [name for name, (loss, *_) in CLOSED_FORMS.items() if loss.decision_boundary is not None]


@pytest.mark.parametrize("name", WITH_BOUNDARY)
def test_a_discriminator_of_equal_distributions_settles_at_the_decision_boundary(name):
    """There, and only there, the pull of real images and that of fakes cancel."""
    loss = CLOSED_FORMS[name][0]
    slopes = []
    for offset in (-1.5, 0.0, 1.5):  # the hinge is flat within a margin of 1
        logit = torch.tensor([loss.decision_boundary + offset], dtype=torch.float64, requires_grad=True)
        loss.discriminator(real=logit, fake=logit).backward()
        slopes.append(logit.grad.item())
    assert slopes[0] < -0.1 and abs(slopes[1]) < 1e-12 and slopes[2] > 0.1


def test_extreme_logits_stay_finite():
    far = torch.tensor([-1e4, 1e4])
    losses = [
        Minimax(),
        NonSaturating(),
        Hinge(),
        RelativisticPairing(),
        RelativisticAverage(),
        JensenShannon(saturating=False),
    ]
    for loss in losses:
        assert torch.isfinite(loss.discriminator(real=far, fake=far.flip(0)))
        assert torch.isfinite(loss.generator(real=far, fake=far.flip(0)))
    assert torch.isfinite(JensenShannon(saturating=True).generator(real=None, fake=far))


def test_minimax_is_balanced_at_log_4():
    """At equilibrium D(x) = 1/2 everywhere and D's loss is log 4 (arXiv:1406.2661, theorem 1)."""
    logits = torch.zeros(4, dtype=torch.float64)
    assert Minimax().discriminator(real=logits, fake=logits).item() == pytest.approx(math.log(4), rel=1e-12)
    assert Minimax().realness(logits).tolist() == [0.5] * 4


def test_the_hinge_teaches_nothing_beyond_its_margin():
    real = torch.tensor([0.5, 1.5], requires_grad=True)
    fake = torch.tensor([-0.5, -1.5], requires_grad=True)
    Hinge().discriminator(real=real, fake=fake).backward()
    assert real.grad.tolist() == [-0.5, 0] and fake.grad.tolist() == [0.5, 0]
    fake.grad = None
    Hinge().generator(real=None, fake=fake).backward()
    assert fake.grad.tolist() == [-0.5, -0.5]  # G's has none


# Relativistic losses


RELATIVISTIC = [RelativisticPairing(), RelativisticAverage()]


@pytest.mark.parametrize("loss", RELATIVISTIC)
def test_relativistic_losses_see_only_differences(loss):
    for of_network in (loss.discriminator, loss.generator):
        here, there = of_network(real=REAL, fake=FAKE), of_network(real=REAL + 7, fake=FAKE + 7)
        assert here.item() == pytest.approx(there.item(), rel=1e-12)


@pytest.mark.parametrize("loss", RELATIVISTIC)
def test_swapping_real_and_fake_swaps_the_two_losses(loss):
    assert torch.equal(loss.discriminator(real=REAL, fake=FAKE), loss.generator(real=FAKE, fake=REAL))
    assert torch.equal(loss.generator(real=REAL, fake=FAKE), loss.discriminator(real=FAKE, fake=REAL))


def test_pairs_matter_to_one_and_averages_to_the_other():
    shuffled = FAKE[[2, 0, 1]]
    pairing, average = (
        [loss.discriminator(real=REAL, fake=fake).item() for fake in (FAKE, shuffled)] for loss in RELATIVISTIC
    )
    assert pairing[0] != pytest.approx(pairing[1], rel=1e-3)
    assert average[0] == pytest.approx(average[1], rel=1e-12)


def test_constant_logits_make_both_relativistic_losses_one():
    """Where all real images have one logit and all fakes another, averages are those of pairs, counted twice."""
    real, fake = torch.full((4,), 0.8, dtype=torch.float64), torch.full((4,), -0.5, dtype=torch.float64)
    pairing, average = (loss.discriminator(real=real, fake=fake).item() for loss in RELATIVISTIC)
    assert average == pytest.approx(2 * pairing, rel=1e-12)
