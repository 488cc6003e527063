import logging
import sys

import pytest
import torch

from gan_lightning.__main__ import run_command
from gan_lightning.cli.train import swept_keys
from gan_lightning.config.allowed import NOT_CHOICES, find_base, find_class, place_of
from gan_lightning.config.compose import compose
from gan_lightning.csv_logger import CSVLogger
from gan_lightning.evaluation.protocol import SCORES
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.loggers import (
    GuardedTensorBoardLogger,
    GuardedWandbLogger,
    RunLabel,
    choose_wandb_mode,
    logged_in,
    make_label,
    read_label,
    read_wandb_id,
    reopen_dashboards,
    start_wandb,
)
from gan_lightning.loggers.sections import COUNTERS, in_section
from gan_lightning.loggers.tensorboard_logger import beside
from gan_lightning.training.run_folder import RunFolder
from tests.helpers import SCORED, metric_rows, run
from tests.wandb_file import read_closed

pytestmark = pytest.mark.slow

CHOICES = {"model": "wgan_gp", "data": "fashion_mnist", "network": "mlp", "loss": "wasserstein", "penalty": "wgan_gp"}

LABEL = RunLabel("wgan_gp fashion_mnist seed 0", choices={"model": "wgan_gp", "data": "fashion_mnist"})

START = {"config": {"seed": 0}, "label": LABEL, "job": "train", "project": "gan_lightning", "entity": None}

FRECHET = "frechet_mnist_5k_mnist_cnn_130"


class FakeRun:
    """A W&B run that remembers what it is given."""

    id = "abc"
    dir = "wandb/run/files"

    def __init__(self):
        self.rows, self.summary, self.hidden, self.steps, self.exit_code = [], {}, set(), {}, None

    def log(self, row):
        self.rows.append(row)

    def define_metric(self, name, step_metric=None, step_sync=None, hidden=False):
        self.steps[name] = step_metric
        self.hidden |= {name} if hidden else set()

    def finish(self, exit_code):
        self.exit_code = exit_code


class BrokenRun:
    """A W&B run that fails at everything it is asked for."""

    id = "abc"
    dir = "wandb/run/files"

    def __getattr__(self, name):
        raise ConnectionError("the dashboard is on fire")


@pytest.fixture
def wandb_calls(monkeypatch):
    """The arguments of each `wandb.init`, and the run that it gave."""
    import wandb

    calls = []

    def init(**options):
        calls.append((options, FakeRun()))
        return calls[-1][1]

    monkeypatch.setattr(wandb, "init", init)
    return calls


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A W&B logger of a run that remembers, in an empty run folder."""
    monkeypatch.setattr(GuardedWandbLogger, "experiment", property(lambda self: self._experiment))
    return GuardedWandbLogger(FakeRun(), RunFolder(tmp_path))


def record(value: float = 3.0, score: str = "frechet", **changes) -> ScoreRecord:
    """A score of 130 digits, measured in training."""
    facts = {
        "evaluated_at": "2026-01-01T00:00:00+00:00", "source": "ema", "error": None, "real_baseline": 0.5,
        "real_baseline_error": None, "higher_is_better": SCORES[score].higher_is_better, "data": "mnist_5k",
        "split": "test", "n": 130, "extractor": "mnist_cnn", "extractor_sha256": "0", "during_training": True,
        "generator_steps": 10, "images_seen": 640,
    }  # fmt: skip
    return ScoreRecord(score=score, value=value, **facts | changes)


def test_names_of_runs_can_be_read():
    words = ["model=wgan_gp", "data=fashion_mnist", "seed=3", "optimizer.generator.lr=0.1", "network=mlp"]
    assert make_label(CHOICES, 3, words, set(), None).name == "wgan_gp fashion_mnist seed 3"
    swept = {"model", "seed", "optimizer.generator.lr"}
    label = make_label(CHOICES, 3, words, swept, "2026-01-01")
    assert label.name == "wgan_gp fashion_mnist seed 3 optimizer.generator.lr=0.1"
    assert label.group == "2026-01-01"
    assert label.tags == ("model=wgan_gp", "data=fashion_mnist", "network=mlp", "loss=wasserstein")
    long = make_label(CHOICES | {"model": "m" * 200}, 3, words, set(), None)
    assert len(long.name) == 128 and max(map(len, long.tags)) == 64


def test_the_keys_of_a_sweep_are_those_with_several_values():
    words = ["-m", "model=gan,wgan", "seed=range(3)", "data=mnist", "+a=choice(1,2)", "--cfg", "job", "penalty=[r1,r2]"]
    assert swept_keys(words) == {"model", "seed", "a"}


def test_a_run_folder_keeps_its_label(tmp_path):
    folder = RunFolder(tmp_path / "name of the folder")
    assert read_label(folder) == RunLabel("name of the folder")
    folder.write_status({"label": {"name": LABEL.name, "group": None, "choices": LABEL.choices}})
    assert read_label(folder) == LABEL
    for garbage in (3, {"name": 3}, {"group": "a"}):
        folder.write_status({"label": garbage})
        assert read_label(folder) == RunLabel("name of the folder")


def test_metrics_csv_has_the_names_without_sections(finished):
    sections = {name: in_section(name).rpartition("/")[0] for name in metric_rows(finished)[0]}
    assert {name for name, section in sections.items() if not section} == set(COUNTERS)
    assert {name: sections[name] for name in ("loss_d", "grad_norm_g", "d_fake", "real_std", "seconds")} == {
        "loss_d": "loss", "grad_norm_g": "loss", "d_fake": "discriminator", "real_std": "pixels", "seconds": "system",
    }  # fmt: skip
    assert in_section("penalty") == "loss/penalty"


def test_classes_that_the_program_builds_itself_are_no_choices_of_a_run_folder():
    place = place_of("logger.mine")
    for name in NOT_CHOICES:
        module, _, attribute = name.rpartition(".")
        assert issubclass(getattr(sys.modules[module], attribute), find_base(place)), name
        assert find_class(name, place) is None


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


def test_auto_says_how_to_turn_wandb_on(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.delenv("WANDB_MODE")
    assert start_wandb(tmp_path, required=False, **START) is None
    assert "`wandb login` once turns it on, logger=wandb records offline" in caplog.text
    assert len(caplog.records) == 1


def test_a_wandb_that_cannot_start_is_left_out(tmp_path, monkeypatch, caplog):
    import wandb

    def broken(**options):
        raise ConnectionError("no server")

    monkeypatch.setattr(wandb, "init", broken)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert start_wandb(tmp_path, required=True, **START) is None
    assert "could not start (training goes on without it): no server" in caplog.text


def test_a_dashboard_that_breaks_is_reported_once_and_never_stops_training(fake, tmp_path, monkeypatch, caplog):
    board = GuardedTensorBoardLogger(RunFolder(tmp_path))
    for logger in (fake, board):
        monkeypatch.setattr(type(logger), "experiment", BrokenRun())
        for step in range(3):
            logger.log_metrics({"loss_d": 1.0, "images_seen": 8}, step)
        logger.log_samples(torch.zeros(1, 4, 4, dtype=torch.uint8), 3)
        logger.log_scores([record()], 0)
        logger.close(failed=False)
        assert logger.broken
        assert caplog.text.count(f"{logger.title} failed and is left out from here on") == 1


@pytest.mark.parametrize(("mode", "required", "recorded"), [
    ("offline", False, "offline"), ("offline", True, "offline"), ("disabled", False, None), ("disabled", True, None),
    ("", True, "offline"), ("", False, None),
])  # fmt: skip
def test_wandb_mode_is_obeyed(tmp_path, monkeypatch, wandb_calls, mode, required, recorded):
    """Without credentials; logger=auto is not required, logger=wandb is."""
    monkeypatch.setenv("WANDB_MODE", mode)
    logger = start_wandb(tmp_path, required=required, **START)
    assert [options["mode"] for options, _ in wandb_calls] == ([recorded] if recorded else [])
    assert (logger is not None) == (recorded is not None) == (tmp_path / "wandb_id.txt").exists()


def test_a_wandb_run_is_labelled_and_goes_on_under_its_id(tmp_path, monkeypatch, wandb_calls):
    monkeypatch.setenv("WANDB_MODE", "offline")
    RunFolder(tmp_path).write_status({"sessions": [{"command": "python -m gan_lightning model=wgan_gp"}]})
    for job in ("train", "evaluate"):
        start_wandb(tmp_path, required=True, **START | {"job": job})
    (first, run), (second, _) = wandb_calls
    assert (first["id"], first["resume"], second["id"], second["resume"]) == (None, None, "abc", "allow")
    assert [it["job_type"] for it in (first, second)] == ["train", "evaluate"]
    for options in (first, second):
        assert (options["name"], options["tags"], options["group"]) == (LABEL.name, LABEL.tags, None)
        assert options["notes"] == f"python -m gan_lightning model=wgan_gp\nrun folder: {tmp_path}"
        assert options["config"] == {"seed": 0, "choices": LABEL.choices}
    assert run.steps == {"generator_steps": None, "*": "generator_steps"}


def test_a_name_that_the_user_has_changed_on_the_server_stays(tmp_path, monkeypatch, wandb_calls):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr("gan_lightning.loggers.wandb_run.choose_wandb_mode", lambda: "online")
    for _ in range(2):
        start_wandb(tmp_path, required=True, **START)
    (first, _), (second, _) = wandb_calls
    assert first["name"] == LABEL.name and not {"name", "tags", "notes"} & second.keys()


def test_wandb_shows_rows_in_sections_against_generator_steps(fake):
    fake.log_metrics({"lr-Adam": 0.1}, 3)  # by Lightning's LearningRateMonitor: it waits
    fake.log_metrics({"loss_d": 1.0, "images_seen": 8, "epoch": 0}, 4)
    fake.log_metrics({"loss_d": 2.0, "images_seen": 16, "epoch": 0}, 8)
    assert fake.experiment.rows == [
        {"system/lr-Adam": 0.1, "loss/loss_d": 1.0, "images_seen": 8, "epoch": 0, "generator_steps": 4},
        {"loss/loss_d": 2.0, "images_seen": 16, "epoch": 0, "generator_steps": 8},
    ]


def test_wandb_shows_scores_in_one_panel_with_their_real_data_baseline(fake):
    """A panel for each score that has a best value; baselines and errors have none of their own."""
    for steps, values in ((10, (3.0, 0.2)), (20, (4.0, 0.3))):
        records = [record(values[0], generator_steps=steps, error=0.1),
                   record(values[1], "recall", generator_steps=steps)]  # fmt: skip
        fake.folder.add_scores(records)
        fake.log_scores(records, epoch=0)
    run, recall = fake.experiment, FRECHET.replace("frechet", "recall")
    assert [row[f"scores/{FRECHET}"] for row in run.rows] == [3.0, 4.0]
    assert run.summary == {f"best/{FRECHET}": 3.0, f"best/{recall}": 0.3}
    assert run.hidden == {f"scores/{FRECHET}_real", f"scores/{FRECHET}_error", f"scores/{recall}_real"}
    chart = run.rows[-1][f"scores/{FRECHET} and real images"]
    assert chart.table.data == [[10, "samples", 3.0], [20, "samples", 4.0],
                                [10, "real images", 0.5], [20, "real images", 0.5]]  # fmt: skip


def test_an_evaluation_names_the_weights_that_are_not_the_first(fake):
    kinds = {"during_training": False, "generator_steps": 20}
    fake.log_scores([record(3.0, **kinds), record(4.0, source="raw", **kinds)], epoch=None)
    assert fake.experiment.rows == [
        {f"scores/{FRECHET}": 3.0, f"scores/{FRECHET}_raw": 4.0, f"scores/{FRECHET}_real": 0.5,
         "images_seen": 640, "generator_steps": 20}
    ]  # fmt: skip
    assert fake.experiment.summary == {}


def test_pictures_stand_side_by_side_with_a_white_bar():
    left, right = torch.zeros(3, 4, 5, dtype=torch.uint8), torch.ones(3, 6, 2, dtype=torch.uint8)
    joined = beside([left, right])
    assert joined.shape == (3, 6, 5 + 12 + 2)
    assert torch.equal(joined[:, :4, :5], left) and torch.equal(joined[:, :, 17:], right)
    assert (joined[:, :, 5:17] == 255).all() and (joined[:, 4:, :5] == 255).all()


def test_training_resuming_and_evaluating_are_one_wandb_run(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = run(tmp_path / "run", *SCORED, "max_generator_steps=8", "logger=auto")
    caplog.set_level(logging.INFO)
    run_command("resume", f"run={folder.path}", "max_generator_steps=16")
    run_command("evaluate", f"run={folder.path}", "n=130")
    files = sorted((folder.path / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len({file.name for file in files}) == 1
    assert f"wandb sync {files[0].parent} {files[1].parent}" in caplog.text
    trained, resumed, evaluated = map(read_closed, files)
    for session in (trained, resumed, evaluated):
        assert session.run.display_name == "test" and session.exit_code == 0
        assert session.metrics["*"].step_metric == "generator_steps"
    assert [it.run.job_type for it in (trained, resumed, evaluated)] == ["train", "train", "evaluate"]
    rows = metric_rows(folder)
    losses = [(int(row["generator_steps"]), float(row["loss_d"])) for row in rows if row["loss_d"]]
    assert trained.column("loss/loss_d") + resumed.column("loss/loss_d") == losses
    captions = trained.column("samples/generated.caption")
    assert (8, "samples after 8 generator steps") in captions
    assert trained.column("samples/real.caption") == [(0, "real images")]
    assert [step for step, _ in trained.column("curves/training.caption")] == [8]
    assert [step for step, _ in trained.column("samples/timelapse.caption")] == [8]
    scores = [it for it in folder.scores() if it.score == "frechet"]
    best = min(it.value for it in scores if it.during_training)
    assert resumed.summary[f"best/{FRECHET}_validation"] == pytest.approx(best)
    assert evaluated.column(f"scores/{FRECHET}") == [(16, it.value) for it in scores if it.source == "ema"][-1:]
    assert [step for step, _ in evaluated.column("evaluation/real-and-samples.caption")] == [16]
    import wandb

    assert wandb.run is None  # closed, so that the next job of a sweep gets its own


@pytest.fixture(scope="module")
def on_board(tmp_path_factory, cache_folder):
    """A run of two scored epochs in TensorBoard, resumed once and evaluated."""
    pytest.importorskip("tensorboard")
    patch = pytest.MonkeyPatch()
    patch.setenv("GAN_LIGHTNING_CACHE", str(cache_folder))
    folder = tmp_path_factory.mktemp("board") / "run"
    run(folder, *SCORED, "max_generator_steps=8", "logger=tensorboard")
    run_command("resume", f"run={folder}", "max_generator_steps=16")
    run_command("evaluate", f"run={folder}", "n=130")
    yield RunFolder(folder)
    patch.undo()


@pytest.fixture
def events(on_board):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(on_board.path / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    return events


def test_tensorboard_shows_sections_scores_and_pictures(on_board, events):
    rows = [(int(row["generator_steps"]), row["loss_d"]) for row in metric_rows(on_board) if row["loss_d"]]
    losses = [(event.step, event.value) for event in events.Scalars("loss/loss_d")]
    assert [step for step, _ in losses] == [step for step, _ in rows] == [2, 4, 6, 8, 10, 12, 14, 16]
    assert [value for _, value in losses] == pytest.approx([float(value) for _, value in rows])
    scores = [it for it in on_board.scores() if it.score == "frechet"]
    watched = [it.value for it in scores if it.during_training]
    assert [it.value for it in events.Scalars(f"scores/{FRECHET}_validation")] == pytest.approx(watched)
    assert events.Scalars(f"best/{FRECHET}_validation")[-1].value == pytest.approx(min(watched))
    final = [it.value for it in scores if not it.during_training]
    names = [f"scores/{FRECHET}", f"scores/{FRECHET}_raw"]
    assert [events.Scalars(name)[-1].value for name in names] == pytest.approx(final)
    assert sorted({it.step for it in events.Images("samples/real and generated")}) == [0, 8, 16]
    picture = events.Images("samples/real and generated")[-1]
    assert picture.width > 1.9 * picture.height
    assert [it.step for it in events.Images("curves/training")] == [8, 16]
    assert [it.step for it in events.Images("evaluation/real-and-samples")] == [16]


def test_the_panels_of_tensorboard_hold_a_score_and_its_real_data_baseline(events):
    import re

    from tensorboard.plugins.custom_scalar import layout_pb2

    content = events.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
    charts = {chart.title: chart.multiline.tag for category in layout_pb2.Layout.FromString(content).category
              for chart in category.chart}  # fmt: skip
    tags = events.Tags()["scalars"]
    shown = {title: {tag for tag in tags if any(re.match(each, tag) for each in patterns)}
             for title, patterns in charts.items()}  # fmt: skip
    assert shown["D and G"] == {"loss/loss_d", "loss/loss_g"}
    validation = f"scores/{FRECHET}_validation"
    final = {f"scores/{FRECHET}", f"scores/{FRECHET}_raw", f"scores/{FRECHET}_real"}
    assert shown["frechet"] == {validation, f"{validation}_real"} | final
    assert not shown["frechet_inception"] and not any("_error" in tag for tags in shown.values() for tag in tags)


def test_tensorboard_lists_hyperparameters_with_the_final_scores(on_board):
    """As its own tab HPARAMS computes them."""
    from tensorboard import context
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.backend_context import Context

    multiplexer = EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(on_board.path))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(on_board.path))
    tab = Context(TBContext(logdir=str(on_board.path), multiplexer=multiplexer, data_provider=provider))
    request = context.RequestContext()
    found = tab.hparams_metadata(request, "")
    start = metadata.parse_session_start_info_plugin_data(found["tensorboard"][metadata.SESSION_START_INFO_TAG])
    values = {name: value.string_value or value.number_value for name, value in start.hparams.items()}
    assert (values["optimizer.generator.lr"], values["seed"], values["network.generator.hidden"]) == (0.001, 0, "[32]")
    experiment = tab.experiment_from_metadata(request, "", True, found, [])
    assert {f"scores/{FRECHET}", f"best/{FRECHET}_validation"} <= {it.name.tag for it in experiment.metric_infos}


def test_an_evaluation_goes_only_where_the_training_was_shown(finished, monkeypatch, tmp_path):
    cfg = finished.config()
    assert list(reopen_dashboards(cfg, finished, trust=False)) == []
    cfg.logger = compose("logger=[wandb,tensorboard]").logger
    assert list(reopen_dashboards(cfg, RunFolder(tmp_path), trust=False)) == []  # no wandb_id.txt, no events


def test_a_dashboard_that_is_gone_leaves_an_evaluation_whole(finished, tmp_path, monkeypatch, caplog):
    (tmp_path / "tensorboard").mkdir()
    cfg = finished.config()
    cfg.logger = compose("logger=tensorboard").logger
    monkeypatch.setattr(GuardedTensorBoardLogger, "__init__", lambda *words: __import__("no_such_module"))
    assert list(reopen_dashboards(cfg, RunFolder(tmp_path), trust=False)) == []
    assert "not shown: logger=tensorboard needs TensorBoard: pip install tensorboard" in caplog.text


def test_the_entity_of_a_strangers_folder_gets_no_evaluation(finished, tmp_path, monkeypatch, wandb_calls, caplog):
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / "wandb_id.txt").write_text("abc")
    cfg = finished.config()
    cfg.logger = compose("logger=wandb", "logger.wandb.entity=stranger").logger
    assert list(reopen_dashboards(cfg, RunFolder(tmp_path), trust=False)) == [] == wandb_calls
    assert "would send it to entity=stranger; add trust=true if that is yours" in caplog.text
    assert len(list(reopen_dashboards(cfg, RunFolder(tmp_path), trust=True))) == 1


def test_csv_grows_columns_without_losing_rows(tmp_path):
    logger = CSVLogger(tmp_path / "metrics.csv")
    logger.log_metrics({"loss_d": 1.0, "images_seen": 8}, step=1)
    logger.log_metrics({"loss_d": 2.0, "loss_g": 3.0, "images_seen": 16}, step=2)
    assert [(row["loss_d"], row["loss_g"]) for row in logger.read()] == [("1.0", ""), ("2.0", "3.0")]
