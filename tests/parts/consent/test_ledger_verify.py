"""The auditor on a real database: what is sound is called sound, and each way to change history is named."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from inspect import unwrap
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.ledger_findings import Fault
from consent.merkle import root_hash
from consent.published_heads import PublishedHead
from consent.record_decision import insert_decisions
from consent.seal import LedgerForked, Sealer, head_keys, read_heads, sign_head
from consent.sequencer import sequence_once
from consent.tables import DecisionRow
from database.context import as_nobody, as_persons
from database.keyring import KeyRing
from patient_portal.cli import portal
from tests.pure.consent.decisions import T0
from tests.support import postgres as postgres_support
from tests.support.people import add_person
from tests.support.postgres import Server, TestDatabase
from tests.tampering.ledger import grow_ledger, published_heads, some_decision, superuser
from tests.tampering.trials import audit, one_trial
from tests.tampering.ways import SIMPLE, THOROUGH, edit, remake_tiles

ROWS = 300
fresh_database = contextmanager(unwrap(postgres_support.database))


@dataclass(frozen=True)
class Grown:
    """A ledger of 300 decisions, what a witness kept of it, and a superuser whose changes are never kept."""

    database: TestDatabase
    heads: list[PublishedHead]
    session: Session

    def findings(self, start: int = 0, *, witness: bool = True) -> list[Fault]:
        found = audit(self.session, head_keys(self.database.keyring), self.heads if witness else [], start)
        return [finding.fault for finding in found]


@pytest.fixture(scope="module")
def whole(postgres: Server, keyring: KeyRing) -> Iterator[Grown]:
    """One ledger for all: each test undoes what it did."""
    with ExitStack() as stack:
        database = stack.enter_context(fresh_database(postgres, keyring))
        grow_ledger(database, ROWS, seed=11)
        session = stack.enter_context(superuser(database))
        yield Grown(database, published_heads(database), session)


@pytest.fixture
def grown(whole: Grown) -> Iterator[Grown]:
    savepoint = whole.session.begin_nested()
    yield whole
    savepoint.rollback()


def test_a_sound_ledger_is_called_sound(grown: Grown) -> None:
    """I6: nothing is found where nothing is wrong, from the beginning or from a later position."""
    assert grown.findings() == grown.findings(start=256) == grown.findings(witness=False) == []
    assert len(grown.heads) > 20


@pytest.mark.parametrize("seed", range(4))
def test_what_a_superuser_changes_is_named(grown: Grown, seed: int) -> None:
    """Issue 3, threats 18: edits, deletions, insertions and reorderings under a published head, each row named.

    10,000 of them: `python -m tests.tampering`, reported in docs/reliability.
    """
    chance, keys = random.Random(seed), head_keys(grown.database.keyring)
    for name, way in SIMPLE.items():
        for _ in range(4):
            outcome = one_trial(grown.session, name, way, chance, ROWS, keys, grown.heads)
            assert outcome.named, str(outcome)


@pytest.mark.parametrize("column", [column.name for column in DecisionRow.__table__.c])
def test_each_column_is_covered(grown: Grown, column: str) -> None:
    """Decisions (Merkle leaf): the whole row. A column added without entering the leaf fails here."""
    done = edit(grown.session, random.Random(3), ROWS, column)
    found = audit(grown.session, head_keys(grown.database.keyring), grown.heads)
    assert done.what == f"edit of {column}"
    assert any(done.named_by(finding) for finding in found), done


@pytest.mark.parametrize("name", THOROUGH)
@pytest.mark.parametrize("seed", range(3))
def test_a_thorough_forger_is_caught_by_a_published_head(grown: Grown, name: str, seed: int) -> None:
    """Issue 3: row, leaf and tiles changed together agree with each other, and not with what others were given; so
    too when every head kept here is gone."""
    chance, keys = random.Random(seed), head_keys(grown.database.keyring)
    under = grown.heads[-2].size  # a ledger that is one row shorter still reaches this head
    outcome = one_trial(grown.session, name, THOROUGH[name], chance, under, keys, grown.heads)
    assert outcome.within, str(outcome)
    THOROUGH[name](grown.session, chance, under)
    grown.session.execute(text("DELETE FROM tree_head"))
    assert Fault.HEAD_DIFFERS in grown.findings()


def test_a_row_taken_out_under_the_last_head_only_leaves_its_end_empty(grown: Grown) -> None:
    """Issue 3: a ledger that was closed up no longer reaches the head over that row; the place missing there says so,
    also when every head kept here is gone."""
    kept = [*grown.heads[:20], grown.heads[-1]]  # by a witness who looked seldom
    seed = next(seed for seed in range(10_000) if random.Random(seed).randrange(ROWS - 1) >= kept[-2].size)
    done = THOROUGH["remove-and-close-up"](grown.session, random.Random(seed), ROWS)
    grown.session.execute(text("DELETE FROM tree_head"))
    found = audit(grown.session, head_keys(grown.database.keyring), kept)
    assert done.positions[0] >= kept[-2].size
    assert [each.first for each in found if each.fault is Fault.DELETED] == [ROWS - 1]


def test_the_key_in_the_forgers_hand_is_not_enough(grown: Grown) -> None:
    """I6: heads signed anew over a rewritten history convince only who kept none."""
    THOROUGH["edit-with-leaf"](grown.session, random.Random(1), ROWS)
    leaves = [bytes(leaf) for leaf in grown.session.scalars(text("SELECT leaf FROM position ORDER BY position"))]
    forge_heads(grown, leaves)
    assert grown.findings(witness=False) == []
    assert {Fault.HEAD_FORGED, Fault.HEAD_DIFFERS} <= set(grown.findings())


def forge_heads(grown: Grown, leaves: list[bytes]) -> None:
    for head in read_heads(grown.session, most=1_000):
        made = sign_head(grown.database.keyring, head.size, root_hash(leaves[: head.size]), head.signed_at)
        bound = {"root": made.root, "signature": made.signature, "size": head.size}
        grown.session.execute(
            text("UPDATE tree_head SET root = :root, signature = :signature WHERE size = :size"), bound
        )


CHANGES = {
    "UPDATE tree_head SET root = decode(repeat('00', 32), 'hex') WHERE size = :size": Fault.HEAD_FORGED,
    "UPDATE tree_head SET signed_at = signed_at + interval '1 minute' WHERE size = :size": Fault.HEAD_FORGED,
    "DELETE FROM tree_head WHERE size = :size": Fault.HEAD_MISSING,
    "UPDATE ledger_tile SET root = decode(repeat('00', 32), 'hex')": Fault.TILE_FORGED,
    "DELETE FROM ledger_tile": Fault.TILE_MISSING,
    "INSERT INTO ledger_tile SELECT 1, 7, root FROM ledger_tile": Fault.TILE_FORGED,
    "DELETE FROM position WHERE position >= 280": Fault.DELETED,
}


@pytest.mark.parametrize(("change", "fault"), CHANGES.items())
def test_heads_and_tiles_are_checked_too(grown: Grown, change: str, fault: Fault) -> None:
    """I6: a head or a tile that was changed or taken away, and a ledger cut off at its end."""
    grown.session.execute(text(change), {"size": grown.heads[3].size} if ":size" in change else {})
    assert fault in grown.findings()


def test_one_changed_row_does_not_make_every_later_head_look_forged(grown: Grown) -> None:
    """The tile that was kept stands for its leaves, so that what comes after can still be judged."""
    grown.session.execute(text("UPDATE position SET leaf = decode(repeat('00', 32), 'hex') WHERE position = 40"))
    found = grown.findings()
    assert found.count(Fault.HEAD_DIFFERS) == 1
    assert Fault.LEAF_REPLACED in found


def test_the_sealer_signs_nothing_that_contradicts_its_last_head(database: TestDatabase) -> None:
    """c2sp.org/tlog-checkpoint: a log never signs a head that is inconsistent with one it signed before."""
    grow_ledger(database, 40, seed=1, people=9)
    with database.maintenance.begin(as_nobody()) as session:
        session.execute(text("ALTER TABLE position DISABLE TRIGGER USER"))
        session.execute(text("UPDATE position SET leaf = decode(repeat('00', 32), 'hex') WHERE position = 7"))
    grow_ledger_once(database, random.Random(5))
    with pytest.raises(LedgerForked):
        Sealer(database.worker, database.keyring).seal_once(T0)
    assert len(published_heads(database)) > 0


def grow_ledger_once(database: TestDatabase, chance: random.Random) -> None:
    who = add_person(database)
    with database.web.begin(as_persons(who)) as session:
        insert_decisions(session, [some_decision(chance, who, 1)], "decision.recorded")
    sequence_once(database.worker, T0)


def test_an_old_ledger_gets_its_tiles(database: TestDatabase) -> None:
    """Migration 0006: where heads are older than tiles, the sealer makes the tiles in batches, signs nothing twice."""
    grow_ledger(database, 600, seed=2, people=9, at_once=200)
    with database.maintenance.begin(as_nobody()) as session:
        session.execute(text("ALTER TABLE ledger_tile DISABLE TRIGGER USER"))
        session.execute(text("DELETE FROM ledger_tile"))
    before = published_heads(database)
    sealer = Sealer(database.worker, database.keyring)
    assert [sealer.seal_once(T0, most=256) for _ in range(4)] == [None] * 4
    assert published_heads(database) == before
    with superuser(database) as session:
        assert audit(session, head_keys(database.keyring), before) == []
        assert session.scalar(text("SELECT count(*) FROM ledger_tile")) == 2
        remake_tiles(session)


def test_the_command(whole: Grown, tmp_path: Path) -> None:
    """Issue 3: `portal ledger verify` on a sound ledger, with a witness's file and public keys only; and its exit."""
    database = whole.database
    with database.web.begin(as_nobody()) as session:
        heads = read_heads(session, most=1_000)
    keys = {"keys": [{"id": key, "public_key": public.hex()} for key, public in head_keys(database.keyring).items()]}
    (tmp_path / "keys.json").write_bytes(orjson.dumps(keys))
    (tmp_path / "heads.json").write_bytes(orjson.dumps({"heads": [head.as_json() for head in heads]}))
    (tmp_path / "heads.txt").write_text("\n".join(head.as_header() for head in heads))
    forged = sign_head(database.keyring, 17, b"f" * 32, T0)
    (tmp_path / "forged.txt").write_text(forged.as_header())
    (tmp_path / "not-ours.txt").write_text(sign_head(KeyRing.fresh(), 17, b"f" * 32, T0).as_header())
    (tmp_path / "garbage.txt").write_text("hello\n")
    for file, code, words in (
        ("heads.json", 0, f"{len(heads)} of them kept elsewhere"), ("heads.txt", 0, "The ledger is sound."),
        ("forged.txt", 1, "head-differs: head of size 17"), ("not-ours.txt", 0, "1 heads in the file were not signed"),
        ("garbage.txt", 1, "line 1: this is not a head"),
    ):  # fmt: skip
        arguments = ["ledger", "verify", "--keys", str(tmp_path / "keys.json"), "--heads", str(tmp_path / file)]
        ran = CliRunner().invoke(portal, arguments, env={"DATABASE_URL_MAINTENANCE": database.urls.maintenance})
        assert (ran.exit_code, words in ran.output) == (code, True), ran.output
    ran = CliRunner().invoke(portal, [*arguments[:4], "--json", "--from", "256"],
                             env={"DATABASE_URL_MAINTENANCE": database.urls.maintenance})  # fmt: skip
    report = orjson.loads(ran.stdout)
    assert (report["sound"], report["from"], report["positions"]) == (True, 256, ROWS - 256)
