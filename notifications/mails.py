"""Every mail we send to a person, written out. As a text does, it names no person, no illness and nothing decided.

A mail is read on shared computers and over shoulders, so subject, sender and words are held to the same rule as
texts (SMS-08, threats.md abuse 11). Each has one link, to the sign-in page, and one to end mail (RFC 8058).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from notifications.mail import Link, Mail, Part
from notifications.texts import LANGUAGES, Kind, Programme

MAIL_KINDS: tuple[Kind, ...] = (
    "code", "opted-in", "update", "changed-for-you", "late", "reminder", "security", "look-again", "new", "news",
)  # fmt: skip

# Subject first, then paragraphs.
_MAILS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "code": (
            "Your code",
            "Your code is {code}. It works for 10 minutes. Type it on the page you came from.",
            "If you did not ask for it, do nothing. Someone may have typed your address by mistake.",
        ),
        "opted-in": ("Your address is confirmed", "We write to this address when there is something to tell you."),
        "update": ("You have an update", "There is an update for you. Sign in to see it."),
        "changed-for-you": (
            "A change was made for you",
            "Someone made a change for you, as you may have asked. Sign in to see it.",
            "Is it not what you wanted? You can change it in one step, or call {contact}.",
        ),
        "late": (
            "Something takes longer than it should",
            "Something you asked for takes longer than it should. Sign in to see what is still open.",
        ),
        "reminder": ("A reminder", "You asked us to remind you. Sign in to go on."),
        "security": (
            "Your sign-in or how we reach you has changed",
            "Someone signed in as you in a new way, or changed how we reach you. Sign in to see what changed.",
            "If it was not you, call {contact}.",
        ),
        "look-again": (
            "There is something to read again",
            "Some words that you said yes to have changed. Sign in to read them and to choose again.",
        ),
        "new": ("There is something new for you", "Something new has come in. Sign in to see it."),
        "news": ("There is news for you", "There is news about something you took part in. Sign in to read it."),
    },
    "es": {
        "code": (
            "Su clave",
            "Su clave es {code}. Sirve por 10 minutos. Escríbala en la página donde la pidió.",
            "Si usted no la pidió, no haga nada. Tal vez alguien escribió su dirección por error.",
        ),
        "opted-in": ("Su dirección está confirmada", "Le escribimos a esta dirección cuando hay algo que avisarle."),
        "update": ("Hay una novedad", "Hay una novedad para usted. Entre para verla."),
        "changed-for-you": (
            "Se hizo un cambio por usted",
            "Alguien hizo un cambio por usted, tal vez porque usted lo pidió. Entre para verlo.",
            "¿No es lo que usted quería? Puede cambiarlo en un paso, o llame al {contact}.",
        ),
        "late": (
            "Algo tarda más de lo debido",
            "Algo que usted pidió tarda más de lo debido. Entre para ver lo que falta.",
        ),
        "reminder": ("Un aviso", "Usted nos pidió este aviso. Entre para seguir."),
        "security": (
            "Cambió su acceso o la forma de avisarle",
            "Alguien entró como usted de otra manera, o cambió la forma de avisarle. Entre para ver qué cambió.",
            "Si no fue usted, llame al {contact}.",
        ),
        "look-again": (
            "Hay algo que leer de nuevo",
            "Cambiaron unas palabras que usted aceptó. Entre para leerlas y elegir de nuevo.",
        ),
        "new": ("Hay algo nuevo para usted", "Llegó algo nuevo. Entre para verlo."),
        "news": ("Hay noticias para usted", "Hay noticias de algo en lo que usted participó. Entre para leerlas."),
    },
}
_SIGN_IN = {"en": "Sign in", "es": "Entrar"}
_FOOT = {
    "en": "We never ask for your password or your health in a mail. Questions: {contact}. {program}",
    "es": "Nunca pedimos su contraseña ni datos de su salud por correo. Preguntas: {contact}. {program}",
}
_STOP = {"en": "Stop these mails", "es": "No recibir estos correos"}


def render_mail(
    kind: Kind,
    language: str,
    programme: Programme,
    *,
    message: UUID,
    to: str,
    at: datetime,
    unsubscribe: str | None,
    code: str | None = None,
    more: int = 0,
) -> Mail:
    """One mail to one person; a language we have no mails in falls back to English.

    `unsubscribe`: where mail is ended (not offered under a code). `more`: how much else it tells of (a digest).
    """
    tongue = language.split("-")[0].lower()
    tongue = tongue if tongue in LANGUAGES else "en"
    if (code is not None) != (kind == "code"):
        raise ValueError("a code belongs into the code mail and nowhere else")
    values = {"program": programme.name, "contact": programme.contact, "code": code or ""}
    subject, *paragraphs = (each.format(**values) for each in _MAILS[tongue][kind])
    parts: list[Part] = [*paragraphs]
    if more:
        parts.append(_more(tongue, more))
    if kind != "code":
        parts.append(Link(_SIGN_IN[tongue], programme.link))
    parts.append(_FOOT[tongue].format(**values))
    if unsubscribe:
        parts.append(Link(_STOP[tongue], unsubscribe))
    return Mail(str(message), to, subject, tuple(parts), at, tongue, unsubscribe)


def _more(tongue: str, more: int) -> str:
    if tongue == "es":
        return f"Este correo reúne {more + 1} avisos."
    return f"This mail stands for {more + 1} messages."
