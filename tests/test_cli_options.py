"""All commands read one grammar, Hydra's, and say what can be typed instead of what was."""

import shlex
import subprocess
import sys

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from pydantic import Field, PositiveInt

from gan_lightning.__main__ import HELP, MODULES, dispatch, run_command
from gan_lightning.cli.options import CommandOptions, format_help, keyed, parse, read_options, split_data_overrides
from gan_lightning.cli.resume import apply_overrides
from gan_lightning.config.compose import compose, groups, top_level_keys
from gan_lightning.config.messages import word_of
from gan_lightning.errors import UserError
from tests.helpers import ROOT


class Options(CommandOptions):
    """Do something.

      python -m gan_lightning something

    And no more.
    """

    run: str = Field(description="A folder.")
    n: PositiveInt = Field(64, description="A count.")
    classes: list[int] | None = Field(None, description="Several.")
    flag: bool | str = Field(False, description="Yes, no or a name.")


def read(*words):
    return read_options(Options, keyed(parse(words)))


VALUES = [
    "a b",
    "'a b'",
    '"a b"',
    '"a=b"',
    "'é'",
    "[1,2]",
    "null",
    "true",
    "1e3",
    "0001",
    "runs/x-y/2026-01-01_10",
    "''",
]


@pytest.mark.parametrize("typed", VALUES)
def test_a_value_means_the_same_in_training_and_in_every_other_command(typed):
    (override,) = parse([f"optimizer.scheduler={typed}"])
    cfg = compose("data=mnist", f"optimizer.scheduler={typed}")
    assert override.value() == OmegaConf.to_container(cfg)["optimizer"]["scheduler"]


def test_options_have_their_types_and_defaults():
    assert read("run=x") == Options(run="x", n=64, classes=None, flag=False)
    assert read("run=x", "n=3.0", "classes=[1,2]", "flag=true") == Options(run="x", n=3, classes=[1, 2], flag=True)
    assert read("run='a, b'", "flag=weights.pth").run == "a, b"
    assert read("run=x", "n='9'", "classes=null").n == 9


@pytest.mark.parametrize("name", ["2026", "1e3", "true", "007"])
def test_a_folder_may_be_named_like_a_number(name):
    assert read(f"run={name}").run == name


MISTAKES = {
    "no key": (["x"], "x is not of the form key=value; add --help"),
    "a bracket": (["n={"], "n={ cannot be read as key=value.* type 'n=\"{\"'"),
    "a sweep": (["run=x", "n=1,2"], r"n=1,2 names several values, and only training with -m .* n=\[1,2\]"),
    "a range": (["run=x", "n=range(1,3)"], "names several values"),
    "an addition": (["+run=x"], r"\+run=x: \+, ~ and @ .* type run=VALUE"),
    "a removal": (["run=x", "~n"], "~n: .* leave n out"),
    "a package": (["run@x=y"], "this command takes key=value only"),
    "twice": (["run=x", "n=1", "n=2"], "n= is given twice, as n=1 and n=2; type one of them"),
    "a typo": (["rnu=x"], "rnu is not a valid option here. Did you mean run\\? Allowed: classes, flag, n, run$"),
    "missing": (["n=1"], "run= is missing. Allowed: classes, flag, n, run$"),
    "nothing": (["run=null"], "run=None is not allowed: it should be a valid string"),
    "a range of numbers": (["run=x", "n=0"], "n=0 is not allowed: it should be greater than 0"),
    "a type": (["run=x", "classes=[a]"], r"classes=\['a'\] is not allowed: it should be a valid integer"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_explained(mistake):
    words, message = MISTAKES[mistake]
    with pytest.raises(UserError, match=message):
        read(*words)


def test_what_a_message_advises_can_be_typed():
    for word in ('run="a=b"', 'run="é"', 'run="a,b"'):
        assert read(word).run == word.split("=", 1)[1].strip('"')


@pytest.mark.parametrize("name", ["runs/a-b", "a b", "a=b", "a,b", "é", "it's", 'say "x"', "a\\b", "c\\", "~", "[x]"])
def test_a_word_that_is_printed_is_read_as_it_was_meant(name):
    (word,) = shlex.split(word_of("run", name))
    assert read(word).run == name


def test_options_of_the_data_set_are_split_off():
    of_data, own = split_data_overrides(["data=mnist", "data.dir='a b'", "n=3"])
    assert of_data == ["data.dir='a b'"] and list(own) == ["data", "n"]
    with pytest.raises(UserError, match=r"data.size=28,32 names several values"):
        split_data_overrides(["data.size=28,32"])


# Help


def test_help_is_the_docstring_and_a_line_for_each_option():
    assert format_help(Options).splitlines() == [
        "Do something.",
        "",
        "  python -m gan_lightning something",
        "",
        "And no more.",
        "",
        "  run=...       A folder.",
        "  n=64          A count.",
        "  classes=null  Several.",
        "  flag=false    Yes, no or a name.",
    ]


@pytest.mark.parametrize("command", MODULES)
def test_every_command_has_help(command, capsys):
    for words in ([command, "--help"], [command, "run=x", "-h"], ["help", command]):
        dispatch(words)
    printed = capsys.readouterr().out
    assert printed == printed[: len(printed) // 3] * 3
    assert printed.count("python -m gan_lightning") >= 3 and "None" not in printed
    assert all(len(line) <= 120 for line in printed.splitlines())


def test_help_without_a_command_names_all_of_them(capsys):
    for words in (["--help"], ["-h"], ["help"]):
        dispatch(words)
        printed = capsys.readouterr().out
        assert all(f"\n  {command}" in printed for command in MODULES if command != "train")
        assert 24 <= len(printed.splitlines()) <= 40 and max(map(len, printed.splitlines())) <= 100  # one screen


def test_an_example_of_each_line_of_the_overview_is_a_command():
    typed = [line.split()[0] for rows in HELP.values() for line in rows]
    assert set(MODULES) - set(typed) == {"train"}
    assert all(word in MODULES or "=" in word or word in ("-m", "help", "-sc") for word in typed)


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_help_fits_a_narrow_terminal(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    for words in (["--help"], ["evaluate", "--help"]):
        dispatch(words)
    prose = [line for line in capsys.readouterr().out.splitlines() if "gan_lightning" not in line]
    assert max(map(len, prose)) <= columns


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--help"], ["sample", "--help"], ["evaluate", "n=0"], ["list"], ["resume"]])
def test_help_and_first_mistakes_do_not_wait_for_torch(words):
    script = "import sys; from gan_lightning.__main__ import main\ntry: main()\nfinally: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.endswith("False\n"), done.stderr


# resume changes a configuration as training does


def test_resume_adds_and_removes_options():
    cfg = compose("callbacks.evaluation.n=300")
    words = ["+trainer.max_steps=9", "~callbacks.evaluation", "callbacks.samples.images='16'", "max_images=null"]
    apply_overrides(cfg, parse(words))
    assert (cfg.trainer.max_steps, "evaluation" in cfg.callbacks, cfg.callbacks.samples.images) == (9, False, 16)


RESUME_MISTAKES = {
    "max_generator_step=3": "max_generator_step is not a valid option. Did you mean max_generator_steps\\?",
    "loss.a=1": r"loss.a cannot change .* change one of trainer.KEY, max_images, .*, accelerator, logger$",
    "~callbacks.evaluation.steps": "callbacks.evaluation.steps is not an option of this run; leave .* out",
    "~callbacks.eval.n": "callbacks.eval.n is not an option of this run",
    "trainer.max_steps=9": "trainer.max_steps is not a valid option",
    "trainer.max_epochs=1,2": "names several values",
    "seed=1": "seed cannot change when a run goes on",
    "logger=wandbb": "Did you mean wandb\\?",
}


@pytest.mark.parametrize("word", RESUME_MISTAKES)
def test_mistakes_in_resume_are_explained(word):
    with pytest.raises(UserError, match=RESUME_MISTAKES[word]):
        apply_overrides(compose(), parse([word]))


def test_resume_needs_one_run():
    with pytest.raises(UserError, match="run= is missing"):
        run_command("resume", "max_images=3")
    with pytest.raises(UserError, match="run= is given twice"):
        run_command("resume", "run=a", "run=b")


# Groups


def test_groups_are_the_folders_of_conf(monkeypatch, tmp_path):
    assert {"model", "loss", "experiment", "data"} <= set(groups()) and "hydra" not in groups()
    for folder, text in {
        "dessert": "# Cake\nx: 1\n",
        "side": "# @package side.rice\n# Rice\nx: 1\n",
        "menu": "# @package _global_\n# All\nseed: 1\n",
        "hydra": "",
    }.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.yaml").write_text(text)
    (tmp_path / "train.yaml").write_text("defaults: [_self_]\nseed: 0\nhydra: {}\n")
    monkeypatch.setattr("gan_lightning.config.compose.CONF_DIR", tmp_path)
    assert groups() == ["dessert", "menu", "side"]
    assert top_level_keys() == ["dessert", "seed", "side"]  # the menu's file is of the whole configuration


def test_the_grammar_is_hydras():
    assert parse(["a.b=[x,{y:1}]"])[0] == OverridesParser.create().parse_override("a.b=[x,{y:1}]")
