"""Signals, full disks and divergence: what was saved stays whole."""

import errno
import json
import os
import signal

import pytest
from pytorch_lightning import Callback, Trainer

from gan_lightning.__main__ import run_command
from gan_lightning.callbacks import GracefulStop
from gan_lightning.errors import UserError
from gan_lightning.models import GAN
from gan_lightning.training.run_folder import RunFolder, read_checkpoint
from tests.helpers import SHORT, run, same, weights
from tests.training import make_diverge

pytestmark = pytest.mark.slow

# Interruptions


class Interrupt(Callback):
    """Sends this process a signal in the middle of a batch."""

    def __init__(self, batch: int, signal: str) -> None:
        self.batch = batch
        self.signal = signal

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if batch_idx == self.batch:
            os.kill(os.getpid(), getattr(signal, self.signal))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_ctrl_c_finishes_the_step_and_saves(tmp_path, name):
    before = signal.getsignal(signal.SIGINT)
    interrupt = f"+callbacks.interrupt={{_target_: tests.test_interruptions.Interrupt, batch: 2, signal: {name}}}"
    folder = run(tmp_path / "run", *SHORT, "max_generator_steps=6", interrupt)
    assert folder.status()["state"] == "interrupted"
    assert read_checkpoint(folder.last)["counters"]["generator_steps"] == folder.status()["generator_steps"] == 3
    assert folder.timelapse.is_file()
    assert signal.getsignal(signal.SIGINT) is before
    run_command("resume", f"run={folder.path}", "trust=true")
    whole = run(tmp_path / "whole", *SHORT, "max_generator_steps=6")
    assert same(weights(folder), weights(whole))


def test_a_full_disk_loses_nothing_already_saved(tmp_path, monkeypatch):
    """The disk is full half-way through the second checkpoint."""
    folder = RunFolder(tmp_path / "run")
    original = Trainer.save_checkpoint

    def full(self, file, *arguments, **options):
        original(self, file, *arguments, **options)
        if folder.last.exists():
            os.truncate(file, 1000)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Trainer, "save_checkpoint", full)
    with pytest.raises(UserError, match=f"No space left on device; what was saved before is whole, in {folder.path}"):
        run(folder.path, *SHORT, "trainer.max_epochs=2", "data.batch_size=2000")
    monkeypatch.undo()
    assert read_checkpoint(folder.last)["counters"]["generator_steps"] == 2
    assert [file.name for file in folder.checkpoints.iterdir()] == ["last.ckpt"]
    assert folder.status()["state"] == "failed" and "No space left" in folder.status()["error"]


def test_divergence_stops_the_run_with_advice(tmp_path, monkeypatch):
    make_diverge(monkeypatch, batch=3)
    with pytest.raises(UserError, match="training diverged: loss_d is nan at generator step 4; start again"):
        run(tmp_path / "run", *SHORT, "max_generator_steps=6")
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "failed"


def test_weights_that_are_not_finite_never_replace_a_checkpoint(tmp_path, monkeypatch):
    """Divergence between two rows of metrics.csv, at an epoch's end."""
    step = GAN.training_step

    def poisoned(self, batch, batch_idx):
        outcome = step(self, batch, batch_idx)
        if self.generator_steps == 3:
            next(self.generator.parameters()).data.fill_(float("inf"))
        return outcome

    monkeypatch.setattr(GAN, "training_step", poisoned)
    epochs = ("data.batch_size=2000", "trainer.max_epochs=3", "callbacks.training_metrics.every_n_batches=100")
    with pytest.raises(UserError, match="training diverged: at generator step 4 weights are no longer finite"):
        run(tmp_path / "run", *SHORT, *epochs)
    assert read_checkpoint(RunFolder(tmp_path / "run").last)["counters"]["generator_steps"] == 2


def test_a_hangup_that_nohup_has_switched_off_stays_off():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = GracefulStop()
    stop.on_train_start(None, None)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN != signal.getsignal(signal.SIGTERM)
    stop.teardown(None, None, "fit")
    assert signal.signal(signal.SIGHUP, before) == signal.SIG_IGN
