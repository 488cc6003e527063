"""The command line: `python -m gan_lightning [VERB] [key=value ...]`; without a verb it trains."""

import difflib
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gan_lightning.training.run_folder import RunFolder

HELP = """\
Train and look at GANs on small images.

  python -m gan_lightning model=wgan_gp data=fashion_mnist     train
  python -m gan_lightning -m model=gan,wgan seed=0,1,2         train every combination
  python -m gan_lightning resume run=FOLDER [trainer.max_epochs=20]
  python -m gan_lightning sample run=FOLDER n=64 seed=0 out=grid.png
  python -m gan_lightning evaluate run=FOLDER                  every score, beside what real images score
  python -m gan_lightning evaluate images=FILE.npz data=mnist  the same for samples of any other program
  python -m gan_lightning classifier data=image_folder data.dir=FOLDER
  python -m gan_lightning list                                 every model, loss, network, data set ...
  python -m gan_lightning data                                 fetch and verify the data sets

  python -m gan_lightning model=wgan --cfg job                 print every option of a command, and train nothing
Options are the keys that this prints: python -m gan_lightning data.batch_size=32 seed=1 trainer.max_time=00:00:05:00
"""

log = logging.getLogger(__name__)


def main() -> None:
    """Run the verb that the command line names; errors of the user's are one message and status 2."""
    words = sys.argv[1:]
    if words[:1] in (["-h"], ["--help"], ["help"]):
        print(HELP, end="")
        return
    try:
        verb, words = split_verb(words)
        VERBS[verb](words)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at exit
        sys.exit(128 + signal.SIGPIPE)
    except (UserError, OSError) as error:  # the latter: a full disk, a folder one may not write to
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def split_verb(words: list[str]) -> tuple[str, list[str]]:
    """The verb, "train" when none is named, and the words after it."""
    if not words or words[0].startswith("-") or "=" in words[0] or words[0].startswith("~"):
        return "train", words
    if words[0] not in VERBS:
        close = difflib.get_close_matches(words[0], VERBS, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise UserError(f"{words[0]} is no verb.{hint} Allowed: {', '.join(VERBS)}; options are written key=value")
    return words[0], words[1:]


def train(words: list[str]) -> None:
    """Train one run, or a sweep of several, under Hydra."""
    import hydra

    from gan_lightning.config.schema import CONF_DIR, CONFIG_ERRORS, explain

    sys.argv[1:] = words  # what Hydra, and the helper processes of a several-process run, read
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors on instead of printing them
    errors: list[Exception] = []
    try:
        hydra.main(str(CONF_DIR), "train", version_base="1.3")(lambda cfg: job(cfg, errors))()
    except CONFIG_ERRORS as error:
        raise explain(error) from error
    if errors:
        raise errors[0]


def used(folder: "RunFolder", sweeping: bool) -> UserError:
    """The error for a folder that holds a run already, which is never written over."""
    return UserError(
        f"{folder.path} already holds a run; go on with it by `python -m gan_lightning resume run={folder.path}`, "
        f"or type another hydra.{'sweep' if sweeping else 'run'}.dir="
    )


def job(cfg: "DictConfig", errors: list[Exception]) -> float | None:
    """Hydra's task: one run. Its error is kept, so that the other jobs of a sweep go on."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from gan_lightning.training.run import train as train_run
    from gan_lightning.training.run_folder import RunFolder

    hydra_cfg = HydraConfig.get()
    sweeping = hydra_cfg.mode == RunMode.MULTIRUN
    folder = RunFolder(Path(hydra_cfg.runtime.output_dir))
    choices: Any = hydra_cfg.runtime.choices
    name = hydra_cfg.job.override_dirname or f"{choices.model}-{choices.data}"
    if folder.is_used() and "LOCAL_RANK" not in os.environ:  # a helper process shares the folder of the first
        errors.append(used(folder, sweeping))
        return float("inf")
    try:
        if sweeping:
            refuse_processes_in_sweep(cfg)
        ending = train_run(cfg, folder, name, group=Path(hydra_cfg.sweep.dir).name if sweeping else None)
    except Exception as error:
        keep(error, folder, sweeping, errors)
        return float("inf")
    finally:
        gc.collect()
    if ending == "interrupted":
        raise KeyboardInterrupt  # nor do the jobs of a sweep that were to follow start
    return None


def keep(error: Exception, folder: "RunFolder", sweeping: bool, errors: list[Exception]) -> None:
    """Report a job's error: in a sweep now and in the summary, otherwise as the command's own."""
    if not sweeping:
        errors.append(error)
        if not folder.status() and folder.path.is_dir() and not any(folder.path.iterdir()):
            folder.path.rmdir()
        return
    log.error("%s: %s", folder.path.name, error, exc_info=None if isinstance(error, UserError) else error)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write_status(folder.status() | {"state": "failed", "error": str(error)})


def refuse_processes_in_sweep(cfg: "DictConfig") -> None:
    """Lightning starts a run's helper processes by repeating the command line, which would repeat the sweep."""
    if cfg.trainer.devices != 1:
        raise UserError(
            f"a sweep cannot start runs of several processes (trainer.devices={cfg.trainer.devices}); "
            "type trainer.devices=1, or start the runs one by one"
        )


def command(name: str) -> Callable[[list[str]], None]:
    """A verb of gan_lightning.cli.commands, imported when it is used."""

    def run(words: list[str]) -> None:
        from gan_lightning.cli import commands

        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
        getattr(commands, name)(words)

    return run


VERBS: dict[str, Callable[[list[str]], None]] = {
    "train": train,
    "resume": command("resume"),
    "sample": command("sample"),
    "evaluate": command("evaluate"),
    "classifier": command("classifier"),
    "list": command("list_choices"),
    "data": command("fetch_data"),
}


if __name__ == "__main__":
    main()
