"""What a study says while it runs: job i of n, the time that is left, and the best so far."""

import logging
import statistics
import time
from collections.abc import Mapping
from datetime import timedelta

from gan_lightning.study.plan import Job, Study
from gan_lightning.study.results import Outcome, best, digits, leading_score
from gan_lightning.training.ending import readable

log = logging.getLogger(__name__)


class Progress:
    """A line when a job starts, and one when it ends.

    Args:
        study: The plan.
        outcomes: How each job stands; whoever changes it calls `ended`.
        at_once: How many jobs run at a time.
    """

    def __init__(self, study: Study, outcomes: Mapping[Job, Outcome], at_once: int) -> None:
        self.outcomes = outcomes
        self.at_once = at_once
        self.score = leading_score(study.scores)
        self.numbers = {job: number for number, job in enumerate(outcomes, 1)}
        self.started_at: dict[Job, float] = {}
        self.durations: list[float] = []

    def started(self, job: Job) -> None:
        """A job starts."""
        self.started_at[job] = time.monotonic()
        self.say(job, "starts")

    def ended(self, job: Job) -> None:
        """A job has ended, and its outcome is known."""
        self.durations.append(time.monotonic() - self.started_at.pop(job))
        self.say(job, ", ".join([self.describe(job), *self.best_so_far(job), *self.time_left()]))

    def say(self, job: Job, what: str) -> None:
        """A line about a job."""
        log.info("job %s of %s  %s: %s", f"{self.numbers[job]:>2}", len(self.numbers), job.name, what)

    def describe(self, job: Job) -> str:
        """How a job has ended."""
        outcome = self.outcomes[job]
        if not outcome.finished:
            first, *more = outcome.error.splitlines()
            return f"failed: {first}{' ...' if more else ''} (see {readable(job.folder)})"
        value = outcome.records.get(self.score)
        return f"finished{'' if value is None else f' with {self.score} {digits(value.value)}'}"

    def best_so_far(self, job: Job) -> list[str]:
        """The best job on the data set of a job."""
        found = best(self.outcomes, job.data, self.score)
        return [] if found is None else [f"best so far {digits(found[1])} ({found[0].name})"]

    def time_left(self) -> list[str]:
        """About how long the jobs that are left will take, judging by those of this session."""
        waiting = [job for job, outcome in self.outcomes.items() if not outcome.finished and not outcome.error]
        if not waiting:
            return []
        mean, now = statistics.mean(self.durations), time.monotonic()
        spent = [min(mean, now - self.started_at[job]) for job in waiting if job in self.started_at]
        left = (mean * len(waiting) - sum(spent)) / self.at_once
        return [f"about {timedelta(seconds=round(left))} left"]
