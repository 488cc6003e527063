"""Short names of runs."""

import os

import pytest

from gan_lightning.__main__ import main, run_command
from gan_lightning.errors import UserError
from gan_lightning.runs import CONFIG_FILE, find_run


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Three runs and a sweep's job, each written later than the one before."""
    monkeypatch.chdir(tmp_path)
    names = ["runs/wgan-mnist/09-00", "runs/wgan-mnist/10-00", "runs/dcgan-mnist/11-00", "multirun/x/0_lsgan-seed0"]
    for age, name in enumerate(names):
        for file in (CONFIG_FILE, "status.json"):
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (age, age))
    return names


def test_the_run_that_was_written_last_is_latest(runs, tmp_path, capsys):
    assert find_run("latest") == runs[-1]
    assert capsys.readouterr().out == f"run=latest is {runs[-1]}\n"
    os.utime(tmp_path / runs[0] / "status.json", (9, 9))
    assert find_run("latest") == runs[0]


def test_a_part_of_a_name_that_one_run_has_is_enough(runs):
    assert find_run("dcgan") == find_run("11-00") == find_run("dcgan-mnist/11") == runs[2]
    assert find_run("lsgan") == runs[3]
    assert find_run("wgan-mnist/10-00") == runs[1]


def test_a_whole_name_is_meant_before_a_part_of_one(runs, tmp_path):
    other = tmp_path / "runs" / "dcgan-mnist" / "11-00-longer"
    (other / CONFIG_FILE).parent.mkdir(parents=True)
    (other / CONFIG_FILE).touch()
    assert find_run("11-00") == runs[2]


def test_a_path_is_taken_as_it_is(runs, tmp_path, capsys):
    (tmp_path / "latest").mkdir()
    assert find_run("latest") == "latest" and find_run(runs[0]) == runs[0]
    assert capsys.readouterr().out == ""


def test_names_of_several_runs_and_of_none_are_refused(runs, tmp_path, monkeypatch):
    with pytest.raises(
        UserError, match=r"^run=wgan may be any of 2 runs:\n  runs/wgan-mnist/10-00\n  runs/wgan-mnist/09"
    ):
        find_run("wgan")
    with pytest.raises(
        UserError, match=r"^run=x9 is neither a run folder nor part of the name of a run:\n  multirun/x"
    ):
        find_run("x9")
    with pytest.raises(UserError, match=r"^run=lates is neither .* \(did you mean latest\?\):\n  multirun/x"):
        find_run("lates")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(UserError, match=r"^run=latest is no run folder, and runs/ and multirun/ here hold no run"):
        find_run("latest")


@pytest.mark.parametrize("command", ["sample", "evaluate", "resume"])
def test_every_command_takes_short_names(command, runs):
    with pytest.raises(UserError, match="says nothing about|holds no checkpoint|cannot be read"):
        run_command(command, "run=latest")


def test_another_python_says_what_to_type(monkeypatch, capsys):
    def fail(words):
        raise ModuleNotFoundError("No module named 'hydra'", name="hydra.core")

    monkeypatch.setattr("gan_lightning.__main__.dispatch", fail)
    with pytest.raises(SystemExit):
        main()
    message = capsys.readouterr().err
    assert "has no hydra.core: type `source .venv/bin/activate`" in message and message.count("\n") == 1
