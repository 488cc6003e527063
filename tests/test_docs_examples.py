"""What README and docs/extending.md have a reader write works as it is written."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers import ROOT, TINY, command, run
from tests.pages import TEXTS, fenced, section

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A class-conditional run of two steps, made inside the first test that asks for it."""
    return tmp_path_factory.mktemp("trained") / "run"


@pytest.mark.parametrize("page", ["README.md", "docs/getting_started.md", "docs/python.md"])
def test_python_works_as_it_is_written(page, trained, tmp_path, monkeypatch):
    if not trained.exists():
        run(trained, "model=projection", "network=mlp", "network.generator.hidden=[8]", "max_generator_steps=2")
    monkeypatch.chdir(tmp_path)
    Image.new("L", (28, 28)).save(tmp_path / "digit.png")
    names: dict[str, Any] = {}
    for block in fenced(TEXTS[page], "python"):
        if "gl." in block:
            quick = block.partition("run = gl.train")[0]
            exec(re.sub(r'"runs/[^"]*"', repr(str(trained)), quick), names)
    assert names["images"].shape == (64, 1, 28, 28)


APPENDED = {
    "## A penalty": ("gan_lightning/penalties.py", "conf/penalty/zero_centered.yaml"),
    "## A network": ("gan_lightning/networks/tiny.py", "conf/network/tiny.yaml"),
    "## A conditioning": ("gan_lightning/models/conditioning.py", "conf/conditioning/parity.yaml"),
    "## A data set": ("gan_lightning/data/array_file.py", "conf/data/array_file.yaml"),
    "## A callback or a logger": (None, "conf/callbacks/stopping.yaml"),
    "## A model": (None, "conf/model/conditional_lsgan.yaml"),
    "## An algorithm": ("gan_lightning/models/top_k.py", "conf/model/top_k.yaml"),
}
"""Where docs/extending.md says that its examples go: at the end of a module, or into a new one; and their yaml."""


@pytest.fixture(scope="module")
def extended(tmp_path_factory) -> Path:
    """A copy of the project with the README's loss and every example of docs/extending.md, as they are written."""
    copy = tmp_path_factory.mktemp("extended")
    for name in ("gan_lightning", "conf"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    examples = {"## Adding a loss": (TEXTS["README.md"], "gan_lightning/losses.py", "conf/loss/smoothed.yaml")}
    examples |= {heading: (TEXTS["docs/extending.md"], *files) for heading, files in APPENDED.items()}
    for heading, (text, module, choice) in examples.items():
        (configuration,) = fenced(section(text, heading), "yaml")
        assert not (copy / choice).exists()
        (copy / choice).write_text(configuration)
        for code in fenced(section(text, heading), "python"):
            with (copy / module).open("a") as file:
                file.write("\n\n" + code)
    return copy


QUICK = (*(word for word in TINY if not word.startswith("data=")), "max_generator_steps=3")


def test_the_examples_are_listed(extended):
    listed = command("list", cwd=extended, PYTHONPATH=str(extended)).stdout
    for name in ("smoothed", "zero_centered", "tiny", "parity", "array_file", "stopping", "conditional_lsgan", "top_k"):
        assert re.search(rf"^  {name} +\S", listed, re.MULTILINE), name


@pytest.mark.parametrize(
    "words",
    [
        ("loss=smoothed", "loss.target=0.8", "network=tiny", "conditioning=parity", "data=mnist_5k"),
        ("loss=hinge", "penalty=[zero_centered,r1]", "network=tiny", "data=array_file", "data.file=digits.npz"),
        ("model=conditional_lsgan", "data=mnist_5k", "callbacks=stopping", "callbacks.evaluation.n=200"),
        ("model=top_k", "data=mnist_5k"),
    ],
)
def test_the_examples_train(extended, words):
    digits = np.random.default_rng(0).integers(0, 256, (200, 1, 28, 28), dtype=np.uint8)
    np.savez(extended / "digits.npz", images=digits, labels=np.arange(200) % 10)
    folder = f"hydra.run.dir={words[0].replace('=', '-')}"
    done = command(*words, *QUICK, folder, cwd=extended, PYTHONPATH=str(extended))
    assert "finished after 3 generator steps" in done.stdout, done.stderr
    words = (f"run={words[0].replace('=', '-')}", "n=4", "out=drawn.png")
    drawn = command("sample", *words, cwd=extended, PYTHONPATH=str(extended))
    assert drawn.stdout.startswith("4 samples of"), drawn.stderr


OWN_PACKAGE = """
from gan_lightning.losses import Hinge

class Doubled(Hinge):
    def discriminator(self, *, real, fake):
        return 2 * super().discriminator(real=real, fake=fake)
"""


def test_a_class_of_another_package_trains_and_is_read_with_trust(tmp_path):
    """docs/extending.md: named in a yaml of a --config-dir."""
    (tmp_path / "my_package.py").write_text(OWN_PACKAGE)
    (tmp_path / "mine" / "loss").mkdir(parents=True)
    (tmp_path / "mine" / "loss" / "doubled.yaml").write_text("_target_: my_package.Doubled\n")
    words = (f"--config-dir={tmp_path / 'mine'}", "loss=doubled", *TINY, "network=mlp", "max_generator_steps=3")
    done = command(*words, f"hydra.run.dir={tmp_path / 'run'}", PYTHONPATH=str(tmp_path))
    assert "finished after 3 generator steps" in done.stdout, done.stderr
    assert f"sample run={tmp_path / 'run'} trust=true n=100" in done.stdout
    drawing = ("sample", f"run={tmp_path / 'run'}", "n=4", f"out={tmp_path / 'drawn.png'}")
    refused = command(*drawing, PYTHONPATH=str(tmp_path))
    assert refused.returncode == 2 and "loss._target_=my_package.Doubled (allowed: gan_light" in refused.stderr
    drawn = command(*drawing, "trust=true", PYTHONPATH=str(tmp_path))
    assert drawn.stdout.startswith("4 samples of"), drawn.stderr


def test_a_typo_in_an_example_is_explained(extended):
    wrong = command("loss=smoothed", "loss.targte=1", "data=mnist_5k", cwd=extended, PYTHONPATH=str(extended))
    assert wrong.returncode == 2 and "Did you mean loss.target?" in wrong.stderr
