"""A store's signed receipt in words a patient can read. Never more than it signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consent.decision import Answer
from consent.efforts import Holds
from consent.receipts import State
from consent.store_config import Basis, Store
from vocabulary.phrase import Phrase, phrase


def what_it_did(state: State, answer: Answer, detail: Mapping[str, Any], holds: Holds) -> Phrase:
    """What the store says it did, in one sentence."""
    if state is State.ACCEPTED:
        if holds is Holds.DE_IDENTIFIED:
            return phrase("It will leave you out of its next build, then confirm.")
        return phrase("It has the message and will confirm when it is done.")
    if state in (State.NOT_FOUND, State.AMBIGUOUS):
        return phrase("It could not tell who you are. Our staff is looking into it.")
    if state is State.REFUSED:
        return phrase("It did not take the message. Our staff is looking into it.")
    if answer is Answer.YES:
        return phrase("It may receive your data.")
    if state is State.NOTHING_HELD:
        return phrase("It says that it held nothing about you. It will not take anything in.")
    removed = detail.get("removed") or 0
    if removed == 1:
        return phrase("It says that it removed 1 entry about you.")
    if removed:
        return phrase("It says that it removed %(count)s entries about you.", count=removed)
    return phrase("It says that it has stopped using your data.")


def cannot_undo(answer: Answer, detail: Mapping[str, Any], store: Store) -> tuple[Phrase, ...]:
    """What stays all the same after a no."""
    if answer is Answer.YES:
        return ()
    kept = []
    if detail.get("keeps"):
        kept.append(phrase("It keeps one code, so that nightly updates cannot bring you back."))
    if store.basis is Basis.OPERATIONS and store.holds is Holds.DE_IDENTIFIED:
        kept.append(phrase("Builds already given out have no names and cannot be called back."))
    if store.basis is Basis.DONATION:
        kept.append(phrase("Results already worked out with your data may be kept."))
    return tuple(kept)
