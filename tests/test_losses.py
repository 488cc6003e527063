import math

import pytest
import torch

from gan_lightning.build import build
from gan_lightning.config.compose import compose, options
from gan_lightning.losses import (
    BEGAN,
    KL,
    EnergyMargin,
    Hinge,
    JensenShannon,
    LeastSquares,
    Minimax,
    NonSaturating,
    Pearson,
    RelativisticAverage,
    RelativisticPairing,
    ReverseKL,
    Wasserstein,
)
from tests.helpers import built

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
    """BEGAN in the middle of a game."""
    loss = BEGAN()
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
    "kl": (KL(), mean(math.exp(x - 1) for x in F) - mean(R), minus_mean(F)),
    "reverse_kl": (
        ReverseKL(),
        mean(-1 - math.log(math.exp(-x)) for x in F) + mean(math.exp(-x) for x in R),
        mean(math.exp(-x) for x in F),
    ),
    "pearson": (Pearson(), mean(x**2 / 4 + x for x in F) - mean(R), minus_mean(F)),
    "energy_margin": (EnergyMargin(), mean(max(0, 1 + x) for x in F) - mean(R), minus_mean(F)),
    "began": (balanced(), 0.25 * mean(F) - mean(R), minus_mean(F)),
    "jensen_shannon": (
        JensenShannon(),
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
def test_players_pull_the_fake_logit_in_opposite_directions(name):
    loss = balanced() if name == "began" else build(compose(f"loss={name}").loss)
    real = torch.tensor([0.4], requires_grad=True)  # between the labels of every loss
    fake = torch.tensor([0.6], requires_grad=True)
    loss.discriminator(real=real, fake=fake).backward()
    assert real.grad.item() < 0 < fake.grad.item()  # D: real logits up, fake logits down
    fake.grad = None
    loss.generator(real=real.detach(), fake=fake).backward()
    assert fake.grad.item() < 0  # G: fake logits up


@pytest.mark.parametrize("name", options("loss"))
def test_only_a_relativistic_generator_looks_at_real_logits(name):
    loss = build(compose(f"loss={name}").loss)
    with_one, with_other = (loss.generator(real=real, fake=FAKE).item() for real in (REAL, REAL + 1))
    assert (with_one != with_other) == loss.relativistic


@pytest.mark.parametrize("name", options("loss"))
def test_scores_keep_the_order_of_the_logits(name):
    score = build(compose(f"loss={name}").loss).score(torch.linspace(-5, 5, 11))
    assert (score.diff() > 0).all()


# The two ways to play the same game


def test_saturating_gradient_vanishes_where_the_non_saturating_one_is_full():
    """At D(G(z)) -> 0: d/dlogit log(1 - D) = -D -> 0, d/dlogit (-log D) = -(1 - D) -> -1."""
    gradients = {}
    for name, loss in {"minimax": Minimax(), "non_saturating": NonSaturating()}.items():
        logit = torch.tensor([-10.0], dtype=torch.float64, requires_grad=True)
        loss.generator(real=None, fake=logit).backward()
        gradients[name] = logit.grad.item()
    assert gradients["minimax"] == pytest.approx(-sigmoid(-10), rel=1e-9)
    assert gradients["non_saturating"] == pytest.approx(-sigmoid(10), rel=1e-9)


DECIDING = [name for name, (loss, *_) in CLOSED_FORMS.items() if loss.undecided is not None]


@pytest.mark.parametrize("name", DECIDING)
def test_a_discriminator_of_equal_distributions_settles_where_it_is_undecided(name):
    """There, and only there, what real images pull up and fakes pull down is in balance."""
    loss = CLOSED_FORMS[name][0]
    slopes = []
    for offset in (-1.5, 0.0, 1.5):  # the hinge is flat within a margin of 1
        logit = torch.tensor([loss.undecided + offset], dtype=torch.float64, requires_grad=True)
        loss.discriminator(real=logit, fake=logit).backward()
        slopes.append(logit.grad.item())
    assert slopes[0] < -0.1 and abs(slopes[1]) < 1e-12 and slopes[2] > 0.1


def test_extreme_logits_stay_finite():
    far = torch.tensor([-1e4, 1e4])
    losses = [Minimax(), NonSaturating(), Hinge(), RelativisticPairing(), RelativisticAverage(), JensenShannon()]
    for loss in losses:
        assert torch.isfinite(loss.discriminator(real=far, fake=far.flip(0)))
        assert torch.isfinite(loss.generator(real=far, fake=far.flip(0)))
    assert torch.isfinite(JensenShannon(saturating=True).generator(real=None, fake=far))


def test_minimax_is_balanced_at_log_4():
    """At equilibrium D says 1/2 everywhere and D's loss is log 4 (arXiv:1406.2661, theorem 1)."""
    undecided = torch.zeros(4, dtype=torch.float64)
    assert Minimax().discriminator(real=undecided, fake=undecided).item() == pytest.approx(math.log(4), rel=1e-12)
    assert Minimax().score(undecided).tolist() == [0.5] * 4


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
    for player in (loss.discriminator, loss.generator):
        here, there = player(real=REAL, fake=FAKE), player(real=REAL + 7, fake=FAKE + 7)
        assert here.item() == pytest.approx(there.item(), rel=1e-12)


@pytest.mark.parametrize("loss", RELATIVISTIC)
def test_swapping_real_and_fake_swaps_the_players(loss):
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
    """Where D says one thing of all real images and another of all fakes, averages are pairs, counted twice."""
    real, fake = torch.full((4,), 0.8, dtype=torch.float64), torch.full((4,), -0.5, dtype=torch.float64)
    pairing, average = (loss.discriminator(real=real, fake=fake).item() for loss in RELATIVISTIC)
    assert average == pytest.approx(2 * pairing, rel=1e-12)


# f-divergences


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
def test_the_best_discriminator_reads_off_the_divergence(name):
    loss, best, divergence = DIVERGENCES[name]
    logits = best(RATIO).requires_grad_(True)
    estimate = -loss().discriminator(real=samples(logits, COUNTS_P), fake=samples(logits, COUNTS_Q))
    assert estimate.item() == pytest.approx(divergence, rel=1e-12)
    (slope,) = torch.autograd.grad(estimate, logits)
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-12)  # the top
    for step in torch.cat([torch.eye(4), -torch.eye(4)]).double() * 0.1:  # and no logit does better
        moved = logits.detach() + step
        worse = -loss().discriminator(real=samples(moved, COUNTS_P), fake=samples(moved, COUNTS_Q))
        assert worse.item() < divergence - 1e-5


@pytest.mark.parametrize("name", DIVERGENCES)
def test_an_undecided_discriminator_estimates_zero(name):
    loss, best, _ = DIVERGENCES[name]
    undecided = best(torch.ones(3, dtype=torch.float64))
    assert loss().discriminator(real=undecided, fake=undecided).item() == pytest.approx(0, abs=1e-12)


F_OF = {
    "kl": lambda u: u * u.log(),
    "reverse_kl": lambda u: -u.log(),
    "pearson": lambda u: (u - 1).square(),
    "jensen_shannon": lambda u: u * u.log() - (u + 1) * ((u + 1) / 2).log(),
}


@pytest.mark.parametrize("name", DIVERGENCES)
def test_conjugates_are_the_highest_of_all_lines(name):
    """f*(t) = sup over u of u t - f(u), here over a fine grid of u that contains the best one to 1e-4."""
    loss, best, _ = DIVERGENCES[name]
    u = torch.linspace(1e-4, 20, 200_000, dtype=torch.float64)
    for logit in best(torch.tensor([0.3, 1.0, 4.0], dtype=torch.float64)):
        highest = (u * loss().activation(logit) - F_OF[name](u)).max()
        # the top is flat: a grid step of 1e-4 misses it by its square times a curvature of at most 12
        assert highest.item() == pytest.approx(loss().conjugate(logit).item(), abs=1e-6)


@pytest.mark.parametrize("name", ["kl", "reverse_kl", "jensen_shannon"])
def test_scores_of_the_best_discriminator_are_the_probability_of_real(name):
    loss, best, _ = DIVERGENCES[name]
    torch.testing.assert_close(loss().score(best(RATIO)), RATIO / (1 + RATIO))


@pytest.mark.parametrize("name", DIVERGENCES)
def test_a_saturating_generator_minimises_what_the_discriminator_maximises(name):
    loss = DIVERGENCES[name][0](saturating=True)
    logits = FAKE.clone().requires_grad_(True)
    (of_g,) = torch.autograd.grad(loss.generator(real=None, fake=logits), logits)
    (of_d,) = torch.autograd.grad(loss.discriminator(real=REAL, fake=logits), logits)
    assert torch.equal(of_g, -of_d)


def test_jensen_shannon_is_minimax_in_another_coat():
    """T = log 2 D: the losses differ by log 4 and log 2, so that every gradient is the same."""
    ours, theirs = JensenShannon(), NonSaturating()
    gap = theirs.discriminator(real=REAL, fake=FAKE) - ours.discriminator(real=REAL, fake=FAKE)
    assert gap.item() == pytest.approx(math.log(4), rel=1e-12)
    gap = theirs.generator(real=None, fake=FAKE) - ours.generator(real=None, fake=FAKE)
    assert gap.item() == pytest.approx(math.log(2), rel=1e-12)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_saturating_is_a_word_of_the_command_line(name):
    assert not build(compose(f"loss={name}").loss).saturating
    assert built(f"loss={name}", "loss.saturating=true", "network=mlp").loss.saturating
