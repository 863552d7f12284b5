"""Versions of a consent text: which one asks again, what changed, and the words as they were kept. Pure.

A version is major or minor. A major one changes what a person agrees to, so everyone with a yes to an older one is
asked again; a minor one (a typing error, a clearer sentence, a review) asks nobody. Until the person answers:

* their yes stands, on the words they signed: no store is told of a no that nobody said (decisions.md, What a choice
  covers: a donation stands until its own no; silence is never a new answer, in neither direction);
* nothing new is sent, since what is sent now would be sent under the new terms (in doubt the answer is no).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from consent.authorization import ELEMENTS, PART_NAME, ConsentText, Texts
from consent.decision import Decision
from vocabulary.errors import Conflict


def asks_again(signed: Decision | None, texts: Texts) -> bool:
    """Whether a person whose yes is `signed` is asked anew, because a major version came out since."""
    if signed is None or signed.is_no or signed.text_id is None or signed.text_version is None:
        return False
    return signed.text_version < texts.newest_major(signed.text_id)


def may_send_new(signed: Decision | None, texts: Texts) -> bool:
    """Whether anything new may be sent on this yes: not while a newer major version waits for its answer."""
    return signed is not None and not signed.is_no and not asks_again(signed, texts)


@dataclass(frozen=True)
class PartChange:
    """What became of one part (see `ELEMENTS`, or "title"): paragraphs gone, paragraphs new."""

    part: str
    gone: tuple[str, ...]
    new: tuple[str, ...]


def what_changed(before: ConsentText, after: ConsentText) -> tuple[PartChange, ...]:
    """Part by part and paragraph by paragraph, in signing order; parts that are the same are left out."""
    found = [_change("title", before.title, after.title)]
    names = [*after.parts, *(name for name in before.parts if name not in after.parts)]
    found += [_change(name, before.parts.get(name, ""), after.parts.get(name, "")) for name in names]
    return tuple(change for change in found if change.gone or change.new)


def said_changes(versions: Iterable[ConsentText], before: int, after: int) -> tuple[str, ...]:
    """What the files themselves say is different, in the order in which it came, after `before` up to `after`."""
    between = sorted((text for text in versions if before < text.version <= after), key=lambda text: text.version)
    return tuple(change for text in between for change in text.changes)


def _change(part: str, before: str, after: str) -> PartChange:
    old, new = before.splitlines(), after.splitlines()
    return PartChange(
        part, tuple(line for line in old if line not in new), tuple(line for line in new if line not in old)
    )


def text_of_row(row: Mapping[str, Any]) -> ConsentText:
    """The text in a row of `consent_text`, its words taken apart as `ConsentText.body` put them together.

    Conflict when the words do not fit the hash beside them: the row was changed by somebody who may not (P11-01).
    """
    title, _, rest = str(row["body"]).partition("\n\n")
    parts: dict[str, str] = {}
    for block in rest.split("\n\n") if rest else ():
        name, _, words = block.partition("\n")
        if not PART_NAME.fullmatch(name):
            raise Conflict("kept-text-changed")
        parts[name] = words
    text = ConsentText(
        id=row["id"],
        version=row["version"],
        language=row["language"],
        title=title,
        reviewer=row["reviewer"],
        review=row["review_state"],
        major=row["major"],
        authorizes=set(ELEMENTS) <= set(parts),
        parts=parts,
    )
    if text.body != row["body"] or bytes.fromhex(text.sha256) != bytes(row["sha256"]):
        raise Conflict("kept-text-changed")
    return text


def differs(text: ConsentText, row: Mapping[str, Any]) -> str | None:
    """What a file says otherwise than the version kept under the same number; None when it is the same."""
    kept = (bytes(row["sha256"]), row["reviewer"], row["review_state"], row["major"])
    mine = (bytes.fromhex(text.sha256), text.reviewer, text.review, text.major)
    for name, was, now_is in zip(("words", "reviewer", "review", "major"), kept, mine, strict=True):
        if was != now_is:
            return name
    return None
