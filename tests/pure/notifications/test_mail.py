"""A mail's words, twice: plain text and simple HTML; and which addresses and servers are believed."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.channels.email import read_mail_server
from notifications.mail import Fact, Mail, as_html, as_message, as_text, is_mail_address
from vocabulary.config_file import ConfigError

AT = datetime(2026, 11, 22, 8, tzinfo=UTC)
FROM = "no-reply@portal.example.org"
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=200)


class Words(HTMLParser):
    """The text of a page and the elements it has."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)

    def handle_data(self, data: str) -> None:
        self.said += data


@given(st.lists(WORDS | st.builds(Fact, WORDS, WORDS), max_size=5), WORDS)
def test_whatever_is_said_arrives_twice_and_makes_no_element(parts: list[str | Fact], subject: str) -> None:
    """Issue 3: words from outside stay words, in both forms, and break no header."""
    mail = Mail("digest-1", "privacy@store.example", subject, tuple(parts), AT)
    read = message_from_bytes(bytes(as_message(mail, sender=FROM, sender_name="My Record Portal")), policy=default)
    assert read["Message-ID"] == "<digest-1@portal.example.org>"
    assert read["To"] == "privacy@store.example"
    assert read.get_content_type() == "multipart/alternative"
    words = Words()
    words.feed(as_html(mail))
    assert words.elements <= {"html", "head", "meta", "title", "style", "body", "h1", "p", "table", "tr", "th", "td"}
    for part in parts:
        for said in (part,) if isinstance(part, str) else (part.term, part.value):
            assert said in words.said
            assert "".join(said.split()) in "".join(as_text(parts).split())


def test_text_keeps_its_lines_short_and_facts_together() -> None:
    """RFC 2646: a mail is read in a terminal too."""
    text = as_text(["word " * 40, Fact("Oldest", "3 hours"), Fact("Events", "12-40"), "Last."])
    assert max(len(line) for line in text.splitlines()) <= 72
    assert "Oldest: 3 hours\nEvents: 12-40\n\nLast.\n" in text


@pytest.mark.parametrize(
    "address",
    ["", "privacy", "a@b", "a b@store.example", "Privacy <a@store.example>", "a@store.example\nBcc: b@c.example",
     "a@store.example,b@c.example", "a@-.e", "@store.example", "a" * 250 + "@store.example"],
)  # fmt: skip
def test_only_one_plain_address_is_written_to(address: str) -> None:
    """SEC-05: a contact from a file adds no second recipient and no header."""
    assert not is_mail_address(address)
    with pytest.raises(ValueError, match="address"):
        as_message(Mail("1", address, "s", ("w",), AT), sender=FROM, sender_name="Portal")


def test_a_mail_shows_nothing_of_itself() -> None:
    """SEC-07: what is printed by mistake names nobody."""
    assert repr(Mail("digest-1", "rosa@example.org", "Rosa", ("Rosa",), AT)) == "Mail(digest-1)"


@pytest.mark.parametrize(
    ("url", "address", "login"),
    [
        ("smtps://us%40er:p%3Aw%2F@mail.example.org", "smtps://mail.example.org", ("us@er", "p:w/")),
        ("smtp://mail.example.org", "smtp://mail.example.org", (None, None)),
        ("smtp://mail.example.org:2525/", "smtp://mail.example.org:2525", (None, None)),
    ],
)
def test_a_mail_server_is_read(url: str, address: str, login: tuple[str | None, str | None]) -> None:
    """SEC-13: the login is taken apart from the address, and shown nowhere."""
    server = read_mail_server(url, FROM, production=True)
    assert (server.address, (server.user, server.password), server.private) == (address, login, False)
    assert "p:w/" not in repr(server)


@pytest.mark.parametrize(
    ("url", "sender", "says"),
    [
        ("mail.example.org", FROM, "SMTP_URL: is not the address"),
        ("https://mail.example.org", FROM, "SMTP_URL: is not the address"),
        ("smtp://user:canary@0x7f.1", FROM, "SMTP_URL: is not the address"),
        ("smtp://user:canary@mail.example.org/path", FROM, "SMTP_URL: is not the address"),
        ("smtp://localhost:2525", FROM, "SMTP_URL: names this machine"),
        ("smtp://user:canary%C3%A4@mail.example.org", FROM, "SMTP_URL: has a login"),
        ("smtp://user:canary@mail.example.org", None, "SMTP_FROM: is not set"),
        ("smtp://user:canary@mail.example.org", "Portal <a@b.example>", "SMTP_FROM: is not a plain"),
    ],
)
def test_a_wrong_mail_server_is_named_without_its_login(url: str, sender: str | None, says: str) -> None:
    """SEC-13: the message says which setting, and no part of the password."""
    with pytest.raises(ConfigError, match=says) as refused:
        read_mail_server(url, sender, production=True)
    assert "canary" not in str(refused.value)
