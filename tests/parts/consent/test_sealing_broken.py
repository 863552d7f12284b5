"""Sealing that fails in the middle, and transactions of others that stay open: what is signed stays true."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError

from consent.decision import Answer
from consent.ledger_hashes import read_range_hashes
from consent.merkle import root_hash
from consent.record_decision import insert_decisions
from consent.seal import Sealer
from consent.sequencer import sequence_once
from consent.tiles import WIDTH
from database.context import as_persons, as_propagation
from database.prepare import with_database
from database.unit_of_work import sqlalchemy_url
from tests.parts.consent.conftest import World
from tests.parts.consent.people import NOW, later, person
from tests.parts.consent.receiver import Receiver
from tests.parts.consent.test_failing_statements import BREAKABLE, SETUP
from tests.pure.consent.decisions import decided
from tests.support.postgres import TestDatabase
from tests.tampering.ledger import grow_ledger
from vocabulary.errors import PortalError

SEALED = ("tree_head", "ledger_tile")


@contextmanager
def statements(database: TestDatabase) -> Iterator[Connection]:
    engine = create_engine(sqlalchemy_url(database.superuser_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def root_now(database: TestDatabase, size: int) -> bytes:
    """The root by RFC 9162 over all leaves, with no tile."""
    with database.worker.begin(as_propagation()) as session:
        leaves = session.scalars(text("SELECT leaf FROM position ORDER BY position LIMIT :size"), {"size": size}).all()
    return root_hash([bytes(leaf) for leaf in leaves])


@pytest.mark.parametrize("mode", ["statement", "commit"])
def test_each_write_of_sealing_fails_once(database: TestDatabase, mode: str) -> None:
    """I6, threats 5 (k-th statement): whichever row of a head or tile fails, nothing of it stays; the next try signs
    the head of the very same leaves, and its tiles are theirs."""
    grow_ledger(database, 2 * WIDTH + 20, 7, people=20, at_once=90)
    with statements(database) as superuser:
        superuser.exec_driver_sql("SET session_replication_role = replica")  # no trigger stands in the way
        superuser.exec_driver_sql("DELETE FROM tree_head WHERE size > 20; DELETE FROM ledger_tile")
        superuser.exec_driver_sql("RESET session_replication_role")
        before = superuser.exec_driver_sql("SELECT count(*) FROM tree_head").scalar_one()
        superuser.exec_driver_sql(SETUP)
        for table in SEALED:
            superuser.exec_driver_sql(BREAKABLE.format(table=table))
        writes = 3  # two complete tiles and the head
        for k in range(1, writes + 1):
            superuser.exec_driver_sql(f"UPDATE broken SET mode = '{mode}', place = {k}")
            with pytest.raises((DBAPIError, PortalError)):
                Sealer(database.worker, database.keyring).seal_once(NOW)
            for table, there in (("tree_head", before), ("ledger_tile", 0)):
                assert superuser.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == there
        superuser.exec_driver_sql("UPDATE broken SET place = 0")
        head = Sealer(database.worker, database.keyring).seal_once(NOW)
        stood = "SELECT count(*) FROM seen_writes WHERE mode = 'statement'"
        assert superuser.exec_driver_sql(stood).scalar_one() == writes
    assert head is not None
    assert head.size == 2 * WIDTH + 20
    assert head.root == root_now(database, head.size)
    with database.worker.begin(as_propagation()) as session:
        assert read_range_hashes(session, [(0, 2 * WIDTH)]) == [root_now(database, 2 * WIDTH)]


def test_open_transactions_of_others_neither_stall_nor_reorder(world: World, platform: Receiver) -> None:
    """Decisions (position): open at once are a writer in another database of the server, a writer and an old snapshot
    in ours, and a decision that began first. Everybody else's are placed, sealed and told meanwhile; the late one is
    told after, and no person's versions change places."""
    late = person(world.database, "late")
    people = [person(world.database, number) for number in range(4)]
    elsewhere = create_engine(sqlalchemy_url(with_database(world.database.superuser_url, "postgres")))
    sealer = Sealer(world.database.worker, world.database.keyring)
    with ExitStack() as held:
        stranger = held.enter_context(elsewhere.connect())
        stranger.exec_driver_sql("CREATE TEMPORARY TABLE foreign_work AS SELECT pg_current_xact_id()")
        ours = held.enter_context(world.database.maintenance.engine.connect())
        ours.exec_driver_sql("SELECT pg_current_xact_id(), count(*) FROM position")
        old = held.enter_context(world.database.worker.engine.connect().execution_options(
            isolation_level="REPEATABLE READ"))  # fmt: skip
        old.exec_driver_sql("SELECT 1")
        with world.database.web.begin(as_persons(late)) as session:
            insert_decisions(session, [decided(1, person=late)], "decision.recorded")
            for answer in (Answer.NO, Answer.YES, Answer.NO):
                for who in people:
                    world.press(who, answer=answer)
            world.drain("cancerlinq")
            assert len(platform.effects) == 12
            head = sealer.seal_once(later(1))
            assert head is not None
            assert head.size == 12
        world.press(people[0], answer=Answer.YES)
        world.drain("cancerlinq")
        for each in (stranger, ours, old):
            each.rollback()
    elsewhere.dispose()
    assert platform.effects[12:] == [("MRN-late", 1, "no"), ("MRN-0", 4, "yes")]
    for number in range(4):
        versions = [version for value, version, _ in platform.effects if value == f"MRN-{number}"]
        assert versions == sorted(versions)
    head = sealer.seal_once(later(2))
    assert head is not None
    assert head.root == root_now(world.database, 14)
    assert sequence_once(world.database.worker, later(3)) == 0
