"""Games whose images have labels: G is told which class to draw, and D judges whether it did.

G gets the label's one-hot code behind z; fakes get the labels of the real batch, whose frequencies are the data's own.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.models.gan import GAN, Sample, Verdict
from gan_lightning.networks.heads import LabelPlane, Projection, SecondAnswer

MOST_COLUMNS = 32


class ConditionalGAN(GAN):
    """CGAN (Mirza & Osindero 2014, arXiv:1411.1784): D, too, is told the label, by a learned plane beside the image."""

    label_planes = 1

    @classmethod
    def width_of_code(cls, options: Mapping[Any, Any], num_classes: int) -> int:
        """A one-hot label."""
        if num_classes < 2:
            raise UserError(
                f"{cls.__name__} needs images with at least two classes, and these have {num_classes}; type "
                "model=dcgan (or an experiment= that tells G no class), or sort the pictures of data=image_folder into "
                "a folder for each class"
            )
        return num_classes

    def equip(self, discriminator: nn.Module) -> nn.Module:
        """D with the label's plane."""
        return LabelPlane(discriminator, self.code_size, self.image_shape)

    def real_code(self, labels: Tensor) -> Tensor:
        """One-hot labels (N, K)."""
        return F.one_hot(labels, self.code_size).to(torch.get_default_dtype())

    def sample_code(self, count: int, labels: Tensor | None, random: torch.Generator) -> Tensor:
        """The one-hot code of the classes asked for."""
        assert labels is not None
        return self.real_code(labels)

    def verdict(self, images: Tensor, code: Tensor) -> Verdict:
        """Whether images are real, and of their class."""
        return Verdict(self.discriminator(images, code))

    def labels(self, count: int) -> Tensor:
        """0, 1 ... K-1, 0, 1 ...: each class as often as another."""
        return torch.arange(count) % self.code_size

    def columns(self) -> int | None:
        """A column for each class, if a picture holds so many."""
        return self.code_size if self.code_size <= MOST_COLUMNS else None


class ProjectionGAN(ConditionalGAN):
    """cGAN with projection (Miyato & Koyama 2018, arXiv:1802.05637): the label's embedding times D's features."""

    label_planes = 0

    def equip(self, discriminator: nn.Module) -> nn.Module:
        """D with the projection."""
        return Projection(discriminator, self.code_size)


class ACGAN(ConditionalGAN):
    """AC-GAN (Odena et al. 2017, arXiv:1610.09585, equations 2 and 3): D is not told the class but asked for it.

    Both players minimise the classification loss; D on real images and on fakes (`class_fakes`).

    Args:
        class_weight: of the classification loss; the paper's is 1.
        class_fakes: whether D learns classes from fakes, too, as in the paper.
    """

    label_planes = 0

    def __init__(self, *, class_weight: NonNegativeFloat = 1.0, class_fakes: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.class_weight = class_weight
        self.class_fakes = class_fakes

    def equip(self, discriminator: nn.Module) -> nn.Module:
        """D with class logits."""
        return SecondAnswer(discriminator, self.code_size)

    def verdict(self, images: Tensor, code: Tensor) -> Verdict:
        """Logits, and logits of the classes (N, K)."""
        return Verdict(*self.discriminator(images))

    def discriminator_terms(self, real: Sample, fake: Sample, on_real: Verdict, on_fake: Verdict) -> dict[str, Tensor]:
        """-log P(class of the image), for real images and fakes."""
        loss = self.class_loss(real, on_real)
        return {"class_loss_d": loss + self.class_loss(fake, on_fake) if self.class_fakes else loss}

    def generator_terms(self, fake: Sample, on_fake: Verdict) -> dict[str, Tensor]:
        """G, too, wants its images to be told apart."""
        return {"class_loss_g": self.class_loss(fake, on_fake)}

    def class_loss(self, sample: Sample, verdict: Verdict) -> Tensor:
        """Cross entropy of D's class logits."""
        assert verdict.answer is not None
        return self.class_weight * F.cross_entropy(verdict.answer, sample.code)
