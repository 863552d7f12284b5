"""Signed tree heads over the ledger (Ed25519, RFC 8032; RFC 9162 section 4.10 in spirit)."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import rfc8785
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from consent.ledger_hashes import read_hashes
from consent.tables import LedgerTile, TreeHead
from consent.tiles import WIDTH, Span, Tile, TileStack, partial_spans
from database.context import as_propagation
from database.keyring import KeyRing
from database.unit_of_work import Database

LOCK_KEY = 7_015_002
_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")
_STATE = text(
    "SELECT (SELECT coalesce(max(position) + 1, 0) FROM position) AS top,"
    " (SELECT coalesce(max(number) + 1, 0) FROM ledger_tile WHERE level = 1) AS tiles"
)
log = structlog.get_logger()


@dataclass(frozen=True)
class SignedHead:
    """A head over the first `size` leaves. `signature` is over the RFC 8785 form of size, root and time."""

    size: int
    root: bytes
    signed_at: datetime
    key_id: str
    signature: bytes

    def signed_bytes(self) -> bytes:
        return head_bytes(self.size, self.root, self.signed_at)

    def as_header(self) -> str:
        """One line for `portal-tree-head`: `size:root:time:key:signature`, base64url."""
        root, signature = (base64.urlsafe_b64encode(value).decode() for value in (self.root, self.signature))
        return f"{self.size}:{root}:{int(self.signed_at.timestamp())}:{self.key_id}:{signature}"

    def as_json(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "root": self.root.hex(),
            "signed_at": _utc(self.signed_at),
            "key_id": self.key_id,
            "signature": base64.b64encode(self.signature).decode(),
        }


def head_bytes(size: int, root: bytes, signed_at: datetime) -> bytes:
    """What is signed; the time has whole seconds."""
    return rfc8785.dumps({"root": root.hex(), "signed_at": _utc(signed_at), "size": size})


def _utc(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sign_head(ring: KeyRing, size: int, root: bytes, now: datetime) -> SignedHead:
    key = ring.active("head-signing")
    signature = Ed25519PrivateKey.from_private_bytes(key.raw).sign(head_bytes(size, root, now))
    return SignedHead(size, root, now, key.id, signature)


def head_keys(ring: KeyRing) -> dict[str, bytes]:
    """The public keys (32 raw bytes) of all head-signing keys, by id."""
    return {
        key.id: Ed25519PrivateKey.from_private_bytes(key.raw).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        for key in ring.of_purpose("head-signing")
    }


def is_genuine_head(head: SignedHead, public_keys: dict[str, bytes]) -> bool:
    public = public_keys.get(head.key_id)
    if public is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(head.signature, head.signed_bytes())
    except InvalidSignature:
        return False
    return True


class LedgerForked(Exception):
    """The stored leaves do not lead to the head that was signed last, so nothing more is signed (tlog-checkpoint)."""


class Sealer:
    """Signs a head whenever the ledger has grown, and keeps each tile that is complete. It remembers nothing itself:
    a new process goes on from the tiles in O(log n) reads, and a backlog is sealed in batches."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database, self._ring = database, ring
        self.newest: SignedHead | None = None

    def seal_once(self, now: datetime, most: int = 102_400) -> SignedHead | None:
        """A new signed head when there are new positions, else None. One process at a time signs.

        At most `most` leaves are read. Raises LedgerForked rather than sign what differs from the newest head.
        """
        with self._database.begin(as_propagation()) as session:
            if not session.scalar(_LOCK, {"key": LOCK_KEY}):
                return None
            self.newest = newest_head(session)
            known = self.newest.size if self.newest else 0
            state = session.execute(_STATE).one()
            tiled = state.tiles * WIDTH
            if state.top < max(known, tiled):
                log.error("ledger.shorter-than-its-head", size=known)
                raise LedgerForked
            if state.top <= known and state.top < tiled + WIDTH:
                return None
            tree = _grow(session, self.newest, tiled, min(state.top, tiled + most))
            if tree.size <= known:
                return None  # an old ledger gets its tiles first
            head = sign_head(self._ring, tree.size, tree.root(), now)
            session.execute(insert(TreeHead).values(_row(head)))
        self.newest = head
        return head

    def header(self) -> str:
        """The newest head for a delivery; "" before the first."""
        return self.newest.as_header() if self.newest else ""


def _grow(session: Session, newest: SignedHead | None, start: int, stop: int) -> TileStack:
    """The tree of the first `stop` leaves, read on from `start` (a multiple of 256); keeps the tiles it completes."""
    partial = partial_spans(start)
    read = read_hashes(session, [span for span in partial if span.bytes])
    tree = TileStack(start, [read.get(span, b"") for span in partial])
    edges = sorted({*range(start, stop, WIDTH), stop} | ({newest.size} if newest else set()))
    spans = [Span(0, *edge) for edge in pairwise(edge for edge in edges if start <= edge <= stop)]
    leaves, made = read_hashes(session, spans), list[Tile]()
    _compare(tree, newest)
    for span in spans:
        made += tree.extend(leaves[span])
        _compare(tree, newest)
    if made:
        session.execute(insert(LedgerTile), [asdict(tile) for tile in made])
    return tree


def _compare(tree: TileStack, newest: SignedHead | None) -> None:
    if newest is not None and tree.size == newest.size and tree.root() != newest.root:
        log.error("ledger.differs-from-its-head", size=newest.size)
        raise LedgerForked


def _row(head: SignedHead) -> dict[str, object]:
    return {"size": head.size, "root": head.root, "signed_at": head.signed_at, "key_id": head.key_id,
            "signature": head.signature}  # fmt: skip


def read_heads(session: Session, *, below: int | None = None, most: int = 100) -> list[SignedHead]:
    """Heads, newest first, of sizes below `below`."""
    asked = select(TreeHead).order_by(TreeHead.size.desc()).limit(most)
    rows = session.scalars(asked if below is None else asked.where(TreeHead.size < below))
    return [head_of_row(row) for row in rows]


def read_head(session: Session, size: int) -> SignedHead | None:
    """The head over exactly `size` leaves, if one was signed."""
    row = session.get(TreeHead, size)
    return head_of_row(row) if row else None


def first_head_covering(session: Session, position: int) -> SignedHead | None:
    """The first head that was signed over `position`: the position was there at its time."""
    asked = select(TreeHead).where(TreeHead.size > position).order_by(TreeHead.size).limit(1)
    row = session.scalars(asked).one_or_none()
    return head_of_row(row) if row else None


def head_of_row(row: Any) -> SignedHead:
    """The head in a row of `tree_head`."""
    return SignedHead(row.size, bytes(row.root), row.signed_at, row.key_id, bytes(row.signature))


def newest_head(session: Session, *, covering: int = 0) -> SignedHead | None:
    """The newest head, if it covers position `covering`."""
    found = read_heads(session, most=1)
    return found[0] if found and found[0].size > covering else None
