"""Decisions as FHIR Consents with their history, for one reader (CON-07, CON-08)."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from consent.as_fhir import as_consent
from consent.as_fhir_r5 import as_r5
from consent.consent_versions import consent_versions, newest_versions
from consent.coverage import told_answer
from consent.decision import Decision
from tests.pure.consent.decisions import ROSA
from tests.pure.consent.stores import CANCERLINQ_STORE
from tests.pure.consent.test_standing import histories

ONE = histories().map(lambda history: [each for each in history if each.person_id == ROSA])
ORDERS = st.randoms(use_true_random=False)


@given(ONE, ORDERS)
def test_at_most_one_is_active_for_each_subject(history: Sequence[Decision], order: object) -> None:
    """CON-07: of all Consents about one subject only the newest is active, and none ever comes back."""
    mixed = list(history)
    order.shuffle(mixed)  # type: ignore[attr-defined]  # a random.Random
    found = consent_versions(mixed, None)
    assert found == consent_versions(history, None)
    assert set(found) == {decision.id for decision in history}
    active = [versions[-1].subject for versions in found.values() if versions[-1].status == "active"]
    assert len(active) == len(set(active))
    for versions in found.values():
        assert [each.status for each in versions] in (["active"], ["active", "inactive"])
        assert [each.version for each in versions] == sorted({each.version for each in versions})
    changed = [each.version for each in newest_versions(found)]
    assert changed == sorted(changed, reverse=True)


@given(ONE)
def test_a_store_sees_what_it_is_told(history: Sequence[Decision]) -> None:
    """X-01: only the decisions that concern the store, with the answer it is told."""
    found = consent_versions(history, CANCERLINQ_STORE)
    told = {each.id: told_answer(CANCERLINQ_STORE, each) for each in history}
    assert set(found) == {one for one, answer in told.items() if answer is not None}
    assert all(versions[0].answer is told[one] for one, versions in found.items())


@given(ONE)
def test_r5_says_the_same(history: Sequence[Decision]) -> None:
    """CON-14: the R5 form lets through exactly what the R4 form does."""
    for decision in history:
        made = as_consent(decision, "urn:system", "1")
        said = as_r5(made)
        nested = made["provision"]["provision"][0]
        exceptions = said.get("provision", [])
        permits = (said["decision"] == "permit") != bool(exceptions)
        assert permits == (nested["type"] == "permit")
        assert "scope" not in said
        inner = [one for each in exceptions for one in each.get("provision", [])]
        assert len(inner) == len(nested.get("provision", []))
