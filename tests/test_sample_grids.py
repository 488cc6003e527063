"""Which sample and which real image each cell of a grid shows."""

import pytest
import torch

from gan_lightning.callbacks.samples import choose_real, lay_out
from gan_lightning.data import Batch
from gan_lightning.images import BACKGROUND


@pytest.mark.parametrize("images", [1, 4, 30, 64, 100])
@pytest.mark.parametrize("classes", [2, 3, 5, 7, 10, 32])
def test_each_column_is_of_one_class_and_classes_stand_side_by_side(images, classes):
    columns, order = lay_out(images, classes)
    assert columns % classes == 0 and len(order) % columns == 0 and images <= len(order) < images + columns
    assert sorted(order.tolist()) == list(range(len(order)))  # every sample once
    shown = (order % classes).view(-1, columns)
    assert torch.equal(shown, torch.arange(classes).repeat_interleave(columns // classes).expand_as(shown))


@pytest.mark.parametrize("classes", [None, 2, 3, 5, 7, 10])
def test_a_grid_is_no_strip(classes):
    columns, order = lay_out(64, classes)
    assert 0.5 <= columns / (len(order) / columns) <= 2


def test_a_column_for_each_of_ten_classes_shows_samples_in_their_order():
    columns, order = lay_out(64, 10)
    assert columns == 10 and torch.equal(order, torch.arange(70))


def numbered(labels: torch.Tensor) -> Batch:
    """Images that are their own number."""
    return Batch(torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 2, 2), labels)


def test_real_images_are_a_mix_of_files_that_are_sorted_by_class():
    data = numbered(torch.arange(3).repeat_interleave(40))
    chosen = choose_real(data, 64, None, seed=0)[:, 0, 0, 0].long()
    assert len(chosen.unique()) == 64
    assert torch.bincount(data.labels[chosen]).min() >= 10
    assert torch.equal(chosen, choose_real(data, 64, None, seed=0)[:, 0, 0, 0].long())


def test_real_images_are_of_the_classes_asked_for_and_each_is_shown_once():
    data = numbered(torch.tensor([0, 0, 0, 2, 2, 2, 2]))
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    chosen = choose_real(data, 6, labels, seed=0)[:, 0, 0, 0].long()
    assert torch.equal(data.labels[chosen[labels != 1]], labels[labels != 1])
    assert len(chosen[labels != 1].unique()) == 4
    assert (chosen[labels == 1] == BACKGROUND).all()  # there are none
    few = choose_real(data, 20, torch.zeros(20, dtype=torch.int64), seed=0)[:, 0, 0, 0]
    assert sorted(few.tolist()) == [0, 1, 2] + [BACKGROUND] * 17


def test_the_random_numbers_of_training_stay_as_they_are():
    before = torch.get_rng_state()
    choose_real(numbered(torch.zeros(9, dtype=torch.int64)), 4, None, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
