"""What became of one kind of resource in one retrieval (FHIR-10), decided from what the provider answered."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vocabulary.phrase import Phrase, phrase


class State(StrEnum):
    """One type's state. "None found" may be said for EMPTY only."""

    OK = "ok"
    EMPTY = "empty"
    NOT_AUTHORIZED = "not-authorized"
    NOT_SUPPORTED = "not-supported"
    FAILED = "failed"
    PARTIAL = "partial"


@dataclass(frozen=True)
class Notice:
    """Something the provider said about its answer (an OperationOutcome issue).

    `incomplete` is True when it can mean that not everything was sent (FHIR-07).
    """

    severity: str
    code: str
    text: str
    incomplete: bool


@dataclass(frozen=True)
class Dropped:
    """One entry that was not kept, by name, and why.

    `reason` is one of: wrong-patient, not-a-resource, no-type, no-id, older-copy, unexpected-type, too-deep, vanished,
    part-failed; for an attached file of the entry file-too-large, file-not-authorized, file-not-there,
    file-too-many, file-failed.
    """

    type: str
    id: str
    reason: str


@dataclass(frozen=True)
class TypeOutcome:
    """What one type gave: `count` matches kept, `included` others kept, pages read, and everything left out.

    `whole`: all of it was asked for; else only what changed, and what was not seen may still be there (FHIR-16).
    """

    type: str
    state: State
    count: int
    included: int
    pages: int
    notices: tuple[Notice, ...]
    dropped: tuple[Dropped, ...]
    stopped_by: str | None
    http_status: int | None
    at: datetime
    whole: bool = True

    @property
    def words(self) -> Phrase:
        return words_for(self.state)


_WORDS = {
    State.OK: phrase("Brought in."),
    State.EMPTY: phrase("Your hospital has none of these for you."),
    State.NOT_AUTHORIZED: phrase("You did not share these, or your hospital does not let us see them."),
    State.NOT_SUPPORTED: phrase("Your hospital does not offer these."),
    State.FAILED: phrase("We could not get these. You can try again."),
    State.PARTIAL: phrase("We got only some of these. There may be more."),
}

_REASONS = {
    "wrong-patient": phrase("It was about another person, so we did not keep it."),
    "not-a-resource": phrase("We could not read it."),
    "no-type": phrase("It did not say what it was."),
    "no-id": phrase("It came without a number of its own, so we could not keep it."),
    "vanished": phrase("Your hospital no longer has it. We took it out of the record that you see here."),
    "older-copy": phrase("It was an older copy of something we have."),
    "too-deep": phrase("It was too tangled to read."),
    "unexpected-type": phrase("It was not what we asked for."),
    "part-failed": phrase("A part of what your hospital prepared could not be fetched. You can try again."),
    "file-too-large": phrase("This file is too large for us to keep. Ask your hospital for it."),
    "file-not-authorized": phrase("Your hospital does not let us get this file."),
    "file-not-there": phrase("Your hospital says that this file is not there."),
    "file-too-many": phrase("There were too many files to bring in all of them."),
    "file-failed": phrase("We could not get this file. You can try again."),
}


def words_for(state: State) -> Phrase:
    """The state in a sentence for the person whose record it is."""
    return _WORDS[state]


def words_for_reason(reason: str) -> Phrase:
    """Why an entry was dropped, in a sentence."""
    return _REASONS.get(reason, phrase("We could not keep it."))


def state_of_refusal(status: int | None, codes: Collection[str], extra: bool) -> State:
    """The state when the first page of every search was refused.

    `status` is the HTTP status, None when there was no answer; `codes` are OperationOutcome issue codes;
    `extra` marks types outside US Core, for which a refusal means only that the server lacks them (FHIR-02).
    """
    if status is None or status == 200:
        return State.FAILED
    if status in (401, 403):
        return State.NOT_AUTHORIZED
    if status in (404, 405, 410, 501) or "not-supported" in codes:
        return State.NOT_SUPPORTED
    if extra and status in (400, 422):
        return State.NOT_SUPPORTED
    return State.FAILED


def state_of_pages(count: int, *, stopped: bool, incomplete: bool, dropped: bool, narrowed: bool = False) -> State:
    """The state when at least one page was read.

    `stopped`: paging or a search ended early; `incomplete`: the provider warned of missing data; `dropped`: entries
    were left out; `narrowed`: the person shared only a part of the type (SMART-34). Nothing kept while something was
    left out is not "none found".
    """
    if stopped or incomplete:
        return State.PARTIAL
    if narrowed:
        return State.PARTIAL if count else State.NOT_AUTHORIZED
    if count == 0:
        return State.PARTIAL if dropped else State.EMPTY
    return State.OK
