"""Who acts, and for whom: resolved once at the door and carried everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    """The standing of the one who acts (requirements SMART-62, SEC-08)."""

    ANONYMOUS = "anonymous"
    PATIENT = "patient"
    PROXY = "proxy"
    HELPER = "helper"
    CARE_TEAM = "care-team"
    STAFF = "staff"
    LEAD = "lead"
    SYSTEM = "system"


@dataclass(frozen=True)
class Actor:
    """One request's actor.

    `persons` are the people whose rows this actor may reach (the person and those linked by the person); `person`
    is the one whose record is open. A care-team actor has exactly the person in whose chart the launch happened.
    Staff have no person: `practices` are those whose tasks they see, `*` for all.
    """

    kind: ActorKind
    account_id: UUID | None = None
    person: UUID | None = None
    persons: tuple[UUID, ...] = ()
    connection_id: UUID | None = None
    provider_id: str | None = None
    practices: tuple[str, ...] = ()

    @property
    def signed_in(self) -> bool:
        return self.kind is not ActorKind.ANONYMOUS


ANONYMOUS = Actor(ActorKind.ANONYMOUS)
