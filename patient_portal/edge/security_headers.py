"""Response headers on every answer (SEC-04), one place, checked as an exact set by a test."""

from __future__ import annotations

from collections.abc import Callable
from wsgiref.headers import Headers

from flask import Flask, Response, g, request

from fhir_bridge.providers import Provider
from patient_portal.gates import current_actor
from vocabulary.actor import ActorKind

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors {ancestors}; form-action {form_action}"
)
FILE_CSP = "default-src 'none'; frame-ancestors 'none'"
YEAR = 31_536_000
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
}
ONLY_HTTPS = {"Strict-Transport-Security": f"max-age={YEAR}; includeSubDomains"}


def forms_go_to(provider: Provider) -> None:
    """This answer has a form that leads to `provider`: its origins, and no other hospital's, join `form-action`.

    Browsers apply `form-action` to redirects that follow a form's submission, so the hospital has to be named; and
    with hundreds of hospitals only where a form leads there, or the header would outgrow what servers take.
    """
    g.form_targets = tuple(dict.fromkeys(str(each.origin) for each in provider.destinations()))


def add_headers(app: Flask, *, https: bool) -> None:
    """Install the hook."""

    @app.after_request
    def harden(response: Response) -> Response:
        headers = response.headers
        ancestors = " ".join(g.get("frame_ancestors", ())) or "'none'"
        form_action = " ".join(("'self'", *g.get("form_targets", ())))
        headers.setdefault("Content-Security-Policy", CSP.format(ancestors=ancestors, form_action=form_action))
        for name, value in _wanted(https).items():
            headers[name] = value
        if request.endpoint != "static" and (current_actor().kind is not ActorKind.ANONYMOUS or _private(response)):
            headers["Cache-Control"] = "no-store"
        return response


def on_files(*, https: bool) -> Callable[[Headers, str, str], None]:
    """What the server of our own files adds: the application, and with it the hook, is never asked for them."""

    def harden(headers: Headers, _path: str, _url: str) -> None:
        for name, value in (_wanted(https) | {"Content-Security-Policy": FILE_CSP}).items():
            headers[name] = value

    return harden


def _wanted(https: bool) -> dict[str, str]:
    return ALWAYS | ONLY_HTTPS if https else ALWAYS


def _private(response: Response) -> bool:
    return "Set-Cookie" in response.headers or "Cache-Control" not in response.headers
