"""Jobs in PostgreSQL: deferred in the caller's own transaction, so that work and the reason for it commit together.

Job arguments are opaque ids only. A failing job is tried for ever with a capped wait (dependencies, section 2):
what must not be lost has its own table and is only woken by a job.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import procrastinate
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job
from procrastinate.tasks import Task
from sqlalchemy import text
from sqlalchemy.orm import Session

from vocabulary.errors import Unavailable

LONGEST_WAIT_SECONDS = 300
STALLED_AFTER_SECONDS = 60
_COUNTS = text(
    "SELECT count(*) FILTER (WHERE due), count(*) FILTER (WHERE status = 'todo' AND NOT due),"
    " count(*) FILTER (WHERE status = 'doing'), count(*) FILTER (WHERE status = 'failed'),"
    " min(greatest(scheduled_at, at)) FILTER (WHERE due) FROM (SELECT j.status, j.scheduled_at, e.at,"
    "  j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= :now) AS due FROM procrastinate_jobs j"
    "  LEFT JOIN LATERAL (SELECT min(at) AS at FROM procrastinate_events WHERE job_id = j.id AND j.status = 'todo'"
    "   AND type = 'deferred') e ON true) jobs"
)


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


def defer(
    session: Session, task: Task[Any, Any, Any], *, lock: str | None = None, priority: int = 0, **ids: str
) -> None:
    """Add a job inside the session's transaction: a rollback leaves none. Higher priorities go first."""
    connection = session.connection().connection.driver_connection
    task.configure(connection=connection, lock=lock, priority=priority).defer(**ids)


@dataclass(frozen=True)
class JobCounts:
    """How many jobs could begin now (`due`), wait for their next try, are being done, or ended in an error; and since
    when the oldest due one waits."""

    due: int
    later: int
    doing: int
    failed: int
    oldest_due_at: datetime | None


def count_jobs(session: Session, now: datetime) -> JobCounts:
    """For the operator; jobs that succeeded are gone, so the table is as long as what there is to do."""
    return JobCounts(*session.execute(_COUNTS, {"now": now}).one())


async def sweep_stalled(app: procrastinate.App) -> int:
    """Give back the jobs of workers that were killed; returns how many."""
    stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS)
    found = 0
    for job in stalled:
        await app.job_manager.retry_job(job)
        found += 1
    return found
