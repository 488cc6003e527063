"""Files of a run folder that a kill, a full disk or an editor has torn: reported, left out, and never a traceback."""

import json
import shutil

import pytest
from PIL import Image

from gan_lightning.__main__ import run_command
from gan_lightning.errors import UserError
from gan_lightning.images import CAPTION_HEIGHT, save_gif
from gan_lightning.report.content import make_report
from gan_lightning.report.figures import plot_scores
from gan_lightning.report.page import make_page
from gan_lightning.training.readers import read_metrics, read_scores, read_status
from gan_lightning.training.run_folder import RunFolder
from tests.fuzz.files import make_scores
from tests.helpers import SHORT, metric_rows, run
from tests.test_records import RECORD
from tests.training import make_diverge

GARBAGE = {
    "empty": b"",
    "torn": b'{"state": "fin',
    "a list": b"[1, 2]",
    "a number": b"7",
    "null": b"null",
    "deep": b"[" * 100_000,
    "binary": bytes(range(256)),
    "of other types": b'{"state": 3, "seconds": "long", "images_seen": NaN, "sessions": {}, "score": 1, "value": 1}',
}


@pytest.fixture
def folder(tmp_path, finished) -> RunFolder:
    """A finished run of six steps, to be spoilt."""
    return RunFolder(shutil.copytree(finished.path, tmp_path / "run"))


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_reported_and_left_out(tmp_path, garbage, caplog):
    for read, name in ((read_status, "status.json"), (read_metrics, "metrics.csv")):
        (tmp_path / name).write_bytes(GARBAGE[garbage])
        assert set(dict(read(tmp_path / name))) <= {"score", "value"}  # which status.json knows nothing about
    (tmp_path / "scores.jsonl").write_bytes(RECORD.to_json().encode() + b"\n" + GARBAGE[garbage])
    if garbage == "of other types":
        with pytest.raises(UserError, match="written by another version"):
            read_scores(tmp_path / "scores.jsonl")
    else:
        assert read_scores(tmp_path / "scores.jsonl") == [RECORD]
    assert garbage == "empty" or "left out" in caplog.text


def test_a_record_with_values_of_other_types_is_left_out(tmp_path):
    file = tmp_path / "scores.jsonl"
    for change in ({"value": "low"}, {"value": None}, {"n": 1.5}, {"generator_steps": "x"}):
        file.write_text(json.dumps(json.loads(RECORD.to_json()) | change) + "\n" + RECORD.to_json())
        assert read_scores(file) == [RECORD]


def test_a_row_that_is_not_of_numbers_is_left_out(tmp_path):
    file = tmp_path / "metrics.csv"
    file.write_text(
        "generator_steps,images_seen,loss_d\n1,8,0.5\n2,16,\n3,x,1\n4,32,low\n,40,1\n6,48,1,1\n7,56\n8,64,nan\n"
    )
    assert [row["generator_steps"] for row in read_metrics(file)] == ["1", "2", "8"]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_run_among_garbage_goes_on_to_its_end(folder, garbage):
    content = GARBAGE[garbage]
    for file in (folder.status_file, folder.metrics, folder.grids()[0], folder.samples / "step-x.png"):
        file.write_bytes(content)
    (folder.samples / "step-99999999999999999999999.png").write_bytes(content)
    if garbage != "of other types":
        folder.scores_file.write_bytes(content)
    run_command("resume", f"run={folder.path}", "max_generator_steps=8")
    assert folder.status()["state"] == "finished" and folder.status()["generator_steps"] == 8
    assert [int(row["generator_steps"]) for row in metric_rows(folder)] == [8]
    assert folder.plot.is_file() and folder.timelapse.is_file()


def test_a_film_leaves_out_what_is_no_picture(tmp_path, finished):
    good = finished.grids()[0].read_bytes()
    files = [tmp_path / f"{index}.png" for index in range(4)]
    for file, content in zip(files, (b"", good, good[: len(good) // 2], good), strict=True):
        file.write_bytes(content)
    save_gif(files, tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        assert film.size == (8 * 62, 8 * 62 + CAPTION_HEIGHT)
    save_gif(files[:1], tmp_path / "none.gif")
    assert not (tmp_path / "none.gif").exists()


def test_a_report_leaves_out_what_cannot_be_read(folder):
    folder.grids()[-1].write_bytes(b"torn")
    folder.status_file.write_bytes(b"torn")
    report = make_report([folder.path])
    assert "holds no status.json that can be read" in report.left_out[-1].why
    assert f"{folder.path}" in make_page(report)


def test_a_run_that_diverges_leaves_its_curves(tmp_path, monkeypatch):
    make_diverge(monkeypatch, batch=5)
    with pytest.raises(UserError, match="training diverged: loss_d is nan at generator step 6"):
        run(tmp_path / "run", *SHORT, "max_generator_steps=8", "callbacks.samples.first=2")
    folder = RunFolder(tmp_path / "run")
    assert folder.plot.is_file() and folder.timelapse.is_file() and not folder.last.exists()
    rows = metric_rows(folder)
    assert [int(row["generator_steps"]) for row in rows] == [2, 4, 5, 6]  # batch by batch where a row is not finite
    assert [row["loss_d"] == "nan" for row in rows] == [False, False, False, True]


def test_distances_that_are_not_above_zero_are_drawn(tmp_path):
    """Rounding may take them there, and damage; a logarithmic axis would show none."""
    file = make_scores(RunFolder(tmp_path))
    for value in ("-1.5", "0.0"):
        file.write_text(file.read_text().replace('"value": 1.5', f'"value": {value}'))
        plot_scores(RunFolder(tmp_path).scores(), tmp_path / "scores.png", "a run")
        assert Image.open(tmp_path / "scores.png").width > 0
        (tmp_path / "scores.png").unlink()
        make_scores(RunFolder(tmp_path))
