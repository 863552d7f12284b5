"""Everything is lost but paper: what people kept puts their decisions back, and the stores go on where they were."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from clients.receiver_kit.receiver import Receiver
from consent.decision import Answer, Decision, donation_to
from consent.feed.run import note_stores
from consent.leaf import leaf_of
from consent.ledger_verify import verify_ledger
from consent.paper_twin import twin_codes
from consent.record_decision import HISTORY
from consent.rows import decision_of
from consent.seal import head_keys
from database.context import as_persons
from database.keyring import KeyRing
from database.unit_of_work import sqlalchemy_url
from patient_portal.cli import portal
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.test_stores_command import Run, kit, run, standing, told

__all__ = ["kit", "run", "told"]

LOST = ("receipt", "parked_item", "unconfirmed_event", "store_batch", "store_cursor", "store_channel", "position",
        "unsequenced", "decision", "audit_event", "person_alias", "store_subject", "person")  # fmt: skip
ROSA = ("--patient", "riverside", "urn:oid:2.16.840.1.113883.19.5", "MRN-1")


def lose_everything(world: World) -> None:
    """The database is gone, and a new one is empty; keys and settings were kept elsewhere."""
    engine = create_engine(sqlalchemy_url(world.database.superuser_url))
    with engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(f"TRUNCATE {', '.join(LOST)} CASCADE"))
    engine.dispose()
    note_stores(world.database.worker, list(world.stores.values()), world.clock())


def stands(world: World, who: object) -> list[Decision]:
    with world.database.worker.begin(as_persons(who)) as session:  # type: ignore[arg-type]  # a person's id
        rows = session.execute(HISTORY, {"persons": [who], "form": ""}).mappings().all()
    found = [decision_of(row) for row in rows if row["id"] is not None]  # type: ignore[arg-type]  # a row by its names
    return sorted(found, key=lambda each: each.version)


@pytest.fixture
def restore(run: Run, tmp_path: Path) -> Callable[..., Result]:
    """`portal ledger restore` of these codes; `run` has set the environment."""
    del run

    def command(codes: list[str], *words: str) -> Result:
        (tmp_path / "codes.txt").write_text("\n".join([*codes, ""]))
        return CliRunner().invoke(portal, ["ledger", "restore", str(tmp_path / "codes.txt"), *words])

    return command


def test_after_a_total_loss_paper_restores(told: World, kit: Receiver, restore: Callable[..., Result]) -> None:
    """P11-01, issue 3 (paper twin): the very rows, found by the record number again; nothing new to a store that kept
    them, and the next decision counts on, so that it is obeyed."""
    rosa, ring = person(told.database, 1), told.database.keyring
    told.press(rosa, donation_to("living-well"), Answer.YES)
    told.press(rosa, answer=Answer.YES)
    told.drain("tempus")
    before = stands(told, rosa)
    assert [each.version for each in before] == [1, 2, 3]
    assert standing(kit) == [(3, "yes")]
    codes = [code for each in before for code in twin_codes(ring, each, None, None)]
    random.Random(3).shuffle(codes)
    lose_everything(told)
    shown = restore(codes)
    assert (shown.exit_code, "version 2: living-well yes" in shown.output) == (0, True)
    assert stands(told, rosa) == [], "shown only"
    assert "3 put back, 0 stood" in restore(codes, "--write", *ROSA).output
    assert "0 put back, 3 stood" in restore(codes, "--write", *ROSA).output
    assert [leaf_of(each) for each in stands(told, rosa)] == [leaf_of(each) for each in before]
    assert person(told.database, 1) == rosa, "the record number leads to them"
    told.drain("tempus")
    assert standing(kit) == [(3, "yes")]
    told.press(rosa)
    told.drain("tempus")
    assert standing(kit) == [(4, "no")]
    assert verify_ledger(told.database.maintenance, head_keys(ring), ()).findings == []
    lines = [row[0] for row in _rows(told, "SELECT actor_reference FROM audit_event WHERE event = 'decision.restored'")]
    assert len(lines) == 1


def test_paper_overrules_nothing(told: World, restore: Callable[..., Result]) -> None:
    """Threats section 6: somebody else's page, a forged or torn one, an older one after a newer, another's number."""
    rosa, ben, ring = person(told.database, 1), person(told.database, 2), told.database.keyring
    told.press(rosa, answer=Answer.YES)
    told.press(ben)
    first, second = ([*twin_codes(ring, each, None, None)] for each in stands(told, rosa))
    (other,) = ([*twin_codes(ring, each, None, None)] for each in stands(told, ben))
    forged = [*twin_codes(KeyRing.fresh(), stands(told, ben)[0], None, None)]
    lose_everything(told)
    for codes, says in (
        ([*first, *other], "more than one person"),
        (forged, "did not sign it"),
        (first[1:] or ["PPT1"], "missing" if first[1:] else "not a code"),
        (["not a page"], "not a code"),
        ([], "not a code"),
    ):
        done = restore(codes, "--write")
        assert (done.exit_code, says in done.output) == (1, True), done.output
    assert _rows(told, "SELECT 1 FROM decision") == []
    assert restore(second, "--write", *ROSA).exit_code == 0
    assert "a newer decision" in restore(first, "--write").output
    assert "belongs to another person" in restore(other, "--write", *ROSA).output
    assert [each.version for each in stands(told, rosa)] == [2]
    assert stands(told, ben) == []


def _rows(world: World, sql: str) -> list[tuple[object, ...]]:
    engine = create_engine(sqlalchemy_url(world.database.superuser_url))
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(sql))]
    engine.dispose()
    return found
