"""How fast a page draws in headless Chromium, for the default generator of each network at 28x28 pixels.

    python -m benchmarks.page [NETWORK ...]

Goals: 100 ms for an image and 1 s for a grid of 64, from a move of a slider until all of it is drawn.
"""

import sys
import tempfile
from pathlib import Path

import torch

from gan_lightning.build import build
from gan_lightning.config.compose import compose, options
from gan_lightning.errors import UserError
from gan_lightning.evaluation.extractor import SHIPPED, load_extractor
from gan_lightning.export.page import Shown, make_page
from gan_lightning.export.reference import as_reference
from gan_lightning.models.conditioning import Unconditional
from gan_lightning.models.prior import Prior
from gan_lightning.sampling import Sampler
from tests.browser import Browser
from tests.exports import facts_of

SHAPE = (1, 28, 28)

REPEATS = 5

IMAGE = """const done = arguments[0], inputs = inputsOf(0), started = performance.now();
ask("timed", 0, { kind: "draw", run: 0, ...inputs }, () => done(performance.now() - started));"""

GRID = """const done = arguments[0], started = performance.now();
state.samples = sampleInputs(facts.prior, facts.latent_dim, codes, COUNT, 1);
canvasesIn("grid").forEach((canvas, i) => draw(canvas, 1, 0, inputsOf(i)));
atRest().then(() => done(performance.now() - started));"""

CLASSIFIED = """const done = arguments[0], started = performance.now();
drawGrid();
atRest().then(() => done(performance.now() - started));"""


def write_page(network: str, file: Path) -> None:
    """The page of a network's generator with the weights it starts from."""
    torch.manual_seed(0)
    latent_dim = compose().model.latent_dim
    node = compose(f"network={network}").network.generator
    generator = build(node, image_shape=SHAPE, latent_dim=latent_dim, condition_dim=0)
    sampler = Sampler(generator.eval(), Prior(latent_dim, "normal"), Unconditional(0))
    facts = facts_of({"_target_": node["_target_"]}, {}, sampler, SHAPE)
    reference = as_reference(load_extractor(SHIPPED, "mnist_cnn"), list("0123456789"))
    file.write_text(make_page([Shown(network, sampler, facts, reference)]).text)


def measure(browser: Browser, file: Path) -> list[float]:
    """Milliseconds of an image, of a grid of 64, and of a grid with what the classifier says: the least of several."""
    browser.open(file)
    return [
        min(browser.driver.execute_async_script(script) for _ in range(REPEATS)) for script in (IMAGE, GRID, CLASSIFIED)
    ]


def main(names: list[str]) -> None:
    """Print a line for each network."""
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(Path(folder))
        file = Path(folder) / "page.html"
        print(f"{'network':<14}{'MB':>6}{'image':>12}{'64 images':>12}{'with classes':>14}")
        for name in names or options("network"):
            try:
                write_page(name, file)
            except UserError as error:
                print(f"{name:<14}{error}")
                continue
            image, grid, classified = measure(browser, file)
            size = file.stat().st_size / 1e6
            print(f"{name:<14}{size:>6.1f}{image:>9.0f} ms{grid:>9.0f} ms{classified:>11.0f} ms", flush=True)
        browser.driver.quit()


if __name__ == "__main__":
    main(sys.argv[1:])
