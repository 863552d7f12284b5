"""Who donates to an effort at this very moment: asked at build time, never at approval (X-08, HIP-12).

For `portal_release`, which reads decisions across persons. For one person, in their own context, use
`history.read_standing`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.authorization import Texts, load_texts
from consent.decision import Answer, Decision
from consent.effort_ends import as_they_stand
from consent.efforts import Effort
from consent.feed.read_events import CONCERNS
from consent.rows import decision_of
from consent.standing import ChoiceStanding, standing
from consent.store_config import Store
from consent.text_versions import may_send_new

RELEASE_COLUMNS = (
    "id, person_id, version, choice, effort_id, answer, categories, sensitive, actor_kind, text_id, text_version,"
    " practice_id, means, confirmed_by_person, asked_at, recorded_at, starts_at, expires_at"
)
_EVER = text("SELECT DISTINCT person_id FROM decision WHERE effort_id = :effort AND answer = 'yes'")
_LINKS = text(
    "SELECT DISTINCT ON (person_id, other_person_id) person_id, other_person_id, linked FROM person_link"
    " WHERE person_id = ANY (:persons) OR other_person_id = ANY (:persons)"
    " ORDER BY person_id, other_person_id, id DESC"
)
_DECISIONS = text(f"SELECT {RELEASE_COLUMNS} FROM decision WHERE person_id = ANY (:persons)")  # noqa: S608 - constant
_LAG = text(
    "SELECT h.state, (SELECT min(q.sequenced_at) FROM position q WHERE q.position = c.position) AS behind_since"
    " FROM store_cursor c LEFT JOIN store_channel h ON h.store_id = c.store_id WHERE c.store_id = :store"
)
_TOLD = text(
    "SELECT d.version, d.answer FROM decision d JOIN position q ON q.decision_id = d.id"  # noqa: S608 - constants
    " JOIN store_cursor c ON c.store_id = :store AND q.position < c.position WHERE d.person_id = :person"
    f" AND {CONCERNS} AND NOT EXISTS (SELECT FROM parked_item k WHERE k.store_id = :store AND k.position = q.position"
    " AND k.resolved_at IS NULL) ORDER BY d.version DESC LIMIT 1"
)


@dataclass(frozen=True)
class Donor:
    """A person whose yes stands now, with what it lets through and the version to keep with the build (X-08)."""

    person: UUID
    version: int
    stands: ChoiceStanding


PUBLISHED: Texts = load_texts()


def donors(session: Session, effort: Effort, now: datetime, texts: Texts = PUBLISHED) -> tuple[Donor, ...]:
    """Everyone whose donation to `effort` stands at `now`, by person id; for the session of `as_release()`.

    Linked persons are judged together (deny wins); each with a yes of their own is one donor, unless a newer major
    version of the text waits for their answer (ADR 0009).
    """
    (effort,) = as_they_stand(session, (effort,))
    givers = set(session.scalars(_EVER, {"effort": effort.id}))
    groups = linked_groups(session, givers)
    everyone = sorted({person for group in groups for person in group})
    history: dict[UUID, list[Decision]] = {}
    for row in session.execute(_DECISIONS, {"persons": everyone}).mappings():
        decision = decision_of(row)  # type: ignore[arg-type]  # a row is read by its columns' names
        history.setdefault(decision.person_id, []).append(decision)
    found = []
    for group in groups:
        stands = standing([d for person in group for d in history.get(person, [])], now).donation(effort)
        if stands.permits:
            own = {person: standing(history[person], now).donation(effort) for person in group & givers}
            asked = [person for person in sorted(own) if may_send_new(own[person].decision, texts)]
            found += [_donor(person, history[person], stands) for person in asked]
    return tuple(sorted(found, key=lambda donor: donor.person))


def _donor(person: UUID, own: list[Decision], stands: ChoiceStanding) -> Donor:
    return Donor(person, max(decision.version for decision in own), stands)


def linked_groups(session: Session, persons: Iterable[UUID]) -> list[frozenset[UUID]]:
    """The sets of persons linked now, that have any of `persons` in them."""
    known, pairs = set(persons), set[tuple[UUID, UUID]]()
    while True:
        rows = session.execute(_LINKS, {"persons": sorted(known)}).all()
        pairs = {(row.person_id, row.other_person_id) for row in rows if row.linked}
        reached = known | {person for pair in pairs for person in pair}
        if reached == known:
            break
        known = reached
    group = {person: {person} for person in known}
    for one, other in pairs:
        joined = group[one] | group[other]
        for person in joined:
            group[person] = joined
    return [frozenset(members) for members in {id(members): members for members in group.values()}.values()]


def store_lags(session: Session, store_id: str, now: datetime, allowed: timedelta) -> bool:
    """Whether a store gets nothing new (SUB-10): its channel is in error or was never greeted, or it is behind the
    ledger for longer than `allowed`. Fails closed: an unknown store lags. For the propagation role, since the
    worker's own context does not see another person's position."""
    row = session.execute(_LAG, {"store": store_id}).one_or_none()
    if row is None or row.state != "active":
        return True
    return row.behind_since is not None and now - row.behind_since > allowed


@dataclass(frozen=True)
class LastTold:
    """The newest decision of one person that a store has been told: its version and what it said to that store."""

    version: int
    answer: Answer


def last_told(session: Session, store: Store, person: UUID) -> LastTold | None:
    """What `store` was told of `person` last, rows by the clock included and parked ones not; None for nothing yet.

    In the person's context.
    """
    bound = {
        "store": store.id,
        "person": person,
        "basis": store.basis.value,
        "effort": store.effort,
        "via": store.via_cancerlinq,
    }
    row = session.execute(_TOLD, bound).one_or_none()
    return None if row is None else LastTold(row.version, Answer(row.answer))
