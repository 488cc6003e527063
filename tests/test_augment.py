import math

import pytest
import torch

from gan_lightning.augment import (
    BACKGROUND,
    HOLE,
    AdaptiveAugment,
    DiffAugment,
    brightness,
    contrast,
    cutout,
    saturation,
    shift,
    translation,
)
from gan_lightning.config.compose import options
from gan_lightning.errors import UserError
from tests.helpers import assert_same, built, in_float64, sample
from tests.test_game import play

SIZES = [(28, 28), (32, 32), (30, 17)]
EVERYTHING = ["color", "translation", "cutout"]


def pictures(count, channels=1, size=(28, 28)):
    """Random images in (-0.9, -0.1) and (0.1, 0.9): neither background nor hole."""
    values = torch.rand(count, channels, *size) * 0.8 + 0.1
    return values * torch.randint(0, 2, values.shape).mul(2).sub(1)


# Translation


@pytest.mark.parametrize("size", SIZES)
def test_translation_moves_whole_pictures_by_whole_pixels(size):
    torch.manual_seed(0)
    images = pictures(64, 3, size)
    most = [math.floor(length / 8 + 0.5) for length in size]  # 4 of 28 and of 32 pixels
    moves = []
    for before, after in zip(images, translation(images), strict=True):
        candidates = [
            (down, right)
            for down in range(-most[0], most[0] + 1)
            for right in range(-most[1], most[1] + 1)
            if torch.equal(after, moved_by_hand(before, down, right))
        ]
        assert len(candidates) == 1
        moves += candidates
    assert len(set(moves)) > 16  # each sample its own way
    for axis in (0, 1):  # 64 draws miss an end of 9 values with probability 0.0005; the seed does not
        assert {move[axis] for move in moves} >= {-most[axis], most[axis]}


def moved_by_hand(image, down, right):
    """A picture moved in a larger frame of background."""
    _, height, width = image.shape
    frame = torch.full((image.shape[0], 3 * height, 3 * width), BACKGROUND)
    frame[:, height + down : 2 * height + down, width + right : 2 * width + right] = image
    return frame[:, height : 2 * height, width : 2 * width]


def test_background_is_black():
    """A black picture stays black, so the discriminator sees no bars that no real image has."""
    black = torch.full((8, 1, 28, 28), -1.0)
    assert torch.equal(translation(black), black)


def test_shifting_there_and_back_loses_only_what_left_the_picture():
    images = pictures(5)
    pixels = torch.tensor([[0], [1], [2], [3], [3]])
    back = shift(shift(images, pixels, 3), -pixels, 3)
    assert torch.equal(back[..., :25], images[..., :25])
    assert (back[3, :, :, 25:] == BACKGROUND).all()


# Cutout


@pytest.mark.parametrize("size", SIZES)
def test_cutout_makes_one_hole_of_up_to_half_the_size(size):
    torch.manual_seed(0)
    images = pictures(256, 3, size)
    holes = cutout(images) == HOLE
    assert torch.equal(holes, holes[:, :1].expand_as(holes))  # in all channels
    heights, widths = holes[:, 0].any(2).sum(1), holes[:, 0].any(1).sum(1)
    assert torch.equal(holes[:, 0].sum((1, 2)), heights * widths)  # a rectangle
    for extent, whole in ((heights, size[0] // 2), (widths, size[1] // 2)):
        assert extent.max() == whole
        assert whole // 2 <= extent.min() < whole  # cut off by the edge, at most in the middle


def test_cutout_leaves_the_rest_as_it_is():
    images = pictures(32)
    cut = cutout(images)
    kept = cut != HOLE
    assert torch.equal(cut[kept], images[kept])
    assert len({tuple(hole.flatten().tolist()) for hole in kept}) > 16  # another place for each sample


def test_every_pixel_can_be_in_the_hole():
    torch.manual_seed(0)
    shares = (cutout(torch.ones(4096, 1, 28, 28)) == HOLE).float().mean((0, 1))
    first = torch.arange(-7, 22)[:, None]  # 29 places of a stretch of 14, fewer of which reach the edge
    covered = ((first <= torch.arange(28)) & (torch.arange(28) < first + 14)).float().mean(0)
    # 784 shares of 4,096 draws with standard errors of at most 0.0066, allowed five of them
    torch.testing.assert_close(shares, torch.outer(covered, covered), rtol=0, atol=0.033)
    assert covered.tolist()[::27] == pytest.approx([8 / 29, 8 / 29]) and covered.max().item() == pytest.approx(14 / 29)


# Color


@in_float64
def test_brightness_adds_one_number_to_a_sample():
    torch.manual_seed(0)
    images = pictures(256, 3)
    added = (brightness(images) - images).flatten(1)
    assert_same(added, added[:, :1].expand_as(added))
    assert -0.5 <= added.min() < -0.45 and 0.45 < added.max() <= 0.5


@in_float64
def test_contrast_stretches_around_each_samples_mean():
    torch.manual_seed(0)
    images = pictures(256, 3)
    after = contrast(images)
    assert_same(after.mean((1, 2, 3)), images.mean((1, 2, 3)))
    factors = after.std((1, 2, 3)) / images.std((1, 2, 3))
    assert 0.5 - 1e-9 < factors.min() < 0.55 and 1.45 < factors.max() < 1.5 + 1e-9


@in_float64
def test_saturation_stretches_colors_around_gray():
    torch.manual_seed(0)
    images = pictures(256, 3)
    after = saturation(images)
    assert_same(after.mean(1), images.mean(1))
    factors = after.std(1).mean((1, 2)) / images.std(1).mean((1, 2))
    assert factors.min() < 0.1 and 1.9 < factors.max() < 2 + 1e-9


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_only_three_channels_have_a_saturation(channels):
    images = pictures(4, channels)
    assert saturation(images) is images


# All of them


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("policy", [[word] for word in EVERYTHING] + [EVERYTHING])
def test_augmentations_keep_shape_and_lead_gradients_back(policy, channels):
    torch.manual_seed(0)
    images = pictures(16, channels).requires_grad_(True)
    augmented = DiffAugment(policy)(images)
    assert augmented.shape == images.shape and augmented.dtype == torch.float32
    assert not torch.equal(augmented, images)
    augmented.square().sum().backward()
    assert (images.grad.flatten(1).abs().sum(1) > 0).all()


def test_the_order_is_the_papers_whatever_the_words_order():
    images = pictures(8, 3)
    torch.manual_seed(0)
    at_once = DiffAugment(["cutout", "color", "translation"])(images)
    torch.manual_seed(0)
    step_by_step = cutout(translation(contrast(saturation(brightness(images)))))
    assert torch.equal(at_once, step_by_step)


def test_the_same_seed_augments_the_same_and_each_call_anew():
    augment, images = DiffAugment(EVERYTHING), pictures(8)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(augment(images))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert not torch.equal(augment(images), augment(images))


def test_probability_decides_for_each_sample_alone():
    torch.manual_seed(0)
    images = pictures(1000)
    assert torch.equal(DiffAugment(EVERYTHING, p=0)(images), images)
    for p, share in ((1.0, 1.0), (0.3, 0.3)):
        changed = (DiffAugment(["color"], p=p)(images) != images).flatten(1).any(1).float().mean().item()
        assert changed == pytest.approx(share, abs=0.06)  # four standard errors


def test_samples_are_augmented_apart():
    """A sample's gradient is its own: what R1 needs."""
    images = pictures(4, 3).requires_grad_(True)
    (gradients,) = torch.autograd.grad(DiffAugment(EVERYTHING)(images)[0].sum(), images)
    assert gradients[0].abs().sum() > 0 and gradients[1:].abs().sum() == 0


def test_bfloat16_fakes_are_augmented_in_float32():
    assert DiffAugment(EVERYTHING)(pictures(4).bfloat16()).dtype == torch.float32


# In the game


class Marked(torch.nn.Module):
    """Adds 10: what has been through it can be told."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, images):
        self.calls.append(len(images))
        return images + 10


CALLS = {  # batches of 8 that go through the augmentation in a step of each player
    ("loss=non_saturating",): [8, 8, 8],  # D: real, fake; G: fake
    ("loss=relativistic",): [8, 8, 8, 8],  # G: real, too
    ("loss=relativistic", "network.discriminator.norm=batch"): [8, 8, 8, 8],
    ("loss=non_saturating", "penalty=[r1,r2]"): [8, 8, 8, 8, 8],  # and a call each for their gradients
    ("loss=non_saturating", "penalty=lecam"): [8, 8, 8],
}


@pytest.mark.parametrize("words", CALLS)
def test_both_players_and_the_penalties_see_augmented_images_only(words):
    module = built("network=mlp", *words)
    module.augment = Marked()
    smallest = []
    module.discriminator.register_forward_pre_hook(lambda network, inputs: smallest.append(inputs[0].min().item()))
    play(module, batches=2)
    assert module.augment.calls == 2 * CALLS[words]
    assert len(smallest) >= 4 and min(smallest) >= 9


def test_adaptive_augmentation_rises_while_real_images_are_known_and_falls_while_they_are_not():
    augment = AdaptiveAugment(EVERYTHING, target=0.5, images=100)
    sure, unsure = torch.tensor([3.0] * 9 + [-1.0]), torch.tensor([0.1] * 7 + [-9.0] * 3)  # mean signs 0.8 and 0.4
    seen = []
    for certainty in (unsure, sure, sure, unsure, sure):
        augment.adapt(certainty, images=10)
        seen.append(round(augment.p.item(), 6))
    assert seen == [0, 0.1, 0.2, 0.1, 0.2]
    for _ in range(20):
        augment.adapt(sure, images=10)
    assert augment.p == 1
    assert "p" in augment.state_dict()


def test_adaptive_augmentation_starts_with_none_and_follows_the_discriminator():
    """A D that starts sure of everything real: p moves by 8 of 80 images at each of three steps."""
    module = built("network=mlp", "augment=ada", "augment.images=80", "model.discriminator_optimizer.lr=0")
    assert torch.equal(module.augment(images := pictures(4)), images)
    torch.nn.init.zeros_(module.discriminator.head.weight)
    torch.nn.init.ones_(module.discriminator.head.bias)
    play(module, batches=3)
    assert module.augment.p.item() == pytest.approx(0.3)


def test_adaptive_augmentation_counts_images_not_packs():
    module = built("network=mlp", "augment=ada", "augment.images=80", "model.pack=2")
    torch.nn.init.zeros_(module.discriminator.head.weight)
    torch.nn.init.ones_(module.discriminator.head.bias)
    play(module, batches=1)
    assert module.augment.p.item() == pytest.approx(0.1)


def test_adaptive_augmentation_counts_from_where_the_loss_is_undecided():
    """LSGAN's logits are between 0 (fake) and 1: 0.6 is on the real side, 0.4 on the other."""
    for bias, p in ((0.6, 0.1), (0.4, 0)):
        words = ("network=mlp", "loss=least_squares", "augment=ada", "augment.images=80")
        module = built(*words, "model.discriminator_optimizer.lr=0")
        torch.nn.init.zeros_(module.discriminator.head.weight)
        torch.nn.init.constant_(module.discriminator.head.bias, bias)
        play(module, batches=1)
        assert module.augment.p.item() == pytest.approx(p)


@pytest.mark.parametrize("loss", ["wasserstein", "relativistic", "relativistic_average"])
def test_adaptive_augmentation_needs_logits_that_say_real_or_fake(loss):
    with pytest.raises(UserError, match="type augment=diffaugment, or a loss .* such as loss=non_saturating"):
        built(f"loss={loss}", "augment=ada")


@pytest.mark.parametrize("name", options("augment"))
def test_every_augmentation_plays(name):
    module = play(built("network=mlp", f"augment={name}", "penalty=r1"), batches=2)
    assert module.generator_steps == 2
    assert all(torch.isfinite(value).all() for value in module.state_dict().values())
    assert isinstance(module.augment, torch.nn.Identity if name == "none" else DiffAugment)


class Times(torch.nn.Module):
    """A linear critic; or, with `pixels`, an augmentation."""

    def __init__(self, weight, pixels=False):
        super().__init__()
        self.weight, self.pixels = weight, pixels

    def forward(self, images):
        product = images * self.weight
        return product if self.pixels else product.flatten(1).sum(1)


@in_float64
def test_gradient_penalties_differentiate_by_the_image_before_its_augmentation():
    """A fixed augmentation x -> 3 x makes a linear critic three times as steep: R1 is gamma / 2 times 9 |w|^2."""
    module = built("network=mlp", "penalty=r1", "penalty.r1.gamma=2.0")
    weight = torch.randn(1, 28, 28)
    module.discriminator = Times(weight)
    images = sample(pictures(5))
    for factor in (1.0, 3.0):
        module.augment = Times(factor, pixels=True)
        verdict = module.assess(images)
        value = module.penalise(images, images, verdict, verdict)
        assert_same(value, factor**2 * weight.square().sum())


def test_what_the_hole_hides_has_no_gradient():
    module = built("network=mlp", "augment=diffaugment", "augment.policy=[cutout]")
    seen = []
    module.discriminator.register_forward_pre_hook(lambda network, inputs: seen.append(inputs[0]))
    images = pictures(8).requires_grad_(True)
    (gradients,) = torch.autograd.grad(module.assess(sample(images)).logits.sum(), images)
    assert torch.equal(gradients == 0, seen[0] == HOLE)


def test_a_wrong_word_is_explained():
    with pytest.raises(UserError, match=r"augment.policy=\['colour'\] is not allowed: it should be 'color', 'transl"):
        built("augment=diffaugment", "augment.policy=[colour]")
    with pytest.raises(UserError, match=r"augment.p=2 is not allowed: it should be less than or equal to 1"):
        built("augment=diffaugment", "augment.p=2")
