"""Parts that do not go together are refused before training, with what to type instead."""

import itertools

import pytest

from gan_lightning.config.compose import options
from gan_lightning.errors import UserError
from tests.helpers import built
from tests.training import assert_trains

pytestmark = pytest.mark.slow


def test_batch_norm_in_a_penalised_critic_is_refused_with_a_reason():
    reason = (
        r"batch norm, by which the samples of a batch depend on each other \(arXiv:1704.00028, section 4\); "
        r"type network.discriminator.norm=layer"
    )
    with pytest.raises(UserError, match=reason):
        built("model=dcgan", "penalty=wgan_gp")
    built("model=dcgan", "penalty=wgan_gp", "network.discriminator.norm=layer")
    with pytest.raises(UserError, match="penalty R2 needs each sample's own gradient"):
        built("model=dcgan", "penalty=[lecam,r2]")
    built("model=dcgan", "penalty=lecam")  # takes no gradients


def test_minibatch_std_in_a_penalised_critic_is_refused():
    with pytest.raises(UserError, match=r"minibatch standard deviation.*type model.minibatch_std=false"):
        built("model.minibatch_std=true", "network.discriminator.norm=none", "penalty=r1")


def test_an_unconstrained_wasserstein_critic_is_warned_of(caplog):
    built("model=dcgan", "loss=wasserstein")
    assert "add penalty=wgan_gp network.discriminator.norm=layer, or model.weight_clip=0.01" in caplog.text
    caplog.clear()
    built("model=wgan")
    built("model=wgan_gp")
    built("model=wgan_gp", "penalty=wgan_div")
    assert not caplog.records


@pytest.mark.parametrize("words", [["updates.share_fakes=true"], ["updates.share_fakes=false", "loss=relativistic"]])
def test_a_larger_batch_of_the_generator_needs_fakes_of_its_own(words):
    with pytest.raises(UserError, match=r"updates.generator_batch=2 needs fakes of its own.*updates.share_fakes=false"):
        built("model=sngan", "updates.generator_batch=2", *words)


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


@pytest.mark.parametrize("model,annealing", [("r3gan", "burn_in"), ("dcgan", "linear_decay"), ("dcgan", "burn_in")])
def test_annealing_and_a_scheduler_are_refused_together(model, annealing):
    schedule = "optimizer.scheduler={_target_: torch.optim.lr_scheduler.StepLR, _partial_: true, step_size: 3}"
    refusal = "both set the learning rates; type annealing=none, or optimizer.scheduler=null"
    with pytest.raises(UserError, match=refusal):
        built(f"model={model}", f"annealing={annealing}", schedule)
    built(f"model={model}", "annealing=none", schedule)


def test_clipping_weights_that_are_divided_by_their_norm_is_refused():
    with pytest.raises(UserError, match="type model.weight_clip=null, or model.spectral_norm=false"):
        built("model=wgan", "model.spectral_norm=true")


@pytest.mark.parametrize(
    "words", [("penalty=r1", "network.discriminator.norm=none"), ("model=infogan",), ("conditioning=labels",)]
)
def test_packing_is_refused_where_it_has_no_meaning(words):
    cure = r"model.pack=2.*type model.pack=1, or conditioning=none auxiliary=none penalty=none"
    with pytest.raises(UserError, match=cure):
        built(*words, "model.pack=2")
    built(*words, "model.pack=1")
    built("penalty=lecam", "model.pack=2")  # looks at logits alone


def test_batches_that_leave_a_rest_are_refused_before_any_data_is_read():
    with pytest.raises(UserError, match="of 2 needs a batch that 2 divides, not 63 images; type data.batch_size=62"):
        built("model=pacgan", "data.batch_size=63")
    with pytest.raises(UserError, match="of 8 needs a batch that 8 divides, not 60 images; type data.batch_size=56"):
        built("model=pacgan", "model.minibatch_std=true", "data.batch_size=60")
    shared = "groups of 2 in each of 3 processes needs a batch that 6 divides, not 64 images; type data.batch_size=60"
    with pytest.raises(UserError, match=shared):
        built("model=pacgan", "trainer.devices=3", "data.batch_size=64")


# Every conditioning with every auxiliary term

LABELS = ("labels", "channel", "projection")

NETWORKS = {"mlp": (), "autoencoder": ("loss=energy_margin",)}

GO_TOGETHER = {
    *(("mlp", conditioning, "none") for conditioning in ("none", "codes", *LABELS)),
    *(("mlp", conditioning, "classification") for conditioning in LABELS),
    ("mlp", "codes", "mutual_information"),
    *itertools.product(["autoencoder"], ["none", "codes", "labels"], ["none", "pulling_away"]),
}
"""Classes need labels, codes need codes, pulling away needs an autoencoder, and that has no place for another head."""


@pytest.mark.parametrize("auxiliary", options("auxiliary"))
@pytest.mark.parametrize("conditioning", options("conditioning"))
@pytest.mark.parametrize("network", NETWORKS)
def test_every_conditioning_with_every_auxiliary_term_trains_or_is_refused(network, conditioning, auxiliary):
    words = (f"network={network}", *NETWORKS[network], f"conditioning={conditioning}", f"auxiliary={auxiliary}")
    if (network, conditioning, auxiliary) in GO_TOGETHER:
        rows = assert_trains(built(*words))
        assert auxiliary == "none" or f"{auxiliary}_g" in rows[-1]
    else:
        with pytest.raises(UserError, match=r"; type \w+="):
            built(*words)


@pytest.mark.parametrize(
    "words,cure",
    [
        ("auxiliary=classification", r"conditional on the class; type conditioning=labels \(or projection\)"),
        ("auxiliary=classification conditioning=codes", r"type conditioning=labels \(or projection\)"),
        ("auxiliary=mutual_information conditioning=labels", "needs latent codes; type conditioning=codes"),
        ("auxiliary=pulling_away", "type network=autoencoder or network=began, or auxiliary=none"),
        ("auxiliary=[classification,mutual_information] conditioning=labels", "type conditioning=codes"),
        ("auxiliary=[classification,mutual_information] conditioning=codes", "type conditioning=labels"),
    ],
)
def test_a_term_without_what_it_reads_says_what_to_type(words, cure):
    with pytest.raises(UserError, match=cure):
        built("network=mlp", *words.split())


def test_refusals_name_the_network_itself_and_not_what_is_wrapped_around_it():
    with pytest.raises(UserError, match="which MLPDiscriminator does not have"):
        built("network=mlp", "conditioning=projection", "auxiliary=pulling_away")
