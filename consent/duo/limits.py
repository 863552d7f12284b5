"""The kinds of research a person leaves open: they only ever narrow (ADR 0012). The rule, and how it is kept.

Linked persons are taken together: what either shuts out is out. The choice names an illness, so it is kept sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from consent.duo.match import match
from consent.duo.plain_choices import SAYS, TERM_OF, Limit, PlainChoice, Scope, terms_of
from consent.duo.stated import stated
from consent.duo.terms import Code
from database.keyring import KeyRing
from vocabulary.actor import Actor
from vocabulary.phrase import Phrase

BOUNDS = (
    "(SELECT DISTINCT ON (person_id) person_id, form, sealed, NULL AS ended, NULL::timestamptz AS ended_at"
    " FROM research_limit WHERE person_id = ANY (:persons) ORDER BY person_id, id DESC)"
    " UNION ALL SELECT NULL, NULL, NULL, effort_id, ended_at FROM effort_end"
)
"""One statement for both, for a decision may take five in all: what the person shut out, and which efforts have ended;
`bounds_from` reads its rows."""
_BOUNDS = text(BOUNDS)
_KEEP = text(
    "WITH kept AS (INSERT INTO research_limit (person_id, form, sealed, made_at, made_by_account)"
    " SELECT p, :form, s, :now, :account FROM unnest(CAST(:persons AS uuid[]), CAST(:sealed AS bytea[])) AS n(p, s)"
    " ON CONFLICT DO NOTHING RETURNING person_id)"
    " INSERT INTO audit_event (person_id, recorded_at, event, action, outcome, actor_kind, actor_account, detail)"
    " SELECT person_id, :now, 'research.limits', 'U', '0', :kind, :account, '{}' FROM kept"
)


def shut_out(choices: Iterable[PlainChoice], effort_id: str, on: date) -> tuple[Code, ...]:
    """Every term that says no to an effort; empty when all of `choices` leave it open, as no choice at all does."""
    asked = stated(effort_id, on)
    return tuple(sorted({code for choice in choices for code in match(terms_of(choice), asked).blocked_by}))


def said_limits(choices: Iterable[PlainChoice], effort_id: str, on: date) -> list[Phrase]:
    """What of `choices` shuts an effort out, in the words in which it was chosen; each once."""
    asked, said = stated(effort_id, on), dict[Phrase, None]()
    for choice in choices:
        terms = terms_of(choice)
        blocked = match(terms, asked).blocked_by
        if terms.permission in blocked:
            said[SAYS[choice.scope]] = None
        said.update({SAYS[limit]: None for limit in Limit if limit in choice.limits and TERM_OF[limit] in blocked})
    return list(said)


@dataclass(frozen=True)
class Bounds:
    """What holds a new yes back: `limits`, the kinds of research left open, and `ended`, the efforts that are over."""

    limits: tuple[PlainChoice, ...] = ()
    ended: frozenset[str] = frozenset()


NO_BOUNDS = Bounds()


def read_bounds(session: Session, ring: KeyRing, persons: Sequence[UUID]) -> Bounds:
    """What stands for these (linked) persons; in their context."""
    return bounds_from(ring, session.execute(_BOUNDS, {"persons": list(persons)}))


def bounds_from(ring: KeyRing, rows: Iterable[Row[Any]]) -> Bounds:
    """What the rows of `BOUNDS` say."""
    found, ended = [], set()
    for row in rows:
        if row.ended is not None:
            ended.add(row.ended)
            continue
        kept = orjson.loads(ring.open(row.sealed, _place(row.person_id, row.form)))
        if kept:
            found.append(_read(kept))
    return Bounds(tuple(dict.fromkeys(found)), frozenset(ended))


def keep_limits(
    session: Session,
    ring: KeyRing,
    persons: Sequence[UUID],
    choice: PlainChoice | None,
    form: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Keep a choice, or with None that nothing is shut out any more, with its audit line: one statement. The same
    form again adds nothing. The caller holds the lock of every person."""
    plain = orjson.dumps(_written(choice))
    sealed = [ring.seal(plain, _place(person, form)) for person in persons]
    bound = {"persons": list(persons), "sealed": sealed, "form": form, "now": now}
    session.execute(_KEEP, {**bound, "kind": actor.kind.value, "account": actor.account_id})


def _place(person: UUID, form: str) -> str:
    return f"research_limit:sealed:{person}:{form}"


def _written(choice: PlainChoice | None) -> dict[str, Any]:
    if choice is None:
        return {}
    return {
        "scope": choice.scope.value,
        "limits": sorted(each.value for each in choice.limits),
        "my_cancers": sorted(choice.my_cancers),
        "country": choice.country,
    }


def _read(kept: dict[str, Any]) -> PlainChoice:
    return PlainChoice(
        Scope(kept["scope"]),
        frozenset(Limit(each) for each in kept["limits"]),
        frozenset(kept["my_cancers"]),
        kept["country"],
    )
