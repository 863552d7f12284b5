"""Mail by SMTP (RFC 5321): over TLS, to the configured server only, with an end to every wait.

Where the server lives is checked by `outbound`, which also makes the connection; only the words of the protocol are
the standard library's. Nothing is sent in plain but to a server on this machine, in a demo or a test (SEC-05).
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import unquote, urlsplit

import structlog

from notifications.channels.channel import Accepted, Failed
from notifications.mail import Mail, as_message, domain_of, is_mail_address
from outbound.client import OutboundClient
from outbound.destinations import Destination, read_url
from outbound.errors import OutboundRefused
from outbound.limits import Limits
from vocabulary.config_file import ConfigError
from vocabulary.errors import Refused, Unavailable

log = structlog.get_logger()
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
NO_SERVER = "no-mail-server"
# RFC 3463: the fault is with the address. A 550 alone may as well be the server's mood, or about us.
_NO_SUCH_ADDRESS = re.compile(rb"5\.1\.(?:1|2|3|6|10)\b")


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over, and from which address. `address` has no login in it; `private`: on this machine."""

    address: str
    sender: str
    private: bool
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def implicit_tls(self) -> bool:
        """`smtps`: TLS from the first byte (RFC 8314 section 3.3); `smtp` turns it on by STARTTLS (RFC 3207)."""
        return self.address.startswith("smtps://")

    def destination(self) -> Destination:
        return Destination(read_url(self.address).origin, self.private)


def read_mail_server(url: str, sender: str | None, *, production: bool) -> MailServer:
    """`SMTP_URL` and `SMTP_FROM` as one value; ConfigError names what is wrong and the remedy, never the login."""
    parts = urlsplit(url)
    example = "Write it as smtps://user:password@mail.example.org, special characters percent-encoded"
    try:
        origin = read_url(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}").origin
    except OutboundRefused:
        raise ConfigError("SMTP_URL", "is not the address of a mail server", example) from None
    if origin.scheme not in {"smtp", "smtps"} or parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError("SMTP_URL", "is not the address of a mail server", example)
    private = origin.host in LOOPBACK
    if private and production:
        raise ConfigError("SMTP_URL", "names this machine", "Name a mail server that is reached over TLS")
    if sender is None or not is_mail_address(sender):
        problem = "is not set" if sender is None else "is not a plain mail address"
        raise ConfigError(
            "SMTP_FROM", problem, "Set it to the address that mail comes from, such as no-reply@example.org"
        )
    user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    if not f"{user}{password}".isascii():
        raise ConfigError("SMTP_URL", "has a login with other than plain characters", "Choose one of ASCII characters")
    return MailServer(str(origin), sender, private, user, password)


class MailChannel(Protocol):
    def send(self, mail: Mail) -> Accepted | Failed:
        """Hand over one mail; never raises for what the server answers."""
        ...


class ConsoleMail:
    """Sends nothing, and says so: for a portal without a mail server, and for tests, which look into `kept`."""

    def __init__(self) -> None:
        self.kept: list[Mail] = []

    def send(self, mail: Mail) -> Accepted | Failed:
        self.kept.append(mail)
        log.warning("mail_not_sent_console", message_id=mail.id)
        return Failed(NO_SERVER, retry=True)


class EmailChannel:
    """One mail server. A connection is made for each mail: they are few, and none waits for another."""

    def __init__(
        self,
        server: MailServer,
        http: OutboundClient,
        sender_name: str,
        *,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server, self._http, self._sender_name = server, http, sender_name
        self._limits = limits or Limits()
        self._tls = tls or ssl.create_default_context()

    def send(self, mail: Mail) -> Accepted | Failed:
        try:
            message = as_message(mail, sender=self._server.sender, sender_name=self._sender_name)
        except ValueError:
            return Failed("address-form", retry=False)
        try:
            with self._session() as session:
                return _handed_over(session, message, mail)
        except Refused as error:
            return Failed(error.reason, retry=True)  # ours to set right, then it goes
        except Unavailable as error:
            return Failed(error.reason, retry=True)
        except ssl.SSLError:
            return Failed("tls", retry=True)
        except smtplib.SMTPException as error:
            return Failed(_code(error), retry=True)
        except (OSError, ValueError):
            return Failed("no-answer", retry=True)

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A greeted session, over TLS and signed in; it is cut off when the whole call takes too long."""
        connection = self._http.open_socket(self._server.address, self._limits.connect_seconds)
        connection.settimeout(self._limits.read_seconds)
        host = read_url(self._server.address).origin.host.strip("[]")
        session = _OnSocket(connection, host, domain_of(self._server.sender), self._limits.read_seconds)
        end = threading.Timer(self._limits.total_seconds, session.cut)
        end.daemon = True
        end.start()
        try:
            self._begin(session, host)
            yield session
            with suppress(smtplib.SMTPException, OSError):
                session.quit()
        finally:
            end.cancel()
            session.close()
            connection.close()

    def _begin(self, session: _OnSocket, host: str) -> None:
        if self._server.implicit_tls:
            session.wrap = lambda plain: self._tls.wrap_socket(plain, server_hostname=host)
        code, words = session.connect(host, read_url(self._server.address).origin.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, words)
        session.ehlo_or_helo_if_needed()
        if not self._server.implicit_tls and not (self._server.private and not session.has_extn("starttls")):
            session.starttls(context=self._tls)  # refused or not offered: an error, never a mail in plain
            session.ehlo_or_helo_if_needed()
        if self._server.user is not None:
            session.login(self._server.user, self._server.password or "")


class _OnSocket(smtplib.SMTP):
    """The library's client on a connection that was made and checked before."""

    def __init__(self, made: socket.socket, host: str, our_name: str, timeout: float) -> None:
        super().__init__(local_hostname=our_name, timeout=timeout)
        self._made, self._host = made, host  # the name that the certificate must be for
        self.wrap: Callable[[socket.socket], socket.socket] = lambda plain: plain

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002 - as in the library
        return self.wrap(self._made)

    def cut(self) -> None:
        for end in (self.sock, self._made):
            if end is not None:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


def _handed_over(session: smtplib.SMTP, message: EmailMessage, mail: Mail) -> Accepted | Failed:
    try:
        session.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        nobody = _NO_SUCH_ADDRESS.match(words) if isinstance(words, bytes) else None
        return Failed(f"smtp-{code}" + (f"-{nobody.group().decode()}" if nobody else ""), retry=code < 500)
    except smtplib.SMTPDataError as error:
        return Failed(_code(error), retry=error.smtp_code < 500)
    except smtplib.SMTPResponseException:
        raise
    except OSError:  # the library's own errors are of this kind too
        return Failed("no-answer", retry=True, doubtful=True)  # it may have been taken before the answer was lost
    return Accepted(mail.id, "sent")


def _code(error: smtplib.SMTPException) -> str:
    """A short word for the log and the operator; a server's own words may repeat an address."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"smtp-{error.smtp_code}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "no-starttls-or-login"
    return "no-answer" if isinstance(error, smtplib.SMTPServerDisconnected) else "smtp"
