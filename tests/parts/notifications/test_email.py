"""Mail over real sockets: plain only on this machine, else TLS with the right certificate, and an end to every wait."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from notifications.channels.channel import Accepted, Failed
from notifications.channels.email import EmailChannel, MailServer
from notifications.mail import Fact, Mail
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from outbound.limits import Limits
from sandbox.post.smtp import HANG_UP, PostOffice, Rules

AT = datetime(2026, 11, 22, 8, tzinfo=UTC)
MAIL = Mail("digest-7", "privacy@store.example", "Not confirmed: 3", ("Höre zu.", Fact("Oldest", "3 hours"), "."), AT)
QUICK = Limits(connect_seconds=1, read_seconds=0.5, total_seconds=0.8)
LOGIN = ("portal", "p@ss:word")
Office = Callable[..., PostOffice]


@pytest.fixture
def office() -> Iterator[Office]:
    started: list[PostOffice] = []

    def start(**rules: Any) -> PostOffice:
        started.append(PostOffice(Rules(**rules)))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[ssl.SSLContext, Path]]:
    """A server's side and the file to trust, for `localhost` and for another name."""
    made = {}
    for name in ("localhost", "mail.elsewhere.example"):
        folder = tmp_path_factory.mktemp("tls")
        key, named = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        made_of = x509.CertificateBuilder(named, named, key.public_key(), 1, now, now + timedelta(days=1))
        alternative = x509.SubjectAlternativeName([x509.DNSName(name)])
        signed = made_of.add_extension(alternative, critical=False).sign(key, SHA256())
        (folder / "c.pem").write_bytes(signed.public_bytes(Encoding.PEM))
        (folder / "k.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "c.pem", folder / "k.pem")
        made[name] = (context, folder / "c.pem")
    return made


def channel(office: PostOffice, *, trusts: Path | None = None, private: bool = True, **more: Any) -> EmailChannel:
    way = OutboundClient(AllowList([destination(office.url, private=True)]))
    tls = ssl.create_default_context(cafile=str(trusts)) if trusts else None
    server = MailServer(office.url, "no-reply@portal.example.org", private, **more)
    return EmailChannel(server, way, "My Record Portal", limits=QUICK, tls=tls)


def test_a_mail_arrives_as_text_and_as_html(office: Office) -> None:
    """Issue 3: one envelope to one address, from a machine, with both forms and the same id on every try."""
    post = office()
    sender = channel(post)
    assert sender.send(MAIL) == Accepted("digest-7", "sent")
    assert sender.send(MAIL) == Accepted("digest-7", "sent")
    first, second = (each.message for each in post.mails)
    assert post.mails[0].recipients == ("privacy@store.example",)
    assert post.mails[0].sender == "no-reply@portal.example.org"
    assert first["Message-ID"] == second["Message-ID"] == "<digest-7@portal.example.org>"
    assert (first["Subject"], first["Auto-Submitted"]) == ("Not confirmed: 3", "auto-generated")
    assert first["Date"] == "Sun, 22 Nov 2026 08:00:00 +0000"
    assert post.mails[0].raw.isascii(), "seven bits, for servers that take no more"
    text, html = first.get_body(("plain",)), first.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "Höre zu.\n\nOldest: 3 hours\n\n." in text.get_content().replace("\r\n", "\n")
    assert "<td>3 hours</td>" in html.get_content()


@pytest.mark.parametrize("implicit", [False, True])
def test_over_tls_with_a_login(office: Office, certificates: Any, implicit: bool) -> None:
    """SEC-05, RFC 8314: the password and the words travel under TLS only."""
    context, trusted = certificates["localhost"]
    post = office(tls=context, implicit=implicit, login=LOGIN)
    sender = channel(post, trusts=trusted, private=False, user=LOGIN[0], password=LOGIN[1])
    assert isinstance(sender.send(MAIL), Accepted)
    assert (post.mails[0].secure, post.mails[0].user) == (True, "portal")
    wrong = channel(post, trusts=trusted, private=False, user="portal", password="other")
    assert wrong.send(MAIL) == Failed("smtp-535", retry=True)


@pytest.mark.parametrize(("name", "trusted"), [("localhost", False), ("mail.elsewhere.example", True)])
@pytest.mark.parametrize("implicit", [False, True])
def test_a_wrong_certificate_gets_no_mail(
    office: Office, certificates: Any, name: str, trusted: bool, implicit: bool
) -> None:
    """SEC-05: nobody vouches for it, or it is another's."""
    context, file = certificates[name]
    post = office(tls=context, implicit=implicit)
    sender = channel(post, trusts=file if trusted else None, private=False)
    assert sender.send(MAIL) == Failed("tls", retry=True)
    assert post.mails == []


def test_without_tls_nothing_leaves_this_machine_in_plain(office: Office) -> None:
    """SEC-05: a server that hides STARTTLS, or somebody between us who does, gets neither words nor login."""
    heard: list[str] = []
    post = office(misbehave=lambda verb, _argument: heard.append(verb))
    assert channel(post, private=False).send(MAIL) == Failed("no-starttls-or-login", retry=True)
    assert not {"AUTH", "MAIL", "DATA"} & set(heard)


@pytest.mark.parametrize(
    ("at", "answer", "comes_to"),
    [
        ("CONNECT", "554 not today", Failed("smtp-554", retry=True)),
        ("MAIL", "550 not from you", Failed("smtp-550", retry=True)),
        ("RCPT", "550 privacy@store.example is unknown", Failed("smtp-550", retry=False)),
        ("RCPT", "550 5.1.1 unknown", Failed("smtp-550-5.1.1", retry=False)),
        ("RCPT", "550 5.7.1 not from your network", Failed("smtp-550", retry=False)),
        ("RCPT", "450 later", Failed("smtp-450", retry=True)),
        ("DATA", "554 no", Failed("smtp-554", retry=False)),
        (".", "552 too large", Failed("smtp-552", retry=False)),
        (".", "451 disk full", Failed("smtp-451", retry=True)),
        (".", HANG_UP, Failed("no-answer", retry=True, doubtful=True)),
        ("EHLO", HANG_UP, Failed("no-answer", retry=True)),
    ],
)
def test_what_a_server_answers(office: Office, at: str, answer: str, comes_to: Failed) -> None:
    """Issue 3: a code, never the server's own words; what may have been taken is doubtful."""
    post = office(misbehave=lambda verb, _argument: answer if verb == at else None)
    assert channel(post).send(MAIL) == comes_to


def test_a_server_that_drips_is_cut_off(office: Office) -> None:
    """SEC-10: the whole call has an end, though each piece comes in time."""
    post = office(misbehave=lambda verb, _argument: "250-more\n" * 2_000_000 if verb == "EHLO" else None)
    assert channel(post).send(MAIL).code in {"no-answer", "smtp"}  # type: ignore[union-attr]  # a success would fail here


def test_nobody_there_and_nobody_allowed(office: Office) -> None:
    """SEC-05: an address that is not configured is refused before any connection."""
    post = office()
    gone = channel(post)
    post.stop()
    assert gone.send(MAIL) == Failed("connection", retry=True)
    elsewhere = MailServer("smtp://localhost:1", "no-reply@portal.example.org", private=True)
    way = OutboundClient(AllowList([destination(post.url, private=True)]))
    assert EmailChannel(elsewhere, way, "Portal").send(MAIL) == Failed("origin-not-listed", retry=True)
