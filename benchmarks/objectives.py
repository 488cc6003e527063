"""The picture of docs/objectives.md: what G minimises as D(G(z)) grows, and where D has its minimum.

    python -m benchmarks.objectives [OUT.png]

The curves are those of the losses that models are trained with (`gan_lightning/losses.py`), gradients by autograd.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from gan_lightning.losses import Minimax, NonSaturating

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "objectives.png"
OBJECTIVES = {"saturating: log(1 - D(G(z)))": Minimax(), "non-saturating: -log D(G(z))": NonSaturating()}
SHARES = (0.2, 0.5, 0.8)  # of real images among the real and the fake ones that look alike


def curve(objective: Callable[[Tensor], Tensor], logits: Tensor) -> tuple[Tensor, Tensor]:
    """An objective at each logit by itself, and its slopes there: (L,) -> (L,) and (L,)."""
    logits = logits.detach().requires_grad_(True)
    values = torch.stack([objective(logit[None]) for logit in logits])
    (slopes,) = torch.autograd.grad(values.sum(), logits)
    return values.detach(), slopes


def objective_of_generator(loss: Minimax) -> Callable[[Tensor], Tensor]:
    """What G minimises, of the logits of its fakes."""
    return lambda fake: loss.generator(real=None, fake=fake)


def objective_of_discriminator(share: float) -> Callable[[Tensor], Tensor]:
    """What D minimises, of the logits of images that are real with probability `share`; twice its mean per image."""
    sure = torch.tensor([torch.inf], dtype=torch.float64)  # a logit that costs nothing on the other side
    loss = Minimax()

    def objective(logits: Tensor) -> Tensor:
        on_real, on_fake = loss.discriminator(real=logits, fake=-sure), loss.discriminator(real=sure, fake=logits)
        return 2 * (share * on_real + (1 - share) * on_fake)

    return objective


def main(out: Path = PICTURE) -> None:
    """Draw the three panels."""
    logits = torch.linspace(-6, 6, 241, dtype=torch.float64)
    probabilities = logits.sigmoid()
    figure = Figure(figsize=(13, 4), layout="constrained")
    values, slopes, rest = figure.subplots(1, 3)
    for label, loss in OBJECTIVES.items():
        objective, slope = curve(objective_of_generator(loss), logits)
        values.plot(probabilities, objective, label=label)
        slopes.plot(probabilities, slope, label=label)
    for share in SHARES:
        cost, _ = curve(objective_of_discriminator(share), logits)
        (drawn,) = rest.plot(probabilities, cost, label=f"{share:.0%} of such images are real")
        rest.plot(probabilities[cost.argmin()], cost.min(), "o", color=drawn.get_color())
    for axes, title in ((values, "what G minimises"), (slopes, "its slope in D's logit"), (rest, "what D minimises")):
        axes.set(title=title, xlabel="D, the probability of being real")
        axes.grid(alpha=0.3)
        axes.legend()
    FigureCanvasAgg(figure).print_png(str(out))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
