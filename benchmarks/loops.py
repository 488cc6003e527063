"""What a benchmark adds to a training run: a bare loop to compare with, a stopwatch, milestones of quality."""

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from torch import Tensor, nn

from gan_lightning.data import ImageData
from gan_lightning.evaluation.frechet import frechet_distance
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.floats import at_least_float32
from gan_lightning.images import to_float
from gan_lightning.models import GAN
from gan_lightning.networks.layers import FlattenPixels, UnflattenPixels


def in_nchw(network: nn.Module) -> nn.Module:
    """A copy that computes the same function with all maps and weights laid out (N, C, H, W), torch's default."""
    network = copy.deepcopy(network).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    modules = list(network.named_modules())
    for index, (name, layer) in enumerate(modules):
        before, after = [module for _, module in modules[:index]], [module for _, module in modules[index:]]
        if isinstance(layer, UnflattenPixels):
            size, _, channels = layer.shape
            reorder_rows(before, channels)
            network.set_submodule(name, nn.Unflatten(1, (channels, size, size)))
        elif isinstance(layer, FlattenPixels):
            linear = next(module for module in after if isinstance(module, nn.Linear))
            channels = next(module for module in reversed(before) if isinstance(module, nn.Conv2d)).out_channels
            linear.weight.data = channels_first(linear.weight.data.T, channels).T.contiguous()
            network.set_submodule(name, nn.Flatten())
    return network


def reorder_rows(modules: list[nn.Module], channels: int) -> None:
    """Have the last linear layer, and a norm behind it, give vectors in the order (channel, pixel)."""
    last = max(index for index, module in enumerate(modules) if isinstance(module, nn.Linear))
    for module in modules[last:]:
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            if tensor.ndim > 0:  # batch norm's counter is a scalar
                tensor.data = channels_first(tensor.data, channels)


def channels_first(rows: Tensor, channels: int) -> Tensor:
    """Rows in the order (pixel, channel) put into the order (channel, pixel)."""
    return rows.unflatten(0, (-1, channels)).transpose(0, 1).flatten(0, 1).contiguous()


def synchronise(device: torch.device) -> None:
    """Wait for a GPU to finish what it has been given, so that a clock measures the work itself."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class BareLoop:
    """What a person writes who needs no framework: two networks, two optimizers, a loop.

    The same networks, losses, optimizers, batch size and shared fakes as in the module that it copies; images are cut
    from one tensor on the device. No average of the weights, no metrics, no pictures, no checkpoints, no condition.

    Args:
        module: Module whose networks are copied.
        batches: Real images, float in [-1, 1], without end.
        bfloat16: Whether to compute under autocast; otherwise in the type of the module's weights.
        nchw: Whether to use torch's default memory layout instead of the module's.
    """

    def __init__(self, module: GAN, batches: Iterator[Tensor], bfloat16: bool, nchw: bool) -> None:
        arrange = in_nchw if nchw else copy.deepcopy
        self.generator, self.discriminator = arrange(module.generator), arrange(module.discriminator)
        self.penalties = copy.deepcopy(module.penalties)
        self.loss, self.augment, self.prior = module.loss, module.augment, module.prior
        self.n_critic, self.share_fakes = module.updates.n_critic, module.updates.share_fakes
        self.optimizer_g = module.make_optimizers.generator(self.generator.parameters())
        self.optimizer_d = module.make_optimizers.discriminator(self.discriminator.parameters())
        self.batches = batches
        self.bfloat16 = bfloat16

    def autocast(self, device: torch.device) -> torch.autocast:
        """Where forward passes compute."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.bfloat16)

    def generate(self, real: Tensor) -> Tensor:
        """As many fakes as there are real images."""
        return self.generator(self.prior.sample(len(real), real.device), no_condition(real))

    def critic(self, images: Tensor) -> Tensor:
        """The discriminator's logits of augmented images."""
        return self.discriminator(self.augment(images), no_condition(images)).logits

    def run(self, batches: int) -> None:
        """So many discriminator steps, and the generator steps that go with them."""
        for step in range(batches):
            real = next(self.batches)
            generator_is_due = (step + 1) % self.n_critic == 0
            with self.autocast(real.device), torch.set_grad_enabled(generator_is_due and self.share_fakes):
                fake = self.generate(real)
            self.discriminator_step(real, fake.detach())
            if generator_is_due:
                self.generator_step(real, fake)

    def discriminator_step(self, real: Tensor, fake: Tensor) -> None:
        """One step of the discriminator's optimizer."""
        with self.autocast(real.device):
            real_logits, fake_logits = at_least_float32(self.critic(real)), at_least_float32(self.critic(fake))
            loss = self.loss.discriminator(real=real_logits, fake=fake_logits)
            for penalty in self.penalties:
                loss = loss + penalty(self.critic, real, fake, real_logits, fake_logits)
        self.optimizer_d.zero_grad()
        loss.backward()
        self.optimizer_d.step()

    def generator_step(self, real: Tensor, fake: Tensor) -> None:
        """One step of the generator's optimizer, on the fakes of the discriminator's step if they are shared."""
        self.discriminator.requires_grad_(False)
        with self.autocast(real.device):
            if not self.share_fakes:
                fake = self.generate(real)
            with torch.no_grad():
                real_logits = at_least_float32(self.critic(real)) if self.loss.relativistic else None
            loss = self.loss.generator(real=real_logits, fake=at_least_float32(self.critic(fake)))
        self.optimizer_g.zero_grad()
        loss.backward()
        self.optimizer_g.step()
        self.discriminator.requires_grad_(True)


def no_condition(images: Tensor) -> Tensor:
    """The condition of unconditional images, of width 0."""
    return images.new_empty(len(images), 0)


def endless(images: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Shuffled batches without end."""
    while True:
        for chosen in torch.randperm(len(images), device=images.device).split(batch_size):
            if len(chosen) == batch_size:
                yield to_float(images[chosen])


class Interleave(Callback):
    """Times chunks of our loop and, after each, a chunk of a bare one; stops training after so many.

    Args:
        file: JSON file for the pairs of seconds (ours, bare).
        chunk: Number of batches between two readings of the clock.
        repeats: Number of pairs; one more is measured first, to warm up.
        plain: Whether the bare loop computes in float32 with maps laid out (N, C, H, W); otherwise it does as ours.
    """

    def __init__(self, file: str, chunk: int, repeats: int, plain: bool) -> None:
        self.file = Path(file)
        self.chunk = chunk
        self.repeats = repeats
        self.plain = plain
        self.pairs: list[tuple[float, float]] = []
        self.batches = 0

    def on_train_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Copy the networks before the first step."""
        data: ImageData = trainer.datamodule  # type: ignore[attr-defined]
        batches = endless(data.training.images.to(module.device), data.batch_size)
        bfloat16 = not self.plain and trainer.precision == "bf16-mixed"
        self.bare = BareLoop(module, batches, bfloat16, nchw=self.plain)
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """At a chunk's end: time the bare loop, then go on."""
        self.batches += 1
        if self.batches % self.chunk:
            return
        synchronise(module.device)
        half = time.perf_counter()
        self.bare.run(self.chunk)
        synchronise(module.device)
        self.pairs.append((half - self.started, time.perf_counter() - half))
        if len(self.pairs) > self.repeats:
            self.file.write_text(json.dumps(self.pairs[1:]))
            trainer.should_stop = True
        self.started = time.perf_counter()


class FirstStep(Callback):
    """Writes down when the first step was over, in seconds since 1970, the clock of the process that started this one.

    Args:
        file: Text file for that number.
    """

    def __init__(self, file: str) -> None:
        self.file = Path(file)

    def on_train_batch_end(self, trainer: Trainer, *unused: Any) -> None:
        """Once; training ends with it."""
        self.file.write_text(str(time.time()))
        trainer.should_stop = True


class Milestones(Callback):
    """Scores against the validation images every few seconds of training; the clock stops meanwhile.

    Args:
        file: JSON file for the rows {seconds, images_seen, frechet}.
        thresholds: Frechet distances, falling; training ends below the last.
        every: Seconds of training between two scores.
        longest: Seconds after which training ends anyway.
    """

    def __init__(self, file: str, thresholds: list[float], every: float = 5.0, longest: float = 120.0) -> None:
        self.file = Path(file)
        self.thresholds = thresholds
        self.every = every
        self.longest = longest
        self.rows: list[dict[str, float]] = []

    def on_train_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Read the real images' features; start the clock."""
        self.scorer = Scorer(trainer.datamodule, "validation")  # type: ignore[attr-defined]
        self.started, self.due = time.perf_counter(), self.every

    def on_train_batch_end(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """Score when it is time."""
        seconds = time.perf_counter() - self.started
        if seconds < self.due:
            return
        features = self.scorer.extractor.extract(module.sampler().sample(self.scorer.n)).features
        frechet = frechet_distance(self.scorer.features, features)
        self.rows.append({"seconds": seconds, "images_seen": module.images_seen, "frechet": frechet})
        self.file.write_text(json.dumps(self.rows))
        trainer.should_stop = frechet < self.thresholds[-1] or seconds > self.longest
        self.due = seconds + self.every
        self.started = time.perf_counter() - seconds
