import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PositiveInt
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.utilities import rank_zero_only

from gan_lightning.config.values import Seed
from gan_lightning.data import ImageData
from gan_lightning.images import grid, save_gif, save_png, to_uint8
from gan_lightning.loggers import log_picture
from gan_lightning.models import GAN
from gan_lightning.models.conditioning import STEPS
from gan_lightning.training.run_folder import RunFolder


class SampleGrids(Callback):
    """Grids of samples from the same noise all along, with a column for each class where G is class-conditional.

    They go to samples/step-N.png, to every logger that shows pictures, and into timelapse.gif.

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
        self.columns = module.conditioning.columns
        columns = self.columns or 1
        self.inputs = module.sampler().sample_inputs(math.ceil(self.images / columns) * columns, self.seed)
        data: ImageData = trainer.datamodule  # type: ignore[attr-defined]
        save_png(grid(data.training.images[: self.images]), self.folder.samples / "real.png")
        for stale in self.folder.grids():
            if int(stale.stem.removeprefix("step-")) > module.generator_steps:
                stale.unlink()
        if self.growth == 1:  # a grid at each step
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
        """Draw the last grid and join all of them."""
        self.draw(trainer, module)
        save_gif(self.folder.grids(), self.folder.timelapse)
        sampler = module.sampler()
        for name, inputs in sampler.traversals(self.seed).items():
            save_png(grid(to_uint8(sampler.generate(inputs)), STEPS), self.folder.samples / f"{name}.png")

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
        save_png(picture, self.folder.samples / f"step-{module.generator_steps:07d}.png")
        for logger in trainer.loggers:
            log_picture(logger, picture, module.generator_steps)
