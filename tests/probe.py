"""A callback that a test's process can name in its configuration, to see inside the run."""

from pathlib import Path

import torch
from pytorch_lightning import Callback


class Probe(Callback):
    """Writes each process's final weights and the labels-and-checksums of the images it drew."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.seen: list[int] = []
        self.noise: list[float] = []

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        weights = torch.arange(1, batch.images[0].numel() + 1)
        self.seen += (batch.images.flatten(1).long() * weights).sum(1).tolist()

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.noise.append(outputs["fake"].float().sum().item())

    def on_train_end(self, trainer, module):
        parameters = {name: value.detach().clone() for name, value in module.named_parameters()}
        content = {"parameters": parameters, "seen": self.seen, "noise": self.noise}
        torch.save(content, self.folder / f"rank-{trainer.global_rank}.pt")
