"""The operator's page and the stores' public record: what stands in the database is said, in words, about nobody."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from consent.feed.run import note_stores
from database.context import as_nobody, as_propagation
from database.heartbeat import beat
from patient_portal.operating.operator_reading import count_for_the_operator
from patient_portal.operating.runbook import load
from patient_portal.wiring import now
from tests.support.portal import Portal

Page = Callable[..., str]
TROUBLE = """
UPDATE store_channel SET state = 'error', last_error = 'timeout', waiting = 1300, overdue = 1234, parked = 2,
  oldest_due_at = now() - interval '30 hours' WHERE store_id = 'cancerlinq';
INSERT INTO store_pause (store_id, paused_at, paused_by, why)
  VALUES ('tempus', now() - interval '2 days', 'login-canary', 'they move to a new address');
INSERT INTO store_digest (store_id, step, state, claimed_at, next_try_at, tries, overdue, last_error)
  VALUES ('cancerlinq', 3, 'refused', now() - interval '2 hours', now(), 2, 1234, 'smtp-550');
INSERT INTO reconciliation (store_id, outcome, through_event, counted, theirs, differing, repaired, to_people, stray,
  requests, fetched, began_at, ended_at) VALUES
  ('cancerlinq', 'drift', 1, 1, 1, 40, 38, 2, 1, 1, 1, now() - interval '5 hours', now() - interval '5 hours'),
  ('concerto', 'agrees', 1, 1, 1, 0, 0, 0, 0, 1, 1, now() - interval '5 hours', now() - interval '5 hours'),
  ('discovery', 'no-answer', 1, 1, NULL, 0, 0, 0, 0, 1, 1, now() - interval '5 hours', now() - interval '5 hours');
INSERT INTO parked_item (store_id, person_id, position, event_number, reason, attempts, parked_at)
  VALUES ('cancerlinq', gen_random_uuid(), 0, 1, 'status-500', 1, now() - interval '3 hours');
INSERT INTO staff_task (id, store_id, kind, detail, opened_at)
  VALUES (gen_random_uuid(), 'cancerlinq', 'store-parked', '{}', now() - interval '3 days'),
  (gen_random_uuid(), 'cancerlinq', 'store-drift', '{"event": 3, "why": "keeps-out"}', now() - interval '1 day');
INSERT INTO confirm_time (store_id, month, bucket, events, seconds, slowest, first_at) VALUES
  ('cancerlinq', date_trunc('month', now())::date, 3, 9000, 30000, 4, '2026-01-05Z'),
  ('cancerlinq', date_trunc('month', now())::date, 40, 12, 30000, 5000, '2026-01-05Z'),
  ('concerto', date_trunc('month', now())::date, 3, 10, 30, 4, '2026-01-05Z');
"""


@pytest.fixture
def at_work(portal: Portal) -> None:
    """Stores that answer, a worker and a feed at work, and a count."""
    note_stores(portal.worker.database, portal.worker.settings.stores, now())
    with portal.worker.database.begin(as_propagation()) as session:
        session.execute(
            text(
                "INSERT INTO store_channel (store_id, state, since, heard_at, looked_at)"
                " SELECT store_id, 'active', now() - interval '9 days', now(), now() FROM store_cursor"
            )
        )
    with portal.worker.database.begin(as_nobody()) as session:
        for kind in ("worker", "feed"):
            beat(session, kind, now())
            session.execute(text("UPDATE process_heartbeat SET process = kind || '@host-canary:7'"))
    count_for_the_operator(portal.worker, now())


@pytest.fixture
def words(portal: Portal, at_work: None) -> Page:
    """The words of a page, without its marks."""
    browser = portal.app.test_client()

    def read(path: str, language: str = "en") -> str:
        answer = browser.get(f"{path}?lang={language}", base_url=portal.url)
        assert answer.status_code == 200
        assert "<script" not in answer.text
        return " ".join(re.sub(r"<[^>]+>", " ", answer.text.partition("<main")[2].partition("</main>")[0]).split())

    return read


def trouble(portal: Portal) -> None:
    with portal.worker.database.begin(as_propagation()) as session:
        for statement in TROUBLE.strip().split(";\n"):
            session.execute(text(statement.rstrip(";")))
    count_for_the_operator(portal.worker, now())


def test_when_all_is_well_only_the_mail_server_is_missed(words: Page) -> None:
    """Issue 3: a calm page, and a warning that late stores could not be written to."""
    said = words("/operator")
    assert re.findall(r"Runbook: (\w+)", said) == ["NoMailServer"]
    assert "No mail server is set: late stores are not written to." in said
    assert "Counted 0 seconds ago" in said or "Counted 1 second ago" in said
    assert "worker@host-canary:7" in said


def test_each_trouble_is_named_with_its_entry(portal: Portal, words: Page) -> None:
    """Issue 3: lag, overdue, parked, drift, pauses, mails, tasks; the grave first, each with what to do."""
    trouble(portal)
    said = words("/operator")
    found = re.findall(r"Runbook: (\w+)", said)
    assert found[:2] == ["StoreSilentForADay", "StoreDrifts"], "the grave first"
    assert set(found[2:]) == {"StoreDoesNotAnswer", "EventsParked", "MailToStoreStuck", "StorePausedLong", "TasksWait",
                              "NoMailServer", "StoreNotCompared"}  # fmt: skip
    assert set(found) <= {entry.title for entry in load()}
    for each in ("1,234", "1,300", "timeout", "status-500", "smtp-550", "handed over 2 times", "differences: 41",
                  "for a person: 2", "they move to a new address", "store-parked",
                  "A store keeps out a person who said yes"):  # fmt: skip
        assert each in said, each
    assert "login-canary" not in said, "who paused is no matter of this page"


def test_old_numbers_are_said_to_be_old(portal: Portal, words: Page) -> None:
    """Issue 3: a page that stands still must not look calm."""
    with portal.worker.database.begin(as_propagation()) as session:
        session.execute(text("UPDATE standing_count SET looked_at = now() - interval '10 minutes'"))
        session.execute(text("UPDATE process_heartbeat SET seen_at = now() - interval '1 minute'"))
    said = words("/operator")
    assert re.findall(r"Runbook: (\w+)", said) == ["NoWorker", "NoFeed", "CountsAreOld", "NoMailServer"]


def test_the_runbook_is_at_hand(words: Page) -> None:
    """Issue 3: every entry, with code as code and lists as lists."""
    said = words("/operator/runbook")
    for entry in load():
        assert entry.title in said
    assert "`" not in said
    assert "**" not in said
    assert "solo en inglés" in words("/operator/runbook", "es")


def test_the_public_record_names_stores_and_nobody(portal: Portal, words: Page) -> None:
    """SUB-08, house rule 6: how fast, what is late, what the last check found; small numbers hidden."""
    trouble(portal)
    said = words("/stores")
    parts = {
        name: part for name, part in re.findall(r"(CancerLinQ platform|Concerto|Discovery)(.*?)What the check", said)
    }
    assert "1,234 answers are late" in parts["CancerLinQ platform"]
    assert "Half confirmed within 4 seconds The slowest took 1 hour" in parts["CancerLinQ platform"]
    assert "too few to show" in parts["Concerto"], "ten events are too few"
    assert "41 differences" in said
    assert "all agreed" in said
    assert "no answer from the store" in said
    assert "registry" not in said.replace("Cancer registries", "").lower()
    for canary in ("login-canary", "smtp-550", "timeout", "they move"):
        assert canary not in said, "what is between us and a store is not for the public"
    assert "Cómo cumple cada" in words("/stores", "es")


def test_a_year_is_what_counts(portal: Portal, words: Page) -> None:
    """Issue 3: what was long ago is forgiven."""
    old = now().date().replace(day=1) - timedelta(days=500)
    with portal.worker.database.begin(as_propagation()) as session:
        session.execute(
            text("INSERT INTO confirm_time VALUES ('tempus', :month, 50, 99, 99, 99999, now())"), {"month": old}
        )
    assert "Counted since" not in words("/stores")
