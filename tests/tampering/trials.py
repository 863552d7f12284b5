"""One trial: tamper inside a savepoint, audit by the product's own command's function, undo."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy.orm import Session

from consent.ledger_findings import Finding
from consent.ledger_verify import verify_ledger
from consent.published_heads import PublishedHead
from database.unit_of_work import Database
from tests.tampering.ledger import OneTransaction
from tests.tampering.ways import Done, Way


@dataclass(frozen=True)
class Outcome:
    """`named`: a finding names exactly the row, or the two. `within`: at least a run that holds it; its width."""

    way: str
    done: Done
    found: bool
    named: bool
    within: bool
    width: int

    def __str__(self) -> str:
        return f"{self.way}: {self.done.what} at {self.done.positions}"


def one_trial(
    session: Session,
    name: str,
    way: Way,
    chance: random.Random,
    count: int,
    keys: dict[str, bytes],
    heads: Sequence[PublishedHead],
) -> Outcome:
    """Tamper once and audit; the ledger is as it was afterwards."""
    savepoint = session.begin_nested()
    done = way(session, chance, count)
    findings = audit(session, keys, heads)
    savepoint.rollback()
    holding = [finding.last - finding.first + 1 for finding in findings if done.within(finding)]
    named = any(done.named_by(finding) for finding in findings)
    return Outcome(name, done, bool(findings), named, named or bool(holding), min(holding, default=0))


def audit(session: Session, keys: dict[str, bytes], heads: Sequence[PublishedHead], start: int = 0) -> list[Finding]:
    """The findings of a whole audit, seen from inside this transaction."""
    database = cast("Database", OneTransaction(session))
    return verify_ledger(database, keys, heads, start=start).findings
