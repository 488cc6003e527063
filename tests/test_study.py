"""The jobs of a study: a killed one goes on, finished ones are skipped, one that fails does not stop the others."""

import json
import logging
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from gan_lightning import trained_run
from gan_lightning.__main__ import run_command
from gan_lightning.cli.study import read_plan
from gan_lightning.errors import UserError
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.study import running, worker
from gan_lightning.study.plan import Job, Study, make_jobs
from gan_lightning.study.progress import Progress
from gan_lightning.study.results import Outcome, best, format_table, leading_score, read_outcome
from gan_lightning.training.lock import locked
from gan_lightning.training.run_folder import RunFolder
from tests.helpers import ROOT, TINY, same, weights
from tests.test_records import RECORD

WORDS = (
    "arms=[model=gan,[model=gan,lr_g=1e38]]", "seeds=[0]", *TINY, "network=mlp", "network.generator.hidden=[32]",
    "network.discriminator.hidden=[32]", "callbacks.checkpoints.every_minutes=0.001", "callbacks.samples.first=200",
    "budget.max_generator_steps=1000",
)  # fmt: skip
"""Two arms, of which one diverges, with a checkpoint every 0.06 seconds."""


@pytest.fixture(scope="module")
def killed(tmp_path_factory, cache_folder):
    """The folder of a study that was killed while its first job was training."""
    out = tmp_path_factory.mktemp("study") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_LIGHTNING_CACHE", str(cache_folder))
        with subprocess.Popen(
            [sys.executable, "-m", "gan_lightning", "study", *WORDS, f"out={out}"], cwd=ROOT, stdout=subprocess.DEVNULL
        ) as study:
            deadline = time.monotonic() + 200
            while not (out / "gan-mnist_5k-seed0/checkpoints/last.ckpt").is_file():
                assert study.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)
            study.kill()
    return out


@pytest.mark.slow
def test_a_killed_study_goes_on_to_the_same_weights_and_ends_with_the_job_that_failed(killed, tmp_path, caplog):
    with caplog.at_level(logging.INFO), pytest.raises(SystemExit, match="1"):
        run_command("study", *WORDS, f"out={killed}")
    said = caplog.text
    assert "2 jobs, 0 of them finished before" in said
    assert "job  1 of 2  gan-mnist_5k-seed0: finished with frechet" in said
    assert "1 of 2 jobs failed; the same command tries them again:" in said
    assert "  gan-lr_g_1e38-mnist_5k-seed0: training diverged" in said
    first, second = json.loads((killed / "study.json").read_text())["jobs"]
    assert (first["state"], second["state"]) == ("finished", "failed") and "diverged" in second["error"]
    job = RunFolder(killed / first["name"])
    assert job.status()["label"]["name"] == "gan mnist_5k seed 0" and job.status()["label"]["group"] == "out"
    assert len(job.status()["sessions"]) == 2 and job.status()["generator_steps"] == 1000
    assert {record.split for record in job.scores()} == {"test"}
    alone = trained_run.train(*first["words"], f"hydra.run.dir={tmp_path / 'alone'}")
    assert same(weights(job), weights(alone.files))
    check_what_is_left(killed, first["name"], second["name"])


def check_what_is_left(out: Path, done: str, failed: str) -> None:
    """A study that goes on in the folder runs what has failed alone, with the same options only, and by itself."""
    started: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "run_jobs", lambda jobs, *unused: started.extend(job.name for job in jobs))
        with pytest.raises(SystemExit):
            run_command("study", *WORDS, f"out={out}")
        assert started == [failed]
        with pytest.raises(
            UserError, match=rf"(?s){done} holds a run of other options \(max_generator_steps=1000, now 50"
        ):
            run_command("study", *WORDS[:-1], "budget.max_generator_steps=500", f"out={out}")
        with pytest.raises(UserError, match=r"model.latent_dim=64, now 8\): type the options .* or another out=FOLDER"):
            run_command("study", *WORDS, "model.latent_dim=8", f"out={out}")
        with (
            locked(out, "it is mine"),
            pytest.raises(UserError, match=f"is in use by process {os.getpid()} .* a folder has one study at a time"),
        ):
            run_command("study", *WORDS, f"out={out}")


@pytest.mark.slow
def test_a_run_that_a_job_would_train_is_copied_and_scored_only(tmp_path, monkeypatch):
    words = (*WORDS[:-1], "seeds=[3]", "budget.max_generator_steps=2", f"out={tmp_path / 'out'}")
    words = tuple(word for word in words if word != "seeds=[0]")
    trained: list[str] = []
    monkeypatch.setattr(running, "run_jobs", lambda jobs, *unused: trained.extend(job.name for job in jobs))
    job, _ = make_jobs(read_plan(list(words)), tmp_path / "out")
    before = trained_run.train(*job.words, f"hydra.run.dir={tmp_path / 'runs/mine'}")
    with pytest.raises(SystemExit):
        run_command("study", *words, f"runs={tmp_path / 'runs'}")
    copy = RunFolder(job.folder)
    assert same(weights(copy), weights(before.files)) and copy.config() == before.config
    assert trained[0] == job.name and copy.status() == before.status
    with pytest.raises(UserError, match="holds no finished run; type a run folder"):
        run_command("study", *words, f"runs={tmp_path / 'nothing'}")


# Processes


def jobs_in(folder: Path, *names: str) -> list[Job]:
    return [Job(name, "mnist", 0, (), folder / name) for name in names]


def python(script: str, *, output: Path) -> running.Process:
    with output.open("wb") as file:
        return subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=file)


def test_jobs_run_so_many_at_a_time_and_each_error_is_that_of_its_job(tmp_path):
    scripts = {
        "good": "print('error: of an earlier line')",
        "wrong": "print('fine\\nerror: first\\nsecond'); exit(1)",
        "killed": "import os; os.kill(os.getpid(), 9)",
        "stopped": "exit(130)",
    }
    jobs, running_now, most, errors = jobs_in(tmp_path, *scripts), set(), [], {}

    def start(job: Job) -> running.Process:
        job.folder.mkdir()
        running_now.add(job)
        most.append(len(running_now))
        return python(scripts[job.name], output=job.folder / running.LOG)

    def ended(job: Job, error: str) -> None:
        running_now.remove(job)
        errors[job.name] = error

    running.run_jobs(jobs, 2, start, ended)
    assert max(most) == 2 and not running_now
    assert (errors["good"], errors["wrong"]) == ("", "first\nsecond")
    assert "by signal 9: the system may be out of memory; type a smaller jobs=" in errors["killed"]
    assert "the same command goes on with it" in errors["stopped"]


def test_an_interrupt_ends_the_jobs_by_the_end_of_their_input(tmp_path):
    started = []

    def start(job: Job) -> running.Process:
        if started:
            raise KeyboardInterrupt
        started.append(python("import os; print(os.read(0, 1))", output=tmp_path / "said"))
        return started[0]

    with pytest.raises(KeyboardInterrupt):
        running.run_jobs(jobs_in(tmp_path, "a", "b"), 2, start, lambda job, error: None)
    assert started[0].returncode == 0 and (tmp_path / "said").read_text() == "b''\n"


def test_a_folder_of_any_name_is_read_as_it_stands():
    for folder in ("/a/b", "/a b/c,d=[1]", "/1e3", '/"q"'):
        word = running.path_word("hydra.run.dir", Path(folder))
        assert OverridesParser.create().parse_override(word).value() == folder


def test_threads_are_divided(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    assert [running.threads_each(jobs) for jobs in (1, 2, 3, 8)] == [6, 3, 2, 1]
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert running.threads_each(1) == os.cpu_count()


def test_a_job_waits_for_one_that_is_stopping_but_not_for_ever(tmp_path, monkeypatch):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    with holder:
        assert holder.stdin is not None and holder.stdout is not None
        holder.stdout.readline()
        monkeypatch.setattr(worker, "SECONDS_TO_WAIT", -1)
        with pytest.raises(UserError, match=f"is in use by process {holder.pid}"):
            worker.wait_for_lock(tmp_path / "run")
        monkeypatch.setattr(worker, "SECONDS_TO_WAIT", 100)
        monkeypatch.setattr(worker.time, "sleep", lambda seconds: holder.communicate())
        worker.wait_for_lock(tmp_path / "run")


HOLDER = """
import json, os, pathlib, socket, sys
from filelock import FileLock
folder = pathlib.Path(sys.argv[1])
folder.mkdir()
with FileLock(folder / ".lock"):
    (folder / ".lock.json").write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
    print("held", flush=True)
    sys.stdin.read()
"""


def test_what_cannot_be_trained_is_said_in_the_last_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(worker, "stop_with_parent", lambda: None)
    assert (
        worker.main('{"name": "", "group": "", "scores": [], "n": null}', "model=gam", f"hydra.run.dir={tmp_path}") == 1
    )
    assert capsys.readouterr().out.splitlines()[-1].startswith("error: model=gam is not a valid choice.")


# Results


def record(score: str, value: float) -> ScoreRecord:
    return replace(
        RECORD, score=score, value=value, real_baseline=0.5, n=500, data="mnist", split="test", during_training=False
    )


def outcome(**values: float) -> Outcome:
    return Outcome(seconds=60, records={name: record(name, value) for name, value in values.items()})


STUDY = Study(arms={"a": [], "b": ["x=1"]}, data=["mnist"], scores=["memorization", "frechet", "recall"])


def outcomes_in(folder: Path, **values: tuple[float, ...]) -> dict[Job, Outcome]:
    return {
        Job(arm, "mnist", seed, (), folder / f"{arm}{seed}"): outcome(frechet=value, memorization=0)
        for arm, each in values.items()
        for seed, value in enumerate(each)
    }


def test_the_table_has_mean_and_spread_the_best_arm_first_and_real_images_last(tmp_path):
    plan = read_plan(["arms.a=[]", "arms.b=x=1", "budget.max_images=5000", "out=x", "scores=[frechet,recall]"])
    lines = format_table(plan, outcomes_in(tmp_path, a=(5.0, 7.0, 9.0), b=(1.0, 3.0)))
    assert lines[1].startswith("mnist, 5,000 images each, 500 samples against test images; mean ± standard deviation")
    rows = [line.split("  ") for line in lines[2:]]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert cells == [
        ["seeds", "frechet", "recall", "minutes"],
        ["better when", "lower", "higher"],
        ["b", "2", "2 ± 1.4", "-", "1 ± 0"],
        ["a", "3", "7 ± 2", "-", "1 ± 0"],
        ["real images", "0.5", "-"],
    ]
    one = format_table(plan, outcomes_in(tmp_path, a=(5.0,)))
    assert "one seed each: how far seeds differ is not known" in one[1] and "±" not in "".join(one)


def test_the_first_score_with_an_order_decides_which_job_is_best(tmp_path):
    outcomes = outcomes_in(tmp_path, a=(5.0, 2.0), b=(3.0,))
    assert leading_score(STUDY.scores) == "frechet"
    found = best(outcomes, "mnist", "frechet")
    assert found is not None and (found[0].name, found[1]) == ("a1", 2.0)
    recalls = {job: outcome(recall=value) for job, value in zip(outcomes, (0.1, 0.3, 0.2), strict=True)}
    assert best(outcomes, "fashion_mnist", "frechet") is None and (found := best(recalls, "mnist", "recall"))
    assert found[0].name == "a1"


def test_progress_tells_which_job_how_good_and_how_long(tmp_path, monkeypatch, caplog):
    outcomes: dict[Job, Outcome] = dict.fromkeys(jobs_in(tmp_path, "a", "b", "c"), Outcome())
    first, second, _ = outcomes
    progress = Progress(STUDY, outcomes, 1)
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    with caplog.at_level(logging.INFO):
        progress.started(first)
        monkeypatch.setattr("time.monotonic", lambda: 190.0)
        outcomes[first] = outcome(frechet=12.34)
        progress.ended(first)
        progress.started(second)
        outcomes[second] = Outcome(error="too bad\nreally")
        progress.ended(second)
    assert caplog.messages == [
        "job  1 of 3  a: starts",
        "job  1 of 3  a: finished with frechet 12.3, best so far 12.3 (a), about 0:03:00 left",
        "job  2 of 3  b: starts",
        f"job  2 of 3  b: failed: too bad ... (see {tmp_path / 'b'}), best so far 12.3 (a), about 0:00:45 left",
    ]


def test_a_job_is_finished_when_its_last_weights_are_scored_as_asked(tmp_path):
    folder = RunFolder(tmp_path)
    assert read_outcome(folder, ["frechet"], None) == Outcome()
    folder.write_status({"state": "finished", "generator_steps": 10, "seconds": 3.0})
    right = replace(record("frechet", 2.0), generator_steps=10)
    wrong = [
        replace(right, generator_steps=9), replace(right, split="validation"), replace(right, during_training=True)
    ]  # fmt: skip
    folder.write_scores(wrong)
    assert not read_outcome(folder, ["frechet"], None).finished
    folder.write_scores([*wrong, replace(right, value=1.0, evaluated_at="1"), right, replace(right, source="raw")])
    found = read_outcome(folder, ["frechet"], 500)
    assert found.finished and found.records == {"frechet": right} and found.seconds == 3
    assert not read_outcome(folder, ["frechet"], 400).finished
    assert not read_outcome(folder, ["frechet", "tstr"], None).finished
    folder.write_status(folder.status() | {"state": "interrupted"})
    assert not read_outcome(folder, ["frechet"], None).finished
