"""What every template may use: language, brand, help line, who is signed in, and how a phrase is said."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from babel.support import NullTranslations
from flask import Flask, Response, g, request, session, url_for
from flask_babel import get_translations
from markupsafe import Markup, escape

from patient_portal.edge.app_files import file_version
from patient_portal.edge.languages import choose, direction_of, offered
from patient_portal.edge.times import add_times
from patient_portal.gates import current_actor
from patient_portal.wiring import wiring
from vocabulary.phrase import Phrase

LANGUAGE_COOKIE = "language"
STATIC = Path(__file__).resolve().parent.parent / "static"


def language_code() -> str:
    """This request's language: `?lang=`, else what the session or the cookie keeps, else what the browser asks for."""
    if "language" not in g:
        asked = request.args.get("lang")
        kept = session.get("language") or request.cookies.get(LANGUAGE_COOKIE)
        accept = request.headers.get("Accept-Language")
        g.language = choose(offered(wiring().settings.languages), asked=asked, kept=kept, accept=accept).code
    return str(g.language)


def _catalog() -> NullTranslations:
    """The words of this request's language, looked for once: a page asks for a hundred, and looking for the catalog
    took longer than finding the word. It is kept where flask_babel's `force_locale` and `refresh` forget it."""
    found: NullTranslations | None = getattr(g.get("_flask_babel"), "babel_translations", None)
    if found is None:
        found = get_translations()
        g._flask_babel.babel_translations = found
    return found


def say(value: object) -> Markup:
    """A phrase in the reader's language; anything else as it is. Always escaped."""
    if isinstance(value, Phrase):
        translated = str(_catalog().ugettext(value.msgid))
        return escape(translated % dict(value.values) if value.values else translated)
    return escape("" if value is None else value)


def _said(words: str, /, **values: object) -> Markup:
    """`_()` of templates, all of which are HTML: as Jinja's own, without the three calls that it makes of one."""
    told = Markup(_catalog().ugettext(words))  # noqa: S704 - our own words, as Jinja takes them
    return told % values if "%" in told else told


def _said_of(one: str, many: str, number: int, /, **values: object) -> Markup:
    """`ngettext()` of templates."""
    told = Markup(_catalog().ungettext(one, many, number))  # noqa: S704 - the same
    return told % ({"num": number} | values)


def counted(number: int) -> str:
    """A count as people in the US write it, in each of our languages (CLDR es_US: 1,206): results of tests stand beside
    it with a point before their decimals, where the Spanish of Spain would write 1.206 for a thousand."""
    return f"{number:,}"


def _addresses() -> Callable[..., str]:
    """`url_for()` of templates: a page names some forty addresses, and those without values are always the same."""
    known: dict[str, str] = {}

    def address(endpoint: str, **values: Any) -> str:
        if values or request.script_root:
            return url_for(endpoint, **values)
        found = known.get(endpoint)
        if found is None:
            found = known[endpoint] = url_for(endpoint)
        return found

    return address


@cache
def static_url(name: str) -> str:
    """A file of ours with its hash in the address, so that it can be kept for ever."""
    return f"/static/{name}?v={file_version(STATIC / name)}"


def add_context(app: Flask) -> None:
    """Install filters and variables."""
    app.add_template_filter(say)
    app.add_template_filter(counted, "numberformat")
    add_times(app)
    app.jinja_env.globals.update(_=_said, gettext=_said, ngettext=_said_of, url_for=_addresses())
    app.context_processor(_variables)
    app.after_request(_keep_language)


def _variables() -> dict[str, Any]:
    settings = wiring().settings
    code = language_code()
    return {
        "languages": offered(settings.languages),
        "language": code,
        "direction": direction_of(code),
        "brand": settings.brand,
        "help_phone": settings.help_phone,
        "operator_role": settings.operator_role,
        "sandbox": settings.sandbox,
        "actor": current_actor(),
        "actor_name": session.get("name"),
        "static_url": static_url,
        "sign_out_url": url_for("sign_in.sign_out"),
    }


def _keep_language(response: Response) -> Response:
    """A language that was asked for by its link is kept by this browser for a year."""
    asked = request.args.get("lang")
    if asked and asked == g.get("language"):
        response.set_cookie(
            LANGUAGE_COOKIE, asked, max_age=31_536_000, path="/", secure=wiring().settings.production, httponly=True,
            samesite="Lax",
        )  # fmt: skip
    return response
