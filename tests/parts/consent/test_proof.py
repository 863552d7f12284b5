"""A receipt that proves itself offline, and a ledger whose edits are found."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from consent import verify_receipt
from consent.history import Entry, read_history
from consent.leaf import leaf_of
from consent.proof import Proof, read_proof
from consent.seal import Sealer, head_keys
from database.context import as_persons
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person


def sealed(world: World, count: int) -> list[UUID]:
    people = [person(world.database, number) for number in range(count)]
    for who in people:
        world.press(who)
    world.sequence()
    assert Sealer(world.database.worker, world.database.keyring).seal_once(world.clock()) is not None
    return people


def proof_of(world: World, who: UUID) -> tuple[Entry, Proof | None]:
    with world.database.web.begin(as_persons(who)) as session:
        (entry,) = read_history(session, [who])
        return entry, read_proof(session, entry.decision, entry.position)


def test_receipt_proves_itself_offline(world: World, tmp_path: Path) -> None:
    """I6, threats section 6: the script needs the file and a public key, nothing of ours; one changed word is seen."""
    people = sealed(world, 5)
    (public,) = head_keys(world.database.keyring).values()
    for who in people:
        _, proof = proof_of(world, who)
        assert proof is not None
        file = tmp_path / "receipt.json"
        file.write_text(json.dumps({"proof": proof.as_json()}))
        command = [sys.executable, verify_receipt.__file__, str(file), public.hex()]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout[:7]) == (0, "Proven:")
    assert proof is not None
    for change in ({"answer": "yes"}, {"version": 2}, {"asked_at": "2020-01-01T00:00:00.000000Z"}):
        forged: dict[str, Any] = proof.as_json()
        forged["row"] = {**forged["row"], **change}
        assert verify_receipt.check(forged).startswith("NOT PROVEN")
    other_head = proof.as_json()
    other_head["head"]["size"] = 6
    assert verify_receipt.check(other_head, public).startswith("NOT PROVEN")
    assert verify_receipt.check(proof.as_json(), b"k" * 32).startswith("NOT PROVEN")


def test_no_proof_before_a_head(world: World) -> None:
    """I7: until a head covers it there is none, and none is invented."""
    who = person(world.database, 1)
    world.press(who)
    assert proof_of(world, who)[1] is None


@pytest.mark.parametrize("seed", range(3))
def test_an_owner_who_edits_is_found(world: World, seed: int) -> None:
    """Threats 18: a superuser who goes round the triggers and edits one row: the auditor names exactly that row."""
    count = 12
    people = sealed(world, count)
    chance = random.Random(seed)
    victim = chance.randrange(count)
    edit = chance.choice(["answer = 'yes'", "asked_at = asked_at - interval '1 day'", "reason = 'x'", "version = 9"])
    with world.database.maintenance.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE decision DISABLE TRIGGER keep_history")
        connection.execute(text(f"UPDATE decision SET {edit} WHERE person_id = :who"), {"who": people[victim]})
    found = [number for number, who in enumerate(people) if proof_of(world, who)[1] is None]
    assert found == [victim]
    entry, _ = proof_of(world, people[victim])
    with world.database.maintenance.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE position DISABLE TRIGGER keep_history")
        connection.execute(
            text("UPDATE position SET leaf = :leaf WHERE position = :position"),
            {"leaf": leaf_of(entry.decision), "position": entry.position},
        )
    broken = [number for number, who in enumerate(people) if proof_of(world, who)[1] is None]
    assert len(broken) == count, "with the leaf forged too, nothing leads to the signed head any more"
