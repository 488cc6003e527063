"""A trained generator outside its run folder: as a file of weights that describes itself, as ONNX, and as a page."""

from gan_lightning.export.facts import Facts, Trained
from gan_lightning.export.reading import read_export, read_run, read_trained

__all__ = ["Facts", "Trained", "read_export", "read_run", "read_trained"]
