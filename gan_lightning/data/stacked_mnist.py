import torch
from torch import Tensor

from gan_lightning.data.image_data import Splits
from gan_lightning.data.loader import Batch
from gan_lightning.data.mnist import MNIST

STACK_SEED = 111  # one set of triples for every run, whatever its seed
COUNTS = (128_000, 10_000, 26_000)  # triples of the training, validation and test split


class StackedMNIST(MNIST):
    """Three MNIST digits, one in each colour channel: 1000 classes, the usual test of mode collapse.

    Che et al. 2017 (arXiv:1612.02136, section 4.2) and, with the counts used here, Lin et al. 2018 (PacGAN,
    arXiv:1712.04086). 128,000 triples are drawn with a fixed seed from MNIST's training split; 10,000 of the
    validation and 26,000 of the test split are theirs alone, so that real triples can stand beside samples.
    A score of 26,000 samples against the uniform distribution over classes is the published protocol.
    """

    base_name = "stacked_mnist"
    channels = 3
    title = "MNIST"
    evaluation_images = 26_000
    class_names = [f"{number:03}" for number in range(1000)]

    def load(self) -> Splits:
        """Triples with labels 100 a + 10 b + c."""
        random = torch.Generator().manual_seed(STACK_SEED)
        return Splits(*(stack(part, count, random) for part, count in zip(super().load(), COUNTS, strict=True)))

    def class_shares(self) -> Tensor:
        """The published scores aim at the uniform distribution, although MNIST's digits are not quite as many."""
        return torch.full((1000,), 1 / 1000, dtype=torch.double)


def stack(digits: Batch, count: int, random: torch.Generator) -> Batch:
    """`count` triples of images, drawn with replacement, as channels; none when there are no images."""
    available = len(digits.images)
    chosen = torch.randint(max(1, available), (count if available else 0, 3), generator=random)
    images = digits.images[chosen].squeeze(2)
    return Batch(images, (digits.labels[chosen] * torch.tensor([100, 10, 1])).sum(1))
