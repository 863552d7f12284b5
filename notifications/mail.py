"""One e-mail as plain words: headings, sentences and facts become text and, beside it, simple HTML. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape

WIDTH = 72
LONGEST_SUBJECT = 120
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}"
)
_STYLE = (
    "body{font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif;color:#1c1d1f;max-width:40em;margin:1em auto;"
    "padding:0 1em}th{text-align:start;vertical-align:top;font-weight:normal;color:#565c65;padding:.2em 1.5em .2em 0}"
    "td{vertical-align:top;padding:.2em 0}h1{font-size:1.25em}"
)


@dataclass(frozen=True)
class Fact:
    """A row of a mail: a term and its value."""

    term: str
    value: str


@dataclass(frozen=True)
class Link:
    """A place to go, on a line of its own."""

    words: str
    url: str


Part = str | Fact | Link


@dataclass(frozen=True)
class Mail:
    """One message to one address. `id` is ours and the same on every try, so that a mail that comes twice is known
    by its Message-ID (RFC 5322 section 3.6.4). `parts` are paragraphs, facts and links, in order; `at` is its Date.
    `unsubscribe`: the address that ends this mail by one POST, which mail programs offer as a button (RFC 8058).
    """

    id: str
    to: str
    subject: str
    parts: tuple[Part, ...]
    at: datetime
    language: str = "en"
    unsubscribe: str | None = None

    def __repr__(self) -> str:
        return f"Mail({self.id})"  # address and words may name people


def is_mail_address(value: str) -> bool:
    """Whether mail can be sent there: one plain address, no name beside it (RFC 5321 section 4.1.2, dot-string)."""
    return len(value) <= 254 and _ADDRESS.fullmatch(value) is not None


def as_message(mail: Mail, *, sender: str, sender_name: str) -> EmailMessage:
    """The message as it travels: text first, then the same in HTML (RFC 2046 section 5.1.4).

    It says that a machine wrote it, so that no absent person's machine answers (RFC 3834 section 5). ValueError when
    an address is not plain or a header would break its line.
    """
    if not (is_mail_address(mail.to) and is_mail_address(sender)):
        raise ValueError("not a plain mail address")
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))  # not every server takes eight bits (RFC 6152)
    message["From"] = Address(sender_name, addr_spec=sender)
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = " ".join(mail.subject.split())[:LONGEST_SUBJECT]
    message["Date"] = mail.at
    message["Message-ID"] = f"<{mail.id}@{domain_of(sender)}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = mail.language
    if mail.unsubscribe:
        message["List-Unsubscribe"] = f"<{mail.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(as_text(mail.parts))
    message.add_alternative(as_html(mail), subtype="html")
    return message


def domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()


def as_text(parts: Sequence[Part]) -> str:
    """Lines of at most 72 characters, an address on one of its own; facts that follow each other stand in one block."""
    written = ""
    before: Part | None = None
    for part in parts:
        gap = "" if before is None else "\n" if isinstance(part, Fact) and isinstance(before, Fact) else "\n\n"
        if isinstance(part, Link):
            written += f"{gap}{part.words}:\n{part.url}"
            before = part
            continue
        words = f"{part.term}: {part.value}" if isinstance(part, Fact) else part
        indent = "  " if isinstance(part, Fact) else ""
        written += gap + textwrap.fill(" ".join(words.split()), WIDTH, subsequent_indent=indent, break_long_words=False)
        before = part
    return written + "\n"


def as_html(mail: Mail) -> str:
    """The same words in HTML without pictures, scripts or anything fetched from elsewhere."""
    body, rows = [f"<h1>{escape(mail.subject)}</h1>"], list[str]()
    ending: Part = ""
    for part in (*mail.parts, ending):
        if isinstance(part, Fact):
            rows.append(f'<tr><th scope="row">{escape(part.term)}</th><td>{escape(part.value)}</td></tr>')
            continue
        if rows:
            body.append("<table>" + "".join(rows) + "</table>")
            rows = []
        if isinstance(part, Link):
            body.append(f'<p><a href="{escape(part.url)}">{escape(part.words)}</a></p>')
        elif part:
            body.append(f"<p>{escape(part)}</p>")
    return (
        f'<!doctype html>\n<html lang="{escape(mail.language)}"><head><meta charset="utf-8">'
        f"<title>{escape(mail.subject)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )
