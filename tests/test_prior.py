"""The distributions of z: bounds, moments, shapes, and whose random numbers they use."""

import math

import pytest
import torch

from gan_lightning.models.prior import Prior
from tests.helpers import built

CPU = torch.device("cpu")

BOUNDS = {"uniform": 1.0, "uniform_unit_variance": math.sqrt(3)}

VARIANCES = {"normal": 1.0, "uniform": 1 / 3, "uniform_unit_variance": 1.0}

# 400,000 draws: the standard error of the mean is at most 0.0016, of the variance 0.0022; six of each are allowed
MEAN_ERROR, VARIANCE_ERROR = 0.01, 0.015


def draw(distribution):
    return Prior(100, distribution).sample(4000, CPU, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("distribution", VARIANCES)
def test_moments_are_those_of_the_distribution(distribution):
    z = draw(distribution)
    assert z.shape == (4000, 100) and z.dtype == torch.get_default_dtype()
    assert z.mean().item() == pytest.approx(0, abs=MEAN_ERROR)
    assert z.var().item() == pytest.approx(VARIANCES[distribution], abs=VARIANCE_ERROR)


@pytest.mark.parametrize("distribution", BOUNDS)
def test_uniform_latents_fill_their_bounds_and_stay_within(distribution):
    z, bound = draw(distribution), BOUNDS[distribution]
    assert -bound <= z.min() < -0.999 * bound and 0.999 * bound < z.max() <= bound
    fourth = (z.double() ** 4).mean().item() / bound**4
    assert fourth == pytest.approx(1 / 5, abs=0.003)  # E[u^4] of U(-1, 1); its standard error here is 0.0004


def test_uniform_of_unit_variance_is_uniform_stretched():
    torch.testing.assert_close(draw("uniform_unit_variance"), math.sqrt(3) * draw("uniform"))


def test_a_normal_latent_has_the_kurtosis_and_the_tails_of_a_normal():
    z = draw("normal").double()
    assert (z**4).mean().item() == pytest.approx(3, abs=0.1)  # standard error 0.016
    assert (z.abs() < 1).double().mean().item() == pytest.approx(math.erf(1 / math.sqrt(2)), abs=0.005)


@pytest.mark.parametrize("distribution", VARIANCES)
def test_a_generator_of_its_own_leaves_trainings_random_numbers_alone(distribution):
    prior, before = Prior(3, distribution), torch.get_rng_state()
    first, again = (prior.sample(5, CPU, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, again) and torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(prior.sample(5, CPU), prior.sample(5, CPU))
    assert not torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("distribution", VARIANCES)
def test_the_configuration_names_the_distribution_and_the_number_of_coordinates(distribution):
    module = built(f"model.prior={distribution}", "model.latent_dim=7", "network=mlp")
    z, _ = module.sample_inputs(torch.empty(5, 0))
    assert z.shape == (5, 7) and module.prior.distribution == distribution
