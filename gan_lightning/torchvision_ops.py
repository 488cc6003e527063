"""Importing this module makes `import torchvision` work beside a CPU-only build of torch.

torchvision wheels built for CUDA cannot load their C++ operators there, and torchvision's Python then
fails on registering a fake kernel for `torchvision::nms`. pytorch-lightning imports torchmetrics, which
imports torchvision, so everything would fail. Nothing here calls these operators: declaring their
schemas is enough. Import this before pytorch_lightning or torchvision.
"""

import importlib.machinery
import importlib.util
import sys

import torch

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def operators_load() -> bool:
    """Whether torchvision's own C++ library can be loaded by this torch."""
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


def declare_missing_operators() -> torch.library.Library | None:
    """Declare the operator schemas when torchvision's library cannot; return the owner that keeps them alive."""
    if torch.version.cuda is not None or "torchvision" in sys.modules or operators_load():
        return None
    library = torch.library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        library.define(schema)
    return library


_LIBRARY = declare_missing_operators()
