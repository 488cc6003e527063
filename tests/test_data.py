import gzip
import hashlib
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.data import MNIST, Batch, BatchLoader, FashionMNIST, ImageFolder, MNIST5k, StackedMNIST, sources
from gan_lightning.data.idx import parse_idx
from gan_lightning.data.image_data import hold_out
from gan_lightning.errors import UserError
from gan_lightning.evaluation.extractor import fingerprint
from gan_lightning.images import resize


def numbered(count):
    """Images whose pixels and labels are their own index."""
    labels = torch.arange(count)
    return Batch(labels.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous(), labels)


def drawn(loader):
    return torch.cat([batch.labels for batch in loader]).tolist()


# Batches


def test_each_image_once_an_epoch_in_a_new_order():
    loader = BatchLoader(numbered(60), batch_size=10, seed=0)
    first, second = drawn(loader), drawn(loader)
    assert sorted(first) == sorted(second) == list(range(60))
    assert first != second


def test_the_order_is_the_seeds_alone():
    torch.manual_seed(1)
    first = drawn(BatchLoader(numbered(60), 10, seed=3))
    torch.manual_seed(2)
    assert drawn(BatchLoader(numbered(60), 10, seed=3)) == first
    assert drawn(BatchLoader(numbered(60), 10, seed=4)) != first


def test_drawing_leaves_the_global_random_numbers_alone():
    before = torch.get_rng_state()
    drawn(BatchLoader(numbered(60), 10, seed=0))
    assert torch.equal(torch.get_rng_state(), before)


def test_images_keep_their_labels_and_incomplete_batches_are_dropped():
    loader = BatchLoader(numbered(65), 10, seed=0)
    batches = list(loader)
    assert len(loader) == len(batches) == 6
    for images, labels in batches:
        assert images.dtype == torch.uint8
        assert torch.equal(images[:, 0, 0, 0].long(), labels)


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_the_batches_of_one(world_size):
    alone = list(BatchLoader(numbered(60), 12, seed=5))
    shares = [list(BatchLoader(numbered(60), 12, 5, rank, world_size)) for rank in range(world_size)]
    for whole, *parts in zip(alone, *shares, strict=True):
        assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)


@pytest.mark.parametrize("seed", range(20))
def test_balanced_batches_hold_every_class_equally_often(seed):
    labels = torch.tensor([0] * 50 + [1] * 7 + [3] * 3)  # nobody is of class 2
    data = Batch(torch.arange(60, dtype=torch.uint8).view(-1, 1, 1, 1), labels)
    loader = BatchLoader(data, 10, seed, balanced=True)
    epochs = [list(loader), list(loader)]
    for images, classes in (batch for epoch in epochs for batch in epoch):
        counts = torch.bincount(classes, minlength=4)[[0, 1, 3]]
        assert counts.sum() == 10 and counts.max() - counts.min() <= 2
        assert torch.equal(labels[images.flatten().long()], classes)
    drawn_images = torch.cat([batch.images.flatten() for batch in epochs[0]])
    times = torch.bincount(drawn_images.long(), minlength=60)
    assert times[:50].max() == 1  # twenty of fifty, none twice
    assert set(times[50:57].tolist()) == {2, 3} and set(times[57:].tolist()) == {6, 7}
    assert not torch.equal(drawn_images, torch.cat([batch.images.flatten() for batch in epochs[1]]))


def test_images_without_classes_cannot_be_balanced(tmp_path):
    for name in range(12):
        Image.new("L", (28, 28), name).save(tmp_path / f"{name}.png")
    data = ImageFolder(str(tmp_path), batch_size=4, balanced=True)
    data.setup()
    with pytest.raises(UserError, match="has no classes; type data.balanced=false"):
        data.train_dataloader()


@pytest.mark.parametrize("stop", [0, 1, 4, 6, 9])
def test_a_stopped_loader_goes_on_at_the_next_batch(stop):
    def stream(loader, epochs):
        return [batch.labels.tolist() for _ in range(epochs) for batch in loader]

    uninterrupted = stream(BatchLoader(numbered(60), 10, seed=0), 3)
    loader = BatchLoader(numbered(60), 10, seed=0)
    seen = []
    while len(seen) < stop:
        for batch in loader:
            seen.append(batch.labels.tolist())
            if len(seen) == stop:
                break
    resumed = BatchLoader(numbered(60), 10, seed=0)
    resumed.load_state_dict(loader.state_dict())
    while len(seen) < len(uninterrupted):
        seen += stream(resumed, 1)
    assert seen == uninterrupted


def test_holding_out_is_disjoint_complete_and_always_the_same():
    rest, held = hold_out(numbered(100), 30)
    assert sorted([*rest.labels.tolist(), *held.labels.tolist()]) == list(range(100))
    assert hold_out(numbered(100), 30)[1].labels.tolist() == held.labels.tolist()
    with pytest.raises(UserError, match="cannot hold out 100 of 100 images"):
        hold_out(numbered(100), 100)


def test_the_last_images_can_be_held_out_instead():
    rest, held = hold_out(numbered(100), 30, "end")
    assert (rest.labels.tolist(), held.labels.tolist()) == (list(range(70)), list(range(70, 100)))
    rest, held = hold_out(numbered(100), 0, "end")
    assert (len(rest.images), len(held.images)) == (100, 0)


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
        assert torch.equal(after.images, resize(before.images, 64))


def test_larger_digits_are_scored_under_another_name_by_another_judge():
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


# IDX files


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


def test_idx_round_trip():
    array = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    assert torch.equal(parse_idx(idx_bytes(array)), torch.from_numpy(array))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", idx_bytes(np.zeros((3, 4), np.uint8))[:-1]])
def test_damaged_idx_files_are_refused(content):
    with pytest.raises(ValueError, match=r"not an IDX file|truncated"):
        parse_idx(content)


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """A folder with four small IDX files, and checksums that make them official; no other source answers."""
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    folder = tmp_path / "data"
    checksums = {}
    for name in MNIST.checksums:
        count = 90 if name.startswith("train") else 20
        array = random.integers(0, 10 if "labels" in name else 256, (count, 28, 28) if "images" in name else count)
        content = idx_bytes(array.astype(np.uint8))
        checksums[name] = hashlib.md5(content).hexdigest()
        (folder / "MNIST" / "raw").mkdir(parents=True, exist_ok=True)
        (folder / "MNIST" / "raw" / f"{name}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(MNIST, "checksums", checksums)

    def offline(class_name):
        raise OSError("no network")

    monkeypatch.setattr(sources, "downloaded_by_torchvision", offline)
    return folder


def loaded(data):
    data.fetch()
    return data.load()


def test_gzipped_files_in_torchvisions_layout(small_mnist):
    splits = loaded(MNIST(dir=str(small_mnist), validation_images=10))
    assert [len(part.images) for part in splits] == [80, 10, 20]
    assert splits.train.images.shape[1:] == (1, 28, 28)
    assert splits.train.labels.dtype == torch.int64


def test_the_first_images_of_the_file_are_trained_on_when_the_last_are_held_out(small_mnist):
    """In the official order, before the loader shuffles them; other parts than at random, so scores' caches differ."""
    raw = gzip.decompress((small_mnist / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").read_bytes())
    official = parse_idx(raw).unsqueeze(1)
    at_the_end = loaded(MNIST(dir=str(small_mnist), validation_images=40, validation_from="end"))
    assert torch.equal(at_the_end.train.images, official[:50])
    assert torch.equal(at_the_end.validation.images, official[50:])
    at_random = loaded(MNIST(dir=str(small_mnist), validation_images=40))
    assert torch.equal(at_the_end.test.images, at_random.test.images)
    for one, other in zip(at_the_end[:2], at_random[:2], strict=True):
        assert len(one.images) == len(other.images) and fingerprint(one) != fingerprint(other)


def test_flat_unpacked_files_and_the_environment_variable(small_mnist, tmp_path, monkeypatch):
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in (small_mnist / "MNIST" / "raw").iterdir():
        (flat / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    monkeypatch.setenv("GAN_LIGHTNING_DATA", str(flat))
    assert len(loaded(MNIST(validation_images=10)).train.images) == 80


def test_the_cache_serves_when_the_folder_is_gone(small_mnist):
    first = loaded(MNIST(dir=str(small_mnist), validation_images=10))
    second = loaded(MNIST(dir="/nowhere", validation_images=10))
    assert torch.equal(first.train.images, second.train.images)


def test_the_named_folder_is_never_written_to(small_mnist):
    before = {path: path.stat().st_mtime_ns for path in small_mnist.rglob("*")}
    loaded(MNIST(dir=str(small_mnist), validation_images=10))
    assert {path: path.stat().st_mtime_ns for path in small_mnist.rglob("*")} == before


def test_a_damaged_file_is_named_with_what_to_do(small_mnist):
    file = small_mnist / "MNIST" / "raw" / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError) as caught:
        MNIST(dir=str(small_mnist)).fetch()
    message = str(caught.value)
    assert f"data.dir={small_mnist}" in message
    assert "torchvision's mirrors: no network" in message
    assert "Type data.dir=FOLDER" in message and "data=mnist_5k" in message


def test_another_data_set_under_the_right_name_is_refused(small_mnist, monkeypatch):
    monkeypatch.setattr(MNIST, "checksums", MNIST.checksums | {"t10k-labels-idx1-ubyte": "0" * 32})
    with pytest.raises(UserError, match=r"has MD5 .*, not 0000"):
        MNIST(dir=str(small_mnist)).fetch()


def test_a_truncated_cache_is_mended(small_mnist):
    data = MNIST(dir=str(small_mnist), validation_images=10)
    data.fetch()
    cached = data.location / "train-images-idx3-ubyte"
    whole = cached.read_bytes()
    for damaged in (whole[:1000], whole[:-1] + bytes([whole[-1] ^ 1])):
        cached.write_bytes(damaged)
        assert len(loaded(data).train.images) == 80
        assert cached.read_bytes() == whole


def fetch_in_process(arguments):
    folder, checksums = arguments
    MNIST.checksums = checksums
    data = MNIST(dir=folder, validation_images=10)
    data.fetch()
    return len(data.load().train.images)


@pytest.mark.slow
def test_runs_started_at_once_share_one_cache(small_mnist):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(fetch_in_process, [(str(small_mnist), MNIST.checksums)] * 2) == [80] * 2


def test_fashion_mnist_asks_debian_last(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "downloaded_by_torchvision", lambda name: {})
    monkeypatch.setattr(sources.shutil, "which", lambda name: None)
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", Path("nowhere"))
    with pytest.raises(
        UserError, match=r"torchvision's mirrors(.|\n)*Debian's package dataset-fashion-mnist: this is no Debian"
    ):
        FashionMNIST().fetch()


def test_an_installed_debian_package_is_read(tmp_path, monkeypatch):
    (tmp_path / "labels.gz").write_bytes(gzip.compress(b"content"))
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", tmp_path.relative_to("/"))
    assert sources.read_from_debian("labels") == b"content"


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
    assert [len(part.images) for part in splits] == [32, 4, 4]
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
    with pytest.raises(UserError, match=r"images of mixed size: .* is 28x28, .*big.png is 30x30; type data.size"):
        ImageFolder(str(pictures))
    (pictures / "cats" / "big.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"big.png cannot be read as an image"):
        ImageFolder(str(pictures))
    whole = (pictures / "dogs" / "00.png").read_bytes()
    (pictures / "cats" / "big.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"big.png cannot be read as an image"):
        ImageFolder(str(pictures)).load()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no image; .jpeg, .jpg, .png files are read"):
        ImageFolder(str(tmp_path / "empty"))
    with pytest.raises(UserError, match="is not a folder"):
        ImageFolder(str(tmp_path / "nowhere"))


def test_sizes_no_network_takes_are_refused(tmp_path):
    for index in range(12):
        Image.new("L", (50, 50)).save(tmp_path / f"{index}.png")
    with pytest.raises(UserError, match=r"images are 50x50; 28x28, 32x32 and 64x64 can be used: type data.size="):
        ImageFolder(str(tmp_path))


# Data modules


def test_a_batch_larger_than_the_data_is_refused():
    data = MNIST5k(batch_size=4001)
    data.fetch()
    with pytest.raises(UserError, match=r"data.batch_size=4001 is larger than the 4,000 training images; type"):
        data.setup()
