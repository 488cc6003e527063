"""Features and scores of real images, each computed once and then read from the cache folder."""

import hashlib
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gan_lightning.data.cache import cache_folder
from gan_lightning.files import write_atomically

log = logging.getLogger(__name__)

VERSION = 1
"""Version of the scores' definitions; raise it when one changes, so that no cached value of the old one is used."""


@dataclass(frozen=True)
class ScoreCache:
    """Cached values that depend on the real images and how many of them are used.

    Two processes that need a value at once both compute it; the files they write are equal.

    Args:
        split: Split that samples are compared with.
        n: Number of real images that samples are compared with.
        data_sha256: Fingerprints of the training, validation and test images.
    """

    split: str
    n: int
    data_sha256: tuple[str, ...]

    def features(self, extractor_sha256: str, compute: Callable[[], Tensor]) -> Tensor:
        """Features of the real images; a missing or damaged file is computed again.

        Args:
            extractor_sha256: SHA-256 of the extractor's weight file.
            compute: Computes the features when they are not cached.
        """
        file = self.file(f"features-{extractor_sha256}", ".safetensors")
        with suppress(OSError, SafetensorError):
            return load(file.read_bytes())["features"]
        features = compute()
        write_to_cache(file, save({"features": features}))
        return features

    def values(self, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Values measured on real images; a missing or damaged file is computed again.

        Args:
            name: Name of the values and all they depend on besides the real images.
            compute: Computes the values, which must be valid JSON, when they are not cached.
        """
        file = self.file(name, ".json")
        with suppress(OSError, ValueError):
            return json.loads(file.read_text())
        log.info("measuring real images by the same protocol: once, then cached")
        values = compute()
        write_to_cache(file, json.dumps(values).encode())
        return values

    def file(self, name: str, suffix: str) -> Path:
        """The file of a cached value, whose name is a hash of everything the value depends on."""
        parts = [str(VERSION), name, self.split, str(self.n), *self.data_sha256]
        return cache_folder() / "scores" / f"{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:32]}{suffix}"


def write_to_cache(file: Path, content: bytes) -> None:
    """Write to the cache; a folder that cannot be written to costs time, not the result."""
    try:
        write_atomically(file, content)
    except OSError as error:
        log.warning("%s cannot be written (%s); type GAN_LIGHTNING_CACHE=FOLDER before the command", file, error)
