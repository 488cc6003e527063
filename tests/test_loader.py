import pytest
import torch
from PIL import Image

from gan_lightning.data import Batch, BatchLoader, ImageFolder
from gan_lightning.data.image_data import hold_out
from gan_lightning.errors import UserError


def numbered(count):
    """Images whose pixels and labels are their own index."""
    labels = torch.arange(count)
    return Batch(labels.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous(), labels)


def drawn(loader):
    return torch.cat([batch.labels for batch in loader]).tolist()


def test_each_image_once_an_epoch_in_a_new_order():
    loader = BatchLoader(numbered(60), batch_size=10, seed=0)
    first, second = drawn(loader), drawn(loader)
    assert sorted(first) == sorted(second) == list(range(60))
    assert first != second


def test_the_order_is_the_seeds_alone():
    torch.manual_seed(1)
    first = drawn(BatchLoader(numbered(60), 10, seed=3))
    torch.manual_seed(2)
    assert drawn(BatchLoader(numbered(60), 10, seed=3)) == first
    assert drawn(BatchLoader(numbered(60), 10, seed=4)) != first


def test_drawing_leaves_the_global_random_numbers_alone():
    before = torch.get_rng_state()
    drawn(BatchLoader(numbered(60), 10, seed=0))
    assert torch.equal(torch.get_rng_state(), before)


def test_images_keep_their_labels_and_incomplete_batches_are_dropped():
    loader = BatchLoader(numbered(65), 10, seed=0)
    batches = list(loader)
    assert len(loader) == len(batches) == 6
    for images, labels in batches:
        assert images.dtype == torch.uint8
        assert torch.equal(images[:, 0, 0, 0].long(), labels)


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_the_batches_of_one(world_size):
    alone = list(BatchLoader(numbered(60), 12, seed=5))
    shares = [list(BatchLoader(numbered(60), 12, 5, rank, world_size)) for rank in range(world_size)]
    for whole, *parts in zip(alone, *shares, strict=True):
        assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)


@pytest.mark.parametrize("seed", range(20))
def test_balanced_batches_hold_every_class_equally_often(seed):
    labels = torch.tensor([0] * 50 + [1] * 7 + [3] * 3)  # nobody is of class 2
    data = Batch(torch.arange(60, dtype=torch.uint8).view(-1, 1, 1, 1), labels)
    loader = BatchLoader(data, 10, seed, balanced=True)
    epochs = [list(loader), list(loader)]
    for images, classes in (batch for epoch in epochs for batch in epoch):
        counts = torch.bincount(classes, minlength=4)[[0, 1, 3]]
        assert counts.sum() == 10 and counts.max() - counts.min() <= 2
        assert torch.equal(labels[images.flatten().long()], classes)
    drawn_images = torch.cat([batch.images.flatten() for batch in epochs[0]])
    times = torch.bincount(drawn_images.long(), minlength=60)
    assert times[:50].max() == 1  # twenty of fifty, none twice
    assert set(times[50:57].tolist()) == {2, 3} and set(times[57:].tolist()) == {6, 7}
    assert not torch.equal(drawn_images, torch.cat([batch.images.flatten() for batch in epochs[1]]))


def test_images_without_classes_cannot_be_balanced(tmp_path):
    for name in range(12):
        Image.new("L", (28, 28), name).save(tmp_path / f"{name}.png")
    data = ImageFolder(str(tmp_path), batch_size=4, balanced=True)
    data.setup()
    with pytest.raises(UserError, match="has no classes; type data.balanced=false"):
        data.train_dataloader()


@pytest.mark.parametrize("stop", [0, 1, 4, 6, 9])
def test_a_stopped_loader_goes_on_at_the_next_batch(stop):
    def stream(loader, epochs):
        return [batch.labels.tolist() for _ in range(epochs) for batch in loader]

    uninterrupted = stream(BatchLoader(numbered(60), 10, seed=0), 3)
    loader = BatchLoader(numbered(60), 10, seed=0)
    seen = []
    while len(seen) < stop:
        for batch in loader:
            seen.append(batch.labels.tolist())
            if len(seen) == stop:
                break
    resumed = BatchLoader(numbered(60), 10, seed=0)
    resumed.load_state_dict(loader.state_dict())
    while len(seen) < len(uninterrupted):
        seen += stream(resumed, 1)
    assert seen == uninterrupted


def test_holding_out_is_disjoint_complete_and_always_the_same():
    rest, held = hold_out(numbered(100), 30)
    assert sorted([*rest.labels.tolist(), *held.labels.tolist()]) == list(range(100))
    assert hold_out(numbered(100), 30)[1].labels.tolist() == held.labels.tolist()
    with pytest.raises(UserError, match="cannot hold out 100 of 100 images"):
        hold_out(numbered(100), 100)


def test_the_last_images_can_be_held_out_instead():
    rest, held = hold_out(numbered(100), 30, "end")
    assert (rest.labels.tolist(), held.labels.tolist()) == (list(range(70)), list(range(70, 100)))
    rest, held = hold_out(numbered(100), 0, "end")
    assert (len(rest.images), len(held.images)) == (100, 0)
