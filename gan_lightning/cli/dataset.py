"""The command dataset: a labelled data set of generated images, in the files that torchvision's classes read."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from gan_lightning.cli.drawing import MOST_IMAGES, DrawOptions, load_generator, origin, watched
from gan_lightning.cli.options import keyed, parse, read_options
from gan_lightning.config.values import PathName
from gan_lightning.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.generator import Generator

    Labelled = tuple[Tensor, Tensor]  # images (n, C, H, W) and their labels (n,)

Count = Annotated[int, Field(ge=1, le=MOST_IMAGES)]


class Options(DrawOptions):
    """Write a labelled data set of generated images, for training and testing, in constant memory.

      python -m gan_lightning dataset run=FOLDER n=60000 out=FOLDER                torchvision.datasets.MNIST(FOLDER)
      python -m gan_lightning dataset run=FOLDER n=60000 out=FOLDER format=png     torchvision's ImageFolder

    Images of classes in turn, as the generator was asked for; labels=classifier labels those of any generator by the
    reference classifier of its data. format=png sorts them into train/CLASS and test/CLASS: data=image_folder
    data.dir=FOLDER/train reads them, too.
    """

    n: Count = Field(60_000, description="Number of training images.")
    n_test: Count = Field(10_000, description="Number of test images; no image is in both parts.")
    labels: Literal["generator", "classifier"] = Field(
        "generator", description="generator: the class each image was asked for; classifier: the one it looks like."
    )
    truncation: float | None = Field(
        None, description="Factor in (0, 1] that scales normal latent vectors toward 0; null: as drawn."
    )
    format: Literal["idx", "png"] = Field("idx", description="idx (gray images, MNIST's four files) or png.")
    out: PathName = Field(description="A new or empty FOLDER.")


def main(words: list[str]) -> None:
    """Write the data set that the words ask for."""
    options = read_options(Options, keyed(parse(words)))
    out = Path(options.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"out={out} holds files already; type out=FOLDER with a new folder")
    generator = load_generator(options)
    if options.format == "idx" and generator.image_shape[0] != 1:
        raise UserError("format=idx holds gray images only, and this generator's have colors; type format=png")
    label, names = labeller(generator, options.labels, options.trust)
    if options.format == "idx" and len(names) > 256:
        raise UserError(f"format=idx holds at most 256 classes, and there are {len(names)}; type format=png")
    total = options.n + options.n_test
    batches = watched(generator.batches(total, options.seed, truncation=options.truncation), total)
    parts = split(label(batches), options.n)
    if options.format == "idx":
        write_idx(parts, options, generator.image_shape, out)
    else:
        write_folders(parts, names, out)
    reader = "MNIST(FOLDER)" if options.format == "idx" else "ImageFolder(FOLDER/train)"
    print(
        f"{options.n} training and {options.n_test} test images of {len(names)} classes by {origin(generator)} in "
        f"{out}, which torchvision.datasets.{reader} reads"
    )


def labeller(
    generator: "Generator", source: str, trust: bool
) -> "tuple[Callable[[Iterator[Tensor]], Iterator[Labelled]], list[str]]":
    """What puts labels to batches of images, and the names of the classes.

    Raises:
        UserError: The generator is not class-conditional and nothing else labels its images, or no classifier can.
    """
    if source == "classifier":
        return by_classifier(generator, trust)
    if not generator.num_classes:
        raise UserError(
            "this generator is not class-conditional, so its images have no labels; type labels=classifier to have the "
            "reference classifier of its data label them, or train a conditional one (model=projection)"
        )

    def as_asked(batches: "Iterator[Tensor]") -> "Iterator[Labelled]":
        start = 0
        for images in batches:
            classes = generator.sampler.classes(start, len(images))
            assert classes is not None  # as there are classes
            yield images, classes
            start += len(images)

    return as_asked, generator.class_names


def by_classifier(
    generator: "Generator", trust: bool
) -> "tuple[Callable[[Iterator[Tensor]], Iterator[Labelled]], list[str]]":
    """Labels of the reference classifier of the data that the generator was trained on."""
    from gan_lightning.build import build_data
    from gan_lightning.evaluation.extractor import extractor_for
    from gan_lightning.export.reading import SUFFIX
    from gan_lightning.training.run_folder import open_run

    if generator.checkpoint.suffix == SUFFIX:
        raise UserError(f"labels=classifier takes the run folder, and {generator.checkpoint} is an exported file")
    data = build_data(open_run(str(generator.checkpoint))[0].config(trust))
    if len(data.class_names) < 2:
        raise UserError(
            f"labels=classifier: {data.short_name} has no classes to sort images into; sort its pictures into a folder "
            "for each class and train again, or type sample out=FOLDER for images without labels"
        )
    if data.reference is None:  # which is trained on the data, unless it was before
        data.prepare_data()
        data.setup()
    extractor = extractor_for(data)

    def as_it_looks(batches: "Iterator[Tensor]") -> "Iterator[Labelled]":
        return ((images, extractor.extract(images).probabilities.argmax(1)) for images in batches)

    return as_it_looks, list(data.class_names)


def split(batches: "Iterator[Labelled]", count: int) -> "Iterator[tuple[str, Tensor, Tensor]]":
    """The first `count` images for training, all others for testing: (part, images, labels), batch by batch."""
    left = count
    for images, labels in batches:
        if left:
            yield "train", images[:left], labels[:left]
        if len(images) > left:
            yield "test", images[left:], labels[left:]
        left = max(0, left - len(images))


def write_idx(
    parts: "Iterator[tuple[str, Tensor, Tensor]]", options: Options, shape: tuple[int, int, int], out: Path
) -> None:
    """Write MNIST's four files into MNIST/raw, the folder of torchvision's layout."""
    from gan_lightning.files import replacing

    counts, prefixes = {"train": options.n, "test": options.n_test}, {"train": "train", "test": "t10k"}
    with ExitStack() as stack:
        files = {}
        for part, prefix in prefixes.items():
            raw = out / "MNIST" / "raw"
            pictures = stack.enter_context(replacing(raw / f"{prefix}-images-idx3-ubyte"))
            numbers = stack.enter_context(replacing(raw / f"{prefix}-labels-idx1-ubyte"))
            pictures.write(idx_header(counts[part], *shape[1:]))
            numbers.write(idx_header(counts[part]))
            files[part] = pictures, numbers
        for part, images, labels in parts:
            files[part][0].write(images.numpy().tobytes())
            files[part][1].write(labels.byte().numpy().tobytes())


def idx_header(*sizes: int) -> bytes:
    """The header of an IDX file of unsigned bytes (type 8), big-endian."""
    return bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)


def write_folders(parts: "Iterator[tuple[str, Tensor, Tensor]]", names: list[str], out: Path) -> None:
    """Write PNG files into a folder for each part and class."""
    from gan_lightning.images import save_png

    folders = folder_names(names)
    index = 0
    for part, images, labels in parts:
        for image, label in zip(images, labels.tolist(), strict=True):
            save_png(image, out / part / folders[label] / f"{index:06d}.png")
            index += 1
    for part in ("train", "test"):
        if missing := [name for name in folders if not (out / part / name).is_dir()]:
            print(
                f"WARNING: {part} has no image of {', '.join(missing)}: torchvision gives the classes after it other "
                "numbers than the training data has; type a larger n= and n_test="
            )


def folder_names(names: list[str]) -> list[str]:
    """A folder's name for each class, which sort as the classes do: torchvision numbers the folders in that order."""
    width = len(str(len(names) - 1))
    safe = [re.sub(r"[^\w.-]+", "_", name).strip("_.") for name in names]
    numbers = [f"{label:0{width}d}" for label in range(len(names))]
    return [number if name in (number, "") else f"{number}-{name}" for number, name in zip(numbers, safe, strict=True)]
