"""Do the scores rank sets of images as a person would? Real, a trained GAN, the same one early, collapsed, noise.

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
from gan_lightning.sampling import SAMPLE_BATCH_SIZE, Inputs
from gan_lightning.training.run_folder import open_run

SHOWN = ("frechet", "kernel", "classifier_score", "precision", "recall", "density", "coverage", "class_kl")


def collapsed(module: GAN, scorer: Scorer) -> Tensor:
    """Variations of one image, the nearest to a real one of 64: z moves by 0.05."""
    sampler, random = module.sampler(), torch.Generator().manual_seed(0)
    z = sampler.prior.sample(64, module.device, random)
    y = torch.empty(64, 0)
    features = scorer.extractor.extract(to_uint8(sampler.generate(Inputs(z, y)))).features
    best = z[nearest(features, scorer.features)[1].argmin()]
    around = best + 0.05 * torch.randn(scorer.n, sampler.prior.dim, generator=random)
    parts = (Inputs(part, torch.empty(len(part), 0)) for part in around.split(SAMPLE_BATCH_SIZE))
    return torch.cat([to_uint8(sampler.generate(part)) for part in parts])


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
        "trained GAN": module.sampler().sample(count),
        "the same after two epochs": load_module(early)[0].sampler().sample(count),
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
