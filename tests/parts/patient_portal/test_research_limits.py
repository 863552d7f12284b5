"""The kinds of research a person leaves open, on the real pages."""

from __future__ import annotations

import re
import secrets
from typing import Any

import pytest

from tests.support.portal import Client, Portal, signed_in_client

DONATION: dict[str, Any] = {"answer": "yes", "categories": ["clinical"], "signed_name": "Denise Johnson"}
NO_COMPANIES = {"scope": "any-cancer-research", "limits": ["no-companies"]}


@pytest.fixture
def denise(portal: Portal) -> Client:
    return signed_in_client(portal, "rv-p07")


def send(client: Client, path: str, form: dict[str, Any]) -> Any:
    return client.post(path, {"form": secrets.token_urlsafe(24)} | form)


def answers(portal: Portal, client: Client) -> dict[str, str]:
    rows = portal.rows(
        "SELECT DISTINCT ON (effort_id) effort_id, answer FROM decision WHERE person_id = :p AND effort_id IS NOT NULL"
        " ORDER BY effort_id, version DESC",
        p=client.person,
    )
    return {row.effort_id: row.answer for row in rows}


def test_what_follows_is_shown_and_then_obeyed(portal: Portal, denise: Client) -> None:
    """DUO-04, HIP-12: a choice in plain words says yes to nothing and ends what it leaves out; a later yes to that
    is refused until the kind is left open again."""
    for effort in ("living-well", "early-signs"):
        assert send(denise, f"/choices/efforts/{effort}", DONATION).status_code == 303
    seen = send(denise, "/choices/research", NO_COMPANIES)
    assert "You share with it now. That stops." in seen.text
    assert "Goes on" in seen.text
    assert answers(portal, denise) == {"living-well": "yes", "early-signs": "yes"}, "nothing is saved by looking"
    assert send(denise, "/choices/research", NO_COMPANIES | {"confirm": "yes"}).status_code == 303
    assert answers(portal, denise) == {"living-well": "yes", "early-signs": "no"}
    assert "Left out by your choice" in denise.get("/choices").text
    refused = send(denise, "/choices/efforts/early-signs", DONATION)
    assert refused.status_code == 409
    assert "first change that choice" in refused.text
    assert send(denise, "/choices/research", {"none": "yes", "confirm": "yes"}).status_code == 303
    assert answers(portal, denise)["early-signs"] == "no", "leaving a kind open gives nothing back"
    assert send(denise, "/choices/efforts/early-signs", DONATION).status_code == 303
    assert answers(portal, denise)["early-signs"] == "yes"
    assert "What kinds of research" in denise.get("/activity").text


def test_my_kind_of_cancer_comes_from_the_record_and_is_kept_sealed(portal: Portal, denise: Client) -> None:
    """DUO-02: a study of all cancers does not get who leaves open only their own; the kind is nowhere in plain."""
    page = denise.get("/choices/research").text
    assert re.findall(r'value="([a-z]+)" checked', page) == ["melanoma"]
    assert send(denise, "/choices/research", {"scope": "only-my-kind-of-cancer"}).status_code == 422
    mine = {"scope": "only-my-kind-of-cancer", "sites": ["melanoma"]}
    assert send(denise, "/choices/research", mine).text.count("Left out") == 2
    assert send(denise, "/choices/research", mine | {"confirm": "yes"}).status_code == 303
    (row,) = portal.rows("SELECT sealed FROM research_limit WHERE person_id = :p", p=denise.person)
    assert b"MONDO" not in bytes(row.sealed)
    assert send(denise, "/choices/efforts/living-well", DONATION).status_code == 409
    assert 'value="melanoma" checked' in denise.get("/choices/research").text


@pytest.mark.parametrize("form", [{"scope": "all"}, {"scope": "any-health-research", "limits": "x"}, {"sites": "toe"}])
def test_what_cannot_be_read_changes_nothing(portal: Portal, denise: Client, form: dict[str, str]) -> None:
    """SEC-10: an unknown word is refused."""
    assert send(denise, "/choices/research", form | {"confirm": "yes"}).status_code == 422
    assert portal.rows("SELECT 1 FROM research_limit WHERE person_id = :p", p=denise.person) == []
