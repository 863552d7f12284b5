"""How the receipts of one batch are kept: what all of them say once, and the rest by column. Pure.

    {"each": {"state": "applied", "at": "..."}, "columns": {"version": "1,2,1", "reference": ["R-1", "R-2", "R-3"]}}

Counts of a column stand in one text, since PostgreSQL reads thousands of numbers in JSON one by one; the event's number
is its place in the batch. Batches of before have a list of whole receipts, `{"receipts": [...]}`; `one_receipt` reads
both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from consent.receipts import AlikeReceipts, State, StoreReceipt

_COUNTS = ("version", "removed")


@dataclass(frozen=True)
class Kept:
    """`each` holds for all `count` of them; a column has a value for each, in the order of events."""

    count: int
    each: dict[str, Any]
    columns: dict[str, Sequence[Any]]

    @property
    def states(self) -> set[State]:
        return set(self.columns["state"]) if "state" in self.columns else {self.each["state"]}

    @property
    def removed(self) -> int:
        """Entries that were removed, of all of them."""
        if "removed" in self.columns:
            return sum(count or 0 for count in self.columns["removed"])
        return self.count * (self.each.get("removed") or 0)

    def as_json(self) -> str:
        columns = {name: _written(name, values) for name, values in self.columns.items()}
        return msgspec.json.encode({"each": self.each, "columns": columns}).decode()


def kept(receipts: Sequence[StoreReceipt]) -> Kept:
    """The receipts, one at least, in the order of their events, by column."""
    each: dict[str, Any] = {}
    columns: dict[str, Sequence[Any]] = {}
    for name, values in _columns(receipts).items():
        first = values[0]
        if values.count(first) != len(values):
            columns[name] = values
        elif first is not None:
            each[name] = first
    return Kept(len(receipts), each, columns)


def _columns(receipts: Sequence[StoreReceipt]) -> dict[str, Sequence[Any]]:
    """Each column; one value of what `AlikeReceipts` share."""
    if isinstance(receipts, AlikeReceipts):
        return {**_columns([receipts.says]), "version": receipts.versions}
    return {
        "version": [one.version for one in receipts],
        "removed": [one.removed for one in receipts],
        "state": [one.state for one in receipts],
        "stopped": [one.stopped for one in receipts],
        "keeps": [one.keeps for one in receipts],
        "reference": [one.reference for one in receipts],
        "reason": [one.reason for one in receipts],
        "at": [one.at for one in receipts],
    }


def _written(name: str, values: Sequence[Any]) -> str | Sequence[Any]:
    return ",".join(map(str, values)) if name in _COUNTS and None not in values else values


def one_receipt(detail: str, place: str, event: str) -> str:
    """SQL for one receipt as it was signed, NULL where there is none: of the column `detail` of a batch's row, of the
    event at `place` (from 0) with number `event`."""
    count = f"split_part(value #>> '{{}}', ',', CAST({place} AS int) + 1)"
    value = (
        f"CASE jsonb_typeof(value) WHEN 'string' THEN to_jsonb(CAST({count} AS bigint))"
        f" ELSE value -> CAST({place} AS int) END"
    )
    columns = f"SELECT coalesce(jsonb_object_agg(key, {value}), '{{}}') FROM jsonb_each({detail} -> 'columns')"  # noqa: S608 - names of columns
    said = f"{detail} -> 'each' || jsonb_build_object('event', {event}) || ({columns})"
    return f"coalesce({detail} -> 'receipts' -> CAST({place} AS int), jsonb_strip_nulls({said}))"


# Of a row `r` of `receipt` and its batch `b`, for the event `at.place` of it.
ONE_RECEIPT = one_receipt("r.detail", "at.place", "b.first_event + at.place")
# What each event of a batch's row `p`, which has the batch's `positions`, came to: its position and its state.
STATES = (
    "SELECT unnest(p.positions) AS position, p.detail -> 'each' ->> 'state' AS state WHERE p.detail -> 'each' ? 'state'"
    " UNION ALL SELECT position, state FROM unnest(p.positions, ARRAY(SELECT jsonb_array_elements_text("
    "   p.detail -> 'columns' -> 'state'))) AS s(position, state)"
    " UNION ALL SELECT position, e ->> 'state' FROM unnest(p.positions, ARRAY(SELECT jsonb_array_elements("
    "   p.detail -> 'receipts'))) AS s(position, e)"
)
