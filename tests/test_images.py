import pytest
import torch
from PIL import Image, ImageSequence, PngImagePlugin
from torchvision.transforms.functional import pil_to_tensor

from gan_lightning import images as images_module
from gan_lightning.images import (
    CAPTION_HEIGHT,
    FILM_BYTES,
    LEAST_FRAMES,
    grid,
    magnification,
    read_frame,
    resize,
    save_gif,
    save_grid,
    to_float,
    to_uint8,
)


def test_every_byte_survives_the_round_trip():
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    floats = to_float(every)
    assert floats.min() == -1 and floats.max() == 1 and floats.dtype == torch.float32
    assert torch.equal(to_uint8(floats), every)


def test_out_of_range_values_are_clamped_not_wrapped():
    assert to_uint8(torch.tensor([-1.5, 1.5])).tolist() == [0, 255]


def test_resizing_keeps_ramps_and_constants(monkeypatch):
    """Bilinear: a ramp of 4 a pixel becomes one of 2, half a new pixel aside; beyond the last centres it is flat."""
    monkeypatch.setattr(images_module, "RESIZE_BATCH_SIZE", 2)
    ramp = (4 * torch.arange(28)).expand(28, 28)
    images = torch.stack([ramp, ramp.T, torch.full((28, 28), 77)]).to(torch.uint8).unsqueeze(1)
    larger = (2 * torch.arange(56) - 1).clamp(0, 108).expand(56, 56)
    expected = torch.stack([larger, larger.T, torch.full((56, 56), 77)]).to(torch.uint8).unsqueeze(1)
    assert torch.equal(resize(images, (56, 56)), expected)
    assert resize(images, (28, 28)) is images


def test_a_grid_holds_every_image_in_its_cell():
    images = torch.randint(0, 256, (5, 3, 4, 4), dtype=torch.uint8)
    picture = grid(images, columns=3, gap=1, background=7)
    assert picture.shape == (3, 11, 16)
    for index, image in enumerate(images):
        top, left = 1 + index // 3 * 5, 1 + index % 3 * 5
        assert torch.equal(picture[:, top : top + 4, left : left + 4], image)
    assert (picture[:, 6:10, 11:15] == 7).all()  # the sixth cell is empty


def test_a_grid_keeps_the_channels_and_frames_no_single_image():
    gray = torch.randint(0, 256, (4, 1, 4, 4), dtype=torch.uint8)
    assert torch.equal(grid(gray), grid(gray.expand(-1, 3, -1, -1))[:1])
    assert torch.equal(grid(gray[:1]), gray[0])


def noise(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8)


@pytest.mark.parametrize("channels,mode", [(1, "L"), (3, "RGB")])
def test_a_grid_on_disk_is_large_says_its_caption_and_gives_its_pixels_back(tmp_path, channels, mode):
    picture = noise(channels, 30, 22)
    save_grid(picture, "generator step 1,024", tmp_path / "a" / "grid.png")
    with Image.open(tmp_path / "a" / "grid.png") as image:
        assert image.mode == mode and image.size == (25 * 22, 25 * 30 + CAPTION_HEIGHT)
        shown = pil_to_tensor(image)
        times = int(image.text["magnification"])
    assert torch.equal(shown[:, : 25 * 30], picture.repeat_interleave(25, 1).repeat_interleave(25, 2))
    assert torch.equal(shown[:, : times * 30 : times, ::times], picture)
    assert shown[:, 25 * 30 :].unique().numel() > 2  # letters
    frame = read_frame(tmp_path / "a" / "grid.png")
    assert torch.equal(pil_to_tensor(frame.picture), picture) and frame.caption == "generator step 1,024"


@pytest.mark.parametrize(
    "width,height", [(242, 242), (302, 212), (530, 530), (992, 60), (30, 30), (3, 900), (2114, 66)]
)
def test_a_grid_fills_half_a_screen_or_more(width, height):
    shown = magnification(width, height) * max(width, height)
    assert 500 <= shown <= max(1000, width, height)


def test_a_picture_without_a_caption_is_only_enlarged(tmp_path):
    picture = noise(1, 250, 250)
    save_grid(picture, "", tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as image:
        larger = picture.repeat_interleave(3, 1).repeat_interleave(3, 2)
        assert torch.equal(pil_to_tensor(image), larger) and image.size == (750, 750)


def test_a_film_shows_every_grid_and_holds_the_last(tmp_path):
    files = [tmp_path / f"{index}.png" for index in range(4)]
    for index, file in enumerate(files):
        save_grid(torch.full((1, 50, 50), 85 * index, dtype=torch.uint8), f"generator step {index}", file)
    save_gif(files, tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        assert film.size == (500, 500 + CAPTION_HEIGHT) and film.n_frames == 4
        durations, levels = [], []
        for frame in ImageSequence.Iterator(film):
            durations.append(frame.info["duration"])
            levels.append(frame.convert("L").getpixel((250, 250)))
    assert levels == [0, 85, 170, 255] and durations == [1000, 1000, 1000, 3000]


@pytest.mark.parametrize("channels,most_bytes", [(1, 1.3 * FILM_BYTES), (3, 3 * FILM_BYTES)])
def test_a_film_of_noise_has_fewer_frames_and_takes_about_a_megabyte(tmp_path, channels, most_bytes):
    """Nothing compresses less; the first and the last grid are in it all the same."""
    files = [tmp_path / f"{index}.png" for index in range(12)]
    for index, file in enumerate(files):
        edge = index in (0, 11)
        save_grid(torch.zeros(channels, 250, 250, dtype=torch.uint8) if edge else noise(channels, 250, 250), "", file)
    save_gif(files, tmp_path / "film.gif")
    assert (tmp_path / "film.gif").stat().st_size < most_bytes
    with Image.open(tmp_path / "film.gif") as film:
        assert LEAST_FRAMES <= film.n_frames < 12
        for index in (0, film.n_frames - 1):
            film.seek(index)
            assert max(max(film.convert("RGB").getpixel(place)) for place in ((3, 3), (250, 250))) == 0


@pytest.mark.parametrize("field", ["0", "-3", "many", "1e9", "9" * 30])
def test_a_picture_of_an_impossible_magnification_is_left_out(tmp_path, field):
    fields = PngImagePlugin.PngInfo()
    fields.add_text("magnification", field)
    Image.new("L", (20, 20)).save(tmp_path / "grid.png", pnginfo=fields)
    assert read_frame(tmp_path / "grid.png") is None
