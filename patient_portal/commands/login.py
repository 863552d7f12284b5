"""Who types a command: the login that the system itself knows, and beside it the name they give (SEC-08)."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

import click

from patient_portal.settings import is_production


def login_of_process(environment: Mapping[str, str]) -> str:
    """The account of this process, or of who became root by sudo; never what a variable of their own says."""
    number = os.getuid()
    if number == 0 and environment.get("SUDO_UID", "").isdecimal():
        number = int(environment["SUDO_UID"])
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid-{number}"


def who_acts(login: str, name: str | None, *, production: bool) -> str:
    """The login, with the name in brackets; on a trial installation the name alone, so that one person can play all."""
    if not name or name == login:
        return login
    return f"{login} ({name})" if production else name


def _named(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str:
    production = is_production(os.environ.get("PORTAL_BASE_URL", ""))
    return who_acts(login_of_process(os.environ), name, production=production)


BY_LOGIN = click.option(
    "--by", "who", callback=_named, default=None, metavar="NAME",
    help="Your name, kept beside your login. The login counts: nobody decides alone under two names.",
)  # fmt: skip
