"""My choices on the real pages: each choice alone, what would change first, one press, and a receipt that proves it."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any
from uuid import UUID

import pytest

from consent.seal import Sealer
from consent.sequencer import sequence_once
from consent.verify_receipt import check
from patient_portal.wiring import now
from tests.support.portal import Client, Portal, signed_in_client

NAME = "Denise Johnson"
DONATION: dict[str, Any] = {"answer": "yes", "categories": ["clinical", "therapy"], "signed_name": NAME}


@pytest.fixture
def denise(portal: Portal) -> Client:
    """Signed in, with her record."""
    return signed_in_client(portal, "rv-p07")


def decided(client: Client, path: str, form: dict[str, Any]) -> UUID:
    """Send a form; returns the decision whose page is shown next."""
    answer = client.post(path, {"form": secrets.token_urlsafe(24)} | form)
    assert answer.status_code == 303, answer.text
    found = re.search(r"/choices/decision/([0-9a-f-]{36})", answer.headers["Location"])
    assert found
    return UUID(found.group(1))


def standing_of(portal: Portal, client: Client) -> dict[str, str]:
    """Everything a person may have chosen, read past row security: choices, texts, connection."""
    rows = portal.rows(
        "SELECT DISTINCT ON (choice, effort_id) choice, coalesce(effort_id, '') AS effort, answer FROM decision"
        " WHERE person_id = :person ORDER BY choice, effort_id, version DESC",
        person=client.person,
    )
    state = {f"{row.choice}:{row.effort}": row.answer for row in rows}
    state["connection"] = portal.rows("SELECT state FROM connection WHERE person_id = :p", p=client.person)[0].state
    texts = portal.rows("SELECT count(*) AS n FROM contact_consent WHERE person_id = :p", p=client.person)
    return state | {"texts": str(texts[0].n)}


def test_each_choice_moves_alone(portal: Portal, denise: Client) -> None:
    """X-01, X-02, HIP-13: a donation, an opt-out, a withdrawal, a lift and a disconnection each move one thing only."""
    steps: list[tuple[str, dict[str, Any], dict[str, str]]] = [
        ("/choices/efforts/living-well", DONATION, {"donation:living-well": "yes"}),
        ("/choices/cancerlinq", {"answer": "no"}, {"cancerlinq:": "no"}),
        ("/choices/efforts/living-well", {"answer": "no"}, {"donation:living-well": "no"}),
        ("/choices/cancerlinq", {"answer": "yes"}, {"cancerlinq:": "yes"}),
    ]
    before = standing_of(portal, denise)
    for path, form, moves in steps:
        decided(denise, path, form)
        after = standing_of(portal, denise)
        assert after == before | moves
        before = after
    connection = portal.rows("SELECT id FROM connection WHERE person_id = :p", p=denise.person)[0].id
    assert denise.post(f"/connection/{connection}/end").status_code == 303
    assert standing_of(portal, denise) == before | {"connection": "disconnected"}


def test_what_would_change_is_shown_before_it_is_confirmed(denise: Client) -> None:
    """A11Y-03, WCAG 3.3.4: a choice is checked on its own page, is confirmed by a press, and can be reversed."""
    page = denise.get("/choices/cancerlinq").text
    assert "What will happen" in page
    for words in ("CancerLinQ platform", "removes what it holds that names you", "cannot be called back"):
        assert words in page
    out = decided(denise, "/choices/cancerlinq", {"answer": "no"})
    assert "You are out of CancerLinQ" in denise.get(f"/choices/decision/{out}").text
    back = decided(denise, "/choices/cancerlinq", {"answer": "yes"})
    assert "You are back in CancerLinQ" in denise.get(f"/choices/decision/{back}").text


def test_a_form_sent_twice_is_one_decision(portal: Portal, denise: Client) -> None:
    """CON-08, I5: the same form gives the first answer; another makes the next version, and history keeps both."""
    form = {"answer": "no", "form": secrets.token_urlsafe(24)}
    first = decided(denise, "/choices/cancerlinq", form)
    assert decided(denise, "/choices/cancerlinq", form) == first
    decided(denise, "/choices/cancerlinq", {"answer": "yes"})
    query = "SELECT version, answer FROM decision WHERE person_id = :p ORDER BY version"
    kept = [tuple(row) for row in portal.rows(query, p=denise.person)]
    assert kept == [(1, "no"), (2, "yes")]


@pytest.mark.parametrize(
    ("left_out", "field"), [("categories", "categories"), ("signed_name", "signed_name")], ids=["parts", "name"]
)
def test_a_signature_needs_parts_and_a_name(portal: Portal, denise: Client, left_out: str, field: str) -> None:
    """HIP-10, HIP-12: nothing is ticked beforehand; without a part or a name nothing is signed."""
    assert "checked" not in denise.get("/choices/efforts/living-well").text
    form = {name: value for name, value in DONATION.items() if name != left_out}
    answer = denise.post("/choices/efforts/living-well", form | {"form": secrets.token_urlsafe(24)})
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert (NAME in answer.text) is (left_out != "signed_name")
    assert portal.rows("SELECT 1 FROM decision WHERE person_id = :p", p=denise.person) == []


def test_the_signed_copy_is_what_was_shown(denise: Client) -> None:
    """HIP-11 (c)(4): the copy has the name, the moment, the parts, and every word of the form."""
    shown = denise.get("/choices/efforts/living-well").text
    decision = decided(denise, "/choices/efforts/living-well", DONATION)
    copy = denise.get(f"/choices/decision/{decision}/signed").text
    assert NAME in copy
    for words in (
        "This form has no end date",
        "do not depend on signing this form",
        "privacy law may no longer protect",
    ):
        assert words in shown
        assert words in copy


def test_stop_all_ends_every_donation_and_nothing_else(portal: Portal, denise: Client) -> None:
    """Decisions, What a choice covers: one step ends every donation; CancerLinQ is not moved."""
    for effort in ("living-well", "early-signs"):
        decided(denise, f"/choices/efforts/{effort}", DONATION)
    decided(denise, "/choices/stop-all", {})
    state = standing_of(portal, denise)
    assert (state["donation:living-well"], state["donation:early-signs"]) == ("no", "no")
    assert "cancerlinq:" not in state


def test_a_study_fed_by_cancerlinq_stops_with_it_and_is_asked_again(portal: Portal, denise: Client) -> None:
    """X-05: the opt-out denies it without a row of its own; after the lift the person is asked, not switched on."""
    decided(denise, "/choices/efforts/early-signs", DONATION)
    decided(denise, "/choices/cancerlinq", {"answer": "no"})
    assert standing_of(portal, denise)["donation:early-signs"] == "yes"
    assert "because you are out of CancerLinQ" in denise.get("/choices").text
    for form in (DONATION, DONATION | {"categories": []}):
        refused = denise.post("/choices/efforts/early-signs", {"form": secrets.token_urlsafe(24)} | form)
        assert refused.status_code == 409
        assert "first go back in to CancerLinQ" in refused.text
        assert 'id="sign"' not in refused.text
    lines = portal.rows("SELECT outcome FROM audit_event WHERE event = 'decision.denied' AND person_id = :p",
                        p=denise.person)  # fmt: skip
    assert [line.outcome for line in lines] == ["4", "4"]
    decided(denise, "/choices/cancerlinq", {"answer": "yes"})
    assert "We ask you again" in denise.get("/choices").text


def test_the_receipt_proves_itself_offline(portal: Portal, denise: Client) -> None:
    """I6: once a signed head covers the decision, the receipt leads to it; a changed word or position does not."""
    decision = decided(denise, "/choices/cancerlinq", {"answer": "no"})
    address = f"/choices/decision/{decision}/receipt"
    assert json.loads(denise.get(address).data)["proof"] is None
    sequence_once(portal.worker.database, now())
    Sealer(portal.worker.database, portal.worker.keyring).seal_once(now())
    receipt = json.loads(denise.get(address).data)
    key = bytes.fromhex(receipt["head_keys"][receipt["proof"]["head"]["key_id"]])
    assert check(receipt, key).startswith("Proven")
    receipt["proof"]["row"]["answer"] = "yes"
    assert check(receipt, key).startswith("NOT PROVEN")


@pytest.mark.parametrize("form", [{"answer": "maybe"}, {}, {"answer": "no", "form": "x"}], ids=["word", "none", "key"])
def test_a_form_that_cannot_be_read_changes_nothing(portal: Portal, denise: Client, form: dict[str, str]) -> None:
    """SEC-10: bad input gets a clear page and records nothing."""
    answer = denise.post("/choices/cancerlinq", {"form": secrets.token_urlsafe(24)} | form)
    assert answer.status_code == 422
    assert portal.rows("SELECT 1 FROM decision WHERE person_id = :p", p=denise.person) == []


def test_nothing_to_stop_is_said_and_noted(portal: Portal, denise: Client) -> None:
    """CON-13: "stop all" with nothing to stop records no decision; the page says so, and the audit has the line."""
    asked = denise.get("/choices/stop-all").text
    assert "There is nothing to stop" in asked
    assert 'action="/choices/stop-all"' not in asked
    answer = denise.post("/choices/stop-all", {"form": secrets.token_urlsafe(24)})
    assert answer.headers["Location"] == "/choices"
    assert "There was nothing to stop" in denise.get("/choices").text
    assert portal.rows("SELECT * FROM decision") == []
    [line] = portal.rows("SELECT * FROM audit_event WHERE event = 'decision.unchanged'")
    assert (line.person_id, line.actor_kind, line.detail["answer"]) == (denise.person, "patient", "no")
    assert "An answer was given that stood already" in denise.get("/activity").text
