"""A line of "who saw or used my data" in words: who, what and why (HIP-25). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from consent.decision import Decision
from consent.efforts import SANDBOX_EFFORTS, effort_by_id
from consent.receipts import State
from consent.status_words import what_it_did
from consent.store_config import Store
from consent.uses import By, Use
from vocabulary.phrase import Phrase, phrase

BY: Mapping[By, Phrase] = {
    By.FAMILY: phrase("Family and helpers"),
    By.CARE_TEAM: phrase("Your care team"),
    By.STAFF: phrase("CancerLinQ staff"),
    By.RESEARCH: phrase("Research"),
    By.STORE: phrase("Data stores"),
    By.PROGRAM: phrase("Programs"),
    By.PERSON: phrase("You"),
}
_WHAT: Mapping[str, Phrase] = {
    "choices.read": phrase("Opened your choices"),
    "record.read": phrase("Opened your record"),
    "representative.came": phrase("Signed in to act for you"),
    "helper.came": phrase("Came to read your record"),
    "helper.filled-in": phrase("Filled in a form for you to look at"),
    "choices.read-by-program": phrase("Read your choices"),
    "staff-task.read": phrase("Opened a case about you"),
    "staff.page-opened": phrase("Opened your page without a case of theirs. A second person looks at why."),
    "staff.letter": phrase("Made a letter that says what was done"),
    "record.downloaded": phrase("Downloaded a copy of your record"),
    "receipt.downloaded": phrase("Downloaded a receipt of a choice"),
    "uses.downloaded": phrase("Downloaded this list"),
    "file.downloaded": phrase("Downloaded a file you added"),
}
_PAPERS: Mapping[str, Phrase] = {
    "signed-form": phrase("Downloaded the form you signed"),
    "choice-on-paper": phrase("Downloaded a choice on paper"),
    "letter-to-patient": phrase("Printed a letter to you about what they recorded"),
}
_WHY: Mapping[By, Phrase] = {
    By.FAMILY: phrase("To help you with your record and your choices"),
    By.CARE_TEAM: phrase("To help you with your choices"),
    By.STAFF: phrase("To make sure that your choice is carried out"),
    By.STORE: phrase("To do what you chose"),
    By.PROGRAM: phrase("To find out what you chose"),
    By.PERSON: phrase("You asked for it"),
}
_MAY = phrase("Asked if it may use your data. The answer was yes.")
_MAY_NOT = phrase("Asked if it may use your data. The answer was no.")


@dataclass(frozen=True)
class Names:
    """What ids are called: hospitals, programs, stores; `family` by the account or helper that an audit line names."""

    providers: Mapping[str, str]
    programs: Mapping[str, str]
    stores: Mapping[str, Store]
    family: Mapping[UUID, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Said:
    """One line in words. `who` is a name as its owner writes it, "" where `by` says it all."""

    use: Use
    by: Phrase
    who: str
    what: Phrase
    why: Phrase
    reference: str


def said(use: Use, names: Names, decisions: Mapping[int, Decision]) -> Said:
    """The line in words; `decisions` by their position, for what stores signed."""
    who, reference = _who(use, names)
    return Said(use, BY[use.by], who, _what(use, names, decisions), _why(use), reference)


def _who(use: Use, names: Names) -> tuple[str, str]:
    if use.by is By.CARE_TEAM:
        provider = str(use.detail.get("provider", ""))
        return names.providers.get(provider, provider), use.who
    if use.by is By.STORE:
        store = names.stores.get(use.who)
        return (store.name if store else use.who), str(use.detail.get("reference") or "")
    if use.by is By.STAFF:
        return use.who, ""
    if use.by is By.FAMILY and use.row is not None and use.row.actor_account is not None:
        return names.family.get(use.row.actor_account, ""), ""
    if use.by is By.PROGRAM:
        return names.programs.get(use.who, use.who), ""
    if use.by is By.RESEARCH:
        effort = effort_by_id(str(use.detail.get("effort", "")), SANDBOX_EFFORTS)
        named = effort.organization if effort else str(use.detail.get("effort", ""))
        return named, str(use.detail.get("manifest", ""))
    return "", ""


def _what(use: Use, names: Names, decisions: Mapping[int, Decision]) -> Phrase:
    if use.event == "store.signed":
        return _signed(use, names, decisions)
    if use.event == "donation.sent":
        return phrase("Got %(count)s entries of your record", count=int(use.detail.get("count", 0)))
    if use.event == "decisions.asked":
        return _MAY if use.detail.get("allowed") else _MAY_NOT
    if use.event == "paper.downloaded":
        return _PAPERS.get(str(use.detail.get("paper")), _WHAT["receipt.downloaded"])
    return _WHAT[use.event]


def _signed(use: Use, names: Names, decisions: Mapping[int, Decision]) -> Phrase:
    store, decision = names.stores.get(use.who), decisions.get(use.position if use.position is not None else -1)
    state = use.detail.get("state", "")
    if store is None or decision is None or state not in list(State):
        return phrase("It signed that it has your choice.")
    return what_it_did(State(state), decision.answer, use.detail, store.holds)


def _why(use: Use) -> Phrase:
    if use.by is By.RESEARCH:
        return phrase("You said yes to this study")
    return _WHY[use.by]
