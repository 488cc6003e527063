import math
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, PositiveInt
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from gan_lightning.config.values import Seed
from gan_lightning.data import Batch, ImageData
from gan_lightning.images import BACKGROUND, grid, save_grid, to_uint8
from gan_lightning.loggers import log_picture
from gan_lightning.models import GAN
from gan_lightning.models.conditioning import STEPS
from gan_lightning.sampling import Inputs
from gan_lightning.training.run_folder import RunFolder


class SampleGrids(Callback):
    """Grids of samples from the same noise all along, with columns for each class where G is class-conditional.

    They go to samples/step-N.png, to every logger that shows pictures, and into timelapse.gif. samples/real.png shows
    real images in the same order of classes, or, where G has none, drawn at random.

    Grids are drawn at generator steps 0, `first`, `first * growth`, `first * growth^2` ... and at the end. The
    noise has its own random generator and batch norm its eval mode, so that watching never changes training.

    Args:
        images: Images in each grid.
        first: Generator steps of the first grid after the one of the untrained generator.
        growth: Ratio of generator steps between two grids.
        seed: Seed of the fixed noise that all sample grids share.
    """

    def __init__(
        self,
        images: Annotated[int, Field(ge=1, le=10_000)] = 64,
        first: PositiveInt = 16,
        growth: Annotated[float, Field(ge=1, le=1000)] = 1.2,
        seed: Seed = 0,
    ) -> None:
        self.images = images
        self.first = first
        self.growth = growth
        self.seed = seed
        self.next_step = 0

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Draw latent vectors, and real images to compare with; a resumed run keeps the grids of steps it had saved."""
        self.folder = RunFolder(Path(trainer.default_root_dir))
        self.columns, order = lay_out(self.images, module.conditioning.columns)
        inputs = module.sampler().sample_inputs(len(order), self.seed)
        self.inputs = Inputs(inputs.z[order], inputs.y[order])
        data: ImageData = trainer.datamodule  # type: ignore[attr-defined]
        labels = module.sampler().labels(len(order))
        real = choose_real(data.training, len(order), None if labels is None else labels[order], self.seed)
        save_grid(grid(real, self.columns), "real images", self.folder.samples / "real.png")
        for stale in self.folder.grids():
            if int(stale.stem.removeprefix("step-")) > module.generator_steps:
                stale.unlink()
        if self.growth == 1 and module.generator_steps > self.first:  # from there on a grid at each step
            self.next_step = module.generator_steps
        while self.next_step < module.generator_steps:
            self.advance()
        self.draw_when_due(trainer, module)

    @rank_zero_only
    def on_train_batch_end(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """Draw a grid when its step has come."""
        self.draw_when_due(trainer, module)

    @rank_zero_only
    def on_train_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Draw the last grid, and a picture of each latent code."""
        self.draw(trainer, module)
        sampler = module.sampler()
        for name, inputs in sampler.traversals(self.seed).items():
            picture = grid(to_uint8(sampler.generate(inputs)), STEPS)
            save_grid(picture, f"{name.replace('-', ' ')} from -2 to 2", self.folder.samples / f"{name}.png")

    def draw_when_due(self, trainer: Trainer, module: GAN) -> None:
        """Draw and set the next step, once per step."""
        if module.generator_steps >= self.next_step:
            self.draw(trainer, module)
            self.advance()

    def advance(self) -> None:
        """0, first, first * growth ... always at least one step on."""
        self.next_step = max(self.first, self.next_step + 1, math.ceil(self.next_step * self.growth))

    def draw(self, trainer: Trainer, module: GAN) -> None:
        """One grid of the averaged generator."""
        picture = grid(to_uint8(module.sampler().generate(self.inputs)), self.columns)
        caption = f"generator step {module.generator_steps:,}"
        shown = save_grid(picture, caption, self.folder.samples / f"step-{module.generator_steps:07d}.png")
        for logger in trainer.loggers:
            log_picture(logger, shown, module.generator_steps)


def lay_out(images: int, classes: int | None) -> tuple[int, Tensor]:
    """The number of columns of a grid, and which sample each cell shows, (cells,), when sample i is of class i mod K.

    Columns of one class stand side by side, as many of each as make the grid about square; the last row is filled.

    Args:
        images: Images to show, at least.
        classes: Number of classes K; None where samples have none.
    """
    side = math.sqrt(images)
    if classes is None:
        return math.ceil(side), torch.arange(images)
    of_each = max(1, round(side / classes))
    columns = classes * of_each
    cells = torch.arange(math.ceil(images / columns) * columns)
    row, column = cells // columns, cells % columns
    return columns, row * columns + column % of_each * classes + column // of_each


def choose_real(data: Batch, count: int, labels: Tensor | None, seed: int) -> Tensor:
    """Real images drawn at random, without repetition, (count, C, H, W); empty images where there are too few.

    Args:
        data: Images to draw from.
        count: Number of images.
        labels: Class that each image is to have, int (count,); None for any.
        seed: Seed of the drawing.
    """
    order = torch.randperm(len(data.images), generator=torch.Generator().manual_seed(seed))
    chosen = torch.full((count, *data.images.shape[1:]), BACKGROUND, dtype=torch.uint8)
    wanted = torch.zeros(count, dtype=torch.int64) if labels is None else labels
    found = torch.zeros(len(order), dtype=torch.int64) if labels is None else data.labels[order]
    for label in wanted.unique():
        cells, members = (wanted == label).nonzero()[:, 0], order[found == label]
        chosen[cells[: len(members)]] = data.images[members[: len(cells)]]
    return chosen
