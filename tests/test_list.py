"""The command list: groups, and what a choice of one is."""

import pytest

from gan_lightning.__main__ import run_command
from gan_lightning.config.compose import groups, options
from gan_lightning.errors import UserError

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("group", groups())
def test_every_choice_is_described_by_its_own_file(group, capsys):
    for choice, first_line in options(group).items():
        run_command("list", f"{group}={choice}")
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"{group}={choice}" and lines[1].strip() == first_line


def test_a_models_options_are_those_of_what_it_chooses_too(capsys):
    run_command("list", "model=wgan_gp")
    text = capsys.readouterr().out
    for line in (
        "penalty=wgan_gp ", "network.discriminator.norm=none ", "updates.n_critic=2", "optimizer.generator.lr=0.001",
        "model.latent_dim=64 ", "optimizer.discriminator.betas=[0.0,0.9]",
    ):  # fmt: skip
        assert f"\n  {line}" in text
    assert "coordinates of z\n" in text
    run_command("list", "loss=BCE")
    assert "loss=BCE stands for loss=non_saturating\n" in capsys.readouterr().out


def test_without_words_every_choice_of_every_group_has_a_line(capsys):
    run_command("list")
    lines = capsys.readouterr().out.splitlines()
    for group in groups():
        start = lines.index(f"{group}=") + 1
        assert [line.split()[0] for line in lines[start : start + len(options(group))]] == list(options(group))


def test_a_groups_name_lists_it_alone_and_a_models_row_names_its_paper(capsys):
    run_command("list", "model", "loss")
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith("=")] == ["model=", "loss="]
    assert all("(arXiv:" in line for line in lines[1 : lines.index("")])


def test_each_line_fits_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    run_command("list")
    rows = capsys.readouterr().out.splitlines()[:-1]
    assert max(map(len, rows)) == 60 and any(row.endswith("...") for row in rows)
    run_command("list", "model=wgan_gp")
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 60 and "..." not in text
    assert " ".join(options("model")["wgan_gp"].split()) in " ".join(text.split())


MISTAKES = {
    "modl": r"^modl is neither a group nor GROUP=CHOICE, such as model=wgan_gp. Did you mean model\? Allowed: accel",
    "seed=1": "^seed=1 is neither a group nor GROUP=CHOICE",
    "wgan_gp": "^wgan_gp is a choice, not a group; type list model=wgan_gp or list penalty=wgan_gp$",
    "model=wgam": r"^model=wgam is not a valid choice. Did you mean wgan\?",
}


@pytest.mark.parametrize("word", MISTAKES)
def test_other_words_are_refused(word):
    with pytest.raises(UserError, match=MISTAKES[word]):
        run_command("list", word)
