"""No command line ends in a traceback. `make fuzz` runs 20,000."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan_lightning.__main__ import dispatch
from gan_lightning.errors import UserError
from tests.fuzz.harness import Reached, guarded, run_words
from tests.fuzz.words import command_line

pytestmark = pytest.mark.slow

FOUND = [  # what ended in a traceback once
    ["list", "x={"],
    ["sample", "run=@x"],
    ["sample", "run={run}", "n=100000000000000"],
    ["sample", "run={run}", "seed=18446744073709551616"],
    ["data=mnist_5k", "+callbacks.metrics=7"],
    ["~data"],
    ["~data.balanced", "~optimizer"],
    ["data=mnist_5k", "~updates"],
    ["data=mnist_5k", "loss._target_=json"],
    ["data=mnist_5k", "loss._target_=builtins.dict"],
    ["data=mnist_5k", "+loss._partial_=true"],
    ["data=mnist_5k", "+callbacks.stop._target_=[]", "+callbacks.stop.monitor=frechet"],
    ["data=mnist_5k", "network.generator=str(3)"],
    ["data=mnist_5k", "updates=[null]"],
    ["data=mnist_5k", "hydra.verbose=-inf"],
    ["data=mnist_5k", "seed=18446744073709551616"],
    ["data=mnist_5k", "data.batch_size=1"],
    ["data=mnist_5k", "+trainer.logger=false"],
    ["data=mnist_5k", "+trainer.default_root_dir=x"],
    ["data=mnist_5k", "~logger.wandb.project"],
    ["data=mnist_5k", "~accelerator"],
    ["data=mnist_5k", "~trainer.devices"],
    ["data=mnist_5k", "~data.batch_size"],
    ["data=mnist_5k", "data.batch_size={_target_:torch.optim.lr_scheduler.StepLR,_partial_:true,step_size:3}"],
    ["accelerator=[1,2]", "data=mnist_5k"],
    ["resume", "run={run}", "max_images=::"],
    ["resume", "run={run}", "max_generator_steps=torch.optim.Adam"],
    ["resume", "run={run}", "~logger"],
    ["resume", "run={run}", "accelerator=[]", "logger=csv", "trainer.max_epochs=20"],
    ["resume", "run={run}", "logger=[]", "trainer.max_epochs=20"],
]


@pytest.mark.parametrize("words", FOUND, ids=" ".join)
def test_what_ended_in_a_traceback_once_is_a_message(places, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    words = [word.replace("{run}", str(places["run"])) for word in words]
    assert run_words(words) is None


MESSAGES = {
    "data=mnist_5k +callbacks.metrics=7": r"^callbacks.metrics=7 is not allowed: it should be a class with its options",
    "~data": r"^~data is not possible: every run has one; type data=, or leave ~data out",
    "data=mnist_5k loss._target_=builtins.dict": r"^loss._target_=builtins.dict says nothing about its arguments",
    "data=mnist_5k loss._target_=fractions.Fraction": r"^loss: fractions.Fraction gives no gan_lightning.losses.Loss",
    "data=mnist_5k data.batch_size=1": r"^data.batch_size=1 gives batch norm one sample .* type data.batch_size=2",
    "data=mnist_5k seed=${nope}": r"^'seed=\${nope}': Interpolation key 'nope' not found",
    "data=mnist_5k accelerator=[1,2]": r"^accelerator=\[1,2\] is not a valid choice. Allowed: auto, cpu",
    "data=mnist_5k hydra.job.chdir=true": r"^hydra.job.chdir=true changes what relative paths mean",
    "data=mnist_5k +hydra.anything=1": r"^hydra.anything is not an option of Hydra's; leave it out",
    "data=mnist_5k +hydra.job.anything=1": r"^hydra.job.anything is not an option of Hydra's; leave it out",
    "data=mnist_5k hydra.run.dir=": r"^hydra.run.dir= is not allowed: it should name a file or folder",
    "data=mnist data.dir=": r"^data.dir= is not allowed: it should name a file or folder; type null",
    "data=image_folder data.dir=2024": r"^data.dir=2024 is not a folder",
    "data=image_folder data.dir=1e3": r"^data.dir=1e3 is not a folder",
    "sample run=007": r"^run=007 is no run folder",
    "data name=mnist_5k dir=x": r"^name=mnist_5k comes with this program and is read from no other folder; leave dir=",
    "data dir=x": r"^dir=x is the folder of one data set: type name=NAME, too",
}


@pytest.mark.parametrize("line", MESSAGES)
def test_messages_name_the_word(tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    with guarded(), pytest.raises(UserError, match=MESSAGES[line]):
        dispatch(line.split())


def test_the_home_folder_is_found_wherever_a_path_is_typed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for words in (
        ["sample", "run=~/x"],
        ["data=image_folder", "data.dir=~/x"],
        ["evaluate", "images=~/x.npz", "data=mnist_5k"],
    ):
        with guarded(), pytest.raises(UserError, match=f"{tmp_path}/home/x"):
            dispatch(words)
    with guarded(), pytest.raises(Reached):
        dispatch(["data=mnist_5k", "hydra.run.dir=~/runs/x"])
    assert (tmp_path / "home" / "runs" / "x").is_dir() and not (tmp_path / "~").exists()


QUICK = {"derandomize": True, "database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=60, **QUICK)
@given(st.randoms(use_true_random=False))
def test_random_command_lines_end_in_messages(places, random: Random):
    words = command_line(random, places)
    trouble = run_words(words)
    assert trouble is None, words
