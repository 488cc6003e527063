"""The data of a run are pinned: what has changed is refused, and named."""

import numpy as np
import pytest
from PIL import Image

from gan_lightning.__main__ import run_command
from gan_lightning.data.fingerprint import differences, fingerprint
from gan_lightning.errors import UserError
from gan_lightning.training.run_folder import read_checkpoint
from tests.helpers import SMALL, run

pytestmark = pytest.mark.slow


def write_pictures(folder, classes=("cats", "dogs"), count=30):
    chance = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            Image.fromarray(chance.integers(0, 256, (28, 28), np.uint8)).save(folder / name / f"{index:03}.png")


def add_one(folder):
    Image.new("L", (28, 28)).save(folder / "cats" / "000_new.png")


def change_all(folder):
    for file in folder.glob("*/*.png"):
        Image.new("L", (28, 28)).save(file)


def rename_a_class(folder):
    (folder / "dogs").rename(folder / "wolves")


CHANGES = {
    add_one: r"(train|validation|test) images: \d+ then, \d+ now",
    change_all: r"train images: \d+ then, 60 now; validation images: \d+ then, 0 now",  # one file's split for all
    rename_a_class: r"the classes: \['cats', 'dogs'\] then, \['cats', 'wolves'\] now",
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_data_are_refused_and_named(tmp_path, change):
    write_pictures(tmp_path / "pictures")
    words = (*SMALL, "data=image_folder", "data.batch_size=8")
    folder = run(tmp_path / "run", *words, f"data.dir={tmp_path / 'pictures'}", "max_generator_steps=2")
    write_pictures(tmp_path / "moved")
    run_command("resume", f"run={folder.path}", f"data.dir={tmp_path / 'moved'}", "max_generator_steps=3")
    change(tmp_path / "moved")
    before = {file: file.read_bytes() for file in folder.path.rglob("*") if file.is_file()}
    message = f"moved no longer holds the data the run was trained on .*({CHANGES[change]}).*type data.dir=FOLDER"
    with pytest.raises(UserError, match=message):
        run_command("resume", f"run={folder.path}", "max_generator_steps=4")
    with pytest.raises(UserError, match=message):
        run_command("evaluate", f"run={folder.path}")
    assert {file: file.read_bytes() for file in before} == before
    run_command("resume", f"run={folder.path}", f"data.dir={tmp_path / 'pictures'}", "max_generator_steps=4")


def test_a_fingerprint_is_of_every_pixel_and_label(ready):
    """Of their order, too: it decides on the batches."""
    first = fingerprint(ready)
    assert differences(first, fingerprint(ready)) == []
    for part in (ready.splits.train.images, ready.splits.test.labels):
        kept = part.clone()
        part.copy_(part.flip(0))
        (change,) = differences(first, fingerprint(ready))
        assert "as many" in change and "but not the same" in change
        part.copy_(kept)
    assert differences(first, fingerprint(ready)) == []


def test_it_is_in_the_checkpoint(finished, ready):
    assert read_checkpoint(finished.last)["data"] == fingerprint(ready)
