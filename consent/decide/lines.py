"""A list of names in, a list of answers out, a block at a time: a million take a few tenths of a second.

In: one name a line (the first line may be the word `id`), or NDJSON with a string or `{"id": …}` a line. Out: CSV
`id,allowed,reason,position`, NDJSON of the same, or only the names that are allowed.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain, compress
from typing import Protocol

import orjson

from consent.decide.columns import Question
from consent.decide.decider import Look, Sifted
from consent.may_use import Permission
from vocabulary.errors import Invalid, Unavailable

BLOCK, LONGEST_NAME = 64 * 1024, 1_024  # the names of a block stay in a core's own cache
FRESH = timedelta(seconds=1)
_PLAIN = bytes(set(range(0x20, 0x7F)) - set(b'",\\'))


class Form(StrEnum):
    """How answers are written."""

    CSV = "csv"
    NDJSON = "ndjson"
    ALLOWED = "allowed"


_AROUND = {Form.CSV: (b"", b",", b"\n"), Form.NDJSON: (b'{"id":"', b'",', b"}\n")}
CSV_HEAD = b"id,allowed,reason,position\n"


class Looks(Protocol):
    """What a run of names is put to: a `Decider`."""

    def look(self, question: Question, names: Sequence[bytes], *, check: bool = True) -> Look: ...
    def sift(self, question: Question, names: Sequence[bytes], *, check: bool = True) -> Sifted | None: ...
    def now(self) -> datetime: ...


@dataclass
class Tally:
    """What a run came to: how many names, how many of them allowed, how many for each reason."""

    asked: int = 0
    allowed: int = 0
    position: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, look: Look) -> None:
        self.position = look.position
        for profile, count in Counter(look.profiles).items():
            permission = look.column[profile]
            self.asked += count
            self.allowed += count * permission.allowed
            self.reasons[permission.reason.value] += count

    def add_sifted(self, sifted: Sifted) -> None:
        """Of a filter it is known who is allowed, and of nobody why."""
        self.position = sifted.position
        self.asked += sifted.asked
        self.allowed += len(sifted.allowed)
        self.reasons["allowed"] += len(sifted.allowed)
        self.reasons["not-allowed"] += sifted.asked - len(sifted.allowed)


def bounded(chunks: Iterable[bytes], most: int, *, gzipped: bool = False) -> Iterator[bytes]:
    """The bytes as they come, unpacked when `gzipped`; Invalid beyond `most`, or when the packing is broken."""
    unpack = zlib.decompressobj(wbits=31) if gzipped else None
    total = 0
    for chunk in chunks:
        for part in _unpacked(unpack, chunk):
            total += len(part)
            if total > most:
                raise Invalid("too-large")
            yield part
    if unpack is not None and (not unpack.eof or unpack.unused_data):
        raise Invalid("broken-gzip")


def _unpacked(unpack: zlib._Decompress | None, chunk: bytes) -> Iterator[bytes]:
    if unpack is None:
        yield chunk
        return
    rest = chunk
    while rest:
        try:
            part = unpack.decompress(rest, BLOCK)
        except zlib.error:
            raise Invalid("broken-gzip") from None
        yield part
        if unpack.eof or (rest == unpack.unconsumed_tail and not part):
            return
        rest = unpack.unconsumed_tail


def blocks(chunks: Iterable[bytes], *, ndjson: bool = False) -> Iterator[list[bytes]]:
    """Runs of names, in order; empty lines are left out. Invalid for a line too long or not of its form."""
    kept, first = b"", True
    for chunk in chain(chunks, (b"\n",)):
        whole, end, after = (kept + chunk).rpartition(b"\n")
        if not end or (len(whole) < BLOCK and chunk != b"\n"):
            kept += chunk
            if not end and len(kept) > BLOCK:
                raise Invalid("line-too-long")
            continue
        kept = after
        lines = whole.split(b"\n")
        names = [_named(line) for line in lines if line.strip()] if ndjson else _plain(lines, whole)
        if first and names and not ndjson and names[0] == b"id":
            del names[0]
        first = first and not names
        if names:
            if not _surely_short(whole) and max(map(len, names)) > LONGEST_NAME:
                raise Invalid("line-too-long")
            yield names


def _surely_short(whole: bytes) -> bool:
    """A line ends in every stretch of half the longest name, so none is longer: not each has to be measured."""
    step = LONGEST_NAME // 2
    return all(whole.find(b"\n", at, at + step) >= 0 for at in range(0, len(whole) - step + 1, step))


def _plain(lines: list[bytes], whole: bytes) -> list[bytes]:
    """The lines that are not empty. Bytes are searched for what is rare, and not every line."""
    if b"\r" in whole:
        lines = [line.rstrip(b"\r") for line in lines]
    elif b"\n\n" not in whole and whole[:1] != b"\n" and whole[-1:] not in (b"\n", b""):
        return lines
    return [line for line in lines if line]


def _named(line: bytes) -> bytes:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise Invalid("not-json") from None
    if isinstance(value, dict):
        value = value.get("id")
    if not isinstance(value, str):
        raise Invalid("no-id")
    return value.encode()


def answer_lines(
    decider: Looks, question: Question, runs: Iterable[Sequence[bytes]], form: Form, tally: Tally, *, most: int
) -> Iterator[bytes]:
    """The answers as bytes, a piece per run of names; each run is one look's, no older than a second at its start.

    Raises Unavailable before the first piece when the position cannot be checked; later the lines themselves say so.
    Invalid beyond `most` names.
    """
    checked_at, write = None, _Writer(form)
    if form is Form.CSV:
        yield CSV_HEAD
    for names in runs:
        now = decider.now()
        check = checked_at is None or not timedelta(0) <= now - checked_at < FRESH
        if form is Form.ALLOWED and (sifted := decider.sift(question, names, check=check)) is not None:
            checked_at = now if check else checked_at
            tally.add_sifted(sifted)
            if tally.asked > most:
                raise Invalid("too-many-names")
            yield b"\n".join(sifted.allowed) + b"\n" if sifted.allowed else b""
            continue
        look = decider.look(question, names, check=check)
        if checked_at is None and not look.checked:
            raise Unavailable("position-not-checked", retry_after_seconds=1)
        checked_at = now if check else checked_at
        tally.add(look)
        if tally.asked > most:
            raise Invalid("too-many-names")
        yield write.run(names, look)


class _Writer:
    """Writes runs in one form; what follows a name is made once for each permission and position."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._tails: dict[tuple[int, int], bytes] = {}

    def run(self, names: Sequence[bytes], look: Look) -> bytes:
        if self._form is Form.ALLOWED:
            allowed = [permission.allowed for permission in look.column]
            kept = b"\n".join(compress(names, map(allowed.__getitem__, look.profiles)))
            return kept + b"\n" if kept else b""
        head, _, _ = _AROUND[self._form]
        tails = [self._tail(permission, look.position) + head for permission in look.column]
        if b"".join(names).translate(None, _PLAIN):
            names = [self._escaped(name) for name in names]
        body = b"".join(chain.from_iterable(zip(names, map(tails.__getitem__, look.profiles), strict=True)))
        return head + body[: len(body) - len(head)]

    def _tail(self, permission: Permission, position: int) -> bytes:
        key = (id(permission), position)
        tail = self._tails.get(key)
        if tail is None:
            allowed = "true" if permission.allowed else "false"
            _, between, end = _AROUND[self._form]
            if self._form is Form.CSV:
                told = f"{allowed},{permission.reason.value},{position}"
            else:
                told = f'"allowed":{allowed},"reason":"{permission.reason.value}","position":{position}'
            tail = self._tails[key] = between + told.encode() + end
        return tail

    def _escaped(self, name: bytes) -> bytes:
        if self._form is Form.NDJSON:
            return orjson.dumps(name.decode("utf-8", "replace"))[1:-1]
        return name if not name.translate(None, _PLAIN) else b'"' + name.replace(b'"', b'""') + b'"'
