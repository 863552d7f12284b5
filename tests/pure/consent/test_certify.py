"""The certification: the kit passes every case, and each planted fault is found by the case that concerns it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from clients.receiver_kit.comparing import Comparing
from clients.receiver_kit.receiver import Receiver
from clients.receiver_kit.test_door import TestDoor
from consent.certify.case import Case
from consent.certify.cases import CASES
from consent.certify.judge import Answer
from consent.certify.outcome import Outcome
from consent.certify.report import Certification, as_json, as_text, open_report, sign_report
from consent.certify.run import NotInTestMode, certify
from consent.seal import head_keys
from consent.store_config import Basis, Store, Transport
from database.keyring import KeyRing
from tests.pure.consent.faulty_receivers import FAULTS, memory
from tests.pure.consent.stores import EARLY_SIGNS_STORE, SECRET, TEMPUS
from vocabulary.errors import Invalid

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SMALL = tuple(case for case in CASES if case.id != "large")


class Wire:
    """A line without a network: what is sent is handed over."""

    def __init__(self, receiver: Receiver, *, test: bool = True) -> None:
        self._doors = {"": receiver.take, "reconcile": getattr(receiver, "comparing", Comparing)(receiver).take}
        if test:
            self._doors["test"] = TestDoor(receiver).take

    def post(self, headers: Mapping[str, str], body: bytes, beside: str = "") -> Answer:
        if beside not in self._doors:
            return Answer(404)
        reply = self._doors[beside](headers, body)
        return Answer(reply.status, reply.headers, reply.body)

    def halting(self, headers: Mapping[str, str], body: bytes, between: Callable[[], None] | None) -> Answer:
        if between is None:
            return Answer(0, reason="hung up, as it should")
        between()
        return self.post(headers, body)


def receiver(store: Store, kind: type[Receiver] = Receiver) -> Receiver:
    return kind(store.id, [SECRET], memory(), ["urn:invented"], store.effort or "", NOW.timestamp)


def run(store: Store, kind: type[Receiver] = Receiver, cases: tuple[Case, ...] = SMALL) -> list[Outcome]:
    return list(certify(store, Wire(receiver(store, kind)), lambda: NOW, "run-1", cases))


def failed(outcomes: list[Outcome]) -> dict[str, str | None]:
    return {outcome.case.id: outcome.reason for outcome in outcomes if not outcome.passed}


def test_cases_are_many_and_named_once() -> None:
    """SUB-05 to SUB-11: about 40 cases or more, each with an id, a requirement and what it shows."""
    assert len(CASES) >= 40
    assert len({case.id for case in CASES}) == len(CASES)
    assert all(case.requirement and case.shows and case.steps for case in CASES)


@pytest.mark.parametrize("store", [TEMPUS, EARLY_SIGNS_STORE], ids=["opt-out", "donation"])
@pytest.mark.parametrize("transport", [Transport.NDJSON, Transport.BACKPORT])
def test_the_kit_passes(store: Store, transport: Transport) -> None:
    """SUB-05 to SUB-11: the kit for integrators obeys, in both forms, for both bases."""
    outcomes = run(replace(store, transport=transport))
    assert failed(outcomes) == {}
    assert len(outcomes) == len([case for case in SMALL if case.only in (None, store.basis)])


@pytest.mark.parametrize("case", FAULTS)
def test_each_fault_is_found_by_its_case(case: str) -> None:
    """SUB-05 to SUB-11: a receiver with one fault fails exactly the case that concerns it."""
    assert set(failed(run(TEMPUS, FAULTS[case]))) == {case}


def test_most_cases_have_a_fault_that_only_they_find() -> None:
    """A case that no fault fails would show nothing; those without a fault of their own are named here, with why."""
    found_with_others = {"removed", "nobody", "two-of-one-name"}  # what fails them fails a narrower one too
    whole_or_not = {"handshake", "heartbeat", "well-at-the-end"}  # a store that fails them fails nearly all
    on_a_network = {"large", "slow", "hung-up"}  # tests/parts/clients
    assert {case.id for case in CASES} - set(FAULTS) == found_with_others | whole_or_not | on_a_network


def test_nothing_is_sent_to_a_store_that_is_not_in_test_mode() -> None:
    """Certification is for invented people: without a test door there is one question and no event."""
    own = receiver(TEMPUS)
    with pytest.raises(NotInTestMode):
        list(certify(TEMPUS, Wire(own, test=False), lambda: NOW, "run-1", CASES))
    assert own.memory.rows("SELECT * FROM message") == []


def test_a_second_run_meets_other_people_and_goes_on_with_the_numbers() -> None:
    """SUB-07: a store that remembers for ever can be certified again."""
    own = receiver(TEMPUS)
    for name in ("run-1", "run-2"):
        outcomes = list(certify(TEMPUS, Wire(own), lambda: NOW, name, SMALL))
        assert failed(outcomes) == {}
    assert TEMPUS.basis is Basis.OPERATIONS


def test_the_report_is_signed_and_names_each_case() -> None:
    """SUB-08: JSON and text name every case, what was sent and what came back; a changed report is not ours."""
    ring = KeyRing.fresh()
    certified = Certification(TEMPUS, "run-1", NOW, NOW, tuple(run(TEMPUS, FAULTS["stale"])))
    report = as_json(certified)
    token = sign_report(report, ring)
    assert open_report(token, head_keys(ring)) == report
    results = {each["case"]: each for each in report["results"]}
    assert (report["passed"], report["failed"], results["stale"]["requirement"]) == (False, 1, "SUB-11")
    assert results["stale"]["exchanges"][-1]["came_back"]["status"] == 200
    assert SECRET not in token
    text = as_text(certified)
    assert all(f"  {case.id} " in text for case in SMALL)
    assert "what was wrong: answered 200" in text
    head, _, tail = token.partition(".")
    body, _, signature = tail.partition(".")
    for bad in (f"{head}.{body[:-8]}AAAAAAAA.{signature}", token[:-9], "nothing", ""):
        with pytest.raises(Invalid):
            open_report(bad, head_keys(ring))
    with pytest.raises(Invalid):
        open_report(token, head_keys(KeyRing.fresh()))
