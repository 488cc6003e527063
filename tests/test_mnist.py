"""MNIST and Fashion-MNIST: any copy of the files, known by the checksums of what they hold."""

import gzip
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from gan_lightning.data import MNIST, FashionMNIST, sources
from gan_lightning.errors import UserError
from gan_lightning.evaluation.extractor import fingerprint
from tests.idx_files import gray_images, idx_bytes, loaded, md5, offline


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


def test_the_cache_serves_when_the_folder_is_gone(small_mnist, monkeypatch):
    first = loaded(MNIST(dir=str(small_mnist), validation_images=10))
    monkeypatch.setenv("GAN_LIGHTNING_DATA", "/nowhere")
    second = loaded(MNIST(validation_images=10))
    assert torch.equal(first.train.images, second.train.images)


def test_a_folder_that_is_named_must_hold_the_data_set_although_the_cache_does(small_mnist, tmp_path):
    """Otherwise another data set than the one that is named would be trained on, and recorded under its name."""
    loaded(MNIST(dir=str(small_mnist), validation_images=10))
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(UserError, match=r"no train-images-idx3-ubyte(.|\n)*Type data.dir=FOLDER .*data.dir=null"):
            MNIST(dir=str(folder)).fetch()
    labels = small_mnist / "MNIST" / "raw" / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(gzip.compress(b"others"))
    with pytest.raises(UserError, match=r"train-labels-idx1-ubyte.gz has MD5 .* .damaged, or another data set"):
        MNIST(dir=str(small_mnist)).fetch()


def test_another_data_set_in_the_folder_is_named(small_mnist, tmp_path):
    for name in MNIST.checksums:
        (tmp_path / name).write_bytes(gzip.decompress((small_mnist / "MNIST" / "raw" / f"{name}.gz").read_bytes()))
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte is a file of data=mnist, not of Fashion-MNIST"):
        FashionMNIST(dir=str(tmp_path)).fetch()


NAMES = {
    "a dot": lambda name: name.replace("-idx", ".idx"),
    "a dot, gzipped": lambda name: name.replace("-idx", ".idx") + ".gz",
    "test": lambda name: name.replace("t10k", "test"),
    "a folder of the same name": lambda name: f"{name}/{name}",
    "one folder deeper": lambda name: f"archive/{name}.gz",
    "one folder higher": lambda name: f"../{name}",
}


@pytest.mark.parametrize("place", NAMES)
def test_files_under_other_names_and_a_folder_deeper_or_higher_are_found(small_mnist, tmp_path, place):
    folder = tmp_path / "mine" / "chosen"
    folder.mkdir(parents=True)
    for name in MNIST.checksums:
        content = (small_mnist / "MNIST" / "raw" / f"{name}.gz").read_bytes()
        target = folder / NAMES[place](name)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content if target.suffix == ".gz" else gzip.decompress(content))
    assert len(loaded(MNIST(dir=str(folder), validation_images=10)).train.images) == 80


def test_a_gzip_bomb_is_not_unpacked(small_mnist, monkeypatch):
    monkeypatch.setattr(sources, "LARGEST_UNPACKED", 100_000)
    bomb = small_mnist / "MNIST" / "raw" / "train-images-idx3-ubyte.gz"
    bomb.write_bytes(gzip.compress(bytes(10_000_000)))
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte.gz holds more than 100,000 bytes"):
        MNIST(dir=str(small_mnist)).fetch()


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
    assert "Type data.dir=FOLDER" in message and "data.dir=null" in message


def test_what_failed_without_a_folder_is_named_with_what_to_do(small_mnist):
    with pytest.raises(UserError) as caught:
        MNIST().fetch()
    message = str(caught.value)
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
