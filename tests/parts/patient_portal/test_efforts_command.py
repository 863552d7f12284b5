"""A research effort ends: by one command, for ever, and it is the same everywhere."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.exc import DatabaseError

from consent.decide.columns import Question
from consent.decide.decider import Decider
from consent.decision import DataCategory
from consent.donors import donors
from consent.efforts import EARLY_SIGNS, LIVING_WELL
from consent.may_use import Purpose, Reason
from database.context import as_release
from patient_portal.choices.deciding import decider_of
from patient_portal.cli import portal as command
from patient_portal.wiring import now
from tests.parts.patient_portal.test_cli import environment, logs_as_they_were
from tests.support.portal import Client, Portal, signed_in_client

__all__ = ["environment", "logs_as_they_were"]
DONATION: dict[str, Any] = {"answer": "yes", "categories": ["clinical"], "signed_name": "Denise Johnson"}
QUESTION = Question("living-well", DataCategory.CLINICAL, Purpose.RESEARCH)


def run(*words: str) -> Result:
    return CliRunner().invoke(command, ["efforts", *words])


def send(client: Client, form: dict[str, Any], effort: str = "living-well") -> Any:
    return client.post(f"/choices/efforts/{effort}", {"form": secrets.token_urlsafe(24)} | form)


@pytest.fixture
def denise(portal: Portal) -> Client:
    client = signed_in_client(portal, "rv-p07")
    assert send(client, DONATION).status_code == 303
    return client


def asked(portal: Portal, denise: Client) -> tuple[Decider, bytes]:
    """A decider that has been asked already, and the name by which the store knows Denise."""
    decider, code = decider_of(portal.worker), b"c" * 24
    with portal.database.maintenance.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO store_subject (store_id, person_id, subject, created_at) VALUES (%s, %s, %s, now())",
            ("living-well", denise.person, code.decode()),
        )
    assert decider.decide(QUESTION, code).reason is Reason.DONATED
    return decider, code


@pytest.mark.usefixtures("environment")
def test_an_effort_ends_everywhere(portal: Portal, denise: Client) -> None:
    """HIP-10, X-08: every yes stays in the history; nothing new is asked, allowed or released; people are shown the
    end; a no is still taken; who and why is in the audit; and it is for ever."""
    decider, code = asked(portal, denise)
    assert "1 giving" in run("list").output
    assert run("close", "nowhere", "--why", "x", "--yes").exit_code == 1
    assert run("close", "living-well", "--why", "The study is over", "--by", "ops").exit_code == 1, "nobody said yes"
    ended = run("close", "living-well", "--why", "The study is over", "--by", "ops", "--yes")
    assert ended.exit_code == 0, ended.output
    assert "has ended" in ended.output
    (line,) = portal.rows("SELECT actor_reference, detail FROM audit_event WHERE event = 'effort.ended'")
    assert (line.actor_reference, line.detail) == ("ops", {"effort": "living-well", "why": "The study is over"})
    assert decider.decide(QUESTION, code).reason is Reason.EFFORT_ENDED
    decider.close()
    with portal.worker.database.begin(as_release()) as session:
        assert donors(session, LIVING_WELL, now()) == ()
        assert donors(session, EARLY_SIGNS, now()) == ()
    assert "this study ended on" in denise.get("/choices").text
    page = denise.get("/choices/efforts/living-well").text
    assert "Your yes stays in your history" in page
    assert "signed_name" not in page
    refused = send(denise, DONATION)
    assert (refused.status_code, "This study has ended." in refused.text) == (409, True)
    assert [row.answer for row in portal.rows("SELECT answer FROM decision")] == ["yes"]
    assert send(denise, {"answer": "no"}).status_code == 303
    assert send(denise, DONATION, "early-signs").status_code == 303, "the other goes on"
    again = run("close", "living-well", "--why", "twice", "--yes")
    assert (again.exit_code, "effort-has-ended" in again.output) == (1, True)
    assert "ended " in run("list").output
    with pytest.raises(DatabaseError), portal.database.maintenance.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM effort_end")
