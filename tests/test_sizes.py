"""Sizes of images: which are taken, and every network at many of them."""

import pytest
import torch
from PIL import Image

from gan_lightning.augment import POLICIES, DiffAugment, translation
from gan_lightning.build import build, load_sampler
from gan_lightning.config.compose import compose, options
from gan_lightning.data import ImageFolder, MNIST5k
from gan_lightning.data.pictures import read_header
from gan_lightning.errors import UserError
from gan_lightning.images import resize
from gan_lightning.networks import ConvPoolGenerator
from gan_lightning.sizes import SIDES, nearest_size, read_size
from tests.helpers import generate, logits, run, weights

SIZES = [(side, side) for side in SIDES] + [(32, 48), (28, 40), (40, 28), (16, 112), (128, 20)]

NARROW = {"width": 4, "code_dim": 4, "group_size": 4, "pieces": 2}
"""Options that make a network small."""


def narrow(part):
    """The options of a network's part that make it small, where it has them."""
    hidden = {"hidden": 8 if isinstance(part.hidden, int) else [8]} if "hidden" in part else {}
    return {key: value for key, value in NARROW.items() if key in part} | hidden


@pytest.mark.parametrize("network", options("network"))
def test_every_network_takes_every_size(network):
    parts = compose(f"network={network}").network
    for image_shape in ((3, *size) for size in SIZES):
        generator = build(
            parts.generator, image_shape=image_shape, latent_dim=10, condition_dim=0, **narrow(parts.generator)
        )
        discriminator = build(parts.discriminator, image_shape=image_shape, **narrow(parts.discriminator))
        with torch.no_grad():
            images = generate(generator, torch.randn(2, 10))
            assert images.shape == (2, *image_shape)
            assert logits(discriminator, images).shape == (2,)


def test_the_sides_are_those_that_can_be_halved_down_to_4_to_7_pixels():
    def smallest(side):
        return side if side <= 7 or side % 2 else smallest(side // 2)

    assert list(SIDES) == [side for side in range(16, 129) if 4 <= smallest(side) <= 7]


@pytest.mark.parametrize("size,nearest", [((50, 50), "48"), ((7, 500), r"\[16,128\]"), ((26, 33), r"\[24,32\]")])
def test_other_sizes_are_refused_with_the_nearest_that_can(size, nearest):
    with pytest.raises(
        UserError, match=rf"data.size=.* is not allowed: each side may be 16, .*; type data.size={nearest}$"
    ):
        read_size(list(size))
    assert read_size(list(nearest_size(size))) == nearest_size(size)


def test_a_size_is_a_number_or_two():
    assert read_size(64) == (64, 64) and read_size([48, 64]) == (48, 64)
    for size in ([64], [64, 64, 3]):
        with pytest.raises(UserError, match=r"type one number for squares, or data.size=\[HEIGHT,WIDTH\]"):
            read_size(size)


def test_networks_that_shrink_by_fixed_steps_refuse_other_sizes():
    with pytest.raises(UserError, match=r"images of 30x32 \(height x width\) have a side .*; type data.size=\[28,32\]"):
        ConvPoolGenerator((1, 30, 32), 4, 0, 8, 4, "none")


@pytest.mark.parametrize("size", [64, [48, 64], [64, 48]])
def test_pictures_are_cropped_and_resized(tmp_path, size):
    """White in the middle, black at the edges: the central part of the wanted proportions stays."""
    for index in range(8):
        Image.new("L", (200, 100), index).save(tmp_path / f"{index}.png")
    data = ImageFolder(str(tmp_path), size=size, held_out=0, batch_size=4)
    data.setup()
    assert data.training.images.shape[1:] == data.image_shape == (1, *read_size(size))


def test_the_files_own_size_may_be_oblong_and_is_as_they_are_shown(tmp_path):
    for index in range(8):
        exif = Image.Exif()
        exif[0x0112] = 6  # a camera held upright: turned by a quarter when shown
        Image.new("RGB", (64, 48), (index, 0, 0)).save(tmp_path / f"{index}.jpg", exif=exif)
    assert read_header(tmp_path / "0.jpg")[0] == (48, 64)
    data = ImageFolder(str(tmp_path), held_out=0, batch_size=4)
    data.setup()
    assert data.training.images.shape[1:] == data.image_shape == (3, 64, 48)


def test_sizes_are_part_of_the_names_of_built_in_data():
    names = [MNIST5k(size=size).short_name for size in (28, [28, 28], 32, [32, 48])]
    assert names == ["mnist_5k", "mnist_5k", "mnist_5k_32", "mnist_5k_32x48"]
    assert MNIST5k().reference is not None and MNIST5k(size=[32, 48]).reference is None


def test_resizing_keeps_constants_and_averages_when_smaller():
    flat = torch.full((2, 1, 28, 28), 77, dtype=torch.uint8)
    assert all((resize(flat, size) == 77).all() for size in ((16, 64), (20, 20)))
    stripes = torch.tensor([0, 254], dtype=torch.uint8).repeat(16).expand(1, 1, 32, 32)
    inside = resize(stripes, (16, 16))[..., 2:-2].int()
    assert (inside - 127).abs().max() <= 1


@pytest.mark.parametrize("policy", POLICIES)
def test_augmentations_keep_the_shape_of_oblong_images(policy):
    images = torch.rand(16, 3, 16, 48) * 2 - 1
    augmented = DiffAugment([policy], p=1)(images)
    assert augmented.shape == images.shape and not torch.equal(augmented, images)


def test_translations_of_oblong_images_are_an_eighth_of_each_side_at_most():
    dot = torch.full((400, 1, 16, 48), -1.0)
    dot[:, :, 8, 24] = 1.0
    places = translation(dot)[:, 0].eq(1).nonzero()
    assert set(places[:, 1].tolist()) == set(range(6, 11)) and set(places[:, 2].tolist()) == set(range(18, 31))


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("conditioning=channel", "augment=ada"),
        ("network=sagan", "model.pack=2"),
        ("model=infogan", "network=plain_dcgan", "augment=diffaugment_color"),
        ("model=wgan_gp", "network=r3gan", "conditioning=projection"),
    ],
)
def test_runs_train_on_oblong_images(tmp_path, words):
    narrow = (*(f"network.{part}.width=8" for part in ("generator", "discriminator")), "data.size=[16,20]")
    folder = run(tmp_path / "run", *words, *narrow, "max_generator_steps=2")
    assert all(value.isfinite().all() for value in weights(folder).values())
    assert load_sampler(str(folder.path))[0].sample(2).shape == (2, 1, 16, 20)
