"""What joining two records would end: said before the person confirms, by the rules that join them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from consent.coverage import StoreEffect, effects
from consent.joining import ends_by_joining, made_by_joining
from consent.person_identity import linked_persons
from consent.standing import Standing, standing
from database.context import as_persons
from patient_portal.choices.choosing import Choices, read_choices
from patient_portal.wiring import Wiring, now
from vocabulary.actor import Actor


@dataclass(frozen=True)
class Ending:
    """`here`: what ends in the records that the person is signed in for, because of the other one; `there`: what ends
    in the other one, because of these."""

    here: tuple[StoreEffect, ...]
    there: tuple[StoreEffect, ...]

    @property
    def mark(self) -> str:
        """Which stores these are; sent along with the yes, so that it is a yes to what was shown. Empty for none."""
        sides = (("here", self.here), ("there", self.there))
        return " ".join(f"{side}:{row.store_id}:{row.change.value}" for side, rows in sides for row in rows)


def would_end(wiring: Wiring, actor: Actor, other: UUID) -> Ending:
    """What would end if the actor's records and `other`'s, to which they have just signed in, were joined now."""
    here, there = actor.persons, linked_persons(wiring.database, other)
    everyone = tuple(sorted({*here, *there}))
    with wiring.database.begin(as_persons(*everyone, account=actor.account_id)) as session:
        sides = [read_choices(session, wiring, persons) for persons in (here, there)]
    at = now()
    history = [decision for side in sides for decision in side.decisions]
    limits = tuple(dict.fromkeys(limit for side in sides for limit in side.limits))
    after = standing([*history, *made_by_joining(history, limits, everyone, at)], at)
    return Ending(_ends(sides[0], after), _ends(sides[1], after))


def _ends(side: Choices, after: Standing) -> tuple[StoreEffect, ...]:
    rows = effects(side.standing, after, side.stores, side.concerned, side.efforts, side.participates)
    return ends_by_joining(rows)
