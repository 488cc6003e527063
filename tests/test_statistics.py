"""What a discriminator may see of several samples at once."""

import pytest
import torch

from gan_lightning.errors import UserError
from gan_lightning.networks.statistics import MinibatchStd, pack
from tests.helpers import assert_same, in_float64


@in_float64
def test_minibatch_std_of_identical_samples_is_zero():
    features = torch.randn(1, 5).expand(4, -1)
    result = MinibatchStd(4)(features)
    assert result.shape == (4, 6) and torch.equal(result[:, :5], features)
    # the number inside the square root that keeps its slope finite: sqrt(1e-8)
    assert result[:, 5].tolist() == pytest.approx([1e-4] * 4, rel=1e-9)


@in_float64
def test_minibatch_std_of_two_samples_is_half_their_mean_distance():
    a, b = torch.randn(2, 6)
    result = MinibatchStd(2)(torch.stack([a, b]))
    expected = ((a - b).square() / 4 + 1e-8).sqrt().mean().item()  # 1e-8 keeps the root's slope finite
    assert result[:, 6].tolist() == pytest.approx([expected] * 2, rel=1e-9)


@in_float64
def test_minibatch_std_sees_a_group_as_a_set_and_nothing_of_the_others():
    features, order = torch.randn(8, 5), torch.randperm(4)
    layer = MinibatchStd(4)
    before = layer(features)[:, 5]
    features[:4] = features[:4][order]
    features[4:] = 7.0
    after = layer(features)[:, 5]
    assert_same(after[:4], before[:4])
    assert before[:4].unique().numel() == 1 and not torch.allclose(after[4:], before[4:], atol=1e-3)


def test_minibatch_std_passes_gradients_even_where_samples_coincide():
    features = torch.ones(4, 3, requires_grad=True)
    MinibatchStd(2)(features).sum().backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_packs_hold_every_image_once(count):
    images = torch.randn(6, 3, 4, 4)
    packs = pack(images, count)
    assert packs.shape == (6 // count, count * 3, 4, 4)
    assert torch.equal(packs.flatten(0, 1).unflatten(0, (6, 3)), images)
    assert torch.equal(packs[0, -3:], images[count - 1])
    assert torch.equal(packs.unflatten(1, (count, -1)).flatten(0, 1), images)


def test_batches_that_do_not_divide_are_refused_with_one_that_does():
    with pytest.raises(
        UserError, match="packing of 4 needs a batch that 4 divides, not 10 images; type data.batch_size=8"
    ):
        pack(torch.zeros(10, 1, 4, 4), 4)
    with pytest.raises(
        UserError, match="groups of 4 needs a batch that 4 divides, not 3 images; type data.batch_size=4"
    ):
        MinibatchStd(4)(torch.zeros(3, 2))
