"""Lightning's Trainer: each of its options works as documented, or is refused with what to type instead."""

import inspect
import logging

import pytest
from pytorch_lightning import Trainer

from gan_lightning.config.compose import compose
from gan_lightning.config.schema import check
from gan_lightning.config.trainer import REFUSED, TAKEN
from gan_lightning.errors import UserError
from gan_lightning.training.run import trainer_options
from tests.helpers import SHORT, run, same, weights

pytestmark = pytest.mark.slow

OPTIONS = sorted(inspect.signature(Trainer).parameters)


def slow(case):
    return pytest.param(case, marks=pytest.mark.slow)


VALUES = {  # of each option that a run takes: what is typed, and what the Trainer is given
    "accelerator": ("cpu", "cpu"),
    "benchmark": ("yes", True),
    "detect_anomaly": ("true", True),
    "deterministic": ("warn", "warn"),
    "devices": ("'1'", 1),
    "enable_model_summary": ("on", True),
    "inference_mode": ("false", False),
    "limit_train_batches": ("4", 4),
    "log_every_n_steps": ("2", 2),
    "max_epochs": ("2.0", 2),
    "max_steps": ("12", 12),
    "max_time": ("00:00:05:00", "00:00:05:00"),
    "num_nodes": ("1", 1),
    "profiler": ("simple", "simple"),
    "strategy": ("auto", "auto"),
    "sync_batchnorm": ("no", False),
}

WRONG = {
    "devices": ("0", "it should be greater than 0"),
    "limit_train_batches": ("0", "it should be greater than 0"),
    "max_epochs": ("true", "max_epochs=true is not allowed: it should be a number"),
    "max_steps": ("0", "it should be greater than 0, or it should be -1"),
    "max_time": ("5min", "it should be of the form DD:HH:MM:SS; type trainer.max_time=00:00:05:00 for five minutes"),
    "accelerator": ("tpu", "it should be 'auto', 'cpu'"),
    "profiler": ("xla", "it should be 'simple', 'advanced' or 'pytorch'"),
    "strategy": ("fsdp", "it should be 'auto', 'ddp'"),
    "sync_batchnorm": ("maybe", "it should be a valid boolean"),
}


def test_every_option_of_lightnings_is_known():
    assert sorted([*TAKEN, *REFUSED]) == OPTIONS and sorted(VALUES) == sorted(TAKEN)


@pytest.mark.parametrize("option", REFUSED)
def test_options_without_effect_are_refused_by_name(option):
    for value in ("1", "true", "null", "x"):
        with pytest.raises(UserError, match=f"^trainer.{option} is not an option of a run: .* "):
            check(compose(f"+trainer.{option}={value}"))


@pytest.mark.parametrize("option", VALUES)
def test_the_trainer_is_given_what_the_check_understood(option):
    typed, meant = VALUES[option]
    cfg = compose(f"++trainer.{option}={typed}")
    check(cfg)
    assert repr(trainer_options(cfg)[option]) == repr(meant)


@pytest.mark.parametrize("option", WRONG)
def test_wrong_values_are_refused_by_name(option):
    value, message = WRONG[option]
    with pytest.raises(UserError, match=f"^trainer.{option}={value} is not allowed: .*") as caught:
        check(compose(f"++trainer.{option}={value}"))
    assert message in str(caught.value)


@pytest.mark.parametrize("time", ["00:00:00:00", "9999999999999:00:00:00"])
def test_a_time_is_at_least_a_second_and_is_one_that_can_be_counted(time):
    with pytest.raises(UserError, match="should be at least a second and less than 10,000 days"):
        check(compose(f"trainer.max_time={time}"))


def test_what_lightning_refuses_is_named(tmp_path):
    with pytest.raises(UserError, match=r"^Lightning builds no Trainer of .*, trainer.devices=\[0\], .* int > 0"):
        run(tmp_path / "run", *SHORT, "trainer.devices=[0]")


def test_another_trainer_and_unknown_options_are_refused():
    with pytest.raises(UserError, match=r"trainer._target_=builtins.dict is not allowed: a run is trained by pytorch"):
        check(compose("trainer._target_=builtins.dict"))
    with pytest.raises(UserError, match=r"trainer.max_epoch is not a valid option. Did you mean trainer.max_epochs\?"):
        check(compose("+trainer.max_epoch=1"))
    with pytest.raises(UserError, match=r"trainer._partial_ is not a valid option"):
        check(compose("+trainer._partial_=true"))


# What an option does


def test_steps_of_both_optimizers_are_lightnings_budget(tmp_path):
    folder = run(tmp_path / "run", *SHORT, "+trainer.max_steps=12")
    assert folder.status()["generator_steps"] == 6


def test_an_epoch_may_be_shorter_and_the_next_goes_on_with_other_images(tmp_path):
    limited = run(tmp_path / "limited", *SHORT, "trainer.max_epochs=3", "+trainer.limit_train_batches=2")
    whole = run(tmp_path / "whole", *SHORT, "max_generator_steps=6")
    assert limited.status()["images_seen"] == whole.status()["images_seen"] == 48
    assert same(weights(limited), weights(whole))


def test_a_summary_of_the_networks_is_shown(tmp_path, caplog, capsys):
    caplog.set_level(logging.INFO)
    run(tmp_path / "run", *SHORT, "max_generator_steps=2", "+trainer.enable_model_summary=true")
    assert "Total params" in caplog.text + capsys.readouterr().out


@pytest.mark.parametrize("profiler", ["simple", slow("advanced"), slow("pytorch")])
def test_a_profile_is_a_file_in_the_run_folder(tmp_path, profiler):
    folder = run(tmp_path / "run", *SHORT, "max_generator_steps=2", f"+trainer.profiler={profiler}")
    assert "Profile" in (folder.path / "fit-profile.txt").read_text()


@pytest.mark.parametrize(
    "option", ["detect_anomaly=true", "deterministic=true", "benchmark=true", "inference_mode=false"]
)
def test_options_of_how_are_no_options_of_what(tmp_path, option):
    one = run(tmp_path / "one", *SHORT, "max_generator_steps=2", f"++trainer.{option}")
    other = run(tmp_path / "other", *SHORT, "max_generator_steps=2")
    assert same(weights(one), weights(other))
