"""Records of scores: what is kept on disk, and the names made from them."""

import json
import math
from dataclasses import asdict, replace

import pytest

from gan_lightning.errors import UserError
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.training.run_folder import RunFolder

RECORD = ScoreRecord(
    evaluated_at="2026-01-31T12:00:00+00:00", source="ema", score="kernel", value=0.25, error=0.01,
    real_baseline=0.0, real_baseline_error=0.005, higher_is_better=False, data="mnist_5k", split="validation", n=2000,
    extractor="mnist_cnn", extractor_sha256="5efd56d355b5", during_training=True, generator_steps=8, images_seen=64,
    seed=0,
)  # fmt: skip


def test_records_survive_the_way_to_the_disk_and_back(tmp_path):
    records = [RECORD, replace(RECORD, source="images", images="x.npz", error=None, value=1 / 3, extractor=None)]
    RunFolder(tmp_path).add_scores(records[:1])
    RunFolder(tmp_path).add_scores(records[1:])
    assert RunFolder(tmp_path).scores() == records


def test_full_names_are_made_from_records():
    assert RECORD.full_name == "kernel_mnist_5k_mnist_cnn_2k_validation"
    assert replace(RECORD, data="mnist", split="test", n=10_000).full_name == "kernel_mnist_cnn_10k"
    assert replace(RECORD, score="pixel_std", n=150, split="test").full_name == "pixel_std_mnist_5k_150"
    assert RECORD.named_values() == {
        RECORD.full_name: 0.25, f"{RECORD.full_name}_error": 0.01, f"{RECORD.full_name}_real": 0.0,
    }  # fmt: skip


def test_scores_compare_only_when_all_of_their_protocol_is_equal():
    for change in ({"n": 500}, {"split": "test"}, {"extractor_sha256": "0"}, {"data": "mnist"}, {"extractor": "other"}):
        assert replace(RECORD, **change).protocol != RECORD.protocol
    assert replace(RECORD, value=1.0, source="raw", generator_steps=16).protocol == RECORD.protocol


def test_an_incomplete_line_of_scores_is_left_out(tmp_path):
    folder = RunFolder(tmp_path)
    folder.add_scores([RECORD])
    with folder.scores_file.open("a") as file:
        file.write(RECORD.to_json()[:40])
    folder.add_scores([replace(RECORD, generator_steps=16)])
    assert folder.scores() == [RECORD, replace(RECORD, generator_steps=16)]


def test_scores_of_another_version_are_refused_and_kept(tmp_path):
    folder = RunFolder(tmp_path)
    folder.scores_file.write_text(json.dumps(asdict(RECORD) | {"judge": "mnist_cnn"}) + "\n")
    with pytest.raises(UserError, match="written by another version of gan_lightning .*'judge'.*; rename it"):
        folder.add_scores([RECORD])
    assert "judge" in folder.scores_file.read_text()


def test_a_score_that_is_not_finite_is_not_kept(tmp_path):
    with pytest.raises(ValueError):
        RunFolder(tmp_path).add_scores([replace(RECORD, value=math.nan)])
    assert not RunFolder(tmp_path).scores_file.exists()


def test_a_resumed_run_forgets_only_scores_of_later_steps(tmp_path):
    folder = RunFolder(tmp_path)
    folder.add_scores([RECORD, replace(RECORD, generator_steps=9), replace(RECORD, generator_steps=None)])
    folder.forget_scores_after(8)
    assert [record.generator_steps for record in folder.scores()] == [8, None]
