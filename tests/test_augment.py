"""Each augmentation alone, and DiffAugment: what moves, what stays, gradients."""

import math

import pytest
import torch

from gan_lightning.augment import (
    BACKGROUND,
    HOLE,
    DiffAugment,
    brightness,
    contrast,
    cutout,
    saturation,
    shift,
    translation,
)
from tests.helpers import assert_same, in_float64

SIZES = [(28, 28), (32, 32), (30, 17)]
EVERYTHING = ["color", "translation", "cutout"]
AT_REST = "optimizer.discriminator.lr=0"


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
def test_augmentations_keep_shape_and_are_differentiable(policy, channels):
    torch.manual_seed(0)
    images = pictures(16, channels).requires_grad_(True)
    augmented = DiffAugment(policy, p=1.0)(images)
    assert augmented.shape == images.shape and augmented.dtype == torch.float32
    assert not torch.equal(augmented, images)
    augmented.square().sum().backward()
    assert (images.grad.flatten(1).abs().sum(1) > 0).all()


def test_the_order_is_the_papers_whatever_the_order_of_the_policy():
    images = pictures(8, 3)
    torch.manual_seed(0)
    at_once = DiffAugment(["cutout", "color", "translation"], p=1.0)(images)
    torch.manual_seed(0)
    step_by_step = cutout(translation(contrast(saturation(brightness(images)))))
    assert torch.equal(at_once, step_by_step)


def test_augmentations_are_the_seeds_and_new_at_each_call():
    augment, images = DiffAugment(EVERYTHING, p=1.0), pictures(8)
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


def test_samples_are_augmented_independently():
    """Each augmented sample depends on its own image alone: R1 relies on it."""
    images = pictures(4, 3).requires_grad_(True)
    (gradients,) = torch.autograd.grad(DiffAugment(EVERYTHING, p=1.0)(images)[0].sum(), images)
    assert gradients[0].abs().sum() > 0 and gradients[1:].abs().sum() == 0


def test_bfloat16_fakes_are_augmented_in_float32():
    assert DiffAugment(EVERYTHING, p=1.0)(pictures(4).bfloat16()).dtype == torch.float32
