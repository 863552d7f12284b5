"""A person's decisions cut down to what can still matter. Pure; the rules themselves stay in `consent/standing.py`.

Millions of persons share few histories once versions are ranks and times are "not yet", "running" and "over". Each
different one is put to the real rules once, through `standing_of`; that the cut changes no answer is property-tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from consent.decision import (
    CANCERLINQ,
    Answer,
    ByWhom,
    DataCategory,
    Decision,
    Means,
    SensitiveClass,
    donation_to,
)
from consent.standing import Standing, standing
from vocabulary.actor import ActorKind

NOT_YET, OVER = 1 << 62, -(1 << 62)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOW = datetime(2000, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


class Entry(NamedTuple):
    """One decision; its place in the tuple is its version's rank. Times are microseconds since 1970 (UTC).

    `effort` is empty for CancerLinQ. In a settled entry `starts` is None or NOT_YET and `ends` is None or OVER.
    """

    effort: str
    yes: bool
    categories: frozenset[DataCategory] = frozenset()
    sensitive: frozenset[SensitiveClass] = frozenset()
    starts: int | None = None
    ends: int | None = None

    @property
    def dated(self) -> bool:
        return self.starts is not None or self.ends is not None


Entries = tuple[Entry, ...]


def micros(when: datetime) -> int:
    """Whole microseconds since 1970, exactly."""
    since = when - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def entry_of(decision: Decision) -> Entry:
    """The entry of a decision, for those who hold the whole one."""
    return Entry(
        decision.effort or "",
        not decision.is_no,
        decision.categories,
        decision.sensitive,
        micros(decision.starts_at) if decision.starts_at and not decision.is_no else None,
        micros(decision.expires_at) if decision.expires_at and not decision.is_no else None,
    )


@lru_cache(maxsize=4096)
def parse_entry(text: str) -> Entry:
    """The entry in the ledger view's text: `effort|answer|categories|sensitive|starts|ends`; ValueError when odd."""
    effort, answer, categories, sensitive, starts, ends = text.split("|")
    yes = Answer(answer) is Answer.YES
    return Entry(
        effort,
        yes,
        frozenset(DataCategory(name) for name in categories.split(",") if name),
        frozenset(SensitiveClass(name) for name in sensitive.split(",") if name),
        int(starts) if starts and yes else None,
        int(ends) if ends and yes else None,
    )


def added(entries: Entries, new: Entry) -> Entries:
    """The history with one newer decision, cut down again."""
    return reduced((*entries, new))


def reduced(entries: Sequence[Entry]) -> Entries:
    """Only what can still decide, in the same order.

    Of one subject an entry is settled by any later one that begins no later. Of CancerLinQ the last opt-out and the
    first lift after it stay: a donation given before the lift has to be asked again.
    """
    kept: list[bool] = []
    begins: dict[str, float] = {}
    for entry in reversed(entries):
        begin = float("-inf") if entry.starts is None else entry.starts
        open_still = begin < begins.get(entry.effort, float("inf"))
        begins[entry.effort] = min(begin, begins.get(entry.effort, float("inf")))
        kept.append(open_still)
    kept.reverse()
    last_no = max((at for at, entry in enumerate(entries) if not entry.effort and not entry.yes), default=None)
    if last_no is not None:
        kept[last_no] = True
        lifts = (at for at, entry in enumerate(entries) if at > last_no and not entry.effort and entry.yes)
        first = next(lifts, None)
        if first is not None:
            kept[first] = True
    return tuple(entry for entry, keep in zip(entries, kept, strict=True) if keep)


def settled(entries: Entries, now: int) -> Entries:
    """The same history as it stands at `now` (microseconds): its times told only as not yet, running or over."""
    if not any(entry.dated for entry in entries):
        return entries
    return reduced([entry if not entry.dated else _settled(entry, now) for entry in entries])


def _settled(entry: Entry, now: int) -> Entry:
    return entry._replace(
        starts=NOT_YET if entry.starts is not None and entry.starts > now else None,
        ends=OVER if entry.ends is not None and entry.ends <= now else None,
    )


def next_change(entries: Entries, now: int) -> int | None:
    """When (microseconds) time alone may change what stands, or None."""
    times = (time for entry in entries for time in (entry.starts, entry.ends) if time is not None and time > now)
    return min(times, default=None)


def standing_of(people: Iterable[Entries]) -> Standing:
    """What `consent.standing` says of these settled histories, one for each of the linked persons."""
    history = [
        _decision(person, rank, entry) for person, entries in enumerate(people) for rank, entry in _ranked(entries)
    ]
    return standing(history, _NOW)


def _ranked(entries: Entries) -> Iterable[tuple[int, Entry]]:
    return enumerate(entries, start=1)


_PLAIN = Decision(
    id=UUID(int=0),
    person_id=UUID(int=0),
    version=1,
    subject=CANCERLINQ,
    answer=Answer.NO,
    by=ByWhom(ActorKind.SYSTEM),
    means=Means.WEB,
    language="",
    text_id=None,
    text_version=None,
    asked_at=_NOW,
    recorded_at=_NOW,
    salt=b"",
)


def _decision(person: int, rank: int, entry: Entry) -> Decision:
    return replace(
        _PLAIN,
        id=UUID(int=person << 32 | rank),
        person_id=UUID(int=person + 1),
        version=rank,
        subject=donation_to(entry.effort) if entry.effort else CANCERLINQ,
        answer=Answer.YES if entry.yes else Answer.NO,
        categories=entry.categories,
        sensitive=entry.sensitive,
        starts_at=_NOW + _DAY if entry.starts is not None else None,
        expires_at=_NOW - _DAY if entry.ends is not None else None,
    )
