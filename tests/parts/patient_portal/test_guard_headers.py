"""The exact set of headers on what is really served (SEC-04)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.support.actors import ANONYMOUS, OWNER, Cast

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
}
PAGE = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Vary": "Cookie"}
# Not ours to fix a value for: they come with the answer's body or the server.
OF_THE_ANSWER = {"Content-Length", "Date", "Server", "Connection", "Last-Modified", "ETag"}


POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)


@pytest.mark.parametrize(
    ("actor", "path", "status", "more"),
    [
        (ANONYMOUS, "/", 200, PAGE),
        (ANONYMOUS, "/faq?lang=es", 200, PAGE),
        (ANONYMOUS, "/no/such/page", 404, PAGE),
        (ANONYMOUS, "/launch", 400, PAGE),
        (ANONYMOUS, "/callback/riverside?state=a", 400, PAGE),
        (OWNER, "/record", 200, PAGE),
        (OWNER, "/choices", 200, PAGE),
        (OWNER, "/care-team", 403, PAGE),
        (OWNER, "/record/entry/00000000-0000-4000-8000-000000000000", 404, PAGE),
        (ANONYMOUS, "/record", 303, PAGE | {"Location": "/sign-in?next=/record"}),
        (ANONYMOUS, "/healthz", 200, PAGE | {"Content-Type": "application/json"}),
    ],
)
def test_pages_errors_and_redirects(cast: Cast, actor: str, path: str, status: int, more: dict[str, str]) -> None:
    """SEC-04: these headers with these values, and no others."""
    answer = cast[actor].get(path)
    assert answer.status_code == status
    found = {name: value for name, value in answer.headers.items() if name not in OF_THE_ANSWER | {"Set-Cookie"}}
    assert found == ALWAYS | {"Content-Security-Policy": POLICY} | more


def test_a_form_may_lead_to_the_one_hospital_it_is_for(cast: Cast) -> None:
    """SEC-04: with two hospitals or with hundreds, only the page that leads to a hospital names it, and no other."""
    for name, running in cast.portal.hospitals.items():
        answer = cast[ANONYMOUS].get(f"/sign-in/{name}")
        assert answer.headers["Content-Security-Policy"] == f"{POLICY} {running.url}"
    assert len(cast.portal.hospitals) > 1
    shared = cast[OWNER].get("/connection").text.partition("/shared")[0].rpartition('"')[2]
    again = cast[OWNER].get(f"{shared}/shared").headers["Content-Security-Policy"]
    assert again in {f"{POLICY} {running.url}" for running in cast.portal.hospitals.values()}


def test_a_download_may_do_nothing(cast: Cast) -> None:
    """SEC-04, FHIR-14: a file of somebody's record is saved, never opened here, and kept nowhere."""
    saved = cast[OWNER].get(f"/record/entry/{cast.owned['entry']}/fhir?save=1")
    copied = cast[OWNER].post("/record/download", {})
    attached = cast[OWNER].get(f"/record/entry/{cast.owned['entry']}/file/0")
    for answer in (saved, copied, attached):
        assert answer.status_code == 200
        found = {name: value for name, value in answer.headers.items() if name not in OF_THE_ANSWER}
        assert found.pop("Content-Disposition").startswith("attachment; filename=")
        assert found.pop("Content-Type")  # the hospital's word for it, which the sandbox makes harmless
        expected = {
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "no-store",
            "Vary": "Cookie",
        }
        assert found == ALWAYS | expected


@pytest.mark.parametrize("name", ["portal.css", "uswds.css", "progress.js", "mark.svg"])
def test_our_own_files(cast: Cast, name: str) -> None:
    """SEC-04: files are not sniffed either, may be kept for ever by their hash, and set no cookie."""
    answer = cast.newcomer().get(f"/static/{name}?v=1")
    assert answer.status_code == 200
    found = {key: value for key, value in answer.headers.items() if key not in OF_THE_ANSWER}
    assert found.pop("Content-Type").split(";")[0] in {"text/css", "text/javascript", "image/svg+xml"}
    policy_of_files = "default-src 'none'; frame-ancestors 'none'"
    expected = {"Content-Security-Policy": policy_of_files, "Cache-Control": "max-age=31536000, public"}
    found.pop("Vary", None)
    assert found == ALWAYS | expected


def test_a_file_that_is_not_there(cast: Cast) -> None:
    """SEC-04: and paths out of the folder are not there."""
    for path in (
        "/static/nope.css",
        "/static/../settings.py",
        "/static/%2e%2e/settings.py",
        "/static/..%2fsettings.py",
    ):
        answer = cast[ANONYMOUS].get(path)
        assert answer.status_code == 404
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_pages_load_nothing_from_elsewhere(cast: Cast) -> None:
    """SEC-04 (V14.2.3): no script, style, font or picture of another host, nothing inline."""
    for path in ("/", "/faq", "/sign-in", "/record", "/choices", "/choices/efforts/living-well", "/notifications"):
        page = cast[OWNER].get(path).text
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick=" not in page
        for piece in page.split("<")[1:]:
            if piece.startswith(("script", "link", "img", "iframe", "video", "source")):
                address = piece.split('href="')[-1] if "href=" in piece else piece.split('src="')[-1]
                assert not urlsplit(address.split('"')[0]).netloc, piece


def test_the_keys_may_be_kept_for_ten_minutes(cast: Cast) -> None:
    """SMART-43: public keys are public."""
    assert cast.newcomer().get("/.well-known/jwks.json").headers["Cache-Control"] == "public, max-age=600"
