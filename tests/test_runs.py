"""What a run leaves behind, and that watching never changes it."""

import shutil

import pytest
import torch
from PIL import Image

from gan_lightning.__main__ import run_command
from gan_lightning.build import load_module
from gan_lightning.callbacks import TrainingMetrics
from gan_lightning.callbacks.training_metrics import BatchMetrics
from gan_lightning.config.compose import compose
from gan_lightning.errors import UserError
from gan_lightning.images import CAPTION_HEIGHT
from gan_lightning.training.run_folder import RunFolder, open_run, read_checkpoint
from tests.helpers import SHORT, SMALL, built, in_float64, metric_rows, run, same, weights

pytestmark = pytest.mark.slow


def test_a_run_folder_holds_everything_a_person_opens(finished):
    assert finished.status()["state"] == "finished"
    assert finished.status()["generator_steps"] == 6
    assert finished.status()["images_seen"] == 48
    assert [file.name for file in finished.grids()] == [f"step-{step:07d}.png" for step in (0, 2, 3, 4, 5, 6)]
    with Image.open(finished.grids()[-1]) as image:
        assert image.size == (12 * 62, 12 * 62 + CAPTION_HEIGHT)  # two by two digits of 28 pixels, with gaps of 2
        assert image.text == {"magnification": "12", "caption": "generator step 6"}
    assert (finished.samples / "real.png").is_file()
    with Image.open(finished.timelapse) as film:
        assert 2 <= film.n_frames <= 6  # Pillow joins equal frames
    with Image.open(finished.plot) as plot:
        assert plot.width > 500
    assert compose_equals(finished)


def compose_equals(folder):
    """The saved configuration is plain, resolved, and composes to what was asked for."""
    cfg = folder.config()
    return cfg.data.seed == 0 and cfg.updates.n_critic == 1 and "${" not in folder.config_file.read_text()


def test_metrics_csv_has_a_row_every_so_many_batches(finished):
    table = metric_rows(finished)
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
    metrics.unread = [BatchMetrics(0, 0, {"loss_d": torch.tensor(value)}) for value in (1.0, 2.0, 6.0)]
    module = built("network=mlp")
    for network, gradient in ((module.discriminator, 3.0), (module.generator, 0.5)):
        for parameter in network.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
    row = metrics.read(module, real, fake)
    for name, network, gradient in (("d", module.discriminator, 3.0), ("g", module.generator, 0.5)):
        count = sum(parameter.numel() for parameter in network.parameters())
        assert row[f"grad_norm_{name}"] == pytest.approx(gradient * count**0.5, rel=1e-9)
    assert row["loss_d"] == pytest.approx(3.0, rel=1e-9)
    assert (row["real_mean"], row["fake_mean"]) == (0.5, 3.0)
    assert row["fake_std"] == pytest.approx(2**0.5, rel=1e-9)
    assert metrics.unread == []


def test_checkpoints_are_tensors_and_plain_values(finished):
    content = torch.load(finished.last, weights_only=True)
    assert content["counters"] == {"generator_steps": 6, "images_seen": 48, "discriminator_steps": 0}


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


@pytest.mark.parametrize("network", ["mlp", "dcgan", "maxout_mlp"])
def test_watching_never_changes_training(tmp_path, network):
    """Grids at every step, rows at every batch, with batch norm and dropout: bit-equal weights."""
    common = (f"network={network}", "max_generator_steps=4")
    watched = run(
        tmp_path / "watched", *common, "callbacks.training_metrics.every_n_batches=1", "callbacks.samples.first=1"
    )
    alone = run(
        tmp_path / "alone", *common, "callbacks.training_metrics.every_n_batches=1000", "callbacks.samples.first=1000"
    )
    assert len(watched.grids()) == 5 and len(alone.grids()) == 2
    assert same(weights(watched), weights(alone))


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
    assert names == ["epoch-0002.ckpt", "epoch-0004.ckpt", "last.ckpt", "previous.ckpt"]


def test_rows_of_a_critic_with_several_steps_hold_both_networks(tmp_path):
    steps = ["updates.n_critic=5", "max_generator_steps=3", "callbacks.training_metrics.every_n_batches=7"]
    folder = run(tmp_path / "run", "model=wgan_gp", *SMALL, *steps)
    table = metric_rows(folder)
    assert [int(row["images_seen"]) for row in table] == [56, 112, 120]  # the last row is cut short by the budget
    assert all(float(row[name]) > 0 for row in table for name in ("grad_norm_d", "grad_norm_g") if row[name])
    assert all(row["grad_norm_g"] for row in table)


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
        assert image.size == (8 * 92, 8 * 92)
    run_command("sample", f"run={finished.path}", "n=5", f"out={tmp_path / 'files'}")
    assert len(list((tmp_path / "files").glob("*.png"))) == 5
    with pytest.raises(UserError, match=r"type out=FILE.png \(a grid\), out=FILE.npz \(an array\) or out=FOLDER"):
        run_command("sample", f"run={finished.path}", "out=samples.jpg")


def test_samples_say_whose_weights_drew_them(tmp_path, finished, capsys):
    plain = run(tmp_path / "run", *SHORT, "max_generator_steps=1", "model.ema_half_life=null")
    for folder, whose in ((finished, "ema"), (plain, "raw")):
        run_command("sample", f"run={folder.path}", "n=1", f"out={tmp_path / 'x.npz'}")
        assert f"1 samples of {folder.last} ({whose} weights, seed 0) in" in capsys.readouterr().out


def test_earlier_samples_are_deleted_only_when_others_are_drawn(finished, tmp_path):
    out = f"out={tmp_path / 'drawn'}"
    run_command("sample", f"run={finished.path}", "n=3", out)
    first = {file.name for file in (tmp_path / "drawn").iterdir()}
    for words in (["run=nobody"], [f"run={finished.path}", "labels=3"], [f"run={finished.path}", "n=0"]):
        with pytest.raises(UserError):
            run_command("sample", *words, out, "replace=true")
        assert {file.name for file in (tmp_path / "drawn").iterdir()} == first and len(first) == 3
    run_command("sample", f"run={finished.path}", "n=2", out, "replace=true")
    assert len(list((tmp_path / "drawn").iterdir())) == 2
