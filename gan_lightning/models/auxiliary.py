"""Terms beside the adversarial loss, for the discriminator's step and for the generator's.

A term wraps the discriminator with the head it reads, and gives scalars to minimise; None where it has none.
"""

import math

import torch.nn.functional as F
from pydantic import NonNegativeFloat
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.models.conditioning import ClassLabels, LatentCodes, Unconditional
from gan_lightning.models.discriminate import Sample
from gan_lightning.networks.heads import AuxiliaryHead, has_codes, unwrapped
from gan_lightning.networks.layers import DiscriminatorOutput

HIDDEN = 128  # units of the layer of Q's own


class AuxiliaryTerm:
    """A term of either network's loss; this one has none."""

    def wrap_discriminator(self, discriminator: nn.Module, conditioning: Unconditional) -> nn.Module:
        """The discriminator with the head that the term reads.

        Raises:
            UserError: when the term has no meaning for this conditioning or this discriminator.
        """
        return discriminator

    def discriminator(
        self, real: Sample, fake: Sample, on_real: DiscriminatorOutput, on_fake: DiscriminatorOutput
    ) -> Tensor | None:
        """What the discriminator minimises besides its loss."""
        return None

    def generator(self, fake: Sample, on_fake: DiscriminatorOutput) -> Tensor | None:
        """What the generator minimises besides its loss."""
        return None


class Classification(AuxiliaryTerm):
    """AC-GAN's classification loss (Odena et al. 2017, arXiv:1610.09585, equations 2 and 3): -log P(class | image).

    Both networks minimise it: the discriminator on real images and on fakes, the generator on its fakes.

    Args:
        weight: Factor of the term in both networks' losses; the paper's is 1.
        on_fakes: Whether the discriminator learns classes from fakes, too, as in the paper.
    """

    def __init__(self, weight: NonNegativeFloat, on_fakes: bool) -> None:
        self.weight = weight
        self.on_fakes = on_fakes

    def wrap_discriminator(self, discriminator: nn.Module, conditioning: Unconditional) -> nn.Module:
        """The discriminator with class logits."""
        if not isinstance(conditioning, ClassLabels):
            raise UserError(
                "auxiliary=classification needs a generator that is conditional on the class; type "
                "conditioning=labels (or projection), or auxiliary=none"
            )
        return AuxiliaryHead(discriminator, conditioning.num_classes)

    def discriminator(
        self, real: Sample, fake: Sample, on_real: DiscriminatorOutput, on_fake: DiscriminatorOutput
    ) -> Tensor:
        """Cross entropy on real images and, if wanted, on fakes."""
        loss = self.cross_entropy(real, on_real)
        return loss + self.cross_entropy(fake, on_fake) if self.on_fakes else loss

    def generator(self, fake: Sample, on_fake: DiscriminatorOutput) -> Tensor:
        """Cross entropy on the fakes."""
        return self.cross_entropy(fake, on_fake)

    def cross_entropy(self, sample: Sample, output: DiscriminatorOutput) -> Tensor:
        """Weighted cross entropy of class logits (N, K) and one-hot labels (N, K)."""
        assert output.aux is not None
        return self.weight * F.cross_entropy(output.aux, sample.y)


class MutualInformation(AuxiliaryTerm):
    """InfoGAN's variational bound (Chen et al. 2016, arXiv:1606.03657, equation 6) on codes and images.

    -E[log Q(code | image)] bounds minus their mutual information from above, up to a constant. Q is a head on the
    discriminator's features: a categorical distribution for the category, Gaussians of standard deviation 1 for the
    continuous codes. Both networks minimise it: the discriminator's step trains Q and the features, the generator's
    step the generator.

    Args:
        category_weight: Factor of the categorical code's part; the authors' code has 1.
        continuous_weight: Factor of the continuous codes' part.
    """

    def __init__(self, category_weight: NonNegativeFloat, continuous_weight: NonNegativeFloat) -> None:
        self.category_weight = category_weight
        self.continuous_weight = continuous_weight

    def wrap_discriminator(self, discriminator: nn.Module, conditioning: Unconditional) -> nn.Module:
        """The discriminator with Q."""
        if not isinstance(conditioning, LatentCodes):
            raise UserError(
                "auxiliary=mutual_information needs latent codes; type conditioning=codes, or auxiliary=none"
            )
        self.split = [conditioning.categories, conditioning.continuous]
        return AuxiliaryHead(discriminator, conditioning.condition_dim, hidden=HIDDEN)

    def discriminator(
        self, real: Sample, fake: Sample, on_real: DiscriminatorOutput, on_fake: DiscriminatorOutput
    ) -> Tensor:
        """Minus the log likelihood of the fakes' codes, which trains Q and the discriminator's features."""
        return self.negative_log_likelihood(fake, on_fake)

    def generator(self, fake: Sample, on_fake: DiscriminatorOutput) -> Tensor:
        """The same, which trains the generator to make its codes visible in the images."""
        return self.negative_log_likelihood(fake, on_fake)

    def negative_log_likelihood(self, sample: Sample, output: DiscriminatorOutput) -> Tensor:
        """-log Q(code | image), weighted, averaged over the samples."""
        assert output.aux is not None
        logits, means = output.aux.split(self.split, 1)
        category, codes = sample.y.split(self.split, 1)
        gaussian = 0.5 * ((codes - means).square() + math.log(2 * math.pi)).sum(1).mean()
        return self.category_weight * F.cross_entropy(logits, category) + self.continuous_weight * gaussian


class PullingAway(AuxiliaryTerm):
    """EBGAN's pulling-away term (Zhao et al. 2017, arXiv:1609.03126, equation 5), in the generator's loss.

    Args:
        weight: Factor of the term; the paper's is 0.1.
    """

    def __init__(self, weight: NonNegativeFloat) -> None:
        self.weight = weight

    def wrap_discriminator(self, discriminator: nn.Module, conditioning: Unconditional) -> nn.Module:
        """The discriminator, which must be an autoencoder: its codes are compared."""
        if not has_codes(discriminator):
            raise UserError(
                "auxiliary=pulling_away compares an autoencoder's codes, which "
                f"{type(unwrapped(discriminator)).__name__} does not have; type network=autoencoder or network=began, "
                "or auxiliary=none"
            )
        return discriminator

    def generator(self, fake: Sample, on_fake: DiscriminatorOutput) -> Tensor:
        """The weighted term on the fakes' codes."""
        assert on_fake.aux is not None
        return self.weight * pulling_away(on_fake.aux)


def pulling_away(codes: Tensor) -> Tensor:
    """Mean squared cosine between the codes of different samples (arXiv:1609.03126, equation 5).

    Codes (N, F) -> a scalar in [0, 1]: 1 when all point one way, 0 when they are orthogonal or one is alone.
    """
    directions = codes / codes.norm(dim=1, keepdim=True).clamp_min(1e-12)
    count = len(codes)
    cosines = directions @ directions.T
    return (cosines.square().sum() - cosines.diagonal().square().sum()) / max(1, count * (count - 1))
