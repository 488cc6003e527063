"""Do the scores order sets of images as a person would? Real, a trained GAN, the same one early, collapsed, noise.

    python benchmarks/evidence.py RUN [OUT]

RUN is a run folder with `checkpoints/epoch-0001.ckpt` (callbacks.checkpoints.every_n_epochs=1). Writes a page, OUT.md,
and a picture of each set.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

from gan_lightning.build import build_data, load_module
from gan_lightning.images import grid, save_png, to_uint8
from gan_lightning.metrics.yardstick import BETTER, Yardstick, subset
from gan_lightning.runs import open_run

SHOWN = ("frechet", "kernel", "classifier_score", "precision", "recall", "density", "coverage", "class_kl")


def collapsed(run: str, count: int) -> Tensor:
    """The trained generator with all its noise drawn from a small ball: one image and its variations."""
    module, _ = load_module(run)
    random = torch.Generator().manual_seed(0)
    latent = module.sample_latent(1, random) + 0.1 * torch.randn(count, module.latent_dim, generator=random)
    return torch.cat([to_uint8(module.sample(part)) for part in latent.split(250)])


def main(run: str, out: Path) -> None:
    """Score the five sets and write the page."""
    folder, _ = open_run(run)
    yardstick = Yardstick(build_data(folder.config()))
    count = yardstick.n
    random = torch.Generator().manual_seed(0)
    early = str(folder.checkpoints / "epoch-0001.ckpt")
    sets = {
        "real training images": subset(yardstick.splits.train, count).images,
        "trained GAN": load_module(run)[0].draw(count),
        "the same after one epoch": load_module(early)[0].draw(count),
        "collapsed": collapsed(run, count),
        "noise": torch.randint(256, (count, *yardstick.data.image_shape), generator=random).byte(),
    }
    rows = [f"| | {' | '.join(sets)} | better |", "|---" * (len(sets) + 2) + "|"]
    pictures = []
    for name, images in sets.items():
        file = out.with_name(f"{out.name}-{name.replace(' ', '-')}.png")
        save_png(grid(images[:32], columns=4), file)
        pictures.append(f"![]({file.name})")
    rows.append(f"| | {' | '.join(pictures)} | |")
    scores = [yardstick.measure(images).scores for images in sets.values()]
    for score in SHOWN:
        cells = " | ".join(f"{found[score]:.3g}" for found in scores)
        rows.append(f"| `{yardstick.full_name(score)}` | {cells} | {BETTER[score]} |")
    out.with_suffix(".md").write_text("\n".join([f"# Evidence: {yardstick.data.short_name}", "", *rows, ""]))
    print("\n".join(rows))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "evidence"))
