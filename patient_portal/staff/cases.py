"""What a task of staff is called, how it may end, and what its page may show to whom. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vocabulary.phrase import Phrase, phrase

KINDS: Mapping[str, Phrase] = {
    "opt-out-overdue": phrase("A store has not confirmed an opt-out in time"),
    "store-not_found": phrase("A store does not find a person"),
    "store-ambiguous": phrase("A store finds more than one person"),
    "store-parked": phrase("A store will not take a choice"),
    "store-refused": phrase("A store refused a choice"),
    "store-drift": phrase("A store does not hold what was chosen"),
    "clinic-not-linked": phrase("A person named a clinic that is not connected"),
    "alias-of-another-person": phrase("Two people have one record number"),
    "tell-the-person": phrase("Tell a person what their care team recorded"),
    "death-reported": phrase("A family member reported a death"),
    "death-disputed": phrase("Somebody signed in whose death was confirmed"),
    "authority-review": phrase("Somebody says that they act for a person"),
}
UNKNOWN_KIND = phrase("Something for a person to settle")
# Why two ledgers differ, for a task of reconciliation: to settle most of them would be to share more.
WHY: Mapping[str, Phrase] = {
    "keeps-out": phrase("It keeps out a person who said yes. To put this right means to share more."),
    "older-answer": phrase("It goes by an older choice of the person."),
    "never-told": phrase("It names a choice that we never sent."),
    "kept-out-unasked": phrase("It keeps out people whom we never named."),
}
WHAT_TO_DO: Mapping[str, Phrase] = {
    "opt-out-overdue": phrase(
        "Call the store’s contact and ask when it will confirm. Our sender tries again by itself."
    ),
    "store-not_found": phrase("Ask the clinic which record number the store knows. Then ask the store to look again."),
    "store-ambiguous": phrase("Ask the store which of its records belong to this record number."),
    "store-parked": phrase("Ask the store why it does not take this one. It is tried again by itself."),
    "store-refused": phrase("Ask the store why it refused. A refusal does not change what the person chose."),
    "store-drift": phrase("Ask the store to correct its copy. Nothing is shared more until somebody has looked."),
    "clinic-not-linked": phrase("Find out if this clinic takes part, and send it the person’s choice on paper."),
    "alias-of-another-person": phrase("Ask the clinic whose number it is. Link nobody yourself: only the person can."),
    "tell-the-person": phrase("Send the letter to the person, or call them."),
    "death-disputed": phrase("Call the person at the number the clinic has, and the clinic. Put it right at once."),
    "authority-review": phrase("Ask to see the paper. It must name both people and come from a court or an office."),
    "death-reported": phrase("Ask the clinic to confirm. Messages are paused. A death is not an opt-out."),
}
OUTCOMES: Mapping[str, Phrase] = {
    "settled-at-store": phrase("The store put it right"),
    "settled-at-clinic": phrase("The clinic put it right"),
    "person-told": phrase("The person was told"),
    "nothing-to-do": phrase("There was nothing to do"),
    "in-another-case": phrase("It is dealt with in another case"),
    "not-possible": phrase("It cannot be settled; the reason is in the notes"),
}
EVENTS: Mapping[str, Phrase] = {
    "taken": phrase("Taken"),
    "given-back": phrase("Given back to the queue"),
    "note": phrase("Note"),
    "escalated": phrase("Passed on to %(name)s"),
    "ended-authority": phrase("Ended that somebody acts for the person"),
    "found-person": phrase("Found whom it is about"),
    "closed": phrase("Closed"),
    "closed-by-two": phrase("Closed together with others, by two people"),
}
WORDS_MAX = 2000


def kind_words(kind: str) -> Phrase:
    """What a kind of task is called; a kind that this page does not know yet still has a name."""
    return KINDS.get(kind, UNKNOWN_KIND)


@dataclass(frozen=True)
class Case:
    """A task as the queue shows it to everybody: nobody's name, no record number, nothing of what it is about."""

    id: UUID
    case_no: int
    kind: str
    store_id: str | None
    practice_id: str | None
    opened_at: datetime
    due_at: datetime | None
    assigned_to: UUID | None
    escalated_to: UUID | None
    closed_at: datetime | None
    outcome: str | None

    def is_overdue(self, now: datetime) -> bool:
        return self.closed_at is None and self.due_at is not None and self.due_at < now

    def may_take(self, who: UUID) -> bool:
        """Whether `who` may take it: it is nobody's, theirs already, or was passed on to them."""
        return self.closed_at is None and (self.assigned_to in (None, who) or self.escalated_to == who)

    def shows_names_to(self, who: UUID) -> bool:
        """Names stand on a task's own page only while it is open and assigned to the one who looks (least sight)."""
        return self.closed_at is None and self.assigned_to == who
