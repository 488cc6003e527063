import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from pytorch_lightning import LightningModule
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.data import Batch
from gan_lightning.errors import UserError
from gan_lightning.images import to_float, to_uint8
from gan_lightning.losses import Loss, Wasserstein
from gan_lightning.models.ema import decay, update_average
from gan_lightning.penalties import Penalty

log = logging.getLogger(__name__)

Weights = Literal["ema", "raw"]

CompileMode = Literal["default", "reduce-overhead", "max-autotune"]

DRAWN_TOGETHER = 250  # images; larger parts gain no speed

GENERATOR, DISCRIMINATOR = 0, 1  # the players' places in `configure_optimizers`


@contextmanager
def evaluating(network: nn.Module) -> Iterator[nn.Module]:
    """The network in eval mode and without gradients; its own mode comes back afterwards."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield network
    finally:
        network.train(was_training)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Gradients pass through the network and leave none in its parameters."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def has_batch_norm(network: nn.Module) -> bool:
    """Whether a sample's output depends on the rest of its batch."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def check_game(discriminator: nn.Module, loss: Loss, penalty: Penalty | None, weight_clip: float | None) -> None:
    """Refuse a penalised critic with batch norm; warn of a Wasserstein critic that nothing keeps Lipschitz."""
    if penalty is not None and has_batch_norm(discriminator):
        raise UserError(
            f"penalty {type(penalty).__name__} needs each sample's own gradient, but the discriminator has batch "
            "norm, which mixes the samples of a batch (arXiv:1704.00028, section 4); "
            "type network.discriminator.norm=layer (or none), or penalty=none"
        )
    if isinstance(loss, Wasserstein) and penalty is None and weight_clip is None:
        log.warning(
            "loss=wasserstein without a constraint lets the critic grow without bound; "
            "add penalty=wgan_gp network.discriminator.norm=layer, or model.weight_clip=0.01"
        )


class GAN(LightningModule):
    """A generator and a discriminator that play Algorithm 1 of Goodfellow et al. 2014 (arXiv:1406.2661).

    Images are float (N, C, H, W) in [-1, 1], logits (N,). Lightning's `global_step` counts the steps of both
    optimizers, so the module keeps its own `generator_steps` and `images_seen` (real images, all processes).

    Args:
        generator: latent (N, latent_dim) -> images.
        discriminator: images -> logits.
        loss: what each player minimises.
        penalty: added to the discriminator's loss, or None.
        generator_optimizer: makes G's optimizer from its parameters.
        discriminator_optimizer: makes D's.
        scheduler: makes a learning-rate schedule for each optimizer, stepped after each of its steps.
        latent_dim: size of z.
        noise: z ~ N(0, 1) or U(-1, 1), per coordinate.
        n_critic: discriminator steps for each generator step ("k" in Algorithm 1).
        share_fakes: G's step reuses the images D's step just judged, which saves one pass through G.
        generator_first: G steps before D, through the D that has not yet stepped. With `share_fakes` both follow the
            gradients of one and the same moment: simultaneous instead of alternating descent.
        weight_clip: keeps every discriminator parameter in [-weight_clip, weight_clip], or None.
        ema_half_life: half-life of the averaged generator used for samples, in images the generator has learned
            from; None for no average.
        compile: have torch.compile write the networks anew, in one of its modes ("default", "reduce-overhead",
            "max-autotune"); None leaves them. The first steps then take a minute. A penalised discriminator stays as
            it is: compiled networks have no second derivative.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Loss,
        penalty: Penalty | None,
        generator_optimizer: Callable[..., Optimizer],
        discriminator_optimizer: Callable[..., Optimizer],
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        latent_dim: PositiveInt = 100,
        noise: Literal["normal", "uniform"] = "normal",
        n_critic: PositiveInt = 1,
        share_fakes: bool = False,
        generator_first: bool = False,
        weight_clip: PositiveFloat | None = None,
        ema_half_life: PositiveFloat | None = 10_000,
        compile: CompileMode | None = None,
    ) -> None:
        super().__init__()
        check_game(discriminator, loss, penalty, weight_clip)
        self.automatic_optimization = False
        # weights of convolutions channels last, as the fastest kernels have them; others stay as they are
        self.generator = generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator = discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mixes_samples = has_batch_norm(discriminator)
        self.ema_generator = copy.deepcopy(generator).requires_grad_(False) if ema_half_life else None
        self.loss = loss
        self.penalty = penalty
        self.make_generator_optimizer = generator_optimizer
        self.make_discriminator_optimizer = discriminator_optimizer
        self.make_scheduler = scheduler
        self.latent_dim = latent_dim
        self.noise = noise
        self.n_critic = n_critic
        self.share_fakes = share_fakes
        self.generator_first = generator_first
        self.weight_clip = weight_clip
        self.ema_half_life = ema_half_life
        self.compile_mode = compile
        self.generator_steps = 0
        self.images_seen = 0
        self.critic_steps = 0  # since the last generator step
        self.clip_weights()

    def on_fit_start(self) -> None:
        """Other noise in every process; a generator that starts from the data's statistics sees them, once."""
        if self.trainer.global_rank > 0:
            torch.manual_seed(torch.initial_seed() + self.trainer.global_rank)
        if self.generator_steps == 0 and hasattr(self.generator, "fit_to_data"):
            data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
            generator: Any = self.generator
            generator.fit_to_data(data.training.images)
            if self.ema_generator is not None:
                update_average(self.ema_generator, self.generator, kept=0.0)
        self.compile_players()

    def compile_players(self) -> None:
        """Have the networks compiled at their first use, in place: their parameters keep their names."""
        if self.compile_mode is not None:
            self.generator.compile(mode=self.compile_mode)
            if self.penalty is None:
                self.discriminator.compile(mode=self.compile_mode)

    # The game

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """One discriminator step on a batch and, every `critic_iterations` batches, one generator step."""
        real = to_float(batch.images)
        self.critic_steps += 1
        self.images_seen += len(real) * self.trainer.world_size
        generator_is_due = self.critic_steps >= self.critic_iterations()

        outcome: dict[str, Tensor] = {}
        fake = self.generate(len(real), keep_graph=self.share_fakes and generator_is_due)
        if generator_is_due and self.generator_first:
            outcome |= self.generator_turn(fake)
        outcome |= self.discriminator_step(real, fake.detach())
        if generator_is_due and not self.generator_first:
            outcome |= self.generator_turn(fake)
        return outcome | {"real": real, "fake": fake.detach()}

    def discriminator_step(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Descend the discriminator's loss, and its penalty."""
        real_logits, fake_logits = self.judge(real, fake)
        loss = self.loss.discriminator(real=real_logits, fake=fake_logits)
        outcome = {
            "loss_d": loss.detach(),
            "d_real": self.loss.score(real_logits.detach()).mean(),
            "d_fake": self.loss.score(fake_logits.detach()).mean(),
        }
        if self.penalty is not None:
            penalty = self.penalty(self.discriminator, real, fake)
            outcome["penalty"] = penalty.detach()
            loss = loss + penalty
        self.descend(loss, DISCRIMINATOR)
        self.clip_weights()
        return outcome

    def generator_turn(self, fake: Tensor) -> dict[str, Tensor]:
        """The generator's step on the fakes D judges (`share_fakes`) or on fresh ones, and what follows from it."""
        if not self.share_fakes:
            fake = self.generate(len(fake), keep_graph=True)
        outcome = self.generator_step(fake)
        self.generator_steps += 1
        self.critic_steps = 0
        self.update_ema(len(fake) * self.trainer.world_size)
        return outcome

    def generator_step(self, fake: Tensor) -> dict[str, Tensor]:
        """Descend the generator's loss through the frozen discriminator."""
        with frozen(self.discriminator):
            loss = self.loss.generator(fake=self.logits(fake))
            self.descend(loss, GENERATOR)
        return {"loss_g": loss.detach()}

    def critic_iterations(self) -> int:
        """Discriminator steps due before the next generator step; a schedule may override it."""
        return self.n_critic

    def descend(self, loss: Tensor, player: int) -> None:
        """One step of one player's optimizer (and of its schedule)."""
        optimizer = self.player(player)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        if self.make_scheduler is not None:
            schedules: Any = self.lr_schedulers()
            schedules[player].step()

    def player(self, index: int) -> LightningOptimizer:
        """The optimizer of GENERATOR or DISCRIMINATOR."""
        optimizers: Any = self.optimizers()
        return optimizers[index]

    def logits(self, images: Tensor) -> Tensor:
        """D's logits in float32, so that a loss is never averaged in bfloat16."""
        return self.discriminator(images).float()

    def judge(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of real and of fake images: in one pass, unless batch norm would mix the two."""
        if self.mixes_samples:
            return self.logits(real), self.logits(fake)
        real_logits, fake_logits = self.logits(torch.cat([real, fake])).chunk(2)
        return real_logits, fake_logits

    def generate(self, count: int, *, keep_graph: bool) -> Tensor:
        """Fresh fakes of the generator in training, with or without the graph its own step needs."""
        with torch.set_grad_enabled(keep_graph):
            return self.generator(self.sample_latent(count))

    def clip_weights(self) -> None:
        """Put D's parameters (batch norm's too) back into the box, so that every forward pass is inside it."""
        if self.weight_clip is not None:
            with torch.no_grad():
                for parameter in self.discriminator.parameters():
                    parameter.clamp_(-self.weight_clip, self.weight_clip)

    def update_ema(self, images: int) -> None:
        """Move the averaged generator towards the trained one, which has just learned from `images` fakes."""
        if self.ema_generator is not None and self.ema_half_life is not None:
            kept = decay(images, images * self.generator_steps, self.ema_half_life)
            update_average(self.ema_generator, self.generator, kept)

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        """The generator's optimizer first, then the discriminator's."""
        optimizers = [
            self.make_generator_optimizer(self.generator.parameters()),
            self.make_discriminator_optimizer(self.discriminator.parameters()),
        ]
        return optimizers, [self.make_scheduler(o) for o in optimizers] if self.make_scheduler else []

    # Samples

    def sample_latent(self, count: int, random: torch.Generator | None = None) -> Tensor:
        """Latent vectors (count, latent_dim) on the module's device; `random` leaves training's noise untouched."""
        device = random.device if random else self.device
        if self.noise == "normal":
            latent = torch.randn(count, self.latent_dim, generator=random, device=device)
        else:
            latent = torch.rand(count, self.latent_dim, generator=random, device=device) * 2 - 1
        return latent.to(self.device)

    def sample(self, latent: Tensor, weights: Weights = "ema") -> Tensor:
        """Images in [-1, 1] of latent vectors, by the averaged generator (if one is kept) or the raw one."""
        averaged = self.ema_generator if weights == "ema" else None
        with evaluating(averaged or self.generator) as generator:
            return generator(latent).float()

    def draw(self, count: int, seed: int = 0, weights: Weights = "ema") -> Tensor:
        """Images uint8 (count, C, H, W) from noise of their own seed.

        Raises:
            UserError: when the generator gives numbers that are not finite.
        """
        latent = self.sample_latent(count, torch.Generator().manual_seed(seed))
        return torch.cat([self.finite(self.sample(part, weights)) for part in latent.split(DRAWN_TOGETHER)])

    def finite(self, images: Tensor) -> Tensor:
        """Images as uint8 on the CPU, unless some are no images at all."""
        if not images.isfinite().all():
            raise UserError("the generator gives images that are not finite: its training diverged; use another run")
        return to_uint8(images).cpu()

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the module's own counters."""
        checkpoint["counters"] = {
            "generator_steps": self.generator_steps,
            "images_seen": self.images_seen,
            "critic_steps": self.critic_steps,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on counting."""
        for name, value in checkpoint["counters"].items():
            setattr(self, name, value)
