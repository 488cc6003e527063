import logging
import sys

import pytest

from gan_lightning.__main__ import run_command
from gan_lightning.csv_logger import CSVLogger
from gan_lightning.loggers import GuardedWandbLogger, choose_wandb_mode, logged_in, read_wandb_id, start_wandb
from tests.helpers import run

START = {"config": {"seed": 0}, "name": "test", "group": None, "project": "gan_lightning", "entity": None}


class FakeRun:
    """A W&B run that fails at everything it is asked for."""

    id = "abc"
    dir = "wandb/run/files"

    def __getattr__(self, name):
        raise ConnectionError("the dashboard is on fire")


def test_credentials_are_found_without_importing_wandb(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    assert not logged_in()
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.wandb.ai\n  login user\n  password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert logged_in()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert not logged_in()
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert logged_in()
    assert "wandb" not in sys.modules


def test_a_wandb_that_does_not_answer_costs_seconds_once_and_is_recorded_offline(tmp_path, monkeypatch, caplog):
    """Nothing listens at the port; the second job of a sweep does not ask again."""
    import urllib.request

    asked = []
    original = urllib.request.urlopen
    monkeypatch.setattr(
        urllib.request, "urlopen", lambda *words, **options: (asked.append(1), original(*words, **options))
    )
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("WANDB_MODE")
    assert choose_wandb_mode() == choose_wandb_mode() == "offline"
    assert "does not answer at http://127.0.0.1:9" in caplog.text and len(asked) == 1


def test_a_torn_id_of_a_wandb_run_is_left_out(tmp_path):
    file = tmp_path / "wandb_id.txt"
    assert read_wandb_id(file) is None
    file.write_text("abc123\n")
    assert read_wandb_id(file) == "abc123"
    for garbage in (b"", b"\xff\x00", b"a/b"):
        file.write_bytes(garbage)
        assert read_wandb_id(file) is None


def test_auto_says_how_to_turn_wandb_on(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    assert start_wandb(tmp_path, required=False, **START) is None
    assert "`wandb login` once turns it on, logger=wandb records offline" in caplog.text
    assert len(caplog.records) == 1


def test_a_wandb_that_cannot_start_is_left_out(tmp_path, monkeypatch, caplog):
    import wandb

    def broken(**options):
        raise ConnectionError("no server")

    monkeypatch.setattr(wandb, "init", broken)
    assert start_wandb(tmp_path, required=True, **START) is None
    assert "could not start (training goes on without it): no server" in caplog.text


def test_a_wandb_that_breaks_is_reported_once_and_never_stops_training(tmp_path, monkeypatch, caplog):
    logger = GuardedWandbLogger.__new__(GuardedWandbLogger)
    logger._experiment = FakeRun()
    monkeypatch.setattr(GuardedWandbLogger, "experiment", property(lambda self: self._experiment))
    for step in range(3):
        logger.log_metrics({"loss_d": 1.0}, step)
    logger.log_film("timelapse", tmp_path / "none.gif")
    logger.finish(exit_code=0)
    assert logger.broken
    assert caplog.text.count("Weights & Biases failed and is left out from here on") == 1


@pytest.mark.slow
def test_wandb_offline_keeps_its_run_in_the_folder(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = run(
        tmp_path / "run",
        "network=mlp",
        "max_generator_steps=4",
        "callbacks.training_metrics.every_n_batches=2",
        "logger=wandb",
    )
    assert len(list((folder.path / "wandb").glob("offline-run-*/run-*.wandb"))) == 1
    caplog.set_level(logging.INFO)
    run_command("resume", f"run={folder.path}", "max_generator_steps=6")
    sessions = sorted((folder.path / "wandb").glob("offline-run-*"))
    assert len(sessions) == 2 and f"wandb sync {sessions[0]} {sessions[1]}" in caplog.text
    assert folder.status()["state"] == "finished"
    import wandb

    assert wandb.run is None  # closed, so that the next job of a sweep gets its own


def test_tensorboard_and_csv_side_by_side(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = run(
        tmp_path / "run",
        "network=mlp",
        "max_generator_steps=4",
        "callbacks.training_metrics.every_n_batches=2",
        "logger=[tensorboard,csv]",
    )
    events = EventAccumulator(str(folder.path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss_d")] == [2, 4]
    assert [event.step for event in events.Images("samples")] == [0, 4]
    assert folder.metrics.is_file()


def test_csv_grows_columns_without_losing_rows(tmp_path):
    logger = CSVLogger(tmp_path / "metrics.csv")
    logger.log_metrics({"loss_d": 1.0, "images_seen": 8}, step=1)
    logger.log_metrics({"loss_d": 2.0, "loss_g": 3.0, "images_seen": 16}, step=2)
    assert [(row["loss_d"], row["loss_g"]) for row in logger.read()] == [("1.0", ""), ("2.0", "3.0")]
