"""A campaign: planned as a set, once per person, released at a pace, paused, cut off and taken up again."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text

from notifications import campaigns
from notifications.addresses import add_mail, keep_postal
from notifications.campaign_release import release_campaigns
from notifications.campaigns import Audience, Progress, carry_on, move, plan, progress, state_of
from notifications.contact import confirm_number, set_texts
from notifications.preferences import save_topics
from notifications.topics import TOPICS
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


def test_by_the_ways_each_person_chose(desk: Desk, database: TestDatabase) -> None:
    """Issue 5, SMS-01: the rule of every other message: who ticked two ways gets both, a letter where it was ticked, a
    yes by one way leaves out the way nobody was asked about; planned and counted once each."""
    words = dict.fromkeys(TOPICS, "words")
    two, letter, mail_only = desk.confirmed(), desk.new_person(), desk.confirmed("+16175550152")
    for person in (two, mail_only):
        with_address(desk, person, f"{person.hex[:8]}@mail.example.org")
    keep_postal(desk.web, letter, "Anna Canary\n1 Main Street", AGREED, NOON)
    save_topics(desk.web, two, {("late", "sms"), ("late", "email")}, AGREED, words, NOON)
    save_topics(desk.web, letter, {("late", "letter")}, AGREED, words, NOON)
    save_topics(desk.web, mail_only, {("late", "email")}, AGREED, words, NOON)
    contact = desk.add(mail_only, "+16175550153")  # a new number, about which nothing was said
    desk.send()
    assert confirm_number(desk.web, mail_only, contact, desk.code(), AGREED, NOON) == "right"
    assert plan(desk.worker, "autumn", "late", ALL, NOON, lasts=WEEK).planned == 3
    move(desk.worker, "autumn", "start", NOON)
    assert release_campaigns(desk.worker, everyone, NOON + WEEK / 7, 50) == 4
    found = rows(database, "SELECT person_id, channel FROM message WHERE campaign_id IS NOT NULL")
    assert sorted(found) == sorted([(two, "sms"), (two, "email"), (letter, "letter"), (mail_only, "email")])
    assert progress(desk.worker, "autumn").released == 3


def with_address(desk: Desk, person: UUID, address: str) -> None:
    contact = add_mail(desk.web, person, address, language="en", account=None, address="10.0.0.1", now=NOON)
    desk.send()
    mail = desk.channel.sent[-1].mail
    assert mail is not None
    assert confirm_number(desk.web, person, contact, str(mail.parts[0])[13:19], AGREED, NOON) == "right"


def test_a_campaign_that_waits_holds_none_back(desk: Desk, database: TestDatabase) -> None:
    """Issue 5: an older one whose people all wait for their morning, or whom nobody can find any more, leaves the pace
    to the next."""
    asleep, awake = desk.confirmed(zone="Pacific/Guam"), desk.confirmed("+16175550151")

    def only(name: str) -> Audience:
        if name == str(UUID(int=7)):
            raise Invalid("audience")  # known when it was planned, and not any more
        return Audience(name, "c.person_id = :only", {"only": UUID(name)})

    for person, audience in ((asleep, None), (UUID(int=7), Audience(str(UUID(int=7)))), (awake, None)):
        plan(desk.worker, f"for {person}", "late", audience or only(str(person)), NOON, lasts=WEEK)
        move(desk.worker, f"for {person}", "start", NOON)
    later = NOON + timedelta(seconds=2)
    assert release_campaigns(desk.worker, only, later, 5) == 1
    assert rows(database, "SELECT person_id FROM message WHERE campaign_id IS NOT NULL") == [(awake,)]


def test_a_campaign_that_starts_by_itself(desk: Desk, crowd: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 5, re-consent: each step plans a slice, the last one starts it; paused by an operator it stays so."""
    monkeypatch.setattr(campaigns, "A_SLICE", 5)
    assert state_of(desk.worker, "new words") is None
    states = [carry_on(desk.worker, "new words", "late", ALL, NOON, lasts=WEEK).state for _ in range(5)]
    assert states == ["planning", "planning", "planning", "planned", "running"]
    assert progress(desk.worker, "new words").planned == 10
    move(desk.worker, "new words", "pause", NOON)
    assert carry_on(desk.worker, "new words", "late", ALL, NOON, lasts=WEEK).state == "paused"
