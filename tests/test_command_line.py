"""The program as a person starts it: in processes of its own, from a checkout and from a wheel."""

import json
import os
import subprocess
import sys

import pytest
import torch

from gan_lightning.data import MNIST5k
from gan_lightning.training.run_folder import RunFolder
from tests.helpers import ROOT, command

pytestmark = pytest.mark.slow

README = (ROOT / "README.md").read_text()

QUICK = ("network=mlp", "data=mnist_5k", "data.batch_size=8", "precision=32", "logger=csv", "max_generator_steps=3")


def test_train_resume_sample_from_a_checkout(tmp_path):
    trained = command("model=lsgan", *QUICK, f"hydra.run.dir={tmp_path / 'run'}")
    assert trained.returncode == 0, trained.stderr
    for line in ("finished after 3 generator steps, 24 images", "timelapse.gif", "last.ckpt", "sample run="):
        assert line in trained.stdout
    again = command("model=lsgan", *QUICK, f"hydra.run.dir={tmp_path / 'run'}")
    assert again.returncode == 2 and "already holds a run; go on with it by" in again.stderr
    resumed = command("resume", f"run={tmp_path / 'run'}", "max_generator_steps=5")
    assert "finished after 5 generator steps, 40 images" in resumed.stdout, resumed.stderr
    sampled = command("sample", f"run={tmp_path / 'run'}", f"out={tmp_path / 'grid.png'}")
    assert sampled.returncode == 0 and (tmp_path / "grid.png").is_file(), sampled.stderr


def test_errors_are_one_message_and_status_2(tmp_path):
    for words in (("model=wgan_pg",), ("data.batch_size=0", f"hydra.run.dir={tmp_path / 'x'}"), ("resum",)):
        result = command(*words)
        assert result.returncode == 2
        assert result.stderr.startswith("error: ") and "Traceback" not in result.stderr + result.stdout
    assert not (tmp_path / "x").exists()  # no empty folder is left


def test_a_reader_that_has_seen_enough_ends_the_command_without_a_word():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        words = [sys.executable, "-m", "gan_lightning", "list"]
        done = subprocess.run(words, cwd=ROOT, stdout=nobody, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (141, "")  # as of a program that the signal ended


def test_help_and_list_are_quick_to_say_what_there_is():
    assert "  model=wgan_gp data=fashion_mnist  " in command("--help").stdout
    assert "wgan_gp" in command("list").stdout


def test_a_sweep_gives_each_job_its_folder_and_hides_no_failure(tmp_path):
    swept = command("-m", "loss=minimax,wasserstein", "penalty=none,wgan_gp", *QUICK[1:], "network=dcgan",
                    f"hydra.sweep.dir={tmp_path}")  # fmt: skip
    assert swept.returncode == 1
    states = {file.parent.name: json.loads(file.read_text()) for file in tmp_path.glob("*/status.json")}
    assert len(states) == 4
    assert sorted(status["state"] for status in states.values()) == ["failed", "failed", "finished", "finished"]
    assert swept.stdout.count("type network.discriminator.norm=layer") == 4  # when it happens, and in the summary
    assert swept.stdout.count(")  3 generator steps\n") == 2
    assert " loss=wasserstein penalty=none)  3 generator steps\n" in swept.stdout
    page = (tmp_path / "report.html").read_text()
    assert f"{tmp_path / 'report.html'}\n" in swept.stdout
    assert page.count("type network.discriminator.norm=layer") == 2 and "2 runs" in page
    once = ("-m", "loss=minimax", *QUICK, f"hydra.sweep.dir={tmp_path / 'once'}", "hydra.sweep.subdir=job")
    assert command(*once).returncode == 0
    again = command(*once)
    assert again.returncode == 0 and "job is finished: skipped" in again.stdout
    other = command(*once, "seed=5")
    assert other.returncode == 2 and "of another configuration (data.seed, seed)" in other.stderr
    assert "hydra.sweep.dir=" in other.stderr
    before = RunFolder(tmp_path / "once" / "job").status()
    mistaken = command(*once, "data.batch_size=0")
    assert mistaken.returncode != 0 and "data.batch_size=0 is not allowed" in mistaken.stderr + mistaken.stdout
    assert RunFolder(tmp_path / "once" / "job").status() == before and before["state"] == "finished"
    typo = command("-m", "loss=minimax,wassersein", *QUICK, f"hydra.sweep.dir={tmp_path / 'typo'}")
    assert typo.returncode == 2 and "Did you mean wasserstein?" in typo.stderr
    assert not list((tmp_path / "typo").glob("*/status.json"))  # no job ran


GAMES = {
    "a penalised critic, five steps each": ("model=wgan_gp", "network=mlp"),
    "batch norm and shared fakes": ("model=dcgan", "network.generator.width=4", "network.discriminator.width=4"),
}


@pytest.mark.parametrize("game", GAMES)
def test_two_processes_play_one_game(tmp_path, game):
    """DDP on the CPU: the same weights in both, each image once an epoch, each its own noise; and a resume."""
    probe = f"+callbacks.probe={{_target_: tests.probe.Probe, folder: {tmp_path}}}"
    two = ("accelerator=cpu", "trainer.devices=2", "trainer.max_epochs=1", f"hydra.run.dir={tmp_path / 'run'}")
    common = ("data=mnist_5k", "data.batch_size=500", "precision=32", "logger=csv", probe,
              "callbacks.evaluation.every_n_epochs=1", "callbacks.evaluation.n=150")  # fmt: skip
    assert_succeeds(command(*GAMES[game], *common, *two, OMP_NUM_THREADS="1"))
    first = same_weights(tmp_path)
    data = MNIST5k()
    data.fetch()
    data.setup()
    order = torch.arange(1, 785)
    everything = (data.training.images.flatten(1).long() * order).sum(1).tolist()
    assert sorted(seen for rank in first for seen in rank["seen"]) == sorted(everything)
    assert not set(first[0]["noise"]) & set(first[1]["noise"])
    assert_succeeds(
        command("resume", f"run={tmp_path / 'run'}", "trainer.max_epochs=2", "trust=true", OMP_NUM_THREADS="1")
    )
    second = same_weights(tmp_path)
    assert sorted(seen for rank in second for seen in rank["seen"]) == sorted(everything)
    assert second[0]["seen"] != first[0]["seen"]  # another order
    assert not set(second[0]["noise"]) & (set(second[1]["noise"]) | set(first[0]["noise"]))
    assert json.loads((tmp_path / "run" / "status.json").read_text())["images_seen"] == 8000
    scores = RunFolder(tmp_path / "run").scores()
    assert len([record for record in scores if record.score == "frechet"]) == 2  # one process scores, both save
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()


def assert_succeeds(result):
    assert result.returncode == 0, result.stderr


def same_weights(folder):
    """What the probe wrote in each process, whose parameters must be equal to the last bit."""
    ranks = [torch.load(folder / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert ranks[0]["parameters"].keys() == ranks[1]["parameters"].keys()
    for name, value in ranks[0]["parameters"].items():
        assert torch.equal(value, ranks[1]["parameters"][name]), name
    return ranks


FULL_SIZE = """
import hashlib, pathlib, re, sys
from gan_lightning.data import MNIST
from gan_lightning.files import write_atomically

def idx(*shape):  # zeros of the official sizes
    header = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
    count = 1
    for size in shape:
        count *= size
    return header + bytes(count)

files = dict(zip(MNIST.checksums, (idx(60000, 28, 28), idx(60000), idx(10000, 28, 28), idx(10000))))
MNIST.checksums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
location = MNIST().location
location.mkdir(parents=True)
for name, content in files.items():
    write_atomically(location / name, content)
del files
from gan_lightning.__main__ import main
main()
print("wandb imported:", "wandb" in sys.modules)
# getrusage's peak would be that of the parent, where this process began as its copy
peak = re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())
print("peak KiB:", peak[1])
"""


def test_a_run_on_all_of_mnist_stays_small_and_never_starts_wandb(tmp_path):
    """Under 1.5 GiB with data of MNIST's size; starting W&B is not paid by those who are not logged in."""
    words = ["data=mnist", "model=dcgan", "max_generator_steps=2", f"hydra.run.dir={tmp_path / 'run'}"]
    environment = os.environ | {"GAN_LIGHTNING_CACHE": str(tmp_path / "cache"), "WANDB_MODE": ""}
    result = subprocess.run(
        [sys.executable, "-c", FULL_SIZE, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "wandb imported: False" in result.stdout, result.stderr
    assert "`wandb login` once turns it on" in result.stdout
    assert int(result.stdout.split("peak KiB:")[1]) < 1.5 * 2**20


def test_the_wheel_does_the_same_from_another_folder(tmp_path):
    """Installed alone into an empty folder, without the checkout in sight."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    install = [*pip, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    where = [sys.executable, "-c", "import gan_lightning.config.compose as c; print(c.__file__, c.CONF_DIR)"]
    environment = os.environ | {"PYTHONPATH": str(site)}
    found = subprocess.run(where, cwd=empty, env=environment, capture_output=True, text=True, check=True).stdout
    assert found.count(str(site)) == 2
    script, module = [str(site / "bin" / "gan-lightning")], ["-m", "gan_lightning"]
    trained = ["model=wgan_gp", *QUICK]
    for words, said in (
        ([*module, *trained, "hydra.run.dir=a"], "finished after 3 generator steps"),
        ([*script, *trained, "hydra.run.dir=b"], "finished after 3 generator steps"),
        ([*script, "evaluate", "run=b"], "frechet_mnist_5k_mnist_cnn_500 "),
    ):
        start = [sys.executable, *words]
        result = subprocess.run(start, cwd=empty, env=environment, capture_output=True, text=True, timeout=300)
        assert said in result.stdout, result.stderr


@pytest.mark.parametrize("name", ["data", "models", "callbacks", "loggers", "training.run"])
def test_what_imports_lightning_can_be_imported_first(name):
    """Each makes torchvision importable before it needs it, beside a CPU-only torch too."""
    words = [sys.executable, "-c", f"import gan_lightning.{name}"]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
