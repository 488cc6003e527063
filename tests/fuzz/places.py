"""What the fuzzers' commands and files are about: a run, an .npz file, a folder of pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.helpers import SHORT, run


def make_places(folder: Path) -> dict[str, Path]:
    """A finished run of two steps, 400 samples, twelve pictures and a folder for what commands write."""
    places = {name: folder / name for name in ("run", "pictures", "out")}
    run(places["run"], *SHORT, "max_generator_steps=2")
    random = np.random.default_rng(0)
    for name in ("pictures/a", "pictures/b", "out"):
        (folder / name).mkdir(parents=True)
    for index in range(12):
        pixels = random.integers(0, 256, (28, 28), dtype=np.uint8)
        Image.fromarray(pixels).save(places["pictures"] / "ab"[index % 2] / f"{index}.png")
    np.savez(folder / "samples.npz", images=random.integers(0, 256, (400, 28, 28), dtype=np.uint8))
    return places | {"npz": folder / "samples.npz"}
