"""Samples of other programs: which files are read, and which are refused."""

import io
import os
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.cli.evaluate import scores_folder
from gan_lightning.errors import UserError
from gan_lightning.evaluation.plausibility import TURNS, find_convention, find_doubts
from gan_lightning.evaluation.samples import read_samples
from gan_lightning.images import to_float

ARRAYS = {
    "uint8": lambda images: images.numpy(),
    "no channel": lambda images: images[:, 0].numpy(),
    "channels last": lambda images: images.permute(0, 2, 3, 1).numpy(),
    "uint16": lambda images: images.numpy().astype(">u2"),
    "int64": lambda images: images.long().numpy(),
    "floats": lambda images: to_float(images).numpy(),
}


@pytest.mark.parametrize("form", ARRAYS)
def test_arrays_of_every_allowed_form_give_the_same_images(tmp_path, ready, form):
    images = ready.splits.test.images[:20]
    np.savez(tmp_path / "x.npz", images=ARRAYS[form](images), labels=np.arange(20) % 10)
    read, labels = read_samples(tmp_path / "x.npz", (1, 28, 28), 10)
    assert torch.equal(read, images) and labels.tolist() == [*range(10), *range(10)]


def test_a_folder_of_pictures_gives_its_images(tmp_path, ready):
    for index, image in enumerate(ready.splits.test.images[:5]):
        Image.fromarray(image[0].numpy()).save(tmp_path / f"{index}.png")
    read, labels = read_samples(tmp_path, (1, 28, 28), 10)
    assert torch.equal(read, ready.splits.test.images[:5]) and labels is None


def an_array(*shape: int, value: float = 0, kind: type = np.uint8) -> dict[str, np.ndarray]:
    return {"images": np.full(shape, value, kind)}


BAD_ARRAYS = {
    "shape": (an_array(4, 1, 32, 32), r"shape \(4, 1, 32, 32\); the real images are \(1, 28, 28\)"),
    "nan": (an_array(4, 28, 28, value=np.nan, kind=np.float32), "4 of 4 images hold numbers that are not finite"),
    "0 to 1": (
        an_array(4, 28, 28, value=0.5, kind=float),
        "from 0.5 to 0.5.*: for floats from 0 to 1 save 2",
    ),
    "too large": (an_array(4, 28, 28, value=256, kind=int), "numbers from 256 to 256; floats from -1 to 1"),
    "bool": (an_array(4, 28, 28, kind=bool), "numbers of type bool; whole numbers or floats"),
    "empty": (an_array(0, 28, 28), "n at least 1"),
    "no images": ({"pictures": np.zeros(3)}, "holds pictures, not `images`"),
    "no such class": (
        an_array(3, 28, 28) | {"labels": np.array([0, 10, 3])},
        "labels from 0 to 10; 0 to 9 are allowed",
    ),
    "labels": (
        an_array(4, 28, 28) | {"labels": np.zeros(3)},
        "of shape .3,. and type float64; one whole",
    ),
}


@pytest.mark.parametrize("mistake", BAD_ARRAYS)
def test_arrays_that_are_no_such_images_are_refused(tmp_path, mistake):
    arrays, message = BAD_ARRAYS[mistake]
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(UserError, match=message):
        read_samples(tmp_path / "x.npz", (1, 28, 28), 10)


def test_files_that_hold_no_samples_are_refused(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read as an .npz file"):
        read_samples(tmp_path / "x.npz", (1, 28, 28), 10)
    with pytest.raises(UserError, match="cannot be read as an .npz file"):
        read_samples(tmp_path / "missing.npz", (1, 28, 28), 10)
    with pytest.raises(UserError, match="neither an .npz file nor a folder"):
        read_samples(tmp_path / "x.pt", (1, 28, 28), 10)
    Image.new("L", (32, 28)).save(tmp_path / "x.png")
    with pytest.raises(UserError, match="is 32x28; the real images are 28x28"):
        read_samples(tmp_path, (1, 28, 28), 10)


# Ranges and conventions


def refused(tmp_path, array, shape=(1, 28, 28)):
    np.savez(tmp_path / "x.npz", images=array)
    with pytest.raises(UserError) as caught:
        read_samples(tmp_path / "x.npz", shape, 10)
    return str(caught.value)


def test_plausible_numbers_of_another_range_are_refused_with_what_to_save(tmp_path, ready):
    images = ready.splits.test.images[:20]
    unit = images.numpy() / np.float32(255)
    assert "for floats from 0 to 1 save 2 * images - 1" in refused(tmp_path, unit)
    assert "for floats from 0 to 1 save 2 * images - 1" in refused(tmp_path, unit - np.float32(0.05))  # of a network
    assert "for whole numbers 0 and 1 save 255 * images" in refused(tmp_path, unit.round().astype(np.uint8))
    assert "for floats from 0 to 255 save images.round().astype(numpy.uint8)" in refused(tmp_path, unit * 255)
    assert "numbers from -127 to 128" in refused(tmp_path, images.numpy().astype(int) - 127)


def test_black_images_are_what_a_collapsed_generator_draws(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.zeros((4, 28, 28), np.uint8))
    assert (read_samples(tmp_path / "x.npz", (1, 28, 28), 10)[0] == 0).all()


# Bombs and damage


def npz(path, **members):
    """An .npz file of raw members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def header(shape, kind="|u1"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue()


def test_only_what_is_asked_for_is_read(tmp_path, ready):
    images = ready.splits.test.images[:2]
    whole = io.BytesIO()
    np.save(whole, images.numpy())
    file = npz(tmp_path / "x.npz", images=whole.getvalue(), other=b"not an array at all")
    with zipfile.ZipFile(file, "a") as archive:
        assert "other.npy" in archive.namelist()
    assert torch.equal(read_samples(file, (1, 28, 28), 10)[0], images)


LIES = {
    "more than the file holds": (header((1000, 28, 28)) + bytes(784), "promises 784,000 bytes, and there are fewer"),
    "more than is read": (header((2**40, 28, 28)), r"holds 802,816.0 GiB in `images`; at most 4 GiB are read: save"),
    "a bomb": (header((2**23, 28, 28)) + bytes(10**7), r"holds 6.1 GiB in `images`; at most 4 GiB"),
    "objects": (header((4, 28, 28), "|O") + bytes(999), "holds Python objects in `images`; numbers are allowed"),
    "another shape": (header((2**40, 3)), r"holds an array of shape \(1099511627776, 3\)"),
    "a negative size": (header((-4, 28, 28)), "n at least 1"),
    "no header": (b"nothing", "cannot be read as an .npz file"),
}


@pytest.mark.parametrize("lie", LIES)
def test_headers_are_checked_before_anything_is_read(tmp_path, lie):
    content, message = LIES[lie]
    with pytest.raises(UserError, match=message):
        read_samples(npz(tmp_path / "x.npz", images=content), (1, 28, 28), 10)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.npz")
    with pytest.raises(UserError, match="cannot be read as an .npz file"):
        read_samples(tmp_path / "x.npz", (1, 28, 28), 10)
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(UserError, match="holds no image"):
        read_samples(tmp_path, (1, 28, 28), 10)


# Conventions that only the images show


def test_real_images_and_noise_are_of_no_other_convention(ready):
    real, others = ready.splits.test.images, ready.splits.validation.images
    noise = torch.randint(0, 256, real.shape, dtype=torch.uint8)
    for samples in (others, noise, torch.zeros_like(real), real.flip(3), (real.float() * 0.8).to(torch.uint8)):
        assert find_convention(samples, real) is None


def test_other_conventions_are_named(ready):
    real = ready.splits.test.images
    samples = ready.splits.validation.images
    halved = ((samples.int() + 255) // 2).to(torch.uint8)
    assert find_convention(255 - samples, real).startswith("inverted")
    assert find_convention(halved, real).startswith("of half the contrast")


def test_scrambled_channels_are_named(ready):
    def coloured(images):
        return torch.cat([images, images // 2, images // 3], 1)

    real, samples = coloured(ready.splits.test.images), coloured(ready.splits.validation.images)
    scrambled = samples.permute(0, 2, 3, 1).reshape(samples.shape)
    assert find_convention(samples, real) is None
    assert find_convention(scrambled, real).startswith("scrambled")


@pytest.mark.parametrize("turn", TURNS)
def test_turned_samples_are_named(ready, turn):
    """Undoing a turn twice, or four times, gives the images again: so the turns are made."""
    real, samples = ready.splits.test.images, ready.splits.validation.images
    again = TURNS[turn](TURNS[turn](TURNS[turn](samples)))  # the turn that this one undoes
    assert find_doubts(samples, real) == [] and find_doubts(again, real) == [f"they look {turn}"]


def test_copies_and_noise_are_named(ready):
    real, samples = ready.splits.test.images, ready.splits.validation.images
    assert find_doubts(samples[:10].repeat(50, 1, 1, 1), real)[0] == "only 10 of 500 differ from each other"
    noise = torch.randint(0, 256, real.shape, dtype=torch.uint8)
    assert find_doubts(noise, real)[0].startswith("their pixels are far from real ones (distance 0.")
    brighter = (samples.int() + 60).clamp(0, 255).to(torch.uint8)
    assert find_convention(brighter, real) is None


def test_coloured_pictures_are_no_gray_samples(tmp_path):
    Image.new("RGB", (28, 28), "red").save(tmp_path / "red.png")
    with pytest.raises(UserError, match=r"red.png is coloured \(RGB\); the real images are gray"):
        read_samples(tmp_path, (1, 28, 28), 10)


def test_scores_of_other_images_and_of_runs_are_kept_apart(tmp_path, finished):
    (tmp_path / "m-v1.0").mkdir()
    (tmp_path / "m-v1.5").mkdir()
    assert scores_folder(tmp_path / "m-v1.0", None) == tmp_path / "m-v1.0-scores"
    assert scores_folder(tmp_path / "m-v1.5", None) == tmp_path / "m-v1.5-scores"
    with pytest.raises(UserError, match="is the folder of a run, whose own scores it keeps; type another out=FOLDER"):
        scores_folder(tmp_path / "m-v1.0", str(finished.path))
