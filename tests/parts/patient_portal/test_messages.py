"""Letters that wait, the breaker of the budget, and what follows from sign-in and from the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from database.context import as_persons
from database.unit_of_work import sqlalchemy_url
from notifications.addresses import keep_postal
from notifications.budget import Budget
from notifications.channels.console import ConsoleChannel
from notifications.confirmations import confirm_decision
from notifications.contact import Agreement, remove_number, set_texts
from notifications.preferences import Times, save_times, save_topics
from notifications.reminders import release_reminders, set_reminder
from notifications.send import send_due
from notifications.silence import fall_silent
from notifications.tell import tell
from notifications.texting import Texting
from notifications.topics import TOPICS, Way
from patient_portal.cli import portal as command
from patient_portal.in_touch.letters import letter_pdf, print_letters, waiting_letters
from patient_portal.in_touch.telling import tell_of_new_entries, tell_of_new_sign_in
from patient_portal.in_touch.texting import texting_of
from patient_portal.wiring import now
from tests.parts.patient_portal.test_cli import environment, logs_as_they_were
from tests.support.pdf import Pdf
from tests.support.people import add_person
from tests.support.portal import Portal, signed_in_client

__all__ = ["environment", "logs_as_they_were"]
AGREED = Agreement("Yes, send me texts.", "en", "2026-11-22", True, "127.0.0.1", "Firefox")


def someone(portal: Portal, way: str = "sms", value: str = "+16175550150", person: UUID | None = None) -> UUID:
    """A person, made now unless given, who has proven a number or address and wants what comes there."""
    person, contact, texting = person or add_person(portal.database), uuid4(), texting_of(portal.worker)
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO contact_point (id, person_id, channel, value_index, value_sealed, language, zone, state,"
                " code_tries, created_at, confirmed_at) VALUES (:id, :person, :way, :index, :sealed, 'en', NULL,"
                " 'confirmed', 0, now(), now())"
            ),
            {"id": contact, "person": person, "way": way, "index": contact.bytes,
             "sealed": texting.seal_value(contact, value)},
        )  # fmt: skip
        connection.execute(
            text(
                "INSERT INTO contact_consent (contact_point_id, person_id, value_index, topic, answer, means,"
                " proof_sealed, recorded_at) VALUES (:id, :person, :id2, 'texts', 'yes', 'web', '\\x00', now())"
            ),
            {"id": contact, "person": person, "id2": contact.bytes},
        )
    engine.dispose()
    return person


def test_letters_are_printed_once(portal: Portal, tmp_path: Path) -> None:
    """Abuse 11, A11Y-04: a letter to the address given; no illness, no link that ends mail. A reminder comes by letter
    to who has no other way."""
    texting = texting_of(portal.worker)
    people = [someone(portal, "letter", f"Anna Canary\n{number} Main Street") for number in (1, 2, 3)]
    save_topics(texting, people[2], {("reminders", "letter")}, AGREED, {topic: topic for topic in TOPICS}, now())
    set_reminder(texting, people[2], "choices", now() + timedelta(seconds=1), now())
    later = now() + timedelta(seconds=2)
    assert [release_reminders(texting, later) for _ in range(2)] == [1, 0]
    save_topics(texting, people[0], {("late", "letter")}, AGREED, {topic: topic for topic in TOPICS}, now())
    assert tell(texting, people[0], "late", "a", now()).letter
    assert tell(texting, people[1], "care-team", "d1", now()).letter
    assert len(waiting_letters(texting, later)) == 3
    assert [print_letters(texting, tmp_path / "out", later) for _ in range(2)] == [3, 0]
    files = sorted((tmp_path / "out").iterdir())
    assert [oct(path.stat().st_mode & 0o777) for path in files] == ["0o600"] * 3
    said = [Pdf(path.read_bytes()).text for path in files]
    assert any("1 Main Street" in words and "takes longer than it should" in words for words in said)
    assert any("3 Main Street" in words and "You asked us to remind you" in words for words in said)
    assert any("2 Main Street" in words and "A change was made for you" in words for words in said)
    assert not any(bad in words.lower() for words in said for bad in ("cancer", "opt", "hospital", "unsubscribe"))
    assert waiting_letters(texting, later) == []


def test_a_letter_is_asked_about_once_more_before_it_is_printed(portal: Portal) -> None:
    """HIP-16, SMS-04, SMS-06, X-02: none to an address that was taken back, to who was reported dead, in a pause, or
    when it is stale; a new address gets what waited for the old one."""
    texting, moment = texting_of(portal.worker), now()
    gone, dead, paused, moved = (someone(portal, "letter", f"{name}\n1 Main Street") for name in "ABCD")
    for person in (gone, dead, paused, moved):
        save_topics(texting, person, {("late", "letter")}, AGREED, {topic: topic for topic in TOPICS}, moment)
        assert tell(texting, person, "late", str(person), moment).letter
    remove_number(texting, gone, agreement=AGREED, now=moment, way="letter")
    with texting.database.begin(as_persons(dead)) as session:
        fall_silent(session, dead, moment)
    save_times(texting, paused, Times(pause_until=moment + timedelta(days=5)), moment)
    keep_postal(texting, moved, "D Canary\n7 New Street", AGREED, moment)
    [letter] = waiting_letters(texting, moment)
    assert letter.person == moved
    assert "7 New Street" in Pdf(letter_pdf(texting, moved, letter.id, moment)).text
    states = portal.rows("SELECT person_id, state FROM message WHERE channel = 'letter'")
    assert {row.person_id: row.state for row in states} == {
        gone: "suppressed", dead: "suppressed", paused: "intended", moved: "intended",
    }  # fmt: skip
    assert {one.person for one in waiting_letters(texting, moment + timedelta(days=6))} == {paused, moved}
    assert waiting_letters(texting, moment + timedelta(days=15)) == []


def test_the_breaker_never_blocks_an_opt_out(portal: Portal) -> None:
    """Abuse 14: with the day's budget used up, what can wait waits for tomorrow; an opt-out is confirmed at once."""
    texting: Texting = replace(texting_of(portal.worker), budget=Budget(day=1))
    channel, moment = ConsoleChannel(), now()
    people = [someone(portal, value=f"+1617555{number:04d}") for number in range(150, 154)]
    for person in people[:3]:
        confirm_decision(texting, person, f"yes-{person}", now=moment)
    assert send_due(texting, channel, moment).sent == 1
    confirm_decision(texting, people[3], "no", refusing=True, now=moment)
    confirm_decision(texting, people[0], "nurse", by_someone_else=True, now=moment)
    assert send_due(texting, channel, moment).sent == 2
    rows = portal.rows("SELECT kind, send_after FROM message WHERE state = 'intended'")
    assert len(rows) == 2
    assert all(row.send_after > moment for row in rows)
    assert portal.app.test_client().get("/").status_code == 200
    assert send_due(texting, channel, max(row.send_after for row in rows)).sent == 1  # tomorrow's one


@pytest.mark.parametrize("limit", ["number_day", "person_day", "prefix_day", "month"])
def test_each_ceiling_holds(portal: Portal, limit: str) -> None:
    """Abuse 14: per number, account, prefix and month; what is held is counted nowhere."""
    texting = replace(texting_of(portal.worker), budget=Budget(**{limit: 2}))
    person, moment, channel = someone(portal), now(), ConsoleChannel()
    for reference in range(4):
        confirm_decision(texting, person, f"d{reference}", now=moment)
    assert send_due(texting, channel, moment).sent == 2
    assert portal.rows("SELECT max(count) AS most FROM rate_count")[0].most == 2


def test_stop_ends_texts_and_nothing_else(portal: Portal) -> None:
    """X-02: after STOP the address still hears, and decisions stand as they were."""
    texting, person = texting_of(portal.worker), someone(portal)
    before = portal.rows("SELECT count(*) FROM decision")
    set_texts(texting, person, wanted=False, agreement=AGREED, now=now())
    assert tell(texting, person, "confirmations", "d1", now()).ways == ()
    assert tell(texting, person, "care-team", "d1", now()).ways == ("letter",)
    assert portal.rows("SELECT count(*) FROM decision") == before


def test_new_entries_are_told_where_wanted(portal: Portal) -> None:
    """Issue 5: not after the first fetch, not when nothing is new, once when something is; only after a yes."""
    texting, person = texting_of(portal.worker), someone(portal)
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    fetches = [uuid4() for _ in range(3)]
    with engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))  # rows of other tables are not needed
        for number, (fetch, versions) in enumerate(zip(fetches, ([1, 2], [1, 2], [2, 3]), strict=True)):
            connection.execute(
                text(
                    "INSERT INTO retrieval_manifest (retrieval_id, page, person_id, type, version_ids)"
                    " VALUES (:fetch, :page, :person, 'Condition', :versions)"
                ),
                {"fetch": fetch, "page": number, "person": person, "versions": versions},
            )
    engine.dispose()
    wiring = portal.worker
    assert tell_of_new_entries(wiring, person, fetches[2], now()) is not None
    assert portal.rows("SELECT * FROM message") == []  # nobody asked for it
    save_topics(texting, person, {("new-records", "sms")}, AGREED, {topic: topic for topic in TOPICS}, now())
    told = [tell_of_new_entries(wiring, person, fetches[2], now()) for _ in range(2)]
    assert [one.new for one in told if one] == [True, False]


def test_another_account_that_signs_in_is_told(portal: Portal) -> None:
    """Issue 5, SEC-08: the first account is nobody's news; a second one to the same record is, once."""
    person, connections = someone(portal), [uuid4(), uuid4()]
    moment = now()
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        for one in connections:
            connection.execute(
                text(
                    "INSERT INTO connection (id, account_id, person_id, provider_id, patient_index, patient_sealed,"
                    " relation, state, scope, created_at) VALUES (:id, :id, :person, 'riverside', :index, '\\x00',"
                    " 'self', 'active', '', :now)"
                ),
                {"id": one, "person": person, "index": one.bytes, "now": moment},
            )
            with portal.worker.database.begin(as_persons(person)) as session:
                if one == connections[0]:
                    assert tell_of_new_sign_in(session, portal.worker, person, one, moment) is None
    engine.dispose()
    for expected in (True, False):
        with portal.worker.database.begin(as_persons(person)) as session:
            told = tell_of_new_sign_in(session, portal.worker, person, connections[1], moment)
        assert told is not None
        assert (told.ways, told.new) == (("sms",), expected)


@pytest.mark.usefixtures("environment")
def test_what_research_found_is_published_told_and_read(portal: Portal, tmp_path: Path) -> None:
    """Issue 5, an effort's results: from one command; told, once, to who gives data and wants to hear of it; read by
    who takes or took part, in their language or in English; other words never take the place of published ones."""
    asked, silent, outside = (signed_in_client(portal, f"rv-p0{number}", record=False) for number in (1, 2, 3))
    for client, number in ((asked, 150), (silent, 151), (outside, 152)):
        someone(portal, value=f"+1617555{number:04d}", person=client.person)
        if client is not silent:
            ticked: set[tuple[str, Way]] = {("results", "sms")}
            save_topics(texting_of(portal.worker), client.person, ticked, AGREED, dict.fromkeys(TOPICS, ""), now())
        if client is not outside:
            form = {"answer": "yes", "form": uuid4().hex, "categories": "general", "signed_name": "Test Person"}
            assert client.post("/choices/efforts/living-well", form, page="/choices").status_code == 303
    file = tmp_path / "news.toml"
    file.write_text('[en]\ntitle = "Tired less often"\nwords = "Walking helps.\\n\\nSo does sleep."\n', "utf-8")
    words = ["campaign", "results", "living-well", "2026", str(file), "--by", "Kim"]
    for _ in range(2):
        said = CliRunner().invoke(command, words)
        assert said.exit_code == 0, said.output
        assert "results-living-well-2026: running, topic results" in said.output
        assert "planned 1, released 0" in said.output
    for client, sees in ((asked, True), (silent, True), (outside, False)):
        page = client.get("/news?lang=es").text
        assert ("Tired less often" in page) is sees
        assert ('<p lang="en">So does sleep.</p>' in page) is sees
    file.write_text('[en]\ntitle = "Tired less often"\nwords = "Walking does not help."\n', "utf-8")
    assert "results-name-taken" in CliRunner().invoke(command, words).output
    assert "audience" in CliRunner().invoke(command, ["campaign", "results", "no-such", *words[3:]]).output
    file.write_text('[fr]\ntitle = "Moins"\n', "utf-8")
    assert "fr: not-a-language-of-this-portal; en: missing" in CliRunner().invoke(command, words).output
