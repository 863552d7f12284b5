"""The ledger's public face: signed heads, proofs and keys, so that anybody can be a witness. Hashes only, no identity.

The addresses are documented in `docs/ledger.md`; the checkpoint follows c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Response, request, url_for
from sqlalchemy.orm import Session

from consent import verify_receipt
from consent.checkpoint import checkpoint, origin_of, verifier_key
from consent.ledger_hashes import LedgerIncomplete, consistency_path, inclusion_path, read_leaf
from consent.seal import SignedHead, head_keys, is_genuine_head, newest_head, read_head, read_heads
from database.context import as_nobody
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, gate
from patient_portal.wiring import wiring
from vocabulary.errors import Invalid, NotFound, Unavailable

blueprint = Blueprint("ledger", __name__, url_prefix="/ledger")
SCRIPT = Path(verify_receipt.__file__)
PER_MINUTE = 240
PAGE = 100
SOON, LATER, FOR_EVER = 5, 300, 31_536_000


@blueprint.get("/heads")
@gate(Gate.PUBLIC)
@limited("ledger", per_minute=PER_MINUTE)
def heads() -> Response:
    """The newest signed heads, 100 a page; `next` is the address of the page with the older ones."""
    below = _number("before") if "before" in request.args else None
    with wiring().database.begin(as_nobody()) as session:
        found = read_heads(session, below=below, most=PAGE)
    older = url_for("ledger.heads", before=found[-1].size) if len(found) == PAGE else None
    return _json({"heads": [head.as_json() for head in found], "next": older}, SOON)


@blueprint.get("/heads/<size>")
@gate(Gate.PUBLIC)
@limited("ledger", per_minute=PER_MINUTE)
def head(size: str) -> Response:
    """The head that was signed over exactly `size` positions."""
    if not _is_number(size):
        raise NotFound("head")
    with wiring().database.begin(as_nobody()) as session:
        found = read_head(session, int(size))
    if found is None:
        raise NotFound("head")
    return _json(found.as_json(), FOR_EVER)


@blueprint.get("/consistency")
@gate(Gate.PUBLIC)
@limited("ledger", per_minute=PER_MINUTE)
def consistency() -> Response:
    """That the tree of `first` positions is a prefix of that of `second` (RFC 9162 section 2.1.4)."""
    first, second = _number("first"), _number("second")
    with _reading() as session:
        _check_size(session, second)
        if not 0 < first <= second:
            raise Invalid("sizes")
        proof = consistency_path(session, first, second)
        later = read_head(session, second)
    found = {"first": first, "second": second, "proof": [step.hex() for step in proof]}
    return _json(found | {"head": later.as_json() if later else None}, FOR_EVER)


@blueprint.get("/inclusion")
@gate(Gate.PUBLIC)
@limited("ledger", per_minute=PER_MINUTE)
def inclusion() -> Response:
    """That `leaf` stands at `position` in the tree of `size` positions; only for who knows the leaf's hash."""
    position, size = _number("position"), _number("size")
    try:
        leaf = bytes.fromhex(request.args.get("leaf", ""))
    except ValueError:
        raise Invalid("leaf") from None
    with _reading() as session:
        _check_size(session, size)
        if not 0 <= position < size:
            raise Invalid("position")
        if read_leaf(session, position) != leaf:
            raise NotFound("leaf")
        path = inclusion_path(session, position, size)
    return _json({"position": position, "size": size, "path": [step.hex() for step in path]}, FOR_EVER)


@blueprint.get("/keys")
@gate(Gate.PUBLIC)
@limited("ledger", per_minute=PER_MINUTE)
def keys() -> Response:
    """The public keys of heads, those retired included: old heads stay checkable."""
    origin, public = origin_of(wiring().settings.base_url), head_keys(wiring().keyring)
    found = [
        {"id": key.id, "algorithm": "Ed25519", "public_key": public[key.id].hex(), "created": key.created,
         "retired": key.retired, "checkpoint_key": verifier_key(origin, public[key.id])}
        for key in wiring().keyring.of_purpose("head-signing")
    ]  # fmt: skip
    return _json({"origin": origin, "keys": found}, LATER)


@blueprint.get("/checkpoint")
@gate(Gate.PUBLIC)
@limited("ledger", per_minute=PER_MINUTE)
def newest_checkpoint() -> Response:
    """The newest head as a signed note. Nothing is signed here but what the sealer signed before."""
    with wiring().database.begin(as_nobody()) as session:
        found = newest_head(session)
    if found is None or not _is_ours(found):
        raise NotFound("checkpoint")
    text = checkpoint(wiring().keyring, origin_of(wiring().settings.base_url), found)
    return _kept(Response(text, content_type="text/plain; charset=utf-8"), SOON)


@blueprint.get("/verify_receipt.py")
@gate(Gate.PUBLIC)
def script() -> Response:
    """The script that checks a receipt on any machine with Python, without us."""
    return _kept(Response(SCRIPT.read_bytes(), content_type="text/x-python; charset=utf-8"), LATER)


@contextmanager
def _reading() -> Iterator[Session]:
    """Hashes are there as soon as the sealer is through; until then a proof is asked for again."""
    try:
        with wiring().database.begin(as_nobody()) as session:
            yield session
    except LedgerIncomplete as error:
        raise Unavailable("ledger-not-sealed", retry_after_seconds=SOON) from error


def _is_ours(found: SignedHead) -> bool:
    return is_genuine_head(found, head_keys(wiring().keyring))


def _check_size(session: Session, size: int) -> None:
    newest = newest_head(session)
    if newest is None or size > newest.size:
        raise NotFound("size")


def _number(name: str) -> int:
    given = request.args.get(name, "")
    if not _is_number(given):
        raise Invalid(name)
    return int(given)


def _is_number(given: str) -> bool:
    return given.isascii() and given.isdigit() and len(given) <= 15


def _json(value: dict[str, Any], seconds: int) -> Response:
    return _kept(Response(orjson.dumps(value), content_type="application/json"), seconds)


def _kept(response: Response, seconds: int) -> Response:
    immutable = ", immutable" if seconds == FOR_EVER else ""
    response.headers["Cache-Control"] = f"public, max-age={seconds}{immutable}"
    return response
