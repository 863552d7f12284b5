"""Messy rows: every table filled with odd but legal values, made from the table definitions alone."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, Integer, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

ODD_TEXTS = ["", " ", "a" * 3000, "Ünïcödé 漢字 عربى", "'; DROP TABLE person; --", "\u202eevil", "null", "0", "\t\n"]
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
ONE_OF = {
    ("decision", "choice"): ["cancerlinq", "donation"],
    ("decision", "answer"): ["yes", "no"],
    ("decision", "actor_kind"): ["patient", "care-team", "proxy"],
}


def messy_row(table: Table, chance: random.Random, parents: dict[str, list[Any]]) -> dict[str, Any]:
    """One row of odd values that keeps the table's own rules; foreign keys point at rows of `parents`."""
    row = {column.name: _value(table, column, chance, parents) for column in table.columns if column.identity is None}
    if table.name == "decision":
        row["effort_id"] = "effort" if row["choice"] == "donation" else None
        if row["actor_kind"] == "care-team":
            row["answer"] = "no"
    if table.name == "person_link":
        row["person_id"], row["other_person_id"] = sorted(chance.sample(parents["person"], 2))
    return row


def _value(table: Table, column: Column[Any], chance: random.Random, parents: dict[str, list[Any]]) -> Any:
    for key in column.foreign_keys:
        return chance.choice(parents[key.column.table.name])
    if column.nullable and chance.random() < 0.4:
        return None
    allowed = ONE_OF.get((table.name, column.name))
    return chance.choice(allowed) if allowed else _of_type(column.type, column.primary_key, chance)


def _of_type(kind: Any, unique: bool, chance: random.Random) -> Any:
    number = chance.getrandbits(62)
    if isinstance(kind, ARRAY):
        return [_of_type(kind.item_type, True, chance) for _ in range(chance.choice([0, 1, 7]))]
    if isinstance(kind, Uuid):
        return UUID(int=chance.getrandbits(128))
    if isinstance(kind, LargeBinary):
        return chance.randbytes(chance.choice([16, 32, 500]))
    if isinstance(kind, TIMESTAMP):
        return LONG_AGO + timedelta(seconds=chance.choice([0, 1, 2**31, number % 2**32]))
    if isinstance(kind, JSONB):
        return chance.choice([{}, {"a": None}, {"nested": [{"ü": 1e300}]}])
    if isinstance(kind, Boolean):
        return chance.random() < 0.5
    if isinstance(kind, BigInteger):
        return number
    if isinstance(kind, Integer):
        return number % 2**31
    assert isinstance(kind, Text), f"no messy value for {kind}"
    odd = chance.choice(ODD_TEXTS)
    return f"{odd}{number}" if unique or chance.random() < 0.7 else odd
