from typing import Any

from pydantic import NonNegativeFloat
from torch import Tensor, nn

from gan_lightning.models.gan import GAN, Sample, Verdict
from gan_lightning.networks.heads import Energies


def pulling_away(codes: Tensor) -> Tensor:
    """EBGAN's pulling-away term (arXiv:1609.03126, equation 5): mean squared cosine between different samples' codes.

    Codes (N, F) -> a scalar in [0, 1]: 1 when all point one way, 0 when they are orthogonal or one is alone.
    """
    directions = codes / codes.norm(dim=1, keepdim=True).clamp_min(1e-12)
    count = len(codes)
    cosines = directions @ directions.T
    return (cosines.square().sum() - cosines.diagonal().square().sum()) / max(1, count * (count - 1))


class EBGAN(GAN):
    """EBGAN-PT (Zhao et al. 2017, arXiv:1609.03126): D is an autoencoder, and its logit minus the error, an energy.

    Played with loss=energy_margin and network=autoencoder.

    Args:
        pulling_away: weight of the term that keeps the codes of G's samples apart; the paper's is 0.1.
    """

    def __init__(self, *, pulling_away: NonNegativeFloat = 0.1, **options: Any) -> None:
        super().__init__(**options)
        self.pulling_away = pulling_away

    def equip(self, discriminator: nn.Module) -> nn.Module:
        """D with its codes."""
        return Energies(discriminator)

    def generator_terms(self, fake: Sample, on_fake: Verdict) -> dict[str, Tensor]:
        """The pulling-away term on the autoencoder's codes."""
        assert on_fake.answer is not None
        return {"pulling_away": self.pulling_away * pulling_away(on_fake.answer)}

    def verdict(self, images: Tensor, code: Tensor) -> Verdict:
        """Minus the energies, and the codes."""
        return Verdict(*self.discriminator(images))
