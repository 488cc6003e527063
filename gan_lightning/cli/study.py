"""The command study: several arms, data sets and seeds, trained with the same budget, scored and compared."""

import logging
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import yaml
from hydra.core.override_parser.types import Override
from pydantic import BeforeValidator, Field, PositiveInt

from gan_lightning.cli.options import expand, keyed, parse, typed_value
from gan_lightning.config.compose import CONF_DIR, options
from gan_lightning.config.messages import did_you_mean
from gan_lightning.config.schema import check_value
from gan_lightning.config.values import PathName
from gan_lightning.errors import UserError
from gan_lightning.study.plan import EXAMPLE, Budget, Study, as_list, quote_words

if TYPE_CHECKING:
    from gan_lightning.study.plan import Job
    from gan_lightning.study.results import Outcome
    from gan_lightning.study.running import Process

log = logging.getLogger(__name__)


class Options(Study):
    """Compare arms, such as models, over data sets and seeds: train each, score it on test images, print a table.

      python -m gan_lightning study study=comparative
      python -m gan_lightning study arms=[model=dcgan,model=lsgan] data=mnist_5k budget.minutes=2 out=FOLDER jobs=2

    Every run is a job with a folder of its own. Whatever ends a study, the same command goes on with it: jobs that are
    finished are skipped, and one that was stopped goes on from its checkpoint. A job that fails does not stop the
    others. More seeds or arms can be added; another budget or option needs another folder. What else is typed, such as
    network=mlp or data.dir=FOLDER, goes to every run.
    """

    study: PathName | None = Field(
        None, description="Plan to start from, as `list study` names them, or FILE.yaml of your own."
    )
    out: PathName | None = Field(None, description="Folder of the jobs; null: runs/study-NAME with study=NAME.")
    runs: Annotated[list[PathName], BeforeValidator(as_list)] = Field(
        [], description="Folders of finished runs: one that a job would train is copied instead."
    )
    jobs: PositiveInt = Field(1, description="Jobs that run at a time; they divide the processor's threads.")


def main(words: list[str]) -> None:
    """Run the study that the words say, or what is left of it.

    Raises:
        UserError: Something in it cannot be trained, or the folder holds another study; nothing has started yet.
        SystemExit: A job failed; the others have run.
    """
    plan = read_plan(words)
    out = Path(plan.out or f"runs/study-{Path(plan.study or '').stem}").absolute()

    from gan_lightning.config.stored import import_from_here
    from gan_lightning.study.checking import check_arms, prepare_data, refuse_other_study
    from gan_lightning.study.existing import take_runs
    from gan_lightning.study.plan import make_jobs
    from gan_lightning.training.lock import locked
    from gan_lightning.training.run import quieten_lightning

    import_from_here()
    quieten_lightning()
    composed = check_arms(plan)
    jobs = make_jobs(plan, out)
    with locked(out, "a folder has one study at a time"):
        refuse_other_study(jobs, composed)
        take_runs(jobs, composed, plan.runs)
        prepare_data(composed, plan)
        outcomes = run_study(plan, jobs, out)
        conclude(plan, outcomes, out)


def run_study(plan: Options, jobs: "list[Job]", out: Path) -> "dict[Job, Outcome]":
    """Run the jobs that are not finished; study.json says at any time how they stand."""
    from gan_lightning.study.progress import Progress
    from gan_lightning.study.results import read_outcome, record_study
    from gan_lightning.study.running import run_jobs, start_job, threads_each
    from gan_lightning.training.ending import readable
    from gan_lightning.training.run_folder import RunFolder

    def outcome_of(job: "Job", error: str = "") -> "Outcome":
        found = read_outcome(RunFolder(job.folder), plan.scores, plan.n)
        return found if found.finished else replace(found, error=error)

    def start(job: "Job") -> "Process":
        progress.started(job)
        return start_job(job, plan, out.name, threads)

    def ended(job: "Job", error: str) -> None:
        outcomes[job] = outcome_of(job, error or "it left no scores")
        record_study(plan, out, outcomes)
        progress.ended(job)

    outcomes = {job: outcome_of(job) for job in jobs}
    record_study(plan, out, outcomes)
    waiting = [job for job in jobs if not outcomes[job].finished]
    threads, progress = threads_each(plan.jobs), Progress(plan, outcomes, plan.jobs)
    log.info("study   %s: %s jobs, %s of them finished before", readable(out), len(jobs), len(jobs) - len(waiting))
    log.info("budget  %s each; %s at a time, threads of each: %s", plan.budget, plan.jobs, threads)
    try:
        run_jobs(waiting, plan.jobs, start, ended)
    except KeyboardInterrupt:
        log.info("\nstopped, everything saved: the same command goes on")
        raise
    return outcomes


def conclude(plan: Options, outcomes: "dict[Job, Outcome]", out: Path) -> None:
    """Print the table, write the report, and name the jobs that failed.

    Raises:
        SystemExit: A job failed.
    """
    from gan_lightning.report.page import write_report
    from gan_lightning.study.results import format_table
    from gan_lightning.training.ending import readable

    for line in format_table(plan, outcomes):
        log.info("%s", line)
    page, *_ = write_report([out], out / "report.html")
    log.info("report  %s: who beats whom, curves, images, and the command of each run", readable(page))
    failed = {job: outcome for job, outcome in outcomes.items() if not outcome.finished}
    if failed:
        log.info("\n%s of %s jobs failed; the same command tries them again:", len(failed), len(outcomes))
        for job, outcome in failed.items():
            log.info("  %s: %s", job.name, outcome.error)
        sys.exit(1)


# Reading the plan


def read_plan(words: list[str]) -> Options:
    """The plan that the words say: that of study=, what is typed in its place, and the rest for every run.

    Raises:
        UserError: A value is not allowed, or something is missing.
    """
    own, others = split_words(words)
    typed = keyed(parse(map(quote_words, own)))
    hints = get_type_hints(Options, include_extras=True)
    name = check_value("study", typed_value(typed["study"], str), str) if "study" in typed else None
    values: dict[str, Any] = read_file(name) if name is not None else {}
    values |= {key: typed_value(override, hints[key]) for key, override in typed.items() if "." not in key}
    values["arms"] = check_value("arms", values.get("arms", {}), hints["arms"]) | parts_of(typed, "arms")
    if "budget" in values:
        values["budget"] = read_budget(values["budget"])
    if limits := parts_of(typed, "budget"):  # in the place of the file's
        values["budget"] = read_budget(limits)
    values["overrides"] = [*check_value("overrides", values.get("overrides", []), hints["overrides"]), *others]
    plan = Options(**{key: check_value(key, value, hints[key]) for key, value in values.items()})
    return complete(plan, bool(name))


def split_words(words: list[str]) -> tuple[list[str], list[str]]:
    """The words of the study, and those for every run."""
    own = [
        word for word in words if re.match(r"(arms|budget)\.", word) or word.partition("=")[0] in Options.model_fields
    ]
    return own, [word for word in words if word not in own]


def parts_of(typed: dict[str, Override], head: str) -> dict[str, Any]:
    """The values of the options HEAD.NAME=, by their names."""
    found = {key.partition(".")[2]: override.value() for key, override in typed.items() if key.startswith(f"{head}.")}
    return {
        name: str(value) if head == "arms" and not isinstance(value, list) else value for name, value in found.items()
    }


def read_file(name: str) -> dict[str, Any]:
    """The plan in a file of conf/study, or in any yaml file.

    Raises:
        UserError: There is no such file, or it is not a plan.
    """
    file = CONF_DIR / "study" / f"{name}.yaml"
    if not file.is_file():
        file = Path(name)
    if not file.is_file():
        raise UserError(f"study={name} is neither a plan nor a file.{did_you_mean(name, options('study'))}")
    try:
        content = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} is not a plan: it should have keys such as arms, data, seeds and budget")
    for key in content:
        if key not in Study.model_fields:
            raise UserError(f"{file}: {key} is not a valid option.{did_you_mean(str(key), Study.model_fields)}")
    return content


def read_budget(limits: object) -> Budget:
    """A budget, which is one limit.

    Raises:
        UserError: It is none, or not allowed.
    """
    names = Budget.model_fields
    if not isinstance(limits, dict) or len(limits) != 1:
        raise UserError(f"budget={limits} is not allowed: it should have one of {', '.join(names)}")
    ((name, limit),) = limits.items()
    if name not in names:
        raise UserError(f"budget.{name} is not a valid option.{did_you_mean(str(name), names, 'budget.')}")
    hint = get_type_hints(Budget, include_extras=True)[name]
    return Budget(**{name: check_value(f"budget.{name}", limit, hint)})


def complete(plan: Options, named: bool) -> Options:
    """The plan with the full words for aliases; it has arms, a budget and a folder.

    Raises:
        UserError: One of these is missing.
    """
    if not plan.arms:
        raise UserError(f"arms= is missing: type study=NAME ({', '.join(options('study'))}), or {EXAMPLE}")
    if plan.budget is None:
        raise UserError(
            "the budget of each run is missing: type budget.max_images=200000, budget.max_generator_steps=3000 or "
            "budget.minutes=5"
        )
    if plan.out is None and not named:
        raise UserError("out= is missing: type out=FOLDER, in which the same command goes on when it was stopped")
    arms = {name: expand(words) for name, words in plan.arms.items()}
    return plan.model_copy(update={"arms": arms, "overrides": expand(plan.overrides)})
