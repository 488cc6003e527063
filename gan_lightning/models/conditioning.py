"""What the generator is conditional on beside z, and how the discriminator takes it into account.

A conditioning says what y is for real images, for the fakes beside them in a training step, and for images that are
drawn afterwards. y is a float tensor (N, condition_dim).
"""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape
from gan_lightning.networks.heads import LabelChannel, ProjectionHead

Heads = Literal["none", "channel", "projection"]

MAX_COLUMNS = 32  # classes; a grid with a column for each of more would be too wide to look at

STEPS = 10  # of a latent code along a row of a traversal


class Unconditional:
    """No condition: y has width 0.

    Args:
        num_classes: Number of classes of the data, which do not matter here.
    """

    extra_channels = 0
    """Channels that the discriminator gets beside those of the image."""

    columns: int | None = None
    """Columns of a grid in which each shows one class or category; None for a square grid."""

    num_classes = 0
    """Number of classes that images can be drawn of."""

    def __init__(self, num_classes: NonNegativeInt) -> None:
        self.condition_dim = 0

    def wrap_discriminator(self, discriminator: nn.Module, image_shape: ImageShape) -> nn.Module:
        """The discriminator, with what it needs to take y into account."""
        return discriminator

    def of_real(self, labels: Tensor) -> Tensor:
        """Condition of real images with these labels, int (N,)."""
        return torch.empty(len(labels), 0, device=labels.device)

    def of_fake(self, y: Tensor) -> Tensor:
        """Condition of fakes beside real images whose condition is y: the same."""
        return y

    def of_samples(self, count: int, labels: Tensor | None, random: torch.Generator) -> Tensor:
        """Condition of images drawn after training, of the classes `labels` where there are classes."""
        return torch.empty(count, 0)

    def labels(self, count: int) -> Tensor | None:
        """Classes of `count` samples, all equally often; None where there are no classes."""
        return None

    def traversals(self, y: Tensor) -> dict[str, Tensor]:
        """Conditions for pictures, by name, in which one code varies along each row; none where there are no codes."""
        return {}


class ClassLabels(Unconditional):
    """Class-conditional: y is the one-hot label, and fakes get the labels of the real batch.

    Args:
        num_classes: Number of classes K of the data.
        discriminator: How the discriminator takes the label into account. `none`: not at all (AC-GAN's classifies
            instead); `channel`: as a learned plane beside the image (CGAN, arXiv:1411.1784); `projection`: by the inner
            product of its embedding and the features (arXiv:1802.05637).
    """

    def __init__(self, num_classes: NonNegativeInt, discriminator: Heads) -> None:
        if num_classes < 2:
            raise UserError(
                f"a class-conditional model needs images with at least two classes, and these have {num_classes}; type "
                "conditioning=none auxiliary=none (or model=dcgan), or sort the pictures of data=image_folder into a "
                "folder for each class"
            )
        self.condition_dim = self.num_classes = num_classes
        self.discriminator = discriminator
        self.extra_channels = 1 if discriminator == "channel" else 0
        self.columns = num_classes if num_classes <= MAX_COLUMNS else None

    def wrap_discriminator(self, discriminator: nn.Module, image_shape: ImageShape) -> nn.Module:
        """The discriminator with a label channel or a projection head."""
        if self.discriminator == "channel":
            return LabelChannel(discriminator, self.num_classes, image_shape)
        if self.discriminator == "projection":
            return ProjectionHead(discriminator, self.num_classes)
        return discriminator

    def of_real(self, labels: Tensor) -> Tensor:
        """One-hot labels (N, K)."""
        return F.one_hot(labels, self.num_classes).to(torch.get_default_dtype())

    def of_samples(self, count: int, labels: Tensor | None, random: torch.Generator) -> Tensor:
        """One-hot labels of the classes asked for, or of all classes equally often."""
        return self.of_real(self.labels(count) if labels is None else labels)

    def labels(self, count: int) -> Tensor:
        """0, 1 ... K - 1, 0, 1 ..."""
        return torch.arange(count) % self.num_classes


class LatentCodes(Unconditional):
    """InfoGAN's latent codes (Chen et al. 2016, arXiv:1606.03657): a uniform category and codes ~ U(-1, 1).

    Args:
        num_classes: Number of classes of the data, which do not matter here.
        categories: Number of values of the categorical code.
        continuous: Number of continuous codes.
    """

    def __init__(self, num_classes: NonNegativeInt, categories: PositiveInt, continuous: NonNegativeInt) -> None:
        self.categories = self.columns = categories
        self.continuous = continuous
        self.condition_dim = categories + continuous

    def of_real(self, labels: Tensor) -> Tensor:
        """Zeros (N, categories + continuous): the codes of real images are unknown, and no discriminator reads them."""
        return torch.zeros(len(labels), self.condition_dim, device=labels.device)

    def of_fake(self, y: Tensor) -> Tensor:
        """Codes (N, categories + continuous), drawn for each batch."""
        return self.sample(len(y)).to(y.device)

    def sample(self, count: int, random: torch.Generator | None = None) -> Tensor:
        """A category, one-hot, and continuous codes for each image."""
        category = torch.randint(self.categories, (count,), generator=random)
        continuous = torch.rand(count, self.continuous, generator=random) * 2 - 1
        return torch.cat([F.one_hot(category, self.categories).to(continuous.dtype), continuous], 1)

    def of_samples(self, count: int, labels: Tensor | None, random: torch.Generator) -> Tensor:
        """Each category in turn; continuous codes at random."""
        codes = self.sample(count, random)
        codes[:, : self.categories] = F.one_hot(torch.arange(count) % self.categories, self.categories)
        return codes

    def traversals(self, y: Tensor) -> dict[str, Tensor]:
        """A picture for each continuous code, which runs from -2 to 2 along its rows (the paper's figure 2).

        A row for each category; the other continuous codes are 0.

        Args:
            y: Codes of `categories` samples, one of each category.
        """
        base = y.repeat_interleave(STEPS, 0)
        base[:, self.categories :] = 0
        pictures = {}
        for number in range(self.continuous):
            pictures[f"code-{number + 1}"] = varied = base.clone()
            varied[:, self.categories + number] = torch.linspace(-2, 2, STEPS).repeat(self.categories)
        return pictures
