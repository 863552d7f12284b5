"""Turns a running campaign's people into waiting messages, no faster than the network takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Row, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.context import as_propagation
from notifications import status
from notifications.campaigns import OPEN_SQL, WANTED_SQL, Audience, defaults
from notifications.quiet_hours import ANY_HOUR, Hours, next_allowed
from notifications.tables import Campaign, Message
from notifications.texting import Texting
from notifications.topics import TOPICS
from vocabulary.errors import Invalid

log = structlog.get_logger()

BURST = timedelta(seconds=5)
WAITING_SECONDS = 10
"""No more is released while as much waits as is sent in this time, so that a pause takes hold at once."""
A_LOOK = 500

_DUE = """
WITH due AS (
  SELECT person_id FROM campaign_recipient WHERE campaign_id = :campaign AND NOT released AND send_after <= :now
  ORDER BY send_after LIMIT :most FOR UPDATE SKIP LOCKED
)
SELECT due.person_id, r.contact, r.channel, r.language, r.zone, r.opens, r.closes, r.pause_until
FROM due LEFT JOIN LATERAL (
  SELECT * FROM (
    SELECT c.id AS contact, c.channel, coalesce(s.language, c.language) AS language, coalesce(s.zone, c.zone) AS zone,
           s.opens, s.closes, s.pause_until, t.answer, bool_or(t.answer = 'yes') OVER () AS chosen,
           row_number() OVER (ORDER BY c.channel DESC) AS place
    FROM contact_point c {wanted} WHERE c.person_id = due.person_id AND {open} AND ({audience})) w
  WHERE w.answer = 'yes' OR (w.chosen IS NOT TRUE AND w.place = 1)) r ON true
"""
_RELEASED = text(
    "UPDATE campaign_recipient SET released = true WHERE campaign_id = :campaign AND person_id = ANY (:persons)"
)
_LATER = text(
    "UPDATE campaign_recipient SET send_after = later.moment"
    " FROM unnest(CAST(:persons AS uuid[]), CAST(:moments AS timestamptz[])) AS later (person, moment)"
    " WHERE campaign_id = :campaign AND person_id = later.person"
)
_LEFT = text("SELECT 1 FROM campaign_recipient WHERE campaign_id = :campaign AND NOT released LIMIT 1")


def allowance(paced_at: datetime, now: datetime, per_second: float) -> tuple[int, datetime]:
    """How many may be released now, and up to when that pays: never more than five seconds' worth. Pure.

    A clock that was set back allows nothing until it has caught up.
    """
    begun = max(paced_at, now - BURST)
    count = max(0, int((now - begun).total_seconds() * per_second))
    return count, begun + timedelta(seconds=count / per_second)


def release_campaigns(
    texting: Texting, audience_named: Callable[[str], Audience], now: datetime, per_second: float
) -> int:  # fmt: skip
    """Release from the oldest running campaign that has somebody due what the pace allows; how many messages now wait
    that did not.

    Any number of workers may call this: the campaign's row is locked by one of them, the others pass by. Whoever has
    stopped, refused the topic or left the audience meanwhile gets nothing.
    """
    with texting.database.begin(as_propagation()) as session:
        for campaign in session.scalars(
            select(Campaign).where(Campaign.state == "running").order_by(Campaign.id).with_for_update(skip_locked=True)
        ):
            if now >= campaign.expires_at or not session.scalar(_LEFT, {"campaign": campaign.id}):
                campaign.state, campaign.changed_at = "done", now
                log.info("campaign_done", campaign=campaign.id, count=campaign.released)
                continue
            try:
                audience = audience_named(campaign.audience)
            except Invalid:  # such as a text that is not shipped any more
                log.error("campaign_for_nobody", campaign=campaign.id)  # noqa: TRY400 - the reason is known
                continue
            made = _release(session, campaign, audience, now, per_second)
            if made is not None:
                return made
    return 0


def _release(
    session: Session, campaign: Campaign, audience: Audience, now: datetime, per_second: float
) -> int | None:  # fmt: skip
    """How many messages were made; None when nobody of this campaign is due, and the next one may have the pace."""
    if _waiting(session, now) >= per_second * WAITING_SECONDS:
        campaign.paced_at = now
        return 0
    count, paid = allowance(campaign.paced_at or now, now, per_second)
    if count == 0:
        return 0
    campaign.paced_at = paid
    look = text(_DUE.format(wanted=WANTED_SQL, open=OPEN_SQL, audience=audience.condition))
    values = {**audience.values, **defaults(campaign.topic), "campaign": campaign.id, "now": now}
    rows = session.execute(look, {**values, "most": min(count, A_LOOK)}).all()
    later: dict[UUID, datetime] = {}
    for row in rows:
        moment = _moment(row, now) if row.contact is not None else now
        if moment > now:
            later[row.person_id] = max(moment, later.get(row.person_id, moment))
    if later:
        values = {"campaign": campaign.id, "persons": list(later), "moments": list(later.values())}
        session.execute(_LATER, values)
    going = [row for row in rows if row.contact is not None and row.person_id not in later]
    _write(session, campaign, going, now)
    over = list(dict.fromkeys(row.person_id for row in rows if row.person_id not in later))
    session.execute(_RELEASED, {"campaign": campaign.id, "persons": over})
    campaign.released += len(over)
    return len(going) if rows else None


def _moment(row: Row[Any], now: datetime) -> datetime:
    """When this person may be told this way, from `now` on; a letter may be printed at any hour."""
    if row.channel == "letter":
        return max(now, row.pause_until or now)
    hours = Hours(row.opens, row.closes) if row.opens is not None else ANY_HOUR
    return next_allowed(max(now, row.pause_until or now), row.zone, hours=hours)


def _write(session: Session, campaign: Campaign, rows: Sequence[Row[Any]], now: datetime) -> None:
    if not rows:
        return
    made: list[dict[str, object]] = [
        {
            "id": uuid4(), "person_id": row.person_id, "contact_point_id": row.contact,
            "dedupe_key": _key(campaign.id, row.person_id, row.channel), "kind": TOPICS[campaign.topic].kind,
            "language": row.language, "state": status.INTENDED, "attempts": 0, "created_at": now, "send_after": now,
            "expires_at": campaign.expires_at, "state_at": now, "channel": row.channel, "topic": campaign.topic,
            "essential": False, "covers": [], "campaign_id": campaign.id,
        }
        for row in rows
    ]  # fmt: skip
    session.execute(insert(Message).on_conflict_do_nothing(index_elements=["dedupe_key"]), made)


def _key(campaign: int, person: UUID, way: str) -> str:
    return f"campaign:{campaign}:{person}" if way == "sms" else f"campaign:{campaign}:{person}:{way}"


def _waiting(session: Session, now: datetime) -> int:
    waiting = select(func.count()).where(
        Message.campaign_id.is_not(None), Message.state.in_([status.INTENDED, status.SENDING_NOW]),
        Message.send_after <= now, Message.channel != "letter",
    )  # fmt: skip
    return session.scalar(waiting) or 0
