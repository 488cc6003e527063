import torch
from PIL import Image

from gan_lightning import images as images_module
from gan_lightning.images import grid, resize, save_gif, save_png, to_float, to_uint8


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


def test_pictures_on_disk(tmp_path):
    gray = grid(torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8))
    files = [tmp_path / "a" / f"{i}.png" for i in range(3)]
    for file in files:
        save_png(gray, file)
    with Image.open(files[0]) as image:
        assert image.mode == "L" and image.size == (22, 22)
    save_png(grid(torch.zeros(1, 3, 8, 8, dtype=torch.uint8)), tmp_path / "rgb.png")
    with Image.open(tmp_path / "rgb.png") as image:
        assert image.mode == "RGB"
    save_gif(files, tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        assert film.format == "GIF" and film.size == (22, 22)
