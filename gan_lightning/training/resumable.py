"""What a run that was started before has left to do."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from gan_lightning.build import build
from gan_lightning.config.compose import leaves
from gan_lightning.config.messages import word_of
from gan_lightning.errors import UserError
from gan_lightning.loggers import RunLabel
from gan_lightning.training.ending import draw, in_seconds, now, readable
from gan_lightning.training.lock import locked_run
from gan_lightning.training.objective import read_objective
from gan_lightning.training.run import Result, run_exists_error, settle_budget, settle_folder, train
from gan_lightning.training.run_folder import RunFolder, read_checkpoint

log = logging.getLogger(__name__)


class SpentError(UserError):
    """A run has nothing left to do."""


def check_resumable(cfg: DictConfig, content: Mapping[str, Any], run: str) -> None:
    """Refuse to resume a run that has nothing left to do.

    Args:
        cfg: The configuration to go on with.
        content: The checkpoint to go on from.
        run: The run's folder, as it was typed.

    Raises:
        SpentError: The budget is spent, or the learning rates have come to 0.
        UserError: The checkpoint holds weights alone.
    """
    if missing := {"optimizer_states", "loops", "counters", "callbacks", "random_states"} - content.keys():
        raise UserError(f"{run} cannot be resumed: its checkpoint holds no {', '.join(sorted(missing))}")
    rates = [group["lr"] for optimizer in content["optimizer_states"] for group in optimizer["param_groups"]]
    if not any(rates):
        raise SpentError(
            f"{run} has followed its schedule down to a learning rate of 0: more steps would change nothing; start a "
            "new run with a longer schedule (max_generator_steps= in the best recipes, or "
            "optimizer.scheduler.total_iters=)"
        )
    check_budget(cfg, content, run)
    check_time(cfg.trainer.max_time, content["callbacks"].get("Timer"), run)


def check_budget(cfg: DictConfig, content: Mapping[str, Any], run: str) -> None:
    """Refuse a budget of passes, images or steps that the checkpoint has spent."""
    done = {
        "trainer.max_epochs": content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"],
        "trainer.max_steps": content["global_step"],
        "max_images": content["counters"]["images_seen"],
        "max_generator_steps": content["counters"]["generator_steps"],
    }
    limits = {key: OmegaConf.select(cfg, key) for key in done}
    for key, limit in limits.items():
        if limit is not None and 0 < limit <= done[key]:
            raise SpentError(
                f"{run} has spent its budget: {key}={limit:,}, and {done[key]:,} are done; "
                f"type resume {word_of('run', run)} {key}={2 * done[key]} to go on"
            )


def check_time(limit: str | None, timer: dict[str, Any] | None, run: str) -> None:
    """Refuse a budget of time that is spent, as Lightning's Timer has counted it over all sessions."""
    if limit is None or timer is None:
        return
    spent = timer["time_elapsed"]["train"]
    if spent >= in_seconds(limit):
        raise SpentError(
            f"{run} has spent its budget: trainer.max_time={limit}, and {spent:.0f} seconds are done; "
            f"type resume {word_of('run', run)} trainer.max_time= with a longer time, or trainer.max_time=null and "
            "another budget"
        )


def finish_killed(cfg: DictConfig, folder: RunFolder, content: Mapping[str, Any]) -> None:
    """Record the end of a run that was killed after its last step, and draw its curves."""
    if folder.status().get("state") == "finished":
        return
    counters = {name: content["counters"][name] for name in ("generator_steps", "images_seen")}
    folder.write_status({"seconds": 0} | folder.unended_status() | counters | {"state": "finished", "ended": now()})
    draw(folder, build(cfg.loss))


# Jobs of a sweep


def train_job(cfg: DictConfig, folder: RunFolder, label: RunLabel) -> Result:
    """Train a job of a sweep, or what is left of it when the sweep was started before: a finished one is skipped.

    Args:
        cfg: A composed configuration.
        folder: The job's folder.
        label: Name, choices and sweep of the run, which dashboards show.

    Raises:
        UserError: Another process works on the job, the folder holds a run of another configuration, or training fails.
    """
    with locked_run(folder.path):
        state = folder.status().get("state")
        checkpoint = folder.newest_checkpoint() if state and state != "finished" else None
        if state != "finished" and checkpoint is None:
            return train(cfg, folder, label)
        refuse_other_run(cfg, folder)
        if state == "finished":
            log.info("%s is finished: skipped", readable(folder.path))
            return earlier_result(cfg, folder)
        assert checkpoint is not None
        return go_on(cfg, folder, label, checkpoint)


def go_on(cfg: DictConfig, folder: RunFolder, label: RunLabel, checkpoint: Path) -> Result:
    """Train a job from its checkpoint on."""
    content = read_checkpoint(checkpoint)
    try:
        check_resumable(cfg, content, str(folder.path))
    except SpentError:
        finish_killed(cfg, folder, content)
        log.info("%s was killed after its last step: nothing is left to do", readable(folder.path))
        return earlier_result(cfg, folder)
    steps = content["counters"]["generator_steps"]
    log.info("%s goes on where it stopped, at generator step %s", readable(folder.path), f"{steps:,}")
    folder.set_aside_damaged()
    return train(cfg, folder, label, checkpoint)


def earlier_result(cfg: DictConfig, folder: RunFolder) -> Result:
    """The result of a run that is finished: its objective stands in status.json, or else is that of its last scores."""
    objective = folder.status().get("objective")
    if objective is None:
        measured = {record.score: torch.tensor(record.value) for record in folder.scores() if record.during_training}
        objective = read_objective(cfg.objective, measured)
    return Result("finished", objective)


def refuse_other_run(cfg: DictConfig, folder: RunFolder) -> None:
    """Refuse a folder whose run has another configuration than this one, but for where its numbers are sent."""
    if differing := list(differing_values(cfg, folder)):
        raise run_exists_error(folder, f" of another configuration ({', '.join(differing[:5])})")


def differing_values(cfg: DictConfig, folder: RunFolder) -> dict[str, tuple[Any, Any]]:
    """What a configuration and that of a folder's run have different, but for where its numbers are sent.

    Returns:
        The values of both, the folder's last, by their full keys; None stands for a key that one does not have.
    """
    settled = cfg.copy()
    settle_budget(settled)
    settle_folder(settled)
    ours, theirs = flat(settled), flat(folder.config(trust=True))  # which is compared, and not built
    differing = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    return {key: (ours.get(key), theirs.get(key)) for key in differing if not key.startswith("logger")}


def flat(cfg: DictConfig) -> dict[str, Any]:
    """All values of a configuration, resolved, by their full keys."""
    return dict(leaves(OmegaConf.to_container(cfg, resolve=True)))
