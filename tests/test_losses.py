import math

import pytest
import torch

from gan_lightning.config import options
from gan_lightning.losses import LeastSquares, Minimax, NonSaturating, Wasserstein
from tests.helpers import built

REAL = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
FAKE = torch.tensor([-0.7, 0.4, 1.1], dtype=torch.float64)


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


D_REAL, D_FAKE = [sigmoid(x) for x in REAL.tolist()], [sigmoid(x) for x in FAKE.tolist()]
CROSS_ENTROPY = -mean(math.log(p) for p in D_REAL) - mean(math.log(1 - p) for p in D_FAKE)

CLOSED_FORMS = {
    "minimax": (Minimax(), CROSS_ENTROPY, mean(math.log(1 - p) for p in D_FAKE)),
    "non_saturating": (NonSaturating(), CROSS_ENTROPY, -mean(math.log(p) for p in D_FAKE)),
    "least_squares": (
        LeastSquares(a=-1, b=1, c=0),
        0.5 * mean((x - 1) ** 2 for x in REAL.tolist()) + 0.5 * mean((x + 1) ** 2 for x in FAKE.tolist()),
        0.5 * mean(x**2 for x in FAKE.tolist()),
    ),
    "wasserstein": (Wasserstein(), mean(FAKE.tolist()) - mean(REAL.tolist()), -mean(FAKE.tolist())),
}


def test_every_loss_has_a_closed_form_here():
    assert set(options("loss")) == set(CLOSED_FORMS)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_losses_equal_their_equations(name):
    loss, discriminator, generator = CLOSED_FORMS[name]
    assert loss.discriminator(real=REAL, fake=FAKE).item() == pytest.approx(discriminator, rel=1e-12)
    assert loss.generator(fake=FAKE).item() == pytest.approx(generator, rel=1e-12)


@pytest.mark.parametrize("name", options("loss"))
def test_players_pull_the_fake_logit_in_opposite_directions(name):
    loss = built(f"loss={name}", "network=mlp").loss
    real = torch.tensor([0.4], requires_grad=True)  # between the labels of every loss
    fake = torch.tensor([0.6], requires_grad=True)
    loss.discriminator(real=real, fake=fake).backward()
    assert real.grad.item() < 0 < fake.grad.item()  # D: real logits up, fake logits down
    fake.grad = None
    loss.generator(fake=fake).backward()
    assert fake.grad.item() < 0  # G: fake logits up


def test_saturating_gradient_vanishes_where_the_non_saturating_one_is_full():
    """At D(G(z)) -> 0: d/dlogit log(1 - D) = -D -> 0, d/dlogit (-log D) = -(1 - D) -> -1."""
    gradients = {}
    for name, loss in {"minimax": Minimax(), "non_saturating": NonSaturating()}.items():
        logit = torch.tensor([-10.0], dtype=torch.float64, requires_grad=True)
        loss.generator(fake=logit).backward()
        gradients[name] = logit.grad.item()
    assert gradients["minimax"] == pytest.approx(-sigmoid(-10), rel=1e-9)
    assert gradients["non_saturating"] == pytest.approx(-sigmoid(10), rel=1e-9)


def test_extreme_logits_stay_finite():
    far = torch.tensor([-1e4, 1e4])
    for loss in (Minimax(), NonSaturating()):
        assert torch.isfinite(loss.discriminator(real=far, fake=far))
        assert torch.isfinite(loss.generator(fake=far))


def test_minimax_is_balanced_at_log_4():
    """At equilibrium D says 1/2 everywhere and D's loss is log 4 (arXiv:1406.2661, theorem 1)."""
    undecided = torch.zeros(4)
    assert Minimax().discriminator(real=undecided, fake=undecided).item() == pytest.approx(math.log(4), rel=1e-6)
    assert Minimax().score(undecided).tolist() == [0.5] * 4
