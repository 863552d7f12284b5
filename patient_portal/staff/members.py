"""A verified identity becomes a member of staff: who they are, in which role, and whose tasks they see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from database.context import as_staff, knowing, widen
from fhir_bridge import connections
from fhir_bridge.identity_providers import IdentityProvider
from fhir_bridge.smart.identity import Identity
from patient_portal.staff.tables import StaffMember
from patient_portal.wiring import Wiring
from vocabulary.errors import Refused

NAME_MAX = 80


@dataclass(frozen=True)
class Member:
    """A member of staff who signed in; `role` is `staff` or `lead`, `practices` as in StaffMember."""

    account: UUID
    name: str
    role: str
    identity_id: str
    practices: tuple[str, ...]

    def as_session(self) -> dict[str, object]:
        """What the sealed session keeps of somebody who is wholly signed in."""
        return {"kind": self.role, "account": str(self.account), "practices": list(self.practices), "name": self.name}

    def as_waiting(self) -> dict[str, object]:
        """What it keeps of somebody whose second factor is still to come: no `kind`, so nobody is signed in."""
        return self.as_session() | {"identity": self.identity_id}

    @classmethod
    def from_waiting(cls, kept: dict[str, object]) -> Member:
        practices = kept["practices"]
        assert isinstance(practices, list)
        return cls(
            UUID(str(kept["account"])), str(kept["name"]), str(kept["kind"]), str(kept["identity"]), tuple(practices)
        )


def come_in(wiring: Wiring, provider: IdentityProvider, identity: Identity, now: datetime) -> Member:
    """The member of staff, kept anew at each sign-in: the identity provider says their name and role.

    Refused without a role there, and for those who may not come in any more. Who signed in before in another way, by
    what the provider says of the human being, is that one for all that takes two.
    """
    role = provider.role_of(identity.claims)
    if role is None:
        raise Refused("no-role")
    index = connections.subject_index(wiring.keyring, identity.issuer, identity.subject)
    with wiring.database.begin(knowing(index)) as session:
        account = connections.account_of(session, wiring.keyring, identity, "staff", now)
        widen(session, as_staff(provider.practices, account))
        row = {
            "identity_id": provider.id, "name": _name(identity), "role": role,
            "practices": list(provider.practices), "signed_in_at": now,
            "human_index": _human_index(wiring, provider.human_of(identity.claims)),
        }  # fmt: skip
        statement = insert(StaffMember).values(row | {"account_id": account, "ended_at": None, "human": account})
        kept = session.scalar(
            statement.on_conflict_do_update(index_elements=["account_id"], set_=row).returning(StaffMember)
        )
        assert kept is not None
        if kept.ended_at is not None:
            raise Refused("staff-ended")
        if kept.human_index is not None:
            same = select(StaffMember.account_id).where(StaffMember.human_index == kept.human_index)
            for other in session.scalars(same.where(StaffMember.account_id != account)).all():
                join_logins(session, other, account)
    return Member(account, kept.name, kept.role, provider.id, provider.practices)


def note_sign_in(wiring: Wiring, member: Member, factor: str, now: datetime) -> None:
    """The audit line of a whole sign-in: where, and by which second factor (`token` or `passkey`).

    Refused for one who was told to go while their second factor was still to come.
    """
    with wiring.database.begin(as_staff(member.practices, member.account)) as session:
        kept = session.get(StaffMember, member.account)
        if kept is None or kept.ended_at is not None:
            raise Refused("staff-ended")
        detail = {"provider": member.identity_id, "factor": factor}
        write_audit(session, now, Audited(None, "sign-in", "E", member.role, member.account, detail=detail))


def colleagues(session: Session) -> list[StaffMember]:
    """Everybody who may work here now, by name; in a staff context."""
    rows = select(StaffMember).where(StaffMember.ended_at.is_(None)).order_by(StaffMember.name, StaffMember.account_id)
    return list(session.scalars(rows))


def logins_of(session: Session, account: UUID) -> frozenset[UUID]:
    """All accounts with which the human being of this one signs in, themselves among them; in a staff context."""
    own = select(StaffMember.human).where(StaffMember.account_id == account).scalar_subquery()
    index = select(StaffMember.human_index).where(StaffMember.account_id == account).scalar_subquery()
    same = or_(StaffMember.human == own, StaffMember.human_index == index)
    return frozenset(session.scalars(select(StaffMember.account_id).where(same))) | {account}


def join_logins(session: Session, one: UUID, other: UUID) -> None:
    """Two accounts are one human being's, and all that were each one's before; in a staff context."""
    human = session.scalar(select(StaffMember.human).where(StaffMember.account_id == one))
    theirs = select(StaffMember.human).where(StaffMember.account_id == other).scalar_subquery()
    session.execute(update(StaffMember).where(StaffMember.human == theirs).values(human=human))


def part_logins(session: Session, account: UUID) -> None:
    """This account is a human being of its own again, until its provider says otherwise at a sign-in."""
    alone = update(StaffMember).where(StaffMember.account_id == account)
    session.execute(alone.values(human=uuid4(), human_index=None))


def names_of(session: Session, accounts: Iterable[UUID | None]) -> dict[UUID, str]:
    """What colleagues are called, those who left as well; in a staff context."""
    wanted = {each for each in accounts if each is not None}
    rows = session.execute(
        select(StaffMember.account_id, StaffMember.name).where(StaffMember.account_id.in_(wanted))
    ).all()
    return {account: name for account, name in rows}


def _human_index(wiring: Wiring, value: str | None) -> bytes | None:
    return wiring.keyring.blind_index("staff-human", value) if value else None


def _name(identity: Identity) -> str:
    for value in (identity.name, identity.claims.get("preferred_username"), identity.claims.get("email")):
        if isinstance(value, str):
            plain = "".join(each for each in value if each.isprintable()).strip()
            if plain:
                return plain[:NAME_MAX]
    return identity.subject[:NAME_MAX]
