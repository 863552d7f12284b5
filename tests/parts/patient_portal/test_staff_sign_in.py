"""Staff sign in: two factors or not at all, one browser, one use, no role no entry; out everywhere."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError
from werkzeug.test import TestResponse

from consent.audit_tables import StaffTask
from database.context import as_staff
from database.keyring import KeyRing
from patient_portal.cli import portal as command
from patient_portal.commands import keys
from patient_portal.wiring import now
from sandbox.staff_identity.server import STAFF, Colleague
from tests.support import browser
from tests.support.browser import Visit, Visitor
from tests.support.portal import Outside, Portal, signed_in_client
from tests.support.soft_key import SoftKey
from tests.support.staff_at_work import LEAD, WORKER, AtWork, at_work, callback_of

chromium, visit = browser.chromium, browser.visit


@pytest.fixture
def environment(portal: Portal, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of this test's portal, for the command line."""
    settings = portal.wiring.settings
    for name, value in {
        "DATABASE_URL": settings.database_url, "DATABASE_URL_WORKER": settings.database_url_worker,
        "PORTAL_BASE_URL": portal.url, "PORTAL_KEYS": str(settings.keys), "PORTAL_SECRET_KEY": settings.secret_key,
        "PORTAL_PROVIDERS": str(outside.folder / "providers.toml"),
        "PORTAL_STORES": str(outside.folder / "stores.toml"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


def run(*words: str) -> str:
    done = CliRunner().invoke(command, ["staff", *words])
    assert done.exit_code == 0, done.output
    return done.output


def come_back(portal: Portal, browser: Any, answer: dict[str, str]) -> TestResponse:
    answered = browser.get("/staff/callback/cancerlinq", query_string=answer, base_url=portal.url)
    assert isinstance(answered, TestResponse)
    return answered


def options_on(page: str) -> dict[str, Any]:
    found = re.search(r'data-options="([^"]+)"', page)
    assert found, page
    made: dict[str, Any] = json.loads(html.unescape(found.group(1)))
    return made


def test_a_security_key_at_the_provider_is_enough(portal: Portal) -> None:
    """SEC-20, SEC-01: `amr` says mfa: in, with a new session; role and name are the provider's; out means out."""
    lead = at_work(portal, LEAD)
    assert "Dana Brooks" in lead.get("/staff").text
    assert lead.get("/staff/openings").status_code == 200
    assert lead.get("/record").status_code == 403
    assert lead.get("/care-team").status_code == 403
    other = at_work(portal, LEAD)
    assert lead.post("/sign-out", everywhere="yes").status_code == 303
    for each in (lead, other):
        answer = each.get("/staff")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/staff/sign-in?next=/staff")
    (row,) = portal.rows("SELECT kind FROM account")
    assert row.kind == "staff"
    (line, _) = portal.rows("SELECT actor_kind, detail FROM audit_event WHERE event = 'sign-in'")
    assert (line.actor_kind, line.detail) == ("lead", {"provider": "cancerlinq", "factor": "token"})


def test_a_password_alone_lets_nobody_in(portal: Portal, environment: None) -> None:
    """SEC-20: without `mfa` in the token a passkey is asked for; the first needs a code, which works once."""
    outside = portal.url
    browser = portal.app.test_client()
    landed = come_back(portal, browser, callback_of(portal, browser, WORKER, "password"))
    assert landed.headers["Location"] == "/staff/passkey"
    me = AtWork(portal, browser)
    assert me.get("/staff").status_code == 303
    assert "One-time code" in me.get("/staff/passkey").text
    assert me.post("/staff/passkey", credential="{}").headers["Location"] == "/staff/sign-in"  # no challenge is out
    assert me.post("/staff/passkey/code", code="AAAA-BBBB").status_code == 422
    code = run("invite", "cancerlinq").split()[0]
    assert me.post("/staff/passkey/code", code=code.lower()).status_code == 303
    key, careless = SoftKey(), SoftKey(verifies=False)
    assert me.post("/staff/passkey", credential=careless.make(options_on(me.get("/staff/passkey").text), outside)
                   ).status_code == 403  # fmt: skip
    assert me.post("/staff/passkey", credential="{" * 50).status_code == 403
    assert me.post("/staff/passkey", credential=key.make(options_on(me.get("/staff/passkey").text), "https://evil")
                   ).status_code == 403  # fmt: skip
    made = key.make(options_on(me.get("/staff/passkey").text), outside)
    assert me.post("/staff/passkey", credential=made).headers["Location"] == "/staff"
    assert me.get("/staff").status_code == 200

    again = AtWork(portal, portal.app.test_client())
    come_back(portal, again.browser, callback_of(portal, again.browser, WORKER, "password"))
    assert again.post("/staff/passkey/code", code=code).status_code == 422  # they have a key; codes are used once
    shown = key.show(options_on(again.get("/staff/passkey").text), outside)
    assert again.post("/staff/passkey", credential=SoftKey().show(options_on(again.get("/staff/passkey").text), outside)
                      ).status_code == 403  # fmt: skip
    assert again.post("/staff/passkey", credential=shown).status_code == 403  # its challenge was another
    shown = key.show(options_on(again.get("/staff/passkey").text), outside)
    assert again.post("/staff/passkey", credential=shown).headers["Location"] == "/staff"
    (kept,) = portal.rows("SELECT sign_count FROM staff_passkey")
    assert kept.sign_count == key.count


AUTHENTICATOR = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


def test_a_passkey_of_a_real_browser(
    portal: Portal, outside: Outside, environment: None, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SEC-20: Chromium makes a passkey and shows it; a key that does not verify its user opens nothing, and then the
    provider's own second step does."""
    here = portal.url.replace("127.0.0.1", "localhost")  # a passkey belongs to a name
    named = replace(portal.wiring, settings=replace(portal.wiring.settings, base_url=here))
    monkeypatch.setitem(portal.app.extensions, "wiring", named)
    monkeypatch.setattr(outside.staff.identity, "portal", here)
    worker = visit(here, scripts=True)
    wire = worker.page.context.new_cdp_session(worker.page)
    wire.send("WebAuthn.enable")
    key = wire.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    come_with_a_password(worker)
    worker.fill("One-time code", run("invite", "cancerlinq").split()[0])
    worker.press("Go on")
    worker.press("Make a passkey")
    worker.page.wait_for_url(f"{here}/staff")
    worker.press("Sign out")
    come_with_a_password(worker)
    wire.send("WebAuthn.setUserVerified", {**key, "isUserVerified": False})
    worker.press("Use my passkey")
    worker.sees("The passkey was not used. Press the button to try again.")
    wire.send("WebAuthn.setUserVerified", {**key, "isUserVerified": True})
    worker.press("Use my passkey")
    worker.page.wait_for_url(f"{here}/staff")
    worker.press("Sign out")
    come_with_a_password(worker)
    worker.press("Sign in there with two steps")
    worker.page.get_by_role("button", name="Miguel Ortega: password and security key").click()
    worker.page.wait_for_url(f"{here}/staff")
    factors = [row.detail["factor"] for row in portal.rows("SELECT * FROM audit_event WHERE event = 'sign-in'")]
    assert factors == ["passkey", "passkey", "token"]


def come_with_a_password(worker: Visitor) -> None:
    worker.open("/staff/sign-in")
    worker.page.locator("main form button").click()
    worker.page.get_by_role("button", name="Miguel Ortega: password only").click()


def test_a_code_is_for_its_provider_and_its_day(portal: Portal, environment: None) -> None:
    """SEC-20: a code that is used or too old makes no passkey; two who use one at once get one."""
    codes = [run("invite", "cancerlinq").split()[0] for _ in range(2)]
    portal.rows("SELECT 1")
    people = []
    for who in (WORKER, LEAD):
        one = AtWork(portal, portal.app.test_client())
        come_back(portal, one.browser, callback_of(portal, one.browser, who, "password"))
        people.append(one)
    assert [one.post("/staff/passkey/code", code=codes[0]).status_code for one in people] == [303, 422]
    with portal.database.maintenance.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE staff_invitation SET expires_at = now() - interval '1 second'")
    assert people[1].post("/staff/passkey/code", code=codes[1]).status_code == 422
    assert CliRunner().invoke(command, ["staff", "invite", "nobody"]).exit_code == 1


def test_an_answer_counts_once_in_its_own_browser(portal: Portal, outside: Outside) -> None:
    """SEC-11, abuse case 4: another browser, a second time, a foreign issuer, a denial, no role: nobody is in."""
    browser, thief = portal.app.test_client(), portal.app.test_client()
    callback_of(portal, thief, LEAD)
    answer = callback_of(portal, browser, WORKER)
    assert come_back(portal, thief, answer).status_code == 400
    assert come_back(portal, browser, answer | {"iss": "https://evil.example"}).status_code == 400
    answer = callback_of(portal, browser, WORKER)
    assert come_back(portal, browser, answer).status_code == 303
    assert come_back(portal, browser, answer).status_code == 400
    assert browser.get("/staff", base_url=portal.url).status_code == 200
    fresh = portal.app.test_client()
    denied = come_back(portal, fresh, callback_of(portal, fresh, ""))
    assert (denied.status_code, "said no" in denied.text) == (403, True)
    crossed = fresh.get("/callback/riverside", query_string=callback_of(portal, fresh, LEAD), base_url=portal.url)
    assert crossed.status_code == 400
    identity = outside.staff.identity
    identity.staff = (*STAFF, Colleague("eve", "Eve", ("cleaners",), "eve@staff.example"))
    try:
        refused = come_back(portal, fresh, callback_of(portal, fresh, "eve"))
    finally:
        identity.staff = STAFF
    assert (refused.status_code, "no role here" in refused.text) == (403, True)
    assert fresh.get("/staff", base_url=portal.url).status_code == 303


def test_a_forged_token_signs_nobody_in(portal: Portal, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """SEC-11: another nonce, another audience, a token that is not there: 400, and no account is made."""
    identity = outside.staff.identity
    honest = identity.id_token

    def forging(**changed: object) -> None:
        def forge(kept: dict[str, Any], access_token: str) -> str:
            claims = dict(kept, asked=dict(kept["asked"], **changed))
            return honest(claims, access_token)

        monkeypatch.setattr(identity, "id_token", forge)

    forging(nonce="another")
    browser = portal.app.test_client()
    assert come_back(portal, browser, callback_of(portal, browser, WORKER)).status_code == 400
    monkeypatch.setattr(identity, "id_token", lambda *_: None)
    assert come_back(portal, browser, callback_of(portal, browser, WORKER)).status_code == 400
    foreign = {"iss": identity.issuer, "sub": "x", "aud": "another-app", "iat": 0, "exp": 2**31}
    monkeypatch.setattr(identity, "id_token", lambda *_: identity.keys.sign(foreign))
    assert come_back(portal, browser, callback_of(portal, browser, WORKER)).status_code == 400
    assert portal.rows("SELECT id FROM account") == []


def test_who_left_is_out_everywhere(portal: Portal, environment: None) -> None:
    """SEC-20, V7.4.2: `portal staff end` ends the sessions at once and refuses the next sign-in; `back` undoes it."""
    worker = at_work(portal)
    with portal.wiring.database.begin(as_staff(("*",), uuid4())) as session:
        task = {"id": uuid4(), "kind": "store-drift", "detail": {}, "opened_at": now()}
        session.execute(insert(StaffTask).values(task))
    assert worker.post("/staff/case/1", do="take").status_code == 303
    (listed,) = run("list").splitlines()
    assert "Miguel Ortega" in listed
    halfway, key = AtWork(portal, portal.app.test_client()), SoftKey()
    come_back(portal, halfway.browser, callback_of(portal, halfway.browser, WORKER, "password"))
    halfway.post("/staff/passkey/code", code=run("invite", "cancerlinq").split()[0])
    made = key.make(options_on(halfway.get("/staff/passkey").text), portal.url)
    assert "1 cases given back" in run("end", listed.split()[0])
    assert portal.rows("SELECT assigned_to FROM staff_task")[0].assigned_to is None
    assert halfway.post("/staff/passkey", credential=made).status_code == 403  # the second factor came too late
    assert halfway.get("/staff").status_code == 303
    assert worker.get("/staff").status_code == 303
    browser = portal.app.test_client()
    refused = come_back(portal, browser, callback_of(portal, browser, WORKER))
    assert (refused.status_code, "any more" in refused.text) == (403, True)
    run("back", listed.split()[0])
    assert at_work(portal).get("/staff").status_code == 200


def test_one_person_with_two_sign_ins_is_one(
    portal: Portal, outside: Outside, environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SEC-08: nobody allows, by another sign-in of theirs, what they asked for, or looks at what they opened; so the
    identity provider says by a verified address, or an operator does. PostgreSQL refuses it by itself."""
    second = replace(STAFF[1], id="miguel-2", name="M. Ortega", roles=("cancerlinq-lead",), mail="Miguel@staff.example")
    third = replace(second, id="miguel-3", mail="m.ortega@home.example")
    monkeypatch.setattr(outside.staff.identity, "staff", (*STAFF, second, third))
    miguel, same, unknown = at_work(portal), at_work(portal, "miguel-2"), at_work(portal, "miguel-3")
    ask = {"do": "tell-again", "store": "tempus", "why": "It lost a day of messages."}
    assert miguel.post("/staff/requests", **ask).status_code == 303
    maria = signed_in_client(portal, "rv-p01")
    why = {"provider": "riverside", "number": "RV-104233", "why": "She called about her letter."}
    assert miguel.post("/staff/find", **why).status_code == 303
    (asked,) = portal.rows("SELECT id FROM staff_request")
    (opened,) = portal.rows("SELECT id FROM staff_opening WHERE person_id = :p", p=maria.person)
    request, opening = f"/staff/requests/{asked.id}", f"/staff/openings/{opened.id}"

    def answers() -> list[str | None]:
        return [row.answer for row in portal.rows("SELECT answer FROM staff_request")]

    assert "A colleague has to decide" in same.get("/staff/requests").text
    assert request not in same.get("/staff/requests").text
    assert same.post(request, answer="yes").status_code == 303
    assert "You asked for this yourself" in same.get("/staff/requests").text
    assert "Another lead has to look" in same.get("/staff/openings").text
    assert (same.post(opening).status_code, answers()) == (404, [None])

    assert request in unknown.get("/staff/requests").text  # no token and nobody says so
    mine, _same, theirs = (
        row.account_id for row in portal.rows("SELECT account_id FROM staff_member ORDER BY signed_in_at")
    )
    run("same", str(mine), str(theirs))
    assert run("list").count("the same person as") == 2
    assert unknown.post(request, answer="yes").status_code == 303
    assert (unknown.post(opening).status_code, answers()) == (404, [None])
    for table, column in (("staff_request", "decided_by"), ("staff_opening", "seen_by")):
        with (
            pytest.raises(IntegrityError, match="one human being"),
            portal.database.web.begin(as_staff(("*",), theirs)) as session,
        ):
            session.execute(text(f"UPDATE {table} SET {column} = :theirs"), {"theirs": theirs})

    run("apart", str(theirs))
    assert unknown.post(request, answer="yes").status_code == 303
    assert (unknown.post(opening).status_code, answers()) == (303, ["yes"])


def test_a_key_is_changed_once_two_allowed_it(
    portal: Portal, environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SEC-08: where staff sign in, a key is changed once one has asked and another has allowed it, and only then."""
    file = str(portal.wiring.settings.keys)
    miguel, dana = at_work(portal), at_work(portal, LEAD)

    def rotate(*more: str) -> str:
        done = CliRunner().invoke(command, ["keys", "rotate", file, "--purpose", "head-signing", *more])
        return "done" if done.exit_code == 0 else done.output

    asked = {"do": "rotate-key", "purpose": "head-signing", "why": "Somebody left the team."}
    assert miguel.post("/staff/requests", **(asked | {"purpose": "blind-index"})).status_code == 422
    assert miguel.post("/staff/requests", **asked).status_code == 303
    (request,) = (str(row.id) for row in portal.rows("SELECT id FROM staff_request"))
    monkeypatch.setattr(keys, "is_production", lambda _url: True)
    assert "Two of staff have to allow this" in rotate()
    assert "has not allowed it" in rotate("--request", request)
    assert dana.post(f"/staff/requests/{request}", answer="yes").status_code == 303
    assert f"--purpose head-signing --request {request}" in dana.get("/staff/requests").text
    before = KeyRing.load(Path(file)).active("head-signing").id
    assert rotate("--request", request) == "done"
    assert KeyRing.load(Path(file)).active("head-signing").id != before
    assert "used already" in rotate("--request", request)
    assert "nobody asked for this key" in rotate("--request", "00000000-0000-4000-8000-000000000001")
