"""The report of a certification: JSON, readable text, and a JWS (RFC 7515, RFC 9864) by the head's key.

The public keys are those at `/ledger/keys`; what a head key signs otherwise is a JSON document, never this form.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from consent.certify.judge import read_object
from consent.certify.outcome import Outcome
from consent.store_config import Kind, Store
from database.keyring import KeyRing
from vocabulary.errors import Invalid

TYPE = "store-certification+jws"
ALGORITHM = "Ed25519"


@dataclass(frozen=True)
class Certification:
    """All outcomes of one run against one store in one wire form."""

    store: Store
    run: str
    began: datetime
    ended: datetime
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)


def as_json(certified: Certification) -> dict[str, Any]:
    """The whole report; the address without its query, no secret, only invented people."""
    parts = urlsplit(certified.store.endpoint)
    return {
        "report": "store certification",
        "form": 1,
        "store": certified.store.id,
        "endpoint": f"{parts.scheme}://{parts.netloc}{parts.path}",
        "kind": certified.store.kind.value,
        "transport": certified.store.transport.value,
        "basis": certified.store.basis.value,
        "run": certified.run,
        "began": _utc(certified.began),
        "ended": _utc(certified.ended),
        "cases": len(certified.outcomes),
        "failed": len(certified.failed),
        "passed": not certified.failed,
        "results": [_case(outcome) for outcome in certified.outcomes],
    }


def way_of(store: Store) -> str:
    """How the store is told, in a word: the wire form of a webhook, the kind of any other."""
    return store.transport.value if store.kind is Kind.WEBHOOK else store.kind.value


def _case(outcome: Outcome) -> dict[str, Any]:
    return {
        "case": outcome.case.id,
        "requirement": outcome.case.requirement,
        "shows": outcome.case.shows,
        "passed": outcome.passed,
        **({} if outcome.reason is None else {"reason": outcome.reason}),
        "exchanges": [vars(exchange) for exchange in outcome.exchanges],
    }


def as_text(certified: Certification) -> str:
    """The report as an operator reads it: a line for each case, and what was sent where one failed."""
    store, failed = certified.store, certified.failed
    lines = [
        f"Certification of {store.id} ({way_of(store)}), run {certified.run}, {_utc(certified.began)}",
        f"{len(certified.outcomes) - len(failed)} of {len(certified.outcomes)} cases passed.",
        "",
    ]
    for outcome in certified.outcomes:
        case = outcome.case
        lines.append(f"{'pass' if outcome.passed else 'FAIL'}  {case.id:22} {case.requirement:8} {case.shows}")
        if outcome.reason is not None:
            lines.append(f"      what was wrong: {outcome.reason}")
            lines += [f"      {number}. {_told(each)}" for number, each in enumerate(outcome.exchanges, start=1)]
    return "\n".join([*lines, ""])


def _told(exchange: Any) -> str:
    how = f" {exchange.sent['how']}" if "how" in exchange.sent else ""
    came = ", ".join(f"{name} {value}" for name, value in exchange.came_back.items() if name != "sha256")
    return f"{exchange.what}{how}: {came}"


def sign_report(report: Mapping[str, Any], ring: KeyRing) -> str:
    """The report as a compact JWS, signed with the active head-signing key."""
    key = ring.active("head-signing")
    private = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", **_members(key.raw)})
    header = {"alg": ALGORITHM, "kid": key.id, "typ": TYPE}
    return jws.serialize_compact(header, orjson.dumps(report), private, algorithms=[ALGORITHM])


def open_report(token: str, public_keys: Mapping[str, bytes]) -> dict[str, Any]:
    """The report in a JWS; Invalid when none of `public_keys` (raw, by id; `head_keys`) signed it."""
    try:
        header = jws.extract_compact(token.strip().encode("ascii")).headers()
        public = public_keys.get(str(header.get("kid")))
        if public is None or header.get("typ") != TYPE:
            raise Invalid("not-signed-by-us")
        key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": _base64(public)})
        found = read_object(jws.deserialize_compact(token.strip(), key, algorithms=[ALGORITHM]).payload or b"")
    except (JoseError, ValueError):
        raise Invalid("not-signed-by-us") from None
    if found is None:
        raise Invalid("not-a-report")
    return found


def _members(raw: bytes) -> dict[str, str]:
    from_raw = Ed25519PrivateKey.from_private_bytes(raw).public_key()
    return {"d": _base64(raw), "x": _base64(from_raw.public_bytes(Encoding.Raw, PublicFormat.Raw))}


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _utc(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
