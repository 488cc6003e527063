"""What the images of a run were, to the last bit: kept in its checkpoints, and compared when it goes on."""

import hashlib
from collections.abc import Mapping
from typing import Any

from gan_lightning.data.image_data import ImageData
from gan_lightning.data.loader import Batch
from gan_lightning.errors import UserError


def fingerprint(data: ImageData) -> dict[str, Any]:
    """Shape, classes and splits of a data set that is set up, as plain values; not its name, as folders may move.

    Returns:
        `image_shape`, `class_names` and, for each of the `splits`, its number of images and the SHA-256 of
        these and their labels, in their order.
    """
    assert data.splits is not None, "call setup() first"
    splits = data.splits._asdict()
    return {
        "image_shape": list(data.image_shape),
        "class_names": list(data.class_names),
        "splits": {name: {"images": len(it.images), "sha256": digest(it)} for name, it in splits.items()},
    }


def digest(split: Batch) -> str:
    """SHA-256 of images and labels, in hexadecimal."""
    sha256 = hashlib.sha256()
    for tensor in split:
        array: Any = tensor.cpu().contiguous().numpy()
        sha256.update(array)
    return sha256.hexdigest()


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What has changed between two fingerprints, in words; nothing when all is equal."""
    found = []
    for key, what in {"image_shape": "the images' shape", "class_names": "the classes"}.items():
        if before[key] != now[key]:
            found.append(f"{what}: {before[key]} then, {now[key]} now")
    for split, then in before["splits"].items():
        counts = f"{then['images']:,} then, {now['splits'][split]['images']:,} now"
        if then["images"] != now["splits"][split]["images"]:
            found.append(f"{split} images: {counts}")
        elif then != now["splits"][split]:
            found.append(f"{split} images: as many ({then['images']:,}), but not the same")
    return found


def check_same_data(data: ImageData, before: Mapping[str, Any] | None) -> None:
    """Refuse data that are not those of a checkpoint: images that were trained on could now be test images.

    Args:
        data: The data set, not necessarily read yet.
        before: The fingerprint in the checkpoint; None in one that was written before there were any.

    Raises:
        UserError: The data have changed; says in what.
    """
    if before is None:
        return
    data.prepare_data()
    data.setup()
    changes = differences(before, fingerprint(data))
    if changes:
        elsewhere = ", or type data.dir=FOLDER with a copy of them" if hasattr(data, "dir") else ""
        raise UserError(
            f"{data.location} no longer holds the data the run was trained on ({'; '.join(changes)}); bring the old "
            f"ones back{elsewhere}; to train on the new ones, start a new run"
        )
