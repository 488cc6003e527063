"""A trained generator outside its run folder: as a file of weights that describes itself, and as a page."""

from gan_lightning.export.weights import Exported, read_export, write_export

__all__ = ["Exported", "read_export", "write_export"]
