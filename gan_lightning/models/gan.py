import torch
from torch import Tensor

from gan_lightning.data import Batch
from gan_lightning.images import to_float
from gan_lightning.models.discriminate import Sample, frozen
from gan_lightning.models.module import DISCRIMINATOR, GENERATOR, GANModule
from gan_lightning.networks.layers import DiscriminatorOutput


class GAN(GANModule):
    """Algorithm 1 of Goodfellow et al. 2014 (arXiv:1406.2661): discriminator and generator steps in turn.

    Every variant is a choice of parts: networks, loss, penalties, auxiliary terms, conditioning, updates, annealing.
    """

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """One discriminator step on a batch and, when it is due, one generator step.

        Returns:
            Scalars to log, by name, and the images `real` and `fake`.
        """
        real = Sample(to_float(batch.images), self.conditioning.of_real(batch.labels))
        generator_is_due = self.count_batch(len(real.x))
        shared = self.updates.share_fakes
        fake = self.generate(*self.sample_inputs(real.y), graph=shared and generator_is_due)
        metrics: dict[str, Tensor] = {}
        for network in self.updates.order(generator_is_due):
            if network == "discriminator":
                metrics |= self.discriminator_step(real, fake.detach())
            else:
                metrics |= self.generator_step(real, fake if shared else self.fresh_fakes(real))
        if generator_is_due:
            self.step_schedulers()
        return metrics | {"real": real.x, "fake": fake.x.detach()}

    def discriminator_step(self, real: Sample, fake: Sample) -> dict[str, Tensor]:
        """Descend the discriminator's loss, its auxiliary terms and its penalties."""
        on_real, on_fake = self.discriminate.both(real, fake)
        loss = self.loss.discriminator(real=on_real.logits, fake=on_fake.logits)
        metrics = {"loss_d": loss.detach()} | self.realness(on_real, on_fake)
        images = len(real.x) * self.trainer.world_size
        metrics |= self.augment.adapt(on_real.logits, self.loss.decision_boundary, images)
        outputs = (real, fake, on_real, on_fake)
        terms = present({f"{name}_d": it.discriminator(*outputs) for name, it in self.auxiliary.items()})
        if self.penalties:
            terms["penalty"] = self.penalty(*outputs)
        self.backward_and_step(sum(terms.values(), loss), DISCRIMINATOR)
        self.clip_weights()
        return metrics | self.loss.extra_metrics() | {name: term.detach() for name, term in terms.items()}

    def generator_step(self, real: Sample, fake: Sample) -> dict[str, Tensor]:
        """Descend the generator's loss and its auxiliary terms, through the frozen discriminator."""
        with frozen(self.discriminator):
            real_logits, on_fake = self.real_logits(real), self.discriminate(fake)
            loss = self.loss.generator(real=real_logits, fake=on_fake.logits)
            terms = present({f"{name}_g": it.generator(fake, on_fake) for name, it in self.auxiliary.items()})
            self.backward_and_step(sum(terms.values(), loss), GENERATOR)
        self.count_generator_step(len(fake.x))
        return {"loss_g": loss.detach()} | {name: term.detach() for name, term in terms.items()}

    def sample_inputs(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Latent vectors and conditions of fakes beside real images whose condition is y."""
        y = self.conditioning.of_fake(y)
        return self.prior.sample(len(y), self.device), y

    def generate(self, z: Tensor, y: Tensor, *, graph: bool) -> Sample:
        """Fakes of the generator in training, with or without the graph that its own step needs."""
        with torch.set_grad_enabled(graph):
            return Sample(self.generator(z, y), y)

    def fresh_fakes(self, real: Sample) -> Sample:
        """Fakes for the generator's step that the discriminator's step has not seen."""
        return self.generate(*self.sample_inputs(real.y.repeat(self.updates.generator_batch, 1)), graph=True)

    def penalty(self, real: Sample, fake: Sample, on_real: DiscriminatorOutput, on_fake: DiscriminatorOutput) -> Tensor:
        """The sum of all penalties; points between real and fake images share the real images' condition."""

        def critic(images: Tensor) -> Tensor:
            return self.discriminate(Sample(images, real.y)).logits

        arguments = (real.x, fake.x, on_real.logits, on_fake.logits)
        return torch.stack([penalty(critic, *arguments) for penalty in self.penalties]).sum()

    @torch.no_grad()
    def real_logits(self, real: Sample) -> Tensor | None:
        """Logits of real images for a relativistic loss of the generator, without a graph: it cannot change them."""
        return self.discriminate(real).logits if self.loss.relativistic else None

    @torch.no_grad()
    def realness(self, on_real: DiscriminatorOutput, on_fake: DiscriminatorOutput) -> dict[str, Tensor]:
        """D(x) and D(G(z)), averaged: probabilities where the loss defines them, else logits."""
        outputs = {"d_real": on_real, "d_fake": on_fake}
        return {name: self.loss.realness(output.logits).mean() for name, output in outputs.items()}


def present(terms: dict[str, Tensor | None]) -> dict[str, Tensor]:
    """Leave out None: some auxiliary terms belong to one network's step only."""
    return {name: term for name, term in terms.items() if term is not None}
