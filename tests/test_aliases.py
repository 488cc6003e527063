"""The words people type: each stands for full words that do it, or gets a message that says what to type."""

import pytest

from gan_lightning.__main__ import run_command
from gan_lightning.cli.options import expand
from gan_lightning.config.aliases import ALIASES, CHOICES, HINTS, OTHER_NAMES, letters, translate
from gan_lightning.config.compose import compose, groups, options
from gan_lightning.config.messages import explained, full_keys
from gan_lightning.config.schema import check
from gan_lightning.errors import UserError

MEANINGS = {
    "lr=1e-4": "optimizer.generator.lr=1e-4 optimizer.discriminator.lr=1e-4",
    "LR=1e-4": "optimizer.generator.lr=1e-4 optimizer.discriminator.lr=1e-4",
    "learning_rate=1e-4": "optimizer.generator.lr=1e-4 optimizer.discriminator.lr=1e-4",
    "lr=1e-3,1e-4": "optimizer.generator.lr=1e-3,1e-4 optimizer.discriminator.lr=${optimizer.generator.lr}",
    "betas=[0,0.9]": "optimizer.generator.betas=[0,0.9] optimizer.discriminator.betas=[0,0.9]",
    "epochs=5": "trainer.max_epochs=5",
    "max_epochs=5": "trainer.max_epochs=5",
    "batch_size=32": "data.batch_size=32",
    "latent_dim=100": "model.latent_dim=100",
    "nz=100": "model.latent_dim=100",
    "width=64": "network.generator.width=64 network.discriminator.width=64",
    "steps=500": "max_generator_steps=500",
    "out=x": "hydra.run.dir=x",
    "model=DCGAN": "model=dcgan",
    "model=WGAN-GP,LSGAN": "model=wgan_gp,lsgan",
    "model=vanilla": "model=gan",
    "loss=saturating": "loss=minimax",
    "loss=BCE": "loss=non_saturating",
    "dataset=Fashion-MNIST": "data=fashion_mnist",
    "experiment=paper/WGAN-GP": "experiment=paper/wgan_gp",
    "gpus=0": "accelerator=cpu",
    "gpus=1": "accelerator=gpu",
    "gpus=2": "accelerator=multi_gpu trainer.devices=2",
    "device=cuda": "accelerator=gpu",
    "device=cuda:1": "accelerator=gpu trainer.devices=[1]",
    "annealing=[burn_in,linear_decay]": "annealing=[burn_in,linear_decay]",
    "model.latent_dim=3": "model.latent_dim=3",
    "+lr=3": "+lr=3",
    "~data": "~data",
    "device=abacus": "device=abacus",
}


@pytest.mark.parametrize("word", MEANINGS)
def test_a_word_stands_for_full_words(word):
    assert " ".join(translate([word])[0].meant) == MEANINGS[word]


def test_what_a_word_stands_for_is_printed(capsys):
    assert expand(["epochs=5", "seed=1"]) == ["trainer.max_epochs=5", "seed=1"]
    assert capsys.readouterr().out == "epochs=5 stands for trainer.max_epochs=5\n"


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_stands_for_options_that_exist(alias):
    keys = {key for data in ("mnist", "image_folder") for key in full_keys(compose(f"data={data}"))}
    assert set(ALIASES[alias]) <= keys


@pytest.mark.parametrize("group", CHOICES)
def test_other_names_are_of_choices_that_exist_and_hide_none(group):
    assert set(CHOICES[group].values()) <= options(group).keys()
    assert not {letters(name) for name in CHOICES[group]} & {letters(name) for name in options(group)}


@pytest.mark.parametrize("group", groups())
def test_choices_differ_by_more_than_case_and_separators(group):
    assert len({letters(name) for name in options(group)}) == len(options(group))


def test_no_word_has_two_meanings():
    keys = set(compose())
    for words in (ALIASES, OTHER_NAMES, HINTS):
        assert not (words.keys() & keys) - {"objective"} and not words.keys() & set(groups())
    assert not ALIASES.keys() & OTHER_NAMES.keys() and not HINTS.keys() & (ALIASES.keys() | OTHER_NAMES.keys())


def test_the_folder_of_a_sweep_is_not_that_of_a_run():
    assert [meant for _, meant in translate(["-m", "out=x"])] == [["-m"], ["hydra.sweep.dir=x"]]
    with pytest.raises(UserError, match=r"^hydra.run.dir=x has no effect in a sweep \(-m\): type hydra.sweep.dir=x"):
        run_command("train", "-m", "hydra.run.dir=x")
    with pytest.raises(UserError, match="^hydra.sweep.dir=x has no effect in a run without -m: type hydra.run.dir=x"):
        run_command("train", "hydra.sweep.dir=x")


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        ("--epochs 5", "trainer.max_epochs=5"),
        ("--epochs=5", "trainer.max_epochs=5"),
        ("--batch-size 8 seed=1", "data.batch_size=8"),
        ("--lr seed=1", "optimizer.generator.lr=VALUE optimizer.discriminator.lr=VALUE"),
        ("--wandb", "logger=wandb"),
    ],
)
def test_flags_of_other_programs_are_refused_with_what_to_type(words, typed):
    flag = words.split()[0].partition("=")[0]
    with pytest.raises(UserError, match=rf"^{flag} is not an option: options are typed as key=value; type {typed}$"):
        run_command("train", *words.split())


def test_flags_of_hydras_pass():
    assert [word for word, _ in translate(["--cfg", "job", "--config-dir=x", "-m"])] == [
        "--cfg", "job", "--config-dir=x", "-m",
    ]  # fmt: skip


WRONG = {
    "n_critics=3": r"n_critics is not a valid option. Did you mean updates.n_critic\?",
    "hidden=3": r"Did you mean network.generator.hidden or network.discriminator.hidden\?",
    "trainer.epochs=3": r"trainer.epochs is not a valid option. Did you mean trainer.max_epochs\?",
    "+data.bs=4": r"data.bs is not a valid option. Did you mean data.batch_size\?",
    "model.lr=3": r"Did you mean optimizer.generator.lr or optimizer.discriminator.lr\?",
    "beta1=0.5": r"^beta1 is not a valid option: type betas=\[0.5,0.999\]$",
    "lambda_gp=10": "^lambda_gp is not a valid option: type penalty.wgan_gp.weight=10$",
}


@pytest.mark.parametrize("word", WRONG)
def test_other_words_are_looked_for_everywhere(word):
    with pytest.raises(UserError, match=WRONG[word]), explained():
        check(compose(word))


@pytest.mark.parametrize(
    "hint", sorted({text for text in HINTS.values() if text.startswith("type ") and "python" not in text})
)
def test_what_a_hint_says_can_be_typed(hint):
    """As it stands, or with a value after its last =."""
    words = [word.strip(",.") for word in hint.split() if "=" in word]
    assert words
    for word in words:
        key, _, value = word.partition("=")
        if key in ALIASES or key == "hydra.run.dir":
            continue
        known = {*full_keys(compose("penalty=wgan_gp")), *groups()}
        assert key in known
        if key in groups() and value:
            assert value in options(key)
