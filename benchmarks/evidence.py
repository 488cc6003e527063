"""Do the scores order sets of images as a person would? Real, a trained GAN, the same one early, collapsed, noise.

    python benchmarks/evidence.py RUN [OUT]

RUN is a run folder with `checkpoints/epoch-0002.ckpt` (callbacks.checkpoints.every_n_epochs=1). Writes a page, OUT.md,
and a picture of each set.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

from gan_lightning.build import build_data, load_module
from gan_lightning.evaluation.memorization import nearest
from gan_lightning.evaluation.protocol import SCORES
from gan_lightning.evaluation.samples import subset
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.images import grid, save_png, to_uint8
from gan_lightning.models import GAN
from gan_lightning.training.run_folder import open_run

SHOWN = ("frechet", "kernel", "classifier_score", "precision", "recall", "density", "coverage", "class_kl")


def collapsed(module: GAN, scorer: Scorer) -> Tensor:
    """A generator that draws one picture and its variations: of 64 the one nearest to a real image, z hardly moving."""
    random = torch.Generator().manual_seed(0)
    latent = module.sample_latent(64, random)
    features = scorer.extractor.extract(to_uint8(module.sample(latent))).features
    best = latent[nearest(features, scorer.features)[1].argmin()]
    around = best + 0.05 * torch.randn(scorer.n, module.latent_dim, generator=random)
    return torch.cat([to_uint8(module.sample(part)) for part in around.split(250)])


def main(run: str, out: Path) -> None:
    """Score the five sets and write the page."""
    folder, _ = open_run(run)
    module, _ = load_module(run)
    scorer = Scorer(build_data(folder.config()))
    count = scorer.n
    random = torch.Generator().manual_seed(0)
    early = str(folder.checkpoints / "epoch-0002.ckpt")
    sets = {
        "real training images": subset(scorer.splits.train, count).images,
        "trained GAN": module.draw(count),
        "the same after two epochs": load_module(early)[0].draw(count),
        "collapsed": collapsed(module, scorer),
        "noise": torch.randint(256, (count, *scorer.data.image_shape), generator=random).byte(),
    }
    rows = [f"| | {' | '.join(sets)} | better |", "|---" * (len(sets) + 2) + "|"]
    pictures = []
    for name, images in sets.items():
        file = out.with_name(f"{out.name}-{name.replace(' ', '-')}.png")
        save_png(grid(images[:32], columns=4), file)
        pictures.append(f"![]({file.name})")
    rows.append(f"| | {' | '.join(pictures)} | |")
    scores = [scorer.measure(images).scores for images in sets.values()]
    for score in SHOWN:
        cells = " | ".join(f"{found[score]:.3g}" for found in scores)
        rows.append(f"| `{scorer.full_name(score)}` | {cells} | {SCORES[score].preferred} |")
    out.with_suffix(".md").write_text("\n".join([f"# Evidence: {scorer.data.short_name}", "", *rows, ""]))
    print("\n".join(rows))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "evidence"))
