"""Reads every word we could ever send, as an installation would send it: no illness, no name, nothing that tells.

Used by `portal messages` and by the tests: templates, subjects, sender name, link and mail domain, in each language
(SMS-07, SMS-08, threats.md abuse 11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID

from notifications.mail import as_html, as_text, domain_of
from notifications.mails import MAIL_KINDS, render_mail
from notifications.neutral_words import names_illness, tells_something
from notifications.texts import (
    KINDS,
    LANGUAGES,
    ONE_SEGMENT,
    STARTED_BY_SERVICE,
    Programme,
    is_gsm7,
    render,
    segments,
)

CODE = "123456"
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Finding:
    """What is wrong with one piece of what we send."""

    where: str
    problem: str


@dataclass(frozen=True)
class Measured:
    """A text as it would be sent: its encoding, length and segments."""

    kind: str
    language: str
    encoding: str
    length: int
    segments: int
    words: str


def measured(programme: Programme) -> Iterator[Measured]:
    """Every text in every language, with what it is billed as."""
    for language in LANGUAGES:
        for kind in KINDS:
            words = render(kind, language, programme, code=CODE if kind == "code" else None)
            encoding = "GSM-7" if is_gsm7(words) else "UCS-2"
            yield Measured(kind, language, encoding, len(words), segments(words), words)


def findings(programme: Programme, mail_sender: str | None = None) -> list[Finding]:
    """Everything wrong; empty when all may go out. `mail_sender`: the address in the From of mails."""
    found = [Finding(where, problem) for where, problem in _envelope(programme, mail_sender)]
    for one in measured(programme):
        where = f"text {one.kind} ({one.language})"
        found += [Finding(where, problem) for problem in (*_wrong(one.words, programme), *_lacks(one, programme))]
        if one.segments > 1:
            found.append(Finding(where, f"is {one.segments} segments: {one.length} characters, {ONE_SEGMENT} fit"))
    for language in LANGUAGES:
        for kind in MAIL_KINDS:
            code = CODE if kind == "code" else None
            mail = render_mail(
                kind, language, programme,
                message=UUID(int=0), to="a@b.org", at=_EPOCH, unsubscribe=f"{programme.link}/unsubscribe/x", code=code,
            )  # fmt: skip
            where = f"mail {kind} ({language})"
            if CODE in mail.subject:
                found.append(Finding(where, "has its code in the subject, which a lock screen shows"))
            for words in (mail.subject, as_text(mail.parts), re.sub(r"<style>.*?</style>", "", as_html(mail))):
                found += [Finding(where, problem) for problem in _wrong(words, programme)]
    return found


def _envelope(programme: Programme, mail_sender: str | None) -> Iterator[tuple[str, str]]:
    """Sender name, link and domain: they stand on a lock screen and in the list of a mail program."""
    host = urlsplit(programme.link).hostname or ""
    of_ours = {"name": programme.name, "link": host, "help number": programme.contact, "mail sender": mail_sender or ""}
    for where, words in of_ours.items():
        if bad := names_illness(words):
            yield where, f"names an illness ({bad})"
    parts = urlsplit(programme.link)
    if parts.query or parts.username or parts.path.strip("/"):
        yield "link", "carries more than the address of the first page"
    if mail_sender and domain_of(mail_sender).count(".") < 1:
        yield "mail sender", "has no domain of its own"


def _lacks(one: Measured, programme: Programme) -> Iterator[str]:
    """Each text says who sends it; what the service starts says how to reach us, too (SMS-07)."""
    if not one.words.startswith(f"{programme.name}: "):
        yield "does not begin with the sender's name"
    if one.kind in STARTED_BY_SERVICE and programme.link not in one.words and programme.contact not in one.words:
        yield "names no way to reach us"


def _wrong(words: str, programme: Programme) -> Iterator[str]:
    """A programme's own name, link and number are looked at once, in `_envelope`."""
    for ours in (programme.link, programme.name, programme.contact):
        words = words.replace(ours, " ")
    if bad := names_illness(words) or tells_something(words):
        yield f"says {bad!r}"
    for link in re.findall(r"https?://\S+", words):
        yield f"has a link that is not ours ({link[:40]})"
