"""The command sample: draw images from a trained generator."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from gan_lightning.cli.options import RUN, RunOptions, keyed, parse, read_options
from gan_lightning.config.values import PathName, Seed
from gan_lightning.errors import UserError
from gan_lightning.runs import find_run


class Options(RunOptions):
    """Draw images from a trained generator.

      python -m gan_lightning sample run=FOLDER n=100 out=grid.png

    A run folder is what training names at its end.
    """

    run: PathName = Field(description=RUN)
    n: PositiveInt = Field(64, description="Number of images.")
    seed: Seed = Field(0, description="Seed of the latent vectors; the same seed draws the same images.")
    weights: Literal["ema", "raw"] = Field("ema", description="Averaged weights of the generator, or those as trained.")
    labels: list[NonNegativeInt] | NonNegativeInt | None = Field(
        None, description="Class of every image, or a list of classes to take in turn; null: every class in turn."
    )
    replace: bool = Field(False, description="Whether to delete the samples that the FOLDER out= holds already.")
    out: PathName = Field(
        "samples.png", description="FILE.png for a grid, FILE.npz for an array, or a FOLDER of PNG files."
    )


def main(words: list[str]) -> None:
    """Draw the images that the words ask for, and write them."""
    options = read_options(Options, keyed(parse(words)))
    out = Path(options.out)
    kind = "" if out.is_dir() else out.suffix.lower()
    earlier = check_out(out, kind, options.replace)

    from gan_lightning.build import load_module

    module, checkpoint = load_module(find_run(options.run), options.trust)
    sampler = module.sampler(options.weights)
    labels = choose_labels(sampler, options)
    images = draw(sampler, options, labels)
    out.parent.mkdir(parents=True, exist_ok=True)
    for file in earlier:
        file.unlink()
    WRITERS[kind](images, labels, out)
    weights = options.weights if options.weights in module.kept_weights else "raw"
    print(f"{options.n} samples of {checkpoint} ({weights} weights, seed {options.seed}) in {out}")


def check_out(out: Path, kind: str, replace: bool) -> list[Path]:
    """Refuse a name under which no samples can be written, and a folder in which they would mix with others.

    Returns:
        The earlier samples, which the new ones replace.

    Args:
        out: Where to write.
        kind: A key of `WRITERS`, or anything else.
        replace: Whether earlier samples in the folder are deleted.
    """
    if kind not in WRITERS:
        raise UserError(f"out={out} is not allowed: type out=FILE.png (a grid), out=FILE.npz (an array) or out=FOLDER")
    if kind == "" and out.exists() and not out.is_dir():
        raise UserError(f"out={out} is a file; type out=FOLDER, or out={out}.png for a grid")
    if kind or not out.is_dir():
        return []
    earlier = list(out.glob(SAMPLE_FILES)) if replace else []
    pictures = [file for file in sorted(out.iterdir()) if file.suffix.lower() in (".png", ".jpg", ".jpeg")]
    pictures = [file for file in pictures if file not in earlier]
    if pictures:
        hint = "" if replace else "; or replace=true to delete samples of an earlier time"
        raise UserError(f"out={out} holds pictures already, such as {pictures[0].name}; type another folder{hint}")
    return earlier


def draw(sampler: Any, options: Options, labels: Any) -> Any:
    """The images, unless they take more memory than there is."""
    try:
        return sampler.sample(options.n, options.seed, labels)
    except (MemoryError, RuntimeError) as error:
        if "alloc" not in str(error) and "memory" not in str(error) and "Storage size" not in str(error):
            raise
        raise UserError(f"n={options.n:,} images take more memory than there is; type a smaller n=") from error


def choose_labels(sampler: Any, options: Options) -> Any:
    """The class of each sample: those of `labels=` in turn, else every class in turn; None for an unconditional one."""
    import torch

    every = sampler.labels(options.n)
    if options.labels is None:
        return every
    if every is None:
        raise UserError(f"labels={options.labels}: this generator is not class-conditional; leave labels= out")
    wanted = options.labels if isinstance(options.labels, list) else [options.labels]
    if not wanted or max(wanted) >= sampler.conditioning.num_classes:
        last = sampler.conditioning.num_classes - 1
        raise UserError(f"labels={options.labels} is not allowed: classes are 0 to {last}; type labels={last}")
    return torch.tensor(wanted)[torch.arange(options.n) % len(wanted)]


def write_grid(images: Any, labels: Any, out: Path) -> None:
    """Write one picture of all images."""
    from gan_lightning.images import grid, save_grid

    save_grid(grid(images), "", out)


def write_array(images: Any, labels: Any, out: Path) -> None:
    """Write `images`, uint8 (n, C, H, W), and `labels`, int64 (n,), where there are any."""
    import numpy as np

    from gan_lightning.files import replacing

    with replacing(out) as file:
        np.savez_compressed(file, images=images.numpy(), **({} if labels is None else {"labels": labels.numpy()}))


def write_folder(images: Any, labels: Any, out: Path) -> None:
    """Write a PNG file for each image."""
    from gan_lightning.images import save_png

    for index, image in enumerate(images):
        save_png(image, out / f"{index:06d}.png")


SAMPLE_FILES = "[0-9]" * 6 + ".png"
"""Pattern of the names that `write_folder` gives."""

WRITERS: dict[str, Callable[[Any, Any, Path], None]] = {".png": write_grid, ".npz": write_array, "": write_folder}
"""How samples are written, by the suffix of `out=`."""
