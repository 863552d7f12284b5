"""Heads as others kept them: what the ledger is held to, whatever its own tables say now."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from consent.checkpoint import read_checkpoint
from consent.seal import SignedHead, is_genuine_head
from vocabulary.errors import Invalid


@dataclass(frozen=True)
class PublishedHead:
    """A head that somebody outside kept. One that is not `genuine` was not signed with our keys and proves nothing."""

    size: int
    root: bytes
    genuine: bool


def head_of_header(line: str) -> SignedHead:
    """The head in a `portal-tree-head` header; Invalid when it is none."""
    try:
        size, root, seconds, key, signature = line.strip().split(":")
        at = datetime.fromtimestamp(int(seconds), UTC)
        return SignedHead(int(size), base64.urlsafe_b64decode(root), at, key, base64.urlsafe_b64decode(signature))
    except (ValueError, OverflowError, OSError, binascii.Error):
        raise Invalid("not-a-head") from None


def head_of_json(value: Any) -> SignedHead:
    """The head in the JSON of a receipt or of `/ledger/heads`; Invalid when it is none."""
    try:
        at = datetime.strptime(value["signed_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        root, signature = bytes.fromhex(value["root"]), base64.b64decode(value["signature"])
        return SignedHead(int(value["size"]), root, at, str(value["key_id"]), signature)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise Invalid("not-a-head") from None


def read_published_heads(text: str, public_keys: dict[str, bytes]) -> list[PublishedHead]:
    """The heads in a file: JSON (one head, a list, a page of `/ledger/heads`, a receipt), JSON lines, header lines, or
    one checkpoint. Smallest first; Invalid, with the line's number, when a line is none of these."""
    if text.count("\n\n\u2014 ") == 1:
        one = read_checkpoint(text, public_keys)
        return [PublishedHead(one.size, one.root, one.genuine)]
    found = [PublishedHead(head.size, head.root, is_genuine_head(head, public_keys)) for head in _heads(text)]
    return sorted(found, key=lambda head: head.size)


def _heads(text: str) -> Iterator[SignedHead]:
    try:
        yield from _within(orjson.loads(text))
        return
    except orjson.JSONDecodeError:
        pass
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield from _within(orjson.loads(line)) if line.lstrip().startswith("{") else [head_of_header(line)]
        except (orjson.JSONDecodeError, Invalid):
            raise Invalid("not-a-head", {"line": str(number)}) from None


def _within(value: Any) -> Iterator[SignedHead]:
    if isinstance(value, list):
        for each in value:
            yield from _within(each)
    elif isinstance(value, dict) and isinstance(value.get("heads"), list):
        yield from _within(value["heads"])
    elif isinstance(value, dict) and ("head" in value or "proof" in value):
        yield from _within(value.get("head") or value["proof"])
    else:
        yield head_of_json(value)
