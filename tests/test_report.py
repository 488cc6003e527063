"""Reports read any run folders: arms, what may be compared, what is left out and why, and the files they write."""

import csv
import json
import shlex
import shutil
from pathlib import Path

import pytest

from gan_lightning.__main__ import run_command
from gan_lightning.errors import UserError
from gan_lightning.loggers import RunLabel
from gan_lightning.report.arms import find_arms
from gan_lightning.report.charts import Axis, Line, Point, draw
from gan_lightning.report.content import make_report
from gan_lightning.report.curves import Clock, Moment, average, during_training, points, score_charts
from gan_lightning.report.page import make_page, write_report, write_run_page
from gan_lightning.report.reading import read_runs, reproduce
from gan_lightning.report.tables import format_markdown
from tests.reports import live, record, write_run, write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def report(study):
    return make_report([study])


def test_runs_that_differ_only_in_their_seed_are_an_arm(report):
    assert {arm.name: [run.seed for run in arm.runs] for arm in report.arms} == {
        "wgan": [0, 1, 2, 4],
        "wgan_gp": [0, 1, 2],
    }


def test_options_that_change_no_weights_do_not_make_an_arm(tmp_path):
    write_run(tmp_path / "a", "gan", 0, [])
    write_run(tmp_path / "b", "gan", 1, [], "callbacks.evaluation.every_n_epochs=1", "logger=csv")
    write_run(tmp_path / "c", "gan", 1, [], "optimizer.generator.lr=0.5")
    names = [arm.name for arm in find_arms(read_runs([tmp_path])[0])]
    assert names == ["gan", "gan optimizer.generator.lr=0.5"]


def test_arms_that_no_word_tells_apart_are_named_by_their_options(tmp_path):
    for folder, words in {"a": [], "b": ["optimizer.generator.lr=0.5"], "c": ["model.latent_dim=7"]}.items():
        write_run(tmp_path / folder, "gan", 0, [], *words, sessions=[{"command": "python train.py"}])
    names = [arm.name for arm in find_arms(read_runs([tmp_path])[0])]
    assert names == [
        "gan model.latent_dim=64 generator.lr=0.0002", "gan model.latent_dim=64 generator.lr=0.5",
        "gan model.latent_dim=7 generator.lr=0.0002",
    ]  # fmt: skip


def test_only_finished_runs_are_compared_and_the_others_are_named(report, study):
    (table, live_table) = report.comparisons
    assert table.arms == ["wgan", "wgan_gp"]
    assert table.main.arms["wgan"].keys() == {0, 1, 2}  # neither the failed nor the running one
    assert table.main.best == ["wgan_gp"]
    assert table.main.sentences == ["wgan_gp beats wgan on 3 of 3 seeds (difference 3.1, 95 % interval 2.85 to 3.35)"]
    assert (table.split, live_table.split) == ("test", "validation")
    left_out = {Path(place).name: why for place, why in report.left_out}
    assert left_out["failed"] == "loss is <b>nan</b> | at once"
    assert "cannot be read" in left_out["torn"]
    assert left_out["goes_on"] == "running or killed, after 10 generator steps"


def test_a_score_that_should_be_as_real_is_compared_by_its_distance(report):
    column = next(column for column in report.comparisons[0].columns if column.score == "pixel_mean")
    assert column.ordered["wgan"] == pytest.approx({0: 0.04, 1: 0.05, 2: 0.06})
    assert column.higher_is_better is False


def test_different_data_and_protocols_stand_in_tables_of_their_own(tmp_path):
    write_run(tmp_path / "a", "gan", 0, [record("frechet", 3.0)])
    write_run(tmp_path / "b", "lsgan", 0, [record("frechet", 2.0, n=200)])
    write_run(tmp_path / "c", "wgan", 0, [record("frechet", 1.0, data="other")])
    write_run(tmp_path / "d", "hinge", 0, [record("frechet", 1.0)], "data.test_images=400")
    report = make_report([tmp_path])
    assert [comparison.arms for comparison in report.comparisons] == [["gan"], ["hinge"], ["lsgan"], ["wgan"]]
    assert report.comparisons[0].title == "mnist_5k, test images, 300 samples, data.test_images=500"
    assert report.notes[0] == "Scores on different data are not comparable, and stand in tables of their own."


def test_extractors_have_columns_of_their_own(tmp_path):
    write_run(tmp_path / "a", "gan", 0, [record("frechet", 3.0)])
    write_run(tmp_path / "b", "lsgan", 0, [record("frechet", 2.0, extractor_sha256="other")])
    report = make_report([tmp_path])
    assert [list(column.arms) for column in report.comparisons[0].columns] == [["gan"], ["lsgan"]]
    assert any("different extractors" in note for note in report.notes)


def test_the_newest_evaluation_and_the_newest_of_equal_seeds_count(tmp_path):
    write_run(
        tmp_path / "a", "gan", 0, [record("frechet", 3.0), record("frechet", 2.0), record("frechet", 9.0, source="raw")]
    )
    write_run(tmp_path / "b", "gan", 0, [record("frechet", 1.5)], ended="2026-11-26T12:00:00")
    report = make_report([tmp_path / "a"])
    assert report.comparisons[0].main.arms == {"gan": {0: 2.0}}
    report = make_report([tmp_path, tmp_path / "a"])  # found twice, read once
    assert report.comparisons[0].main.arms == {"gan": {0: 1.5}} and len(report.runs) == 2
    assert report.notes == ["gan: of runs with the same seed, the newest counts."]


def test_unequal_budgets_are_named(tmp_path):
    write_run(tmp_path / "a", "gan", 0, [record("frechet", 3.0)])
    write_run(tmp_path / "b", "lsgan", 0, [record("frechet", 2.0)], images_seen=9999)
    (note,) = make_report([tmp_path]).notes
    assert note.startswith("mnist_5k: the arms did not see equally many real images (gan 2,560, lsgan 9,999);")


def test_damaged_files_are_named_and_stop_nothing(tmp_path):
    run = write_run(tmp_path / "a", "gan", 0, [record("frechet", 3.0), live(4.0, 40)])
    run.scores_file.write_text(run.scores_file.read_text() + '{"torn')
    run.metrics.write_text(run.metrics.read_text() + "60,3840")
    (run.samples / "step-0000040.png").write_bytes(b"\x89PNG torn")
    (write_run(tmp_path / "b", "gan", 1, []).status_file).write_text("[")
    (tmp_path / "c" / "checkpoints").mkdir(parents=True)
    report = make_report([tmp_path])
    text = "\n".join(f"{place} {why}" for place, why in report.left_out)
    assert "1 of 3 lines are no records" in text and "1 of 3 rows are not whole" in text
    assert "status.json" in text and f"{tmp_path / 'c'} it holds no .hydra/config.yaml" in text
    page = make_page(report)
    assert page.count("<figure data-arm=") == 2


def test_numbers_that_no_run_writes_are_drawn_or_left_out(tmp_path):
    scores = [record("frechet", 1e308), live(-1e308, 20), live(0.0, 40), record("precision", 0.0, n=0)]
    run = write_run(tmp_path / "a", "gan", 0, scores, label=None, sessions=["x"], generator_steps=0, seconds=1e300)
    run.metrics.write_text("generator_steps,images_seen,seconds,d_real,d_fake\n9,9,inf,nan,1e308\n7,7,nan,-inf,0\n")
    write_run(tmp_path / "b", "gan", 1, [record("frechet", -1e308)])
    page = make_page(make_report([tmp_path]))
    drawn = [part.partition("</svg>")[0] for part in page.split('<svg class="chart"')[1:]]
    assert drawn and not any(word in part for part in drawn for word in ("nan", "inf"))


def test_no_runs_is_an_error_that_says_what_to_type(tmp_path):
    with pytest.raises(UserError, match=r"holds no run folder .*type runs=FOLDER"):
        make_report([tmp_path])


@pytest.mark.parametrize(
    ("command", "expected"),
    {
        "python -m gan_lightning -m model=gan,lsgan seed=0,1 hydra.sweep.dir=x a=2": "model=lsgan seed=1 a=2",
        "python -m gan_lightning model=lsgan hydra.run.dir=x": "model=lsgan",
        "python -m gan_lightning -m 'seed=range(5)' data=mnist": "seed=1 data=mnist",
        "python -m gan_lightning -m 'network.hidden=[32],[64,8]' x=null,1": "'network.hidden=[64,8]' x=null",
        "python -m gan_lightning -m experiment=a,b": "experiment=b",
    }.items(),
)
def test_the_command_of_a_job_is_that_of_its_sweep_with_its_own_values(command, expected):
    label = RunLabel("lsgan mnist seed 1 experiment=b", choices={"model": "lsgan"})
    options = {"seed": 1, "network.hidden": [64, 8], "x": None}
    assert reproduce(command, label, options) == f"python -m gan_lightning {expected}"


def test_other_commands_are_shown_as_they_are():
    assert reproduce("python train.py a,b", RunLabel("x"), {}) == "python train.py a,b"
    assert shlex.split(reproduce("python -m 'torn", RunLabel("x"), {})) == ["python -m 'torn"]


def test_the_command_writes_a_page_markdown_and_a_table(study, tmp_path, capsys):
    run_command("report", f"runs={study}", f"out={tmp_path / 'page.html'}")
    assert "open it in a browser" in capsys.readouterr().out
    page, text = (tmp_path / "page.html").read_text(), (tmp_path / "page.md").read_text()
    rows = list(csv.DictReader((tmp_path / "leaderboard.csv").open()))
    (best,) = (row for row in rows if row["best"] == "True" and row["split"] == "test" and row["score"] == "frechet")
    assert (best["arm"], best["seeds"], best["real_baseline"]) == ("wgan_gp", "3", "0.5")
    assert float(best["mean"]) == pytest.approx(5 + 3.8 / 3)
    assert float(best["interval_low"]) < float(best["mean"]) < float(best["interval_high"])
    assert "- wgan_gp beats wgan on 3 of 3 seeds" in text and "| real images |" in text
    assert "loss is &lt;b>nan&lt;/b> \\| at once" in text
    assert "wgan_gp beats wgan on 3 of 3 seeds" in page and "running or killed" in page
    assert "http" not in page.replace("http://www.w3.org", "")  # nothing is fetched


def test_names_of_a_strangers_run_are_text(tmp_path):
    evil = "</script><script>alert(1)</script>"
    write_run(tmp_path / "a", "gan", 0, [record("frechet", 1.0)], label={"name": evil, "choices": {}})
    page = make_page(make_report([tmp_path]))
    assert evil not in page and "&lt;script&gt;alert(1)" in page


def test_one_run_has_a_report_of_its_own(study, tmp_path):
    shutil.copytree(study / "0_wgan", tmp_path / "run")
    page, text, _ = write_report([tmp_path / "run"], tmp_path / "run" / "report.html")
    assert "wgan was trained with one seed only: there is no interval" in page.read_text()
    assert text.read_text().startswith("# wgan mnist_5k seed 0\n")


def test_a_run_writes_its_own_page_at_its_end(finished):
    page = finished.report.read_text()
    assert "test" in page and "data:image/png" in page and "Output of the discriminator" in page
    assert "No finished run has been scored" in page


def test_a_page_that_cannot_be_written_is_only_reported(finished, monkeypatch, caplog):
    monkeypatch.setattr("gan_lightning.report.page.make_page", lambda report: 1 / 0)
    before = finished.report.read_text()
    write_run_page(finished)
    assert "report.html could not be written: division by zero" in caplog.text
    assert finished.report.read_text() == before


def test_a_report_is_the_same_each_time(study):
    assert format_markdown(make_report([study])) == format_markdown(make_report([study]))


@pytest.mark.parametrize("words", [["runs=nowhere"], ["runs=.", "out=report.pdf"], ["runs=.", "out=."], []])
def test_mistakes_are_named(words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"type (run|runs|out)=|runs= is missing"):
        run_command("report", *words)


# Charts


def test_an_axis_puts_its_ends_at_its_ends_and_keeps_ratios_where_it_is_logarithmic():
    axis = Axis(1, 100, 0, 10, log=True)
    assert (axis(1), axis(10), axis(100), axis(0)) == (0, 5, 10, 0)
    assert Axis(-1, 1, 0, 10)(0) == 5
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks())


def test_a_chart_has_a_point_for_each_value_and_escapes_names():
    points = [Point(x, 1.0, 0.5, 1.5, f"at {x}") for x in range(3)]
    picture = draw([Line("<i>", 0, points)], "steps", "<b>", baseline=0.2)
    assert picture.count("<circle") == 3 and 'class="band"' in picture and 'class="baseline"' in picture
    assert "<i>" not in picture and "<b>" not in picture and "nan" not in picture
    assert draw([Line("empty", 0, [])], "steps", "empty") == ""
    flat = draw([Line("one", 9, [Point(0, 0.0, 0.0, 0.0, "")])], "steps", "flat")
    assert "nan" not in flat and "inf" not in flat and "stroke-dasharray" in flat


def test_curves_average_the_seeds_of_an_arm_at_each_step(report):
    arm = report.arms[1]
    runs = []
    for run in arm.runs:
        ((_, records),) = during_training(run).items()
        runs.append([Moment(Clock(run).spent(each), each.value) for each in records])
    first, last = points("wgan_gp", average(runs), "seconds")
    assert (first.x, last.x) == (4.0, 8.0)
    assert last.y == pytest.approx(5 + 3.8 / 3) and (last.low, last.high) == (5.1, 7.0)
    assert last.text == "wgan_gp: 6.27 (5.1 to 7, 3 seeds) after 8 seconds of training"
    (chart,) = score_charts(report.arms)
    assert set(chart.views) == {"images", "steps", "seconds"} and "lower is better" in chart.title


def test_json_of_the_films_names_each_runs_steps(report):
    page = make_page(report)
    films = [json.loads(part.partition("</script>")[0]) for part in page.split('<script type="application/json">')[1:]]
    assert all(film["steps"] == [0, 20, 40] and len(film["pictures"]) == 3 for film in films) and len(films) == 7
