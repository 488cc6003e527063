"""The command resume: go on where a run stopped, in its own folder and W&B run."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict
from pydantic import Field

from gan_lightning.cli.options import CommandOptions, check_choices, keyed, parse, read_options
from gan_lightning.config.compose import compose
from gan_lightning.config.messages import did_you_mean, explained, word_of
from gan_lightning.config.schema import check
from gan_lightning.config.values import PathName
from gan_lightning.errors import UserError

CHANGEABLE = ("trainer.", "max_images", "max_generator_steps", "precision", "callbacks.", "data.dir")
"""What may change: what the weights, the optimizers and the order of the data do not depend on."""

ACCELERATOR_KEYS = ("accelerator", "devices", "strategy", "sync_batchnorm")
"""What the files of conf/accelerator set."""


SMALLEST = {"accelerator": "accelerator=auto", "logger": "logger=csv"}
"""The choice of a group that asks for the least."""


class Options(CommandOptions):
    """Go on where a run stopped, in its own folder.

      python -m gan_lightning resume run=FOLDER trainer.max_epochs=20

    A run goes on with the configuration it was started with. What can change is typed as in training: max_images=,
    max_generator_steps=, precision=, trainer.KEY=, callbacks.NAME.KEY=, data.dir=, accelerator= and logger=.
    """

    run: PathName = Field(description="Run folder; its last checkpoint is where training goes on.")


def main(words: list[str]) -> None:
    """Resume the run that the words name, some of its options changed.

    Raises:
        UserError: The folder holds no run, an option cannot change, or there is nothing left to train.
        KeyboardInterrupt: The user stopped the run.
    """
    overrides = parse(words)
    run = read_options(Options, keyed(it for it in overrides if it.key_or_group == "run")).run

    from gan_lightning.training.run import train
    from gan_lightning.training.run_folder import open_run

    folder, checkpoint = open_run(run)
    if checkpoint.resolve() != folder.last:
        raise UserError(f"{run} is not the run's last checkpoint, and going on from it would undo later ones")
    cfg = apply_overrides(folder.config(), (it for it in overrides if it.key_or_group != "run"))
    check_resumable(cfg, checkpoint, run)
    file = logging.FileHandler(folder.path / "train.log", delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(file)
    if train(cfg, folder, name=folder.path.name, checkpoint=checkpoint).state == "interrupted":
        raise KeyboardInterrupt


# Changes


def apply_overrides(cfg: DictConfig, overrides: Iterable[Override]) -> DictConfig:
    """Change options of a run's configuration, in place.

    Raises:
        UserError: An option does not exist, or the checkpoint depends on it.
    """
    for override in overrides:
        key = override.key_or_group
        if key in ("accelerator", "logger"):
            choose(cfg, key, override)
        elif key.startswith(CHANGEABLE):
            with explained():
                change(cfg, override)
        else:
            raise fixed_option_error(cfg, key)
    check(cfg)
    return cfg


def fixed_option_error(cfg: DictConfig, key: str) -> UserError:
    """The error for an option that cannot change, or does not exist."""
    allowed = [*(f"{name}KEY" if name.endswith(".") else name for name in CHANGEABLE), "accelerator", "logger"]
    if key.split(".")[0] not in cfg:
        return UserError(f"{key} is not a valid option.{did_you_mean(key, allowed)}")
    return UserError(
        f"{key} cannot change when a run goes on: its weights, optimizers and data order are settled; "
        f"start a new run, or change one of {', '.join(allowed)}"
    )


def choose(cfg: DictConfig, group: str, override: Override) -> None:
    """Take another choice of the groups `accelerator` and `logger`."""
    word = str(override.input_line)
    if override.type is OverrideType.DEL:
        raise UserError(f"{word}: every run has one; type {group}=NAME, such as {SMALLEST[group]}")
    check_choices([word])
    with explained([word]):
        chosen = compose(word)
    if group == "logger":
        cfg.logger = chosen.logger
    else:
        cfg.trainer.update({name: chosen.trainer[name] for name in ACCELERATOR_KEYS})


def change(cfg: DictConfig, override: Override) -> None:
    """Change, add (+key=value) or remove (~key) one option."""
    key = override.key_or_group
    if override.type is not OverrideType.DEL:
        OmegaConf.update(cfg, key, override.value(), force_add=override.type is not OverrideType.CHANGE)
        return
    parent, _, name = key.rpartition(".")
    with open_dict(cfg):
        node = OmegaConf.select(cfg, parent)
        if node is None or name not in node:
            raise UserError(f"{override.input_line}: {key} is not an option of this run; leave {key} out")
        del node[name]


# What is left to train


def check_resumable(cfg: DictConfig, checkpoint: Path, run: str) -> None:
    """Refuse to resume a run that has nothing left to do."""
    from gan_lightning.training.run_folder import read_checkpoint

    content = read_checkpoint(checkpoint)
    rates = [group["lr"] for optimizer in content["optimizer_states"] for group in optimizer["param_groups"]]
    if not any(rates):
        raise UserError(
            f"{run} has followed its schedule down to a learning rate of 0: more steps would change nothing; start a "
            "new run with a longer schedule (max_generator_steps= in the best recipes, or "
            "optimizer.scheduler.total_iters=)"
        )
    check_budget(cfg, content, run)
    check_time(cfg.trainer.max_time, content["callbacks"].get("Timer"), run)


def check_budget(cfg: DictConfig, content: dict[str, Any], run: str) -> None:
    """Refuse a budget of passes, images or steps that the checkpoint has spent."""
    done = {
        "trainer.max_epochs": content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"],
        "max_images": content["counters"]["images_seen"],
        "max_generator_steps": content["counters"]["generator_steps"],
    }
    limits = {key: OmegaConf.select(cfg, key) for key in done}
    for key, limit in limits.items():
        if limit is not None and 0 < limit <= done[key]:
            raise UserError(
                f"{run} has spent its budget: {key}={limit:,}, and {done[key]:,} are done; "
                f"type resume {word_of('run', run)} {key}={2 * done[key]} to go on"
            )


def check_time(limit: str | None, timer: dict[str, Any] | None, run: str) -> None:
    """Refuse a budget of time that is spent, as Lightning's Timer has counted it over all sessions."""
    if limit is None or timer is None:
        return
    from gan_lightning.training.run import in_seconds

    spent = timer["time_elapsed"]["train"]
    if spent >= in_seconds(limit):
        raise UserError(
            f"{run} has spent its budget: trainer.max_time={limit}, and {spent:.0f} seconds are done; "
            f"type resume {word_of('run', run)} trainer.max_time= with a longer time, or trainer.max_time=null and "
            "another budget"
        )
