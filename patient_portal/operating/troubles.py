"""What of a reading needs a look, by the same limits as the alerts, each with its entry in the runbook. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from consent.operations import StoreNow
from patient_portal.operating.operator_reading import Reading
from vocabulary.phrase import Phrase, phrase

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Trouble:
    """`alert` names the runbook's entry, `says` is one sentence; `store` is the id of the store it is about, if any."""

    alert: str
    says: Phrase
    grave: bool = False
    store: str = ""

    @property
    def anchor(self) -> str:
        return self.alert.lower()


def troubles(reading: Reading) -> tuple[Trouble, ...]:
    """Everything that needs a look, the grave first."""
    found = [*_processes(reading), *_ledger(reading), *_people(reading)]
    for store in reading.operations.stores:
        found += _store(store, reading.now)
    return tuple(sorted(found, key=lambda trouble: not trouble.grave))


def _processes(reading: Reading) -> Iterator[Trouble]:
    at_work = reading.at_work()
    if not at_work["worker"]:
        yield Trouble("NoWorker", phrase("No worker is at work."), grave=True)
    if not at_work["feed"]:
        yield Trouble("NoFeed", phrase("No feed is at work: no store is told."), grave=True)
    counted = reading.operations.counts.get("positions")
    if counted is None or reading.now - counted.looked_at > 5 * MINUTE:
        yield Trouble("CountsAreOld", phrase("The numbers below are old."))
    if _age(reading.jobs.oldest_due_at, reading.now) > 10 * MINUTE:
        yield Trouble("JobsWait", phrase("Jobs wait for a worker."))
    if reading.jobs.failed:
        yield Trouble("JobsFailed", phrase("Jobs ended in an error: %(n)s.", n=str(reading.jobs.failed)))


def _ledger(reading: Reading) -> Iterator[Trouble]:
    counts = reading.operations.counts
    if "unsequenced" in counts and _age(counts["unsequenced"].oldest_at, reading.now) > MINUTE:
        yield Trouble("DecisionsUnsequenced", phrase("Decisions wait for their place in the order."), grave=True)
    if "unsealed" in counts and _age(counts["unsealed"].oldest_at, reading.now) > 5 * MINUTE:
        yield Trouble("LedgerUnsealed", phrase("The newest decisions are under no signed head."), grave=True)


def _people(reading: Reading) -> Iterator[Trouble]:
    waiting = [one for _, one in reading.operations.named("task") if _age(one.oldest_at, reading.now) > 2 * DAY]
    if waiting:
        yield Trouble("TasksWait", phrase("Tasks have waited two days for a person."))
    if not reading.mail:
        yield Trouble("NoMailServer", phrase("No mail server is set: late stores are not written to."))


def _store(store: StoreNow, now: datetime) -> Iterator[Trouble]:
    name = store.name
    if store.overdue and _age(store.oldest_due_at, now) > DAY:
        says = phrase("%(store)s is more than a day past its deadline.", store=name)
        yield Trouble("StoreSilentForADay", says, grave=True, store=store.id)
    elif store.overdue:
        yield Trouble("StoreOverdue", phrase("%(store)s is past its deadline.", store=name), store=store.id)
    if store.comparison and store.comparison.drift:
        says = phrase("%(store)s does not hold what the ledger says.", store=name)
        yield Trouble("StoreDrifts", says, grave=True, store=store.id)
    if store.comparison and (store.comparison.outcome == "no-answer" or now - store.comparison.ended_at > 2 * DAY):
        says = phrase("%(store)s was not compared with the ledger.", store=name)
        yield Trouble("StoreNotCompared", says, store=store.id)
    if store.paused_at is not None:
        if now - store.paused_at > DAY:
            yield Trouble("StorePausedLong", phrase("%(store)s is paused.", store=name), store=store.id)
    elif store.channel == "error":
        yield Trouble("StoreDoesNotAnswer", phrase("%(store)s does not answer well.", store=name), store=store.id)
    if store.channel == "requested":
        yield Trouble("StoreNeverGreeted", phrase("%(store)s has never answered.", store=name), store=store.id)
    if store.parked:
        yield Trouble("EventsParked", phrase("%(store)s refuses single decisions.", store=name), store=store.id)
    yield from _mail(store, now)


def _mail(store: StoreNow, now: datetime) -> Iterator[Trouble]:
    if store.mail is None:
        return
    stuck = store.mail.state == "waiting" and now - store.mail.claimed_at > HOUR
    if stuck or store.mail.state == "refused":
        says = phrase("The contact of %(store)s could not be written to.", store=store.name)
        yield Trouble("MailToStoreStuck", says, store=store.id)


def _age(since: datetime | None, now: datetime) -> timedelta:
    return now - since if since else timedelta()
