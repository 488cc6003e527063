"""Augmentation in a GAN: what is augmented, penalties, and the adaptive probability."""

import pytest
import torch

from gan_lightning.augment import (
    HOLE,
    AdaptiveAugment,
    DiffAugment,
    NoAugment,
)
from gan_lightning.config.compose import options
from gan_lightning.errors import UserError
from gan_lightning.models.discriminate import Discriminate
from gan_lightning.networks.layers import DiscriminatorOutput
from tests.helpers import assert_same, built, in_float64, sample
from tests.training import fit

EVERYTHING = ["color", "translation", "cutout"]
AT_REST = "optimizer.discriminator.lr=0"


def pictures(count, channels=1, size=(28, 28)):
    """Random images in (-0.9, -0.1) and (0.1, 0.9): neither background nor hole."""
    values = torch.rand(count, channels, *size) * 0.8 + 0.1
    return values * torch.randint(0, 2, values.shape).mul(2).sub(1)


# In a GAN


class Marked(NoAugment):
    """Adds 10, so that it can be seen what has been augmented."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, images):
        self.calls.append(len(images))
        return images + 10


CALLS = {  # batches of 8 that are augmented in a step of each network
    ("loss=non_saturating",): [8, 8, 8],  # D: real, fake; G: fake
    ("loss=relativistic",): [8, 8, 8, 8],  # G: real, too
    ("loss=relativistic", "network.discriminator.norm=batch"): [8, 8, 8, 8],
    ("loss=non_saturating", "penalty=[r1,r2]"): [8, 8, 8, 8, 8],  # and a call each for their gradients
    ("loss=non_saturating", "penalty=lecam"): [8, 8, 8],
}


@pytest.mark.parametrize("words", CALLS)
def test_both_steps_and_the_penalties_see_augmented_images_only(words):
    module = built("network=mlp", *words)
    module.augment = module.discriminate.augment = Marked()
    smallest = []
    module.discriminator.register_forward_pre_hook(lambda network, inputs: smallest.append(inputs[0].min().item()))
    fit(module, batches=2)
    assert module.augment.calls == 2 * CALLS[words]
    assert len(smallest) >= 4 and min(smallest) >= 9


def test_adaptive_augmentation_rises_while_real_images_are_classified_as_real_and_falls_while_they_are_not():
    augment = AdaptiveAugment(EVERYTHING, target=0.5, images=100)
    sure, unsure = torch.tensor([3.0] * 9 + [-1.0]), torch.tensor([0.1] * 7 + [-9.0] * 3)  # mean signs 0.8 and 0.4
    seen = []
    for certainty in (unsure, sure, sure, unsure, sure):
        augment.adapt(certainty, decision_boundary=0.0, images=10)
        seen.append(round(augment.p.item(), 6))
    assert seen == [0, 0.1, 0.2, 0.1, 0.2]
    for _ in range(20):
        augment.adapt(sure, decision_boundary=0.0, images=10)
    assert augment.p == 1
    assert "p" in augment.state_dict()


def test_adaptive_augmentation_starts_with_none_and_follows_the_discriminator():
    """All logits are 1 at first: p rises by 8 of 80 images at each of three steps."""
    module = built("network=mlp", "augment=ada", "augment.images=80", AT_REST)
    assert torch.equal(module.augment(images := pictures(4)), images)
    torch.nn.init.zeros_(module.discriminator.head.weight)
    torch.nn.init.ones_(module.discriminator.head.bias)
    fit(module, batches=3)
    assert module.augment.p.item() == pytest.approx(0.3)


def test_adaptive_augmentation_counts_images_not_packs():
    module = built("network=mlp", "augment=ada", "augment.images=80", "model.pack=2")
    torch.nn.init.zeros_(module.discriminator.head.weight)
    torch.nn.init.ones_(module.discriminator.head.bias)
    fit(module, batches=1)
    assert module.augment.p.item() == pytest.approx(0.1)


def test_adaptive_augmentation_counts_from_the_decision_boundary_of_the_loss():
    """LSGAN's logits are between 0 (fake) and 1: 0.6 is on the real side, 0.4 on the other."""
    for bias, p in ((0.6, 0.1), (0.4, 0)):
        words = ("network=mlp", "loss=least_squares", "augment=ada", "augment.images=80")
        module = built(*words, AT_REST)
        torch.nn.init.zeros_(module.discriminator.head.weight)
        torch.nn.init.constant_(module.discriminator.head.bias, bias)
        fit(module, batches=1)
        assert module.augment.p.item() == pytest.approx(p)


@pytest.mark.parametrize("loss", ["wasserstein", "relativistic", "relativistic_average"])
def test_adaptive_augmentation_needs_logits_that_say_real_or_fake(loss):
    with pytest.raises(UserError, match="type augment=diffaugment, or a loss .* such as loss=non_saturating"):
        built(f"loss={loss}", "augment=ada")


@pytest.mark.parametrize("name", options("augment"))
def test_every_augmentation_trains(name):
    module = fit(built("network=mlp", f"augment={name}", "penalty=r1"), batches=2)
    assert module.generator_steps == 2
    assert all(torch.isfinite(value).all() for value in module.state_dict().values())
    assert isinstance(module.augment, DiffAugment) == (name != "none")
    assert isinstance(module.augment, NoAugment)


class Linear(torch.nn.Module):
    """A critic <w, x> that sees no condition."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, images, y):
        return DiscriminatorOutput((images * self.weight).flatten(1).sum(1))


class Times(NoAugment):
    """An augmentation that multiplies images by a factor."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, images):
        return self.factor * images


@in_float64
def test_gradient_penalties_differentiate_by_the_image_before_its_augmentation():
    """A fixed augmentation x -> 3 x makes a linear critic three times as steep: R1 is gamma / 2 times 9 |w|^2."""
    module = built("network=mlp", "penalty=r1", "penalty.r1.gamma=2.0")
    weight = torch.randn(1, 28, 28)
    images = sample(pictures(5))
    for factor in (1.0, 3.0):
        module.discriminate = Discriminate(Linear(weight), Times(factor), pack=1)
        output = module.discriminate(images)
        value = module.penalty(images, images, output, output)
        assert_same(value, factor**2 * weight.square().sum())


def test_what_the_hole_hides_has_no_gradient():
    module = built("network=mlp", "augment=diffaugment", "augment.policy=[cutout]")
    seen = []
    module.discriminator.register_forward_pre_hook(lambda network, inputs: seen.append(inputs[0]))
    images = pictures(8).requires_grad_(True)
    (gradients,) = torch.autograd.grad(module.discriminate(sample(images)).logits.sum(), images)
    assert torch.equal(gradients == 0, seen[0] == HOLE)


def test_a_wrong_word_is_explained():
    with pytest.raises(UserError, match=r"augment.policy=\['colour'\] is not allowed: it should be 'color', 'transl"):
        built("augment=diffaugment", "augment.policy=[colour]")
    with pytest.raises(UserError, match=r"augment.p=2 is not allowed: it should be less than or equal to 1"):
        built("augment=diffaugment", "augment.p=2")
