"""A campaign of a million reminders: planned as a set, beside a job deferred for each message, in the same turns.

`python -m benchmarks.w_campaign [--reps N] [--people N] [--small]`. The set plans for everyone; the jobs, which take as
long for the last as for the first, are deferred for a few thousand of the same people. Sending is shown with a network
that takes each text at once, so that the figure is our own share of the work. A million people take a while to make,
then a minute or two for each turn; one turn more than `--reps` is taken, to warm up.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any
from uuid import UUID

import procrastinate
import psycopg
import structlog

from benchmarks.harness.arms import Arm, Benchmark, Goal, Outcome, lines, run
from benchmarks.harness.postgres import SETTINGS, BenchDatabase, bench_server
from benchmarks.harness.probes import measure
from benchmarks.harness.say import say
from database.keyring import KeyRing
from database.unit_of_work import Database
from notifications.campaign_release import release_campaigns
from notifications.campaigns import Audience, move, plan
from notifications.channels.channel import Accepted, FoundText, OutgoingText
from notifications.numbers import PhoneNumber
from notifications.send import send_due
from notifications.texting import Texting

NOON = datetime(2026, 11, 20, 19, 0, tzinfo=UTC)
EVERYONE = Audience("everyone")
_CONTACTS = """
INSERT INTO contact_point (id, person_id, channel, value_index, value_sealed, language, zone, state, code_tries,
  created_at, confirmed_at)
SELECT (lpad(to_hex(i), 12, '0') || substr(md5('c' || i), 13))::uuid, md5('p' || i)::uuid, 'sms',
  sha256(('n' || i)::bytea), '\\x00', CASE WHEN i % 5 = 0 THEN 'es' ELSE 'en' END,
  (ARRAY['America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles', NULL])[1 + i % 5],
  'confirmed', 0, now(), now() FROM generate_series(1, {people}) i
"""
_CONSENTS = """
INSERT INTO contact_consent (contact_point_id, person_id, value_index, topic, answer, means, proof_sealed, recorded_at)
SELECT id, person_id, value_index, 'texts', 'yes', 'web', '\\x00', now() FROM contact_point
"""


@dataclass(frozen=True)
class World:
    """People who want texts; `tenth` is a database with a tenth of them."""

    people: int
    database: BenchDatabase
    tenth: BenchDatabase
    ring_file: Path
    small: bool

    def texting(self) -> Texting:
        return Texting(self.database.worker, KeyRing.load(self.ring_file))


@contextmanager
def world(small: bool, people: int = 1_000_000) -> Iterator[World]:
    people = 10_000 if small else people
    with bench_server(SETTINGS) as server:
        filled = []
        for name, count in (("campaign", people), ("campaign_tenth", people // 10)):
            server.migrated(name)
            filled.append(server.connect(name))
            with psycopg.connect(filled[-1].superuser_url, autocommit=True) as connection:
                connection.execute("SET synchronous_commit = off")
                connection.execute(_CONTACTS.format(people=count).encode())
                connection.execute(_CONSENTS.encode())
                connection.execute("VACUUM ANALYZE")
        yield World(people, filled[0], filled[1], server.folder / "keys.json", small)


def planned(*, tenth: bool) -> Callable[[World, int], Outcome]:
    """The product's plan for everyone, in a process of its own whose memory is looked at."""

    def arm(world: World, turn: int) -> Outcome:
        database = world.tenth if tenth else world.database
        people = world.people // 10 if tenth else world.people
        context = multiprocessing.get_context("spawn")
        answer: SimpleQueue[tuple[float, float]] = context.SimpleQueue()
        process = context.Process(target=_plan, args=(database.urls.worker, world.ring_file, f"turn {turn}", answer))
        process.start()
        process.join()
        took, megabytes = answer.get()
        with psycopg.connect(database.superuser_url, autocommit=True) as connection:
            row = connection.execute("SELECT count(*), count(DISTINCT person_id) FROM campaign_recipient").fetchone()
            assert row == (people, people), row
            connection.execute("TRUNCATE campaign_recipient")
        return Outcome(world.people, "", {"per_second": people / took, "memory_mb": megabytes})

    return arm


def _plan(url: str, ring_file: Path, name: str, answer: SimpleQueue[tuple[float, float]]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    texting = Texting(Database(url, pool_size=1), KeyRing.load(ring_file))
    began = time.perf_counter()
    plan(texting, name, "late", EVERYONE, NOON, lasts=timedelta(days=7))
    took = time.perf_counter() - began
    answer.put((took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    texting.database.close()


def deferred(batch: int) -> Callable[[World, int], Outcome]:
    """A Procrastinate job for each of the same people, `batch` in one statement."""

    def arm(world: World, _turn: int) -> Outcome:
        count = (100 if world.small else 2_000) * (1 if batch == 1 else 10)
        app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=world.database.superuser_url))

        @app.task(name="remind", queue="campaign")
        def remind(person: str) -> None:
            """Never run here."""

        with app.open(), psycopg.connect(world.database.superuser_url, autocommit=True) as connection:
            people = connection.execute("SELECT person_id FROM contact_point LIMIT %s", [count]).fetchall()
            began = time.perf_counter()
            for first in range(0, count, batch):
                jobs: list[Any] = [{"person": str(person)} for (person,) in people[first : first + batch]]
                if batch == 1:
                    remind.defer(**jobs[0])
                else:
                    remind.batch_defer(*jobs)
            took = time.perf_counter() - began
            row = connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'campaign'").fetchone()
            assert row == (count,), row
            connection.execute("TRUNCATE procrastinate_jobs CASCADE")
        return Outcome(world.people, "", {"per_second": count / took})

    return arm


class TakesAll:
    """A network that takes each text at once."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def send(self, text: OutgoingText) -> Accepted:
        self.taken.append(text.to)
        return Accepted(f"SM-{text.message}", "accepted")

    def sent_to(self, to: str, since: datetime) -> list[FoundText] | None:  # noqa: ARG002 - the channel's signature
        return []


def sent(world: World, turn: int) -> Outcome:
    """Released and handed over by eight hands: our own share of a text."""
    texting, channel, count = world.texting(), TakesAll(), 100 if world.small else 2_000
    name = f"sent {turn}"
    with psycopg.connect(world.database.superuser_url, autocommit=True) as connection:
        connection.execute("TRUNCATE message, campaign_recipient, rate_count CASCADE")
        connection.execute("DELETE FROM campaign")
        some = Audience("some", "c.person_id <= :last", {"last": _sealed(connection, texting, count)})
    plan(texting, name, "late", some, NOON, lasts=timedelta(days=7))
    move(texting, name, "start", NOON)
    began, now = time.perf_counter(), NOON
    while len(channel.taken) < count:
        now += timedelta(seconds=1)
        release_campaigns(texting, lambda _name: some, now, 400)
        send_due(texting, channel, now, 400, hands=8)
    took = time.perf_counter() - began
    assert len(set(channel.taken)) == len(channel.taken), "someone was texted twice"
    with psycopg.connect(world.database.superuser_url, autocommit=True) as connection:
        connection.execute("TRUNCATE campaign_recipient")
    return Outcome(world.people, "", {"per_second": len(channel.taken) / took})


def _sealed(connection: psycopg.Connection[Any], texting: Texting, count: int) -> UUID:
    """Real sealed numbers for the first people, since planning reads none and sending opens each; who is the last."""
    rows = connection.execute(
        "SELECT id, person_id FROM contact_point ORDER BY person_id LIMIT %s", [count * 2]
    ).fetchall()  # fmt: skip
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE contact_point SET value_sealed = %s WHERE id = %s AND value_sealed = '\\x00'",
            [
                (texting.seal_number(contact, PhoneNumber(f"+1{2_000_000_000 + number * 7_919:010d}", "US")), contact)
                for number, (contact, _) in enumerate(rows)
            ],
        )
    return UUID(str(rows[-1][1]))


SET, ONE, BATCH = "planned as a set", "a job for each, deferred one by one", "a job for each, 1,000 in one statement"
TENTH = "a tenth, planned as a set"
BENCHMARK = Benchmark(
    "campaign",
    [
        Arm(SET, planned(tenth=False)),
        Arm(ONE, deferred(1)),
        Arm(BATCH, deferred(1_000)),
        Arm(TENTH, planned(tenth=True)),
        Arm("sent by eight hands", sent),
    ],
    [
        Goal("planning, over a job for each", SET, "per_second", 100, over=ONE),
        Goal("memory, over a tenth of the people", SET, "memory_mb", 1.1, over=TENTH, at_most=True),
    ],
    world,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--people", type=int, default=1_000_000, help="at least 10,000")
    parser.add_argument("--small", action="store_true")
    asked = parser.parse_args()
    benchmark = replace(BENCHMARK, world=partial(world, people=max(10_000, asked.people)))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder:
        result = run(benchmark, asked.reps, lambda: measure(Path(folder)), small=asked.small)
    for line in lines(result):
        say(line)
    return 0 if result.passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
