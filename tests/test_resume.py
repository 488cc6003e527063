"""Resuming: equal to never having stopped, and what it may change."""

import csv

import pytest

from gan_lightning.__main__ import run_command
from gan_lightning.callbacks.training_metrics import seconds_trained
from gan_lightning.cli.options import parse
from gan_lightning.cli.resume import apply_overrides
from gan_lightning.errors import UserError
from tests.helpers import SHORT, SMALL, metric_rows, run, same, weights

pytestmark = pytest.mark.slow

LARGE_BATCHES = " ".join((*SMALL, "data.batch_size=1000"))  # four an epoch
RESUMED = {
    "batch norm, inside an epoch": ("model=dcgan", "max_generator_steps=3", "max_generator_steps=7"),
    "dropout and a schedule": ("experiment=paper/gan", "max_generator_steps=3", "max_generator_steps=7"),
    "between two generator steps": ("model=wgan_gp updates.n_critic=5", "max_images=56", "max_generator_steps=3"),
    "amid a burn-in": ("model=r3gan annealing.burn_in.images=40", "max_generator_steps=3", "max_generator_steps=7"),
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
    assert [int(row["generator_steps"]) for row in metric_rows(folder)] == [2, 4, 6, 8]
    assert [int(file.stem.removeprefix("step-")) for file in folder.grids()] == [0, 2, 3, 4, 5, 6, 8]


def test_seconds_go_on_where_the_earlier_session_stopped(tmp_path):
    folder = run(tmp_path / "run", *SHORT, "max_generator_steps=4")
    folder.write_status(folder.status() | {"seconds": 7000.5})
    run_command("resume", f"run={folder.path}", "max_generator_steps=8")
    seconds = [float(row["seconds"]) for row in metric_rows(folder)]
    assert seconds[1] < 7000 < 7000.5 <= seconds[2] <= seconds[3] <= folder.status()["seconds"] + 0.1
    folder.status_file.unlink()
    assert seconds_trained(folder) == seconds[3]  # metrics.csv knows it, too


def test_rows_of_steps_that_a_crash_undid_are_dropped(tmp_path):
    folder = run(tmp_path / "run", *SHORT, "max_generator_steps=4")
    with folder.metrics.open("a") as file:
        columns = metric_rows(folder)[0].keys()
        csv.DictWriter(file, columns).writerow(dict.fromkeys(columns, 999) | {"generator_steps": 6, "images_seen": 48})
        file.write("8,0.")  # and a row that the crash tore
    run_command("resume", f"run={folder.path}", "max_generator_steps=6")
    assert [row["loss_d"] == "999" for row in metric_rows(folder)] == [False, False, False]


def test_resuming_with_a_spent_budget_is_refused(finished):
    message = r"has spent its budget: max_generator_steps=6, and 6 are done; type resume run=.* max_generator_steps=12"
    with pytest.raises(UserError, match=message):
        run_command("resume", f"run={finished.path}")


def test_a_schedule_that_has_come_to_zero_is_not_resumed(tmp_path, caplog):
    caplog.set_level("INFO")
    falling = "{_target_: torch.optim.lr_scheduler.LinearLR, _partial_: true, start_factor: 1.0, end_factor: 0.0, "
    words = (*SHORT, f"optimizer.scheduler={falling}total_iters: 4}}")
    half = run(tmp_path / "half", *words, "max_generator_steps=2")
    assert f"resume run={half.path} max_generator_steps=4" in caplog.text
    caplog.clear()
    run_command("resume", f"run={half.path}", "max_generator_steps=4")
    assert "more samples" in caplog.text and "train longer" not in caplog.text
    with pytest.raises(UserError, match="a learning rate of 0: more steps would change nothing; start a new run with"):
        run_command("resume", f"run={half.path}", "max_generator_steps=8")


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
