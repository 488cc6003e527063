"""README and docs/ say what is true of the code: commands, options and their defaults, links, scores."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from benchmarks.model_pages import BEGIN, END, pages, scores_table
from benchmarks.models import digits, table
from gan_lightning.__main__ import MODULES, main, run_command
from gan_lightning.cli.study import Options, read_plan
from gan_lightning.config.aliases import meaning
from gan_lightning.config.compose import CONF_DIR, compose, options
from gan_lightning.config.schema import check
from gan_lightning.evaluation.protocol import SCORES
from gan_lightning.study.plan import Budget
from tests.helpers import ROOT, command
from tests.pages import FILES, PROGRAM, TEXTS, anchors, commands, fenced, rows, settings, without_blocks

pytestmark = pytest.mark.slow

MODELS = list(options("model"))

OF_A_RUN = (
    "resume",
    "sample",
    "interpolate",
    "project",
    "dataset",
    "evaluate",
    "export",
    "explore",
    "classifier",
    "report",
)
"""Commands that read a folder or file of the reader's, which the pages call FOLDER or FILE."""

OF_COMMANDS = {
    key for module in MODULES.values() for key in import_module(f"gan_lightning.cli.{module}").Options.model_fields
}
"""Options of commands other than training."""


OF_STUDIES = {*Options.model_fields, "arms.NAME", *(f"budget.{name}" for name in Budget.model_fields)}

EXAMPLES = {"smoothed", "zero_centered", "stopping", "loss.target"}
"""Choices and options that the pages' examples add."""


# What the configuration says


@cache
def composed(*words: str) -> DictConfig:
    """The configuration of a command line, Hydra's own part included."""
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return hydra_compose("train", overrides=list(words), return_hydra_config=True)


def chosen(cfg: DictConfig, group: str) -> str:
    """The choice of a group; of a group of parts, those that are there."""
    if group in ("penalty", "auxiliary", "annealing"):
        parts = [name for name, part in (cfg.get(group) or {}).items() if part]
        return f"[{','.join(parts)}]" if len(parts) > 1 else (parts or ["none"])[0]
    return cfg.hydra.runtime.choices[group]


def parsed(text: str) -> Any:
    """A value as the command line reads it."""
    return OmegaConf.from_dotlist([f"value={text}"])["value"]


def is_default(cfg: DictConfig, option: str, text: str) -> bool:
    """Whether an option has the value that a page states: a choice, a number, or the class of an object."""
    if (CONF_DIR / option).is_dir():
        return chosen(cfg, option) == text
    value = OmegaConf.select(cfg, option, throw_on_missing=True)
    if isinstance(value, DictConfig):
        return value._target_.rpartition(".")[2] == text
    return value == parsed(text)


@cache
def keys() -> set[str]:
    """Every key that some file of conf/ has."""
    found: set[str] = set()
    for file in CONF_DIR.rglob("*.yaml"):
        group = file.parent.relative_to(CONF_DIR).as_posix()
        package = re.match(r"# @package (\S+)", file.read_text())
        place = package[1].replace("_global_", "") if package else group.replace("experiment", "")
        found |= {f"{place}.{key}".strip(".") for key in dotted(read_yaml(file))}
    return found


def read_yaml(file: Path) -> Any:
    """A file of conf/, without what it takes from others."""
    return OmegaConf.to_container(OmegaConf.load(file))


def dotted(node: Any, place: str = "") -> Iterator[str]:
    """The keys of a mapping and of the mappings in it."""
    for key, value in node.items() if isinstance(node, dict) else ():
        yield f"{place}{key}"
        yield from dotted(value, f"{place}{key}.")


# Commands and options

TYPED = sorted({words for text in TEXTS.values() for words in commands(text)})


def in_full(words: str) -> list[str]:
    """A command's words, an example in the place of NAME."""
    words = words.replace("model=NAME", "model=gan").replace("paper/NAME", "paper/gan").replace(" --cfg job", "")
    return shlex.split(words.replace("experiment=NAME", "experiment=simple_gan"))


def each_job(words: list[str]) -> list[list[str]]:
    """What each job of a sweep gets."""
    overrides = OverridesParser.create().parse_overrides(words)
    each = [
        [f"{it.key_or_group}={value}" for value in it.sweep_string_iterator()] if it.is_sweep_override() else [word]
        for it, word in zip(overrides, words, strict=True)
    ]
    return [list(job) for job in product(*each)]


def assert_trains(words: list[str]) -> None:
    """The words are a configuration that training accepts."""
    sweep = words[:1] == ["-m"]
    jobs = each_job(words[sweep:])
    assert sweep or len(jobs) == 1, "several values need -m"
    for job in jobs:
        check(compose(*job))


@pytest.mark.parametrize("words", TYPED)
def test_every_command_is_accepted(words, tmp_path, monkeypatch, capsys):
    verb, *rest = in_full(words) or [""]
    monkeypatch.chdir(tmp_path)
    if any(word.startswith("run=pretrained/") for word in rest):
        run_command(verb, *rest)
    elif verb in OF_A_RUN:  # refused only because nothing has that name here
        monkeypatch.setattr("sys.argv", [PROGRAM, verb, *rest])
        with pytest.raises(SystemExit):
            main()
        named = r"\S*(FOLDER|FILE|latest|generator)\S*"
        assert re.search(rf"^error: \S+={named} (is no|is not|cannot be read)", capsys.readouterr().err)
    if verb == "resume":
        assert_trains([word for word in rest if not word.startswith("run=")])
    elif verb == "data":
        assert {word.partition("=")[0] for word in rest} <= {"name", "dir"}
    elif verb == "list":
        run_command(verb, *rest)
    elif verb == "study":
        read_plan(rest)
    elif verb not in OF_A_RUN:
        assert_trains(in_full(words))


def test_the_pages_have_commands():
    assert len(TYPED) > 60


@pytest.mark.parametrize("page", TEXTS)
def test_every_option_exists(page):
    typed = [word for key, value in settings(TEXTS[page]) for word in meaning(f"{key}={value}")]
    for key, _, value in (word.partition("=") for word in typed):
        if (CONF_DIR / key).is_dir():
            choices = {*options(key), *EXAMPLES, "null", "", "NAME", "paper/NAME"}
            assert set(re.split(r"[\[\],]+", value.strip("[]"))) <= choices, f"{key}={value}"
        elif not key.startswith("hydra") and key not in OF_COMMANDS | OF_STUDIES | EXAMPLES:
            assert key in keys() or key.startswith("trainer."), f"{key}={value}"


@pytest.mark.parametrize("model", MODELS)
def test_a_models_page_states_its_options(model):
    cfg, text = composed(f"model={model}"), TEXTS[f"docs/models/{model}.md"]
    stated = [row for row in rows(text, "## Options") if row[0].startswith("`")]
    for option, value, _ in stated:
        assert is_default(cfg, option.strip("`"), value.strip("`")), f"{option} is not {value}"
    assert f"`conf/model/{model}.yaml`" in text
    for key in dotted(read_yaml(CONF_DIR / "model" / f"{model}.yaml")):
        if key != "defaults" and not isinstance(OmegaConf.select(cfg, key), DictConfig) and "scheduler." not in key:
            same = [option for option, *_ in stated if option == f"`{key}`"]
            assert same or f"`{key}=" in text or key == "model.latent_dim", f"{key} is not in the table"


def test_the_shared_options_have_the_defaults_of_no_model():
    cfg = composed("~model")
    for option, value, _ in rows(TEXTS["docs/models.md"], "## Options all models share"):
        for name in option.replace("`", "").split(", "):
            assert (CONF_DIR / name).is_dir() or OmegaConf.select(cfg, name, default="no") != "no", name
            assert value == "the model's" or is_default(cfg, name, value.strip("`")), f"{name} is not {value}"


@pytest.mark.parametrize("group", ["optimizer", "loss", "penalty", "network", "annealing", "conditioning", "augment"])
def test_the_shared_options_name_every_choice(group):
    (row,) = (row for row in rows(TEXTS["docs/models.md"], "## Options all models share") if row[0] == f"`{group}`")
    assert set(options(group)) <= {*re.findall(r"`(\w+)`", " ".join(row)), "none"}


def test_the_page_on_data_has_every_data_set():
    assert set(options("data")) <= set(re.findall(r"^\| `(\w+)` \|", TEXTS["docs/data.md"], re.MULTILINE))


def test_the_overview_has_every_model():
    assert (
        re.findall(r"^\| \[`(\w+)`\]\(models/\1\.md\)", TEXTS["docs/models.md"], re.MULTILINE).sort() == MODELS.sort()
    )


def test_the_errors_that_are_quoted_are_those_that_are_printed(tmp_path):
    blocks = [block for text in TEXTS.values() for block in fenced(text) if block.startswith(f"$ {PROGRAM}")]
    assert len(blocks) >= 2
    for block in blocks:
        typed, _, quoted = block.partition("\n")
        said = command(*typed.removeprefix(f"$ {PROGRAM} ").split(), f"hydra.run.dir={tmp_path}").stderr
        assert quoted.split() == said.split()


# Links, length, scores


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_and_picture_exists(page):
    for link in re.findall(r"\]\(([^)]+)\)", without_blocks(TEXTS[page])):
        name, _, anchor = link.partition("#")
        if name.startswith("https://"):
            continue
        target = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


@pytest.mark.parametrize("page", TEXTS)
def test_every_module_that_is_named_exists(page):
    modules = [f"/{file.relative_to(ROOT).as_posix()}" for file in ROOT.rglob("*.py")]
    for name in re.findall(r"[\w/]+\.py\b", TEXTS[page].replace("http://", "").replace("https://", "")):
        is_an_example = any(f"new file, `{name}`" in " ".join(text.split()) for text in TEXTS.values())
        assert is_an_example or any(module.endswith(f"/{name}") for module in modules), name


def test_the_readme_is_short():
    assert len(TEXTS["README.md"].splitlines()) <= 130


def test_every_page_is_linked():
    linked = {
        ((ROOT / page).parent / name).resolve()
        for page, text in TEXTS.items()
        for name in re.findall(r"\]\(([^)#]+)", text)
        if not name.startswith("https://")
    }
    assert [file for file in FILES[1:] if file.resolve() not in linked] == []


def test_the_page_on_scores_explains_every_score():
    explained = re.findall(r"`(\w+)`", "\n".join(row[0] for row in score_rows()))
    assert sorted(explained) == sorted(SCORES)


def score_rows() -> list[list[str]]:
    text = TEXTS["docs/scores.md"].split("## What each score tells")[1].split("\n\n")[1]
    return [line.split("|")[1:-1] for line in text.splitlines()[2:]]


# What benchmarks.models writes into the models' pages


def test_the_table_of_results_is_what_the_command_prints(capsys):
    table(ROOT / "docs" / "models.json")
    assert capsys.readouterr().out in TEXTS["docs/models.md"]


def test_the_models_pages_are_what_the_command_writes(tmp_path):
    shutil.copytree(ROOT / "docs" / "models", tmp_path / "models")
    pages(ROOT / "docs" / "models.json", tmp_path / "models")
    for file in (ROOT / "docs" / "models").iterdir():
        assert (tmp_path / "models" / file.name).read_text() == file.read_text()


def test_the_readme_has_the_scores_of_its_pictures():
    runs = json.loads((ROOT / "docs" / "models.json").read_text())
    cells = [re.findall(r"\(docs/models/(\w+).md\)", line) for line in TEXTS["README.md"].splitlines()]
    (models,) = (line for line in cells if len(line) > 1)
    means = [
        digits(mean(page["frechet"] for name, page in runs.items() if name.rpartition("-")[0] == f"{model}-mnist"))
        for model in models
    ]
    assert re.findall(r"\| `frechet` (\S+)", TEXTS["README.md"]) == means


def test_scores_are_written_between_the_markers(tmp_path):
    seeds = {f"gan-mnist-{seed}": {"frechet": 1.0 + seed, "rarest": 0.05} for seed in (0, 1)}
    seeds["wgan_gan-mnist-0"] = {"frechet": 9.0}  # another model
    (tmp_path / "models.json").write_text(json.dumps(seeds))
    (tmp_path / "gan.md").write_text(f"# GAN\n\n{BEGIN}old\n{END}\nOptions\n")
    for _ in range(2):  # the second time changes nothing
        pages(tmp_path / "models.json", tmp_path)
        text = (tmp_path / "gan.md").read_text()
        assert text == f"# GAN\n\n{BEGIN}{scores_table('gan', seeds)}{END}\nOptions\n"
    assert "| `data=mnist` | 2 | 1.5 (1 to 2) | - | - | - | 0.050 | - | - |" in text
    assert "| `data=fashion_mnist` | 0 | - |" in text
