"""What every copy says about itself: when it was made, from where, of what, and what it lacks (DL-02)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fhir_bridge.reading.dates import FhirDate
from fhir_bridge.reading.kinds import KIND_NAMES
from fhir_bridge.reading.said import Said
from fhir_bridge.record_copy import EVERYTHING, Wanted
from fhir_bridge.record_standing import TYPE_WORDS, Source
from fhir_bridge.retrieve.states import words_for
from vocabulary.phrase import phrase

Say = Callable[[Said], str]
"""Says a phrase in the language of the copy."""

_UNDER_WAY = phrase("Your record was still being brought in when this copy was made.")
_NARROWED = phrase("This copy holds only the parts that you chose.")
_APART = phrase(
    "A young person may keep some kinds of care private. Entries of those kinds, if any, are not in this copy."
)
_FILES = phrase("Attached files, such as PDFs and scans, are not inside.")


@dataclass(frozen=True)
class CopyFacts:
    """`names` are the providers' by id; `brought` when each one's record was last brought in. Times are told in the
    zone of `made_at`, by its name.

    `apart`: it is made for whoever acts for a minor, without what the minor keeps to themselves.
    """

    made_at: datetime
    language: str
    names: Mapping[str, str]
    brought: tuple[tuple[str, datetime | None], ...]
    lacking: tuple[tuple[str, str, Said], ...]
    under_way: bool
    wanted: Wanted = EVERYTHING
    with_files: bool = False
    apart: bool = False

    def name(self, provider_id: str) -> str:
        return self.names.get(provider_id, provider_id)

    def incomplete(self, say: Say) -> list[str]:
        """Every reason why this copy is not the whole record, a sentence each."""
        said = [say(_UNDER_WAY)] if self.under_way else []
        if self.wanted.narrows:
            said.append(f"{say(_NARROWED)} {self._chosen(say)}".strip())
        said += [say(_APART)] if self.apart else []
        said += [f"{self.name(one)}: {say(TYPE_WORDS.get(kind, kind))}: {say(why)}" for one, kind, why in self.lacking]
        return said if self.with_files else [*said, say(_FILES)]

    def _chosen(self, say: Say) -> str:
        kinds = ", ".join(say(name) for kind, name in KIND_NAMES.items() if kind.value in self.wanted.kinds)
        days = (
            f"{self.wanted.since or '…'} – {self.wanted.until or '…'}" if self.wanted.since or self.wanted.until else ""
        )
        return "; ".join(filter(None, (kinds, days)))

    def sources(self, say: Say) -> list[str]:
        """Each hospital and when its part was brought in."""
        return [
            say(
                phrase(
                    "%(name)s, brought in %(when)s",
                    name=self.name(one),
                    when=moment(when.astimezone(self.made_at.tzinfo)),
                )
            )
            if when
            else self.name(one)
            for one, when in self.brought
        ]


def facts_of(
    sources: Sequence[Source], names: Mapping[str, str], *, made_at: datetime, language: str, wanted: Wanted,
    with_files: bool = False, apart: bool = False,
) -> CopyFacts:  # fmt: skip
    """What is known of where the record came from and what could not be had. Types that were not chosen do not lack."""
    return CopyFacts(
        made_at, language, dict(names), tuple((one.provider_id, one.brought_at) for one in sources),
        tuple((one.provider_id, each.type, words_for(each.state)) for one in sources for each in one.lacking),
        any(one.under_way for one in sources), wanted, with_files, apart,
    )  # fmt: skip


def moment(when: datetime) -> str:
    """A time that reads alike in every language, with its zone: `2026-11-03 14:05 EST`."""
    return when.strftime("%Y-%m-%d %H:%M %Z")


def day_of(when: FhirDate | None) -> str:
    """A clinical date as exact as the provider gave it, without a time of day."""
    return when.text.partition("T")[0] if when is not None else ""


def read_me(facts: CopyFacts, say: Say, files: Iterable[str]) -> bytes:
    """What lies in an archive, for people."""
    lines = [say(phrase("My health record")), say(phrase("Made on %(when)s", when=moment(facts.made_at))), ""]
    lines += [say(phrase("From:")), *(f"- {one}" for one in facts.sources(say)), ""]
    lines += [say(phrase("What is not complete:")), *(f"- {one}" for one in facts.incomplete(say)), ""]
    lines += [say(phrase("Files:")), *(f"- {one}" for one in files), ""]
    lines.append(say(PROTECT))
    return ("\r\n".join(lines) + "\r\n").encode()


PROTECT = phrase("This copy tells about your health. Privacy law (HIPAA) does not protect it any more: keep it safe.")
