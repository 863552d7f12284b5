"""May this person's data go to this effort now? The same standing that every page and store is told by (X-05, X-08)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consent.authorization import Texts, load_texts
from consent.decision import Answer, Decision
from consent.donors import LastTold
from consent.efforts import Effort
from consent.standing import ChoiceStanding, Why, standing
from consent.text_versions import may_send_new
from research.selection import Chosen

PUBLISHED: Texts = load_texts()


@dataclass(frozen=True)
class Permit:
    """A standing yes. `version` is the person's own decision that it rests on; it goes along with the data."""

    version: int
    chosen: Chosen

    @property
    def categories(self) -> list[str]:
        return sorted(each.value for each in self.chosen.categories)

    @property
    def salt(self) -> tuple[str, ...]:
        """Everything but the record that decides what a delivery holds."""
        return (str(self.version), *self.categories, "|", *sorted(each.value for each in self.chosen.sensitive))


@dataclass(frozen=True)
class NoPermit:
    """No, and since when it may be asked again: a yes that has not begun yet begins at `not_before`."""

    why: Why
    not_before: datetime | None = None


def permit_for(
    history: Sequence[Decision], person: UUID, effort: Effort, now: datetime, texts: Texts = PUBLISHED
) -> Permit | NoPermit:
    """The rule. `history`: all decisions of the person and of everyone linked to them.

    Everyone linked must allow it (deny wins), and the person's own yes must stand: its version is what their store
    knows them by. A yes on words that a major version has replaced stands, but nothing new is sent on it.
    """
    everyone = standing(history, now).donation(effort)
    own = standing([decision for decision in history if decision.person_id == person], now).donation(effort)
    for each in (everyone, own):
        if not each.permits or each.decision is None:
            return NoPermit(each.why, _begins(each))
    assert own.decision is not None
    if not may_send_new(own.decision, texts):
        return NoPermit(Why.ASK_AGAIN)
    categories = everyone.categories & own.categories & effort.offers
    if not categories:
        return NoPermit(Why.DECIDED)
    return Permit(own.decision.version, Chosen(categories, everyone.sensitive & own.sensitive, effort.holds))


def _begins(stands: ChoiceStanding) -> datetime | None:
    return stands.decision.starts_at if stands.why is Why.NOT_YET and stands.decision is not None else None


def version_to_send(permit: Permit, told: LastTold | None) -> int | None:
    """The version that a delivery carries: the highest of this person's that its store knows, so that it stands above
    everything told before and below whatever is told after (SUB-09). None: the last that the store was told is a no
    above the yes, and the feed has yet to tell it that the yes began again; a delivery would be refused.

    A first delivery goes under the yes itself, which the feed may tell before or after it.
    """
    if told is None:
        return permit.version
    if told.answer is Answer.NO and told.version >= permit.version:
        return None
    return max(permit.version, told.version)
