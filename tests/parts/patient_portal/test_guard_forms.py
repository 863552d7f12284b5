"""What changes state and what never does: form tokens, other sites, and pages that only show (SEC-03, abuse case 9)."""

from __future__ import annotations

import pytest

from patient_portal.gates import Gate, gate_of
from tests.support.actors import ACTORS, LEAD, OTHER, OWNER, STAFF, Cast
from tests.support.route_table import MAY_PASS, PUBLIC, TABLE, path_of, routes

SIGNED_BY_THEIR_SENDER = {
    "webhooks.inbound", "webhooks.status", "webhooks.receipts",
    # A viewer of somebody else's holds a link, whose 256-bit secret in the address is asked for instead (SHL-02).
    "shl.manifest", "shl.direct", "shl.file",
    # A mail program ends its mail by what we signed into the link (RFC 8058); it can do nothing else.
    "unsubscribe.end",
}  # fmt: skip
# What may move while somebody only looks: when a session was last used, how often an address asked, and the lines
# that say who looked.
MOVES = frozenset({"web_session", "rate_count", "process_heartbeat", "audit_event"})
# A launch begins with a link in the hospital's chart, so its state is kept by a GET; it is used up by the callback.
BEGINS_A_LAUNCH = {"sign_in.launch", "sign_in.callback"}


def posts(cast: Cast) -> dict[str, str]:
    """endpoint -> path of every route that takes a form."""
    found = routes(cast)
    return {key[0]: path_of(rule, TABLE[key], cast.owned) for key, rule in found.items() if key[1] == "POST"}


def test_only_signed_webhooks_go_without_a_form_token(cast: Cast) -> None:
    """SEC-03: the routes free of the token are those declared here, and each checks a signature."""
    app = cast.portal.app
    forms = app.extensions["csrf"]
    exempt = {
        endpoint
        for endpoint, view in app.view_functions.items()
        if f"{view.__module__}.{view.__name__}" in forms._exempt_views
        or (endpoint.rpartition(".")[0] in {each.name for each in forms._exempt_blueprints})
    }
    signed = {endpoint for endpoint in app.view_functions if gate_of(app, endpoint) is Gate.SIGNATURE}
    assert exempt - {"unsubscribe.ask"} == signed == SIGNED_BY_THEIR_SENDER  # the page before it only shows


@pytest.mark.parametrize("actor", [OWNER, STAFF, LEAD])
def test_a_form_without_this_sessions_token_changes_nothing(cast: Cast, actor: str) -> None:
    """SEC-03: without a token, with another session's, with garbage: 400, and every table is as it was."""
    visitor, before = cast[actor], cast.snapshot(without=MOVES)
    tokens = {"none": None, "another's": cast[OTHER].token(), "garbage": "IjEi.x.y", "empty": ""}
    wrong = []
    for endpoint, path in posts(cast).items():
        if endpoint in SIGNED_BY_THEIR_SENDER:
            continue
        row = TABLE[endpoint, "POST"]
        if row.gate != PUBLIC and actor not in MAY_PASS[row.gate]:
            continue
        for name, token in tokens.items():
            form = row.form | ({} if token is None else {"csrf_token": token})
            answer = visitor.send("POST", path, data=form)
            if answer.status_code != 400:
                wrong.append((endpoint, name, answer.status_code))
    assert wrong == []
    assert cast.snapshot(without=MOVES) == before
    assert visitor.get("/sign-in").status_code == 200
    assert "Sign out" in visitor.get("/").text


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_form_from_another_site_is_refused_even_with_the_token(cast: Cast, headers: dict[str, str]) -> None:
    """SEC-03: what the browser says about the sender is believed when it is bad news."""
    form = {"answer": "no", "form": "from-another-site"}
    for path in ("/choices/cancerlinq", "/sign-out", "/sign-in/riverside"):
        assert cast[OWNER].post(path, form, headers=headers).status_code == 403
    assert cast[OWNER].get("/record").status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "null"}, {"Origin": "own"}],
    ids=str,
)  # fmt: skip
def test_our_own_forms_pass(cast: Cast, headers: dict[str, str]) -> None:
    """SEC-03: our referrer policy makes browsers send `Origin: null`; that is no reason to refuse."""
    own = {name: cast.portal.url if value == "own" else value for name, value in headers.items()}
    answer = cast[OWNER].post("/choices/cancerlinq", {"answer": "no", "form": "matrix-form-key"}, headers=own)
    assert answer.status_code == 303


@pytest.mark.parametrize("actor", ACTORS)
def test_looking_changes_nothing(cast: Cast, actor: str) -> None:
    """SEC-03: after GET and HEAD of every page every table is as it was; the audit grew by readings only."""
    visitor = cast[actor]
    last = cast.portal.rows("SELECT coalesce(max(id), 0) AS id FROM audit_event")[0].id
    paths = [
        path_of(rule, TABLE[key], cast.owned)
        for key, rule in routes(cast).items()
        if key[1] == "GET" and key[0] not in BEGINS_A_LAUNCH
    ]
    asked = ["", "?lang=es&part=1&save=1&again=1&q=opt&next=/choices&before=5"]
    before = cast.snapshot(without=MOVES)
    _look(cast, actor, paths, asked)
    if cast.snapshot(without=MOVES) != before:
        pytest.fail(f"changed by looking: {_which(cast, actor, paths, asked)}")
    grown = cast.portal.rows("SELECT event, action, outcome, actor_kind FROM audit_event WHERE id > :id", id=last)
    lookers = {"patient", "proxy", "helper", "care-team", "staff", "lead"}
    assert {(row.action, row.actor_kind) for row in grown} <= {("R", kind) for kind in lookers}
    assert visitor.get("/").status_code == 200


def _look(cast: Cast, actor: str, paths: list[str], asked: list[str]) -> None:
    for path in paths:
        for query in asked:
            cast[actor].get(path + query)
        cast[actor].send("HEAD", path)


def _which(cast: Cast, actor: str, paths: list[str], asked: list[str]) -> list[tuple[str, set[str]]]:
    found = []
    for path in paths:
        before = cast.snapshot(without=MOVES)
        _look(cast, actor, [path], asked)
        after = cast.snapshot(without=MOVES)
        if after != before:
            found.append((path, {name for name in after if after[name] != before[name]}))
    return found
