"""`import gan_lightning` makes `import torchvision` work beside a CPU-only build of torch.

torchvision wheels built for CUDA cannot load their C++ operators there, and torchvision's Python then
fails on registering a fake kernel for `torchvision::nms`. pytorch-lightning imports torchmetrics, which
imports torchvision, so everything would fail. Nothing here calls these operators: declaring their
schemas is enough. A hook does that at the moment somebody first looks for torchvision, so that imports
need no order and `import gan_lightning` stays quick: it does not import torch.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.library import Library

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class TorchvisionHook:
    """A finder on `sys.meta_path` that finds nothing: it declares the missing operators when torchvision is looked for.

    Attributes:
        library: The owner of the declared schemas, which live as long as it does; None when nothing was missing.
    """

    library: Library | None = None

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Act once, on the first search for torchvision, and leave the search to the finders that follow."""
        if name == "torchvision" and self in sys.meta_path:
            sys.meta_path.remove(self)
            self.library = declare_missing_operators()


def operators_load() -> bool:
    """Whether torchvision's own C++ library can be loaded by this torch."""
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return True  # nothing to cure: an import of torchvision says plainly that it is not installed
    finder = importlib.machinery.PathFinder.find_spec("_C", list(spec.submodule_search_locations))
    if finder is None or finder.origin is None:
        return False
    try:
        torch.ops.load_library(finder.origin)
    except OSError:
        return False
    return True


def declare_missing_operators() -> Library | None:
    """Declare the operator schemas when torchvision's library cannot; return the owner that keeps them alive."""
    import torch

    if torch.version.cuda is not None or "torchvision" in sys.modules or operators_load():
        return None
    library = torch.library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        library.define(schema)
    return library


HOOK = TorchvisionHook()
"""The one hook, installed by `import gan_lightning`."""


def install() -> None:
    """Have the operators declared before torchvision is imported."""
    if "torchvision" not in sys.modules and HOOK not in sys.meta_path:
        sys.meta_path.insert(0, HOOK)
