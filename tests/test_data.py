import gzip
import hashlib
import multiprocessing
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from gan_lightning.data import (
    EMNIST,
    KMNIST,
    MNIST,
    QMNIST,
    Batch,
    BatchLoader,
    FashionMNIST,
    ImageFolder,
    MNIST5k,
    StackedMNIST,
    sources,
)
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


# IDX files


def idx_bytes(array):
    """uint8 (type 8) or int32 (type 12), big-endian."""
    header = bytes([0, 0, {1: 8, 4: 12}[array.itemsize], array.ndim])
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def md5(content):
    return hashlib.md5(content).hexdigest()


def offline(self):
    raise OSError("no network")


def gray_images(random, count):
    return random.integers(0, 256, (count, 28, 28), dtype=np.uint8)


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """A folder with four small IDX files, and checksums that make them official; no other source answers."""
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    folder = tmp_path / "data"
    checksums = {}
    for name in MNIST.checksums:
        count = 90 if name.startswith("train") else 20
        labels = random.integers(0, 10, count, dtype=np.uint8)
        content = idx_bytes(gray_images(random, count) if "images" in name else labels)
        checksums[name] = md5(content)
        (folder / "MNIST" / "raw").mkdir(parents=True, exist_ok=True)
        (folder / "MNIST" / "raw" / f"{name}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(MNIST, "checksums", checksums)
    monkeypatch.setattr(datasets.MNIST, "download", offline)
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
    official = torch.from_numpy(np.frombuffer(raw, np.uint8, offset=16).copy()).view(-1, 1, 28, 28)
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
    monkeypatch.setattr(datasets.FashionMNIST, "download", offline)
    monkeypatch.setattr(sources.shutil, "which", lambda name: None)
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", Path("nowhere"))
    with pytest.raises(
        UserError, match=r"torchvision's mirrors(.|\n)*Debian's package dataset-fashion-mnist: this is not Debian"
    ):
        FashionMNIST().fetch()


def test_an_installed_debian_package_is_read(tmp_path, monkeypatch):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "labels.gz").write_bytes(gzip.compress(b"content"))
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", (tmp_path / "package").relative_to("/"))
    sources.unpack_debian(["labels"], tmp_path)
    assert (tmp_path / "labels").read_bytes() == b"content"


# Data sets that are known by the checksums of torchvision's archives


@pytest.fixture
def small_kmnist(tmp_path, monkeypatch):
    """Four small archives in torchvision's layout, with checksums that make them official; no mirror answers."""
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [(tmp_path / "nowhere").as_uri() + "/"])
    random = np.random.default_rng(0)
    raw = tmp_path / "data" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    resources = []
    for name, _ in datasets.KMNIST.resources:
        count = 90 if name.startswith("train") else 20
        array = gray_images(random, count) if "images" in name else random.integers(0, 10, count, dtype=np.uint8)
        (raw / name).write_bytes(gzip.compress(idx_bytes(array)))
        resources.append((name, md5((raw / name).read_bytes())))
    monkeypatch.setattr(datasets.KMNIST, "resources", resources)
    return tmp_path / "data"


def test_torchvision_unpacks_the_archives_of_a_folder_without_network(small_kmnist):
    data = KMNIST(dir=str(small_kmnist), validation_images=10)
    splits = loaded(data)
    assert (data.short_name, data.reference, data.class_names[:3]) == ("kmnist", None, ["o", "ki", "su"])
    official = datasets.KMNIST(data.location.parent.parent, train=False)
    assert torch.equal(splits.test.images.squeeze(1), official.data)
    assert torch.equal(splits.test.labels, official.targets)
    assert [len(part.images) for part in splits] == [80, 10, 20]
    assert {file.name for file in data.location.iterdir()} == {*data.files, ".lock"}
    second = loaded(KMNIST(validation_images=10))
    assert torch.equal(splits.train.images, second.train.images)


def test_archives_come_from_a_mirror_whole_or_not_at_all(small_kmnist, monkeypatch):
    raw = small_kmnist / "KMNIST" / "raw"
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [raw.as_uri() + "/"])
    retrieve = "torchvision.datasets.utils._urlretrieve"  # which wants a length that files do not announce
    monkeypatch.setattr(retrieve, lambda url, file: shutil.copyfile(raw / Path(url).name, file))
    whole = (raw / "t10k-labels-idx1-ubyte.gz").read_bytes()
    (raw / "t10k-labels-idx1-ubyte.gz").write_bytes(whole[:-5])
    data = KMNIST(validation_images=10)
    with pytest.raises(UserError, match="torchvision's mirrors: (.|\n)*corrupted"):
        data.fetch()
    assert {file.name for file in data.location.iterdir()} == {".lock"}
    (raw / "t10k-labels-idx1-ubyte.gz").write_bytes(whole)
    assert len(loaded(data).train.images) == 80


def test_what_a_folder_lacks_or_has_damaged_is_named_with_what_to_do(small_kmnist):
    archive = small_kmnist / "KMNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    archive.write_bytes(archive.read_bytes()[:-5])
    with pytest.raises(UserError, match=r"t10k-labels-idx1-ubyte.gz has MD5 .*, not .*damaged"):
        KMNIST(dir=str(small_kmnist)).fetch()
    archive.unlink()
    with pytest.raises(UserError) as caught:
        KMNIST(dir=str(small_kmnist)).fetch()
    message = str(caught.value)
    assert f"data.dir={small_kmnist}: no t10k-labels-idx1-ubyte.gz in {small_kmnist}" in message
    assert "Type data.dir=FOLDER with a folder that holds what torchvision downloads (train-images-idx3-" in message


@pytest.fixture
def small_emnist(tmp_path, monkeypatch):
    """The one archive of two splits, flat in a folder; each image is bright at the left, stored column by column."""
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    upright = np.zeros((26, 28, 28), np.uint8)
    upright[:, :, :5] = np.arange(100, 126)[:, None, None]  # the class is in the gray level
    with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as archive:
        for split, first, classes in (("letters", 1, 27), ("digits", 0, 10)):
            for part in ("train", "test"):
                prefix = f"gzip/emnist-{split}-{part}"
                images = idx_bytes(upright.transpose(0, 2, 1))
                archive.writestr(f"{prefix}-images-idx3-ubyte.gz", gzip.compress(images))
                labels = idx_bytes(np.arange(first, first + 26, dtype=np.uint8) % classes)
                archive.writestr(f"{prefix}-labels-idx1-ubyte.gz", gzip.compress(labels))
    monkeypatch.setattr(datasets.EMNIST, "md5", md5((tmp_path / "gzip.zip").read_bytes()))
    return tmp_path


def test_emnist_is_upright_and_its_letters_are_counted_from_0(small_emnist):
    data = EMNIST(dir=str(small_emnist), validation_images=5)
    splits = loaded(data)
    assert (data.short_name, len(data.class_names), data.class_names[0]) == ("emnist_letters", 26, "a")
    assert [len(part.images) for part in splits] == [21, 5, 26]
    assert splits.test.labels.tolist() == list(range(26))
    for images, labels in splits:
        assert (images[:, 0, :, :5] == labels[:, None, None] + 100).all() and (images[:, 0, :, 5:] == 0).all()


def test_every_split_of_emnist_comes_from_one_archive(small_emnist, monkeypatch):
    loaded(EMNIST(dir=str(small_emnist), validation_images=5))
    monkeypatch.setattr(datasets.EMNIST, "download", offline)
    assert loaded(EMNIST("digits", validation_images=5)).test.labels.tolist() == [i % 10 for i in range(26)]
    with pytest.raises(
        UserError, match=r"EMNIST is not on this machine(.|\n)*holds what torchvision downloads \(gzip.zip\)"
    ):
        EMNIST("balanced").fetch()


@pytest.mark.parametrize("split", datasets.EMNIST.splits)
def test_emnists_splits_and_classes_are_torchvisions(split):
    data = EMNIST(split)
    classes = {"byclass": 62, "bymerge": 47, "balanced": 47, "letters": 26, "digits": 10, "mnist": 10}
    assert len(data.class_names) == len(set(data.class_names)) == classes[split]
    assert data.files[::3] == (f"emnist-{split}-train-images-idx3-ubyte", f"emnist-{split}-test-labels-idx1-ubyte")


def test_qmnists_first_label_is_the_class(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    resources = {}
    labels = {part: random.integers(0, 10, (30, 8), dtype=np.int32) for part in ("train", "test")}
    for part, rows in labels.items():
        contents = {}
        for (url, _), array in zip(datasets.QMNIST.resources[part], (gray_images(random, 30), rows), strict=True):
            contents[url] = gzip.compress(idx_bytes(array))
            (tmp_path / Path(url).name).write_bytes(contents[url])
        resources[part] = [(url, md5(content)) for url, content in contents.items()]
    monkeypatch.setattr(datasets.QMNIST, "resources", resources)
    data = QMNIST(dir=str(tmp_path), validation_images=5, validation_from="end")
    splits = loaded(data)
    assert splits.train.labels.tolist() == labels["train"][:25, 0].tolist()
    assert splits.test.labels.tolist() == labels["test"][:, 0].tolist()
    assert {file.name for file in data.location.iterdir()} == {*data.files, ".lock"}


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
