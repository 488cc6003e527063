"""The update schedule: the order of the networks' steps and how many of each."""

from typing import Literal

from pydantic import PositiveInt

Network = Literal["discriminator", "generator"]

WARMUP_ITERATIONS = 100
WARMUP_GENERATOR_STEPS = 25
WARMUP_EVERY = 500


class Alternating:
    """Discriminator steps and generator steps in turn (Algorithm 1 of arXiv:1406.2661, whose k is `n_critic`).

    Args:
        n_critic: Number of discriminator steps for each generator step.
        share_fakes: Whether the generator's step reuses the fakes of the discriminator's step, which saves one pass
            through the generator.
        generator_batch: Number of fakes in the generator's step, in multiples of the discriminator's batch.
        generator_first: Whether the generator steps before the discriminator. With `share_fakes` both then follow the
            gradients at the same weights: simultaneous instead of alternating gradient descent.
    """

    def __init__(
        self, n_critic: PositiveInt, share_fakes: bool, generator_batch: PositiveInt, generator_first: bool
    ) -> None:
        self.n_critic = n_critic
        self.share_fakes = share_fakes
        self.generator_batch = generator_batch
        self.generator_first = generator_first

    def discriminator_steps(self, generator_steps: int) -> int:
        """Discriminator steps before the next generator step, after so many of the latter."""
        return self.n_critic

    def order(self, generator_is_due: bool) -> tuple[Network, ...]:
        """Which networks step on a batch, in order."""
        if not generator_is_due:
            return ("discriminator",)
        return ("generator", "discriminator") if self.generator_first else ("discriminator", "generator")


class WGANWarmup(Alternating):
    """WGAN's schedule as its authors ran it (Arjovsky et al. 2017, arXiv:1701.07875).

    Their code trains the critic 100 times, instead of `n_critic`, before each of the first 25 generator steps and
    before every 500th, so that the critic is near its optimum when the generator follows it.
    """

    def discriminator_steps(self, generator_steps: int) -> int:
        """Critic steps before the next generator step."""
        if generator_steps < WARMUP_GENERATOR_STEPS or generator_steps % WARMUP_EVERY == 0:
            return WARMUP_ITERATIONS
        return self.n_critic
