"""The pages about texts: a number proven by a code over the phone network, the words agreed to, on, off, changed."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape

import pytest
import time_machine

from database.unit_of_work import count_statements
from notifications.texting import proof_place
from patient_portal.wiring import now
from tests.support.phone import NUMBER, Texts, hidden, texts, wait_until
from tests.support.portal import Client, Portal

__all__ = ["texts"]
OTHER = "+16175550177"


def plain(page: str) -> str:
    """The words of a page, without markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def everything_else(portal: Portal) -> list[object]:
    """The three other kinds of choice, as they stand in the database (X-01)."""
    return [
        portal.rows("SELECT id, person_id, version, choice, effort_id, answer FROM decision ORDER BY id"),
        portal.rows("SELECT id, person_id, state, ended_at FROM connection ORDER BY id"),
        portal.rows("SELECT connection_id FROM token ORDER BY connection_id"),
    ]


def test_page_says_what_texts_are_for(texts: Texts) -> None:
    """SMS-08, A11Y-01: no illness in a text, and the page shows one; the field is labelled, hinted, fillable."""
    page = texts.someone().get("/notifications").text
    assert "names no illness" in plain(page)
    assert "You have an update." in plain(page)
    assert re.search(r'<label[^>]*for="number"', page)
    assert re.search(r'<input[^>]*id="number"[^>]*type="tel"[^>]*autocomplete="tel"', page)
    assert 'aria-describedby="number-hint"' in page


def test_number_is_proven_before_the_first_text(texts: Texts) -> None:
    """SMS-02: nothing but a code goes to a number until the code came back; then texts are on."""
    client = texts.someone()
    texts.ask_for_code(client)
    assert len(texts.to()) == 1
    page = client.get("/notifications/code").text
    assert re.search(r'<input[^>]*id="code"[^>]*autocomplete="one-time-code" inputmode="numeric"', page)
    assert "onpaste" not in page
    assert "ending in 50" in plain(page)
    assert "0150" not in page
    assert texts.enter(client, f" {texts.code()[:3]}-{texts.code()[3:]} ") == 303
    shown = client.get("/notifications").text
    assert "We text you at the number ending in 50." in plain(shown)
    assert "0150" not in shown


def test_proof_is_what_was_shown(texts: Texts) -> None:
    """SMS-01: an unticked box beside the words; the proof holds those words, number, time, address and browser."""
    client = texts.someone()
    texts.ask_for_code(client)
    page = client.get("/notifications/code").text
    assert re.search(r'<input[^>]*type="checkbox"[^>]*id="agree"[^>]*value="yes">', page)
    assert texts.enter(client, texts.code()) == 303
    [row] = texts.portal.rows("SELECT * FROM contact_consent")
    place = proof_place(row.contact_point_id, row.recorded_at)
    proof = json.loads(texts.portal.database.keyring.open(row.proof_sealed, place))
    assert proof["text"] in plain(page)
    assert proof["text"].startswith("Yes, send me texts. My Record Portal")
    assert "Saying no changes nothing about your care." in proof["text"]
    assert (proof["number"], proof["means"], proof["language"]) == (NUMBER, "web", "en")
    assert proof["address"] == "127.0.0.1"
    assert proof["agent"].startswith("Werkzeug")
    assert proof["recorded_at"] == row.recorded_at.isoformat()
    texts.round()
    for words in ("My Record Portal", "up to 3 texts a week", "Msg & data rates may apply", "HELP", "STOP"):
        assert words.replace("texts a week", "a week") in texts.to()[-1]


def test_proof_is_in_the_language_that_was_shown(texts: Texts) -> None:
    """SMS-01, LANG-02: the Spanish page keeps the Spanish words, even when the language changes in another tab."""
    client = texts.someone()
    texts.ask_for_code(client)
    page = client.get("/notifications/code?lang=es").text
    client.get("/notifications?lang=en")
    form = {"code": texts.code(), "agree": "yes", "wording": hidden(page, "wording")}
    assert client.post("/notifications/code", form, page="/notifications/code").status_code == 303
    [row] = texts.portal.rows("SELECT * FROM contact_consent")
    place = proof_place(row.contact_point_id, row.recorded_at)
    proof = json.loads(texts.portal.database.keyring.open(row.proof_sealed, place))
    assert proof["language"] == "es"
    assert proof["text"] in plain(page)


def test_box_must_be_ticked_by_the_person(texts: Texts) -> None:
    """SMS-01: without the tick nothing is agreed to, the code is kept and still works."""
    client = texts.someone()
    texts.ask_for_code(client)
    assert texts.enter(client, texts.code(), agree=False) == 422
    assert texts.portal.rows("SELECT * FROM contact_consent") == []
    old = {"code": texts.code(), "agree": "yes", "wording": "en/2020-01-01"}
    answer = client.post("/notifications/code", old, page="/notifications/code")
    assert answer.status_code == 422
    assert "words beside the box have changed" in plain(answer.text)
    assert texts.enter(client, texts.code()) == 303


def test_wrong_expired_and_worn_out_codes_read_the_same(texts: Texts) -> None:
    """SMS-02, SMS-13: five tries, ten minutes; the page says one plain thing whatever is wrong with the code."""
    client = texts.someone()
    texts.ask_for_code(client)
    right = texts.code()
    wrong = f"{(int(right) + 1) % 10**6:06d}"

    def refused(code: str) -> str:
        page = client.get("/notifications/code").text
        form = {"code": code, "agree": "yes", "wording": hidden(page, "wording")}
        answer = client.post("/notifications/code", form, page="/notifications/code")
        assert answer.status_code == 422
        return re.sub(r'value="[^"]*"', "", answer.text)

    first = refused(wrong)
    assert "This code does not work." in plain(first)
    with time_machine.travel(now() + timedelta(minutes=11)):
        assert refused(right) == first
    for _ in range(4):
        refused(wrong)
    assert refused(right) == first
    assert client.post("/notifications/code/again", page="/notifications/code").status_code == 303
    texts.round()
    assert texts.enter(client, texts.code()) == 303


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "cannot read this number"),
        ("12", "cannot read this number"),
        ("my phone", "cannot read this number"),
        ("+44 7911 123456", "only text numbers in the United States"),
        ("+1 900 555 0150", "cannot"),
        ("\x00" * 30, "cannot read this number"),
    ],
)
def test_number_that_cannot_be_used_is_kept_and_explained(texts: Texts, typed: str, says: str) -> None:
    """A11Y-01 (3.3.1, 3.3.3), SMS-02: the error names the remedy, what was typed stays, and nothing is sent."""
    client = texts.someone()
    form = {"number": typed, "zone": "America/Denver", "language": "es"}
    answer = client.post("/notifications/number", form, page="/notifications")
    assert answer.status_code == 422
    assert says in plain(answer.text)
    assert 'aria-invalid="true"' in answer.text
    assert 'href="#number"' in answer.text
    assert re.search(r'<option value="America/Denver" selected>', answer.text)
    assert re.search(r'<option value="es" selected>', answer.text)
    texts.round()
    assert texts.phone.texts_to(NUMBER) == []
    assert texts.portal.rows("SELECT * FROM contact_point") == []


def test_off_and_on_in_one_press_move_nothing_else(texts: Texts) -> None:
    """X-01, X-02, SMS-04: texts off and on again; decisions, connections and tokens stay exactly as they are."""
    client = texts.proven()
    before = everything_else(texts.portal)
    answer = client.post("/notifications/texts", {"wanted": "no"}, page="/notifications")
    assert answer.status_code == 303
    page = client.get("/notifications").text
    assert "Texts are off. Your other choices stay as they are." in plain(page)
    assert "Yes, send me texts." in plain(page)
    texts.round()
    assert len(texts.to()) == 2
    client.post("/notifications/texts", {"wanted": "yes"}, page="/notifications")
    assert "We text you at the number ending in 50." in plain(client.get("/notifications").text)
    assert everything_else(texts.portal) == before
    answers = texts.portal.rows("SELECT answer, means FROM contact_consent ORDER BY id")
    assert [tuple(row) for row in answers] == [("yes", "web"), ("no", "web"), ("yes", "web")]
    assert client.post("/notifications/texts", {"wanted": "perhaps"}, page="/notifications").status_code == 422


def test_other_choices_do_not_move_texts(texts: Texts) -> None:
    """X-01: opting out of CancerLinQ and disconnecting the hospital leave texts on."""
    client = texts.proven()
    form = hidden(client.get("/choices/cancerlinq").text, "form")
    client.post("/choices/cancerlinq", {"answer": "no", "form": form}, page="/choices/cancerlinq")
    [connection] = texts.portal.rows("SELECT id FROM connection")
    client.post(f"/connection/{connection.id}/end", page="/connection")
    assert "We text you at the number ending in 50." in plain(client.get("/notifications").text)


def test_one_number_of_two_people(texts: Texts) -> None:
    """SMS-02: each proves it for themselves, STOP holds for both, and no text says whose it is."""
    texts.proven("rv-p01")
    second = texts.proven("rv-p02")
    names = texts.portal.hospitals["riverside"].hospital.records
    assert names is not None
    assert len([words for words in texts.to() if "You will get texts" in words]) == 2
    assert {re.sub(r"[0-9]{6}", "", words) for words in texts.to()} == {
        re.sub(r"[0-9]{6}", "", texts.to()[0]), texts.to()[1]
    }  # fmt: skip
    assert "ending in 50" in plain(second.get("/notifications").text)


def test_answer_is_the_same_for_a_number_someone_else_has(texts: Texts) -> None:
    """SMS-02, abuse 15: whether a number is known here already cannot be found out: not by the answer, and not by how
    long it takes, for the database is asked the very same."""
    texts.proven("rv-p01")
    client = texts.someone("rv-p02")
    form, asked, answers = {"zone": "", "language": "en"}, [], []
    counted: list[str] = []
    count_statements(texts.portal.wiring.database.engine, counted)
    for number in (OTHER, NUMBER, "+16175550178"):
        counted.clear()
        answers.append(client.post("/notifications/number", form | {"number": number}, page="/notifications"))
        asked.append(list(counted))
    _, known, fresh = answers  # the first of all is the first of its form
    assert (known.status_code, known.data) == (fresh.status_code, fresh.data)
    assert known.headers["Location"] == fresh.headers["Location"]
    assert asked[1] == asked[2]
    assert len(asked[1]) > 5


def test_change_needs_a_fresh_sign_in(texts: Texts) -> None:
    """SMS-02: a quarter of an hour after sign-in a new number asks for another; then the old one is put aside."""
    client = texts.proven()
    start = now()
    with time_machine.travel(start + timedelta(minutes=9)):
        assert client.get("/notifications/change").status_code == 200
    with time_machine.travel(start + timedelta(minutes=18)):
        asked = client.get("/notifications/change")
        assert asked.headers["Location"] == "/sign-in?next=/notifications/change"
        form = {"number": OTHER, "zone": "", "language": "en"}
        assert "/sign-in" in client.post("/notifications/number", form, page="/notifications").headers["Location"]
        texts.round()
    assert texts.to(OTHER) == []
    texts.ask_for_code(client, OTHER, "/notifications/change")
    assert "ending in 50" in plain(client.get("/notifications").text)
    assert texts.enter(client, texts.code(OTHER)) == 303
    texts.round()
    assert "ending in 77" in plain(client.get("/notifications").text)
    states = texts.portal.rows("SELECT state FROM contact_point ORDER BY state")
    assert [row.state for row in states] == ["confirmed", "replaced"]


def test_codes_are_counted(texts: Texts) -> None:
    """Abuse 14: the fourth code to one number within the hour is refused, plainly and with a time; other pages work."""
    client = texts.someone()
    with time_machine.travel(now().replace(minute=5, second=0), tick=True):
        client = texts.someone()
        for _ in range(3):
            texts.ask_for_code(client)
        form = {"number": NUMBER, "zone": "", "language": "en"}
        answer = client.post("/notifications/number", form, page="/notifications")
        again = client.post("/notifications/code/again", page="/notifications/code")
        texts.round()
        assert client.get("/choices/cancerlinq").status_code == 200
    assert (answer.status_code, again.status_code) == (429, 429)
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert "Wait a while" in plain(answer.text)
    assert len(texts.to()) == 3


def test_number_of_another_person_is_not_there(texts: Texts) -> None:
    """SEC-08, SMS-02: a code page shows only one's own number."""
    texts.ask_for_code(texts.someone("rv-p01"))
    stranger: Client = texts.someone("rv-p02")
    assert stranger.get("/notifications/code").headers["Location"] == "/notifications"
    sent = stranger.post("/notifications/code", {"code": texts.code(), "agree": "yes"}, page="/notifications")
    assert sent.headers["Location"] == "/notifications"
    assert texts.portal.rows("SELECT * FROM contact_consent") == []


def test_the_audit_tells_what_became_of_texts(texts: Texts) -> None:
    """X-08, SMS-01: number confirmed, texts off, on, off by STOP, number removed: each a line on the page, in order."""
    client = texts.proven()
    client.post("/notifications/texts", {"wanted": "no"}, page="/notifications")
    client.post("/notifications/texts", {"wanted": "no"}, page="/notifications")  # was off already: no second line
    client.post("/notifications/texts", {"wanted": "yes"}, page="/notifications")
    texts.phone.text_from(NUMBER, "STOP")
    by_text = "SELECT 1 FROM audit_event WHERE event = 'texts.off' AND detail ->> 'means' = 'text'"
    wait_until(lambda: bool(texts.portal.rows(by_text)))
    assert client.post("/notifications/remove", page="/notifications").status_code == 303
    lines = texts.portal.rows(
        "SELECT event, actor_kind, detail ->> 'means' AS means, person_id FROM audit_event"
        " WHERE event LIKE 'texts.%' OR event LIKE 'number.%' ORDER BY id"
    )
    assert [(line.event, line.means) for line in lines] == [
        ("number.confirmed", "web"), ("texts.on", "web"), ("texts.off", "web"), ("texts.on", "web"),
        ("texts.off", "text"), ("number.removed", "web"),
    ]  # fmt: skip
    assert {(line.actor_kind, line.person_id) for line in lines} == {("patient", client.person)}
    page = plain(client.get("/activity").text)
    for words in (
        "A phone number was confirmed",
        "Text messages were turned off",
        "A phone number was taken out of use",
    ):
        assert words in page
    assert "0150" not in page
    assert "May we text you?" in client.get("/notifications").text
