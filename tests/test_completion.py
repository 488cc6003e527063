"""What Tab completes, asked as bash asks it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan_lightning.__main__ import MODULES, dispatch
from gan_lightning.cli.completion import complete
from gan_lightning.config.compose import options
from gan_lightning.errors import UserError
from tests.helpers import ROOT


def completed(line):
    return complete(f"gan-lightning {line}", MODULES)


COMPLETED = {
    "sam": ["sample"],
    "help pro": ["project"],
    "export format=": ["format=html", "format=onnx", "format=safetensors"],
    "explore run=x browser=": ["browser=false", "browser=true"],
    "sample weights=e": ["weights=ema"],
    "dataset n": ["n=", "n_test="],
    "list penalty=r": ["penalty=r1", "penalty=r2"],
    "list upd": ["updates", "updates="],
    "experiment=paper/wgan_": [f"experiment=paper/wgan_{name}" for name in ("div", "gp", "lp")],
    "-m model=gan,wgan_l": ["model=gan,wgan_lp"],
    "model=wgan optimizer.generator.l": ["optimizer.generator.lr="],
    "resume run=x max_i": ["max_images="],
    "seed=1 see": ["seed="],
    "model=nonsense see": [],
    "sample nonsense=": [],
}


@pytest.mark.parametrize("line", COMPLETED)
def test_words_are_completed(line):
    assert completed(line) == COMPLETED[line]
    assert complete(f".venv/bin/python3 -m gan_lightning {line}", MODULES) == COMPLETED[line]


def test_commands_groups_and_options_may_come_first_and_commands_only_first():
    assert {*MODULES, "model=", "seed=", "optimizer."} <= set(completed(""))
    assert not set(MODULES) & set(completed("seed=1 "))


def test_runs_are_completed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "gan-mnist" / "one" / ".hydra").mkdir(parents=True)
    (tmp_path / "runs" / "gan-mnist" / "one" / ".hydra" / "config.yaml").touch()
    assert completed("sample run=") == ["run=latest", "run=runs/gan-mnist/one"]


def test_hydra_is_asked_without_a_trace(monkeypatch):
    monkeypatch.setenv("COMP_LINE", "mine")
    before = list(sys.argv)
    completed("seed=1 see")
    assert os.environ["COMP_LINE"] == "mine" and sys.argv == before


def test_other_requests_are_refused():
    for words in (["-sc"], ["-sc", "install=csh"], ["--shell-completion", "query"]):
        with pytest.raises(UserError, match=r'^type eval "\$\(gan-lightning -sc install=bash\)", or uninstall=bash$'):
            dispatch(words)


IN_BASH = r"""
eval "$("$1" -m gan_lightning -sc install=bash)"
COMP_LINE="$1 -m gan_lightning model=wgan_" COMP_POINT=${#COMP_LINE} COMP_CWORD=5
COMP_WORDS=("$1" -m gan_lightning model = wgan_)
COMP_POINT=${#COMP_LINE}
_gan_lightning
echo "${COMPREPLY[@]}"
COMP_WORDS=("$1" script.py x) COMP_CWORD=2 COMPREPLY=()
_gan_lightning
echo "other: ${COMPREPLY[@]}"
eval "$("$1" -m gan_lightning -sc uninstall=bash)"
complete -p gan-lightning 2>&1 | grep -o "no completion"
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="there is no bash")
def test_bash_completes_what_stands_behind_the_equals_sign(tmp_path):
    python = tmp_path / "python3"  # as in an environment, so that its name says what it is
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    words = ["/bin/bash", "-c", IN_BASH, "bash", str(python)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    names = [name for name in options("model") if name.startswith("wgan_")]
    assert done.stdout.splitlines() == [" ".join(names), "other: ", "no completion"], done.stderr
