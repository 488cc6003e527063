"""What y is for real images, fakes and samples, and how the discriminator takes it into account."""

import numpy as np
import pytest
import torch

from gan_lightning.__main__ import run_command
from gan_lightning.build import build_module, load_module
from gan_lightning.config.compose import compose, options
from gan_lightning.errors import UserError
from gan_lightning.images import read_frame
from gan_lightning.models.discriminate import Sample
from tests.helpers import built, run
from tests.training import batch

pytestmark = pytest.mark.slow

CONDITIONAL = ("cgan", "acgan", "projection", "sagan")


@pytest.mark.parametrize("model", CONDITIONAL)
def test_another_label_is_another_sample(model):
    module = built(f"model={model}")
    with torch.no_grad():  # conditional batch norm starts the same for every class
        for parameter in module.averaged.network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    threes, again, sevens = (module.sampler().sample(4, seed=1, labels=torch.full((4,), digit)) for digit in (3, 3, 7))
    assert torch.equal(threes, again)
    assert all(not torch.equal(three, seven) for three, seven in zip(threes, sevens, strict=True))


@pytest.mark.parametrize("model", CONDITIONAL)
def test_fakes_get_the_labels_of_the_real_batch(model):
    module = built(f"model={model}")
    labels = torch.tensor([3, 3, 3, 7])
    z, y = module.sample_inputs(module.conditioning.of_real(labels))
    assert module.generate(z, y, graph=False).y.argmax(1).tolist() == labels.tolist()


@pytest.mark.parametrize("model", CONDITIONAL)
def test_the_generator_reads_the_labels_beside_its_latent_vectors(model):
    module = built(f"model={model}")
    y = module.conditioning.of_real(torch.tensor([3, 3, 3, 7]))
    read = []
    module.generator.register_forward_pre_hook(lambda _, inputs: read.append(inputs))
    module.generate(*module.sample_inputs(y), graph=False)
    ((z, condition),) = read
    assert torch.equal(condition, y)
    assert z.shape == (4, module.prior.dim) and z.std(0).min() > 0  # and each sample has a latent vector of its own


@pytest.mark.parametrize("model", CONDITIONAL)
def test_without_labels_each_class_is_drawn_as_often(model):
    sampler = built(f"model={model}").sampler()
    assert sampler.labels(30).bincount().tolist() == [3] * 10
    assert sampler.sample_inputs(30, seed=0).y.argmax(1).bincount().tolist() == [3] * 10
    assert built("model=dcgan").sampler().labels(30) is None


@pytest.mark.parametrize("model", ["cgan", "projection", "sagan"])
def test_the_critics_logits_depend_on_the_label(model):
    module = built(f"model={model}").eval()
    real, _ = batch(module)
    other = Sample(real.x, real.y.roll(1, 1))
    assert (module.discriminate(real).logits - module.discriminate(other).logits).abs().min() > 0


@pytest.mark.parametrize("conditioning", options("conditioning"))
def test_every_condition_is_as_wide_as_the_generator_reads(conditioning):
    module = built("network=mlp", f"conditioning={conditioning}")
    given, width = module.conditioning, module.conditioning.condition_dim
    real = given.of_real(torch.tensor([1, 2, 3]))
    drawn = given.of_samples(3, given.labels(3), torch.Generator())
    assert real.shape == given.of_fake(real).shape == drawn.shape == (3, width)
    assert real.dtype == given.of_fake(real).dtype == drawn.dtype == torch.get_default_dtype()
    assert module.generator.layers[0].in_features == module.prior.dim + width


def test_a_conditional_model_needs_classes():
    refusal = (
        r"a class-conditional model needs images with at least two classes, and these have 0; type conditioning=none "
        r"auxiliary=none \(or model=dcgan\), or sort the pictures of data=image_folder into a folder for each class"
    )
    with pytest.raises(UserError, match=refusal):
        build_module(compose("model=cgan"), (1, 28, 28), num_classes=0)
    build_module(compose("model=cgan", "conditioning=none", "auxiliary=none"), (1, 28, 28), num_classes=0)
    build_module(compose("model=dcgan"), (1, 28, 28), num_classes=0)


def test_a_conditional_run_shows_a_column_for_each_class_and_draws_what_is_asked_for(tmp_path):
    folder = run(tmp_path / "run", "model=cgan", "max_generator_steps=2", "callbacks.samples.images=14")
    assert read_frame(folder.grids()[-1]).picture.size == (10 * 30 + 2, 2 * 30 + 2)
    run_command("sample", f"run={folder.path}", "n=5", "labels=[3,5]", f"out={tmp_path / 'drawn.npz'}")
    run_command("sample", f"run={folder.path}", "n=12", f"out={tmp_path / 'every.npz'}")
    with np.load(tmp_path / "drawn.npz") as drawn, np.load(tmp_path / "every.npz") as every:
        assert drawn["labels"].tolist() == [3, 5, 3, 5, 3] and every["labels"].tolist() == [*range(10), 0, 1]
        module, _ = load_module(str(folder.path))
        images = module.sampler().sample(5, labels=torch.tensor([3, 5, 3, 5, 3]))
        assert np.array_equal(drawn["images"], images.numpy())
    with pytest.raises(UserError, match="labels=10 is not allowed: classes are 0 to 9; type labels=9"):
        run_command("sample", f"run={folder.path}", "labels=10")


def test_labels_of_an_unconditional_generator_are_refused(tmp_path):
    folder = run(tmp_path / "run", "network=mlp", "max_generator_steps=1")
    with pytest.raises(UserError, match="labels=3: this generator is not class-conditional; leave labels= out"):
        run_command("sample", f"run={folder.path}", "labels=3")


# Latent codes


def test_infogan_leaves_a_picture_of_each_code(tmp_path):
    folder = run(tmp_path / "run", "model=infogan", "model.latent_dim=62", "max_generator_steps=1")
    for name in ("code-1.png", "code-2.png"):
        assert read_frame(folder.samples / name).picture.size == (10 * 30 + 2, 10 * 30 + 2)
    module, _ = load_module(str(folder.path))
    z, y = module.sampler().traversals(seed=0)["code-2"]
    assert z.shape == (100, 62) and y.shape == (100, 12)
    assert torch.equal(z, z[:1].expand(100, -1)) and y[:, 10].abs().max() == 0
    torch.testing.assert_close(y[:10, 11], torch.linspace(-2, 2, 10))
    assert y[:, :10].argmax(1).tolist() == [row for row in range(10) for _ in range(10)]


def test_latent_codes_are_a_category_and_numbers_between_minus_one_and_one():
    y = built("model=infogan").conditioning.sample(2000, torch.Generator().manual_seed(0))
    assert y.shape == (2000, 12)
    assert torch.equal(y[:, :10].sum(1), torch.ones(2000)) and set(y[:, :10].unique().tolist()) == {0.0, 1.0}
    assert y[:, 10:].abs().max() <= 1 and y[:, 10:].min() < -0.9 and y[:, 10:].max() > 0.9


@pytest.mark.parametrize("categories,continuous", [(3, 1), (10, 0), (1, 4)])
def test_the_configuration_says_how_many_latent_codes_there_are(categories, continuous):
    words = (f"conditioning.categories={categories}", f"conditioning.continuous={continuous}")
    module = built("model=infogan", "network=mlp", *words)
    assert module.sample_inputs(torch.empty(5, 0))[1].shape == (5, categories + continuous)
    assert set(module.sampler().traversals(seed=0)) == {f"code-{number + 1}" for number in range(continuous)}
    categories_drawn = module.sampler().sample_inputs(2 * categories, seed=0).y[:, :categories].argmax(1)
    assert categories_drawn.tolist() == [*range(categories)] * 2
