"""The ways: each changes something as superuser and says which finding would name it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, TIMESTAMP, Boolean, Integer, LargeBinary, Uuid, text
from sqlalchemy.orm import Session

from consent.leaf import leaf_of
from consent.ledger_findings import Finding
from consent.rows import decision_of
from consent.tables import DecisionRow
from consent.tiles import WIDTH, full_root
from tests.pure.consent.decisions import T0


@dataclass(frozen=True)
class Done:
    """What was done: the positions touched, and decisions; `named_by` says whether a finding names exactly that."""

    what: str
    positions: tuple[int, ...]
    decisions: tuple[UUID, ...] = ()

    def named_by(self, finding: Finding) -> bool:
        exact = finding.first == finding.last or (finding.first, finding.last) == self.positions
        return (exact and (finding.first in self.positions)) or finding.decision in self.decisions

    def within(self, finding: Finding) -> bool:
        return any(finding.first <= position <= finding.last for position in self.positions)


Way = Callable[[Session, random.Random, int], Done]


def _row(session: Session, position: int) -> Any:
    joined = "SELECT p.position, p.leaf, d.* FROM position p JOIN decision d ON d.id = p.decision_id"
    return session.execute(text(f"{joined} WHERE p.position = :at"), {"at": position}).mappings().one()


def _two(chance: random.Random, count: int, apart: int) -> tuple[int, int]:
    first = chance.randrange(count - apart)
    return first, first + chance.randint(1, apart)


def other_value(chance: random.Random, column: str, value: Any) -> Any:
    """A value of the same type that is another one."""
    kind = DecisionRow.__table__.c[column].type
    if column in ("means", "answer", "language", "actor_kind"):
        choices = {"means": ["web", "paper", "phone"], "answer": ["yes", "no"], "language": ["en", "es"],
                   "actor_kind": ["patient", "proxy"]}[column]  # fmt: skip
        return chance.choice([each for each in choices if each != value])
    if isinstance(kind, Boolean):
        return not value
    if isinstance(kind, Integer):
        return (value or 0) + chance.randint(1_000, 9_000)
    if isinstance(kind, Uuid):
        return UUID(int=chance.getrandbits(128), version=4)
    if isinstance(kind, TIMESTAMP):
        return (value or T0).replace(microsecond=((value or T0).microsecond + 1) % 1_000_000)
    if isinstance(kind, ARRAY):
        return {"categories": ["general"], "sensitive": ["hiv"]}[column] if len(value) != 1 else []
    if isinstance(kind, LargeBinary):
        return chance.randbytes(len(value)) if value else chance.choice([b"", b"x"])
    return f"{value or ''}{chance.choice(['x', ' ', 'é'])}"


COLUMNS: Sequence[str] = [
    column.name for column in DecisionRow.__table__.c if column.name not in ("choice", "effort_id")
]


def edit(session: Session, chance: random.Random, count: int, column: str | None = None) -> Done:
    """One value of one decision; an effort's name where there is one. A choice changes with its effort: an opt-out
    becomes a word about a donation, or the other way."""
    at = chance.randrange(count)
    row = _row(session, at)
    column = column or chance.choice([*COLUMNS, "effort_id", "choice"])
    if column == "effort_id" and row["effort_id"] is None:
        column = "reason"
    if row["actor_kind"] == "care-team" and column in ("answer", "choice"):
        column = "language"
    if column == "choice":
        other = {"choice": "cancerlinq", "effort_id": None}
        values = other if row["effort_id"] else {"choice": "donation", "effort_id": "living-well"}
    else:
        values = {column: "another-effort" if column == "effort_id" else other_value(chance, column, row[column])}
    changes = ", ".join(f"{name} = :{name}" for name in values)
    session.execute(text(f"UPDATE decision SET {changes} WHERE id = :row"), {"row": row["id"], **values})
    return Done(f"edit of {column}", (at,), (row["id"],))


def edit_position(session: Session, chance: random.Random, count: int) -> Done:
    at, column = chance.randrange(count), chance.choice(["person_id", "version", "leaf"])
    value = {"person_id": UUID(int=chance.getrandbits(128), version=4), "version": 99, "leaf": chance.randbytes(32)}
    session.execute(text(f"UPDATE position SET {column} = :v WHERE position = :at"), {"v": value[column], "at": at})
    return Done(f"edit of the position's {column}", (at,))


def delete(session: Session, chance: random.Random, count: int) -> Done:
    at, tables = chance.randrange(count), chance.choice([("decision",), ("position",), ("decision", "position")])
    row = _row(session, at)
    for table in tables:
        where = "id = :id" if table == "decision" else "decision_id = :id"
        session.execute(text(f"DELETE FROM {table} WHERE {where}"), {"id": row["id"]})
    return Done(f"deletion of {' and '.join(tables)}", (at,), (row["id"],))


def exchange(session: Session, chance: random.Random, count: int) -> Done:
    """Two rows change places, leaves and all."""
    low, high = _two(chance, count, chance.choice([1, 8, 100]))
    move = text("UPDATE position SET position = :to WHERE position = :at")
    for at, to in ((low, -5), (high, low), (-5, high)):
        session.execute(move, {"at": at, "to": to})
    return Done("exchange of two rows with their leaves", (low, high))


def exchange_rows(session: Session, chance: random.Random, count: int) -> Done:
    """Two rows change places, their leaves stay."""
    low, high = _two(chance, count, count - 1)
    one, other = _row(session, low), _row(session, high)
    take = text("UPDATE position SET decision_id = :id, person_id = :person, version = :version WHERE position = :at")
    spare = UUID(int=chance.getrandbits(128))
    session.execute(take, {"id": spare, "person": spare, "version": 1, "at": low})
    for at, row in ((high, one), (low, other)):
        bound = {"id": row["id"], "person": row["person_id"], "version": row["version"], "at": at}
        session.execute(take, bound)
    return Done("exchange of two rows under their leaves", (low, high))


def insert(session: Session, chance: random.Random, count: int) -> Done:
    """A decision that nobody made, beside the sequencer."""
    row = dict(_row(session, chance.randrange(count)))
    new = UUID(int=chance.getrandbits(128), version=4)
    names = ", ".join(column.name for column in DecisionRow.__table__.c)
    picked = ", ".join({"id": ":new", "version": "900", "idempotency_key": "'other'"}.get(name, name)
                       for name in names.split(", "))  # fmt: skip
    made = text(f"INSERT INTO decision ({names}) SELECT {picked} FROM decision WHERE id = :id")
    session.execute(made, {"new": new, "id": row["id"]})
    return Done("insertion of a decision", (-1,), (new,))


SIMPLE: dict[str, Way] = {
    "edit": edit, "edit-position": edit_position, "delete": delete, "exchange": exchange,
    "exchange-rows": exchange_rows, "insert": insert,
}  # fmt: skip


def edit_with_leaf(session: Session, chance: random.Random, count: int) -> Done:
    """An edit whose leaf and tiles are recomputed: nothing in the tables disagrees but the signed heads."""
    at = chance.randrange(count)
    row = _row(session, at)
    session.execute(text("UPDATE decision SET reason = 'forged' WHERE id = :id"), {"id": row["id"]})
    leaf = leaf_of(decision_of(_row(session, at)))
    session.execute(text("UPDATE position SET leaf = :leaf WHERE position = :at"), {"leaf": leaf, "at": at})
    remake_tiles(session)
    return Done("edit with its leaf and tiles recomputed", (at,), ())


def remove_and_close_up(session: Session, chance: random.Random, count: int) -> Done:
    """A row taken out, the rows after it moved up, tiles recomputed."""
    at = chance.randrange(count - 1)
    row = _row(session, at)
    session.execute(text("DELETE FROM position WHERE position = :at"), {"at": at})
    session.execute(text("DELETE FROM decision WHERE id = :id"), {"id": row["id"]})
    session.execute(text("UPDATE position SET position = -position WHERE position > :at"), {"at": at})
    session.execute(text("UPDATE position SET position = -position - 1 WHERE position < 0"))
    remake_tiles(session)
    return Done("removal with the rows after it moved up", (at,), ())


def remake_tiles(session: Session) -> None:
    """What a thorough forger does last."""
    leaves = [bytes(leaf) for leaf in session.scalars(text("SELECT leaf FROM position ORDER BY position"))]
    for number in range(len(leaves) // WIDTH):
        root = full_root(b"".join(leaves[number * WIDTH : (number + 1) * WIDTH]))
        bound = {"root": root, "number": number}
        session.execute(text("UPDATE ledger_tile SET root = :root WHERE level = 1 AND number = :number"), bound)


THOROUGH: dict[str, Way] = {"edit-with-leaf": edit_with_leaf, "remove-and-close-up": remove_and_close_up}
