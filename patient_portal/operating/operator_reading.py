"""One look at how the service stands, for the operator's page and the metrics; a row per store, none per person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from consent.operations import Operations, count_standing, read_operations
from consent.store_record import Times, count_confirmations, read_times
from database.context import as_nobody
from database.heartbeat import Process, processes
from database.jobs import JobCounts, count_jobs
from patient_portal.operating.reached import count_reached
from patient_portal.wiring import Wiring

NEEDED_PROCESSES = ("worker", "feed")


@dataclass(frozen=True)
class Reading:
    """What was read, and `now`, when. `times`: times to confirm by store, since the beginning. `mail`: whether a mail
    server is configured."""

    now: datetime
    operations: Operations
    times: dict[str, Times]
    processes: tuple[Process, ...]
    jobs: JobCounts
    mail: bool

    def at_work(self) -> dict[str, int]:
        """How many processes of each kind are at work; those that must be are named even when there is none."""
        counts = dict.fromkeys(NEEDED_PROCESSES, 0)
        for process in self.processes:
            counts[process.kind] = counts.get(process.kind, 0) + process.is_at_work(self.now)
        return counts


def read_standing(wiring: Wiring, now: datetime) -> Reading:
    """Read everything in one transaction; Unavailable when the database does not answer."""
    with wiring.database.begin(as_nobody()) as session:
        return Reading(
            now,
            read_operations(session),
            read_times(session),
            processes(session),
            count_jobs(session, now),
            wiring.settings.mail is not None,
        )


def count_for_the_operator(wiring: Wiring, now: datetime) -> None:
    """Count what lies across persons, and the receipts that came; `wiring` has the worker's login."""
    count_standing(wiring.database, now)
    count_reached(wiring.database, now)
    while count_confirmations(wiring.database, now):
        pass
