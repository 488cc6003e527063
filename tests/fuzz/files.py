"""What reads each kind of file, on files that are damaged."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from PIL import Image

from gan_lightning.__main__ import run_command
from gan_lightning.build import load_module
from gan_lightning.data import KMNIST, MNIST, ImageFolder
from gan_lightning.data.pictures import FORMATS
from gan_lightning.evaluation.extractor import SHIPPED, load_extractor
from gan_lightning.evaluation.samples import read_samples
from gan_lightning.losses import NonSaturating
from gan_lightning.report.figures import plot_metrics, plot_scores
from gan_lightning.training.run_folder import RunFolder
from tests.fuzz.damage import damaged
from tests.fuzz.harness import guarded, outcome
from tests.idx_files import idx_bytes


class Case(NamedTuple):
    """A file, and what reads it.

    Attributes:
        kind: What it is called in a report.
        file: The file, which is damaged in place and then mended.
        read: Reads it.
    """

    kind: str
    file: Path
    read: Callable[[], object]


def make_cases(folder: Path, places: dict[str, Path]) -> list[Case]:
    """Every kind of file that the program reads and that may come from elsewhere, or be torn by a crash."""
    return [
        *picture_cases(folder / "pictures", places),
        *sample_cases(folder / "samples"),
        *idx_cases(folder / "idx"),
        *run_cases(places["run"]),
        *classifier_cases(folder / "classifier"),
    ]


def picture_cases(folder: Path, places: dict[str, Path]) -> list[Case]:
    """A picture of each format in a folder of others, read as data."""
    cases = []
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28, 4), dtype=np.uint8)
    modes = {"PNG": "RGBA", "GIF": "P", "WEBP": "RGBA", "TIFF": "L"}
    for name, suffixes in FORMATS.items():
        here = folder / name
        shutil.copytree(places["pictures"] / "a", here)
        file = here / f"x{suffixes[0]}"
        Image.fromarray(pixels).convert(modes.get(name, "RGB")).save(file)
        cases.append(Case(name, file, lambda here=here: ImageFolder(str(here), size=28).load()))
    file = folder / "PNG" / "y.png"
    Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257).save(file)
    return [*cases, Case("16-bit PNG", file, lambda: ImageFolder(str(folder / "PNG")).load())]


def sample_cases(folder: Path) -> list[Case]:
    """Samples of another program, compressed and not."""
    folder.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    arrays = {"images": images, "labels": np.arange(20) % 10}
    np.savez(folder / "plain.npz", **arrays)
    np.savez_compressed(folder / "packed.npz", **arrays)
    np.savez(folder / "floats.npz", images=images / np.float32(127.5) - 1)
    return [
        Case(
            f"{name}.npz",
            folder / f"{name}.npz",
            lambda name=name: read_samples(folder / f"{name}.npz", (1, 28, 28), 10),
        )
        for name in ("plain", "packed", "floats")
    ]


def idx_cases(folder: Path) -> list[Case]:
    """IDX files in a folder of the user's, and in the cache where nothing is known of their checksums."""
    random = np.random.default_rng(0)
    mine, data = folder / "mine", KMNIST()
    mine.mkdir(parents=True)
    data.location.mkdir(parents=True, exist_ok=True)
    for name in MNIST.files:
        count = 90 if name.startswith("train") else 20
        array = random.integers(0, 10, (count, 28, 28) if "images" in name else count, dtype=np.uint8)
        (data.location / name).write_bytes(idx_bytes(array))
        (mine / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
    cached = [
        Case(f"cached {name}", data.location / name, lambda: KMNIST(validation_images=5).load()) for name in MNIST.files
    ]
    gzipped = mine / "train-images-idx3-ubyte.gz"
    return [*cached, Case("gzipped IDX", gzipped, lambda: MNIST(dir=str(mine)).fetch())]


def run_cases(run: Path) -> list[Case]:
    """What a run leaves, read by the commands that go on from it."""
    folder = RunFolder(run)
    picture = run / "fuzz.png"
    resume = lambda: run_command("resume", f"run={run}", "max_generator_steps=9")  # noqa: E731
    return [
        Case("config.yaml", folder.config_file, lambda: load_module(str(run))),
        Case("config.yaml of resume", folder.config_file, resume),
        Case("last.ckpt", folder.last, lambda: load_module(str(run))),
        Case("last.ckpt of resume", folder.last, resume),
        Case("status.json of resume", folder.status_file, resume),
        Case("metrics.csv", folder.metrics, lambda: plot_metrics(folder.metrics, picture, "title", NonSaturating())),
        Case("scores.jsonl", make_scores(folder), lambda: plot_scores(folder.scores(), picture, "title")),
    ]


def make_scores(folder: RunFolder) -> Path:
    """Two lines as an evaluation during training writes them."""
    line = (
        '{"evaluated_at": "2026-01-01T00:00:00+00:00", "score": "frechet", "value": 1.5, "error": 0.1, '
        '"source": "ema", "real_baseline": 0.5, "real_baseline_error": null, "higher_is_better": false, '
        '"data": "mnist_5k", '
        '"split": "validation", "n": 500, "extractor": "mnist_cnn", "extractor_sha256": "00", "during_training": true, '
        '"run": null, "checkpoint": null, "generator_steps": %d, "images_seen": 16, "seed": 0, "images": null}\n'
    )
    folder.scores_file.write_text(line % 1 + line % 2)
    return folder.scores_file


def classifier_cases(folder: Path) -> list[Case]:
    """A reference classifier's card and weights."""
    folder.mkdir(parents=True)
    for file in SHIPPED.glob("mnist_cnn.*"):
        shutil.copy(file, folder)
    return [Case(f"classifier{file.suffix}", file, lambda: load_extractor(folder, "mnist_cnn"))
            for file in sorted(folder.iterdir())]  # fmt: skip


def read_damaged(random: Random, cases: list[Case]) -> tuple[str, str | None]:
    """Damage one of the files, read it, and mend it: what it was, and where reading it ended in a traceback."""
    case, other = random.choice(cases), random.choice(cases)
    content = case.file.read_bytes()
    case.file.write_bytes(damaged(random, content, other.file.read_bytes()))
    try:
        with guarded():
            return case.kind, outcome(case.read)
    finally:
        case.file.write_bytes(content)
