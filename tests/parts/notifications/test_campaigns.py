"""A campaign: planned as a set, once per person, released at a pace, paused, cut off and taken up again."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text

from notifications import campaigns
from notifications.campaign_release import release_campaigns
from notifications.campaigns import Audience, Progress, move, plan, progress
from notifications.contact import set_texts
from tests.parts.notifications.conftest import AGREED, NOON, Desk
from tests.support.postgres import TestDatabase
from vocabulary.errors import Conflict, Invalid, NotFound

WEEK = timedelta(days=7)
ALL = Audience("everyone")


def everyone(_name: str) -> Audience:
    return ALL


@pytest.fixture
def crowd(database: TestDatabase) -> list[UUID]:
    """Twelve people with a proven number who want texts; the first with an address too, the last two said no since."""
    engine = create_engine(database.superuser_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text(
            "INSERT INTO contact_point (id, person_id, channel, value_index, value_sealed, language, zone, state,"
            " code_tries, created_at, confirmed_at) SELECT md5(c || i)::uuid, md5('p' || i)::uuid, c, sha256((c ||"
            " i)::bytea), '\\x00', 'en', CASE WHEN i % 2 = 0 THEN 'America/New_York' ELSE 'Pacific/Guam' END,"
            " 'confirmed', 0, now(), now() FROM generate_series(1, 12) i, unnest(ARRAY['sms', 'email']) c"
            " WHERE c = 'sms' OR i = 1"
        ))  # fmt: skip
        connection.execute(text(
            "INSERT INTO contact_consent (contact_point_id, person_id, value_index, topic, answer, means,"
            " proof_sealed, recorded_at) SELECT id, person_id, value_index, 'texts', answer, 'web', '\\x00', now()"
            " FROM contact_point, unnest(ARRAY['yes', 'no']) answer WHERE answer = 'yes' OR person_id IN"
            " (md5('p11')::uuid, md5('p12')::uuid) ORDER BY answer DESC"
        ))  # fmt: skip
        people = connection.execute(text("SELECT DISTINCT person_id FROM contact_point ORDER BY 1")).scalars()
        found = list(people)
    engine.dispose()
    return found


def rows(database: TestDatabase, query: str) -> list[tuple[object, ...]]:
    engine = create_engine(database.superuser_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def planned(desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str = "autumn", topic: str = "late") -> Progress:
    monkeypatch.setattr(campaigns, "A_SLICE", 5)
    return plan(desk.worker, name, topic, ALL, NOON, lasts=WEEK)


def test_planned_once_for_each_who_wants_it(desk: Desk, crowd: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 5: those who said STOP are not in it, nobody twice, nor when planned again; nothing goes before start."""
    assert planned(desk, monkeypatch).planned == 10
    assert planned(desk, monkeypatch).planned == 10
    assert release_campaigns(desk.worker, everyone, NOON + WEEK / 2, 100) == 0
    with pytest.raises(Conflict):
        plan(desk.worker, "autumn", "re-consent", ALL, NOON, lasts=WEEK)
    with pytest.raises(Invalid):
        plan(desk.worker, "codes", "confirmations", ALL, NOON, lasts=WEEK)
    with pytest.raises(NotFound):
        move(desk.worker, "spring", "start", NOON)
    with pytest.raises(Conflict):
        move(desk.worker, "autumn", "resume", NOON)


def test_planning_cut_off_goes_on(desk: Desk, crowd: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    """SMS-12: killed after a slice, it goes on behind it and ends with the same people."""

    def killed(_count: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(campaigns, "A_SLICE", 5)
    with pytest.raises(KeyboardInterrupt):
        plan(desk.worker, "autumn", "late", ALL, NOON, lasts=WEEK, told=killed)
    half = progress(desk.worker, "autumn")
    assert (half.state, half.planned < 10) == ("planning", True)
    assert planned(desk, monkeypatch).planned == 10


def test_a_topic_never_agreed_to_goes_by_mail_only(
    desk: Desk, crowd: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SMS-01: texts about words to read again were not agreed to; the one with a proven address is reached there."""
    assert planned(desk, monkeypatch, topic="re-consent").planned == 1


def test_released_at_a_pace_by_day_and_paused(
    desk: Desk, database: TestDatabase, crowd: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SMS-06: by the clock where people are, two a second; a pause holds at once; all once, however often called."""
    planned(desk, monkeypatch)
    move(desk.worker, "autumn", "start", NOON)
    seconds = timedelta(seconds=1)
    assert [release_campaigns(desk.worker, everyone, NOON + n * seconds, 2) for n in range(4)] == [0, 2, 2, 1]
    assert progress(desk.worker, "autumn").released == 5  # New York; in Guam it is night
    move(desk.worker, "autumn", "pause", NOON)
    morning = NOON + timedelta(hours=4)  # eight in Guam
    assert release_campaigns(desk.worker, everyone, morning, 2) == 0
    move(desk.worker, "autumn", "resume", morning)
    assert sum(release_campaigns(desk.worker, everyone, morning + n * seconds, 2) for n in range(9)) == 5
    end = progress(desk.worker, "autumn")
    assert (end.state, end.planned, end.released, end.waiting) == ("done", 10, 10, 0)
    assert rows(database, "SELECT count(*), count(DISTINCT person_id) FROM message") == [(10, 10)]


def test_who_stopped_since_gets_nothing_and_what_is_late_ends(
    desk: Desk, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X-02, SMS-06: a STOP between planning and release counts; after its last day a campaign is over."""
    stays, stops = desk.confirmed(), desk.confirmed("+16175550151")
    planned(desk, monkeypatch)
    set_texts(desk.web, stops, wanted=False, agreement=AGREED, now=NOON)
    move(desk.worker, "autumn", "start", NOON)
    later = NOON + timedelta(seconds=30)
    assert release_campaigns(desk.worker, everyone, later, 10) == 1
    assert desk.send(later).sent == 1
    assert rows(database, "SELECT person_id FROM message WHERE campaign_id IS NOT NULL") == [(stays,)]
    assert progress(desk.worker, "autumn").by_state == {"accepted": 1}
    plan(desk.worker, "too late", "late", ALL, NOON, lasts=WEEK)
    move(desk.worker, "too late", "start", NOON)
    assert release_campaigns(desk.worker, everyone, NOON + WEEK, 10) == 0
    assert progress(desk.worker, "too late").state == "done"
