"""Every test runs without network, without the developer's caches and without W&B credentials."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from gan_lightning.data import MNIST5k
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.training.run_folder import RunFolder
from tests.helpers import SHORT, SMALL, run

torch.set_num_threads(1)  # batches here are too small to share
os.environ["OMP_NUM_THREADS"] = "1"  # the same in the processes that tests start: float32 sums depend on it
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it, and help and lists would be fitted to it


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the whole session, so that mnist_5k is converted once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def sealed_environment(monkeypatch: pytest.MonkeyPatch, cache_folder: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(cache_folder))
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    for name in ("GAN_LIGHTNING_DATA", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test draws the same numbers, alone or after any others."""
    torch.manual_seed(2)


@pytest.fixture
def float64() -> Iterator[None]:
    """Whatever the test builds, draws and reads is in float64; see `helpers.in_float64`."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture(scope="module")
def digits() -> MNIST5k:
    return MNIST5k()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, cache_folder: Path) -> Iterator[RunFolder]:
    """A finished run of six generator steps."""
    patch = pytest.MonkeyPatch()
    patch.setenv("GAN_LIGHTNING_CACHE", str(cache_folder))
    yield run(tmp_path_factory.mktemp("finished") / "run", *SHORT, "max_generator_steps=6", "callbacks.samples.first=2")
    patch.undo()


@pytest.fixture(scope="module")
def conditional_run(tmp_path_factory: pytest.TempPathFactory, cache_folder: Path) -> RunFolder:
    """A finished run of a class-conditional model, of two generator steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_LIGHTNING_CACHE", str(cache_folder))
        return run(tmp_path_factory.mktemp("conditional") / "run", *SMALL, "model=projection", "max_generator_steps=2")


@pytest.fixture
def ready(digits: MNIST5k) -> MNIST5k:
    """The 5,000 digits, read; inside the sealed environment."""
    digits.prepare_data()
    digits.setup()
    return digits


@pytest.fixture
def measure(ready: MNIST5k) -> Scorer:
    """What samples are scored by: all 500 test digits."""
    return Scorer(ready)
