"""A research effort ends: every yes to it stays in the history as it was given, and from then on carries nothing.

Nobody decided anything, so no decision is added and no store is told a no: what a store does at the end of its effort
is in its contract (docs/stores.md). A person's own no still comes after the end, and still means to delete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.efforts import Effort
from vocabulary.errors import Conflict, Invalid

MOST_WORDS = 200
_ENDS = text("SELECT effort_id, ended_at FROM effort_end")
_END = text(
    "INSERT INTO effort_end (effort_id, ended_at, ended_by, why) VALUES (:effort, :now, :who, :why)"
    " ON CONFLICT (effort_id) DO NOTHING RETURNING effort_id"
)


def end_effort(session: Session, effort: Effort, who: str, why: str, now: datetime) -> None:
    """From this commit on the effort has ended; Conflict when it had already. For the worker's login.

    `who` is a login name, `why` the operator's words: both are kept for operators and name no patient.
    """
    bound = {"effort": effort.id, "now": now, "who": _words(who, "who"), "why": _words(why, "why")}
    if session.scalar(_END, bound) is None:
        raise Conflict("effort-has-ended")
    detail = {"effort": effort.id, "why": bound["why"]}
    write_audit(session, now, Audited(None, "effort.ended", "U", "operator", actor_reference=who, detail=detail))


def read_ends(session: Session) -> dict[str, datetime]:
    """Every effort that has ended, and when. Any login may read it."""
    return {row.effort_id: row.ended_at for row in session.execute(_ENDS)}


def as_they_stand(session: Session, efforts: tuple[Effort, ...]) -> tuple[Effort, ...]:
    """The same efforts, each with its end if it has one."""
    return ended_by(efforts, read_ends(session))


def ended_by(efforts: tuple[Effort, ...], ends: Mapping[str, datetime]) -> tuple[Effort, ...]:
    """The same efforts, each with its end if `ends` has one. Pure."""
    return tuple(replace(effort, ended=ends.get(effort.id)) for effort in efforts)


def _words(value: str, field: str) -> str:
    value = " ".join(value.split())
    if not value or len(value) > MOST_WORDS or not value.isprintable():
        raise Invalid("words-missing", {field: "missing"})
    return value
