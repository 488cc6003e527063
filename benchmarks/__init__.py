"""Measurements of speed and of quality, run from the project's root: `python -m benchmarks.NAME`."""

import gan_lightning  # noqa: F401  (makes torchvision, and with it pytorch_lightning, importable beside a CPU-only torch)
