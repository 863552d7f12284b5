"""Server-side sessions: the cookie carries a random id only; what it stands for is sealed in PostgreSQL.

SEC-01: at least 128 bits of randomness, a new id at sign-in, the old one dead, `__Host-` prefix on https, HttpOnly,
SameSite=Lax. SEC-02: idle and absolute limits, shorter for staff. Flask's own cookie session is signed but readable
(LIB-03), so it is not used.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from flask import Flask, Request, Response, session
from flask.sessions import SessionInterface, SessionMixin
from sqlalchemy import delete, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from werkzeug.datastructures import CallbackDict

from database.context import knowing
from database.keyring import KeyRing, SealBroken
from database.unit_of_work import Database
from fhir_bridge.tables import WebSession as Row
from vocabulary.errors import Unavailable

IDLE_PATIENT = timedelta(minutes=15)
IDLE_STAFF = timedelta(minutes=10)
IDLE_ANONYMOUS = timedelta(hours=1)
ABSOLUTE = timedelta(hours=12)
ABSOLUTE_STAFF = timedelta(hours=8)
OF_STAFF = frozenset({"care-team", "staff", "lead"})
TOUCH_EVERY = timedelta(seconds=30)
ID_BYTES = 32
# Nobody is signed in for these: they must answer while the database, and with it every session, does not.
ASKED_BY_MACHINES = frozenset({"/healthz", "/readyz", "/metrics"})


# A constant, and straight to the driver: every request of a signed-in person runs it.
_READ = text("SELECT content_sealed, created_at, seen_at, ended_at FROM web_session WHERE id_index = :index")


def _now() -> datetime:
    return datetime.now(UTC)


class WebSession(CallbackDict[str, Any], SessionMixin):
    """The mapping Flask hands out as `session`; written back only when something in it changed."""

    def __init__(self, initial: dict[str, Any] | None = None, *, sid: str | None = None) -> None:
        def changed(_self: CallbackDict[str, Any]) -> None:
            self.modified = True

        super().__init__(initial, changed)
        self.sid = sid
        self.new = sid is None
        self.modified = False
        self.touched = False
        self.replaced: str | None = None
        self.ended = False
        self.unread: Unavailable | None = None

    def renew(self) -> None:
        """Give the session a new id and kill the old one: at sign-in and at every change of role."""
        self.replaced, self.sid = self.replaced or self.sid, None
        self.modified = True

    def end(self) -> None:
        """Sign out: the row is ended and the cookie removed."""
        self.clear()
        self.ended = True
        self.modified = True


def live_session() -> WebSession:
    """This request's session itself, behind Flask's proxy: to renew its id, or to end it."""
    live = session._get_current_object()  # type: ignore[attr-defined]  # what Flask's proxy stands for
    assert isinstance(live, WebSession)
    return live


@dataclass(frozen=True)
class SessionStore(SessionInterface):
    """Reads and writes sessions; `now` is a parameter so that time limits can be tested."""

    database: Database
    keyring: KeyRing
    secure: bool
    now: Callable[[], datetime] = _now

    @property
    def cookie_name(self) -> str:
        return "__Host-portal" if self.secure else "portal"

    def index_of(self, sid: str) -> bytes:
        """The keyed index under which a session's row is found."""
        return self.keyring.blind_index("web-session", sid)

    def open_session(self, _app: Flask, request: Request) -> WebSession:
        sid = request.cookies.get(self.cookie_name, "")
        if request.path in ASKED_BY_MACHINES or not 40 <= len(sid) <= 64:
            return WebSession()
        index, now = self.index_of(sid), self.now()
        try:
            with self.database.begin_straight(knowing(index)) as straight:
                rows = straight.rows(_READ, {"index": index})
        except Unavailable as error:  # the request's first hook raises it, where it becomes a page
            away = WebSession(sid=sid)
            away.unread = error
            return away
        if not rows or rows[0][-1] is not None:
            return WebSession()
        content_sealed, created_at, seen_at, _ended_at = rows[0]
        try:
            content = orjson.loads(self.keyring.open(content_sealed, _place(index)))
        except SealBroken:
            return WebSession()
        if now - created_at > longest(content) or now - seen_at > idle_limit(content):
            return WebSession()
        found = WebSession(content, sid=sid)
        found.touched = now - seen_at < TOUCH_EVERY
        return found

    def save_session(self, _app: Flask, session: SessionMixin, response: Response) -> None:
        assert isinstance(session, WebSession)
        response.headers.add("Vary", "Cookie")
        if session.unread is not None:
            return
        if session.ended:
            self._end(session.sid or session.replaced)
            response.delete_cookie(self.cookie_name, path="/", secure=self.secure, httponly=True, samesite="Lax")
            return
        if not session.modified and (session.new or session.touched):
            return
        if session.sid is None:
            session.sid = secrets.token_urlsafe(ID_BYTES)
            self._end(session.replaced)
            # In another site's frame a cookie has to be Secure; browsers keep one on this machine without TLS, too.
            framed = bool(session.get("framed"))
            response.set_cookie(
                self.cookie_name, session.sid, path="/", secure=self.secure or framed, httponly=True,
                samesite="None" if framed else "Lax", partitioned=framed,
            )  # fmt: skip
        self._write(session.sid, dict(session))

    def _write(self, sid: str, content: dict[str, Any]) -> None:
        index, now = self.index_of(sid), self.now()
        account = UUID(content["account"]) if content.get("account") else None
        sealed = self.keyring.seal(orjson.dumps(content), _place(index))
        row = {"id_index": index, "account_id": account, "content_sealed": sealed, "created_at": now, "seen_at": now}
        renewed = {"content_sealed": sealed, "seen_at": now, "account_id": account}
        with self.database.begin(knowing(index, account=account)) as session:
            session.execute(
                insert(Row)
                .values(row)
                .on_conflict_do_update(index_elements=["id_index"], set_=renewed, where=Row.ended_at.is_(None))
            )

    def _end(self, sid: str | None) -> None:
        if sid is None:
            return
        index = self.index_of(sid)
        with self.database.begin(knowing(index)) as session:
            session.execute(update(Row).where(Row.id_index == index).values(ended_at=self.now(), content_sealed=b""))


def idle_limit(content: dict[str, Any]) -> timedelta:
    """How long a session may rest: 15 minutes for a patient, 10 for staff, an hour before sign-in (SEC-02)."""
    kind = content.get("kind")
    if kind in OF_STAFF:
        return IDLE_STAFF
    return IDLE_PATIENT if kind else IDLE_ANONYMOUS


def longest(content: dict[str, Any]) -> timedelta:
    """How long a session may last in all: a working day for CancerLinQ's staff, twelve hours for everybody else."""
    return ABSOLUTE_STAFF if content.get("kind") in ("staff", "lead") else ABSOLUTE


def end_all_of_account(session: Session, account: UUID, now: datetime) -> int:
    """Sign out everywhere: end each live session of the account; returns how many there were."""
    result = session.execute(
        update(Row).where(Row.account_id == account, Row.ended_at.is_(None)).values(ended_at=now, content_sealed=b"")
    )
    return int(getattr(result, "rowcount", 0))


def forget_old(session: Session, now: datetime) -> None:
    """Delete rows past every limit; run by a worker in the propagation role."""
    session.execute(delete(Row).where(Row.seen_at < now - ABSOLUTE))


def _place(index: bytes) -> str:
    return f"web_session:content:{index.hex()}"
