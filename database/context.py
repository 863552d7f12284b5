"""Whose rows a transaction may reach. PostgreSQL's row security enforces it; this only says it.

The context is set by one statement at the start of each transaction with transaction-local settings, so that a
connection handed back to the pool carries nothing over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session


class Runs(Protocol):
    """Runs a statement in a transaction: a session, or what goes straight to the driver."""

    def execute(self, statement: TextClause, values: Mapping[str, Any], /) -> object: ...


WideRole = Literal["portal_propagation", "portal_release"]


@dataclass(frozen=True)
class Context:
    """What a transaction is for.

    `persons`: people whose rows may be read and written. `account`: the signed-in account. `lookups`: keyed indexes
    the caller already knows (of a session cookie, a login state, an alias, a phone number); rows carrying one of
    them may be read. `practices`: for staff work, the service's own with `staff`, a care team's without. `role`: one of
    the two roles that read across persons. `one_view`: the whole transaction reads one moment (REPEATABLE READ).
    """

    persons: tuple[UUID, ...] = ()
    account: UUID | None = None
    lookups: tuple[bytes, ...] = ()
    practices: tuple[str, ...] = ()
    staff: bool = False
    role: WideRole | None = None
    one_view: bool = False

    @property
    def statement(self) -> TextClause:
        """The one statement that puts a context into force until the transaction ends; `values` are its parameters."""
        return _IN_FORCE_WITH_ROLE if self.role else _IN_FORCE

    @property
    def values(self) -> dict[str, str]:
        """The parameters of `statement`."""
        values = {
            "persons": _comma(self.persons),
            "account": str(self.account) if self.account else "",
            "lookups": _comma(value.hex() for value in self.lookups),
            "practices": _comma(self.practices),
            "staff": "yes" if self.staff else "",
        }
        return values | {"role": self.role} if self.role else values

    def put_in_force(self, session: Runs) -> None:
        """For the rest of the session's transaction, in place of what was."""
        if self.one_view:
            session.execute(_ONE_VIEW, {})
        session.execute(self.statement, self.values)


# Constant, and one column: building a statement anew and describing six columns cost more than running it.
_EACH = [f"set_config('app.{name}', :{name}, true)" for name in ("persons", "account", "lookups", "practices", "staff")]
_IN_FORCE = text("SELECT " + " || ".join(_EACH))
_IN_FORCE_WITH_ROLE = text("SELECT " + " || ".join([*_EACH, "set_config('role', :role, true)"]))

_ONE_VIEW = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
_HELD_BACK = text("SELECT set_config('app.held_back', :entries, true)")


def _comma(values: Iterable[object]) -> str:
    return ",".join(str(value) for value in values)


def as_nobody() -> Context:
    """Reaches only what belongs to nobody: practices, efforts, texts, store records."""
    return Context()


def as_persons(*persons: UUID, account: UUID | None = None, one_view: bool = False) -> Context:
    return Context(persons=persons, account=account, one_view=one_view)


def knowing(*lookups: bytes, persons: tuple[UUID, ...] = (), account: UUID | None = None) -> Context:
    """Reaches the rows that carry one of these keyed indexes: who holds the secret may see its row."""
    return Context(persons=persons, account=account, lookups=lookups)


def as_staff(practices: Iterable[str], account: UUID, *persons: UUID) -> Context:
    """A member of staff at work: the tasks of these practices (`*` for all), and the people they may open now."""
    return Context(persons=persons, account=account, practices=tuple(practices), staff=True)


def as_practice(practice: str, account: UUID) -> Context:
    """A member of a care team at work for their practice: its tasks, and nothing of the service's own staff."""
    return Context(account=account, practices=(practice,))


def as_propagation() -> Context:
    """The sequencer and the senders: reads decisions across persons, column by column."""
    return Context(role="portal_propagation")


def as_release() -> Context:
    """Builds for research: reads donors across persons."""
    return Context(role="portal_release")


def widen(session: Session, context: Context) -> None:
    """Replace the context inside a transaction, once the gate has found whom it is about."""
    context.put_in_force(session)


def hold_back(session: Session, entries: Iterable[UUID]) -> None:
    """For the rest of the transaction these entries of the record are not there, whoever asks for them."""
    session.execute(_HELD_BACK, {"entries": _comma(sorted(entries))})
