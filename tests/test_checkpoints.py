"""Checkpoints: inside epochs, wherever training ends, whole to the last bit; what replaces a lost one."""

import os
import random
import shutil
import signal
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback

from gan_lightning.__main__ import run_command
from gan_lightning.build import load_module
from gan_lightning.errors import UserError
from gan_lightning.models import GAN
from gan_lightning.training.checkpoint_file import DamagedCheckpointError, verify
from gan_lightning.training.run_folder import RunFolder, read_checkpoint
from tests.helpers import SHORT, run

pytestmark = pytest.mark.slow

EPOCHS = (*SHORT, "data.batch_size=1000", "callbacks.samples.first=100", "callbacks.checkpoints.every_minutes=null")
"""Four batches an epoch."""

WHOLE = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "counters", "random_states", "data", "global_step")
"""What two checkpoints of one step must share; the rest is the time a run took and where its folder is."""


class Copy(Callback):
    """Copies the run folder before a step, as a kill at that moment would leave it."""

    def __init__(self, step: int, to: str) -> None:
        self.step = step
        self.to = to

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if module.generator_steps == self.step:
            shutil.copytree(trainer.default_root_dir, self.to)


class Fail(Callback):
    """Raises an error in one of its hooks once a step is done."""

    def __init__(self, step: int, hook: str, error: str = "ZeroDivisionError") -> None:
        def fail(trainer, module, *unused):
            if module.generator_steps >= step:
                raise __builtins__[error]("the callback failed")  # type: ignore[index]

        setattr(self, hook, fail)


class Stop(Callback):
    """Stops the trainer once a step is done, as a pruning callback does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, module, *unused):
        trainer.should_stop = module.generator_steps >= self.step


class Send(Callback):
    """Sends this process signals while a step is done."""

    def __init__(self, step: int, signals: list[str]) -> None:
        self.step = step
        self.signals = signals

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if module.generator_steps == self.step:
            for name in self.signals:
                os.kill(os.getpid(), getattr(signal, name))


def added(name: str, **options: object) -> str:
    """The word that adds one of these callbacks."""
    return (
        f"+callbacks.test={{_target_: tests.test_checkpoints.{name}, "
        + ", ".join(f"{key}: {value}" for key, value in options.items())
        + "}"
    )


def equal(one, other) -> bool:
    """Whether two nested values are equal to the last bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def assert_same_checkpoint(one: RunFolder, other: RunFolder) -> None:
    """Every part of the last checkpoints is equal but for the clock."""
    first, second = read_checkpoint(one.last), read_checkpoint(other.last)
    for content in (first, second):
        loop = content["loops"]["fit_loop"]
        del loop["epoch_loop.val_loop.batch_progress"]  # evaluating is not training
        del loop["epoch_loop.state_dict"]["_batches_that_stepped"]  # Lightning's own x axis
    for part in WHOLE:
        assert equal(first[part], second[part]), part


# Resuming at any step


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache_folder):
    """Ten steps in one go."""
    patch = pytest.MonkeyPatch()
    patch.setenv("GAN_LIGHTNING_CACHE", str(cache_folder))
    yield run(tmp_path_factory.mktemp("whole") / "run", *EPOCHS, "max_generator_steps=10")
    patch.undo()


@pytest.mark.parametrize("step", [1, 3, 4, 6])
def test_a_killed_run_goes_on_at_the_very_batch(tmp_path, whole, step):
    """Amid the first epoch, at its last batch, at its end, amid the second."""
    words = (*EPOCHS, "max_generator_steps=8", "callbacks.checkpoints.every_minutes=1e-9")
    run(tmp_path / "run", *words, added("Copy", step=step, to=tmp_path / "killed"))
    killed = RunFolder(tmp_path / "killed")
    assert read_checkpoint(killed.last)["counters"]["generator_steps"] == step
    run_command("resume", f"run={killed.path}", "max_generator_steps=10", "~callbacks.test", "trust=true")
    assert_same_checkpoint(killed, whole)


def test_checkpoints_inside_an_epoch_can_be_left_out(tmp_path):
    words = (*EPOCHS, "trainer.max_epochs=1", added("Copy", step=3, to=tmp_path / "killed"))
    folder = run(tmp_path / "run", *words)
    assert not RunFolder(tmp_path / "killed").checkpoints.exists()
    assert [file.name for file in folder.checkpoints.iterdir()] == ["last.ckpt"]


# Every way in which training ends

ENDINGS = {
    "max_steps": ("+trainer.max_steps=6",),  # both networks' steps count
    "early stopping": (
        "max_generator_steps=10",
        "callbacks.evaluation.every_n_epochs=1", "callbacks.evaluation.n=200",
        "+callbacks.test={_target_: pytorch_lightning.callbacks.EarlyStopping, monitor: images_seen, patience: 1}",
    ),
    "a callback that stops the trainer": (added("Stop", step=3),),
    "an error after a step": (added("Fail", step=3, hook="on_train_batch_end"),),
    "an error after an epoch's last step": (added("Fail", step=4, hook="on_train_batch_end"),),
    "an error at an epoch's end": (added("Fail", step=4, hook="on_train_epoch_end"),),
    "an error in an evaluation": ("callbacks.evaluation.every_n_epochs=1", "callbacks.evaluation.n=200",
                                  added("Fail", step=4, hook="on_validation_end")),
    "Ctrl-C that no callback hears": (added("Fail", step=3, hook="on_train_batch_end", error="KeyboardInterrupt"),),
    "SIGTERM": (added("Send", step=2, signals="[SIGTERM, SIGTERM]"),),
    "SIGHUP": (added("Send", step=2, signals="[SIGHUP, SIGHUP]"),),
    "SIGUSR1": (added("Send", step=2, signals="[SIGUSR1, SIGUSR1]"),),
    "Ctrl-C": (added("Send", step=2, signals="[SIGINT]"),),
}  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
def test_however_training_ends_the_last_step_is_saved(tmp_path, whole, ending, request):
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is switched off
    request.addfinalizer(lambda: signal.signal(signal.SIGHUP, before))
    folder = RunFolder(tmp_path / "run")
    words = (*EPOCHS, "max_generator_steps=8", *ENDINGS[ending])
    try:
        run(folder.path, *words)
    except (ZeroDivisionError, SystemExit):
        assert "error" in ending or "Ctrl-C" in ending
    assert folder.plot.is_file() and folder.timelapse.is_file()
    steps = read_checkpoint(folder.last)["counters"]["generator_steps"]
    assert steps == (8 if "early" in ending else 4 if "epoch" in ending or "evaluation" in ending else 3)
    remove = [f"~callbacks.{name}" for name in folder.config(trust=True).callbacks if name == "test"]
    more = ["trainer.max_steps=-1"] if ending == "max_steps" else []
    off = ["callbacks.evaluation.every_n_epochs=null"] if "callbacks.evaluation.n=200" in words else []
    run_command("resume", f"run={folder.path}", "max_generator_steps=10", *remove, *more, *off, "trust=true")
    assert_same_checkpoint(folder, whole)
    assert "error" not in folder.status() and folder.status()["state"] == "finished"


def test_an_error_amid_a_step_saves_nothing_of_it(tmp_path, monkeypatch):
    def fail(self, images):
        raise ZeroDivisionError

    monkeypatch.setattr(GAN, "count_generator_step", fail)
    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "run", *EPOCHS, "max_generator_steps=8")
    assert not RunFolder(tmp_path / "run").last.exists()


# Damage


def flipped(content: bytes, bit: int) -> bytes:
    """The bytes with one bit changed."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_every_flipped_bit_is_noticed(tmp_path, finished):
    """70 of 70, in the weights, between them, in the archive's directory and in the checksum itself."""
    content = finished.last.read_bytes()
    verify(finished.last)
    chance = random.Random(16)
    bits = [chance.randrange(8 * len(content)) for _ in range(50)]
    bits += [8 * len(content) - 1 - chance.randrange(8 * 300) for _ in range(20)]
    file, noticed = tmp_path / "flipped.ckpt", 0
    for bit in bits:
        file.write_bytes(flipped(content, bit))
        with pytest.raises(DamagedCheckpointError, match="flipped.ckpt cannot be read as a checkpoint"):
            read_checkpoint(file)
        noticed += 1
    assert noticed == 70


def test_checkpoints_of_lightning_itself_are_checked_by_their_archives_own_sums(tmp_path, finished):
    """In the tensors; where no checksum of ours covers it, padding between them may change and mean nothing."""
    content = torch.load(finished.last, weights_only=True)
    file = tmp_path / "lightning.ckpt"
    torch.save(content, file)
    read_checkpoint(file)
    written = file.read_bytes()
    weights = next(iter(content["state_dict"].values())).numpy().tobytes()
    start = written.index(weights)
    for byte in (0, len(weights) // 2, len(weights) - 1):
        file.write_bytes(flipped(written, 8 * (start + byte)))
        with pytest.raises(DamagedCheckpointError, match="it is damaged: the checksum of"):
            read_checkpoint(file)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\0", "no checkpoint, or only a part"),
        (b"PK\x05\x06" + bytes(18), "no checkpoint|no weights|"),
    ],
)
def test_files_that_are_no_checkpoints(tmp_path, content, reason):
    file = tmp_path / "x.ckpt"
    file.write_bytes(content)
    with pytest.raises(DamagedCheckpointError, match=f"x.ckpt cannot be read as a checkpoint .*{reason}"):
        read_checkpoint(file)


class Malicious:
    def __reduce__(self):
        return Path.touch, (Path("hacked"),)


def test_a_malicious_file_is_refused_without_advice_to_load_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Malicious(), "num_classes": 0}, "x.ckpt")
    with pytest.raises(UserError) as caught:
        read_checkpoint(Path("x.ckpt"))
    assert "could run code and is never loaded" in str(caught.value)
    assert "weights_only" not in str(caught.value) and caught.value.__cause__ is None
    assert not Path("hacked").exists()


@pytest.fixture
def resumable(tmp_path, whole) -> RunFolder:
    """A run of ten steps with two checkpoints: previous.ckpt of step 8, last.ckpt of step 10."""
    folder = RunFolder(shutil.copytree(whole.path, tmp_path / "resumable"))
    assert read_checkpoint(folder.previous)["counters"]["generator_steps"] == 8
    return folder


@pytest.mark.parametrize("damage", ["flipped", "empty", "torn", "missing"])
def test_a_lost_checkpoint_is_replaced_by_the_one_before_loudly(resumable, damage, caplog, tmp_path):
    content = resumable.last.read_bytes()
    damaged = {"flipped": flipped(content, 8000), "empty": b"", "torn": content[: len(content) // 2]}
    resumable.last.unlink() if damage == "missing" else resumable.last.write_bytes(damaged[damage])
    module, checkpoint = load_module(str(resumable.path))
    assert (checkpoint, module.generator_steps) == (resumable.previous, 8)
    assert f"the checkpoint before it is used: {resumable.previous}" in caplog.text
    run_command("resume", f"run={resumable.path}", "max_generator_steps=12")
    once = run(tmp_path / "once", *EPOCHS, "max_generator_steps=12")
    assert_same_checkpoint(resumable, once)
    names = {file.name for file in resumable.checkpoints.iterdir()}
    assert names == {"last.ckpt", "previous.ckpt"} | ({"damaged.ckpt"} if damage != "missing" else set())
    verify(resumable.previous)


def test_a_file_is_resumed_where_the_last_checkpoint_is_lost(resumable):
    kept = resumable.checkpoints / "epoch-0002.ckpt"
    kept.write_bytes(resumable.previous.read_bytes())
    with pytest.raises(UserError, match="is not the run's last checkpoint"):
        run_command("resume", f"run={kept}", "max_generator_steps=12")
    for file in (resumable.last, resumable.previous):
        file.write_bytes(b"lost")
    with pytest.raises(UserError, match=r"last.ckpt cannot be read as a checkpoint.*type resume run=.*epoch-0002.ckpt"):
        run_command("resume", f"run={resumable.path}", "max_generator_steps=12")
    run_command("resume", f"run={kept}", "max_generator_steps=12")
    assert read_checkpoint(resumable.last)["counters"]["generator_steps"] == 12
