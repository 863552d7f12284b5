"""`python -m tests.tampering`: 10,000 random ways to change history as superuser, and what the auditor says of each."""

from __future__ import annotations

import argparse
import inspect
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from consent import ledger_verify
from consent.ledger_rows import AuditedRow
from consent.published_heads import PublishedHead
from consent.seal import SignedHead, head_keys
from database.keyring import KeyRing
from tests.support import postgres as postgres_support
from tests.support.postgres import TestDatabase
from tests.tampering.ledger import grow_ledger, published_heads, superuser
from tests.tampering.trials import Outcome, audit, one_trial
from tests.tampering.ways import SIMPLE, THOROUGH

server = contextmanager(inspect.unwrap(postgres_support.postgres))
fresh_database = contextmanager(inspect.unwrap(postgres_support.database))


def main() -> int:
    options = _options()
    _remember()
    keyring = KeyRing.fresh(demo=True)
    with server() as postgres, fresh_database(postgres, keyring) as database:
        grow_ledger(database, options.rows, options.seed)
        heads = published_heads(database)
        started = time.monotonic()
        outcomes = _run(database, heads, options)
        seconds = time.monotonic() - started
    report = _report(outcomes, options, len(heads), seconds)
    sys.stdout.write(report)
    if options.report:
        options.report.write_text(report, encoding="utf-8")
    return 0 if all(_is_good(outcome) for outcome in outcomes) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--thorough", type=int, default=500, help="more trials, leaf and tiles forged too")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--report", type=Path)
    return parser.parse_args()


def _run(database: TestDatabase, heads: Sequence[PublishedHead], options: argparse.Namespace) -> list[Outcome]:
    chance, keys = random.Random(f"trials {options.seed}"), head_keys(database.keyring)
    with superuser(database) as session:
        before = audit(session, keys, heads)
        if before:
            raise SystemExit(f"the ledger is not sound before anything was done: {before}")
        outcomes = [_one(session, chance, options.rows, keys, heads, thorough=False) for _ in range(options.trials)]
        outcomes += [_one(session, chance, options.rows, keys, heads, thorough=True) for _ in range(options.thorough)]
        after = audit(session, keys, heads)
        if after:
            raise SystemExit(f"a trial was not undone: {after}")
    return outcomes


def _remember() -> None:
    """The two pure functions that cost most are asked once for each value: 10,000 audits of nearly the same rows."""
    rows: dict[tuple[Any, ...], AuditedRow] = {}
    heads: dict[SignedHead, bool] = {}
    judged = vars(ledger_verify)
    judge_row, judge_head = judged["audited"], judged["is_genuine_head"]

    def audited(row: Mapping[str, Any]) -> AuditedRow:
        key = tuple(tuple(value) if isinstance(value, list) else value for value in row.values())
        if key not in rows:
            rows[key] = judge_row(row)
        return rows[key]

    def is_genuine_head(head: SignedHead, public_keys: dict[str, bytes]) -> bool:
        if head not in heads:
            heads[head] = judge_head(head, public_keys)
        return heads[head]

    judged.update(audited=audited, is_genuine_head=is_genuine_head)


def _one(
    session: Session,
    chance: random.Random,
    rows: int,
    keys: dict[str, bytes],
    heads: Sequence[PublishedHead],
    *,
    thorough: bool,
) -> Outcome:
    ways = THOROUGH if thorough else SIMPLE
    name = chance.choice(sorted(ways))
    return one_trial(session, name, ways[name], chance, rows, keys, heads)


def _is_good(outcome: Outcome) -> bool:
    return outcome.within if outcome.way in THOROUGH else outcome.named


def _report(outcomes: Sequence[Outcome], options: argparse.Namespace, heads: int, seconds: float) -> str:
    simple = [outcome for outcome in outcomes if outcome.way in SIMPLE]
    thorough = [outcome for outcome in outcomes if outcome.way in THOROUGH]
    lines = [
        "# A superuser against the ledger",
        "",
        f"`python -m tests.tampering --trials {options.trials} --thorough {options.thorough} --rows {options.rows}"
        f" --seed {options.seed}`",
        "",
        "Each trial changes a real database as superuser with triggers and foreign keys off, audits the whole ledger of"
        f" {options.rows} rows",
        f"by the function behind `portal ledger verify`, and is undone. {heads} heads had been published."
        f" {seconds:.0f} s.",
        "",
        f"**{sum(outcome.named for outcome in simple)} of {len(simple)} named exactly** (edits, deletions, insertions"
        " and reorderings: the row's position or its id, or the two positions that were exchanged).",
        "",
        *_table(simple),
        "",
        f"**{sum(outcome.found for outcome in thorough)} of {len(thorough)} thorough forgeries found,"
        f" {sum(outcome.within for outcome in thorough)} in the right run** (the leaf and"
        " the tiles recomputed too: only the heads that others hold disagree), named as a run of positions:",
        f"median width {_median([outcome.width for outcome in thorough])},"
        f" widest {max((outcome.width for outcome in thorough), default=0)}. The width is the distance between heads.",
        "",
        *_table(thorough),
        "",
        *[f"- not placed: {outcome}" for outcome in outcomes if not _is_good(outcome)][:20],
    ]
    return "\n".join(lines).rstrip() + "\n"


def _table(outcomes: Sequence[Outcome]) -> list[str]:
    done = Counter(outcome.done.what for outcome in outcomes)
    found = Counter(outcome.done.what for outcome in outcomes if outcome.found)
    named = Counter(outcome.done.what for outcome in outcomes if outcome.named)
    rows = [f"| {what} | {done[what]} | {found[what]} | {named[what]} |" for what in sorted(done)]
    return ["| What was done | times | found | row named |", "|---|---|---|---|", *rows]


def _median(values: Sequence[int]) -> int:
    return sorted(values)[len(values) // 2] if values else 0


if __name__ == "__main__":
    sys.exit(main())
