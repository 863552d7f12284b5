"""Every route, every verb, every actor: who gets what, against a table written by hand (threats.md abuse case 7)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from tests.support.actors import ACTORS, ANONYMOUS, HELPER, OTHER, OWNER, STAFF, UNKNOWN, Cast
from tests.support.route_table import CARE_TEAM, PUBLIC, READS, TABLE, ask, expected, path_of, routes

NEVER = ("PUT", "DELETE")


def same(first: TestResponse, second: TestResponse, ids: list[str]) -> bool:
    """Identical but for what differs between any two answers: form tokens, cookies, dates, the id asked for."""
    return seen(first, ids) == seen(second, ids)


def seen(response: TestResponse, ids: list[str]) -> tuple[int, list[tuple[str, str]], str]:
    headers = [(name, value) for name, value in response.headers.items() if name not in {"Set-Cookie", "Date"}]
    text = re.sub(r'(name="csrf_token" value=")[^"]+', r"\1", response.get_data(as_text=True))
    text = re.sub(r'<bdi class="number">[0-9a-f]{12}<', "<", text)  # each refusal has its own number to quote
    shown = [(name, _without(value, ids)) for name, value in sorted(headers)]
    return response.status_code, shown, _without(text, ids)


def _without(text: str, ids: list[str]) -> str:
    for each in ids:
        text = text.replace(each, "ID")
    return text


def test_the_table_and_the_route_map_name_the_same_routes(cast: Cast) -> None:
    """SEC-08: a route without a row fails, and so does a row without a route."""
    found = set(routes(cast))
    assert found - set(TABLE) == set(), "routes without a row in this table"
    assert set(TABLE) - found == set(), "rows without a route"


def test_every_actor_gets_what_the_table_says(cast: Cast) -> None:
    """SEC-08, SEC-03: GET, HEAD, POST and OPTIONS of every route as every actor; nothing ends in a 5xx."""
    wrong, cells = [], 0
    for key, rule in routes(cast).items():
        row = TABLE[key]
        path = path_of(rule, row, cast.owned)
        for actor in ACTORS:
            visitor, status = cast[actor], expected(row, actor)
            if row.ends and status == row.answers and actor != ANONYMOUS:
                continue
            # HEAD runs the same view as GET, so of those who may pass it is asked of one; all others try both.
            twice = key[1] == "GET" and (actor in (OWNER, STAFF) or status != row.answers)
            verbs = ("GET", "HEAD") if twice else (key[1],)
            answers = {verb: ask(visitor, verb, path, row) for verb in verbs}
            if key[0] != "static":  # files are served before the application is asked, by GET and HEAD only
                answers["OPTIONS"] = visitor.send("OPTIONS", path)
            for verb, answer in answers.items():
                cells += 1
                wanted = status if verb != "OPTIONS" else (200 if status not in {303, 403} else None)
                if wanted is not None and answer.status_code != wanted:
                    wrong.append((actor, verb, path, answer.status_code, wanted))
                if status == 303 and row.gate != PUBLIC and actor == ANONYMOUS:
                    wrong += _sent_to_sign_in(answer, verb, path)
    assert wrong == [], "\n".join(map(str, wrong))
    assert cells >= 3 * len(TABLE)


def _sent_to_sign_in(answer: TestResponse, verb: str, path: str) -> list[tuple[Any, ...]]:
    after = f"?next={quote(path, safe='/')}" if verb in {"GET", "HEAD"} else ""
    door = next((f"{part}/sign-in" for part in ("/staff", "/care-team") if path.startswith(part)), "/sign-in")
    return [] if answer.headers["Location"] == f"{door}{after}" else [(verb, path, answer.headers["Location"])]


def test_no_route_has_a_verb_that_nobody_declared(cast: Cast) -> None:
    """SEC-08: other verbs are 405 with Allow for everyone, whoever owns what."""
    wrong = []
    for key, rule in routes(cast).items():
        if key[0] == "static":
            continue
        path = path_of(rule, TABLE[key], cast.owned)
        for verb in NEVER:
            for actor in (ANONYMOUS, OWNER, STAFF):  # the answer comes before anybody asks who it is
                answer = cast[actor].send(verb, path)
                if answer.status_code != 405 or "Allow" not in answer.headers:
                    wrong.append((actor, verb, path, answer.status_code))
    assert wrong == []


def test_what_is_anothers_looks_like_what_is_nobodys(cast: Cast) -> None:
    """SEC-08: body and headers of a 404 are byte for byte those of an id that does not exist, by every verb."""
    different = []
    tried = 0
    for key, rule in routes(cast).items():
        row = TABLE[key]
        if not row.ids:
            continue
        nobodys = {name: str(uuid4()) for name in cast.owned}
        for actor in ACTORS:
            if actor == OWNER or (actor, row.gate) in {(STAFF, CARE_TEAM), (HELPER, READS)}:
                continue
            for verb in ("GET", "HEAD") if key[1] == "GET" else ("POST",):
                paths = [path_of(rule, row, ids) for ids in (cast.owned, nobodys)]
                cast[actor].get("/")  # shows, and so forgets, what earlier pages had to say
                theirs, none = (ask(cast[actor], verb, path, row) for path in paths)
                tried += 1
                if not same(theirs, none, [*cast.owned.values(), *nobodys.values()]):
                    different.append((actor, verb, paths[0], theirs.status_code, none.status_code))
    assert different == []
    assert tried >= 3


def test_one_kind_of_page_says_one_thing_about_every_id(cast: Cast) -> None:
    """SEC-08: an unknown id, another's id, an id of another kind of thing and no id at all give one 404."""
    for page, own in (("/record/entry/{}", "decision_id"), ("/choices/decision/{}/receipt", "entry")):
        ids = (UNKNOWN, UNKNOWN.replace("4", "7"), cast.owned[own], cast.owned["connection_id"])
        for actor in (OWNER, OTHER):
            cast[actor].get("/")  # shows, and so forgets, what earlier pages had to say
            answers = [cast[actor].get(page.format(each)) for each in ids]
            assert {answer.status_code for answer in answers} == {404}
            assert len({str(seen(answer, list(ids))) for answer in answers}) == 1


def test_reaching_for_anothers_record_is_logged(cast: Cast) -> None:
    """SEC-08: the try leaves a line with endpoint and kind of actor, and no id of the record."""
    with capture_logs() as lines:
        cast[OTHER].get(f"/record/entry/{cast.owned['entry']}")
    found = [line for line in lines if line.get("endpoint") == "record.entry"]
    assert [(line["status"], line["actor"]) for line in found] == [(404, "patient")]
    assert cast.owned["entry"] not in str(lines)


@pytest.mark.parametrize("everywhere", ["", "yes"])
def test_signing_out_and_disconnecting_reach_only_ones_own(cast: Cast, everywhere: str) -> None:
    """SEC-08: what ends something ends it for the one who asked; everybody else stays signed in and connected."""
    visitor = cast.another_patient()
    connection = cast.portal.rows("SELECT id FROM connection WHERE person_id = :p", p=visitor.person)[0].id
    assert visitor.post(f"/connection/{cast.owned['connection_id']}/end", {}).status_code == 404
    assert visitor.post(f"/connection/{connection}/end", {}).status_code == 303
    assert visitor.post("/sign-out", {"everywhere": everywhere}).status_code == 303
    assert visitor.get("/record").status_code == 303
    assert cast[OWNER].get("/record").status_code == 200
    assert cast[STAFF].get("/care-team").status_code == 200
    state = cast.portal.rows("SELECT state FROM connection WHERE id = :c", c=cast.owned["connection_id"])
    assert [row.state for row in state] == ["active"]
