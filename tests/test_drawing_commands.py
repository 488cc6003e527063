"""The commands sample, interpolate, project and dataset: what they write, and what they refuse."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

import gan_lightning as gl
from gan_lightning.__main__ import run_command
from gan_lightning.cli.dataset import folder_names
from gan_lightning.cli.interpolate import frames
from gan_lightning.errors import UserError
from gan_lightning.evaluation.extractor import SHIPPED, load_extractor
from gan_lightning.images import FILM_SIZE, enlarge
from tests.helpers import SMALL, run


@pytest.fixture(scope="module")
def conditional(conditional_run):
    """The folder of a class-conditional run of two steps."""
    return conditional_run.path


def refuse(message, *words):
    with pytest.raises(UserError, match=message):
        run_command(*words)


# sample


def test_an_npz_file_written_in_parts_is_what_numpy_reads(conditional, tmp_path, monkeypatch):
    monkeypatch.setattr("gan_lightning.sampling.LATENTS_BLOCK_SIZE", 16)
    monkeypatch.setattr("gan_lightning.sampling.SAMPLE_BATCH_SIZE", 7)
    run_command("sample", f"run={conditional}", "n=41", "seed=2", "truncation=0.5", f"out={tmp_path / 'x.npz'}")
    with np.load(tmp_path / "x.npz") as file:
        assert file["labels"].tolist() == [number % 10 for number in range(41)] and file["labels"].dtype == np.int64
        assert np.array_equal(file["images"], gl.load(conditional).sample(41, seed=2, truncation=0.5).numpy())
    assert zipfile.ZipFile(tmp_path / "x.npz").testzip() is None


def test_classes_are_asked_for_by_number_or_name(conditional, tmp_path):
    def drawn(word):
        run_command("sample", f"run={conditional}", "n=4", word, f"out={tmp_path / 'x.npz'}")
        with np.load(tmp_path / "x.npz") as file:
            return file["labels"].tolist()

    assert drawn("labels=3") == [3, 3, 3, 3] and drawn("labels=[3,'5']") == [3, 5, 3, 5]


def test_a_name_that_is_not_a_number_is_looked_up_in_the_data(tmp_path):
    for name, level in (("cat", 0), ("dog", 255)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for index in range(20):
            Image.new("L", (16, 16), level).save(tmp_path / "pets" / name / f"{index}.png")
    data = ("data=image_folder", f"data.dir={tmp_path / 'pets'}", "data.held_out=0")
    folder = run(tmp_path / "run", *SMALL, "model=projection", "max_generator_steps=1", *data)
    run_command("sample", f"run={folder.path}", "n=2", "labels=dog", f"out={tmp_path / 'x.npz'}")
    with np.load(tmp_path / "x.npz") as file:
        assert file["labels"].tolist() == [1, 1]
    refuse(
        r"labels=dgo is not allowed: classes are 0 to 1 \(cat, dog\); type labels=dog",
        "sample", f"run={folder.path}", "labels=dgo",
    )  # fmt: skip
    (tmp_path / "pets").rename(tmp_path / "moved")  # numbers do without the data
    assert gl.load(folder.path).class_names == ["0", "1"]
    run_command("sample", f"run={folder.path}", "n=2", "labels=1", f"out={tmp_path / 'x.npz'}")


def test_samples_that_cannot_be_drawn_are_refused(conditional, tmp_path):
    sample = ("sample", f"run={conditional}", f"out={tmp_path / 'x.png'}")
    refuse("labels=dog is not allowed: classes are 0 to 9; type labels=9", *sample, "labels=dog")
    refuse("labels=-1 is not allowed: classes are 0 to 9", *sample, "labels=-1")
    refuse("truncation=2 is not allowed: type a number above 0, at most 1", *sample, "truncation=2")
    refuse("n=30,000 images are too many for one picture, which holds 22,222 of 28x28; type n=22222, or", *sample,
           "n=30000")  # fmt: skip
    refuse("n=1000000000 is not allowed: it should be less than or equal to 100000000", *sample, "n=1000000000")
    assert not list(tmp_path.iterdir())


# interpolate


def test_paths_as_a_film_that_runs_forth_and_back_and_as_rows(conditional, tmp_path):
    words = ("interpolate", f"run={conditional}", "n=4", "steps=3", "labels=[1,2]")
    run_command(*words, f"out={tmp_path / 'x.gif'}")
    with Image.open(tmp_path / "x.gif") as film:
        assert film.n_frames == 5 and film.info["loop"] == 0
    run_command(*words, f"out={tmp_path / 'x.png'}")
    with Image.open(tmp_path / "x.png") as rows:
        assert rows.height > rows.width  # four rows of three
    refuse("out=.*x.avi is not allowed: type out=FILE.gif or out=FILE.mp4 or out=FILE.png", *words,
           f"out={tmp_path / 'x.avi'}")  # fmt: skip
    refuse("kind=round is not allowed: it should be 'spherical' or 'linear'", *words, "kind=round")
    refuse("steps=1 is not allowed", "interpolate", f"run={conditional}", "steps=1")


def test_an_mp4_shows_the_frames_of_the_film(conditional, tmp_path, monkeypatch):
    av = pytest.importorskip("av")
    words = ("interpolate", f"run={conditional}", "n=4", "steps=3", f"out={tmp_path / 'x.mp4'}")
    run_command(*words)
    expected = [picture.convert("RGB") for picture in frames(gl.load(conditional).interpolate(4, 3))]
    with av.open(str(tmp_path / "x.mp4")) as film:
        read = [frame.to_image() for frame in film.decode(video=0)]
    assert len(read) == len(expected) == 5
    for got, picture in zip(read, expected, strict=True):
        whole = np.asarray(enlarge(picture, FILM_SIZE), dtype=float)[: got.height, : got.width]
        assert np.abs(np.asarray(got, dtype=float) - whole).mean() < 3  # of 255
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refuse("out=.*x.mp4 needs the package av: pip install av, or type out=x.gif", *words)


# project


def test_a_projection_as_a_picture_and_as_arrays(conditional, tmp_path, capsys):
    image = gl.load(conditional).sample(1, labels=3)[0]
    Image.fromarray(image[0].numpy()).save(tmp_path / "digit.png")
    words = ("project", f"run={conditional}", f"image={tmp_path / 'digit.png'}", "steps=5", "starts=2", "labels=3")
    run_command(*words, f"out={tmp_path / 'x.npz'}")
    found = gl.load(conditional).project(image, labels=3, steps=5, starts=2)
    with np.load(tmp_path / "x.npz") as file:
        assert np.array_equal(file["latent"], found.latent.numpy()) and file["distance"] == found.distance
        assert np.array_equal(file["image"], found.image.numpy()) and file["condition"].argmax() == 3
    run_command(*words, f"out={tmp_path / 'x.png'}")
    with Image.open(tmp_path / "x.png") as pair:
        assert pair.info["caption"] == f"given, and nearest: distance {found.distance:.3f}"
    assert f"digit.png: distance {found.distance:.3f} by" in capsys.readouterr().out


def test_what_cannot_be_projected_is_refused(conditional, tmp_path):
    Image.new("L", (32, 32)).save(tmp_path / "large.png")
    (tmp_path / "text.png").write_text("no picture")
    project = ("project", f"run={conditional}", f"out={tmp_path / 'x.png'}")
    refuse(
        r"large.png is 32x32 \(width x height\), and this generator makes images of 28x28; nothing is resized here",
        *project, f"image={tmp_path / 'large.png'}",
    )  # fmt: skip
    refuse("text.png cannot be read as an image", *project, f"image={tmp_path / 'text.png'}")
    refuse("image=nowhere.png is not a file; type image=FILE with a picture", *project, "image=nowhere.png")
    refuse("image= is missing", *project)


# dataset


def test_torchvision_reads_the_data_set_as_mnist(conditional, tmp_path):
    words = ("dataset", f"run={conditional}", "n=23", "n_test=12", "seed=4", f"out={tmp_path / 'set'}")
    run_command(*words)
    images = gl.load(conditional).sample(35, seed=4)[:, 0]
    for train, part in ((True, slice(0, 23)), (False, slice(23, 35))):
        read = datasets.MNIST(tmp_path / "set", train=train)
        assert torch.equal(read.data, images[part])
        assert read.targets.tolist() == [number % 10 for number in range(35)][part]
    refuse("out=.* holds files already; type out=FOLDER with a new folder", *words)


def test_torchvision_reads_the_data_set_as_an_image_folder(conditional, tmp_path, capsys):
    words = ("dataset", f"run={conditional}", "n=20", "n_test=3", "format=png")
    run_command(*words, f"out={tmp_path / 'set'}")
    read = datasets.ImageFolder(tmp_path / "set" / "train")
    assert read.classes == [str(digit) for digit in range(10)] and sorted(read.targets) == sorted([*range(10)] * 2)
    image = gl.load(conditional).sample(23)[13, 0].numpy()
    assert np.array_equal(np.asarray(Image.open(tmp_path / "set" / "train" / "3" / "000013.png")), image)
    assert "WARNING: test has no image of 3, 4, 5, 6, 7, 8, 9: torchvision" in capsys.readouterr().out
    assert [folder.name for folder in sorted((tmp_path / "set" / "test").iterdir())] == ["0", "1", "2"]


def test_images_of_an_unconditional_generator_are_labelled_by_the_classifier(finished, tmp_path):
    words = ("dataset", f"run={finished.path}", "n=5", "n_test=4", f"out={tmp_path / 'set'}")
    refuse(
        "this generator is not class-conditional, so its images have no labels; type labels=classifier to have", *words
    )
    assert not (tmp_path / "set").exists()
    run_command(*words, "labels=classifier")
    seen = load_extractor(SHIPPED, "mnist_cnn").extract(gl.load(finished.path).sample(9)).probabilities.argmax(1)
    assert datasets.MNIST(tmp_path / "set", train=True).targets.tolist() == seen[:5].tolist()
    assert datasets.MNIST(tmp_path / "set", train=False).targets.tolist() == seen[5:].tolist()


def test_the_folders_of_classes_sort_as_the_classes_do():
    assert folder_names([str(digit) for digit in range(10)]) == [str(digit) for digit in range(10)]
    names = ["T-shirt/top", "Bag", "..", *(f"class {number}" for number in range(3, 12))]
    assert folder_names(names)[:4] == ["00-T-shirt_top", "01-Bag", "02", "03-class_3"]
    assert sorted(folder_names(names)) == folder_names(names)
