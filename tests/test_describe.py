"""The command describe."""

import pytest

from gan_lightning.__main__ import run_command
from gan_lightning.config.compose import groups, options
from gan_lightning.errors import UserError

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("group", groups())
def test_every_choice_is_described_by_its_own_file(group, capsys):
    for choice, first_line in options(group).items():
        run_command("describe", f"{group}={choice}")
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"{group}={choice}" and lines[1].strip() == first_line


def test_a_models_options_are_those_of_what_it_chooses_too(capsys):
    run_command("describe", "model=wgan_gp")
    text = capsys.readouterr().out
    for line in (
        "penalty=wgan_gp ", "network.discriminator.norm=none ", "updates.n_critic=2", "optimizer.generator.lr=0.001",
        "model.latent_dim=64 ", "optimizer.discriminator.betas=[0.0,0.9]",
    ):  # fmt: skip
        assert f"\n  {line}" in text
    assert "coordinates of z\n" in text
    run_command("describe", "loss=BCE")
    assert "loss=BCE stands for loss=non_saturating\n" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["model"], ["seed=1"]])
def test_other_words_are_refused(words):
    with pytest.raises(UserError, match=r"^type describe GROUP=CHOICE, such as describe model=wgan_gp; groups: accel"):
        run_command("describe", *words)
    with pytest.raises(UserError, match=r"^model=wgam is not a valid choice. Did you mean wgan\?"):
        run_command("describe", "model=wgam")
