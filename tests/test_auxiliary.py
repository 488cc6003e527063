"""Terms beside the adversarial loss: closed forms, whom they reach, and their weights."""

import math

import pytest
import torch

from gan_lightning.models.auxiliary import AuxiliaryTerm, Classification, pulling_away
from gan_lightning.models.discriminate import Sample
from gan_lightning.networks.layers import DiscriminatorOutput
from tests.helpers import assert_same, built, in_float64
from tests.training import batch

WEIGHTS = {
    "acgan": ["classification.weight"],
    "infogan": ["mutual_information.category_weight", "mutual_information.continuous_weight"],
    "ebgan": ["pulling_away.weight"],
}


@in_float64
def test_acgan_rewards_the_right_class_in_both_networks():
    module = built("model=acgan", "auxiliary.classification.weight=1")
    term = module.auxiliary["classification"]
    real, fake = batch(module)
    right, wrong = (DiscriminatorOutput(torch.zeros(20), 9.0 * y) for y in (real.y, real.y.roll(1, 1)))
    likelihood = math.log(math.exp(9) + 9)  # of logits 9, 0, 0 ...
    assert term.generator(fake, right).item() == pytest.approx(likelihood - 9, rel=1e-9)
    assert term.generator(fake, wrong).item() == pytest.approx(likelihood, rel=1e-9)
    both = term.discriminator(real, fake, right, wrong).item()
    assert both == pytest.approx(2 * likelihood - 9, rel=1e-9)


@in_float64
def test_a_step_along_acgans_classification_loss_makes_its_fakes_more_certain():
    """Down the slope of the loss by 1e-6, D's log-probability of the right class is up by 1e-6."""
    norms = ("network.discriminator.norm=none", "network.generator.norm=none")
    module = built("model=acgan", "auxiliary.classification.weight=1", *norms)
    labels = torch.arange(20) % 10
    z, y = module.sample_inputs(module.conditioning.of_real(labels))

    def fakes():
        fake = Sample(module.generator(z, y), y)
        return fake, module.discriminate(fake)

    def certainty():
        _, on_fake = fakes()
        return on_fake.aux.log_softmax(1)[torch.arange(20), labels].mean().item()

    before = certainty()
    loss = module.auxiliary["classification"].generator(*fakes())
    gradients = torch.autograd.grad(loss, list(module.generator.parameters()))
    slope = sum(gradient.square().sum() for gradient in gradients)
    with torch.no_grad():
        for parameter, gradient in zip(module.generator.parameters(), gradients, strict=True):
            parameter -= 1e-6 / slope * gradient
    assert certainty() - before == pytest.approx(1e-6, rel=1e-3)


@in_float64
def test_acgans_critic_learns_classes_from_fakes_unless_on_fakes_is_false():
    real, fake = (DiscriminatorOutput(torch.zeros(20), 4 * torch.randn(20, 10)) for _ in range(2))
    losses = []
    for words in ((), ("auxiliary.classification.on_fakes=false",)):
        module = built("model=acgan", *words)
        term = module.auxiliary["classification"]
        of_real, of_fake = batch(module)
        losses.append(term.discriminator(of_real, of_fake, real, fake))
    assert_same(losses[0] - losses[1], term.cross_entropy(of_fake, fake))


@in_float64
def test_cross_entropy_does_not_see_a_constant_added_to_all_class_logits():
    term, y = Classification(weight=1.0, on_fakes=True), torch.eye(10)
    fake, logits = Sample(torch.empty(10), y), torch.randn(10, 10)
    losses = [term.generator(fake, DiscriminatorOutput(torch.zeros(10), logits + shift)) for shift in (0.0, 5.0)]
    assert_same(losses[0], losses[1])


@in_float64
def test_infogans_loss_is_minus_the_log_likelihood_of_the_codes():
    weights = ("auxiliary.mutual_information.category_weight=1", "auxiliary.mutual_information.continuous_weight=1")
    module = built("model=infogan", *weights)
    y = module.conditioning.sample(5)
    guess = torch.cat([4.0 * y[:, :10], y[:, 10:] + 0.3], 1)
    category = math.log(math.exp(4) + 9) - 4
    gaussian = 2 * 0.5 * (0.3**2 + math.log(2 * math.pi))
    fake, on_fake = Sample(torch.empty(5), y), DiscriminatorOutput(torch.zeros(5), guess)
    term = module.auxiliary["mutual_information"]
    assert term.generator(fake, on_fake).item() == pytest.approx(category + gaussian, rel=1e-9)
    assert_same(term.discriminator(fake, fake, on_fake, on_fake), term.generator(fake, on_fake))


def test_infogans_mutual_information_trains_both_networks():
    module = built("model=infogan")
    term = module.auxiliary["mutual_information"]
    real, fake = batch(module)
    on_fake = module.discriminate(fake)
    features = next(module.discriminator.discriminator.parameters())
    q = module.discriminator.aux[-1].weight
    loss = term.discriminator(real, fake, module.discriminate(real), on_fake)
    for gradient in torch.autograd.grad(loss, [features, q], retain_graph=True):
        assert gradient.abs().sum() > 0
    (gradient,) = torch.autograd.grad(term.generator(fake, on_fake), [module.generator.layers[0].weight])
    assert gradient.abs().sum() > 0


@in_float64
def test_pulling_away_is_one_for_one_direction_and_zero_for_orthogonal_ones():
    parallel = torch.tensor([[1.0], [2.0], [3.0], [-1.0]]).expand(4, 3)
    assert pulling_away(parallel).item() == pytest.approx(1, rel=1e-9)
    assert pulling_away(3 * torch.eye(4)).item() == pytest.approx(0, abs=1e-12)
    assert pulling_away(torch.ones(1, 3)).item() == pytest.approx(0, abs=1e-12)  # no other sample to compare with
    half = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert pulling_away(half).item() == pytest.approx(0.5, rel=1e-9)


@in_float64
def test_pulling_away_is_the_generators_alone_and_does_not_depend_on_the_codes_lengths():
    module = built("model=ebgan", "auxiliary.pulling_away.weight=0.5")
    term = module.auxiliary["pulling_away"]
    codes, lengths = torch.randn(6, 64), torch.rand(6, 1) + 0.5
    fake = Sample(torch.empty(6), torch.empty(6, 0))
    plain, stretched = (DiscriminatorOutput(torch.zeros(6), c) for c in (codes, lengths * codes))
    assert_same(term.generator(fake, plain), term.generator(fake, stretched))
    assert_same(term.generator(fake, plain), 0.5 * pulling_away(codes))
    assert term.discriminator(fake, fake, plain, plain) is None


def test_the_base_term_adds_nothing_to_either_loss():
    term, sample, output = (
        AuxiliaryTerm(),
        Sample(torch.empty(2), torch.empty(2, 0)),
        DiscriminatorOutput(torch.zeros(2)),
    )
    assert term.discriminator(sample, sample, output, output) is None and term.generator(sample, output) is None


@in_float64
@pytest.mark.slow
@pytest.mark.parametrize("model,weight", [(model, weight) for model in WEIGHTS for weight in WEIGHTS[model]])
def test_terms_are_in_proportion_to_their_weights(model, weight):
    def total(factor):
        """G's, from the same fakes; the other weights are 0."""
        others = [f"auxiliary.{other}=0" for other in WEIGHTS[model] if other != weight]
        module = built(f"model={model}", f"auxiliary.{weight}={factor}", *others)
        torch.manual_seed(0)
        _, fake = batch(module)
        return sum(term.generator(fake, module.discriminate(fake)) for term in module.auxiliary.values()).item()

    one = total(1)
    assert abs(one) > 1e-3
    assert total(3) == pytest.approx(3 * one, rel=1e-9)
    assert total(0) == 0
