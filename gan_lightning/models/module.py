from typing import Any, Literal

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.augment import NoAugment
from gan_lightning.data import Batch
from gan_lightning.models.annealing import Annealer, Progress
from gan_lightning.models.discriminate import Discriminate
from gan_lightning.models.ema import AveragedGenerator
from gan_lightning.models.parts import ModelOptions, Parts
from gan_lightning.models.prior import Prior
from gan_lightning.sampling import Sampler

Weights = Literal["ema", "raw"]

GENERATOR, DISCRIMINATOR = 0, 1  # places in `configure_optimizers`

COUNTERS = ("generator_steps", "images_seen", "discriminator_steps")


class GANModule(LightningModule):
    """The parts of a GAN, and what Lightning asks of a module: optimizers, counters, checkpoints, compilation.

    `GAN` is the algorithm. Images are float (N, C, H, W) in [-1, 1], logits (N,). Lightning's `global_step` counts the
    steps of both optimizers, so the module keeps its own `generator_steps` and `images_seen` (real images, all
    processes).

    Args:
        parts: Networks, loss, penalties and the other parts.
        options: Options that belong to none of them.
    """

    def __init__(self, parts: Parts, options: ModelOptions) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = parts.generator, parts.discriminator
        self.discriminate = Discriminate(parts.discriminator, parts.augment, options.pack)
        self.averaged = AveragedGenerator(parts.generator, options.ema_half_life) if options.ema_half_life else None
        self.loss, self.penalties = parts.loss, nn.ModuleList(parts.penalties)
        self.augment: NoAugment = parts.augment
        self.auxiliary, self.conditioning, self.updates = parts.auxiliary, parts.conditioning, parts.updates
        self.prior = Prior(options.latent_dim, options.prior)
        self.annealer = Annealer(parts.annealing, parts.penalties)
        self.make_optimizers = parts.optimizers
        self.weight_clip = options.weight_clip
        self.compile_mode = options.compile
        self.budget_spent = 0.0  # from 0 to 1, kept by the `Budget` callback
        self.generator_steps = self.images_seen = 0
        self.discriminator_steps = 0  # since the last generator step
        self.clip_weights()

    # Before and between steps

    def on_fit_start(self) -> None:
        """Other random numbers in every process; a generator that starts from the data's statistics sees them, once."""
        if self.trainer.global_rank > 0:
            torch.manual_seed(torch.initial_seed() + self.trainer.global_rank)
        if self.generator_steps == 0 and hasattr(self.generator, "fit_to_data"):
            data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
            generator: Any = self.generator
            generator.fit_to_data(data.training.images)
            if self.averaged is not None:
                self.averaged.restart(self.generator)
        self.compile_networks()

    def compile_networks(self) -> None:
        """Have the networks compiled at their first use, in place: their parameters keep their names."""
        if self.compile_mode is None:
            return
        self.generator.compile(mode=self.compile_mode)
        if not any(penalty.takes_gradients for penalty in self.penalties):
            self.discriminator.compile(mode=self.compile_mode)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the annealed numbers for how far training has come."""
        optimizers: Any = self.optimizers()
        progress = Progress(self.images_seen, self.budget_spent)
        self.annealer.apply([each.optimizer for each in optimizers], progress)

    def count_batch(self, images: int) -> bool:
        """Count one more batch; whether a generator step is due with it."""
        self.images_seen += images * self.trainer.world_size
        self.discriminator_steps += 1
        return self.discriminator_steps >= self.updates.discriminator_steps(self.generator_steps)

    def count_generator_step(self, images: int) -> None:
        """Count a generator step on so many fakes, which the averaged generator follows."""
        self.generator_steps += 1
        self.discriminator_steps = 0
        if self.averaged is not None:
            self.averaged.update(self.generator, images * self.trainer.world_size, self.generator_steps)

    # Optimizers

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        """The generator's optimizer first, then the discriminator's."""
        make = self.make_optimizers
        optimizers = [
            make.generator(self.generator.parameters()),
            make.discriminator(self.discriminator.parameters()),
        ]
        return optimizers, [make.scheduler(optimizer) for optimizer in optimizers] if make.scheduler else []

    def backward_and_step(self, loss: Tensor, network: int) -> None:
        """One step of GENERATOR's or DISCRIMINATOR's optimizer."""
        optimizers: Any = self.optimizers()
        optimizers[network].zero_grad()
        self.manual_backward(loss)
        optimizers[network].step()

    def step_schedulers(self) -> None:
        """Move both networks' learning-rate schedules on."""
        if self.make_optimizers.scheduler is not None:
            schedulers: Any = self.lr_schedulers()
            for scheduler in schedulers:
                scheduler.step()

    def clip_weights(self) -> None:
        """Clip the discriminator's parameters (batch norm's too), so that every forward pass has them in bounds."""
        if self.weight_clip is not None:
            with torch.no_grad():
                for parameter in self.discriminator.parameters():
                    parameter.clamp_(-self.weight_clip, self.weight_clip)

    # Validation

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Nothing batch by batch: scores are of whole sets of samples, which `Evaluation` draws when the loop ends."""

    def on_validation_model_zero_grad(self) -> None:
        """Keep the gradients, whose norms `TrainingMetrics` reads; each step clears its own before it begins."""

    # After training

    @property
    def kept_weights(self) -> list[Weights]:
        """The weights that samples can be drawn by: the averaged ones first, if there are any, then the raw ones."""
        return ["raw"] if self.averaged is None else ["ema", "raw"]

    def sampler(self, weights: Weights = "ema") -> Sampler:
        """What draws images: by the averaged generator, if there is one, or by the raw one."""
        averaged = self.averaged if weights == "ema" else None
        return Sampler(averaged.network if averaged else self.generator, self.prior, self.conditioning)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the module's own counters."""
        checkpoint["counters"] = {name: getattr(self, name) for name in COUNTERS}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on counting."""
        for name in COUNTERS:
            setattr(self, name, checkpoint["counters"][name])
