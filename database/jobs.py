"""Jobs in PostgreSQL: deferred in the caller's own transaction, so that work and the reason for it commit together.

Job arguments are opaque ids only. A failing job is tried for ever with a capped wait (dependencies, section 2):
what must not be lost has its own table and is only woken by a job.
"""

from __future__ import annotations

import random
from typing import Any

import procrastinate
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job
from procrastinate.tasks import Task
from sqlalchemy.orm import Session

from vocabulary.errors import Unavailable

LONGEST_WAIT_SECONDS = 300
STALLED_AFTER_SECONDS = 60


class CappedWait(BaseRetryStrategy):
    """Wait 2, 4, 8 … seconds, never over five minutes, with up to a fifth of jitter; for ever.

    Whoever was asked may have said when to come back (Retry-After): not before then.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        wait = wait_seconds(job.attempts, random.random())  # noqa: S311 - jitter
        told = exception.retry_after_seconds if isinstance(exception, Unavailable) else None
        return RetryDecision(retry_in={"seconds": max(wait, told or 0)})


def wait_seconds(attempts: int, chance: float) -> int:
    """The wait before try `attempts` + 1; `chance` is in [0, 1)."""
    wait = LONGEST_WAIT_SECONDS if attempts > 8 else min(LONGEST_WAIT_SECONDS, 2 ** (attempts + 1))
    return max(1, round(wait * (1 - chance / 5)))


def job_app(url: str, jobs: procrastinate.Blueprint) -> procrastinate.App:
    """The job application of one process; the connector opens only where `run_worker` needs it.

    Adding a blueprint's tasks renames them, so they are added once and later calls only change the connector.
    """
    connector = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=6)
    if jobs not in _BOUND:
        _BOUND[jobs] = procrastinate.App(connector=connector)
        _BOUND[jobs].add_tasks_from(jobs, namespace="portal")
    return _BOUND[jobs].with_connector(connector)


_BOUND: dict[procrastinate.Blueprint, procrastinate.App] = {}


def defer(session: Session, task: Task[Any, Any, Any], *, lock: str | None = None, **ids: str) -> None:
    """Add a job inside the session's transaction: a rollback leaves none."""
    connection = session.connection().connection.driver_connection
    task.configure(connection=connection, lock=lock).defer(**ids)


async def sweep_stalled(app: procrastinate.App) -> int:
    """Give back the jobs of workers that were killed; returns how many."""
    stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS)
    found = 0
    for job in stalled:
        await app.job_manager.retry_job(job)
        found += 1
    return found
