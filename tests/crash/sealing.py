"""kill -9 of PostgreSQL while heads are signed and tiles are made: what was signed stays, nothing is half there.

`python -m tests.crash.sealing --kills 100 --seed 7 --report FILE.md`. After each kill the server recovers, a new sealer
goes on, and at the end the whole ledger is audited against every head that was acknowledged, as a witness kept it.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from consent.decision import Decision
from consent.ledger_verify import verify_ledger
from consent.published_heads import PublishedHead
from consent.record_decision import insert_decisions
from consent.seal import Sealer, SignedHead, head_keys
from consent.sequencer import sequence_once
from database.context import as_nobody, as_persons
from database.embedded import EmbeddedServer
from database.keyring import KeyRing
from database.prepare import passwords_in, prepare, with_database
from database.unit_of_work import Database
from tests.support.postgres import TestDatabase
from tests.tampering.ledger import grow_ledger, some_decision
from vocabulary.errors import PortalError

Result = TypeVar("Result")
PEOPLE = 20
AT_ONCE = 90
LONGEST_WAIT_SECONDS = 0.03


@dataclass
class Sealed:
    """What came of it. `ended`: how often a kill came before, in the middle of, or after a seal."""

    kills: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    heads: list[SignedHead] = field(default_factory=list)
    positions: int = 0
    findings: list[str] = field(default_factory=list)


@dataclass
class Trial:
    """One ledger on a server of its own, and a sealer that is at work when the server is killed."""

    server: EmbeddedServer
    database: TestDatabase
    chance: random.Random
    made: Sealed = field(default_factory=Sealed)
    versions: dict[UUID, int] = field(default_factory=dict)

    def kill_once(self) -> None:
        """More decisions, a seal that starts now, and a kill a moment later; then recovery, and on it goes."""
        self._decide()
        sealer, said = Sealer(self.database.worker, self.database.keyring), list[str]()
        thread = threading.Thread(target=self._seal, args=(sealer, said))
        thread.start()
        time.sleep(self.chance.random() * LONGEST_WAIT_SECONDS)
        self.server.kill()
        thread.join()
        self.made.ended[said[0]] += 1
        self.made.kills += 1
        self.server.ensure_running()
        self._until_it_works(lambda: self._seal_again(Sealer(self.database.worker, self.database.keyring)))

    def audit(self) -> None:
        """Every row, tile and head, against the heads that were acknowledged."""
        heads = [PublishedHead(head.size, head.root, True) for head in self.made.heads]
        report = self._until_it_works(
            lambda: verify_ledger(self.database.maintenance, head_keys(self.database.keyring), heads, start=0)
        )
        self.made.positions = report.positions
        self.made.findings = [str(finding) for finding in report.findings]

    def _seal(self, sealer: Sealer, said: list[str]) -> None:
        try:
            head = sealer.seal_once(datetime.now(UTC))
        except (PortalError, DBAPIError):
            said.append("cut off")
            return
        said.append("sealed before the kill")
        if head is not None:
            self.made.heads.append(head)

    def _seal_again(self, sealer: Sealer) -> None:
        head = sealer.seal_once(datetime.now(UTC))
        if head is not None:
            self.made.heads.append(head)

    def _decide(self) -> None:
        count = self.chance.randint(1, AT_ONCE)
        made = []
        for _ in range(count):
            person = self.chance.choice(sorted(self.versions))
            self.versions[person] += 1
            made.append(some_decision(self.chance, person, self.versions[person]))
        self._until_it_works(lambda: self._insert(made))
        self._until_it_works(lambda: sequence_once(self.database.worker, datetime.now(UTC)))

    def _insert(self, made: list[Decision]) -> None:
        with self.database.web.begin(as_persons(*self.versions)) as session:
            insert_decisions(session, made, "decision.recorded")

    @staticmethod
    def _until_it_works(work: Callable[[], Result]) -> Result:
        for _ in range(50):
            try:
                return work()
            except (PortalError, DBAPIError):
                time.sleep(0.05)
        raise AssertionError("the database did not come back")


def run(folder: Path, kills: int, seed: int) -> Sealed:
    """From the main thread; the folder must be one that the server's account can enter."""
    chance = random.Random(f"kills {seed}")
    server = EmbeddedServer.start(folder)
    try:
        urls = prepare(server.superuser_url, "sealing", passwords_in(folder / "logins.json"))
        web, worker, maintenance = (Database(url, pool_size=2) for url in (urls.web, urls.worker, urls.maintenance))
        superuser = with_database(server.superuser_url, "sealing")
        database = TestDatabase(urls, superuser, web, worker, maintenance, KeyRing.fresh(demo=True))
        grow_ledger(database, 2 * AT_ONCE, seed, people=PEOPLE)
        trial = Trial(server, database, chance)
        trial.versions = _versions(database)
        for _ in range(kills):
            trial.kill_once()
        trial.audit()
        for login in (web, worker, maintenance):
            login.close()
        return trial.made
    finally:
        server.discard()


def _versions(database: TestDatabase) -> dict[UUID, int]:
    with database.maintenance.begin(as_nobody()) as session:
        rows = session.connection().exec_driver_sql("SELECT person_id, max(version) FROM decision GROUP BY person_id")
        return {row[0]: row[1] for row in rows}


def as_markdown(made: Sealed, seed: int, seconds: float) -> str:
    ended = ", ".join(f"{what} {count}" for what, count in sorted(made.ended.items()))
    good = not made.findings
    lines = [
        f"# {made.kills} kills of PostgreSQL while the ledger was being sealed",
        "",
        f"**{'Passed' if good else 'FAILED'}.** `python -m tests.crash.sealing --kills {made.kills} --seed {seed}`,"
        f" {seconds:.0f} s.",
        "",
        "Each time up to 90 decisions are placed, a sealer starts, and the postmaster is killed (`kill -9`) up to 30 ms"
        " later; the server recovers and a new sealer goes on. At the end every row, tile and head is audited by the"
        " function behind `portal ledger verify`, against every head that a sealer had returned.",
        "",
        f"- The seal was: {ended}.",
        f"- {len(made.heads)} heads were acknowledged; {made.positions:,} positions audited.",
        f"- Found: {len(made.findings)} of {made.positions:,} rows, and of {len(made.heads)} heads.",
        *[f"- {finding}" for finding in made.findings[:50]],
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    given = argparse.ArgumentParser(prog="python -m tests.crash.sealing", description=__doc__)
    given.add_argument("--kills", type=int, default=100)
    given.add_argument("--seed", type=int, default=7)
    given.add_argument("--report", type=Path)
    chosen = given.parse_args()
    began = time.monotonic()
    made = run(Path(tempfile.mkdtemp(prefix="portal-sealing-")), chosen.kills, chosen.seed)
    text = as_markdown(made, chosen.seed, time.monotonic() - began)
    sys.stdout.write(text)
    if chosen.report:
        chosen.report.write_text(text, encoding="utf-8")
    return 1 if made.findings else 0


if __name__ == "__main__":
    sys.exit(main())
