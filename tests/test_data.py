import math

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.data import MNIST, FashionMNIST, ImageFolder, MNIST5k, Ring, StackedMNIST
from gan_lightning.errors import UserError
from gan_lightning.evaluation.outlook import can_be_scored, describe_scoring
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.images import resize, to_float, to_uint8

# mnist_5k


def test_mnist_5k_is_500_real_digits_of_each_class():
    data = MNIST5k()
    data.fetch()
    splits = data.load()
    everything = torch.cat([part.images for part in splits]).flatten(1)
    labels = torch.cat([part.labels for part in splits])
    assert [len(part.images) for part in splits] == [4000, 500, 500]
    assert torch.bincount(labels).tolist() == [500] * 10
    rows = {bytes(row.numpy().tobytes()) for row in everything}
    assert len(rows) == 5000  # no digit is in two splits, and none twice
    assert everything.float().mean().item() == pytest.approx(33.3, abs=1)  # MNIST's own mean is 33.3 of 255
    assert data.class_names == [str(i) for i in range(10)]


def test_larger_digits_are_the_same_digits_resized():
    small, large = MNIST5k(), MNIST5k(size=64)
    small.fetch()
    assert large.image_shape == (1, 64, 64)
    for before, after in zip(small.load(), large.load(), strict=True):
        assert torch.equal(before.labels, after.labels)
        assert torch.equal(after.images, resize(before.images, (64, 64)))


def test_larger_digits_are_scored_under_another_name_by_another_classifier():
    """The shipped classifier would read 64x64 pixels without complaint, and its figures would mean nothing."""
    for kind, name in ((MNIST, "mnist"), (FashionMNIST, "fashion_mnist"), (MNIST5k, "mnist_5k")):
        assert (kind().short_name, kind(size=28).reference) == (name, kind.reference) and kind.reference
        assert (kind(size=64).short_name, kind(size=64).reference) == (f"{name}_64", None)
    assert StackedMNIST(size=32).image_shape == (3, 32, 32)


def test_a_damaged_cache_of_digits_is_mended(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path))
    data = MNIST5k()
    data.location.mkdir()
    (data.location / "digits.bin").write_bytes(b"half a file")
    data.fetch()
    assert len(data.load().train.images) == 4000


# Image folders


@pytest.fixture
def pictures(tmp_path):
    """40 gray 28x28 PNG files in two classes."""
    random = np.random.default_rng(0)
    for index in range(40):
        folder = tmp_path / "pictures" / ("cats" if index % 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (28, 28), dtype=np.uint8)).save(folder / f"{index:02d}.png")
    return tmp_path / "pictures"


def test_an_image_folder_with_classes(pictures):
    data = ImageFolder(str(pictures))
    splits = data.load()
    assert data.image_shape == (1, 28, 28)
    assert data.class_names == ["cats", "dogs"]
    assert sum(len(part.images) for part in splits) == 40
    stored = {path.parent.name: [] for path in data.files}
    for path in data.files:
        stored[path.parent.name].append(np.asarray(Image.open(path)).tobytes())
    for image, label in zip(splits.train.images, splits.train.labels, strict=True):
        assert image.numpy().tobytes() in stored[data.class_names[label]]


def test_a_flat_folder_of_jpegs_in_colour_resized(tmp_path):
    for index in range(12):
        Image.new("RGB", (80, 50 + index), (index * 20, 0, 255)).save(tmp_path / f"{index}.jpeg")
    data = ImageFolder(str(tmp_path), size=32)
    assert data.image_shape == (3, 32, 32)
    assert data.class_names == []
    images = torch.cat([part.images for part in data.load()])
    assert images[:, 2].float().mean().item() == pytest.approx(254, abs=3)  # JPEG keeps plain blue nearly exactly


def test_16_bit_gray_pictures_keep_their_grays(tmp_path):
    values = np.linspace(0, 65535, 28 * 28).astype(np.uint16).reshape(28, 28)
    for index in range(12):
        Image.fromarray(values).save(tmp_path / f"{index}.png")
    image = ImageFolder(str(tmp_path)).load().train.images[0, 0]
    assert torch.equal(image, torch.from_numpy((values / 257).round().astype(np.uint8)))


def test_mixed_sizes_unreadable_files_and_empty_folders_are_explained(pictures, tmp_path):
    Image.new("L", (30, 30)).save(pictures / "cats" / "big.png")
    with pytest.raises(UserError, match=r"images of mixed size: .* is 28x28, .*big.png is 30x30 .*; type data.size=28"):
        ImageFolder(str(pictures))
    (pictures / "cats" / "big.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"big.png cannot be read as an image"):
        ImageFolder(str(pictures))
    whole = (pictures / "dogs" / "00.png").read_bytes()
    (pictures / "cats" / "big.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"big.png cannot be read as an image"):
        ImageFolder(str(pictures)).load()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no image; .bmp, .gif, .*.png, .* files are read"):
        ImageFolder(str(tmp_path / "empty"))
    with pytest.raises(UserError, match="is not a folder"):
        ImageFolder(str(tmp_path / "nowhere"))


def test_sizes_no_network_takes_are_refused(tmp_path):
    for index in range(12):
        Image.new("L", (50, 50)).save(tmp_path / f"{index}.png")
    with pytest.raises(UserError, match=r"images are 50x50 .* 16, 20, 24, .* or 128 pixels.*; type data.size=48 to"):
        ImageFolder(str(tmp_path))


# Data modules


def test_a_batch_larger_than_the_data_is_refused():
    data = MNIST5k(batch_size=4001)
    data.fetch()
    with pytest.raises(UserError, match=r"data.batch_size=4001 is larger than the 4,000 training images; type"):
        data.setup()


# A ring of Gaussians


def test_the_points_of_the_ring_have_its_moments():
    ring = Ring(modes=5, deviation=0.03, radius=0.6, points=20_000)
    train, validation, test = ring.load()
    assert (len(validation.images), len(test.images), ring.class_names) == (1000, 1000, ["0", "1", "2", "3", "4"])
    assert train.images.shape == (20_000, *ring.image_shape) and train.images.dtype == torch.uint8
    torch.testing.assert_close(ring.centres.norm(dim=1), torch.full((5,), 0.6))
    torch.testing.assert_close(ring.centres[0], torch.tensor([0.6, 0.0]))
    for mode, centre in enumerate(ring.centres):
        points = to_float(train.images[train.labels == mode]).flatten(1)
        torch.testing.assert_close(points.mean(0), centre, atol=0.003, rtol=0)
        torch.testing.assert_close(points.std(0), torch.full((2,), 0.03), atol=0.002, rtol=0)


def test_modes_are_counted_within_three_deviations():
    ring = Ring()
    data = ring.count_modes(ring.load().train.images)
    assert data.found == 8 and data.share == pytest.approx(1 - math.exp(-4.5), abs=0.004)
    assert data.counts.sum() == round(data.share * 10_000)
    centres = to_uint8(ring.centres).reshape(8, 1, 1, 2)
    few = ring.count_modes(torch.cat([centres[:3], centres[:1], to_uint8(torch.zeros(4, 1, 1, 2))]))
    assert few.counts.tolist() == [2, 1, 1, 0, 0, 0, 0, 0] and (few.found, few.share) == (3, 0.5)
    assert ring.count_modes(to_uint8(torch.zeros(4, 1, 1, 2))).found == 0


def test_points_are_not_scored():
    ring = Ring()
    ring.setup()
    assert not can_be_scored(ring)
    assert describe_scoring(ring) == [
        "scores      none: images of fewer than 16x16 pixels have no reference classifier"
    ]
    with pytest.raises(UserError, match="scores are of images of 16x16 or more, and those of ring_8 are 1x2; look at"):
        Scorer(ring)
