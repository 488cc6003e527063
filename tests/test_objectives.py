"""What docs/objectives.md says of its picture, computed from the curves that the picture shows."""

import math

import pytest
import torch

from benchmarks.objectives import OBJECTIVES, SHARES, curve, main, objective_of_discriminator, objective_of_generator

LOGITS = torch.linspace(-6, 6, 241, dtype=torch.float64)
D = LOGITS.sigmoid()
CLOSED_FORMS = {"saturating": ((1 - D).log(), -D), "non-saturating": (-D.log(), D - 1)}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_generators_curves_and_slopes(name):
    values, slopes = curve(objective_of_generator(OBJECTIVES[name]), LOGITS)
    expected = CLOSED_FORMS[name.partition(":")[0]]
    torch.testing.assert_close((values, slopes), expected)


@pytest.mark.parametrize("share", SHARES)
def test_the_discriminator_rests_at_the_share_of_real_images(share):
    rest = torch.tensor([share], dtype=torch.float64).logit()
    lowest, slope = curve(objective_of_discriminator(share), rest)
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert slope.item() == pytest.approx(0, abs=1e-12)
    assert lowest.item() == pytest.approx(2 * entropy)


def test_the_picture_is_drawn(tmp_path):
    main(tmp_path / "objectives.png")
    assert (tmp_path / "objectives.png").read_bytes().startswith(b"\x89PNG")
