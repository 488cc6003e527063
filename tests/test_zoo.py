"""Games besides the plain one: what they tell the players, and what they ask of them besides the loss."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.utils.parametrize import is_parametrized

from gan_lightning.build import build_module, load_module
from gan_lightning.cli import commands
from gan_lightning.config.schema import compose, options
from gan_lightning.errors import UserError
from gan_lightning.losses import BEGAN
from gan_lightning.models.energy import pulling_away
from gan_lightning.models.gan import Sample, Verdict
from gan_lightning.networks.resnet import ConditionalBatchNorm
from tests.helpers import assert_same, built, in_float64, run

CONDITIONAL = ("cgan", "acgan", "projection", "sagan")


def batch(module, count=20):
    """Real-looking images with every class, and fakes of the same classes, with a graph."""
    labels = torch.arange(count) % 10
    real = Sample(torch.rand(count, 1, 28, 28) * 2 - 1, module.real_code(labels))
    return real, module.generate(real.code, keep_graph=True)


# Conditional games


@pytest.mark.parametrize("model", CONDITIONAL)
def test_another_label_is_another_sample(model):
    module = built(f"model={model}")
    with torch.no_grad():  # conditional batch norm starts the same for every class
        for parameter in module.ema_generator.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    threes, again, sevens = (module.draw(4, seed=1, labels=torch.full((4,), digit)) for digit in (3, 3, 7))
    assert torch.equal(threes, again)
    assert all(not torch.equal(three, seven) for three, seven in zip(threes, sevens, strict=True))


@pytest.mark.parametrize("model", CONDITIONAL)
def test_fakes_get_the_labels_of_the_real_batch(model):
    module = built(f"model={model}")
    labels = torch.tensor([3, 3, 3, 7])
    assert module.generate(module.real_code(labels), keep_graph=False).code.argmax(1).tolist() == labels.tolist()


@pytest.mark.parametrize("model", CONDITIONAL)
def test_the_generator_reads_them_behind_its_noise(model):
    module = built(f"model={model}")
    code = module.real_code(torch.tensor([3, 3, 3, 7]))
    read = []
    module.generator.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    module.generate(code, keep_graph=False)
    (inputs,) = read
    assert torch.equal(inputs[:, module.latent_dim :], code)
    assert inputs[:, : module.latent_dim].std(0).min() > 0  # and noise of each sample's own before them


@pytest.mark.parametrize("model", CONDITIONAL)
def test_unasked_each_class_is_drawn_as_often(model):
    assert built(f"model={model}").labels(30).bincount().tolist() == [3] * 10
    assert built("model=dcgan").labels(30) is None


@pytest.mark.parametrize("model", ["cgan", "projection", "sagan"])
def test_the_critic_judges_an_image_by_its_label(model):
    module = built(f"model={model}").eval()
    real, _ = batch(module)
    other = Sample(real.images, real.code.roll(1, 1))
    assert (module.assess(real).logits - module.assess(other).logits).abs().min() > 0


@in_float64
def test_a_projection_is_the_head_plus_an_inner_product():
    module = built("model=projection", "model.spectral_norm=false")
    real, _ = batch(module)
    critic = module.discriminator
    features = critic.discriminator.features(real.images)
    labels = real.code.argmax(1)
    expected = critic.discriminator.head(features).squeeze(1) + (critic.embedding.weight.T[labels] * features).sum(1)
    assert_same(module.assess(real).logits, expected)


@torch.no_grad()
def in_bfloat16(module):
    """What is said of some images in eval mode under autocast, their code, and the features it was said from."""
    real, _ = batch(module.eval())
    with torch.autocast("cpu", torch.bfloat16):
        return module.assess(real), real.code, module.discriminator.discriminator.features(real.images)


def test_under_autocast_a_projection_is_computed_in_float32():
    module = built("model=projection")
    verdict, code, features = in_bfloat16(module)
    expected = module.discriminator.discriminator.judge(features) + module.discriminator.fit(features.float(), code)
    assert features.dtype == torch.bfloat16 and torch.equal(verdict.logits, expected)


@pytest.mark.parametrize("model", ["acgan", "infogan"])
def test_under_autocast_a_second_answer_is_computed_in_float32(model):
    module = built(f"model={model}")
    verdict, _, features = in_bfloat16(module)
    assert features.dtype == torch.bfloat16
    assert torch.equal(verdict.answer, module.discriminator.answer(features.float()))


@in_float64
def test_acgan_rewards_the_right_class_in_both_players():
    module = built("model=acgan", "model.class_weight=1")
    real, fake = batch(module)
    right, wrong = (Verdict(torch.zeros(20), 9.0 * code) for code in (real.code, real.code.roll(1, 1)))
    likelihood = math.log(math.exp(9) + 9)  # of logits 9, 0, 0 ...
    assert module.generator_terms(fake, right)["class_loss_g"].item() == pytest.approx(likelihood - 9, rel=1e-9)
    assert module.generator_terms(fake, wrong)["class_loss_g"].item() == pytest.approx(likelihood, rel=1e-9)
    both = module.discriminator_terms(real, fake, right, wrong)["class_loss_d"].item()
    assert both == pytest.approx(2 * likelihood - 9, rel=1e-9)


@in_float64
def test_a_step_along_acgans_class_loss_makes_its_fakes_more_certain():
    """Down the slope of the loss by 1e-6, D's log-probability of the class asked for is up by 1e-6."""
    module = built(
        "model=acgan", "model.class_weight=1", "network.discriminator.norm=none", "network.generator.norm=none"
    )
    labels = torch.arange(20) % 10
    code = module.real_code(labels)
    inputs = torch.cat([module.sample_latent(20), code], 1)

    def fakes():
        fake = Sample(module.generator(inputs), code)
        return fake, module.assess(fake)

    def certainty():
        _, on_fake = fakes()
        return on_fake.answer.log_softmax(1)[torch.arange(20), labels].mean().item()

    before = certainty()
    gradients = torch.autograd.grad(
        module.generator_terms(*fakes())["class_loss_g"], list(module.generator.parameters())
    )
    slope = sum(gradient.square().sum() for gradient in gradients)
    with torch.no_grad():
        for parameter, gradient in zip(module.generator.parameters(), gradients, strict=True):
            parameter -= 1e-6 / slope * gradient
    assert certainty() - before == pytest.approx(1e-6, rel=1e-3)


def test_a_conditional_game_needs_classes():
    refusal = r"ConditionalGAN needs images with at least two classes, and these have 0; type model=dcgan \(or"
    with pytest.raises(UserError, match=refusal):
        build_module(compose("model=cgan"), (1, 28, 28), num_classes=0)


def test_a_conditional_run_shows_a_column_for_each_class_and_draws_what_is_asked_for(tmp_path):
    folder = run(tmp_path / "run", "model=cgan", "max_generator_steps=2", "callbacks.samples.images=14")
    assert Image.open(folder.grids()[-1]).size == (10 * 30 + 2, 2 * 30 + 2)
    commands.sample([f"run={folder.path}", "n=5", "labels=[3,5]", f"out={tmp_path / 'drawn.npz'}"])
    commands.sample([f"run={folder.path}", "n=12", f"out={tmp_path / 'every.npz'}"])
    with np.load(tmp_path / "drawn.npz") as drawn, np.load(tmp_path / "every.npz") as every:
        assert drawn["labels"].tolist() == [3, 5, 3, 5, 3] and every["labels"].tolist() == [*range(10), 0, 1]
        module, _ = load_module(str(folder.path))
        assert np.array_equal(drawn["images"], module.draw(5, labels=torch.tensor([3, 5, 3, 5, 3])).numpy())
    with pytest.raises(UserError, match="labels=10 is not allowed: classes are 0 to 9; type labels=9"):
        commands.sample([f"run={folder.path}", "labels=10"])


def test_labels_of_an_unconditional_generator_are_refused(tmp_path):
    folder = run(tmp_path / "run", "network=mlp", "max_generator_steps=1")
    with pytest.raises(UserError, match="labels=3: this generator is told no classes; leave labels= out"):
        commands.sample([f"run={folder.path}", "labels=3"])


# InfoGAN


def test_infogan_leaves_a_picture_of_each_code(tmp_path):
    folder = run(tmp_path / "run", "model=infogan", "model.latent_dim=62", "max_generator_steps=1")
    for name in ("code-1.png", "code-2.png"):
        assert Image.open(folder.samples / name).size == (10 * 30 + 2, 10 * 30 + 2)
    module, _ = load_module(str(folder.path))
    rows = module.traversals(seed=0)["code-2"]
    assert rows.shape == (100, 62 + 12)
    assert torch.equal(rows[:, :62], rows[:1, :62].expand(100, -1)) and rows[:, 72].abs().max() == 0
    torch.testing.assert_close(rows[:10, 73], torch.linspace(-2, 2, 10))
    assert rows[:, 62:72].argmax(1).tolist() == [row for row in range(10) for _ in range(10)]


def test_infogans_codes_are_a_category_and_numbers_between_minus_one_and_one():
    code = built("model=infogan").draw_code(2000, torch.Generator().manual_seed(0))
    assert code.shape == (2000, 12)
    assert torch.equal(code[:, :10].sum(1), torch.ones(2000)) and set(code[:, :10].unique().tolist()) == {0.0, 1.0}
    assert code[:, 10:].abs().max() <= 1 and code[:, 10:].min() < -0.9 and code[:, 10:].max() > 0.9


@in_float64
def test_infogans_code_loss_is_minus_the_log_likelihood():
    module = built("model=infogan", "model.category_weight=1", "model.continuous_weight=1")
    code = module.draw_code(5)
    guess = torch.cat([4.0 * code[:, :10], code[:, 10:] + 0.3], 1)
    category = math.log(math.exp(4) + 9) - 4
    gaussian = 2 * 0.5 * (0.3**2 + math.log(2 * math.pi))
    found = module.code_loss(Sample(torch.empty(5), code), Verdict(torch.zeros(5), guess)).item()
    assert found == pytest.approx(category + gaussian, rel=1e-9)


def test_infogans_mutual_information_teaches_both_players():
    module = built("model=infogan")
    real, _ = batch(module)
    fake = module.generate(real.code, keep_graph=True)
    on_fake = module.assess(fake)
    d_terms = module.discriminator_terms(real, fake, module.assess(real), on_fake)
    trunk = next(module.discriminator.discriminator.parameters())
    q = module.discriminator.answer[-1].weight
    for gradient in torch.autograd.grad(d_terms["code_loss_d"], [trunk, q], retain_graph=True):
        assert gradient.abs().sum() > 0
    g_terms = module.generator_terms(fake, on_fake)
    (gradient,) = torch.autograd.grad(g_terms["code_loss_g"], [module.generator.layers[0].weight])
    assert gradient.abs().sum() > 0


@in_float64
def test_acgans_critic_learns_classes_from_fakes_unless_told_not_to():
    real, fake = (Verdict(torch.zeros(20), 4 * torch.randn(20, 10)) for _ in range(2))
    terms = []
    for words in ((), ("model.class_fakes=false",)):
        module = built("model=acgan", *words)
        of_real, of_fake = batch(module)
        terms.append(module.discriminator_terms(of_real, of_fake, real, fake)["class_loss_d"])
    assert_same(terms[0] - terms[1], module.class_loss(of_fake, fake))


@in_float64
def test_r1_of_logits_grows_with_their_square():
    """A probability would hardly change once D is sure."""
    module = built("model=r1gan", "precision=32")
    real, _ = batch(module)
    before = module.penalise(real, real, module.assess(real), module.assess(real))
    with torch.no_grad():
        for parameter in module.discriminator.head.parameters():
            parameter.mul_(100)
    after = module.penalise(real, real, module.assess(real), module.assess(real))
    assert (after / before).item() == pytest.approx(100**2, rel=1e-9)


# What a game asks of its players besides the loss reaches their steps

WEIGHTS = {"acgan": ["class_weight"], "infogan": ["category_weight", "continuous_weight"], "ebgan": ["pulling_away"]}


@in_float64
@pytest.mark.parametrize("model", WEIGHTS)
def test_players_descend_their_loss_and_all_their_terms(model, monkeypatch):
    module = built(f"model={model}")
    real, fake = batch(module)
    descended = []
    monkeypatch.setattr(module, "descend", lambda loss, player: descended.append(loss.item()))
    outcomes = module.discriminator_step(real, fake.detach()), module.generator_step(real, fake)
    for total, outcome, player in zip(descended, outcomes, "dg", strict=True):
        names = {"class_loss_d", "class_loss_g", "code_loss_d", "code_loss_g", "pulling_away"} & set(outcome)
        assert names or (model, player) == ("ebgan", "d")
        assert all(outcome[name].abs() > 0 for name in names)
        loss = outcome[f"loss_{player}"].item()
        assert total == pytest.approx(loss + sum(outcome[name].item() for name in names), rel=1e-9)


@in_float64
@pytest.mark.slow
@pytest.mark.parametrize("model,weight", [(model, weight) for model in WEIGHTS for weight in WEIGHTS[model]])
def test_terms_are_in_proportion_to_their_weights(model, weight):
    def terms(factor):
        """G's, from the same fakes; the other weights are 0."""
        others = [f"model.{other}=0" for other in WEIGHTS[model] if other != weight]
        module = built(f"model={model}", f"model.{weight}={factor}", *others)
        torch.manual_seed(0)
        _, fake = batch(module)
        return sum(module.generator_terms(fake, module.assess(fake)).values()).item()

    one = terms(1)
    assert abs(one) > 1e-3
    assert terms(3) == pytest.approx(3 * one, rel=1e-9)
    assert terms(0) == 0


# Energies


@pytest.mark.parametrize(
    "words,cure",
    [
        (("loss=energy_margin", "network=dcgan"), "type network=autoencoder or network=began, or another loss"),
        (("loss=began", "network=mlp"), "type network=autoencoder or network=began, or another loss"),
        (("model=ebgan", "network=dcgan", "~network.discriminator.power"), "type network=autoencoder or network=began"),
        (("model=dcgan", "network=autoencoder"), r"type loss=began \(or energy_margin\), or network=dcgan"),
    ],
)
def test_energies_and_losses_of_energies_go_together(words, cure):
    with pytest.raises(UserError, match=cure):
        built(*words)


@in_float64
def test_an_energy_games_critic_is_called_as_a_whole():
    """Hooks and torch.compile take hold of `forward` alone."""
    module = built("model=ebgan")
    calls = []
    module.discriminator.register_forward_hook(lambda *_: calls.append(1))
    images = torch.rand(4, 1, 28, 28)
    verdict = module.assess(Sample(images, torch.empty(4, 0)))
    assert calls == [1] and verdict.answer.shape == (4, 64)
    assert_same(verdict.logits, module.discriminator.discriminator(images))


@in_float64
def test_pulling_away_is_one_for_one_direction_and_none_for_orthogonal_ones():
    parallel = torch.tensor([[1.0], [2.0], [3.0], [-1.0]]).expand(4, 3)
    assert pulling_away(parallel).item() == pytest.approx(1, rel=1e-9)
    assert pulling_away(3 * torch.eye(4)).item() == pytest.approx(0, abs=1e-12)
    assert pulling_away(torch.ones(1, 3)).item() == pytest.approx(0, abs=1e-12)  # nothing to be told from
    half = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert pulling_away(half).item() == pytest.approx(0.5, rel=1e-9)


@in_float64
def test_began_steers_its_balance():
    loss = BEGAN(gamma=0.5, rate=0.1)
    real, fake = -torch.tensor([1.0, 3.0]), -torch.tensor([0.5, 0.5])
    assert loss.discriminator(real=real, fake=fake).item() == pytest.approx(2.0, rel=1e-9)  # k starts at 0
    assert loss.balance.item() == pytest.approx(0.1 * (0.5 * 2 - 0.5), rel=1e-9)
    assert loss.measures()["convergence"].item() == pytest.approx(2 + 0.5, rel=1e-9)
    assert loss.discriminator(real=real, fake=fake).item() == pytest.approx(2.0 - 0.05 * 0.5, rel=1e-9)
    for _ in range(50):
        loss.discriminator(real=real, fake=fake)
    assert loss.balance.item() == 1  # never more
    assert loss.generator(real=None, fake=fake).item() == pytest.approx(0.5, rel=1e-9)
    assert "balance" in loss.state_dict()


# A burn-in


@pytest.mark.parametrize("images,moved", [(0, 0.0), (10, 0.5 - math.sqrt(0.5) / 2), (20, 0.5), (40, 1.0), (4000, 1.0)])
def test_r3gans_numbers_move_along_a_cosine_and_rest(images, moved, monkeypatch):
    numbers = ["penalty.r1.gamma=10", "penalty.r2.gamma=2", "model.burn_in=40", "model.final_rate=0.25"]
    for index, optimizer in enumerate(("generator_optimizer", "discriminator_optimizer")):
        numbers += [f"model.{optimizer}.lr={(index + 1) * 2e-4}", f"model.{optimizer}.betas=[0,0.9]"]
    module = built("model=r3gan", *numbers)
    optimizers, _ = module.configure_optimizers()
    monkeypatch.setattr(module, "player", lambda index: SimpleNamespace(optimizer=optimizers[index]))
    for module.images_seen in (7, images):  # where it was before says nothing
        module.on_train_batch_start(batch=None, batch_idx=0)
    for index, optimizer in enumerate(optimizers):
        (group,) = optimizer.param_groups
        assert group["lr"] == pytest.approx((index + 1) * 2e-4 * (1 - 0.75 * moved))
        assert group["betas"] == pytest.approx((0.0, 0.9 + 0.09 * moved))
    assert [penalty.gamma for penalty in module.penalties] == pytest.approx([10 - 9 * moved, 2 - 1.8 * moved])


def test_a_burn_in_and_a_schedule_of_rates_are_refused_together():
    schedule = "+model.scheduler={_target_: torch.optim.lr_scheduler.StepLR, _partial_: true, step_size: 3}"
    with pytest.raises(UserError, match=r"R3GAN moves its learning rates itself; type model.scheduler=null"):
        built("model=r3gan", schedule)


# What any game may put on its critic


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_spectral_norm_bounds_every_layer_and_rests_in_eval_mode(player):
    both = ["model.spectral_norm=true", "model.generator_spectral_norm=true"]
    module = built("model=hinge", "network=mlp", *both)
    network = getattr(module, player)
    inputs = torch.rand(4, 1, 28, 28) if player == "discriminator" else module.sample_latent(4)
    for _ in range(60):
        network(inputs)
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    assert len(layers) == (3 if player == "discriminator" else 4)
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, rel=0.02)
    network.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(inputs)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_spectral_norm_divides_layers_and_spares_the_gains_of_norms():
    module = built("model=sagan", "network=resnet", "network.generator.norm=conditional")
    layers = [m for m in module.generator.modules() if isinstance(m, (torch.nn.Linear, torch.nn.Conv2d))]
    norms = [m for m in module.generator.modules() if isinstance(m, ConditionalBatchNorm)]
    assert layers and all(is_parametrized(layer) for layer in layers)
    assert norms and not any(is_parametrized(norm) for norm in norms)
    assert is_parametrized(module.discriminator.embedding)


def test_spectral_norm_of_zero_weights_is_refused():
    with pytest.raises(UserError, match="R3GANDiscriminator's start at zero; .* or model.spectral_norm=false"):
        built("network=r3gan", "model.spectral_norm=true")
    with pytest.raises(UserError, match="type network=resnet, or model.generator_spectral_norm=false"):
        built("network=r3gan", "model.generator_spectral_norm=true")


def test_clipping_weights_that_are_divided_by_their_norm_is_refused():
    with pytest.raises(UserError, match="type model.weight_clip=null, or model.spectral_norm=false"):
        built("model=wgan", "model.spectral_norm=true")


def test_a_packed_critic_sees_pairs_of_different_images():
    module = built("model=pacgan")
    real, fake = batch(module)
    seen = []
    module.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    on_real, on_fake = module.judge(real, fake)
    assert seen[0].shape == (10, 2, 28, 28) and on_real.logits.shape == on_fake.logits.shape == (10,)
    assert torch.equal(seen[0][0, 0], real.images[0, 0]) and torch.equal(seen[0][0, 1], real.images[1, 0])


@pytest.mark.parametrize(
    "words",
    [
        ("penalty=r1", "network.discriminator.norm=none"),
        ("model=infogan",),
    ],
)
def test_packing_is_refused_where_it_has_no_meaning(words):
    with pytest.raises(UserError, match=r"model.pack=2.*penalty=none"):
        built(*words, "model.pack=2")
    built("penalty=lecam", "model.pack=2")  # looks at logits alone


def test_batches_that_leave_a_rest_are_refused_before_any_data_is_read():
    with pytest.raises(UserError, match="of 2 needs a batch that 2 divides, not 63 images; type data.batch_size=62"):
        built("model=pacgan", "data.batch_size=63")
    with pytest.raises(UserError, match="of 8 needs a batch that 8 divides, not 60 images; type data.batch_size=56"):
        built("model=pacgan", "model.minibatch_std=true", "data.batch_size=60")
    shared = "groups of 2 in each of 3 processes needs a batch that 6 divides, not 64 images; type data.batch_size=60"
    with pytest.raises(UserError, match=shared):
        built("model=pacgan", "trainer.devices=3", "data.batch_size=64")


@in_float64
def test_minibatch_std_leaves_what_the_critic_says_of_features_alone():
    plain, wider = (built("network=resnet", f"model.minibatch_std={word}").discriminator for word in ("false", "true"))
    wider.blocks.load_state_dict(plain.blocks.state_dict())
    head = wider.head[1]
    assert head.in_features == plain.head.in_features + 1
    with torch.no_grad():
        head.weight[:, -1] = 0
        images = torch.rand(8, 1, 28, 28)
        assert_same(wider(images), plain(images))
    with pytest.raises(UserError, match="BEGANDiscriminator has no head.*; type model.minibatch_std=false"):
        built("model=began", "model.minibatch_std=true")


def test_minibatch_std_shows_the_critic_a_collapse():
    module = built("model.minibatch_std=true", "network.discriminator.norm=none")
    one = torch.rand(1, 1, 28, 28).expand(8, -1, -1, -1)
    head = module.discriminator.head
    varied = head[0](module.discriminator.features(torch.rand(8, 1, 28, 28)))[:, -1]
    assert head[0](module.discriminator.features(one))[:, -1].max() < 1e-3 < varied.min()
    with pytest.raises(UserError, match=r"minibatch standard deviation.*type model.minibatch_std=false"):
        built("model.minibatch_std=true", "network.discriminator.norm=none", "penalty=r1")


# Every model by name


@pytest.mark.parametrize("model", options("model"))
def test_every_model_names_its_paper(model):
    assert "arXiv:" in options("model")[model]
