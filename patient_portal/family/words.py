"""Words for acting for somebody: relations, steps, and why a thing may not be done."""

from __future__ import annotations

from collections.abc import Mapping

from consent.authority.rules import Relation, Step, Why
from vocabulary.phrase import Phrase, phrase

RELATIONS: Mapping[Relation, Phrase] = {
    Relation.PARENT: phrase("I am a parent of this child or teen"),
    Relation.GUARDIAN: phrase("I am the legal guardian of this child or teen"),
    Relation.LEGAL_REPRESENTATIVE: phrase("I decide for this adult by law (court order, health care proxy)"),
    Relation.ESTATE: phrase("This person has died, and I act for the estate"),
}
SHORT: Mapping[Relation, Phrase] = {
    Relation.PARENT: phrase("parent"),
    Relation.GUARDIAN: phrase("legal guardian"),
    Relation.LEGAL_REPRESENTATIVE: phrase("legal representative"),
    Relation.ESTATE: phrase("acts for the estate"),
}
STEPS: Mapping[Step, Phrase] = {
    Step.STATED: phrase("Staff have not looked at the paper yet"),
    Step.CONFIRMED: phrase("Staff have seen the paper"),
    Step.REFUSED: phrase("Staff could not accept this"),
    Step.ENDED: phrase("Ended"),
}
WHY: Mapping[Why, Phrase] = {
    Why.NOT_STATED: phrase("Before you can see the record, tell us who you are to this person."),
    Why.NOT_CONFIRMED: phrase("You can say yes to a study once staff have seen your paper. You can say no at once."),
    Why.REFUSED: phrase("Staff could not accept your paper. Please call the help line."),
    Why.ENDED: phrase("This has ended. You can tell us again."),
    Why.EXPIRED: phrase("The last day on your paper has passed. Tell us again if you have a newer one."),
    Why.OF_AGE: phrase("This person is an adult now, and decides alone. They can invite you as a helper."),
    Why.NOT_YET: phrase("The first day on your paper has not come yet."),
    Why.AGE_UNKNOWN: phrase("The hospital did not tell us a birth date. So you cannot say yes to a study here."),
    Why.PAPER_FIRST: phrase("Our staff look at your paper first. Until then you cannot see the record."),
    Why.DEATH_NOT_CONFIRMED: phrase("Staff look at your news first. Until then you cannot say yes to a study."),
    Why.PERSON_HAS_DIED: phrase("This person has died. Now only who acts for the estate can act."),
}
PROBLEMS: Mapping[tuple[str, str], Phrase] = {
    ("", ""): phrase("Please look at this again."),
    ("relation", "missing"): phrase("Say who you are to this person."),
    ("relation", "of-age"): phrase(
        "This person is an adult by the law of the state. A parent cannot act for them here."
    ),
    ("name", "missing"): phrase("Write your full name."),
    ("document", "missing"): phrase("Name the paper, such as “birth certificate” or “court order of May 3”."),
    ("ends_on", "missing"): phrase("Write the last day for which the paper holds."),
    ("ends_on", "in-the-past"): phrase("This day has passed. Write a day that is still to come."),
    ("ends_on", "unreadable"): phrase("Choose a day, or write it as year-month-day."),
    ("lasts", "missing"): phrase("Choose how long they may come."),
    ("passcode", "wrong"): phrase("This passcode is not right. Ask the person you help."),
    ("who", "missing"): phrase("Say who you are to this person."),
    ("reach", "missing"): phrase("Write a phone number or an e-mail where we can reach you."),
    ("died", "missing"): phrase("Write the day."),
}


def relation_in(evidence: Mapping[str, str]) -> Phrase | None:
    """On what standing a form was signed for somebody else (HIP-11 (c)(1)(vi)); None when the person signed."""
    found = evidence.get("authority", "")
    return SHORT[Relation(found)] if found in set(Relation) else None
