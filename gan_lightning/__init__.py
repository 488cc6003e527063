"""GAN experiments on small images whose results you can trust.

In Python: `load(run)` gives a trained `Generator`, `train(*words)` trains as the command line does and gives a `Run`.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)].endswith("gan_lightning") and not sys.flags.safe_path:
    # `python -m gan_lightning` would look for modules in the current folder first: a file there, perhaps of a
    # stranger's run, must not replace a library's; `config.stored.import_from_here` lets the user's own be found
    sys.path.pop(0)

from gan_lightning import torchvision_ops
from gan_lightning.errors import UserError

if TYPE_CHECKING:
    from gan_lightning.generator import Generator, load
    from gan_lightning.projection import Projection
    from gan_lightning.trained_run import Run, train

__version__ = "0.4.0"

__all__ = ["Generator", "Projection", "Run", "UserError", "load", "train"]

PLACES = {
    "Generator": "generator",
    "Projection": "projection",
    "Run": "trained_run",
    "load": "generator",
    "train": "trained_run",
}
"""The module of each public name, imported at its first use: `import gan_lightning` stays quick, without torch."""

torchvision_ops.install()


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module 'gan_lightning' has no attribute {name!r}")
    return getattr(import_module(f"gan_lightning.{PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *PLACES})
