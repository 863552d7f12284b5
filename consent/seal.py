"""Signed tree heads over the ledger (Ed25519, RFC 8032; RFC 9162 section 4.10 in spirit)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from consent.merkle import GrowingTree, inclusion_proof
from consent.tables import TreeHead
from database.context import as_propagation
from database.keyring import KeyRing
from database.unit_of_work import Database

LOCK_KEY = 7_015_002
_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")
_LEAVES = text("SELECT leaf FROM position WHERE position >= :start AND position < :stop ORDER BY position")
_TOP = text("SELECT coalesce(max(position) + 1, 0) FROM position")


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


class Sealer:
    """Signs a head whenever the ledger has grown. Its tree is rebuilt from the leaves when the process starts."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database, self._ring = database, ring
        self._tree = GrowingTree()
        self.newest: SignedHead | None = None

    def seal_once(self, now: datetime, most: int = 100_000) -> SignedHead | None:
        """A new signed head when there are new positions, else None. One process at a time signs."""
        with self._database.begin(as_propagation()) as session:
            if not session.scalar(_LOCK, {"key": LOCK_KEY}):
                return None
            self.newest = newest_head(session)
            start, top = self._tree.size, int(session.scalar(_TOP) or 0)
            if top == start and self.newest is not None and self.newest.size == top:
                return None
            for leaf in session.scalars(_LEAVES, {"start": start, "stop": min(top, start + most)}):
                self._tree.append(bytes(leaf))
            if self._tree.size == 0 or (self.newest is not None and self._tree.size <= self.newest.size):
                return None
            head = sign_head(self._ring, self._tree.size, self._tree.root(), now)
            session.execute(
                insert(TreeHead).values(
                    size=head.size,
                    root=head.root,
                    signed_at=head.signed_at,
                    key_id=head.key_id,
                    signature=head.signature,
                )
            )
        self.newest = head
        return head

    def header(self) -> str:
        """The newest head for a delivery; "" before the first."""
        return self.newest.as_header() if self.newest else ""


def newest_head(session: Session, *, covering: int = 0) -> SignedHead | None:
    """The newest head, if it covers position `covering`."""
    row = session.scalars(select(TreeHead).order_by(TreeHead.size.desc()).limit(1)).one_or_none()
    if row is None or row.size <= covering:
        return None
    return SignedHead(row.size, row.root, row.signed_at, row.key_id, row.signature)


def prove_inclusion(database: Database, position: int, size: int) -> list[bytes]:
    """The audit path of `position` in the tree of `size` leaves. For the worker: it reads leaves across persons."""
    with database.begin(as_propagation()) as session:
        leaves = [bytes(leaf) for leaf in session.scalars(_LEAVES, {"start": 0, "stop": size})]
    return inclusion_proof(position, leaves)
