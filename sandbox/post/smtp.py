"""The part of SMTP that a sender needs: EHLO, STARTTLS, AUTH PLAIN, MAIL, RCPT, DATA, RSET, NOOP, QUIT."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import BinaryIO

MAX_LINE, MAX_MAIL = 8_192, 1_000_000
HANG_UP = ""


@dataclass(frozen=True)
class Envelope:
    """One mail as it was handed over. `secure`: the session was under TLS; `user`: who had signed in."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    secure: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=default)


@dataclass
class Rules:
    """How the office behaves. `tls` offers STARTTLS, or with `implicit` TLS from the first byte; `login` is required
    when set. `misbehave(verb, argument)` may answer in place of the office; `HANG_UP` ends the connection. The end of
    a mail's text comes to it as the verb `.`; what it answers with 250 is kept, else it is not.
    """

    tls: ssl.SSLContext | None = None
    implicit: bool = False
    login: tuple[str, str] | None = None
    misbehave: Callable[[str, str], str | None] = lambda _verb, _argument: None


@dataclass
class _Session:
    """One connection and what was said on it so far."""

    connection: socket.socket
    rules: Rules
    keep: Callable[[Envelope], None]
    secure: bool = False
    user: str | None = None
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)

    def talk(self) -> None:
        if self.rules.tls is not None and self.rules.implicit:
            self._encrypt(self.rules.tls)
        reader = self.connection.makefile("rb")
        self._say(self.rules.misbehave("CONNECT", "") or "220 post.sandbox ESMTP")
        while line := reader.readline(MAX_LINE):
            verb, _, argument = line.decode("latin-1").strip().partition(" ")
            answer = self._answer(verb.upper(), argument, reader)
            if answer == HANG_UP:
                return
            self._say(answer)
            if verb.upper() == "QUIT":
                return
            if verb.upper() == "STARTTLS" and answer.startswith("220"):
                assert self.rules.tls is not None
                self._encrypt(self.rules.tls)
                reader = self.connection.makefile("rb")

    def _encrypt(self, context: ssl.SSLContext) -> None:
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.secure, self.user, self.sender = True, None, None

    def _say(self, answer: str) -> None:
        self.connection.sendall(answer.replace("\n", "\r\n").encode() + b"\r\n")

    def _answer(self, verb: str, argument: str, reader: BinaryIO) -> str:
        told = self.rules.misbehave(verb, argument)
        if told is not None:
            return told
        known: dict[str, Callable[[], str]] = {
            "EHLO": self._hello,
            "HELO": lambda: "250 post.sandbox",
            "STARTTLS": lambda: "220 go ahead" if self.rules.tls and not self.secure else "454 not now",
            "AUTH": lambda: self._sign_in(argument, reader),
            "MAIL": lambda: self._from(argument),
            "RCPT": lambda: self._to(argument),
            "DATA": lambda: self._data(reader),
            "RSET": self._forget,
            "NOOP": lambda: "250 ok",
            "QUIT": lambda: "221 good bye",
        }
        return known[verb]() if verb in known else "500 what?"

    def _hello(self) -> str:
        offers = ["post.sandbox", "8BITMIME", "SMTPUTF8", f"SIZE {MAX_MAIL}"]
        if self.rules.tls is not None and not self.secure:
            offers.append("STARTTLS")
        if self.rules.login is not None and (self.secure or self.rules.tls is None):
            offers.append("AUTH PLAIN")
        return "\n".join(f"250-{offer}" for offer in offers[:-1]) + f"\n250 {offers[-1]}"

    def _sign_in(self, argument: str, reader: BinaryIO) -> str:
        if self.rules.login is None or (self.rules.tls is not None and not self.secure):
            return "538 not without TLS"
        kind, _, first = argument.partition(" ")
        if kind.upper() != "PLAIN":
            return "504 PLAIN only"
        if not first:
            self._say("334 ")
            first = reader.readline(MAX_LINE).decode("latin-1").strip()
        with suppress(ValueError):
            _, user, password = base64.b64decode(first).decode().split("\0")
            if (user, password) == self.rules.login:
                self.user = user
                return "235 welcome"
        return "535 wrong login"

    def _from(self, argument: str) -> str:
        if self.rules.login is not None and self.user is None:
            return "530 sign in first"
        self.sender, self.recipients = _path(argument), []
        return "250 ok"

    def _to(self, argument: str) -> str:
        if self.sender is None:
            return "503 who sends?"
        self.recipients.append(_path(argument))
        return "250 ok"

    def _forget(self) -> str:
        self.sender, self.recipients = None, []
        return "250 ok"

    def _data(self, reader: BinaryIO) -> str:
        if not self.recipients or self.sender is None:
            return "503 to whom?"
        self._say("354 go on, end with a dot")
        raw = b""
        while (line := reader.readline(MAX_LINE)) not in {b".\r\n", b""}:
            raw += line[1:] if line.startswith(b".") else line
            if len(raw) > MAX_MAIL:
                return "552 too large"
        if not line:
            return HANG_UP
        answer = self.rules.misbehave(".", "")
        if answer is None or answer.startswith("250"):
            self.keep(Envelope(self.sender, tuple(self.recipients), raw, self.secure, self.user))
        self._forget()
        return "250 kept" if answer is None else answer


def _path(argument: str) -> str:
    return argument.partition(":")[2].strip().partition(" ")[0].strip("<>")


class PostOffice:
    """Listens on localhost; port 0 takes a free one. `mails` is what was handed over, oldest first."""

    def __init__(self, rules: Rules | None = None, *, port: int = 0, kept: Callable[[Envelope], None] | None = None):
        self.rules = rules or Rules()
        self.mails: list[Envelope] = []
        self._kept = kept
        self._socket = socket.create_server(("127.0.0.1", port))
        self._open: list[_Session] = []
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="post", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{'smtps' if self.rules.implicit else 'smtp'}://localhost:{self.port}"

    def stop(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)
        for session in self._open:
            with suppress(OSError):
                session.connection.shutdown(socket.SHUT_RDWR)
            session.connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            session = _Session(connection, self.rules, self._keep)
            self._open.append(session)
            threading.Thread(target=self._one, args=(session,), daemon=True).start()

    def _one(self, session: _Session) -> None:
        with suppress(OSError, ssl.SSLError, ValueError):
            session.talk()
        with suppress(OSError):
            session.connection.close()
        self._open.remove(session)

    def _keep(self, envelope: Envelope) -> None:
        self.mails.append(envelope)
        if self._kept is not None:
            self._kept(envelope)
