"""One message to very many people: planned by set-based SQL, released at the network's pace, paused at any time.

Planning goes through people in the order of their ids, a slice in each transaction, so that it can be cut off and
taken up again, and its memory does not grow with the number of people. Whom a campaign is for is a condition on
`c.person_id` that the caller gives (`Audience`): this room knows nothing of decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.context import as_propagation
from notifications.quiet_hours import next_allowed
from notifications.tables import Campaign
from notifications.texting import Texting
from notifications.topics import TOPICS
from vocabulary.errors import Conflict, Invalid, NotFound

log = structlog.get_logger()

A_SLICE = 50_000
FIRST = UUID(int=0)

WANTED_SQL = """
  JOIN LATERAL (SELECT answer FROM contact_consent w WHERE w.contact_point_id = c.id AND w.topic = 'texts'
                ORDER BY w.id DESC LIMIT 1) w ON w.answer = 'yes'
  LEFT JOIN LATERAL (SELECT answer FROM contact_consent t WHERE t.contact_point_id = c.id AND t.topic = :topic
                     ORDER BY t.id DESC LIMIT 1) t ON true
  LEFT JOIN message_setting s ON s.person_id = c.person_id
"""
# The rule is that of `topics.ways_for`: a way with a yes, else one that a topic goes by without one.
OPEN_SQL = """c.state = 'confirmed'
  AND coalesce(t.answer = 'yes', CASE c.channel WHEN 'sms' THEN :by_text WHEN 'email' THEN :by_mail ELSE false END)"""
# A slice is so many ways to reach somebody, whoever they belong to: what it costs does not depend on the audience.
_LAST = text("""
SELECT person_id FROM (SELECT person_id FROM contact_point WHERE person_id > :after ORDER BY person_id LIMIT :most) s
ORDER BY person_id DESC LIMIT 1
""")
# Nobody can be in it already: a slice and how far it came are one transaction. Consents lie in the order of the ways
# they are for: asked for in that order, many are found on one page, which saves a third of the time.
_PLAN = """
INSERT INTO campaign_recipient (campaign_id, person_id, send_after, released)
SELECT :campaign, r.person_id, coalesce(h.moment, :unknown), false FROM (
  SELECT DISTINCT ON (c.person_id) c.person_id, coalesce(s.zone, c.zone) AS zone FROM (
    SELECT id, person_id, channel, zone, state FROM contact_point c
    WHERE c.person_id > :after AND c.person_id <= :last AND ({audience}) ORDER BY id OFFSET 0) c {wanted}
  WHERE {open}
  ORDER BY c.person_id, c.channel DESC) r
LEFT JOIN unnest(CAST(:zones AS text[]), CAST(:moments AS timestamptz[])) AS h (zone, moment) ON h.zone = r.zone
"""
_ZONES = text(
    "SELECT DISTINCT zone FROM contact_point WHERE zone IS NOT NULL"
    " UNION SELECT DISTINCT zone FROM message_setting WHERE zone IS NOT NULL"
)
_COUNTS = text("SELECT state, count(*) AS number FROM message WHERE campaign_id = :campaign GROUP BY state")


@dataclass(frozen=True)
class Audience:
    """For whom: `condition` is SQL about `c.person_id`, written in the product, with `values` bound into it."""

    name: str
    condition: str = "true"
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """How a campaign stands. `by_state`: its messages by what became of them."""

    name: str
    topic: str
    audience: str
    state: str
    planned: int
    released: int
    by_state: Mapping[str, int]
    expires_at: datetime

    @property
    def waiting(self) -> int:
        """People who have no message yet."""
        return self.planned - self.released


def plan(
    texting: Texting, name: str, topic: str, audience: Audience, now: datetime, *, lasts: timedelta,
    told: Callable[[int], None] = lambda _planned: None,
) -> Progress:  # fmt: skip
    """Plan a campaign, or go on where planning was cut off; nobody is in it twice. `told` hears how many so far.

    Nothing is sent before `start`. Invalid for a topic that is not started by the service, Conflict when the name
    stands for another topic or audience.
    """
    bound = _begin(texting, name, topic, audience, now, lasts)
    while _goes_on(texting, name, audience, bound, now):
        told(progress(texting, name).planned)
    return progress(texting, name)


def carry_on(
    texting: Texting, name: str, topic: str, audience: Audience, now: datetime, *, lasts: timedelta
) -> Progress:  # fmt: skip
    """One step of a campaign that nobody has to start: made, planned slice by slice, then running; how it stands.

    An operator may pause it and let it go on, as any other.
    """
    bound = _begin(texting, name, topic, audience, now, lasts)
    if not _goes_on(texting, name, audience, bound, now) and progress(texting, name).state == "planned":
        return move(texting, name, "start", now)
    return progress(texting, name)


def _begin(
    texting: Texting, name: str, topic: str, audience: Audience, now: datetime, lasts: timedelta
) -> Mapping[str, Any]:  # fmt: skip
    """Make the campaign where there is none of this name; what planning a slice is given."""
    if topic not in TOPICS or not TOPICS[topic].started:
        raise Invalid("campaign-topic", {"topic": "not-one-that-the-service-starts"})
    with texting.database.begin(as_propagation()) as session:
        new = {
            "name": name, "topic": topic, "audience": audience.name, "state": "planning", "planned": 0, "released": 0,
            "created_at": now, "expires_at": now + lasts, "changed_at": now,
        }  # fmt: skip
        session.execute(insert(Campaign).values(new).on_conflict_do_nothing(index_elements=["name"]))
        held = _held(session, name)
        if (held.topic, held.audience) != (topic, audience.name):
            raise Conflict("campaign-name-taken")
        zones = [str(zone) for zone in session.scalars(_ZONES)] if held.state == "planning" else []
    moments = [next_allowed(now, zone) for zone in zones]
    return {"zones": zones, "moments": moments, "unknown": next_allowed(now, None), **defaults(topic)}


def _goes_on(texting: Texting, name: str, audience: Audience, bound: Mapping[str, Any], now: datetime) -> bool:
    """Plan one slice; False when there was nothing left to plan."""
    with texting.database.begin(as_propagation()) as session:
        campaign = _held(session, name)
        if campaign.state != "planning":
            return False
        _plan_slice(session, campaign, audience, bound, now)
        return True


def _plan_slice(
    session: Session, campaign: Campaign, audience: Audience, bound: Mapping[str, Any], now: datetime
) -> None:
    after = campaign.planned_to or FIRST
    last = session.scalar(_LAST, {"after": after, "most": A_SLICE})
    campaign.changed_at = now
    if last is None:
        campaign.state = "planned"
        log.info("campaign_planned", campaign=campaign.id, count=campaign.planned)
        return
    statement = text(_PLAN.format(audience=audience.condition, wanted=WANTED_SQL, open=OPEN_SQL))
    values = {**bound, **audience.values, "campaign": campaign.id, "after": after, "last": last}
    campaign.planned += getattr(session.execute(statement, values), "rowcount", 0)
    campaign.planned_to = last


def defaults(topic: str) -> dict[str, Any]:
    return {"topic": topic, "by_text": TOPICS[topic].by_text and TOPICS[topic].wanted, "by_mail": TOPICS[topic].wanted}


_MOVES = {"start": ("planned", "running"), "pause": ("running", "paused"), "resume": ("paused", "running")}


def move(texting: Texting, name: str, what: str, now: datetime) -> Progress:
    """`start`, `pause` or `resume`; Conflict when it is not in the state for that, NotFound without such a name."""
    before, after = _MOVES[what]
    with texting.database.begin(as_propagation()) as session:
        campaign = _held(session, name)
        if campaign.state == after:
            return _progress(session, campaign)
        if campaign.state != before:
            raise Conflict(f"campaign-is-{campaign.state}")
        campaign.state, campaign.changed_at, campaign.paced_at = after, now, now
        log.info("campaign_moved", campaign=campaign.id, state=after)
        return _progress(session, campaign)


def progress(texting: Texting, name: str) -> Progress:
    """How it stands now."""
    with texting.database.begin(as_propagation()) as session:
        return _progress(session, _held(session, name, lock=False))


def state_of(texting: Texting, name: str) -> str | None:
    """The state of the campaign of this name; None when there is none."""
    with texting.database.begin(as_propagation()) as session:
        return session.scalar(select(Campaign.state).where(Campaign.name == name))


def campaigns(texting: Texting) -> list[Progress]:
    """All there are, oldest first."""
    with texting.database.begin(as_propagation()) as session:
        return [_progress(session, one) for one in session.scalars(select(Campaign).order_by(Campaign.id))]


def _progress(session: Session, campaign: Campaign) -> Progress:
    counted: dict[str, int] = {row.state: row.number for row in session.execute(_COUNTS, {"campaign": campaign.id})}
    return Progress(
        campaign.name, campaign.topic, campaign.audience, campaign.state, campaign.planned, campaign.released, counted,
        campaign.expires_at,
    )  # fmt: skip


def _held(session: Session, name: str, *, lock: bool = True) -> Campaign:
    asked = select(Campaign).where(Campaign.name == name)
    found = session.scalars(asked.with_for_update() if lock else asked).first()
    if found is None:
        raise NotFound("campaign")
    return found
