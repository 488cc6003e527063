"""The ImageNet network of published FID values: optional, for comparison with the literature."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.evaluation.extractor import Features

DIGEST = "6726825d"
"""The first digits of the SHA-256 of TensorFlow's Inception weights of 2015-12-05 as torch-fidelity converts them."""

FEATURES = 2048
"""Width of the layer "pool3"."""

INCEPTION_BATCH_SIZE = 50
"""Images that features are extracted from at a time."""


@dataclass(frozen=True)
class Inception:
    """The 2048 features of "pool3": gray images repeated to three channels, 0..255, resized bilinearly to 299x299.

    The protocol of the published tables (Lucic et al. 2018, arXiv:1711.10337): 10,000 samples against the 10,000 test
    images. The network was trained on photographs, not on digits or clothes: its values compare with published ones,
    and say less about small gray images than the reference classifier's.

    Args:
        network: An instance of torch-fidelity's FeatureExtractorInceptionV3.
        sha256: SHA-256 of its weight file.
    """

    network: nn.Module
    sha256: str
    name = "inception"

    @torch.inference_mode()
    def extract(self, images: Tensor) -> Features:
        """Features (n, 2048) of uint8 images (n, 1 or 3, H, W); the probabilities are empty (n, 0)."""
        three = images.expand(-1, 3, -1, -1)
        features = torch.cat([self.network(batch.contiguous())[0] for batch in three.split(INCEPTION_BATCH_SIZE)])
        return Features(features, features[:, :0])


def load_inception(weights: str | None = None) -> Inception:
    """Inception with torch-fidelity's weights.

    Args:
        weights: File of the weights; None for the file that torch-fidelity caches, downloaded when it is missing.

    Raises:
        UserError: When the package is missing, or the weights are unavailable or not those of the published tables.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3
    except ImportError as error:
        raise UserError(
            "inception= needs the package torch-fidelity: pip install torch-fidelity, or leave it out"
        ) from error
    if weights is not None and not Path(weights).is_file():
        raise UserError(f"inception={weights} is not a file; download {URL_INCEPTION_V3}, or leave inception= out")
    file = Path(weights) if weights else Path(torch.hub.get_dir()) / "checkpoints" / URL_INCEPTION_V3.split("/")[-1]
    try:
        if weights is None and not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(URL_INCEPTION_V3, str(file), hash_prefix=DIGEST, progress=False)
        got = hashlib.sha256(file.read_bytes()).hexdigest()
    except Exception as error:  # a download fails in many ways
        raise UserError(
            f"the Inception weights are not at {file} and could not be downloaded ({error}); download "
            f"{URL_INCEPTION_V3} on a machine with internet access and type inception=FILE, or leave inception= out"
        ) from error
    if not got.startswith(DIGEST):
        raise UserError(
            f"{file} has SHA-256 {got[:12]}..., not {DIGEST}...: it is damaged or holds other weights, whose scores "
            f"would not compare with published ones; download {URL_INCEPTION_V3}"
        )
    network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(file))
    return Inception(network, got)
