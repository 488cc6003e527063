"""Samples of other programs: which files are read, and which are refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.errors import UserError
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
