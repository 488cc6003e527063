"""Folders of pictures: what is read, what is left out, and which split a picture is in."""

import os
import shutil
import socket
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.data import ImageFolder
from gan_lightning.data.image_folder import describe_skipped, find_images, place_of, split_by_place
from gan_lightning.data.loader import Batch
from gan_lightning.data.pictures import FORMATS, decode
from gan_lightning.errors import UserError


def save(file, value=0, mode="L", size=28, **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size, size), value).save(file, **options)
    return file


@pytest.fixture
def pictures(tmp_path):
    """60 different gray pictures in two classes."""
    random = np.random.default_rng(0)
    for index in range(60):
        file = tmp_path / "pictures" / ("cats" if index % 2 else "dogs") / f"{index:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (28, 28), dtype=np.uint8)).save(file)
    return tmp_path / "pictures"


# Splits


def splits_of(folder):
    return [
        {image.numpy().tobytes() for image in part.images} for part in ImageFolder(str(folder), held_out=0.2).load()
    ]


def test_a_new_file_never_moves_an_old_one(pictures):
    before = splits_of(pictures)
    assert sum(map(len, before)) == 60 and all(before)
    random = np.random.default_rng(1)
    for name in ("cats/000.png", "dogs/zz.png", "cats/31a.png"):
        Image.fromarray(random.integers(0, 256, (28, 28), dtype=np.uint8)).save(pictures / name)
    after = splits_of(pictures)
    assert all(one <= other for one, other in zip(before, after, strict=True))
    assert sum(map(len, after)) == 63


def test_names_and_classes_do_not_matter_and_copies_stay_together(pictures, tmp_path):
    before = splits_of(pictures)
    flat = tmp_path / "flat"
    flat.mkdir()
    for index, file in enumerate(sorted(pictures.rglob("*.png"), reverse=True)):
        shutil.copy(file, flat / f"{index}.png")
        shutil.copy(file, flat / f"copy-{index}.png")
    assert splits_of(flat) == before


@pytest.mark.parametrize("held_out", [0.0, 0.1, 0.3])
def test_the_proportions_are_those_asked_for(held_out):
    """The places of 20,000 files are uniform: each split's count is binomial, here within four standard deviations."""
    count = 20_000
    places = torch.tensor([place_of(str(index).encode()) for index in range(count)], dtype=torch.float64)
    data = Batch(torch.zeros(count, 1, 1, 1, dtype=torch.uint8), torch.arange(count))
    splits = split_by_place(data, places, held_out)
    bound = 4 * (count * held_out * (1 - held_out)) ** 0.5
    assert all(abs(len(part.images) - count * held_out) <= bound for part in splits[1:])
    assert torch.equal(torch.cat([part.labels for part in splits]).sort().values, torch.arange(count))


def test_a_larger_share_holds_out_the_same_test_images_and_more(pictures):
    small, large = (ImageFolder(str(pictures), held_out=share).load().test for share in (0.1, 0.2))
    images = [{image.numpy().tobytes() for image in part.images} for part in (small, large)]
    assert images[0] <= images[1]


def test_a_folder_of_which_nothing_is_left_to_train_on_is_explained():
    data = Batch(torch.zeros(2, 1, 1, 1, dtype=torch.uint8), torch.zeros(2))
    with pytest.raises(UserError, match=r"all 2 images are held out by data.held_out=0.3; add images, or type"):
        split_by_place(data, torch.tensor([0.1, 0.4], dtype=torch.float64), 0.3)


# What is left out


def test_what_is_left_out_is_named_with_the_reason(pictures):
    for name in (".DS_Store", "__MACOSX/._00.png", ".ipynb_checkpoints/00.png", "cats/notes.txt", "cats/more/1.png",
                 "empty/readme.md", "cats/.hidden.png"):  # fmt: skip
        (pictures / name).parent.mkdir(exist_ok=True)
        (pictures / name).write_bytes(b"?")
    data = ImageFolder(str(pictures), batch_size=8)
    assert data.class_names == ["cats", "dogs"] and len(data.files) == 60
    data.setup()
    _, *lines = data.describe().splitlines()
    assert lines == [
        "left out    .DS_Store, .ipynb_checkpoints/, __MACOSX/, cats/.hidden.png (hidden)",
        "left out    cats/more/ (a folder inside a class's folder)",
        "left out    cats/notes.txt (.txt: not a format that is read)",
        "left out    empty/readme.md (.md: not a format that is read)",
        "left out    empty/ (a folder without images)",
    ]


def test_folders_beside_images_are_left_out(pictures):
    save(pictures / "a.png")
    found = find_images(pictures)
    assert [file.name for file in found.files] == ["a.png"] and set(found.skipped) == {"cats/", "dogs/"}


def test_many_names_are_counted():
    (line,) = describe_skipped({f"{index}.txt": "why" for index in range(1007)})
    assert line == "left out    0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 1,002 more (why)"


def test_the_start_says_what_was_found(pictures, caplog):
    caplog.set_level("INFO")
    data = ImageFolder(str(pictures), batch_size=8)
    data.setup()
    train, validation, test = (len(part.images) for part in data.splits)
    line = f"data        pictures: {train} train + {validation} validation + {test} test images of 1x28x28, 2 classes"
    assert caplog.messages == [line]


# Formats and transparency


@pytest.mark.parametrize("suffix", [suffix for suffixes in FORMATS.values() for suffix in suffixes])
def test_every_format_is_read(tmp_path, suffix):
    mode = "1" if suffix == ".pbm" else "L"
    save(tmp_path / f"x{suffix.upper()}", 255, mode)
    (file,) = find_images(tmp_path).files
    assert decode(file, (1, 28, 28)).min() >= 250


LEVELS = {"black": 0, "gray": 128, "white": 255}


@pytest.mark.parametrize("background", LEVELS)
def test_transparency_shows_the_background(tmp_path, background):
    """alpha * pixel + (1 - alpha) * background, rounded."""
    for mode, value in (("LA", (200,)), ("RGBA", (200, 100, 50))):
        for alpha in (0, 51, 255):
            file = save(tmp_path / "x.png", (*value, alpha), mode)
            channels = len(value)
            got = decode(file, (channels, 28, 28), background)
            expected = [alpha / 255 * each + (1 - alpha / 255) * LEVELS[background] for each in value]
            assert np.abs(got[:, 0, 0] - np.array(expected)).max() <= 1


def test_a_transparent_colour_of_a_palette_shows_the_background(tmp_path):
    image = Image.new("P", (28, 28), 1)
    image.putpalette([9, 9, 9, 200, 100, 50])
    image.save(tmp_path / "x.png", transparency=1)
    assert (decode(tmp_path / "x.png", (3, 28, 28), "white") == 255).all()


def test_pictures_without_transparency_are_as_they_were(tmp_path):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (28, 28, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    for background in LEVELS:
        assert (decode(tmp_path / "x.png", (3, 28, 28), background) == pixels.transpose(2, 0, 1)).all()


def test_pictures_of_32_bits_are_refused_and_of_16_scaled(tmp_path):
    """Whose order of bytes does not matter."""
    deep = np.arange(28 * 28, dtype=np.int32).reshape(28, 28) * 83
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    with pytest.raises(UserError, match=r"deep.tif cannot be read as an image \(its pixels are floats or have 32 bits"):
        decode(tmp_path / "deep.tif", (1, 28, 28))
    expected = np.round(deep / 257).astype(np.uint8)[None]
    for kind in ("<u2", ">u2"):
        Image.fromarray(deep.astype(kind)).save(tmp_path / "half.tif")
        assert np.array_equal(decode(tmp_path / "half.tif", (1, 28, 28)), expected)
        (tmp_path / "folder").mkdir(exist_ok=True)
        Image.fromarray(deep.astype(kind)).save(tmp_path / "folder" / "half.tif")
        assert ImageFolder(str(tmp_path / "folder")).image_shape == (1, 28, 28)


def test_pictures_of_floats_are_refused(tmp_path):
    Image.fromarray(np.full((28, 28), 0.5, np.float32)).save(tmp_path / "x.tiff")
    with pytest.raises(UserError, match=r"x.tiff cannot be read as an image \(its pixels are floats"):
        decode(tmp_path / "x.tiff", (1, 28, 28))


# Bombs and what only looks like a file


def png_of(width, height):
    """A valid PNG header that promises width x height pixels, and next to no data."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [8_000, 100_000, 2**31 - 1])
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path, side):
    (tmp_path / "x.png").write_bytes(png_of(side, side))
    for options in ({}, {"size": 28, "channels": 1}):  # whose headers are read at once, or never
        with pytest.raises(UserError, match="x.png (is .* pixels are read|cannot be read as an image)"):
            ImageFolder(str(tmp_path), **options).load()


def test_a_file_of_a_terabyte_is_refused(tmp_path):
    with (tmp_path / "x.png").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(UserError, match=r"x.png has 1,099,511,627,776 bytes; pictures of at most"):
        ImageFolder(str(tmp_path), size=28, channels=1).load()


def test_pipes_sockets_and_loops_are_left_out(pictures, monkeypatch):
    os.mkfifo(pictures / "cats" / "pipe.png")
    (pictures / "cats" / "loop.png").symlink_to("loop.png")
    (pictures / "loop").symlink_to("loop")
    (pictures / "device.png").symlink_to("/dev/zero")
    monkeypatch.chdir(pictures / "cats")  # whose whole path is too long for a socket
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        found = find_images(pictures)
    assert len(found.files) == 60
    assert {name for name, why in found.skipped.items() if why == "not a regular file"} == {
        "cats/pipe.png", "cats/loop.png", "cats/socket.png", "loop", "device.png"
    }  # fmt: skip
