"""What a run may spend: when it ends, how its learning rates fall, what it says of the time that is left."""

import logging
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import Callback

from gan_lightning.__main__ import run_command
from gan_lightning.callbacks import Forecast
from gan_lightning.callbacks import progress as progress_module
from gan_lightning.callbacks.progress import in_words
from gan_lightning.config.compose import compose, options
from gan_lightning.errors import UserError
from gan_lightning.training.run import budget_in_words, settle_budget
from tests.helpers import built, run

pytestmark = pytest.mark.slow

SHORT = ("network=mlp", "annealing=linear_decay", "callbacks.samples=null")


class Recorder(Callback):
    """Notes the share spent and both learning rates at every batch."""

    rows: list = []

    def on_train_batch_end(self, trainer, module, *unused):
        rates = [optimizer.param_groups[0]["lr"] for optimizer in module.optimizers()]
        self.rows.append((module.budget_spent, *rates))


def recorded(monkeypatch, folder, *overrides):
    """Train, and return what `Recorder` noted."""
    monkeypatch.setattr(Recorder, "rows", [])
    run(folder, *SHORT, "+callbacks.recorder._target_=tests.test_budget.Recorder", *overrides)
    return Recorder.rows


@pytest.mark.parametrize(
    "budget,batches",
    [
        (["max_generator_steps=4"], 4),
        (["max_images=32"], 4),
        (["max_images=32", "max_generator_steps=9"], 4),  # the limit that is reached first
        (["trainer.max_epochs=1", "+trainer.limit_train_batches=4"], 4),
        (["default_generator_steps=4"], 4),
    ],
)
def test_rates_fall_linearly_as_the_budget_is_spent(monkeypatch, tmp_path, budget, batches):
    rates = ["optimizer.generator.lr=0.02", "optimizer.discriminator.lr=0.01"]
    rows = recorded(monkeypatch, tmp_path / "run", *budget, *rates)
    expected = [(done / batches, 0.02 * (1 - done / batches), 0.01 * (1 - done / batches)) for done in range(batches)]
    assert rows == [pytest.approx(row) for row in expected]


def test_a_time_limit_counts_too(monkeypatch, tmp_path):
    rows = recorded(monkeypatch, tmp_path / "run", "trainer.max_time=00:00:00:02", "optimizer.generator.lr=0.02")
    shares = [share for share, *_ in rows]
    assert shares == sorted(shares) and 0 < shares[-1] <= 1
    assert all(rate == pytest.approx(0.02 * (1 - share)) for share, rate, _ in rows)


def test_without_annealing_rates_stay(monkeypatch, tmp_path):
    rows = recorded(monkeypatch, tmp_path / "run", "max_generator_steps=3", "annealing=none")
    assert len(rows) == 3 and len({(first, second) for _, first, second in rows}) == 1


def test_a_resumed_run_follows_its_new_budget(monkeypatch, tmp_path):
    recorded(monkeypatch, tmp_path / "run", "max_generator_steps=2", "optimizer.generator.lr=0.02")
    monkeypatch.setattr(Recorder, "rows", [])
    run_command("resume", f"run={tmp_path / 'run'}", "max_generator_steps=4", "trust=true")
    assert [rate for _, rate, _ in Recorder.rows] == pytest.approx([0.01, 0.005])


def test_two_schedules_of_the_same_rates_are_refused():
    scheduler = "optimizer.scheduler={_target_:torch.optim.lr_scheduler.ExponentialLR,_partial_:true,gamma:0.9}"
    both = "annealing= and optimizer.scheduler= both set the learning rates"
    with pytest.raises(UserError, match=f"{both}; type annealing=none, or optimizer.scheduler=null"):
        built("annealing=linear_decay", scheduler)


def test_the_models_budget_is_that_of_runs_without_one():
    for given in ("max_images=9", "trainer.max_epochs=2", "trainer.max_time=00:00:01:00", "+trainer.max_steps=9"):
        cfg = compose(given)
        settle_budget(cfg)
        assert cfg.max_generator_steps is None
    cfg = compose("default_generator_steps=12")
    settle_budget(cfg)
    assert cfg.max_generator_steps == 12


@pytest.mark.parametrize("model", options("model"))
def test_every_model_has_a_budget(model):
    cfg = compose(f"model={model}")
    settle_budget(cfg)
    assert cfg.max_generator_steps >= 1000


def test_the_budget_of_a_finished_run_stands_in_its_folder(tmp_path):
    folder = run(tmp_path / "run", "network=mlp", "default_generator_steps=2")
    assert folder.config().max_generator_steps == 2
    with pytest.raises(UserError, match="has spent its budget: max_generator_steps=2, and 2 are done"):
        run_command("resume", f"run={folder.path}")


@pytest.mark.parametrize(
    "seconds,words",
    [(0.4, "0 s"), (40.2, "40 s"), (89, "89 s"), (95, "2 min"), (240, "4 min"), (4800, "80 min"), (5400, "1 h 30 min")],
)
def test_lengths_of_time_in_words(seconds, words):
    assert in_words(seconds) == words


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


def test_the_time_left_is_what_the_rest_costs_at_the_pace_so_far(monkeypatch, caplog):
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    forecast = Forecast()
    said = []
    with caplog.at_level(logging.INFO):
        for later, spent in ((0, 0.5), (5, 0.5), (20, 0.6), (50, 0.75)):  # resumed at half of its budget
            clock.now = 100.0 + later
            forecast.on_train_batch_start(None, SimpleNamespace(budget_spent=spent))
            said.append(forecast.left)
    assert said == [None, None, "80 s", "50 s"]  # 0.4 at 0.1 in 20 s; 0.25 at 0.25 in 50 s
    assert caplog.text.count("this run ends in about 80 s on this machine") == 1


def test_the_decay_leaves_what_is_computed_at_a_step_alone(tmp_path):
    """Up to the first step nothing is spent: the first step is that of a run without decay."""
    first, second = (
        run(tmp_path / name, "network=mlp", "max_generator_steps=1", *words)
        for name, words in (("plain", []), ("decayed", ["annealing=linear_decay"]))
    )
    one, other = (torch.load(folder.last, weights_only=True)["state_dict"] for folder in (first, second))
    assert all(torch.equal(one[name], other[name]) for name in one)


BUDGETS = {
    (): "3,000 generator steps",
    ("max_images=64",): "64 images",
    ("trainer.max_epochs=2", "trainer.max_time=00:01:00:05"): "2 epochs or 1:00:05 of training, whatever is first",
    ("+trainer.max_steps=10",): "10 optimizer steps",
    ("trainer.max_epochs=-1",): "none: it trains until you stop it",
}


@pytest.mark.parametrize("words", BUDGETS)
def test_the_budget_is_said_before_training(words):
    cfg = compose(*words)
    settle_budget(cfg)
    assert budget_in_words(cfg) == BUDGETS[words]
