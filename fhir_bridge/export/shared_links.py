"""Links by which a person lets somebody open a copy of their record: made, opened, counted, ended (SHL-02, SHL-03).

Who holds a link is known by its secret alone. The copy lies here under a key that only the link carries, so nobody
who has our database, and no key of ours, can read it without the link or the person.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import orjson
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from database.context import knowing
from database.keyring import KeyRing
from database.unit_of_work import Database
from fhir_bridge.export.health_link import SECRET_BYTES, base64url, encrypted, shlink, unbase64url
from fhir_bridge.export.tables import SharedFile, SharedLink, SharedOpening
from fhir_bridge.person_ciphers import cipher_of
from vocabulary.errors import Conflict, NotFound, PortalError

ATTEMPTS = 10
MOST_LINKS = 20
OPENED, WRONG_PASSCODE = "opened", "wrong-passcode"
LONGEST_RECIPIENT = 200


class WrongPasscode(PortalError):
    """The passcode is not right; `remaining` tries are left before the link closes for good."""

    def __init__(self, remaining: int) -> None:
        super().__init__("wrong-passcode")
        self.remaining = remaining


@dataclass(frozen=True)
class Opening:
    at: datetime
    recipient: str
    outcome: str


@dataclass(frozen=True)
class LinkView:
    """A link as its owner sees it."""

    id: UUID
    label: str
    what: str
    token: str
    key: bytes
    has_passcode: bool
    attempts_left: int
    made_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    openings: tuple[Opening, ...]

    def works(self, now: datetime) -> bool:
        return self.ended_at is None and self.expires_at > now and self.attempts_left > 0

    def link(self, address: str) -> str:
        """`shlink:/…`; `address` is where links are answered, without the secret."""
        return shlink(
            url=f"{address}{self.token}", key=self.key, label=self.label, expires=int(self.expires_at.timestamp()),
            passcode=self.has_passcode,
        )  # fmt: skip


@dataclass(frozen=True)
class Opened:
    """What a holder gets: the encrypted files, in order."""

    files: tuple[str, ...]
    made_at: datetime


def make_link(
    session: Session, ring: KeyRing, person: UUID, content: bytes, *, label: str, what: str, passcode: str,
    now: datetime, expires_at: datetime,
) -> UUID:  # fmt: skip
    """A link to one FHIR file; an empty passcode makes one that anybody opens who has the code."""
    working = select(func.count()).where(SharedLink.person_id == person, SharedLink.ended_at.is_(None))
    if (session.scalar(working.where(SharedLink.expires_at > now)) or 0) >= MOST_LINKS:
        raise Conflict("too-many-links")
    link, token, key = uuid4(), base64url(secrets.token_bytes(SECRET_BYTES)), secrets.token_bytes(SECRET_BYTES)
    known = {"label": label, "what": what, "token": token, "key": base64url(key)}
    index = token_index(ring, token)
    session.add(
        SharedLink(
            id=link, person_id=person, token_index=index, attempts_left=ATTEMPTS, made_at=now, expires_at=expires_at,
            content_sealed=cipher_of(session, ring, person).seal(orjson.dumps(known), _place(link)), ended_at=None,
            passcode_index=_passcode_index(ring, link, passcode) if passcode else None,
        )
    )  # fmt: skip
    session.flush()
    jwe = encrypted(content, key)
    session.add(SharedFile(link_id=link, number=0, person_id=person, token_index=index, jwe=jwe, expires_at=expires_at))
    return link


def links_of(session: Session, ring: KeyRing, person: UUID) -> list[LinkView]:
    """Every link of a person, newest first, with who opened it."""
    rows = session.scalars(
        select(SharedLink).where(SharedLink.person_id == person).order_by(SharedLink.made_at.desc())
    ).all()
    openings = session.scalars(
        select(SharedOpening).where(SharedOpening.person_id == person).order_by(SharedOpening.id.desc())
    ).all()
    return [_view(session, ring, row, [one for one in openings if one.link_id == row.id]) for row in rows]


def link_of(session: Session, ring: KeyRing, person: UUID, link: UUID) -> LinkView:
    """One link; NotFound when the person has none of that id."""
    for one in links_of(session, ring, person):
        if one.id == link:
            return one
    raise NotFound("link")


def end_link(session: Session, person: UUID, link: UUID, now: datetime) -> None:
    """From now on nobody opens it; the copy behind it is deleted, the list of who opened it stays."""
    mine = SharedLink.person_id == person
    session.execute(
        update(SharedLink).where(SharedLink.id == link, mine, SharedLink.ended_at.is_(None)).values(ended_at=now)
    )
    session.execute(delete(SharedFile).where(SharedFile.link_id == link, SharedFile.person_id == person))


def open_link(
    database: Database, ring: KeyRing, token: str, *, passcode: str | None, recipient: str, now: datetime
) -> Opened:
    """What somebody gets who holds the link. NotFound when it does not work, WrongPasscode with the tries left.

    The link's row is locked while a passcode is held against it, so that parallel tries count one by one.
    """
    index = token_index(ring, token)
    wrong: int | None = None
    with database.begin(knowing(index)) as session:
        row = session.scalar(select(SharedLink).where(SharedLink.token_index == index).with_for_update())
        if row is None or row.ended_at is not None or row.expires_at <= now or row.attempts_left <= 0:
            raise NotFound("link")
        if row.passcode_index is not None:
            given = _passcode_index(ring, row.id, passcode or "")
            wrong = None if hmac.compare_digest(row.passcode_index, given) else row.attempts_left - 1
        if wrong is not None:
            session.execute(update(SharedLink).where(SharedLink.id == row.id).values(attempts_left=wrong))
        session.add(_opening(ring, row, recipient, OPENED if wrong is None else WRONG_PASSCODE, now))
        files = _files(session, row) if wrong is None else ()
        made_at = row.made_at
    if wrong is not None:
        raise WrongPasscode(wrong)
    return Opened(files, made_at)


def file_of(database: Database, ring: KeyRing, token: str, number: int, now: datetime) -> str:
    """One file of a link that works, for who was given its place a short while ago; NotFound else."""
    index = token_index(ring, token)
    with database.begin(knowing(index)) as session:
        row = session.scalar(select(SharedLink).where(SharedLink.token_index == index))
        files = _files(session, row) if row and row.ended_at is None and row.expires_at > now else ()
    if number >= len(files):
        raise NotFound("file")
    return files[number]


def takes_passcode(database: Database, ring: KeyRing, token: str) -> bool:
    """Whether a link asks for a passcode; True for one that does not exist, which then answers alike."""
    index = token_index(ring, token)
    with database.begin(knowing(index)) as session:
        row = session.scalar(select(SharedLink).where(SharedLink.token_index == index))
        return row is None or row.passcode_index is not None


def forget_old(session: Session, now: datetime) -> None:
    """Delete the copies behind links that are over; run by a worker in the propagation role."""
    session.execute(delete(SharedFile).where(SharedFile.expires_at < now))


def token_index(ring: KeyRing, token: str) -> bytes:
    return ring.blind_index("shared-link", token)


def _files(session: Session, row: SharedLink) -> tuple[str, ...]:
    wanted = SharedFile.token_index == row.token_index
    return tuple(session.scalars(select(SharedFile.jwe).where(wanted).order_by(SharedFile.number)))


def _opening(ring: KeyRing, row: SharedLink, recipient: str, outcome: str, now: datetime) -> SharedOpening:
    sealed = ring.seal(recipient[:LONGEST_RECIPIENT].encode("utf-8", "replace"), _opening_place(row.id))
    return SharedOpening(
        link_id=row.id, person_id=row.person_id, token_index=row.token_index, recipient_sealed=sealed, outcome=outcome,
        at=now,
    )  # fmt: skip


def _view(session: Session, ring: KeyRing, row: SharedLink, openings: Sequence[SharedOpening]) -> LinkView:
    known = orjson.loads(cipher_of(session, ring, row.person_id).open(row.content_sealed, _place(row.id)))
    seen = tuple(
        Opening(one.at, ring.open(one.recipient_sealed, _opening_place(row.id)).decode("utf-8", "replace"), one.outcome)
        for one in openings
    )
    return LinkView(
        row.id, known["label"], known["what"], known["token"], unbase64url(known["key"]),
        row.passcode_index is not None, row.attempts_left, row.made_at, row.expires_at, row.ended_at, seen,
    )  # fmt: skip


def _passcode_index(ring: KeyRing, link: UUID, passcode: str) -> bytes:
    return ring.blind_index("link-passcode", f"{link}\x00{passcode}")


def _place(link: UUID) -> str:
    return f"shared_link:content:{link}"


def _opening_place(link: UUID) -> str:
    return f"shared_opening:recipient:{link}"
