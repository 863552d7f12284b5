"""Every text we ever send, written out: nothing else leaves. None names a person, an illness or what was decided.

Requirements SMS-01, SMS-07, SMS-08, LANG-04. Each language keeps to the plain GSM 7-bit alphabet, so that a text
stays one segment; that is why the Spanish avoids á, í, ó and ú by its choice of words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "code", "opted-in", "update", "changed-for-you", "late", "reminder", "stopped", "started", "help",
    "security", "look-again", "new", "news",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
STARTED_BY_SERVICE: frozenset[Kind] = frozenset({"reminder", "late", "look-again", "new", "news"})
"""The kinds that wait for quiet hours and caps; the others answer something a person did."""

LANGUAGES = ("en", "es")
ONE_SEGMENT = 160

_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)

_GSM7_TWO = frozenset("^{}\\[~]|€\f")

_TEMPLATES: dict[str, dict[Kind, str]] = {
    "en": {
        "code": "{program}: Your code is {code}. It works for 10 minutes. Do not share it.",
        "opted-in": "{program}: You will get texts, up to 3 a week. Msg & data rates may apply."
        " Reply HELP for help, STOP to stop.",
        "update": "{program}: You have an update. Sign in: {link}",
        "changed-for-you": "{program}: A change was made for you. Sign in: {link} Not what you wanted? Call {contact}.",
        "late": "{program}: Something takes longer than it should. Sign in: {link}",
        "reminder": "{program}: You asked us to remind you. Sign in to go on: {link} Reply STOP to stop.",
        "security": "{program}: Your sign-in or how we reach you has changed. Not you? Call {contact}.",
        "look-again": "{program}: There is something to read again. Sign in: {link} Reply STOP to stop.",
        "new": "{program}: There is something new for you. Sign in: {link} Reply STOP to stop.",
        "news": "{program}: There is news for you. Sign in: {link} Reply STOP to stop.",
        "stopped": "{program}: You will get no more texts from us. Reply START to get them again.",
        "started": "{program}: You will get texts again, up to 3 a week. Msg & data rates may apply."
        " Reply HELP for help, STOP to stop.",
        "help": "{program}: Questions? Call {contact}. Up to 3 texts a week. Msg & data rates may apply."
        " Reply STOP to stop.",
    },
    "es": {
        "code": "{program}: Su clave es {code}. Sirve por 10 minutos. No la comparta.",
        "opted-in": "{program}: Le enviaremos hasta 3 mensajes por semana. Pueden aplicarse cargos de mensajes y datos."
        " Responda AYUDA o PARAR.",
        "update": "{program}: Hay una novedad. Entre en: {link}",
        "changed-for-you": "{program}: Se hizo un cambio por usted. Entre en: {link} Dudas: {contact}.",
        "late": "{program}: Algo tarda demasiado. Entre en: {link}",
        "reminder": "{program}: Usted quiso este aviso. Para seguir entre en: {link} Responda PARAR para no recibir.",
        "security": "{program}: Su acceso o la forma de avisarle cambiaron. Si no fue usted, llame al {contact}.",
        "look-again": "{program}: Hay algo que leer de nuevo. Entre en: {link} Responda PARAR para no recibir.",
        "new": "{program}: Hay algo nuevo para usted. Entre en: {link} Responda PARAR para no recibir.",
        "news": "{program}: Hay noticias para usted. Entre en: {link} Responda PARAR para no recibir.",
        "stopped": "{program}: Ya no le enviaremos mensajes. Responda START para recibirlos de nuevo.",
        "started": "{program}: De nuevo le enviaremos hasta 3 mensajes por semana. Pueden aplicarse cargos de mensajes"
        " y datos. Responda AYUDA o PARAR.",
        "help": "{program}: Si tiene preguntas llame al {contact}. Hasta 3 mensajes por semana. Pueden aplicarse"
        " cargos. Responda PARAR para terminar.",
    },
}


@dataclass(frozen=True)
class Programme:
    """Who the texts come from: a neutral name, the address of the sign-in page, a number to call (configuration)."""

    name: str = "My Record Portal"
    link: str = "https://portal.example.org"
    contact: str = "(888) 282-2552"


def render(kind: Kind, language: str, programme: Programme, *, code: str | None = None) -> str:
    """The words of one text; a language we have no texts in falls back to English."""
    template = _TEMPLATES.get(language.split("-")[0].lower(), _TEMPLATES["en"])[kind]
    if (code is not None) != (kind == "code"):
        raise ValueError("a code belongs into the code text and nowhere else")
    return template.format(program=programme.name, link=programme.link, contact=programme.contact, code=code or "")


def as_kind(word: str) -> Kind:
    """The kind that was kept by its name; ValueError for a name we have no words for."""
    for kind in KINDS:
        if kind == word:
            return kind
    raise ValueError("no such kind")


def is_gsm7(text: str) -> bool:
    """True when every character is in the GSM 03.38 default alphabet: one segment then holds 160 of them."""
    return all(character in _GSM7 for character in text)


def segments(text: str) -> int:
    """How many SMS a text is sent (and billed) as: GSM 03.38 with its two-place characters, else UCS-2 (23.040).

    160 septets in one, 153 in each of several; 70 or 67 UTF-16 units where one character is outside the alphabet. A
    character of two places is never parted, so a segment may end one short.
    """
    if all(character in _GSM7 or character in _GSM7_TWO for character in text):
        return _packed([2 if character in _GSM7_TWO else 1 for character in text], 160, 153)
    return _packed([len(character.encode("utf-16-be")) // 2 for character in text], 70, 67)


def _packed(widths: list[int], alone: int, each: int) -> int:
    if sum(widths) <= alone:
        return 1
    count, used = 1, 0
    for width in widths:
        if used + width > each:
            count, used = count + 1, 0
        used += width
    return count
