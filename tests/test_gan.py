"""Algorithm 1: which network learns what from which images, and that nothing that makes a step faster changes it."""

import copy
import itertools
import math

import pytest
import torch
from pytorch_lightning import Trainer

from benchmarks.loops import BareLoop, in_nchw
from gan_lightning.config.compose import options
from gan_lightning.data import MNIST5k
from gan_lightning.images import to_float
from gan_lightning.models.module import DISCRIMINATOR, GENERATOR
from gan_lightning.training.precision import BFloat16
from tests.helpers import assert_same, built, in_float64, logits_of_both, no_condition, sample
from tests.training import SGD, assert_trains, batch, fit, moved, record_metrics, snapshot

ENERGIES = {"energy_margin", "began"}  # losses of networks whose logit is minus an energy

HEADLESS = {"autoencoder", "began"}  # networks on whose features no other head can be put

HEADS = ("cgan", "acgan", "projection", "infogan", "pacgan", "hinge")

ZERO_WEIGHTS = {("projection", "r3gan")}  # spectral norm needs weights that do not start at zero


def combinations():
    """Every model as it is; every loss on every network; every penalty; every head on every network."""
    yield from ((f"model={model}",) for model in options("model"))
    for loss, network in itertools.product(options("loss"), options("network")):
        if (loss in ENERGIES) == (network in HEADLESS):
            yield f"loss={loss}", f"network={network}"
    for penalty, network in itertools.product(options("penalty"), ("dcgan", "mlp")):
        yield f"penalty={penalty}", "loss=wasserstein", f"network={network}", "network.discriminator.norm=none"
    for model, network in itertools.product(HEADS, options("network")):
        if network not in HEADLESS and (model, network) not in ZERO_WEIGHTS:
            yield f"model={model}", f"network={network}"


@pytest.mark.slow
@pytest.mark.parametrize("words", combinations(), ids=" ".join)
def test_every_combination_trains_both_networks(words):
    assert_trains(built(*words))


@pytest.mark.slow
@pytest.mark.parametrize("model", options("model"))
def test_every_model_trains_in_bfloat16(model):
    module = built(f"model={model}")
    generator, discriminator = snapshot(module.generator), snapshot(module.discriminator)
    fit(module, batches=2 * module.updates.n_critic, plugin=BFloat16("cpu"))
    assert moved(generator, module.generator) and moved(discriminator, module.discriminator)
    assert all(torch.isfinite(value).all() for value in module.state_dict().values())


@pytest.mark.slow
@pytest.mark.parametrize("model", options("model"))
def test_each_networks_step_leaves_the_other_untouched(model, monkeypatch):
    module = built(f"model={model}")

    def guard(step, stepping, other):
        def guarded(*arguments):
            before, other_before = snapshot(stepping), {n: p.clone() for n, p in other.named_parameters()}
            outcome = step(*arguments)
            assert any(not torch.equal(before[name], value) for name, value in stepping.named_parameters())
            assert all(torch.equal(other_before[name], value) for name, value in other.named_parameters())
            assert all(p.requires_grad for p in itertools.chain(stepping.parameters(), other.parameters()))
            return outcome

        return guarded

    g, d = module.generator, module.discriminator
    monkeypatch.setattr(module, "discriminator_step", guard(module.discriminator_step, d, g))
    monkeypatch.setattr(module, "generator_step", guard(module.generator_step, g, d))
    fit(module, batches=2 * module.updates.n_critic)
    assert module.generator_steps == 2


def test_the_discriminator_gets_no_gradient_in_the_generators_step(monkeypatch):
    module = built("network=mlp")
    generator_step = module.generator_step

    def watched(real, fake):
        for parameter in module.discriminator.parameters():
            parameter.grad = None
        outcome = generator_step(real, fake)
        assert all(parameter.grad is None for parameter in module.discriminator.parameters())
        assert all(parameter.grad is not None for parameter in module.generator.parameters())
        return outcome

    monkeypatch.setattr(module, "generator_step", watched)
    assert fit(module, batches=2).generator_steps == 2


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic"])
def test_in_bfloat16_the_generator_faces_the_discriminator_that_has_just_stepped(loss, monkeypatch):
    """Autocast caches weights it has cast; a stale cast would show G the discriminator of before its step."""
    module = built("network=mlp", f"loss={loss}", "optimizer.discriminator.lr=0.05")
    generator_step = module.generator_step
    seen = []

    def compared(real, fake):
        outcome = generator_step(real, fake)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            fresh = module.loss.generator(real=module.real_logits(real), fake=module.discriminate(fake).logits)
            seen.append((outcome["loss_g"].item(), fresh.item()))
        return outcome

    monkeypatch.setattr(module, "generator_step", compared)
    fit(module, batches=3, plugin=BFloat16("cpu"))
    assert len(seen) == 3
    for got, fresh in seen:
        assert got == pytest.approx(fresh, rel=1e-6)


def test_a_relativistic_generator_faces_real_logits_without_a_graph(monkeypatch):
    module = built("model=dcgan", "loss=relativistic")
    seen = []
    generator = module.loss.generator

    def watched(*, real, fake):
        seen.append((len(real), real.requires_grad, fake.requires_grad))
        return generator(real=real, fake=fake)

    monkeypatch.setattr(module.loss, "generator", watched)
    fit(module, batches=2)
    assert seen == [(8, False, True)] * 2
    assert built("network=mlp").real_logits(sample(torch.zeros(2, 1, 28, 28))) is None


@in_float64
def test_a_relativistic_loss_is_unchanged_by_a_constant_added_to_all_logits():
    """The discriminator's last bias cancels: it gets no gradient, whatever the other weights get."""
    module = built("network=mlp", "loss=relativistic")
    real, fake = logits_of_both(module, *torch.randn(2, 8, 1, 28, 28))
    module.loss.discriminator(real=real, fake=fake).backward()
    *others, last = module.discriminator.parameters()
    assert last.shape == (1,) and abs(last.grad.item()) < 1e-12
    assert all(other.grad.abs().sum() > 1e-4 for other in others)


@in_float64
def test_losses_of_a_discriminator_whose_logits_are_all_zero():
    """With D's last layer at 0 every logit is 0: D's loss is log 4 and G's log 2, whatever the images."""
    module = built("network=mlp", "optimizer.discriminator.lr=0")
    torch.nn.init.zeros_(module.discriminator.head.weight)
    torch.nn.init.zeros_(module.discriminator.head.bias)
    rows = record_metrics(module)
    fit(module, batches=1)
    assert rows[0]["loss_d"].item() == pytest.approx(math.log(4), rel=1e-12)
    assert rows[0]["loss_g"].item() == pytest.approx(math.log(2), rel=1e-12)
    assert rows[0]["d_real"].item() == rows[0]["d_fake"].item() == 0.5


@in_float64
def test_r1_of_logits_grows_with_their_square():
    """A probability would hardly change once D is sure."""
    module = built("model=r1gan", "precision=32")
    real, _ = batch(module)

    def penalty():
        return module.penalty(real, real, module.discriminate(real), module.discriminate(real))

    before = penalty()
    with torch.no_grad():
        for parameter in module.discriminator.head.parameters():
            parameter.mul_(100)
    assert (penalty() / before).item() == pytest.approx(100**2, rel=1e-9)


# Auxiliary terms reach the steps

TERMS = {  # names of the metrics of D's and of G's step
    "acgan": ({"classification_d"}, {"classification_g"}),
    "infogan": ({"mutual_information_d"}, {"mutual_information_g"}),
    "ebgan": (set(), {"pulling_away_g"}),
}


@in_float64
@pytest.mark.parametrize("model", TERMS)
def test_both_networks_descend_their_loss_and_all_their_terms(model, monkeypatch):
    module = built(f"model={model}")
    trainer = Trainer(barebones=True, accelerator="cpu")
    module.trainer = trainer
    real, fake = batch(module)
    descended = {}
    monkeypatch.setattr(module, "backward_and_step", lambda loss, network: descended.update({network: loss.item()}))
    metrics = {
        DISCRIMINATOR: module.discriminator_step(real, fake.detach()),
        GENERATOR: module.generator_step(real, fake),
    }
    for network, letter, names in zip((DISCRIMINATOR, GENERATOR), "dg", TERMS[model], strict=True):
        found = metrics[network]
        assert names == {name for name in found if name.endswith(f"_{letter}")} - {f"loss_{letter}"}
        assert all(found[name].abs() > 0 for name in names)
        total = found[f"loss_{letter}"].item() + sum(found[name].item() for name in names)
        assert descended[network] == pytest.approx(total, rel=1e-9)


# Nothing that makes a step faster changes what it computes


RATES = {
    "model=dcgan": 0.05,
    "model=dcgan network=mlp": 0.05,
    "model=dcgan network=conv_pool": 0.01,
    "model=dcgan network=mlp loss=relativistic penalty=[r1,r2] augment=diffaugment_color": 0.05,
    "model=lsgan": 2e-3,
    "model=wgan_gp": 1e-3,
}


@in_float64
@pytest.mark.parametrize("words,rate", RATES.items())
def test_training_equals_a_plain_loop_in_the_plain_layout(words, rate):
    """The benchmark compares equals: same seed, other memory layout, other passes, same weights."""
    networks = ("optimizer.generator", "optimizer.discriminator")
    numbers = [word for node in networks for word in (f"{node}.lr={rate}", f"{node}.momentum=0")]
    module = built(*words.split(), "optimizer=sgd", *numbers)
    data = MNIST5k(batch_size=8)
    data.prepare_data()
    data.setup()
    batches = (to_float(batch.images) for batch in data.train_dataloader())
    bare = BareLoop(module, batches, bfloat16=False, nchw=True)
    generator, discriminator = in_nchw(module.generator), in_nchw(module.discriminator)
    steps = 4 * module.updates.n_critic
    fit(module, batches=steps)
    torch.manual_seed(1)
    bare.run(steps)
    for before, ours, plain in (
        (generator, in_nchw(module.generator), bare.generator),
        (discriminator, in_nchw(module.discriminator), bare.discriminator),
    ):
        after = dict(plain.named_parameters())
        assert max((after[name] - start).abs().max() for name, start in before.named_parameters()) > 1e-4  # it learned
        for name, weight in ours.named_parameters():
            assert_same(weight, after[name])


@in_float64
def test_generator_first_on_shared_fakes_is_simultaneous_descent():
    """One step equals the gradients of both losses at the same weights, followed by both."""
    module = built("network=mlp", "updates.share_fakes=true", "updates.generator_first=true", *SGD)
    g, d = copy.deepcopy(module.generator), copy.deepcopy(module.discriminator)
    fit(module, batches=1)
    torch.manual_seed(1)
    data = MNIST5k(batch_size=8)
    data.setup()
    y = no_condition(8)
    real = to_float(next(iter(data.train_dataloader())).images)
    fake = g(module.prior.sample(8, module.device), y)
    real_logits, fake_logits = d(real, y).logits, d(fake, y).logits
    loss_g = module.loss.generator(real=None, fake=fake_logits)
    gradient_g = torch.autograd.grad(loss_g, list(g.parameters()), retain_graph=True)
    loss_d = module.loss.discriminator(real=real_logits, fake=d(fake.detach(), y).logits)
    gradient_d = torch.autograd.grad(loss_d, list(d.parameters()))
    for network, stepped, gradients, rate in (
        (g, module.generator, gradient_g, 0.1),
        (d, module.discriminator, gradient_d, 0.05),
    ):
        for before, after, gradient in zip(network.parameters(), stepped.parameters(), gradients, strict=True):
            assert_same(after, before - rate * gradient)
