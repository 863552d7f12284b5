"""Every text we ever send, written out: nothing else leaves. None names a person, an illness or what was decided.

Requirements SMS-01, SMS-07, SMS-08, LANG-04. Each language keeps to the plain GSM 7-bit alphabet, so that a text
stays one segment; that is why the Spanish avoids á, í, ó and ú by its choice of words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["code", "opted-in", "update", "changed-for-you", "late", "reminder", "stopped", "started", "help"]
KINDS: tuple[Kind, ...] = (
    "code", "opted-in", "update", "changed-for-you", "late", "reminder", "stopped", "started", "help",
)  # fmt: skip
STARTED_BY_SERVICE: frozenset[Kind] = frozenset({"reminder", "late"})
"""The kinds that wait for quiet hours and caps; the others answer something a person did."""

LANGUAGES = ("en", "es")
ONE_SEGMENT = 160

_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)

_TEMPLATES: dict[str, dict[Kind, str]] = {
    "en": {
        "code": "{program}: Your code is {code}. It works for 10 minutes. Do not share it.",
        "opted-in": "{program}: You will get texts, up to 3 a week. Msg & data rates may apply."
        " Reply HELP for help, STOP to stop.",
        "update": "{program}: You have an update. Sign in: {link}",
        "changed-for-you": "{program}: A change was made for you. Sign in: {link} Not what you wanted? Call {contact}.",
        "late": "{program}: Something takes longer than it should. Sign in: {link}",
        "reminder": "{program}: You asked us to remind you. Sign in to go on: {link} Reply STOP to stop.",
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


def is_gsm7(text: str) -> bool:
    """True when every character is in the GSM 03.38 default alphabet: one segment then holds 160 of them."""
    return all(character in _GSM7 for character in text)
