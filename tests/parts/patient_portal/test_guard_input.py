"""Whatever is sent: no 5xx, no stack trace, and nobody becomes somebody else (SEC-10, abuse cases 7 and 8)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from consent.audit_tables import AuditEventRow
from consent.tables import DecisionRow
from database.base_table import Base
from sandbox.people.population import population
from tests.support.actors import ANONYMOUS, OTHER, OWNER, Cast, Visitor
from tests.support.route_table import MAY_PASS, OF_LEADS, OF_STAFF, PUBLIC, TABLE, Row, path_of, routes

ODD = [
    "%00", "%ff%fe", "..%2f..%2fetc%2fpasswd", "..;", "%2e%2e", "a" * 5000, "'%20OR%201=1--", "%3Cscript%3E", "-1", "0",
    "99999999999999999999", "%F0%9F%98%80", "%E2%80%AE", "{uuid}", "00000000-0000-4000-8000-00000000000%30",
    "%0d%0aX:y", "None", "living-well%00", "%", "%zz",
]  # fmt: skip
ODD_QUERIES = [
    "x=" + "a" * 30_000, "lang=%00", "lang=%ff", "lang=" + "e" * 9000, "older_than=zzz&newer_than=%00",
    "before=99999999999999999999", "before=-1", "before=1e3", "next=//evil.example", "next=%00", "q=%00%ff",
    "q=" + "(" * 5000, "part=%00", "save=1&save=2", "iss=%00&launch=%00", "state=%00&code=%ff", "state=" + "s" * 20_000,
    "%", "&".join(f"k{number}=v" for number in range(3000)),
]  # fmt: skip
ODD_BODIES: list[dict[str, Any]] = [
    {"data": b'{"answer": "no"}', "content_type": "application/json"},
    {"data": b"<x/>", "content_type": "application/xml"},
    {"data": b"answer=no", "content_type": "text/plain"},
    {"data": b"answer=no", "content_type": "application/x-www-form-urlencoded; charset=utf-7"},
    {"data": b"answer=%ff%fe&form=%00%00%00%00%00%00%00%00", "content_type": "application/x-www-form-urlencoded"},
    {"data": b"\xff\xfe\x00\x01", "content_type": "application/x-www-form-urlencoded"},
    {"data": b"--b\r\nbroken", "content_type": "multipart/form-data; boundary=b"},
    {"data": b"x", "content_type": "multipart/form-data"},
    {"data": b"x", "content_type": "\xff/\xff"},
    {"data": b""},
]
ODD_VALUES = [
    "\x00",
    "no\x00",
    "\ud7ff",
    "é" * 10,
    "a" * 20_000,
    "../../x",
    "{{7*7}}",
    "-1",
    "[]",
    "\u202e",
    "２０２６-０１-０１",
]
ODD_COOKIES = [
    "portal=" + "a" * 43, "portal=%00", "portal=" + "a" * 8000, "portal=\xff", "portal=; portal=b", "portal", ";;;=",
    "language=%00", "language=xx; portal=null", "session=eyJ4IjoxfQ.x.y",
]  # fmt: skip


READ_A_QUERY = {
    "public.faq", "sign_in.confirm", "sign_in.callback", "sign_in.launch", "record.kind", "record.fhir",
    "choices.status", "activity.overview",
}  # fmt: skip
FORMS = {
    "sign_in.begin": ["next", "offline"],
    "choices.decide_cancerlinq": ["answer", "form"],
    "choices.decide_effort": ["answer", "form", "signed_name", "categories", "sensitive"],
    "choices.decide_stop_all": ["form"],
    "care_team.decide": ["answer", "effort", "form", "who", "how", "asked_on", "reason"],
    "get_record.make": ["name", "scope", "take"],
    "access.write": ["clinic", "form", "key"],
    "access.add": ["kind", "asked-on", "key"],
    "public.reply": ["care"],
    "notifications.number": ["number", "zone", "language"],
    "notifications.confirm": ["code", "agree", "wording"],
    "notifications.texts": ["wanted"],
    "notifications.remind": ["day"],
}
WHOLE = {
    "form": "odd-form-key-1", "who": "patient", "how": "paper", "asked_on": "2026-01-01", "reason": "asked",
    "signed_name": "Own Name", "categories": "general", "number": "+16175550150", "wanted": "yes",
}  # fmt: skip


class Watch:
    """Collects answers that must not be."""

    def __init__(self) -> None:
        self.wrong: list[tuple[Any, ...]] = []
        self.asked = 0

    def __call__(self, answer: Any, *what: Any) -> None:
        self.asked += 1
        text = answer.get_data().decode(errors="replace")
        if answer.status_code >= 500 or "Traceback" in text or "psycopg" in text:
            self.wrong.append((answer.status_code, *(str(each)[:80] for each in what)))


@pytest.fixture
def watch() -> Iterator[Watch]:
    watching = Watch()
    yield watching
    assert watching.asked > 0
    assert watching.wrong == [], "\n".join(map(str, watching.wrong))


def every(cast: Cast, verb: str) -> Iterator[tuple[str, Row, Any]]:
    for key, rule in routes(cast).items():
        if key[1] == verb and TABLE[key].answers < 500 and not TABLE[key].ends:
            yield key[0], TABLE[key], rule


def passing(cast: Cast, row: Row) -> Visitor:
    """Somebody whom the gate lets pass."""
    return cast[OWNER if row.gate == PUBLIC else MAY_PASS[row.gate][-1 if row.gate in (OF_STAFF, OF_LEADS) else 0]]


def test_odd_paths(cast: Cast, watch: Watch) -> None:
    """SEC-10: garbage in the place of an id is a 404 at worst."""
    tokens = {name: {"csrf_token": cast[name].token()} for name in cast.visitors}
    for key, rule in routes(cast).items():
        for odd in ODD if "<" in str(rule.rule) else []:
            path = odd.join(re.split(r"<[^>]+>", str(rule.rule)))
            visitor = passing(cast, TABLE[key])
            watch(visitor.post(path, tokens[visitor.name]) if key[1] == "POST" else visitor.get(path), key, odd)


def test_odd_queries(cast: Cast, watch: Watch) -> None:
    """SEC-10: no query string breaks a page, however long or badly encoded."""
    for endpoint, row, rule in every(cast, "GET"):
        if endpoint == "static":
            continue
        path = path_of(rule, row, cast.owned)
        for query in ODD_QUERIES if endpoint in READ_A_QUERY else ODD_QUERIES[-2:]:
            watch(passing(cast, row).get(path, query_string=query), endpoint, query)


def test_odd_bodies(cast: Cast, watch: Watch) -> None:
    """SEC-10: wrong content types, broken multipart, bytes that are no text."""
    for endpoint, row, rule in every(cast, "POST"):
        path, visitor = path_of(rule, row, cast.owned), passing(cast, row)
        headers = {"X-CSRFToken": visitor.token()}
        for body in ODD_BODIES:
            watch(visitor.send("POST", path, headers=headers, **body), endpoint, body)


@pytest.mark.parametrize("endpoint", FORMS)
def test_odd_form_values(cast: Cast, watch: Watch, endpoint: str) -> None:
    """SEC-10: NUL, lone marks, foreign digits and long texts in every field of every form."""
    row, rule = TABLE[endpoint, "POST"], routes(cast)[endpoint, "POST"]
    path, visitor = path_of(rule, row, cast.owned), passing(cast, row)
    whole = WHOLE | row.form | {"csrf_token": visitor.token()}
    for name in FORMS[endpoint]:
        for odd in ODD_VALUES:
            watch(visitor.post(path, whole | {name: odd}), name, odd)


def test_bodies_have_a_limit(cast: Cast) -> None:
    """SEC-10: too much is 413, signed in or not, and is not read."""
    for visitor, path in ((cast[OWNER], "/choices/cancerlinq"), (cast[ANONYMOUS], "/sign-in/riverside")):
        assert visitor.post(path, {"form": "a" * 3_000_000}).status_code == 413
    many = "&".join(f"k{number}=v" for number in range(20_000))
    posted = cast[OWNER].send(
        "POST", "/choices/cancerlinq", data=many, content_type="application/x-www-form-urlencoded"
    )
    assert posted.status_code in {400, 413}


@pytest.mark.parametrize("cookie", ODD_COOKIES)
def test_odd_cookies(cast: Cast, watch: Watch, cookie: str) -> None:
    """SEC-01: a cookie that is nobody's is nobody's session; a page answers as to a stranger."""
    stranger = cast.portal.app.test_client(use_cookies=False)
    for path in ("/", "/record", "/sign-in/riverside", "/callback/riverside?state=a&code=b"):
        answer = stranger.get(path, base_url=cast.portal.url, headers={"Cookie": cookie}, buffered=True)
        watch(answer, cookie, path)
        assert "Sign out" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept-Language": "\xff;q=9," * 2000}, {"Accept": "application/json"}, {"Accept": "\x7f"},
        {"X-Forwarded-For": "\x7f, evil"}, {"X-Forwarded-Host": "evil.example"}, {"Host": "evil.example"},
        {"If-None-Match": "*", "If-Modified-Since": "never"}, {"Range": "bytes=0-0,-5,9-"},
        {"X-HTTP-Method-Override": "DELETE"},
    ],
    ids=str,
)  # fmt: skip
def test_odd_headers(cast: Cast, watch: Watch, headers: dict[str, str]) -> None:
    """SEC-10: no header breaks a page or sends anybody to another host."""
    for path in ("/", "/record", f"/record/entry/{cast.owned['entry']}", "/no/such"):
        answer = cast[OWNER].get(path, headers=headers)
        watch(answer, headers, path)
        assert "evil.example" not in answer.text + answer.headers.get("Location", "")


OWN_PATHS_ONLY = [
    "//evil.example", "/\\evil.example", "https://evil.example", "/%2f/evil.example", "/%09/evil.example",
    "/\t/evil.example", "/..//evil.example", "javascript:alert(1)", "/。/evil", "/record@evil.example", "evil.example",
    "/%5cevil.example",
]  # fmt: skip


@pytest.mark.parametrize("wish", OWN_PATHS_ONLY)
def test_next_leads_nowhere_else(cast: Cast, wish: str) -> None:
    """SEC-03, abuse case 26: a foreign `next` is dropped where it comes in."""
    for path in ("/sign-in", "/sign-in/riverside"):
        page = cast[ANONYMOUS].get(f"{path}?next={quote(wish, safe='')}").text
        assert not re.search(r'name="next"|href="/[^"]*next=', page)
    kept = cast[ANONYMOUS].get("/sign-in/riverside?next=/choices").text
    assert 'name="next" value="/choices"' in kept


FORGED = {
    "person_id": "{other}", "person": "{other}", "account_id": "{unknown}", "version": "99", "actor": "system",
    "actor_kind": "system", "actor_account": "{unknown}", "recorded_at": "2001-01-01", "decided_at": "2001-01-01",
    "by": "care-team", "means": "paper", "practice": "lakeside-main", "confirmed_by_person": "false", "seq": "1",
}  # fmt: skip


def columns() -> list[str]:
    """Each column of each table about people, as a field name."""
    tables = Base.metadata.tables.values()
    return sorted({column.name for table in tables for column in table.columns} - {"answer", "form", "reason"})


def test_forged_fields_change_neither_who_nor_what(cast: Cast) -> None:
    """SEC-08, abuse case 8: each column's name as an extra field; gate and rule say what is recorded."""
    assert {DecisionRow.recorded_at.key, AuditEventRow.actor_kind.key} <= set(columns())
    extra = {name: "forged" for name in columns() if name not in {"categories", "sensitive", "asked_on"}}
    extra |= {name: value.format(other=cast[OTHER].person, unknown="7" * 8) for name, value in FORGED.items()}
    form = extra | {"answer": "no", "form": "with-forged-fields"}
    before = cast.portal.rows("SELECT count(*) AS n FROM decision WHERE person_id <> :p", p=cast[OWNER].person)[0].n
    lifted = cast[OWNER].post("/choices/cancerlinq", {"answer": "yes", "form": "lift-before-forging"})
    answered = cast[OWNER].post("/choices/cancerlinq", form)
    assert (lifted.status_code, answered.status_code) == (303, 303)
    (row,) = cast.portal.rows("SELECT * FROM decision WHERE idempotency_key LIKE 'with-forged-fields/%'")
    newest = cast.portal.rows("SELECT max(version) AS v FROM decision WHERE person_id = :p", p=cast[OWNER].person)[0].v
    assert (row.person_id, row.actor_kind, row.choice, row.answer) == (
        cast[OWNER].person,
        "patient",
        "cancerlinq",
        "no",
    )
    assert row.version == newest < 99
    assert datetime.now(UTC) - row.recorded_at < timedelta(minutes=5)
    assert (row.practice_id, row.means, row.confirmed_by_person) == (None, "web", True)
    assert str(row.actor_account) != "7" * 8
    after = cast.portal.rows("SELECT count(*) AS n FROM decision WHERE person_id <> :p", p=cast[OWNER].person)[0].n
    assert after == before


def test_a_session_cannot_be_talked_into_another_person(cast: Cast) -> None:
    """SEC-08: forged fields and headers in a sign-out, a retrieval or a download reach only one's own."""
    owner = cast[OWNER].person
    extra = {name: str(owner) for name in ("person_id", "person", "persons", "connection_id", "account", "account_id")}
    headers = {"X-Person": str(owner), "X-User": str(owner), "Forwarded": f"for={owner}"}
    taken = cast[OTHER].post("/record/download", extra, headers=headers)
    assert taken.status_code == 200
    names = [person.family for person in population() if person.id == "rv-p01"]
    assert names[0] not in taken.text
    waiting = "SELECT id FROM retrieval WHERE person_id = :p ORDER BY id"
    before = cast.portal.rows(waiting, p=owner)
    assert cast[OTHER].post("/record/again", extra).status_code == 303
    assert cast.portal.rows(waiting, p=owner) == before
