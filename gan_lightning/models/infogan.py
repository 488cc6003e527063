import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from gan_lightning.models.gan import GAN, Sample, Verdict
from gan_lightning.networks.heads import SecondAnswer

HIDDEN = 128  # units of Q's own layer

TRAVERSED = 10
"""Values of a code in a row of a picture."""


class InfoGAN(GAN):
    """InfoGAN (Chen et al. 2016, arXiv:1606.03657, equation 6): codes that D can read off the images.

    Behind z stand a category (one-hot, uniform) and continuous codes ~ U(-1, 1). Q, a head on D's features, guesses
    them; minus the log-likelihood of the right ones, an upper bound of minus their mutual information with the image,
    is minimised by both players: D's step trains Q and D's features, G's step the generator.

    Args:
        categories: of the discrete code.
        continuous: number of continuous codes, whose guess is a Gaussian of standard deviation 1.
        category_weight: of the discrete code's term; the authors' code has 1.
        continuous_weight: of the continuous codes' term.
    """

    def __init__(
        self,
        *,
        categories: PositiveInt = 10,
        continuous: NonNegativeInt = 2,
        category_weight: NonNegativeFloat = 1.0,
        continuous_weight: NonNegativeFloat = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.categories = categories
        self.continuous = continuous
        self.category_weight = category_weight
        self.continuous_weight = continuous_weight

    @classmethod
    def width_of_code(cls, options: Mapping[Any, Any], num_classes: int) -> int:
        """The categories and the continuous codes."""
        return options["categories"] + options["continuous"]

    def equip(self, discriminator: nn.Module) -> nn.Module:
        """D with Q."""
        return SecondAnswer(discriminator, self.code_size, hidden=HIDDEN)

    def fake_code(self, code: Tensor) -> Tensor:
        """Fresh codes (N, categories + continuous)."""
        return self.draw_code(len(code)).to(code.device)

    def draw_code(self, count: int, random: torch.Generator | None = None) -> Tensor:
        """A category and continuous codes for each image."""
        category = torch.randint(self.categories, (count,), generator=random)
        continuous = torch.rand(count, self.continuous, generator=random) * 2 - 1
        return torch.cat([F.one_hot(category, self.categories).to(continuous.dtype), continuous], 1)

    def sample_code(self, count: int, labels: Tensor | None, random: torch.Generator) -> Tensor:
        """Each category in turn, whatever the data's labels are; continuous codes at random."""
        code = self.draw_code(count, random)
        code[:, : self.categories] = F.one_hot(torch.arange(count) % self.categories, self.categories)
        return code

    def columns(self) -> int:
        """A column for each category."""
        return self.categories

    def traversals(self, seed: int) -> dict[str, Tensor]:
        """A picture for each continuous code, which runs from -2 to 2 along its rows (the paper's figure 2).

        A row for each category; everything else stays the same.
        """
        still = self.inputs(self.categories, seed).repeat_interleave(TRAVERSED, 0)
        first_code = self.latent_dim + self.categories
        still[:, : self.latent_dim] = still[0, : self.latent_dim]
        still[:, first_code:] = 0
        pictures = {}
        for number in range(self.continuous):
            pictures[f"code-{number + 1}"] = moving = still.clone()
            moving[:, first_code + number] = torch.linspace(-2, 2, TRAVERSED).repeat(self.categories)
        return pictures

    def verdict(self, images: Tensor, code: Tensor) -> Verdict:
        """Logits, and Q's guess: logits of the categories and means of the continuous codes."""
        return Verdict(*self.discriminator(images))

    def discriminator_terms(self, real: Sample, fake: Sample, on_real: Verdict, on_fake: Verdict) -> dict[str, Tensor]:
        """What D and Q learn of the codes."""
        return {"code_loss_d": self.code_loss(fake, on_fake)}

    def generator_terms(self, fake: Sample, on_fake: Verdict) -> dict[str, Tensor]:
        """What makes G show its codes."""
        return {"code_loss_g": self.code_loss(fake, on_fake)}

    def code_loss(self, sample: Sample, verdict: Verdict) -> Tensor:
        """-log Q(code | image), averaged over the samples."""
        assert verdict.answer is not None
        guess, means = verdict.answer.split([self.categories, self.continuous], 1)
        category, codes = sample.code.split([self.categories, self.continuous], 1)
        gaussian = 0.5 * ((codes - means).square() + math.log(2 * math.pi)).sum(1).mean()
        return self.category_weight * F.cross_entropy(guess, category) + self.continuous_weight * gaussian
