"""The model card of an exported generator: what it is, how it was trained, what it scores and what it draws."""

import json
from pathlib import Path

from gan_lightning.config.compose import leaves
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.export.facts import Facts, Trained
from gan_lightning.images import grid, save_grid

SHOWN = 64  # samples in the picture, or as many as make whole rows of all classes

USE = {
    ".safetensors": """```python
import gan_lightning as gl

images = gl.load("{file}").sample(64, seed=0)  # uint8 (64, {shape})
```""",
    ".onnx": """```python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file}")
inputs = {{"z": {latents}{condition}}}
images = session.run(None, inputs)[0]  # float32 (64, {shape}) in [-1, 1]
```""",
}
"""How each kind of file is used, by its suffix."""

LATENTS = {
    "normal": "np.random.randn(64, {dim}).astype(np.float32)",
    "uniform": "np.random.uniform(-1, 1, (64, {dim})).astype(np.float32)",
    "uniform_unit_variance": "np.random.uniform(-(3**0.5), 3**0.5, (64, {dim})).astype(np.float32)",
}
"""Latent vectors of each prior, in NumPy."""


def write_card(trained: Trained, difference: float, out: Path) -> Path:
    """Write STEM.card.md and STEM.samples.png beside an exported file; the name of the card.

    Args:
        trained: The generator.
        difference: Largest difference of the export's pixels from the trained generator's, of 255.
        out: The exported file.
    """
    picture, card = out.with_name(f"{out.stem}.samples.png"), out.with_name(f"{out.stem}.card.md")
    sampler, columns = trained.sampler, trained.sampler.conditioning.columns
    save_grid(grid(sampler.sample(SHOWN - SHOWN % (columns or 1)), columns), "", picture)
    card.write_text(describe(trained.facts, sampler.conditioning.condition_dim, difference, out.name, picture.name))
    return card


def describe(facts: Facts, condition_dim: int, difference: float, file: str, picture: str) -> str:
    """The card, in Markdown."""
    parts = [
        f"# {facts.network['_target_'].rpartition('.')[2]} for {facts.data}",
        f"![Samples of seed 0]({picture})",
        f"`{file}` holds the {'averaged' if facts.weights == 'ema' else 'trained'} weights of a generator of images of "
        f"{shape(facts)} after {facts.generator_steps:,} generator steps, in which {facts.images_seen:,} images of "
        f"{facts.data} were seen. It takes {inputs(facts, condition_dim)}. Its pixels differ by at most "
        f"{difference:.2g} of 255 from those of the run that it was exported from.",
        use(facts, condition_dim, file),
        "## Scores", score_table(facts.scores),
        "## Recipe", recipe(facts),
        "## License", license_of(facts),
        f"Written by gan_lightning {facts.gan_lightning} with torch {facts.torch}.",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def recipe(facts: Facts) -> str:
    """The options it was trained with, as they are typed on the command line."""
    options = {**dict(leaves(facts.network, "network.generator")), **facts.recipe}
    lines = (f"{key}: {json.dumps(value)}" for key, value in options.items())
    return "\n".join(["```yaml", *lines, "```"])


def shape(facts: Facts) -> str:
    """An image's shape in words."""
    channels, height, width = facts.image_shape
    return f"{width}x{height} pixels ({channels} channel{'s' if channels > 1 else ''})"


def inputs(facts: Facts, condition_dim: int) -> str:
    """What the generator takes, in words."""
    z = f"latent vectors z of {facts.latent_dim} coordinates (prior: {facts.prior})"
    if not condition_dim:
        return z
    classes = f": {', '.join(facts.classes)} (one-hot)" if facts.num_classes else " (latent codes)"
    return f"{z} and conditions y of {condition_dim} coordinates{classes}"


def use(facts: Facts, condition_dim: int, file: str) -> str:
    """The lines of Python that draw images."""
    condition = ""
    if condition_dim and facts.num_classes == condition_dim:
        condition = f', "y": np.eye({condition_dim}, dtype=np.float32)[np.arange(64) % {condition_dim}]'
    elif condition_dim:
        condition = f', "y": np.zeros((64, {condition_dim}), dtype=np.float32)'
    return USE[Path(file).suffix].format(
        file=file,
        shape=", ".join(map(str, facts.image_shape)),
        latents=LATENTS[facts.prior].format(dim=facts.latent_dim),
        condition=condition,
    )


def score_table(scores: list[ScoreRecord]) -> str:
    """The scores of the last evaluation, each beside what real images score by the same protocol."""
    if not scores:
        return "None was measured. `python -m gan_lightning evaluate run=FOLDER` measures them."
    rows = "".join(
        f"| {record.full_name} | {number(record.value)} | {number(record.real_baseline)} |\n"
        for record in scores
        if record.evaluated_at == scores[-1].evaluated_at
    )
    return f"| score | samples | real images |\n|---|---|---|\n{rows}".rstrip()


def number(value: float | None) -> str:
    """A score as it is read in a table."""
    return "" if value is None else f"{value:.4g}"


def license_of(facts: Facts) -> str:
    """Under which license the weights may be used."""
    return facts.license or (
        f"None was named for the weights (`export ... license=NAME` does). They were trained on {facts.data}, whose "
        "own terms may matter."
    )
