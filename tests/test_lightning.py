"""Lightning's conventions: its own callbacks and loggers, named in the configuration, find what they look for."""

import csv
from pathlib import Path

import pytest
from pytorch_lightning import Callback, Trainer

from gan_lightning.errors import UserError
from tests.helpers import SCORED, run

pytestmark = pytest.mark.slow

CALLBACKS = "pytorch_lightning.callbacks"


class Watch(Callback):
    """Notes what `trainer.callback_metrics` holds when each validation ends, as pruning callbacks read it."""

    seen: list[dict[str, float]] = []

    def on_validation_end(self, trainer: Trainer, *unused: object) -> None:
        Watch.seen.append({name: value.item() for name, value in trainer.callback_metrics.items()})


class Prune(Callback):
    """Ends a run at its first score, as Optuna's pruning callback does."""

    def on_validation_end(self, trainer: Trainer, *unused: object) -> None:
        assert trainer.callback_metrics["frechet"].item() > 0
        trainer.should_stop = True


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.open()))


def test_callback_metrics_hold_scores_and_the_latest_numbers_of_training(tmp_path):
    Watch.seen = []
    folder = run(
        tmp_path / "run", *SCORED, "trainer.max_epochs=2", "+callbacks.watch._target_=tests.test_lightning.Watch"
    )
    scores = [record for record in folder.scores() if record.score == "frechet"]
    assert [numbers["frechet"] for numbers in Watch.seen] == [record.value for record in scores]
    for numbers in Watch.seen:
        assert {"loss_d", "loss_g", "d_real", "d_fake", "generator_steps", "images_seen", "recall"} <= numbers.keys()


def test_early_stopping_ends_a_run_whose_score_does_not_improve(tmp_path):
    stop = f"+callbacks.stop={{_target_:{CALLBACKS}.EarlyStopping,monitor:frechet,mode:min,patience:1,min_delta:1e9}}"
    folder = run(tmp_path / "run", *SCORED, "trainer.max_epochs=20", stop)
    assert len([record for record in folder.scores() if record.score == "frechet"]) == 2  # the first, and patience
    assert folder.status()["generator_steps"] == 2 * 8 and folder.last.is_file()


def test_a_pruned_run_stops_at_its_first_score_and_is_saved(tmp_path):
    folder = run(
        tmp_path / "run", *SCORED, "trainer.max_epochs=20", "+callbacks.prune._target_=tests.test_lightning.Prune"
    )
    assert len([record for record in folder.scores() if record.score == "frechet"]) == 1
    assert folder.status()["generator_steps"] == 8 and folder.last.is_file()


def test_model_checkpoint_keeps_the_checkpoints_of_the_best_scores(tmp_path):
    best = f"+callbacks.best={{_target_:{CALLBACKS}.ModelCheckpoint,monitor:recall,mode:max,save_top_k:-1}}"
    folder = run(
        tmp_path / "run", *SCORED, "trainer.max_epochs=2", best, "+callbacks.best.filename='{epoch}-{recall:.4f}'"
    )
    values = [record.value for record in folder.scores() if record.score == "recall"]
    kept = {file.stem for file in folder.path.rglob("*recall*.ckpt")}
    assert kept == {f"epoch={epoch}-recall={value:.4f}" for epoch, value in enumerate(values)}


def test_the_learning_rate_monitor_logs_both_networks_rates(tmp_path):
    monitor = f"+callbacks.rates={{_target_:{CALLBACKS}.LearningRateMonitor,logging_interval:step}}"
    schedule = (
        "optimizer.scheduler={_target_:torch.optim.lr_scheduler.ConstantLR,_partial_:true,factor:0.5,total_iters:3}"
    )
    logger = f"+logger.lightning={{_target_:pytorch_lightning.loggers.CSVLogger,save_dir:{tmp_path / 'lightning'}}}"
    run(tmp_path / "run", *SCORED, "max_generator_steps=8", monitor, schedule, logger, "+trainer.log_every_n_steps=1")
    (file,) = (tmp_path / "lightning").rglob("metrics.csv")
    rates = {
        name: [float(row[name]) for row in rows(file) if row[name]] for name in rows(file)[0] if name.startswith("lr")
    }
    assert len(rates) == 2
    for values in rates.values():  # halved for three generator steps, then as configured
        assert values[0] * 2 == pytest.approx(values[-1])


def test_any_logger_of_lightnings_gets_metrics_and_scores(tmp_path):
    logger = f"+logger.lightning={{_target_:pytorch_lightning.loggers.CSVLogger,save_dir:{tmp_path / 'lightning'}}}"
    folder = run(tmp_path / "run", *SCORED, "trainer.max_epochs=1", logger)
    (file,) = (tmp_path / "lightning").rglob("metrics.csv")
    ours = [float(row["loss_d"]) for row in rows(folder.metrics) if row["loss_d"]]
    assert [float(row["loss_d"]) for row in rows(file) if row["loss_d"]] == pytest.approx(ours)
    (frechet,) = [record for record in folder.scores() if record.score == "frechet"]
    assert [float(row[frechet.full_name]) for row in rows(file) if row[frechet.full_name]] == [frechet.value]


def test_a_score_that_is_never_measured_or_monitored_the_wrong_way_round_is_refused(tmp_path):
    stop = f"+callbacks.stop={{_target_:{CALLBACKS}.EarlyStopping,monitor:frechet,mode:max}}"
    with pytest.raises(UserError, match="EarlyStopping monitors frechet with mode=max.* type mode=min"):
        run(tmp_path / "wrong", *SCORED, "trainer.max_epochs=1", stop)
    off = "callbacks.evaluation.every_n_epochs=null"
    with pytest.raises(UserError, match="which is never measured; type callbacks.evaluation.every_n_epochs=1"):
        run(tmp_path / "off", *SCORED, off, "trainer.max_epochs=1", stop)
