"""A receipt that proves itself offline, and a ledger whose edits are found."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from consent import verify_receipt
from consent.decision import CANCERLINQ, Answer, donation_to
from consent.history import Entry, read_history
from consent.leaf import leaf_of
from consent.ledger_hashes import consistency_path
from consent.proof import Proof, read_proof
from consent.proof_of_no import prove_no
from consent.seal import Sealer, head_keys
from database.context import as_persons
from database.unit_of_work import count_statements
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Receiver
from vocabulary.errors import Conflict, Invalid


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


def no_of(world: World, who: UUID, at: int | None = None) -> dict[str, Any]:
    """The proof about the person's first no, as the page makes it."""
    with world.database.web.begin(as_persons(who)) as session:
        history = read_history(session, [who])
        first = min(history, key=lambda entry: entry.decision.version)
        return prove_no(session, history, first, ["cancerlinq"], at).as_json()


def test_proof_that_one_was_out(world: World, platform: Receiver) -> None:
    """Issue 3, "prove I am out": at the position of a batch, with what the store signed; another yes is no matter."""
    rosa, other = person(world.database, 1), person(world.database, 2)
    for who, subject, answer in (
        (other, CANCERLINQ, Answer.NO), (rosa, CANCERLINQ, Answer.NO), (rosa, donation_to("living-well"), Answer.YES),
        (other, CANCERLINQ, Answer.YES), (rosa, CANCERLINQ, Answer.YES), (rosa, CANCERLINQ, Answer.NO),
    ):  # fmt: skip
        world.press(who, subject, answer)
        world.sequence()
        Sealer(world.database.worker, world.database.keyring).seal_once(world.clock())
    world.drain("cancerlinq")
    keys = list(head_keys(world.database.keyring).values())
    document = no_of(world, rosa)
    assert (document["at"], [place["position"] for place in document["decisions"]]) == (4, [1, 2])
    assert verify_receipt.check(document, keys).startswith("Proven: before position 4 the newest of the 2 decisions")
    (told,) = document["stores"]
    assert (told["store"], told["receipt"]["state"]) == ("cancerlinq", "applied")
    assert told["batch_positions"][0] <= 1 <= told["batch_positions"][1]
    assert verify_receipt.check(no_of(world, rosa, 6), keys).startswith("Proven: before position 6")
    with pytest.raises(Conflict, match="not-out-then"):
        no_of(world, rosa, 5)
    with pytest.raises(Invalid):
        no_of(world, rosa, 7)


FORGERIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a later position": lambda made: made.update(at=6),
    "beyond the head": lambda made: made.update(at=60),
    "a version left out": lambda made: made["decisions"].pop(0),
    "another answer": lambda made: made["decisions"][-1]["row"].update(answer="yes"),
    "another choice": lambda made: made["about"].update(choice="donation", effort="living-well"),
    "another head": lambda made: made["head"].update(root="00" * 32),
    "an earlier date": lambda made: made["dated"]["head"].update(signed_at="2020-01-01T00:00:00Z"),
    "a path of another": lambda made: made["dated"].update(path=["00" * 32]),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_proof_is_refused(world: World, forgery: str) -> None:
    """Issue 3: whatever is changed in the document, the script says so."""
    rosa = person(world.database, 1)
    for subject, answer in ((donation_to("living-well"), Answer.YES), (CANCERLINQ, Answer.NO)):
        world.press(rosa, subject, answer)
        world.sequence()
        Sealer(world.database.worker, world.database.keyring).seal_once(world.clock())
    with world.database.web.begin(as_persons(rosa)) as session:
        history = read_history(session, [rosa])
        document = prove_no(session, history, max(history, key=lambda each: each.decision.version), []).as_json()
    keys = list(head_keys(world.database.keyring).values())
    assert verify_receipt.check(document, keys).startswith("Proven")
    FORGERIES[forgery](document)
    assert verify_receipt.check(document, keys).startswith("NOT PROVEN")


def test_a_rotated_key_leaves_old_proofs_standing(world: World) -> None:
    """Decisions, Keys: heads signed before a rotation are checked with the retired key."""
    rosa = person(world.database, 1)
    ring = world.database.keyring
    world.press(rosa)
    world.sequence()
    Sealer(world.database.worker, ring).seal_once(world.clock())
    world.press(person(world.database, 2))
    world.sequence()
    rotated = ring.rotated("head-signing")
    Sealer(world.database.worker, rotated).seal_once(world.clock())
    document = no_of(world, rosa)
    assert document["head"]["key_id"] != document["dated"]["head"]["key_id"]
    assert verify_receipt.check(document, list(head_keys(rotated).values())).startswith("Proven")
    assert verify_receipt.check(document, head_keys(ring)["head-signing-5"]).startswith("NOT PROVEN")


def test_a_later_head_continues_the_receipts(world: World) -> None:
    """I6: a head that a store was sent later is shown to hold all that the receipt's head holds."""
    (rosa,) = sealed(world, 1)
    _, proof = proof_of(world, rosa)
    assert proof is not None
    world.press(person(world.database, 2))
    world.sequence()
    later = Sealer(world.database.worker, world.database.keyring).seal_once(world.clock())
    assert later is not None
    with world.database.web.begin(as_persons(rosa)) as session:
        steps = [step.hex() for step in consistency_path(session, 1, 2)]
    answer = {"first": 1, "second": 2, "proof": steps, "head": later.as_json()}
    key = next(iter(head_keys(world.database.keyring).values()))
    assert verify_receipt.check_later(proof.as_json(), answer, key).startswith("Proven")
    forked = {**answer, "head": {**answer["head"], "root": "00" * 32}}  # type: ignore[dict-item]  # an answer is plain JSON
    assert verify_receipt.check_later(proof.as_json(), forked, key).startswith("NOT PROVEN")


def test_a_proof_reads_little(world: World) -> None:
    """Issue 3: O(log n) small reads in the person's own context: two statements beside the one of the context."""
    (rosa,) = sealed(world, 1)
    counted: list[str] = []
    count_statements(world.database.web.engine, counted)
    with world.database.web.begin(as_persons(rosa)) as session:
        (entry,) = read_history(session, [rosa])
        assert read_proof(session, entry.decision, entry.position) is not None
    assert len(counted) <= 4
