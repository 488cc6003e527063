from gan_lightning.models.gan import GAN

BOOSTED_ITERATIONS = 100
BOOSTED_START = 25
BOOSTED_EVERY = 500


class WGAN(GAN):
    """WGAN as its authors ran it (Arjovsky et al. 2017, arXiv:1701.07875, Algorithm 1).

    The authors' code trains the critic 100 times, instead of `n_critic`, for each of the first 25 generator
    steps and for every 500th, so that the critic is near its optimum when the generator follows it.
    """

    def critic_iterations(self) -> int:
        """Critic steps due before the next generator step."""
        if self.generator_steps < BOOSTED_START or self.generator_steps % BOOSTED_EVERY == 0:
            return BOOSTED_ITERATIONS
        return self.n_critic
