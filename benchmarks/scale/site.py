"""One filled database as the measurements see it, with people to choose from and what they press."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import psycopg

from benchmarks.harness.postgres import BenchDatabase
from consent.asked import Asked
from consent.decision import CANCERLINQ, Answer
from consent.person_identity import alias_place
from database.keyring import KeyRing
from vocabulary.actor import Actor, ActorKind

SEALED_POSITIONS = 12_000


@dataclass
class Site:
    """`people` is how many it was filled with; `top` the number of positions then."""

    name: str
    people: int
    database: BenchDatabase
    ring: KeyRing
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - not a secret
    top: int = 0
    asked: set[int] = field(default_factory=set)

    def sql(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Rows of a statement as superuser, which the product never is."""
        with psycopg.connect(self.database.superuser_url, autocommit=True) as connection:
            done = connection.execute(statement, parameters)
            return list(done.fetchall()) if done.description else []

    def number(self, statement: str) -> int:
        """The one number a statement gives."""
        return int(str(self.sql(statement)[0][0]))

    def persons(self, count: int, *, new: bool = False) -> list[tuple[UUID, Answer]]:
        """People chosen at random, each once in a run, with the answer that changes what stands; `new` ones have
        decided nothing yet."""
        numbers: set[int] = set()
        if new and 2 * (count + sum(number % 100 == 99 for number in self.asked)) > self.people // 100 + 1:
            raise ValueError(f"{self.people} people are too few for so many first decisions")
        if 2 * (count + len(self.asked)) > self.people:
            raise ValueError(f"{self.people} people are too few for so many decisions")
        while len(numbers) < count:
            number = self.chance.randint(1, self.people)
            number = number - number % 100 + 99 if new else number
            if number not in self.asked and number <= self.people:
                numbers.add(number)
        self.asked |= numbers
        rows = self.sql("SELECT id, person_no FROM person WHERE person_no = ANY (%s)", [list(numbers)])
        return [(UUID(str(person)), _changing(int(str(number)))) for person, number in rows]

    def prepare(self) -> None:
        """Seal the names of whom the newest positions are about, so that a sender can open them."""
        self.top = self.number("SELECT max(position) + 1 FROM position")
        rows = self.sql(
            "SELECT id FROM person_alias WHERE octet_length(value_sealed) = 42 AND person_id IN"
            " (SELECT person_id FROM position WHERE position >= %s)",
            [self.top - SEALED_POSITIONS],
        )
        ids = [UUID(str(row[0])) for row in rows]
        sealed = [self.ring.seal(secrets.token_hex(5).encode(), alias_place(alias)) for alias in ids]
        self.sql(
            "UPDATE person_alias a SET value_sealed = n.sealed FROM unnest(%s::uuid[], %s::bytea[]) n(id, sealed)"
            " WHERE a.id = n.id",
            [ids, sealed],
        )


def _changing(number: int) -> Answer:
    """The answer on CancerLinQ that differs from the filled one (see `fill.KINDS` and its second decisions)."""
    opted_out = 4 <= number % 100 <= 50
    lifted = number % 5 == 1
    return Answer.YES if number % 100 >= 4 and opted_out is not lifted else Answer.NO


def press(person: UUID, answer: Answer = Answer.NO) -> Asked:
    """One press of "opt out", or of its undoing, by the person."""
    actor = Actor(ActorKind.PATIENT, account_id=uuid4(), person=person, persons=(person,), provider_id="riverside")
    return Asked(
        actor=actor,
        person=person,
        subject=CANCERLINQ,
        answer=answer,
        idempotency_key=secrets.token_urlsafe(24),
        language="en",
    )
