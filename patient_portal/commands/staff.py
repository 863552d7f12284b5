"""`portal staff`: who works here, a code for a first passkey, and who may not come in any more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import click
from sqlalchemy import update
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from database.context import Context, as_staff
from patient_portal.commands.stores import BY
from patient_portal.settings import read_settings
from patient_portal.signing_in.web_session import end_all_of_account
from patient_portal.staff.members import colleagues, join_logins, part_logins
from patient_portal.staff.passkeys import CODE_LIFE, forget_passkeys
from patient_portal.staff.passkeys import invite as make_code
from patient_portal.staff.tables import StaffMember
from patient_portal.staff.work import give_back_all
from patient_portal.wiring import Wiring, now, wire
from vocabulary.errors import NotFound


@click.group()
def staff() -> None:
    """CancerLinQ's own staff. They sign in at an [[identity]] of providers.toml, which also says who has which role."""


@contextmanager
def opened() -> Iterator[Wiring]:
    settings = read_settings(os.environ)
    wiring = wire(settings, settings.database_url_worker, application_name="portal-staff", pool_size=2)
    try:
        yield wiring
    finally:
        wiring.http.close()
        wiring.database.close()


@staff.command()
@click.argument("identity", metavar="IDENTITY")
@BY
def invite(identity: str, who: str) -> None:
    """Print a one-time code with which somebody who signs in at IDENTITY makes their first passkey.

    It is needed only where the identity provider shows no second factor. Give it to them in person or by phone.
    """
    with opened() as wiring:
        try:
            found = wiring.identity(identity)
        except NotFound:
            known = ", ".join(each.id for each in wiring.settings.identities) or "none"
            raise click.ClickException(f"No [[identity]] has this id. Known: {known}") from None
        moment = now()
        with wiring.database.begin(Context()) as session:
            code = make_code(session, wiring.keyring, found.id, who, moment)
            write_audit(session, moment, Audited(None, "staff.member", "C", "operator", actor_reference=who,
                                                 detail={"what": "invited"}))  # fmt: skip
    click.echo(code)
    click.echo(f"It works once, until {moment + CODE_LIFE:%Y-%m-%d %H:%M} UTC.", err=True)


@staff.command("list")
def list_staff() -> None:
    """Everybody who signed in and may sign in still: account, role, where, when last; who has several sign-ins."""
    first: dict[UUID, UUID] = {}
    with opened() as wiring, wiring.database.begin(Context(practices=("*",), staff=True)) as session:
        for each in colleagues(session):
            last, same = f"{each.signed_in_at:%Y-%m-%d %H:%M}Z", first.setdefault(each.human, each.account_id)
            also = "" if same == each.account_id else f"  (the same person as {same})"
            click.echo(f"{each.account_id}  {each.role:5}  {each.identity_id:12}  {last}  {each.name}{also}")


@staff.command()
@click.argument("account", type=click.UUID)
@BY
def end(account: UUID, who: str) -> None:
    """Sign ACCOUNT out everywhere, and let them in no more; their cases go back to the queue."""
    with _changed(account, who, "ended") as session:
        session.execute(update(StaffMember).where(StaffMember.account_id == account).values(ended_at=now()))
        many = end_all_of_account(session, account, now())
        cases = give_back_all(session, account, now())
    click.echo(f"Signed out of {many} sessions, {cases} cases given back.")
    click.echo("Take their group away at the identity provider too.")


@staff.command()
@click.argument("account", type=click.UUID)
@BY
def back(account: UUID, who: str) -> None:
    """Let ACCOUNT in again."""
    with _changed(account, who, "let-in-again") as session:
        session.execute(update(StaffMember).where(StaffMember.account_id == account).values(ended_at=None))
    click.echo("They may sign in again.")


@staff.command()
@click.argument("account", type=click.UUID)
@click.argument("other", type=click.UUID)
@BY
def same(account: UUID, other: UUID, who: str) -> None:
    """ACCOUNT and OTHER are one person with two sign-ins: what takes two is not done by both of them.

    Nobody has to say so where the identity provider does (`person_claim`).
    """
    with _changed(account, who, "one-of-two", other) as session:
        join_logins(session, account, other)
    click.echo("They count as one person now.")


@staff.command()
@click.argument("account", type=click.UUID)
@BY
def apart(account: UUID, who: str) -> None:
    """ACCOUNT is a person of its own after all, until its identity provider says otherwise at a sign-in."""
    with _changed(account, who, "apart") as session:
        part_logins(session, account)
    click.echo("This account counts as a person of its own now.")


@staff.command("lost-key")
@click.argument("account", type=click.UUID)
@BY
def lost_key(account: UUID, who: str) -> None:
    """Forget the passkeys of ACCOUNT and sign them out; the next sign-in asks for a new code."""
    with _changed(account, who, "passkeys-forgotten") as session:
        forget_passkeys(session, account)
        end_all_of_account(session, account, now())
    click.echo("Forgotten. Make a new code: portal staff invite")


@contextmanager
def _changed(account: UUID, who: str, what: str, *others: UUID) -> Iterator[Session]:
    with opened() as wiring, wiring.database.begin(as_staff(("*",), account)) as session:
        for each in (account, *others):
            if session.get(StaffMember, each) is None:
                raise click.ClickException(f"Nobody has the account {each}. See: portal staff list")
        yield session
        for each in (account, *others):
            write_audit(session, now(), Audited(None, "staff.member", "U", "operator", actor_account=each,
                                                actor_reference=who, detail={"what": what}))  # fmt: skip
