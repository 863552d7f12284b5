"""What is decided when a person joins two of their records: a no of either counts for both, and no yes begins.

The rule, and what it would end, for the page where the person confirms (CON-10, ADR 0012).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from consent.coverage import Change, StoreEffect
from consent.decision import Answer, ByWhom, Decision, Means, Subject
from consent.duo.limits import shut_out
from consent.duo.plain_choices import PlainChoice
from consent.standing import Verdict, standing
from vocabulary.actor import ActorKind
from vocabulary.time_ordered_id import RANDOM_BYTES, time_ordered_id

_NO_MORE: Mapping[str, Any] = {
    "answer": Answer.NO, "categories": frozenset(), "sensitive": frozenset(), "starts_at": None, "expires_at": None,
    "text_id": None, "text_version": None,
}  # fmt: skip
"""What makes a no of a copied yes."""


def made_by_joining(
    history: Sequence[Decision], limits: Sequence[PlainChoice], everyone: Sequence[UUID], now: datetime
) -> list[Decision]:
    """The decisions by the system that joining `everyone` adds, in the order of each one's versions: a no to every
    effort that one says yes to and `limits`, the kinds of research that all of them leave open, leave out; then each
    no of one to every other who has none."""
    ended = _ended(history, limits, everyone, now)
    return ended + carried([*history, *ended], everyone, now, mark=f"link-{now.timestamp():.6f}")


def carried(
    history: Sequence[Decision], everyone: Sequence[UUID], now: datetime, *, mark: str, again: bool = False
) -> list[Decision]:
    """Each standing no among `everyone`, for each of them who lacks it. `again`: each one's own noes instead, for
    stores that know a new name of theirs."""
    newest: dict[tuple[UUID, Subject], Decision] = {}
    for decision in sorted((each for each in history if not each.by_the_clock), key=lambda each: each.version):
        newest[decision.person_id, decision.subject] = decision
    noes = [decision for decision in newest.values() if decision.is_no]
    made: list[Decision] = []
    for person in everyone:
        own = {decision.subject: decision for decision in noes if decision.person_id == person}
        others = {decision.subject: decision for decision in noes if decision.person_id != person}
        wanted = own if again else {subject: no for subject, no in others.items() if subject not in own}
        version = _newest_version(history, person)
        made += [_copied(no, person, version + nth, now, mark) for nth, no in enumerate(wanted.values(), start=1)]
    return made


def ends_by_joining(rows: Iterable[StoreEffect]) -> tuple[StoreEffect, ...]:
    """Of what a joining would change in the stores of one record, what ends or becomes less; nothing else follows."""
    return tuple(row for row in rows if row.change in (Change.STOPS, Change.NARROWS))


def _ended(
    history: Sequence[Decision], limits: Sequence[PlainChoice], everyone: Sequence[UUID], now: datetime
) -> list[Decision]:
    made: list[Decision] = []
    for person in everyone if limits else ():
        own = [decision for decision in history if decision.person_id == person]
        version = _newest_version(own, person)
        for effort, stands in standing(own, now).donations.items():
            if stands.decision is None or stands.verdict is Verdict.NO or not shut_out(limits, effort, now.date()):
                continue
            version += 1
            copy = _copied(stands.decision, person, version, now, f"kinds-{now.timestamp():.6f}")
            made.append(replace(copy, **_NO_MORE))
    return made


def _newest_version(history: Sequence[Decision], person: UUID) -> int:
    return max((decision.version for decision in history if decision.person_id == person), default=0)


def _copied(source: Decision, person: UUID, version: int, now: datetime, mark: str) -> Decision:
    name = source.effort or source.choice.value
    return replace(
        source,
        id=time_ordered_id(now, secrets.token_bytes(RANDOM_BYTES)),
        person_id=person,
        version=version,
        by=ByWhom(ActorKind.SYSTEM),
        means=Means.WEB,
        recorded_at=now,
        reason="carried-over",
        idempotency_key=f"carry-{mark}/{name}",
        evidence_sealed=None,
        salt=secrets.token_bytes(32),
    )
