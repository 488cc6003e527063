"""What a stranger's run folder, checkpoint or working folder can ask for besides code: places, gigabytes, time."""

import importlib
import os
import pickle
import shutil
import subprocess
import sys
import zipfile

import pytest
import torch

from gan_lightning.__main__ import run_command
from gan_lightning.build import build_module, load_module
from gan_lightning.config.allowed import NOT_CHOICES, find_outside, find_outside_state
from gan_lightning.config.compose import compose, options
from gan_lightning.config.schema import check
from gan_lightning.errors import UserError
from gan_lightning.training.checkpoint_file import seal
from gan_lightning.training.readers import LARGEST_FILE, read_metrics, read_scores, read_status
from gan_lightning.training.run import refuse_secrets
from gan_lightning.training.run_folder import RunFolder, read_checkpoint
from tests.helpers import ROOT, SMALL

pytestmark = pytest.mark.slow


@pytest.fixture
def stranger(tmp_path, finished) -> RunFolder:
    shutil.copytree(finished.path, tmp_path / "stranger")
    return RunFolder(tmp_path / "stranger")


def change_checkpoint(folder: RunFolder, **changes) -> None:
    torch.save(torch.load(folder.last, weights_only=True) | changes, folder.last)
    seal(folder.last)


# Places


OUTSIDE = [
    "local:///precious", "file:///precious", "/precious", "~/precious", "$HOME/precious", "../../precious", "a/../../b",
    "memory://x::file:///precious",
]  # fmt: skip


@pytest.mark.parametrize("place", OUTSIDE)
def test_a_callbacks_state_names_no_place_outside(stranger, place):
    for state in ({"best_model_path": place}, {"best_k_models": {place: 1.0}}, [{"kept": (place,)}]):
        assert find_outside_state(state, stranger.path) == [place]
    change_checkpoint(stranger, callbacks={"ModelCheckpoint": {"best_model_path": place}})
    with pytest.raises(UserError, match=r"(?s)names places outside its folder:\n  .*precious|a/../../b"):
        run_command("resume", f"run={stranger.path}", "max_generator_steps=8")


def test_a_callbacks_state_may_name_files_of_the_folder(stranger):
    inside = str(stranger.path / "checkpoints" / "epoch=1.ckpt")
    state = {"ModelCheckpoint{'monitor': None}": {"best_model_path": inside, "dirpath": "", "kept": 3, "none": None}}
    assert find_outside_state(state, stranger.path) == []


NAMES = {
    "{epoch:04d}-{recall:.2f}": False, "{val/loss}": False, "best": False, "{epoch]": True, "{epoch.real}": True,
    "{epoch].device.type[0:/>1.0}tmp": True, "{epoch:/>1}": True, "~/x": True, "$X": True, "../x": True,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_fields_of_a_files_name_build_no_path(tmp_path, name):
    found = find_outside({"callbacks": {"kept": {"filename": name}}}, tmp_path)
    assert bool(found) == NAMES[name]


def test_the_classes_that_write_to_any_file_exist():
    for name in NOT_CHOICES:
        module, _, attribute = name.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), attribute), type)


@pytest.mark.parametrize("name", ["train.log", "fit-profile.txt", "samples/pipe"])
def test_a_pipe_is_not_waited_for(stranger, name):
    (stranger.path / name).unlink(missing_ok=True)
    os.mkfifo(stranger.path / name)
    with pytest.raises(UserError, match=f"^{name} in .* is neither a file nor a folder: remove it"):
        run_command("resume", f"run={stranger.path}", "max_generator_steps=8")


def test_other_machines_are_waited_for_only_on_request(stranger):
    text = stranger.config_file.read_text()
    stranger.config_file.write_text(text.replace("trainer:\n", "trainer:\n  num_nodes: 2\n"))
    with pytest.raises(UserError, match="^the run waits for 2 machines; type trainer.num_nodes=2, or trainer.num_n"):
        run_command("resume", f"run={stranger.path}", "max_generator_steps=8")


# Gigabytes


def deflate(folder: RunFolder) -> None:
    with zipfile.ZipFile(folder.last) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(folder.last, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    seal(folder.last)


def grow(folder: RunFolder) -> None:
    class Bomb:
        def __reduce__(self):
            import _codecs

            return _codecs.encode, ("a" * 100, "hex_codec")

    content = pickle.dumps({"state_dict": Bomb()}, protocol=2)
    with zipfile.ZipFile(folder.last, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    seal(folder.last)


def expand(folder: RunFolder) -> None:
    change_checkpoint(folder, more=[{"tensor": torch.zeros(1).expand(10**10)}])


BOMBS = {
    deflate: "its members are compressed, as no checkpoint's are",
    grow: "its pickle makes bytes of other bytes, as no checkpoint's does",
    expand: "it holds tensors larger than their numbers",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_checkpoint_takes_no_more_memory_than_its_file(stranger, bomb):
    bomb(stranger)
    with pytest.raises(UserError, match=BOMBS[bomb]):
        read_checkpoint(stranger.last)


@pytest.mark.parametrize("command", ["sample", "evaluate", "resume"])
def test_networks_larger_than_the_weights_are_never_built(stranger, command):
    text = stranger.config_file.read_text()
    stranger.config_file.write_text(text.replace("- 32\n", "- 1000000\n    - 1000000\n", 1))
    with pytest.raises(UserError, match="holds other weights than its configuration builds today"):
        run_command(command, f"run={stranger.path}")


def test_images_larger_than_the_weights_are_never_drawn(stranger):
    change_checkpoint(stranger, image_shape=[1, 100_000, 100_000])
    with pytest.raises(UserError, match="holds other weights than its configuration builds today"):
        load_module(str(stranger.path))


@pytest.mark.parametrize("model", options("model"))
def test_shapes_without_weights_are_those_of_the_weights(model):
    cfg = compose(f"model={model}", "data=mnist_5k")
    check(cfg)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in build_module(cfg, (1, 28, 28), 10).state_dict().items()}
    assert shapes == {name: value.shape for name, value in build_module(cfg, (1, 28, 28), 10).state_dict().items()}


@pytest.mark.parametrize(("read", "empty"), [(read_status, {}), (read_scores, []), (read_metrics, [])])
def test_a_file_larger_than_any_run_writes_is_left_out(tmp_path, read, empty):
    file = tmp_path / f"{read.__name__}.txt"
    with file.open("wb") as stream:
        stream.truncate(LARGEST_FILE + 1)
    assert read(file) == empty


# Secrets, and modules in the working folder


def test_the_key_of_wandb_is_refused_in_what_the_folder_keeps(monkeypatch):
    refuse_secrets("a command", "a configuration")
    monkeypatch.setenv("WANDB_API_KEY", "5ec7e7")
    refuse_secrets("a command", "a configuration")
    with pytest.raises(UserError, match="^the value of WANDB_API_KEY stands in the command or the configuration"):
        refuse_secrets("a command", "entity: 5ec7e7")


def test_no_module_of_the_working_folder_is_imported(stranger):
    """Not even in the place of a library, or of one that is looked for and not installed."""
    for name in ("difflib", "torch", "yaml", "pydantic", "triton", "sitecustomize", "defusedxml", "psutil"):
        (stranger.path / f"{name}.py").write_text(f"open('ran-{name}', 'w')\nraise ImportError\n")
    words = [sys.executable, "-m", "gan_lightning", "sample", "run=.", "out=o.png"]
    subprocess.run(words, cwd=stranger.path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    assert (stranger.path / "o.png").is_file() and not list(stranger.path.glob("ran-*"))


def test_the_users_own_module_in_the_working_folder_trains(tmp_path):
    (tmp_path / "mine.py").write_text("from gan_lightning.losses import Hinge\nclass Mine(Hinge): pass\n")

    def status_of(*words: str) -> int:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run([sys.executable, "-m", "gan_lightning", *words], cwd=tmp_path, env=environment).returncode

    assert (
        status_of(*SMALL, "data=mnist_5k", "max_generator_steps=2", "loss._target_=mine.Mine", "hydra.run.dir=r") == 0
    )
    assert (
        status_of("sample", "run=r", "out=o.png") == 2 and status_of("sample", "run=r", "out=o.png", "trust=true") == 0
    )
