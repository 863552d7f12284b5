"""The paper twin of a decision: the whole row in a few QR codes, from which the ledger can be restored (issue of total
loss). Pure.

What is encoded is `PPT1:<part>/<parts>:<first 8 letters of the decision's id>:<base45>`; the parts joined are
`signature (64 bytes) | zlib(RFC 8785 of the document)`. Base45 (RFC 9285) keeps a QR code in its compact alphanumeric
mode, and any scanner reads it as plain text. The signature is Ed25519 with a head-signing key, over a prefix and the
compressed bytes. The signed evidence stays sealed: paper opens nothing, and without the key ring it is noise.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.decision import Answer, ByWhom, Choice, DataCategory, Decision, Means, SensitiveClass, Subject
from consent.leaf import row_for_leaf
from consent.seal import SignedHead
from database.keyring import KeyRing
from vocabulary.actor import ActorKind
from vocabulary.errors import Invalid

PREFIX = b"patient-portal paper twin 1\n"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
# A code of 660 letters at level M is version 17: 85 modules a side, 0.7 mm each on a printed 6 cm, and phones read it.
MOST_LETTERS = 660
# A row has at most a reason of 500 letters and a sealed name; a longer document is not ours.
MOST_BYTES = 64_000
_PART = re.compile(r"PPT1:(\d{1,2})/(\d{1,2}):([0-9A-F]{8}):([0-9A-Z $%*+\-./:]+)")


@dataclass(frozen=True)
class Twin:
    """A decision read back from paper. `position` and `head` are None when it was printed before it was sealed."""

    decision: Decision
    position: int | None
    head: Mapping[str, Any] | None
    key_id: str


def twin_codes(ring: KeyRing, decision: Decision, position: int | None, head: SignedHead | None) -> tuple[str, ...]:
    """The texts of the QR codes of one decision, in order; deterministic, for Ed25519 is."""
    key = ring.active("head-signing")
    document = {
        "row": row_for_leaf(decision),
        "salt": _text(decision.salt),
        "evidence": _text(decision.evidence_sealed) if decision.evidence_sealed is not None else None,
        "position": position,
        "head": head.as_json() if head is not None else None,
        "key": key.id,
    }
    packed = zlib.compress(rfc8785.dumps(document), 9)  # type: ignore[arg-type]  # rfc8785 names JSON more narrowly
    signed = Ed25519PrivateKey.from_private_bytes(key.raw).sign(PREFIX + packed) + packed
    letters = base45(signed)
    parts = [letters[start : start + MOST_LETTERS] for start in range(0, len(letters), MOST_LETTERS)]
    name = decision.id.hex[-8:].upper()  # its random end; ids begin with their time
    return tuple(f"PPT1:{number}/{len(parts)}:{name}:{part}" for number, part in enumerate(parts, start=1))


def read_twin(scanned: Sequence[str], public_keys: Mapping[str, bytes]) -> Twin:
    """The decision that the scanned codes hold, in any order and repeated or not.

    Invalid when a code is missing, is of another paper, or was not signed with one of `public_keys`: nothing is
    restored from a paper that somebody else could have printed. The rebuilt row leads to the leaf it was printed with.
    """
    signed = from_base45(_joined(scanned))
    signature, packed = signed[:64], signed[64:]
    try:
        unpacker = zlib.decompressobj()
        document = orjson.loads(unpacker.decompress(packed, MOST_BYTES))
        public = public_keys[document["key"]]
        Ed25519PublicKey.from_public_bytes(public).verify(signature, PREFIX + packed)
        decision = _decision(document)
    except InvalidSignature:
        raise Invalid("paper-not-signed-by-us") from None
    except (KeyError, TypeError, ValueError, zlib.error):
        raise Invalid("paper-unreadable") from None
    if row_for_leaf(decision) != document["row"]:
        raise Invalid("paper-row-differs")
    return Twin(decision, document["position"], document["head"], document["key"])


def _joined(scanned: Sequence[str]) -> str:
    found: dict[int, str] = {}
    papers = set()
    for text in scanned:
        match = _PART.fullmatch(text.strip())
        if match is None:
            raise Invalid("paper-unreadable")
        papers.add((match[3], int(match[2])))
        if found.setdefault(int(match[1]), match[4]) != match[4]:
            raise Invalid("paper-parts-of-two")
    if len(papers) != 1:
        raise Invalid("paper-parts-of-two")
    ((_name, count),) = papers
    if set(found) != set(range(1, count + 1)):
        raise Invalid("paper-part-missing")
    return "".join(found[number] for number in sorted(found))


def _decision(document: Mapping[str, Any]) -> Decision:
    row = document["row"]
    sealed = document["evidence"]
    return Decision(
        id=UUID(row["id"]),
        person_id=UUID(row["person"]),
        version=int(row["version"]),
        subject=Subject(Choice(row["choice"]), row["effort"]),
        answer=Answer(row["answer"]),
        by=ByWhom(
            ActorKind(row["actor_kind"]),
            UUID(row["actor_account"]) if row["actor_account"] else None,
            row["provider"],
            row["actor_reference"],
        ),
        means=Means(row["means"]),
        language=row["language"],
        text_id=row["text_id"],
        text_version=row["text_version"],
        asked_at=datetime.fromisoformat(row["asked_at"]),
        recorded_at=datetime.fromisoformat(row["recorded_at"]),
        salt=base64.b64decode(document["salt"], validate=True),
        categories=frozenset(DataCategory(name) for name in row["categories"]),
        sensitive=frozenset(SensitiveClass(name) for name in row["sensitive"]),
        starts_at=datetime.fromisoformat(row["starts_at"]) if row["starts_at"] else None,
        expires_at=datetime.fromisoformat(row["expires_at"]) if row["expires_at"] else None,
        confirmed_by_person=row["confirmed_by_person"],
        reason=row["reason"],
        practice=row["practice"],
        idempotency_key=row["idempotency_key"],
        evidence_sealed=base64.b64decode(sealed, validate=True) if sealed is not None else None,
    )


def base45(value: bytes) -> str:
    """RFC 9285 section 4: two bytes become three letters, a last single byte two."""
    letters = []
    for start in range(0, len(value), 2):
        pair = value[start : start + 2]
        number = int.from_bytes(pair, "big")
        for _ in range(3 if len(pair) == 2 else 2):
            number, rest = divmod(number, 45)
            letters.append(ALPHABET[rest])
    return "".join(letters)


def from_base45(letters: str) -> bytes:
    """The bytes again; Invalid for what no bytes encode to."""
    value = bytearray()
    for start in range(0, len(letters), 3):
        group = letters[start : start + 3]
        number = sum(ALPHABET.index(sign) * 45**place for place, sign in enumerate(group))
        size = len(group) - 1
        if size == 0 or number >= 256**size:
            raise Invalid("paper-unreadable")
        value += number.to_bytes(size, "big")
    return bytes(value)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
