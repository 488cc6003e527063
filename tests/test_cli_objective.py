"""What a job returns to a sweeper: one number, lower always better."""

import json
import sys
from pathlib import Path

import pytest
import torch
from hydra.experimental.callback import Callback

from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.cli import train as train_command
from gan_lightning.errors import UserError
from gan_lightning.evaluation.protocol import SCORES
from gan_lightning.loggers import RunLabel
from gan_lightning.training.objective import check_objective, read_objective
from gan_lightning.training.run import train
from gan_lightning.training.run_folder import RunFolder
from tests.helpers import TINY, command, composed

pytestmark = pytest.mark.slow

SCORED = ("network=mlp", "network.generator.hidden=[16]", "network.discriminator.hidden=[16]", "data.batch_size=500",
          "callbacks.evaluation.n=150", "callbacks.evaluation.every_n_epochs=1")  # fmt: skip
ON = [Evaluation(every_n_epochs=1)]


@pytest.mark.parametrize("score", ["frechet", "kernel", "recall", "coverage", "classifier_score"])
def test_lower_is_always_better(score):
    better, worse = (1.0, 2.0) if SCORES[score].higher_is_better is False else (2.0, 1.0)
    values = [
        read_objective(score, {score: torch.tensor(value), "loss_d": torch.tensor(0)}) for value in (better, worse)
    ]
    assert [abs(value) for value in values] == [better, worse]
    assert values[0] < values[1] < train_command.FAILED


def test_without_an_objective_there_is_none():
    check_objective(None, [], 10)
    assert read_objective(None, {"frechet": torch.tensor(1.0)}) is None


REFUSED = {
    "memorization": "objective=memorization cannot be minimized: neither lower nor higher .* type objective=frechet",
    "pixel_mean": "objective=pixel_mean cannot be minimized",
    "tstr": "objective=tstr is not a score that is measured in training; .* allowed: frechet, kernel, .*coverage, null",
    "fid": "objective=fid is not a score",
}


@pytest.mark.parametrize("score", REFUSED)
def test_scores_without_an_order_and_those_not_measured_are_refused(score):
    with pytest.raises(UserError, match=REFUSED[score]):
        check_objective(score, ON, 10)


def test_a_score_that_will_not_be_measured_is_refused_before_training(tmp_path):
    with pytest.raises(UserError, match="evaluation is off; type callbacks.evaluation.every_n_epochs=1, or objective="):
        train(composed("objective=frechet"), RunFolder(tmp_path / "run"), RunLabel("test"))
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match="needs classes, and this data set has none"):
        check_objective("classifier_score", ON, 1)
    check_objective("classifier_score", ON, 10)


def test_a_run_that_ends_before_its_first_evaluation_says_so():
    with pytest.raises(UserError, match="objective=frechet was not measured: the run ended before .* a longer budget"):
        read_objective("frechet", {"loss_d": torch.tensor(1.0)})


@pytest.mark.parametrize("score,sign", [("frechet", 1), ("coverage", -1)])
def test_the_objective_is_the_last_score_of_the_run(tmp_path, score, sign):
    cfg = composed(*SCORED, f"objective={score}", "trainer.max_epochs=2")
    result = train(cfg, RunFolder(tmp_path / "run"), RunLabel("test"))
    measured = [record.value for record in RunFolder(tmp_path / "run").scores() if record.score == score]
    assert len(measured) == 2
    assert result == ("finished", pytest.approx(sign * measured[-1], rel=1e-12))


class Returned(Callback):
    """Writes what each job returned to a file of its number."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_job_end(self, config, job_return, **unused):
        (self.folder / f"job-{config.hydra.job.num}.json").write_text(json.dumps(job_return.return_value))


def test_a_sweep_gets_every_jobs_objective_and_the_worst_for_one_that_failed(tmp_path):
    probe = f"+hydra.callbacks.returned={{_target_: tests.test_cli_objective.Returned, folder: {tmp_path}}}"
    words = ("-m", "seed=0,-1", "objective=frechet,coverage", "max_generator_steps=2", probe)
    swept = command(*TINY, *SCORED, *words, f"hydra.sweep.dir={tmp_path}", "hydra.sweep.subdir=run-${hydra.job.num}")
    assert swept.returncode == 1, swept.stderr  # as two jobs failed
    returned = [json.loads((tmp_path / f"job-{number}.json").read_text()) for number in range(4)]
    last = {record.score: record.value for record in RunFolder(tmp_path / "run-0").scores()}
    assert returned == [pytest.approx(last["frechet"]), pytest.approx(-last["coverage"]), *2 * [sys.float_info.max]]
    assert RunFolder(tmp_path / "run-2").status()["state"] == "failed"
