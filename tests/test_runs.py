"""What a run leaves behind, and that stopping, resuming and watching never change it."""

import csv
import errno
import json
import os
import shutil
import signal

import pytest
import torch
from PIL import Image
from pytorch_lightning import Callback, Trainer

from gan_lightning.__main__ import run_command
from gan_lightning.build import load_module
from gan_lightning.callbacks import TrainingMetrics
from gan_lightning.cli.options import parse
from gan_lightning.cli.resume import apply_overrides
from gan_lightning.config.compose import compose
from gan_lightning.errors import UserError
from gan_lightning.models import GAN
from gan_lightning.training.run_folder import RunFolder, open_run, read_checkpoint
from tests.helpers import built, in_float64, run, weights

SMALL = ("network=mlp", "network.generator.hidden=[32]", "network.discriminator.hidden=[32]")
SHORT = (*SMALL, "callbacks.training_metrics.every_n_batches=2")
"""A run of about a second."""


def same(one, other):
    """Two state dicts, equal to the last bit."""
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def rows(folder):
    with folder.metrics.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, cache_folder):
    """A finished run of six generator steps."""
    patch = pytest.MonkeyPatch()
    patch.setenv("GAN_LIGHTNING_CACHE", str(cache_folder))
    yield run(tmp_path_factory.mktemp("finished") / "run", *SHORT, "max_generator_steps=6", "callbacks.samples.first=2")
    patch.undo()


def test_a_run_folder_holds_everything_a_person_opens(finished):
    assert finished.status()["state"] == "finished"
    assert finished.status()["generator_steps"] == 6
    assert finished.status()["images_seen"] == 48
    assert [file.name for file in finished.grids()] == [f"step-{step:07d}.png" for step in (0, 2, 3, 4, 5, 6)]
    with Image.open(finished.grids()[-1]) as image:
        assert image.size == (62, 62)  # two by two digits of 28 pixels, with gaps of 2
    assert (finished.samples / "real.png").is_file()
    with Image.open(finished.timelapse) as film:
        assert 2 <= film.n_frames <= 6  # Pillow joins equal frames
    with Image.open(finished.plot) as plot:
        assert plot.width > 500
    assert compose_equals(finished)


def compose_equals(folder):
    """The saved configuration is plain, resolved, and composes to what was asked for."""
    cfg = folder.config()
    return cfg.data.seed == 0 and cfg.model.n_critic == 1 and "${" not in folder.config_file.read_text()


def test_metrics_csv_has_a_row_every_so_many_batches(finished):
    table = rows(finished)
    assert [int(row["generator_steps"]) for row in table] == [2, 4, 6]
    assert [int(row["images_seen"]) for row in table] == [16, 32, 48]
    expected = {"loss_d", "loss_g", "d_real", "d_fake", "grad_norm_d", "grad_norm_g", "images_per_second"}
    assert expected | {"real_mean", "real_std", "fake_mean", "fake_std", "epoch", "seconds"} <= set(table[0])
    for row in table:
        assert 0 < float(row["d_real"]) < 1 and float(row["grad_norm_d"]) > 0


@in_float64
def test_metrics_are_the_batches_own_numbers():
    metrics = TrainingMetrics(every_n_batches=3)
    real, fake = torch.tensor([0.0, 1.0]), torch.tensor([2.0, 4.0])
    for value in (1.0, 2.0, 6.0):
        metrics.sums["loss_d"] = metrics.sums.get("loss_d", torch.tensor(0.0)) + value
        metrics.counts["loss_d"] = metrics.counts.get("loss_d", 0) + 1
    module = built("network=mlp")
    for player, gradient in ((module.discriminator, 3.0), (module.generator, 0.5)):
        for parameter in player.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
    row = metrics.read(module, real, fake)
    for name, player, gradient in (("d", module.discriminator, 3.0), ("g", module.generator, 0.5)):
        count = sum(parameter.numel() for parameter in player.parameters())
        assert row[f"grad_norm_{name}"] == pytest.approx(gradient * count**0.5, rel=1e-9)
    assert row["loss_d"] == pytest.approx(3.0, rel=1e-9)
    assert (row["real_mean"], row["fake_mean"]) == (0.5, 3.0)
    assert row["fake_std"] == pytest.approx(2**0.5, rel=1e-9)
    assert metrics.sums == {}


def test_checkpoints_are_tensors_and_plain_values(finished):
    content = torch.load(finished.last, weights_only=True)
    assert content["counters"] == {"generator_steps": 6, "images_seen": 48, "critic_steps": 0}


def test_a_checkpoint_of_an_earlier_version_says_so(finished, tmp_path):
    content = torch.load(finished.last, weights_only=True)
    del content["num_classes"]
    torch.save(content, tmp_path / "old.ckpt")
    with pytest.raises(UserError, match=r"old.ckpt was written by gan_lightning 0.1.*train again, or install 0.1"):
        read_checkpoint(tmp_path / "old.ckpt")


def test_weights_that_no_longer_fit_are_explained(finished, tmp_path):
    folder = RunFolder(shutil.copytree(finished.path, tmp_path / "run"))
    content = torch.load(folder.last, weights_only=True)
    content["state_dict"]["generator.output.bias"] = torch.zeros(1)
    torch.save(content, folder.last)
    with pytest.raises(UserError, match="an earlier version wrote it; train again, or install the version"):
        load_module(str(folder.path))


def test_a_run_loads_by_folder_and_by_checkpoint(finished):
    by_folder, checkpoint = load_module(str(finished.path))
    by_file, _ = load_module(str(checkpoint))
    assert by_folder.generator_steps == 6
    assert same(by_folder.state_dict(), by_file.state_dict())
    assert same(by_folder.state_dict(), weights(finished))


# The same weights, whatever happens around training


def test_the_seed_decides_everything(tmp_path, finished):
    again = run(tmp_path / "again", *SHORT, "max_generator_steps=6")
    other = run(tmp_path / "other", *SHORT, "max_generator_steps=6", "seed=1")
    assert same(weights(again), weights(finished))
    assert not same(weights(other), weights(finished))


@pytest.mark.slow
@pytest.mark.parametrize("network", ["mlp", "dcgan", "maxout_mlp"])
def test_watching_never_changes_training(tmp_path, network):
    """Grids at every step, rows at every batch, with batch norm and dropout in play: bit-equal weights."""
    common = (f"network={network}", "max_generator_steps=4")
    watched = run(
        tmp_path / "watched", *common, "callbacks.training_metrics.every_n_batches=1", "callbacks.samples.first=1"
    )
    alone = run(
        tmp_path / "alone", *common, "callbacks.training_metrics.every_n_batches=1000", "callbacks.samples.first=1000"
    )
    assert len(watched.grids()) == 5 and len(alone.grids()) == 2
    assert same(weights(watched), weights(alone))


LARGE_BATCHES = " ".join((*SMALL, "data.batch_size=1000"))  # four an epoch
RESUMED = {
    "batch norm, inside an epoch": ("model=dcgan", "max_generator_steps=3", "max_generator_steps=7"),
    "dropout and a schedule": ("experiment=paper/gan", "max_generator_steps=3", "max_generator_steps=7"),
    "between two generator steps": ("model=wgan_gp model.n_critic=5", "max_images=56", "max_generator_steps=3"),
    "amid a burn-in": ("model=r3gan model.burn_in=40", "max_generator_steps=3", "max_generator_steps=7"),
    "at an epoch's end": (LARGE_BATCHES, "trainer.max_epochs=2", "trainer.max_epochs=4"),
    "into the next epoch": (
        LARGE_BATCHES,
        "max_generator_steps=3",
        "max_generator_steps=10",
    ),
}


def some_slow(cases):
    """The first is enough for the quick tests."""
    first, *others = cases
    return [first, *(pytest.param(case, marks=pytest.mark.slow) for case in others)]


@pytest.mark.parametrize("case", some_slow(RESUMED))
def test_resuming_equals_never_having_stopped(tmp_path, case):
    model, first, second = RESUMED[case]
    whole = run(tmp_path / "whole", *model.split(), second)
    parts = run(tmp_path / "parts", *model.split(), first)
    run_command("resume", f"run={parts.path}", "max_images=null", second)
    assert parts.status()["generator_steps"] == whole.status()["generator_steps"]
    assert same(weights(parts), weights(whole))
    assert len(parts.status()["sessions"]) == 2


def test_resuming_goes_on_in_the_same_metrics_and_grids(tmp_path):
    folder = run(tmp_path / "run", *SHORT, "max_generator_steps=4", "callbacks.samples.first=2")
    run_command("resume", f"run={folder.path}", "max_generator_steps=8")
    assert [int(row["generator_steps"]) for row in rows(folder)] == [2, 4, 6, 8]
    assert [int(file.stem.removeprefix("step-")) for file in folder.grids()] == [0, 2, 3, 4, 5, 6, 8]


def test_rows_of_steps_that_a_crash_undid_are_dropped(tmp_path):
    folder = run(tmp_path / "run", *SHORT, "max_generator_steps=4")
    with folder.metrics.open("a") as file:
        columns = rows(folder)[0].keys()
        csv.DictWriter(file, columns).writerow(dict.fromkeys(columns, 999) | {"generator_steps": 6, "images_seen": 48})
        file.write("8,0.")  # and a row that the crash tore
    run_command("resume", f"run={folder.path}", "max_generator_steps=6")
    assert [row["loss_d"] == "999" for row in rows(folder)] == [False, False, False]


def test_a_spent_budget_is_said_not_ignored(finished):
    message = r"has spent its budget: max_generator_steps=6, and 6 are done; type resume run=.* max_generator_steps=12"
    with pytest.raises(UserError, match=message):
        run_command("resume", f"run={finished.path}")


def test_a_schedule_that_has_come_to_zero_is_not_resumed(tmp_path, caplog):
    caplog.set_level("INFO")
    falling = "{_target_: torch.optim.lr_scheduler.LinearLR, _partial_: true, start_factor: 1.0, end_factor: 0.0, "
    words = (*SHORT, f"+model.scheduler={falling}total_iters: 4}}")
    half = run(tmp_path / "half", *words, "max_generator_steps=2")
    assert f"resume run={half.path} max_generator_steps=4" in caplog.text
    caplog.clear()
    run_command("resume", f"run={half.path}", "max_generator_steps=4")
    assert "more samples" in caplog.text and "train longer" not in caplog.text
    with pytest.raises(UserError, match="a learning rate of 0: more steps would change nothing; start a new run with"):
        run_command("resume", f"run={half.path}", "max_generator_steps=8")


@pytest.mark.parametrize(
    "budget,steps", [("max_images=40", 5), ("max_generator_steps=3", 3), ("trainer.max_epochs=1", 4)]
)
def test_budgets(tmp_path, budget, steps):
    size = "data.batch_size=1000" if "epochs" in budget else "data.batch_size=8"
    assert run(tmp_path / "run", *SHORT, size, budget).status()["generator_steps"] == steps


def test_a_time_budget_stops_between_two_steps_and_can_be_raised(tmp_path):
    folder = run(tmp_path / "run", *SHORT, "trainer.max_time=00:00:00:01")
    assert folder.status()["state"] == "finished"
    assert read_checkpoint(folder.last)["counters"]["generator_steps"] == folder.status()["generator_steps"] > 0
    steps = folder.status()["generator_steps"]
    spent = read_checkpoint(folder.last)["callbacks"]["Timer"]["time_elapsed"]["train"]  # on a busy machine 2 seconds
    assert spent >= 1
    message = f"has spent its budget: trainer.max_time=00:00:00:01, and {spent:.0f} seconds are done"
    with pytest.raises(UserError, match=message):
        run_command("resume", f"run={folder.path}", "trainer.max_epochs=40")
    run_command("resume", f"run={folder.path}", "trainer.max_time=null", f"max_generator_steps={steps + 2}")
    assert folder.status()["generator_steps"] == steps + 2


def test_epoch_checkpoints(tmp_path):
    epochs = ("trainer.max_epochs=4", "data.batch_size=2000", "callbacks.checkpoints.every_n_epochs=2")
    folder = run(tmp_path / "run", *SHORT, *epochs)
    names = sorted(file.name for file in folder.checkpoints.iterdir())
    assert names == ["epoch-0002.ckpt", "epoch-0004.ckpt", "last.ckpt"]


# Interruptions


class Interrupt(Callback):
    """Sends this process a signal in the middle of a batch."""

    def __init__(self, batch: int, signal: str) -> None:
        self.batch = batch
        self.signal = signal

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if batch_idx == self.batch:
            os.kill(os.getpid(), getattr(signal, self.signal))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_ctrl_c_finishes_the_step_and_saves(tmp_path, name):
    before = signal.getsignal(signal.SIGINT)
    interrupt = f"+callbacks.interrupt={{_target_: tests.test_runs.Interrupt, batch: 2, signal: {name}}}"
    folder = run(tmp_path / "run", *SHORT, "max_generator_steps=6", interrupt)
    assert folder.status()["state"] == "interrupted"
    assert read_checkpoint(folder.last)["counters"]["generator_steps"] == folder.status()["generator_steps"] == 3
    assert folder.timelapse.is_file()
    assert signal.getsignal(signal.SIGINT) is before
    run_command("resume", f"run={folder.path}")
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
    step = GAN.training_step

    def poisoned(self, batch, batch_idx):
        outcome = step(self, batch, batch_idx)
        return outcome | {"loss_d": outcome["loss_d"] * (float("nan") if batch_idx == 3 else 1)}

    monkeypatch.setattr(GAN, "training_step", poisoned)
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


def test_rows_of_a_critic_with_several_steps_hold_both_players(tmp_path):
    steps = ["model.n_critic=5", "max_generator_steps=3", "callbacks.training_metrics.every_n_batches=7"]
    folder = run(tmp_path / "run", "model=wgan_gp", *SMALL, *steps)
    table = rows(folder)
    assert [int(row["images_seen"]) for row in table] == [56, 112, 120]  # the last row is cut short by the budget
    assert all(float(row[name]) > 0 for row in table for name in ("grad_norm_d", "grad_norm_g") if row[name])
    assert all(row["grad_norm_g"] for row in table)


# What resume may change


def test_resume_changes_budgets_and_devices_and_nothing_the_weights_depend_on(finished):
    for word in ("network.generator.hidden=[64]", "model.latent_dim=7", "seed=1", "data.batch_size=4", "loss.a=1"):
        with pytest.raises(UserError, match=f"{word.split('=')[0]} cannot change when a run goes on.*start a new run"):
            run_command("resume", f"run={finished.path}", word)
    before = finished.config_file.read_text()
    with pytest.raises(UserError, match=r"trainer.max_epoch is not a valid option. Did you mean trainer.max_epochs\?"):
        run_command("resume", f"run={finished.path}", "trainer.max_epoch=3")
    with pytest.raises(UserError, match=r"accelerator=gup is not a valid choice. Did you mean gpu\?"):
        run_command("resume", f"run={finished.path}", "accelerator=gup")
    assert finished.config_file.read_text() == before
    cfg = apply_overrides(finished.config(), parse(["accelerator=multi_gpu", "logger=tensorboard"]))
    assert (cfg.trainer.accelerator, cfg.trainer.devices, list(cfg.logger)) == ("gpu", -1, ["tensorboard"])


def test_resume_goes_on_from_the_last_checkpoint_only(finished):
    earlier = finished.checkpoints / "epoch-0001.ckpt"
    earlier.write_bytes(finished.last.read_bytes())
    with pytest.raises(UserError, match="is not the run's last checkpoint, and going on from it would undo later ones"):
        run_command("resume", f"run={earlier}")


# Bad folders


def test_folders_that_are_no_runs(tmp_path, finished):
    with pytest.raises(UserError, match="is no run folder"):
        open_run(str(tmp_path))
    empty = RunFolder(tmp_path / "empty")
    empty.write_config(compose())
    with pytest.raises(UserError, match="holds no checkpoint: the run ended before"):
        open_run(str(empty.path))
    empty.checkpoints.mkdir()
    empty.last.write_bytes(finished.last.read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):
        load_module(str(empty.path))


# Samples


def test_samples_are_the_seeds_alone(tmp_path, finished):
    import numpy as np

    def draw(name, *words):
        run_command("sample", f"run={finished.path}", f"out={tmp_path / name}", *words)
        return np.load(tmp_path / name)["images"]

    images = draw("a.npz", "n=300", "seed=3")
    assert images.shape == (300, 1, 28, 28) and images.dtype == np.uint8
    assert (draw("b.npz", "n=300", "seed=3") == images).all()
    assert (draw("c.npz", "n=300", "seed=4") != images).any()
    assert (draw("d.npz", "n=300", "seed=3", "weights=raw") != images).any()


def test_samples_as_a_grid_and_as_files(tmp_path, finished):
    run_command("sample", f"run={finished.path}", "n=9", f"out={tmp_path / 'new' / 'grid.png'}")
    with Image.open(tmp_path / "new" / "grid.png") as image:
        assert image.size == (92, 92)
    run_command("sample", f"run={finished.path}", "n=5", f"out={tmp_path / 'files'}")
    assert len(list((tmp_path / "files").glob("*.png"))) == 5
    with pytest.raises(UserError, match=r"type out=FILE.png \(a grid\), out=FILE.npz \(an array\) or out=FOLDER"):
        run_command("sample", f"run={finished.path}", "out=samples.jpg")


def test_samples_say_whose_weights_drew_them(tmp_path, finished, capsys):
    plain = run(tmp_path / "run", *SHORT, "max_generator_steps=1", "model.ema_half_life=null")
    for folder, whose in ((finished, "ema"), (plain, "raw")):
        run_command("sample", f"run={folder.path}", "n=1", f"out={tmp_path / 'x.npz'}")
        assert f"1 samples of {folder.last} ({whose} weights, seed 0) in" in capsys.readouterr().out
