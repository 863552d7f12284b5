"""The logins and roles of the database (decisions, Database roles and row security).

Three logins: web, worker, maintenance. Four group roles carry the rights; migrations grant to them, so that an
installation may call its logins what it likes. `portal_maintenance` owns everything and bypasses row security,
because under FORCE an owner's data migration would silently change 0 rows and `pg_dump` would fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sqlalchemy import Connection, text

GROUPS = ("portal_web", "portal_worker", "portal_propagation", "portal_release")


@dataclass(frozen=True)
class Login:
    """A login and what it is for; `password` is only known where this program makes the login itself."""

    name: str
    purpose: str
    password: str | None = None


def login_of(url: str, purpose: str) -> Login:
    """The login named in a database URL."""
    return Login(unquote(urlsplit(url).username or ""), purpose)


def statements(logins: list[Login], database: str) -> list[str]:
    """The SQL that a superuser runs once; running it again changes nothing."""
    made = [_create_if_absent(group, "NOLOGIN") for group in GROUPS]
    for login in logins:
        rights = "LOGIN BYPASSRLS CREATEROLE" if login.purpose == "maintenance" else "LOGIN NOBYPASSRLS"
        secret = f" PASSWORD {_literal(login.password)}" if login.password else ""
        made.append(_create_if_absent(login.name, rights + secret))
        if login.purpose == "web":
            made.append(f"GRANT portal_web TO {_name(login.name)}")
        if login.purpose == "worker":
            made += [f"GRANT {group} TO {_name(login.name)}" for group in GROUPS[1:]]
            # It inherits nothing and begins as portal_worker: who reads across persons is named in each transaction.
            made.append(f"ALTER ROLE {_name(login.name)} NOINHERIT")
            made.append(f"ALTER ROLE {_name(login.name)} SET role = portal_worker")
        if login.purpose == "maintenance":
            made.append(f"GRANT CREATE, TEMPORARY ON DATABASE {_name(database)} TO {_name(login.name)}")
            made.append(f"GRANT ALL ON SCHEMA public TO {_name(login.name)}")
    made.append(f"REVOKE TEMPORARY ON DATABASE {_name(database)} FROM PUBLIC")
    made.append(f"GRANT TEMPORARY ON DATABASE {_name(database)} TO portal_worker")
    return made


def missing(connection: Connection, logins: list[Login]) -> list[str]:
    """Which of the roles and logins are not there, or lack their right, as short sentences."""
    roles = connection.execute(
        text("SELECT rolname, rolbypassrls OR rolsuper, rolinherit, rolconfig FROM pg_roles")
    ).all()
    found = {name: bypass for name, bypass, _, _ in roles}
    narrow = {
        name for name, _, inherits, begins_as in roles if not inherits and "role=portal_worker" in (begins_as or ())
    }
    lacking = [f"role {name} does not exist" for name in GROUPS if name not in found]
    for login in logins:
        if login.name not in found:
            lacking.append(f"login {login.name} ({login.purpose}) does not exist")
        elif login.purpose == "maintenance" and not found[login.name]:
            lacking.append(f"login {login.name} (maintenance) has no BYPASSRLS")
        elif login.purpose != "maintenance" and found[login.name]:
            lacking.append(f"login {login.name} ({login.purpose}) bypasses row security and must not")
        elif login.purpose == "worker" and login.name not in narrow:
            lacking.append(
                f"login {login.name} (worker) inherits the rights of its roles, and must begin as portal_worker"
            )
    return lacking


def _create_if_absent(name: str, rights: str) -> str:
    return (
        f"DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {_literal(name)}) "
        f"THEN CREATE ROLE {_name(name)} {rights}; END IF; END $do$"
    )


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
