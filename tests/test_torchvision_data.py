"""KMNIST, EMNIST and QMNIST: known by the checksums of the archives that torchvision downloads."""

import gzip
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from gan_lightning.data import EMNIST, KMNIST, QMNIST
from gan_lightning.errors import UserError
from tests.idx_files import gray_images, idx_bytes, loaded, md5, offline


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
    assert "It has to hold what torchvision downloads (train-images-idx3-" in message


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
