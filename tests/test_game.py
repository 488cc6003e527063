import copy
import itertools
import math

import pytest
import torch
from pytorch_lightning import Callback, Trainer

from benchmarks.loops import BareLoop, in_nchw
from gan_lightning.config.compose import options
from gan_lightning.data import MNIST5k
from gan_lightning.errors import UserError
from gan_lightning.images import to_float
from gan_lightning.models import wgan
from gan_lightning.models.ema import decay, update_average
from gan_lightning.training.precision import BFloat16, Float32
from tests.helpers import assert_same, built, in_float64, judged, sample


def play(module, batches, plugin=None, batch_size=8, **options):
    """Train a module on real digits for some batches; nothing is written."""
    data = MNIST5k(batch_size=batch_size)
    torch.manual_seed(1)
    Trainer(
        max_epochs=1, limit_train_batches=batches, accelerator="cpu", plugins=[plugin or Float32()],
        use_distributed_sampler=False, **(options or {"barebones": True}),
    ).fit(module, datamodule=data)  # fmt: skip
    return module


def snapshot(network):
    return copy.deepcopy(network.state_dict())


def moved(before, network):
    """Whether every weight differs from before; a bias may have no gradient (a critic's last, one before a norm)."""
    weights = {name: value for name, value in network.named_parameters() if value.ndim > 1}
    return all(not torch.equal(before[name], value) for name, value in weights.items())


ENERGIES = {"energy_margin", "began"}  # losses of networks whose logit is minus an energy

HEADLESS = {"autoencoder", "began"}  # networks on whose features no game can put another head

OTHER_HEADS = ("cgan", "acgan", "projection", "infogan", "pacgan", "hinge")

NORMALISED = ("hinge", "projection")  # spectrally, which needs weights that do not start at zero


def games():
    """Every model as it is; every loss on every network; every penalty; every head on every network."""
    yield from ((f"model={model}",) for model in options("model"))
    for loss, network in itertools.product(options("loss"), options("network")):
        if (loss in ENERGIES) == (network in HEADLESS):
            yield f"loss={loss}", f"network={network}"
    for penalty, network in itertools.product(options("penalty"), ("dcgan", "mlp")):
        yield f"penalty={penalty}", "loss=wasserstein", f"network={network}", "network.discriminator.norm=none"
    for model, network in itertools.product(OTHER_HEADS, options("network")):
        if network not in HEADLESS and (network != "r3gan" or model not in NORMALISED):
            norm = ["network.generator.norm=none"] if model == "projection" and network != "resnet" else []
            yield f"model={model}", f"network={network}", *norm


@pytest.mark.slow
@pytest.mark.parametrize("words", games(), ids=" ".join)
def test_every_game_moves_both_players(words, monkeypatch):
    monkeypatch.setattr(wgan, "BOOSTED_ITERATIONS", 2)
    module = built(*words)
    losses = []
    step = module.training_step

    def recorded(batch, batch_idx):
        outcome = step(batch, batch_idx)
        losses.extend(value for value in outcome.values() if value.ndim == 0)
        return outcome

    monkeypatch.setattr(module, "training_step", recorded)
    generator, discriminator = snapshot(module.generator), snapshot(module.discriminator)
    play(module, batches=2 * module.critic_iterations())
    assert module.generator_steps == 2
    assert moved(generator, module.generator)
    assert moved(discriminator, module.discriminator)
    assert all(torch.isfinite(value) for value in losses)


@pytest.mark.slow
@pytest.mark.parametrize("model", options("model"))
def test_every_model_plays_in_bfloat16(model, monkeypatch):
    monkeypatch.setattr(wgan, "BOOSTED_ITERATIONS", 2)
    module = built(f"model={model}")
    generator, discriminator = snapshot(module.generator), snapshot(module.discriminator)
    play(module, batches=2 * module.critic_iterations(), plugin=BFloat16("cpu"))
    assert moved(generator, module.generator) and moved(discriminator, module.discriminator)
    assert all(torch.isfinite(value).all() for value in module.state_dict().values())


@pytest.mark.slow
@pytest.mark.parametrize("model", options("model"))
def test_each_players_step_leaves_the_other_untouched(model, monkeypatch):
    monkeypatch.setattr(wgan, "BOOSTED_ITERATIONS", 2)
    module = built(f"model={model}")

    def guard(step, mover, other):
        def guarded(*arguments):
            before, other_before = snapshot(mover), {n: p.clone() for n, p in other.named_parameters()}
            outcome = step(*arguments)
            assert any(not torch.equal(before[name], value) for name, value in mover.named_parameters())
            assert all(torch.equal(other_before[name], value) for name, value in other.named_parameters())
            assert all(p.requires_grad for p in itertools.chain(mover.parameters(), other.parameters()))
            return outcome

        return guarded

    g, d = module.generator, module.discriminator
    monkeypatch.setattr(module, "discriminator_step", guard(module.discriminator_step, d, g))
    monkeypatch.setattr(module, "generator_step", guard(module.generator_step, g, d))
    play(module, batches=2 * module.critic_iterations())
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
    assert play(module, batches=2).generator_steps == 2


def test_clipped_weights_are_in_the_box_at_every_forward_pass():
    numbers = ["model.n_critic=3", "model.weight_clip=0.01", "model.discriminator_optimizer.lr=0.1"]
    module = built("model=wgan", *numbers)  # steps far larger than the box
    largest = []

    def measure(network, inputs):
        largest.append(max(parameter.abs().max().item() for parameter in network.parameters()))

    module.discriminator.register_forward_pre_hook(measure)
    play(module, batches=6)
    assert len(largest) == 2 * 6 + 2  # real and fake in each critic step, fake in each generator step
    assert max(largest) <= 0.01 + 1e-9  # float32's 0.01
    assert max(largest) == pytest.approx(0.01, rel=1e-6)  # and the box is reached: batch norm starts at 1


@pytest.mark.parametrize("n_critic,batches,steps", [(1, 4, 4), (2, 6, 3), (3, 8, 2)])
def test_one_generator_step_after_n_critic_discriminator_steps(n_critic, batches, steps):
    module = play(built("network=mlp", f"model.n_critic={n_critic}"), batches)
    assert module.generator_steps == steps
    assert module.images_seen == batches * 8
    assert module.critic_steps == batches - steps * n_critic
    assert module.trainer.global_step == batches + steps  # Lightning's own counter adds both players


def test_wgan_trains_its_critic_longer_at_first_and_now_and_then():
    module = built("model=wgan", "model._target_=gan_lightning.models.WGAN", "model.n_critic=5")
    expected = {0: 100, 24: 100, 25: 5, 499: 5, 500: 100, 501: 5, 1000: 100}
    for step, iterations in expected.items():
        module.generator_steps = step
        assert module.critic_iterations() == iterations


DESCENT = [  # plain gradient descent, at two rates
    word
    for name, rate in (("generator_optimizer", 0.1), ("discriminator_optimizer", 0.05))
    for word in (f"~model.{name}", f"+model.{name}={{_target_:torch.optim.SGD,_partial_:true,lr:{rate},momentum:0.5}}")
]


@in_float64
def test_generator_first_on_shared_fakes_is_simultaneous_descent():
    """One step equals the gradients of both losses at the same weights, followed by both."""
    module = built("network=mlp", "model.share_fakes=true", "model.generator_first=true", *DESCENT)
    g, d = copy.deepcopy(module.generator), copy.deepcopy(module.discriminator)
    play(module, batches=1)
    torch.manual_seed(1)
    data = MNIST5k(batch_size=8)
    data.setup()
    real = to_float(next(iter(data.train_dataloader())).images)
    fake = g(module.sample_latent(8))
    real_logits, fake_logits = d(real), d(fake)
    loss_g = module.loss.generator(real=None, fake=fake_logits)
    gradient_g = torch.autograd.grad(loss_g, list(g.parameters()), retain_graph=True)
    loss_d = module.loss.discriminator(real=real_logits, fake=d(fake.detach()))
    gradient_d = torch.autograd.grad(loss_d, list(d.parameters()))
    for network, stepped, gradients, rate in (
        (g, module.generator, gradient_g, 0.1),
        (d, module.discriminator, gradient_d, 0.05),
    ):
        for before, after, gradient in zip(network.parameters(), stepped.parameters(), gradients, strict=True):
            assert_same(after, before - rate * gradient)


@pytest.mark.parametrize("shared,passes", [("true", 1), ("false", 2)])
def test_sharing_fakes_saves_one_pass_through_the_generator(shared, passes):
    module = built("network=mlp", f"model.share_fakes={shared}")
    calls = []
    module.generator.register_forward_hook(lambda *_: calls.append(1))
    before = snapshot(module.generator)
    play(module, batches=3)
    assert len(calls) == 3 * passes
    assert moved(before, module.generator)


def test_a_generators_batch_may_be_larger_than_its_critics():
    numbers = ["model.n_critic=2", "model.generator_batch=2", "model.share_fakes=false"]
    module = built("model=projection", "network=mlp", *numbers)
    sizes = []
    module.generator.register_forward_hook(lambda _, inputs, images: sizes.append((len(images), images.requires_grad)))
    play(module, batches=4)
    assert sizes == [(8, False), (8, False), (16, True)] * 2


@pytest.mark.parametrize("words", [["model.share_fakes=true"], ["model.share_fakes=false", "loss=relativistic"]])
def test_a_larger_batch_of_the_generator_needs_fakes_of_its_own(words):
    with pytest.raises(UserError, match=r"model.generator_batch=2 needs fakes of its own.*model.share_fakes=false"):
        built("model=sngan", "model.generator_batch=2", *words)


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic"])
def test_in_bfloat16_the_generator_faces_the_discriminator_that_has_just_stepped(loss, monkeypatch):
    """Autocast caches weights it has cast; a stale cast would show G the discriminator of before its step."""
    module = built("network=mlp", f"loss={loss}", "model.discriminator_optimizer.lr=0.05")
    generator_step = module.generator_step
    seen = []

    def compared(real, fake):
        outcome = generator_step(real, fake)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            fresh = module.loss.generator(real=module.reference(real), fake=module.assess(fake).logits)
            seen.append((outcome["loss_g"].item(), fresh.item()))
        return outcome

    monkeypatch.setattr(module, "generator_step", compared)
    play(module, batches=3, plugin=BFloat16("cpu"))
    assert len(seen) == 3
    for got, fresh in seen:
        assert got == pytest.approx(fresh, rel=1e-6)


def test_batch_norm_in_a_penalised_critic_is_refused_with_a_reason():
    with pytest.raises(UserError, match=r"batch norm, which mixes the samples.*type network.discriminator.norm=layer"):
        built("model=dcgan", "penalty=wgan_gp")
    built("model=dcgan", "penalty=wgan_gp", "network.discriminator.norm=layer")
    with pytest.raises(UserError, match="penalty R2 needs each sample's own gradient"):
        built("model=dcgan", "penalty=[lecam,r2]")
    built("model=dcgan", "penalty=lecam")  # takes no gradients


def test_a_relativistic_generator_faces_real_logits_without_a_graph(monkeypatch):
    module = built("model=dcgan", "loss=relativistic")
    seen = []
    generator = module.loss.generator

    def watched(*, real, fake):
        seen.append((len(real), real.requires_grad, fake.requires_grad))
        return generator(real=real, fake=fake)

    monkeypatch.setattr(module.loss, "generator", watched)
    play(module, batches=2)
    assert seen == [(8, False, True)] * 2
    assert built("network=mlp").reference(sample(torch.zeros(2, 1, 28, 28))) is None


@in_float64
def test_a_relativistic_game_does_not_see_a_constant_added_to_all_logits():
    """The discriminator's last bias cancels: it gets no gradient, whatever the other weights get."""
    module = built("network=mlp", "loss=relativistic")
    real, fake = judged(module, *torch.randn(2, 8, 1, 28, 28))
    module.loss.discriminator(real=real, fake=fake).backward()
    *others, last = module.discriminator.parameters()
    assert last.shape == (1,) and abs(last.grad.item()) < 1e-12
    assert all(other.grad.abs().sum() > 1e-4 for other in others)


def test_an_unconstrained_wasserstein_critic_is_warned_of(caplog):
    built("model=dcgan", "loss=wasserstein")
    assert "add penalty=wgan_gp network.discriminator.norm=layer, or model.weight_clip=0.01" in caplog.text
    caplog.clear()
    built("model=wgan")
    built("model=wgan_gp")
    built("model=wgan_gp", "penalty=wgan_div")
    assert not caplog.records


# Noise and samples


def test_noise_priors():
    normal = built("model.noise=normal", "model.latent_dim=100").sample_latent(4000)
    assert normal.shape == (4000, 100)
    # 400,000 draws: standard errors of mean and variance are 0.0016 and 0.0022, allowed six of them
    assert normal.mean().item() == pytest.approx(0, abs=0.01) and normal.var().item() == pytest.approx(1, abs=0.015)
    uniform = built("model.noise=uniform", "model.latent_dim=100").sample_latent(4000)
    assert -1 <= uniform.min() < -0.999 and 0.999 < uniform.max() <= 1
    assert uniform.var().item() == pytest.approx(1 / 3, abs=0.01)
    wide = built("model.noise=unit_uniform", "model.latent_dim=100").sample_latent(4000)
    assert 1.73 < wide.abs().max() <= math.sqrt(3) and wide.var().item() == pytest.approx(1, abs=0.01)


@in_float64
def test_sampling_changes_nothing_and_does_not_depend_on_the_batch():
    module = built("model=dcgan").train()
    before = snapshot(module)
    random = torch.get_rng_state()
    latent = module.sample_latent(6, torch.Generator().manual_seed(0))
    for weights in ("ema", "raw"):
        together = module.sample(latent, weights)
        alone = torch.cat([module.sample(one, weights) for one in latent.split(1)])
        assert_same(together, alone)
        assert not together.requires_grad
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert module.generator.training


# The average


def test_decay_halves_over_the_half_life_and_warms_up():
    assert decay(64, images_so_far=10**9, half_life=640) ** 10 == pytest.approx(0.5)
    assert decay(64, images_so_far=1280, half_life=10**9) == pytest.approx(0.5)  # 5 % of 1,280 is the batch
    assert decay(64, images_so_far=0, half_life=10_000) == pytest.approx(0, abs=1e-12)  # forget the beginning


def test_the_average_lerps_parameters_and_copies_buffers():
    model, average = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    with torch.no_grad():
        model.weight.fill_(5.0)
        average.weight.fill_(1.0)
        model.running_mean.fill_(7.0)
        model.num_batches_tracked.fill_(9)
    update_average(average, model, kept=0.75)
    assert average.weight.tolist() == [2.0] * 3
    assert average.running_mean.tolist() == [7.0] * 3 and average.num_batches_tracked == 9
    assert model.weight.tolist() == [5.0] * 3


@in_float64
@pytest.mark.parametrize("n_critic", [1, 3])
def test_the_averaged_generator_follows_the_recurrence(n_critic):
    module = built("network=mlp", "model.ema_half_life=50", f"model.n_critic={n_critic}")
    expected = [parameter.detach().clone() for parameter in module.generator.parameters()]
    seen = 0
    generator_step = module.generator_step

    def followed(real, fake):
        nonlocal seen
        outcome = generator_step(real, fake)
        seen += 8
        kept = 0.5 ** (8 / min(50, 0.05 * seen))
        for own, new in zip(expected, module.generator.parameters(), strict=True):
            own.mul_(kept).add_(new.detach(), alpha=1 - kept)
        return outcome

    module.generator_step = followed
    play(module, batches=5 * n_critic)
    assert seen == 5 * 8
    for own, average in zip(expected, module.ema_generator.parameters(), strict=True):
        assert_same(average, own)
        assert not average.requires_grad


def test_without_a_half_life_there_is_no_average():
    module = built("network=mlp", "model.ema_half_life=null")
    assert module.ema_generator is None
    latent = module.sample_latent(2)
    assert torch.equal(module.sample(latent, "ema"), module.sample(latent, "raw"))


@pytest.mark.parametrize("n_critic", [1, 2])
def test_both_players_rates_follow_the_generators_steps(n_critic):
    schedule = "model.scheduler={_target_:torch.optim.lr_scheduler.ExponentialLR,_partial_:true,gamma:0.999996}"
    module = play(built("network=mlp", *DESCENT, schedule, f"model.n_critic={n_critic}"), batches=3 * n_critic)
    generator, discriminator = module.trainer.optimizers
    assert generator.param_groups[0]["lr"] == pytest.approx(0.1 * 0.999996**3, rel=1e-9)
    assert discriminator.param_groups[0]["lr"] == pytest.approx(0.05 * 0.999996**3, rel=1e-9)


@in_float64
def test_losses_of_an_undecided_discriminator():
    """With D's last layer at 0 every logit is 0: D's loss is log 4 and G's log 2, whatever the images."""
    module = built("network=mlp", "model.discriminator_optimizer.lr=0")
    torch.nn.init.zeros_(module.discriminator.head.weight)
    torch.nn.init.zeros_(module.discriminator.head.bias)
    outcomes = []
    step = module.training_step
    module.training_step = lambda *arguments: outcomes.append(step(*arguments)) or outcomes[-1]
    play(module, batches=1)
    assert outcomes[0]["loss_d"].item() == pytest.approx(math.log(4), rel=1e-12)
    assert outcomes[0]["loss_g"].item() == pytest.approx(math.log(2), rel=1e-12)
    assert outcomes[0]["d_real"].item() == outcomes[0]["d_fake"].item() == 0.5


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
@pytest.mark.parametrize("game,rate", RATES.items())
def test_training_equals_a_plain_loop_in_the_plain_layout(game, rate):
    """The race of benchmarks/ is one between equals: same seed, other layout, other passes, same weights."""
    # SGD, whose steps are in proportion to the gradients; Adam's first ones follow the sign of rounding errors, too
    players = ("model.generator_optimizer", "model.discriminator_optimizer")
    sgd = [
        word for node in players for word in (f"{node}._target_=torch.optim.SGD", f"{node}.lr={rate}", f"~{node}.betas")
    ]
    module = built(*game.split(), *sgd)
    data = MNIST5k(batch_size=8)
    data.prepare_data()
    data.setup()
    batches = (to_float(batch.images) for batch in data.train_dataloader())
    bare = BareLoop(module, batches, bfloat16=False, nchw=True)
    generator, discriminator = in_nchw(module.generator), in_nchw(module.discriminator)
    steps = 4 * module.critic_iterations()
    play(module, batches=steps)
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
@pytest.mark.parametrize("norm,passes", [("none", 1), ("layer", 1), ("batch", 2)])
def test_real_and_fake_are_judged_in_one_pass_unless_batch_norm_would_mix_them(norm, passes):
    module = built(f"network.discriminator.norm={norm}")
    real, fake = torch.randn(2, 8, 1, 28, 28)
    alone = [module.assess(sample(images)).logits for images in (real, fake)]
    calls = []
    module.discriminator.register_forward_hook(lambda *_: calls.append(1))
    for together, expected in zip(judged(module, real, fake), alone, strict=True):
        assert_same(together, expected)
    assert len(calls) == passes


def test_hooks_around_a_players_step_run_when_someone_has_written_one():
    heard = []

    class Listener(Callback):
        def on_before_optimizer_step(self, trainer, module, optimizer):
            heard.append(trainer.optimizers.index(optimizer))

    quiet = play(built("network=mlp"), batches=3)
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    listened = play(built("network=mlp"), batches=3, callbacks=[Listener()], **options)
    assert heard == [1, 0] * 3  # the discriminator's step, then the generator's
    for name, value in quiet.state_dict().items():
        assert torch.equal(value, listened.state_dict()[name]), name


def test_compiling_leaves_a_penalised_critic_alone(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, mode: compiled.append((type(self).__name__, mode)))
    for game, expected in (
        (("network=mlp",), []),
        (("network=mlp", "model.compile=default"), [("MLPGenerator", "default"), ("MLPDiscriminator", "default")]),
        (
            ("model=wgan_gp", "model.compile=max-autotune-no-cudagraphs"),
            [("DCGANGenerator", "max-autotune-no-cudagraphs")],
        ),
        (("network=mlp", "penalty=[lecam,r1]", "model.compile=default"), [("MLPGenerator", "default")]),
        (
            ("network=mlp", "penalty=lecam", "model.compile=default"),
            [("MLPGenerator", "default"), ("MLPDiscriminator", "default")],
        ),
    ):
        compiled.clear()
        built(*game).compile_players()
        assert compiled == expected
