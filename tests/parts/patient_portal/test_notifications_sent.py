"""What texts follow from the ledger and from reminders, read by a loop that may be killed and started again."""

from __future__ import annotations

import logging
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
import structlog
from sqlalchemy.orm import Session

from consent.asked import Asked
from consent.authorization import Texts as ConsentTexts
from consent.decision import CANCERLINQ, Answer, Means
from consent.person_identity import Alias, add_alias, link_persons
from consent.record_decision import record_decision
from consent.sequencer import sequence_once
from database.context import Context
from database.unit_of_work import Database
from notifications.campaign_release import release_campaigns
from notifications.campaigns import progress
from notifications.contact import Agreement
from notifications.preferences import save_topics
from notifications.reminders import release_reminders
from notifications.send import send_due
from notifications.topics import TOPICS
from patient_portal.choices.catalogue import write_catalogue
from patient_portal.choices.choosing import TEXTS
from patient_portal.demo.outside import IDENTIFIERS
from patient_portal.in_touch.audiences import audience_named
from patient_portal.in_touch.late_stores import tell_of_late_stores
from patient_portal.in_touch.re_consent import ask_again
from patient_portal.in_touch.texting import channel_of, confirm_new_decisions, run_texting, texting_of
from patient_portal.logs import configure_logs
from patient_portal.wiring import now
from sandbox.people.population import population
from tests.parts.consent.people import patient, person
from tests.support.phone import NUMBER, Texts, hidden, texts, wait_until
from tests.support.portal import Client
from vocabulary.actor import Actor, ActorKind

__all__ = ["texts"]
UPDATE = "You have an update."
AGREED = Agreement("Yes, send me texts.", "en", "2026-11-22", True, "127.0.0.1", "Firefox")
NOT_IN_A_TEXT = (
    "cancer", "tumor", "oncolog", "chemo", "radiation", "biops", "leukemia", "lymphoma", "melanoma", "hospital",
    "riverside", "lakeside", "patient", "doctor", "clinic", "opt-out", "opted out", "donat", "research", "study",
)  # fmt: skip


def opt_out(client: Client, answer: str = "no") -> None:
    form = hidden(client.get("/choices/cancerlinq").text, "form")
    sent = client.post("/choices/cancerlinq", {"answer": answer, "form": form}, page="/choices/cancerlinq")
    assert sent.status_code == 303


def donate(client: Client, effort: str, answer: str = "yes") -> None:
    page = client.get(f"/choices/efforts/{effort}").text
    form = {"answer": answer, "form": hidden(page, "form"), "categories": "general", "signed_name": "Test Person"}
    assert client.post(f"/choices/efforts/{effort}", form, page=f"/choices/efforts/{effort}").status_code == 303


def by_a_nurse(texts: Texts, person: UUID, moment: datetime | None = None) -> None:
    """An opt-out recorded by the care team."""
    actor = Actor(ActorKind.CARE_TEAM, uuid4(), person, (person,), None, "riverside")
    asked = Asked(
        actor, person, CANCERLINQ, Answer.NO, secrets.token_urlsafe(12), "en", means=Means.CARE_TEAM,
        reason="asked", practice="riverside-main", actor_reference="Practitioner/1", evidence={"asked_by": "patient"},
    )  # fmt: skip
    record_decision(texts.portal.wiring.database, texts.portal.database.keyring, asked, moment or now())


def test_decision_is_confirmed_once_it_has_its_place(texts: Texts) -> None:
    """X-01, SMS-08: no text before the ledger has its position; then one that says only that there is an update."""
    client = texts.proven()
    before = len(texts.to())
    opt_out(client)
    assert confirm_new_decisions(texts.texting, now()) == 0
    texts.round()
    assert len(texts.to()) == before + 1
    assert texts.to()[-1] == f"My Record Portal: {UPDATE} Sign in: {texts.portal.url}"


def test_reader_started_again_repeats_nothing(texts: Texts) -> None:
    """SMS-12: killed between the text and the cursor, or run twice at once, it confirms each decision once."""
    client = texts.proven()
    opt_out(client)
    sequence_once(texts.portal.database.worker, now())
    database = Breaking(texts, after=3)
    with pytest.raises(RuntimeError):
        confirm_new_decisions(replace(texts.texting, database=database), now())
    database.close()
    assert len(texts.portal.rows("SELECT * FROM message WHERE kind = 'update'")) == 1
    assert texts.portal.rows("SELECT * FROM store_cursor WHERE store_id = 'texts'") == []
    again = [threading.Thread(target=confirm_new_decisions, args=(texts.texting, now())) for _ in range(3)]
    for thread in again:
        thread.start()
    for thread in again:
        thread.join()
    texts.round()
    assert sum(UPDATE in words for words in texts.to()) == 1
    assert [row.position for row in texts.portal.rows("SELECT position FROM store_cursor")] == [1]


def test_one_press_is_one_text(texts: Texts) -> None:
    """SMS-07: "stop all research sharing" ends two donations and is confirmed by one text."""
    client = texts.proven()
    for effort in ("living-well", "early-signs"):
        donate(client, effort)
    texts.round()
    before = len(texts.to())
    form = hidden(client.get("/choices/stop-all").text, "form")
    client.post("/choices/stop-all", {"form": form}, page="/choices/stop-all")
    assert len(texts.portal.rows("SELECT * FROM decision WHERE answer = 'no'")) == 2
    texts.round()
    assert len(texts.to()) == before + 1


def test_who_is_not_texted(texts: Texts) -> None:
    """SMS-01, SMS-04: nobody without a number, nothing from before the number, nothing after a no to texts."""
    opt_out(texts.someone("rv-p02"))
    early = texts.someone("rv-p01")
    opt_out(early)
    texts.ask_for_code(early)
    texts.enter(early, texts.code())
    texts.round()
    early.post("/notifications/texts", {"wanted": "no"}, page="/notifications")
    opt_out(early, "yes")
    texts.round()
    assert not any(UPDATE in words for words in texts.to())
    assert texts.portal.rows("SELECT state FROM message WHERE kind = 'update'") == []


def test_person_is_told_what_a_nurse_did(texts: Texts) -> None:
    """X-04, SMS-08: a change made for the person is told as such, with whom to call, and names no illness."""
    client = texts.proven()
    by_a_nurse(texts, client.person)
    texts.round()
    assert texts.to()[-1].startswith("My Record Portal: A change was made for you.")
    assert "(888) 282-2552" in texts.to()[-1]


def test_two_records_of_one_human_ask_for_one_letter(texts: Texts) -> None:
    """X-04, abuse 10: nobody gave us a way to them; staff are asked once for what counts in both of their records."""
    database = texts.portal.database
    one, other = person(database, 1), person(database, 2)
    link_persons(database.web, database.keyring, patient(one, other), one, other, now())
    pressed = now()
    for each in (one, other):
        by_a_nurse(texts, each, pressed)
    for _ in range(2):
        texts.round()
    cases = texts.portal.rows("SELECT person_id FROM staff_task WHERE kind = 'tell-the-person'")
    assert len(cases) == 1
    assert cases[0].person_id in (one, other)


def test_person_is_told_once_that_a_store_is_late(texts: Texts) -> None:
    """SUB-08, SMS-07: what has not confirmed by its deadline is told by one text, by day, and not again."""
    client, wiring = texts.proven(), texts.portal.worker
    write_catalogue(wiring, now())
    name = Alias("riverside", IDENTIFIERS["riverside"], "RV-0001", "riverside-main")
    add_alias(wiring.database, wiring.keyring, client.person, name, now())
    opt_out(client)
    texts.round()
    before = len(texts.to())
    assert tell_of_late_stores(wiring, texts.texting, now() + timedelta(minutes=14)) == 0
    late = now() + timedelta(minutes=16)
    assert [tell_of_late_stores(wiring, texts.texting, late) for _ in range(2)] == [1, 0]
    send_due(texts.texting, texts.channel, late.replace(hour=20) + timedelta(days=1))
    assert len(texts.to()) == before + 1
    assert "Something takes longer than it should." in texts.to()[-1]
    quiet = texts.someone("rv-p02")
    opt_out(quiet)
    sequence_once(texts.portal.database.worker, now())
    assert tell_of_late_stores(wiring, texts.texting, now() + timedelta(minutes=16)) == 0


def test_changed_words_are_told_without_anybody_thinking_of_it(texts: Texts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 5, re-consent: when a form has a new major version, those whose yes stands are told, once, by the way they
    ticked; who has said no since is not."""
    client, other = texts.proven(), texts.proven("rv-p02", "+16175550177")
    for one in (client, other):
        save_topics(texts.texting, one.person, {("re-consent", "sms")}, AGREED, dict.fromkeys(TOPICS, "words"), now())
        donate(one, "living-well")
    donate(other, "living-well", "no")
    newer = ConsentTexts([*TEXTS.all, *(replace(one, version=2) for one in TEXTS.all if one.id == "living-well")])
    monkeypatch.setattr("patient_portal.in_touch.audiences.TEXTS", newer)
    morning = now().replace(hour=20) + timedelta(days=1)
    steps = [ask_again(texts.texting, newer, morning) for _ in range(5)]
    assert (steps[0], steps[-1], ask_again(texts.texting, TEXTS, morning)) == (1, 0, 0)
    before = len(texts.to())
    for second in range(1, 4):
        release_campaigns(texts.texting, audience_named, morning + timedelta(seconds=second), 5)
        send_due(texts.texting, texts.channel, morning + timedelta(seconds=second))
    assert [said.split(":")[1][:35] for said in texts.to()[before:]] == [" There is something to read again. "]
    assert progress(texts.texting, "living-well-version-2").planned == 1


def test_no_text_names_a_person_or_an_illness(texts: Texts) -> None:
    """SMS-08, abuse 11: every text of a whole journey, in both languages, read for forbidden words."""
    client = texts.proven()
    donate(client, "living-well")
    opt_out(client)
    by_a_nurse(texts, client.person)
    texts.round()
    second = texts.someone("rv-p03")
    second.post("/notifications/number", {"number": NUMBER, "zone": "", "language": "es"}, page="/notifications")
    texts.round()
    for words in ("HELP", "STOP", "START"):
        texts.phone.text_from(NUMBER, words)
    wait_until(lambda: len(texts.to()) >= 8)
    family = {one.family.lower() for one in population()}
    for words in texts.to():
        assert not [bad for bad in (*NOT_IN_A_TEXT, *family) if bad in words.lower()], words
        assert all(link == texts.portal.url for link in re.findall(r"https?://\S+", words))


def test_reminder_comes_once_on_its_morning(texts: Texts) -> None:
    """SMS-06, issue 2: one reminder, set by the person, in the morning where they live; it survives a restart."""
    client = texts.proven()
    day = (now() + timedelta(days=3)).date()
    assert client.post("/notifications/reminder", {"day": day.isoformat()}, page="/notifications").status_code == 303
    assert "we remind you to finish your choices" in client.get("/notifications").text
    before = len(texts.to())
    morning = datetime.combine(day, datetime.min.time(), tzinfo=now().tzinfo) + timedelta(hours=14, minutes=30)
    for moment in (morning - timedelta(hours=8), morning, morning + timedelta(hours=1)):
        texting, channel = texting_of(texts.portal.worker), channel_of(texts.portal.worker)
        release_reminders(texting, moment)
        send_due(texting, channel, moment)
        assert len(texts.to()) == before + (moment >= morning)
    assert "You asked us to remind you." in texts.to()[-1]
    assert "we remind you to finish your choices" not in client.get("/notifications").text


@pytest.mark.parametrize("day", ["", "soon", "2020-01-01", "9999-12-31", "2026-02-30", "today"])
def test_reminder_on_no_such_day(texts: Texts, day: str) -> None:
    """A11Y-01 (3.3.1): a day that cannot be is kept and explained; nothing is set."""
    client = texts.proven()
    given = (now() - timedelta(hours=12)).date().isoformat() if day == "today" else day
    answer = client.post("/notifications/reminder", {"day": given}, page="/notifications")
    assert answer.status_code == 422
    assert "Choose a day from tomorrow on" in answer.text
    assert f'value="{given}"' in answer.text
    assert texts.portal.rows("SELECT * FROM reminder") == []


def test_reminder_can_be_taken_back(texts: Texts) -> None:
    """SMS-04: cancelled before its day, it never comes; with texts off none can be set."""
    client = texts.proven()
    day = {"day": (now() + timedelta(days=2)).date().isoformat()}
    client.post("/notifications/reminder", day, page="/notifications")
    client.post("/notifications/reminder/cancel", page="/notifications")
    assert release_reminders(texts.texting, now() + timedelta(days=3)) == 0
    client.post("/notifications/texts", {"wanted": "no"}, page="/notifications")
    client.post("/notifications/reminder", day, page="/notifications")
    assert "First give us a way to reach you" in client.get("/notifications").text


class Breaking(Database):
    """A database that goes away after `after` transactions, for good or for `times`."""

    def __init__(self, texts: Texts, *, after: int, times: int = 10**6) -> None:
        super().__init__(texts.portal.database.urls.worker, pool_size=1)
        self._after, self._times = after, times

    @contextmanager
    def begin(self, context: Context) -> Iterator[Session]:
        self._after -= 1
        if self._after < 0 and self._times > 0:
            self._times -= 1
            raise RuntimeError("gone")
        with super().begin(context) as session:
            yield session


def test_loop_outlives_its_errors(texts: Texts) -> None:
    """SMS-12: rounds that fail are tried again, a decision made meanwhile is confirmed, the loop stops when told."""
    client = texts.proven()
    opt_out(client)
    sequence_once(texts.portal.database.worker, now())
    stop, database = threading.Event(), Breaking(texts, after=0, times=4)
    wiring = replace(texts.portal.worker, database=database)
    loop = threading.Thread(target=run_texting, args=(wiring, stop))
    loop.start()
    wait_until(lambda: any(UPDATE in words for words in texts.to()))
    stop.set()
    loop.join(timeout=5)
    assert not loop.is_alive()
    database.close()


@pytest.fixture
def logs_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_no_number_reaches_the_logs(texts: Texts, capfd: pytest.CaptureFixture[str], logs_put_back: None) -> None:
    """SEC-07, SMS-13: at DEBUG, through the real client and its libraries, neither number nor code nor words appear."""
    configure_logs("debug")
    client = texts.proven()
    opt_out(client)
    texts.phone.behave(lost_answers=1)
    texts.round()
    texts.round(now() + timedelta(minutes=2))
    texts.phone.text_from(NUMBER, "please stop, this is Canary McNumber")
    wait_until(lambda: len(texts.portal.rows("SELECT * FROM inbound_message")) == 1)
    out, err = capfd.readouterr()
    written = out + err
    assert "text_sent" in written
    assert "library-log" in written
    for canary in (NUMBER, NUMBER[2:], "6175550150", "%2B1617", texts.code(), "Canary", UPDATE, "McNumber"):
        assert canary not in written
