"""The W&B run of a run folder: the same one when the folder is resumed or evaluated."""

import logging
import os
import re
import shlex
from pathlib import Path
from typing import Any, Literal

from gan_lightning.files import write_atomically
from gan_lightning.loggers.label import RunLabel
from gan_lightning.loggers.wandb_logger import GuardedWandbLogger
from gan_lightning.loggers.wandb_server import choose_wandb_mode, logged_in
from gan_lightning.training.readers import is_readable, report
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)

SECONDS_TO_OPEN = 10.0
"""How long a server that answers may take to open a run."""

Job = Literal["train", "evaluate"]


def start_wandb(
    folder: Path,
    config: dict[str, Any],
    label: RunLabel,
    job: Job,
    required: bool,
    project: str,
    entity: str | None,
) -> GuardedWandbLogger | None:
    """A W&B run for this run folder, the same one when the folder is resumed or evaluated.

    Args:
        folder: The run folder.
        config: The run's whole configuration, which W&B shows beside the numbers.
        label: Name, group and tags of the W&B run.
        job: What is done: W&B shows it as the job type.
        required: Whether to record offline inside the run folder when the user is not logged in (logger=wandb); without
            it W&B is then left out (logger=auto), unless WANDB_MODE=offline asks for it. WANDB_MODE is obeyed.
        project: W&B's project.
        entity: W&B's user or team; None for the user's own default.

    Returns:
        The logger, or None when W&B is not used or could not start.
    """
    asked = os.environ.get("WANDB_MODE")
    if asked == "disabled" or not (required or asked == "offline" or logged_in()):
        log.info(
            "Weights & Biases is off%s: `wandb login` once turns it on, logger=wandb records offline",
            " (WANDB_MODE=disabled)" if asked == "disabled" else "",
        )
        return None
    mode = choose_wandb_mode()
    try:
        run = open_wandb_run(RunFolder(folder), mode, label, config, project=project, entity=entity, job_type=job)
        logger = GuardedWandbLogger(run, RunFolder(folder))
    except Exception as error:
        log.warning("Weights & Biases could not start (training goes on without it): %s", error)
        return None
    offline = sorted((folder / "wandb").glob("offline-run-*"))
    if mode == "offline" or offline:
        logger.upload = shlex.join(["wandb", "sync", *map(str, offline or [Path(run.dir).parent])])
    return logger


def open_wandb_run(folder: RunFolder, mode: str, label: RunLabel, config: dict[str, Any], **options: Any) -> Any:
    """The W&B run whose id stands in a run folder, or a new one; its curves are drawn against generator steps.

    Name, tags and notes are not sent again to a run that W&B's server has, where the user may have changed them.

    Args:
        folder: The run folder.
        mode: W&B's mode: online, offline or shared.
        label: Name, group and tags.
        config: The run's whole configuration.
        options: Further arguments of `wandb.init`.
    """
    import wandb

    id_file = folder.path / "wandb_id.txt"
    earlier = read_wandb_id(id_file)
    if earlier is None or mode == "offline":
        options |= {"name": label.name, "group": label.group, "tags": label.tags, "notes": notes_of(folder)}
    run = wandb.init(
        dir=folder.path,
        mode=mode,  # type: ignore[arg-type]
        id=earlier,
        resume="allow" if earlier else None,
        config=config | {"choices": dict(label.choices)},
        settings=wandb.Settings(init_timeout=SECONDS_TO_OPEN),
        reinit="finish_previous",
        **options,
    )
    write_atomically(id_file, run.id.encode())
    run.define_metric("generator_steps")
    run.define_metric("*", step_metric="generator_steps", step_sync=False)
    return run


def notes_of(folder: RunFolder) -> str:
    """What to know of a run that its configuration does not say: the command that started it, and where it is."""
    sessions = folder.status().get("sessions", [])
    commands = [str(entry["command"]) for entry in sessions[:1] if isinstance(entry, dict) and "command" in entry]
    return "\n".join([*commands, f"run folder: {folder.path.resolve()}"])


def read_wandb_id(file: Path) -> str | None:
    """The id of a run that goes on; None when there is none that can be read."""
    text = file.read_bytes().decode(errors="replace").strip() if is_readable(file) else None
    if text is None or re.fullmatch(r"[\w-]{1,64}", text, re.ASCII):
        return text
    report(f"{file} holds no id of a W&B run and is left out: a new one begins")
    return None
