import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from pydantic import PositiveFloat, PositiveInt
from pytorch_lightning import LightningModule
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.augment import AdaptiveAugment
from gan_lightning.data import Batch
from gan_lightning.errors import UserError
from gan_lightning.floats import at_least_float32
from gan_lightning.images import ImageShape, to_float, to_uint8
from gan_lightning.losses import Loss
from gan_lightning.models.compatibility import (
    check_augment,
    check_clip,
    check_energies,
    check_generator_batch,
    check_pack,
    check_penalties,
    check_rates,
    mixing_layer,
    warn_of_a_free_critic,
)
from gan_lightning.models.ema import decay, update_average
from gan_lightning.networks.heads import normalise_spectrally, show_variety
from gan_lightning.networks.statistics import pack
from gan_lightning.penalties import Penalty

Weights = Literal["ema", "raw"]

Noise = Literal["normal", "uniform", "unit_uniform"]

# Not the modes with CUDA graphs: what one network gave would be overwritten when the other is called.
CompileMode = Literal["default", "max-autotune-no-cudagraphs"]

DRAWN_TOGETHER = 250  # images; larger parts gain no speed

GENERATOR, DISCRIMINATOR = 0, 1  # the players' places in `configure_optimizers`


class Sample(NamedTuple):
    """Images (N, C, H, W) and their codes (N, code_size): what a game tells G behind z, such as one-hot labels."""

    images: Tensor
    code: Tensor

    def detach(self) -> "Sample":
        """The same without a graph."""
        return Sample(self.images.detach(), self.code)


class Verdict(NamedTuple):
    """What D says of a sample: logits, and whatever else its game asks of it (classes, codes), or None."""

    logits: Tensor
    answer: Tensor | None = None

    def chunk(self) -> tuple["Verdict", "Verdict"]:
        """The verdicts on the two halves of a sample."""
        answers = (None, None) if self.answer is None else self.answer.chunk(2)
        first, second = (Verdict(*pair) for pair in zip(self.logits.chunk(2), answers, strict=True))
        return first, second


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


def join(latent: Tensor, code: Tensor) -> Tensor:
    """z and, behind it, the code."""
    return torch.cat([latent, code], 1) if code.shape[1] else latent


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


class GAN(LightningModule):
    """A generator and a discriminator that play Algorithm 1 of Goodfellow et al. 2014 (arXiv:1406.2661).

    Images are float (N, C, H, W) in [-1, 1], logits (N,). Lightning's `global_step` counts the steps of both
    optimizers, so the module keeps its own `generator_steps` and `images_seen` (real images, all processes).

    A game that tells G more than z (a class, a code) is a subclass: it says how wide that code is and what it is for
    real and fake images, and what D answers besides its logits.

    Args:
        generator: z and code (N, latent_dim + code_size) -> images.
        discriminator: images -> logits.
        loss: what each player minimises.
        penalties: added to the discriminator's loss.
        augment: images -> images, of which D judges the results in both players' steps; None for none.
        image_shape: channels, height, width.
        code_size: of what G is told behind z (`width_of_code`).
        generator_optimizer: makes G's optimizer from its parameters.
        discriminator_optimizer: makes D's.
        scheduler: makes a learning-rate schedule for each optimizer, stepped after each generator step.
        latent_dim: size of z.
        noise: each coordinate of z ~ N(0, 1), U(-1, 1), or, of variance 1, too, U(-sqrt 3, sqrt 3).
        n_critic: discriminator steps for each generator step ("k" in Algorithm 1).
        share_fakes: G's step reuses the images D's step just judged, which saves one pass through G.
        generator_batch: images of G's step, in multiples of D's.
        generator_first: G steps before D, through the D that has not yet stepped. With `share_fakes` both follow the
            gradients of one and the same moment: simultaneous instead of alternating descent.
        lr_decay: "linear": both learning rates fall to zero as the run's budget (steps, images, epochs or time) is
            spent; None: they stay, or follow the scheduler.
        weight_clip: keeps every discriminator parameter in [-weight_clip, weight_clip], or None.
        ema_half_life: half-life of the averaged generator used for samples, in images the generator has learned
            from; None for no average.
        spectral_norm: divide D's weight matrices by their largest singular value.
        generator_spectral_norm: divide G's, too.
        pack: images that D judges at once, side by side as channels (PacGAN).
        minibatch_std: show D how much the features of neighbouring samples vary.
        compile: have torch.compile write the networks anew, in one of its modes ("default",
            "max-autotune-no-cudagraphs"); None leaves them. The first steps then take a minute. A discriminator with
            a gradient penalty stays as it is: compiled networks have no second derivative.
    """

    label_planes = 0
    """Channels that D is shown beside those of the image."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Loss,
        penalties: Sequence[Penalty],
        augment: nn.Module | None,
        image_shape: ImageShape,
        code_size: int,
        generator_optimizer: Callable[..., Optimizer],
        discriminator_optimizer: Callable[..., Optimizer],
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        latent_dim: PositiveInt = 100,
        noise: Noise = "normal",
        n_critic: PositiveInt = 1,
        share_fakes: bool = False,
        generator_batch: PositiveInt = 1,
        generator_first: bool = False,
        lr_decay: Literal["linear"] | None = None,
        weight_clip: PositiveFloat | None = None,
        ema_half_life: PositiveFloat | None = 10_000,
        spectral_norm: bool = False,
        generator_spectral_norm: bool = False,
        pack: PositiveInt = 1,
        minibatch_std: bool = False,
        compile: CompileMode | None = None,
    ) -> None:
        super().__init__()
        check_energies(discriminator, loss)
        check_clip(weight_clip, spectral_norm)
        check_pack(pack, code_size, penalties)
        check_generator_batch(generator_batch, share_fakes, loss)
        check_rates(lr_decay, scheduler)
        check_augment(augment, loss)
        self.image_shape = image_shape
        self.code_size = code_size
        self.packed = pack
        discriminator = self.equip(discriminator)
        if minibatch_std:
            show_variety(discriminator)
        if spectral_norm:
            normalise_spectrally(discriminator, "model.spectral_norm")
        if generator_spectral_norm:
            normalise_spectrally(generator, "model.generator_spectral_norm")
        check_penalties(discriminator, penalties)
        warn_of_a_free_critic(loss, penalties, constrained=spectral_norm or weight_clip is not None)
        self.automatic_optimization = False
        # weights of convolutions channels last, as the fastest kernels have them; others stay as they are
        self.generator = generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator = discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mixes_samples = mixing_layer(discriminator) is not None
        self.ema_generator = copy.deepcopy(generator).requires_grad_(False) if ema_half_life else None
        self.loss = loss
        self.penalties = nn.ModuleList(penalties)
        self.gradient_penalised = any(penalty.takes_gradients for penalty in penalties)
        self.augment = nn.Identity() if augment is None else augment
        self.make_generator_optimizer = generator_optimizer
        self.make_discriminator_optimizer = discriminator_optimizer
        self.make_scheduler = scheduler
        self.latent_dim = latent_dim
        self.noise = noise
        self.n_critic = n_critic
        self.share_fakes = share_fakes
        self.generator_batch = generator_batch
        self.generator_first = generator_first
        self.lr_decay = lr_decay
        self.weight_clip = weight_clip
        self.ema_half_life = ema_half_life
        self.compile_mode = compile
        self.budget_spent = 0.0  # from 0 to 1, kept by `Budget`
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
            if not self.gradient_penalised:
                self.discriminator.compile(mode=self.compile_mode)

    @property
    def rate_share(self) -> float:
        """Learning rates, as a share of the configured ones."""
        return 1.0 if self.lr_decay is None else 1.0 - self.budget_spent

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the learning rates for what is left of the budget."""
        if self.lr_decay is not None:
            for index in (GENERATOR, DISCRIMINATOR):
                optimizer = self.player(index).optimizer
                for group in optimizer.param_groups:
                    group["lr"] = self.rate_share * optimizer.defaults["lr"]

    # The game

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """One discriminator step on a batch and, every `critic_iterations` batches, one generator step."""
        real = Sample(to_float(batch.images), self.real_code(batch.labels))
        count = len(real.images)
        self.critic_steps += 1
        self.images_seen += count * self.trainer.world_size
        generator_is_due = self.critic_steps >= self.critic_iterations()

        outcome: dict[str, Tensor] = {}
        fake = self.generate(real.code, keep_graph=self.share_fakes and generator_is_due)
        if generator_is_due and self.generator_first:
            outcome |= self.generator_turn(real, fake)
        outcome |= self.discriminator_step(real, fake.detach())
        if generator_is_due and not self.generator_first:
            outcome |= self.generator_turn(real, fake)
        if generator_is_due:
            self.step_schedules()
        return outcome | {"real": real.images, "fake": fake.images.detach()}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Nothing batch by batch: scores are of whole sets of samples, which `Evaluation` draws when the loop ends."""

    def on_validation_model_zero_grad(self) -> None:
        """Keep the gradients, whose norms `TrainingMetrics` reads; each step clears its own before it begins."""

    def discriminator_step(self, real: Sample, fake: Sample) -> dict[str, Tensor]:
        """Descend the discriminator's loss, its penalties and what else its game asks of it."""
        on_real, on_fake = self.judge(real, fake)
        loss = self.loss.discriminator(real=on_real.logits, fake=on_fake.logits)
        outcome = {
            "loss_d": loss.detach(),
            "d_real": self.loss.score(on_real.logits.detach()).mean(),
            "d_fake": self.loss.score(on_fake.logits.detach()).mean(),
        }
        if isinstance(self.augment, AdaptiveAugment):
            assert self.loss.undecided is not None
            images = len(real.images) * self.trainer.world_size
            self.augment.adapt(on_real.logits.detach() - self.loss.undecided, images)
            outcome["augment_p"] = self.augment.p.clone()
        terms = self.discriminator_terms(real, fake, on_real, on_fake)
        if self.penalties:
            terms["penalty"] = self.penalise(real, fake, on_real, on_fake)
        self.descend(sum(terms.values(), loss), DISCRIMINATOR)
        self.clip_weights()
        return outcome | self.loss.measures() | {name: term.detach() for name, term in terms.items()}

    def generator_turn(self, real: Sample, fake: Sample) -> dict[str, Tensor]:
        """The generator's step on the fakes D judges (`share_fakes`) or on fresh ones, and what follows from it."""
        if not self.share_fakes:
            fake = self.generate(real.code.repeat(self.generator_batch, 1), keep_graph=True)
        outcome = self.generator_step(real, fake)
        self.generator_steps += 1
        self.critic_steps = 0
        self.update_ema(len(fake.images) * self.trainer.world_size)
        return outcome

    def generator_step(self, real: Sample, fake: Sample) -> dict[str, Tensor]:
        """Descend the generator's loss through the frozen discriminator."""
        with frozen(self.discriminator):
            reference, on_fake = self.reference(real), self.assess(fake)
            loss = self.loss.generator(real=reference, fake=on_fake.logits)
            terms = self.generator_terms(fake, on_fake)
            self.descend(sum(terms.values(), loss), GENERATOR)
        return {"loss_g": loss.detach()} | {name: term.detach() for name, term in terms.items()}

    # What other games change

    @classmethod
    def width_of_code(cls, options: Mapping[Any, Any], num_classes: int) -> int:
        """Numbers that G is told behind z, given the model's options and the data's classes."""
        return 0

    def equip(self, discriminator: nn.Module) -> nn.Module:
        """D with whatever its game puts on it."""
        return discriminator

    def real_code(self, labels: Tensor) -> Tensor:
        """What is told of real images: nothing, (N, 0)."""
        return torch.empty(len(labels), 0, device=labels.device)

    def fake_code(self, code: Tensor) -> Tensor:
        """What G is told for a batch of fakes beside real images with this code: the same."""
        return code

    def verdict(self, images: Tensor, code: Tensor) -> Verdict:
        """What D says of (augmented, packed) images."""
        return Verdict(self.discriminator(images))

    def discriminator_terms(self, real: Sample, fake: Sample, on_real: Verdict, on_fake: Verdict) -> dict[str, Tensor]:
        """What D minimises besides its loss and its penalties, by names for the numbers."""
        return {}

    def generator_terms(self, fake: Sample, on_fake: Verdict) -> dict[str, Tensor]:
        """What G minimises besides its loss."""
        return {}

    def critic_iterations(self) -> int:
        """Discriminator steps due before the next generator step; a schedule may override it."""
        return self.n_critic

    def descend(self, loss: Tensor, player: int) -> None:
        """One step of one player's optimizer."""
        optimizer = self.player(player)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def step_schedules(self) -> None:
        """Move both players' learning rates on."""
        if self.make_scheduler is not None:
            schedules: Any = self.lr_schedulers()
            for schedule in schedules:
                schedule.step()

    def player(self, index: int) -> LightningOptimizer:
        """The optimizer of GENERATOR or DISCRIMINATOR."""
        optimizers: Any = self.optimizers()
        return optimizers[index]

    def assess(self, sample: Sample) -> Verdict:
        """D's verdict on a sample, augmented anew; logits in float32 at least: no loss is averaged in bfloat16."""
        return self.ask(self.augment(sample.images), sample.code)

    def ask(self, images: Tensor, code: Tensor) -> Verdict:
        """D's verdict on augmented images, in packs if it judges several at once."""
        logits, answer = self.verdict(pack(images, self.packed) if self.packed > 1 else images, code)
        return Verdict(at_least_float32(logits), None if answer is None else at_least_float32(answer))

    def judge(self, real: Sample, fake: Sample) -> tuple[Verdict, Verdict]:
        """Verdicts on real and on fake images: in one pass, unless D would mix the two."""
        if self.mixes_samples:
            return self.assess(real), self.assess(fake)
        both = torch.cat([self.augment(real.images), self.augment(fake.images)])
        return self.ask(both, torch.cat([real.code, fake.code])).chunk()

    def penalise(self, real: Sample, fake: Sample, on_real: Verdict, on_fake: Verdict) -> Tensor:
        """The sum of all penalties; points between real and fake images carry the code they share."""

        def critic(images: Tensor) -> Tensor:
            return self.assess(Sample(images, real.code)).logits

        judged = (real.images, fake.images, on_real.logits, on_fake.logits)
        return torch.stack([penalty(critic, *judged) for penalty in self.penalties]).sum()

    @torch.no_grad()
    def reference(self, real: Sample) -> Tensor | None:
        """Real logits for a generator's loss that compares with them, without a graph: G cannot move them."""
        return self.assess(real).logits if self.loss.relativistic else None

    def generate(self, code: Tensor, *, keep_graph: bool) -> Sample:
        """Fresh fakes of the generator in training, with or without the graph its own step needs."""
        code = self.fake_code(code)
        with torch.set_grad_enabled(keep_graph):
            return Sample(self.generator(join(self.sample_latent(len(code)), code)), code)

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
            reach = 1 if self.noise == "uniform" else math.sqrt(3)
            latent = (torch.rand(count, self.latent_dim, generator=random, device=device) * 2 - 1) * reach
        return latent.to(self.device)

    @property
    def kept_weights(self) -> list[Weights]:
        """Whose samples there are, the best first: the average's, if one is kept, and the raw ones."""
        return ["raw"] if self.ema_generator is None else ["ema", "raw"]

    def sample(self, latent: Tensor, weights: Weights = "ema") -> Tensor:
        """Images in [-1, 1] of latent vectors, by the averaged generator (if one is kept) or the raw one."""
        averaged = self.ema_generator if weights == "ema" else None
        with evaluating(averaged or self.generator) as generator:
            return at_least_float32(generator(latent))

    def sample_code(self, count: int, labels: Tensor | None, random: torch.Generator) -> Tensor:
        """What G is told to draw samples (of the classes `labels`): nothing."""
        return torch.empty(count, 0)

    def labels(self, count: int) -> Tensor | None:
        """The classes of `count` samples, each as often as another; None where the game knows none."""
        return None

    def columns(self) -> int | None:
        """Columns of a grid in which each shows one class; None for a square."""
        return None

    def traversals(self, seed: int) -> dict[str, Tensor]:
        """G's inputs for pictures, by their names, in which one code runs along each row; none where there are none."""
        return {}

    def inputs(self, count: int, seed: int, labels: Tensor | None = None) -> Tensor:
        """What G makes `count` samples from: noise of its own seed, and the code of `labels`."""
        random = torch.Generator().manual_seed(seed)
        latent = self.sample_latent(count, random)
        code = self.sample_code(count, self.labels(count) if labels is None else labels, random)
        return join(latent, code.to(latent.device))

    def draw(self, count: int, seed: int = 0, weights: Weights = "ema", labels: Tensor | None = None) -> Tensor:
        """Images uint8 (count, C, H, W) from noise of their own seed, of the classes `labels` or of each as many.

        Raises:
            UserError: when the generator gives numbers that are not finite.
        """
        parts = self.inputs(count, seed, labels).split(DRAWN_TOGETHER)
        return torch.cat([self.finite(self.sample(part, weights)) for part in parts])

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
