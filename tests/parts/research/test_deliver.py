"""Donated data arrives, and only what was chosen, on real PostgreSQL and real sandbox stores."""

from __future__ import annotations

from consent.decision import DataCategory
from consent.effort_ends import end_effort
from consent.efforts import LIVING_WELL
from consent.store_config import Store
from database.context import as_nobody
from tests.parts.research.conftest import BY_MRN, World


def test_a_de_identified_effort_gets_coded_lines_under_a_random_code(world: World, living_well: Store) -> None:
    """HIP-20, HIP-22: the chosen parts arrive through the allow-list, and nothing that names the person."""
    who = world.donor(1)
    world.give(who)
    assert world.deliver() == 1
    held = world.held()
    (subject,) = world.subjects()
    assert len(held) > 40
    person = BY_MRN["RV-104233"]
    text = str(held)
    for name in (person.given, person.family, person.mrn, person.id, "12 Alder", "Denver", "80205", "1968-03-14"):
        assert name not in text
    assert len(subject) == 24
    assert str(who) not in text
    assert world.rows(who, "state, resource_count") == [("delivered", len(held))]


def test_an_identifiable_effort_gets_the_real_resources(world: World, early_signs: Store) -> None:
    """X-03: an effort that works with names gets the chosen parts as the hospital sent them."""
    who = world.donor(1)
    world.give(who, "early-signs", categories=frozenset({DataCategory.GENERAL, DataCategory.THERAPY}))
    assert world.deliver("early-signs") == 1
    held = world.held("early-signs")
    assert {one["resourceType"] for one in held} == {
        "Patient", "MedicationRequest", "MedicationAdministration", "MedicationDispense", "Procedure", "CarePlan",
        "ServiceRequest",
    } | ({"Observation"} & {one["resourceType"] for one in held})  # fmt: skip
    originals = {(one["resourceType"], one["id"]): one for one in BY_MRN["RV-104233"].resources()}
    assert all(originals[(one["resourceType"], one["id"])] == one for one in held)


def test_the_same_again_is_not_sent_again(world: World, living_well: Store) -> None:
    """X-08: a delivery that was taken is not repeated without a change."""
    who = world.donor(1)
    world.give(who)
    assert [world.deliver(), world.deliver(), world.deliver()] == [1, 0, 0]
    assert len(world.rows(who)) == 1


def test_nothing_goes_to_an_effort_that_has_ended(world: World, living_well: Store) -> None:
    """HIP-10, X-08: what was waiting when the effort ended is not sent, and nothing later."""
    world.give(world.donor(1))
    with world.database.worker.begin(as_nobody()) as session:
        end_effort(session, LIVING_WELL, "ops", "The study is over", world.clock())
    assert [world.deliver(), world.deliver()] == [0, 0]
    assert world.held() == []
