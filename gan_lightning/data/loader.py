from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Images uint8 (N, C, H, W) and class labels int64 (N,)."""

    images: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Both on a device."""
        return Batch(self.images.to(device), self.labels.to(device))


class BatchLoader:
    """Seeded, shuffled, sharded batches cut from one in-memory uint8 tensor by index; no work per image.

    Every epoch has its own order, drawn from (seed, epoch) alone. With `world_size` processes each takes its
    share of every global batch: together they see each image at most once an epoch, and exactly once when
    `batch_size` divides the data set. The last incomplete batch is dropped, so that batch statistics and
    shapes never change. `state_dict` holds the place in the epoch, so a stopped run goes on at the next batch.

    Args:
        data: Images and labels that batches are drawn from.
        batch_size: Number of images in a batch, all processes together.
        seed: Seed of the order of the images.
        rank: Number of this process, 0 <= rank < world_size.
        world_size: Number of processes, which must divide batch_size.
        balanced: Whether every class is drawn equally often: an epoch is as long, but images of rare classes appear
            more than once in it, and not all images of frequent ones. Counts of two classes in a batch differ by at
            most two.
    """

    def __init__(
        self, data: Batch, batch_size: int, seed: int, rank: int = 0, world_size: int = 1, balanced: bool = False
    ) -> None:
        self.data = data
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.balanced = balanced
        self.epoch = 0
        self.position = 0

    def __len__(self) -> int:
        return len(self.data.images) // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        if self.position >= len(self):
            self.epoch, self.position = self.epoch + 1, 0
        share = self.batch_size // self.world_size
        order = self.order()
        while self.position < len(self):
            start = self.position * self.batch_size + self.rank * share
            chosen = order[start : start + share]
            self.position += 1
            yield Batch(self.data.images[chosen], self.data.labels[chosen])

    def order(self) -> Tensor:
        """This epoch's permutation of the data set (or balanced choice from it), the same in every process."""
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.data.images), generator=random)
        if self.balanced:
            order = balance(order, self.data.labels.cpu(), random)
        return order.to(self.data.images.device)

    def state_dict(self) -> dict[str, int]:
        """The epoch and the batches already drawn from it."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the batches already drawn."""
        self.epoch, self.position = state["epoch"], state["position"]


def balance(order: Tensor, labels: Tensor, random: torch.Generator) -> Tensor:
    """As many of the images in `order`, one of each class in turn; the classes' turns are shuffled each time."""
    sorted_by_class = order[labels[order].argsort(stable=True)]
    classes = sorted_by_class.split(torch.bincount(labels).tolist())
    classes = [members for members in classes if len(members)]
    rounds = torch.arange(-(-len(order) // len(classes)))
    turns = torch.stack([members[rounds % len(members)] for members in classes], 1)
    shuffled = torch.rand(turns.shape, generator=random).argsort(1)
    return turns.gather(1, shuffled).flatten()[: len(order)]
