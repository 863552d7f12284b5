"""What a person meant by a text: stop, start, help, or something else (requirements SMS-03, SMS-05, LANG-04).

Stopping is understood in any reasonable manner (47 CFR 64.1200(a)(10)); starting only by its exact words, because
it leads to more texts. English words always count; Spanish and Arabic ones as well (written here as `_words` leaves
them, without accents and without a hamza on its letter).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Meaning = Literal["stop", "start", "help", "other"]

STOP_WORDS = frozenset(
    {
        "stop",
        "stopall",
        "unsubscribe",
        "cancel",
        "end",
        "quit",
        "revoke",
        "optout",
        "parar",
        "pare",
        "paren",
        "alto",
        "basta",
        "cancelar",
        "detener",
        "detengan",
        "baja",
        "salir",
        "terminar",
        "nomore",
        "enough",
        "remove",
        "goaway",
        "توقف",
        "توقفوا",
        "اوقف",
        "اوقفوا",
        "ايقاف",
        "الغاء",
        "قف",
    }
)
START_WORDS = frozenset({"start", "yes", "unstop", "si", "empezar", "comenzar", "iniciar", "reanudar"})
HELP_WORDS = frozenset({"help", "info", "ayuda"})

STOP_PHRASES = (
    "stop texting", "stop sending", "stop messaging", "stop all", "stop it", "no more texts", "no more messages",
    "no more text", "do not text", "dont text", "do not contact", "dont contact", "do not message", "dont message",
    "leave me alone", "unsubscribe", "opt out", "opt me out", "take me off", "remove me", "delete my number",
    "wrong number", "no texts", "no messages", "dont want texts", "dont want messages", "dont want these",
    "dont want any more", "dont want any texts", "dont want any messages", "do not want texts", "do not want messages",
    "do not want these", "do not want any more", "no longer want", "do not send", "dont send", "never text",
    "asked you to stop", "told you to stop", "times to stop", "twice to stop", "not interested",
    "remove my number", "delete me", "lose my number", "wrong person", "dont call or text", "do not call or text",
    "no mas", "no quiero", "ya no quiero", "dejen de", "deje de", "deja de", "no me escriban", "no me escriba",
    "no me envien", "no me envie", "no me manden", "no me mande", "darme de baja", "dar de baja", "numero equivocado",
    "no me escribas", "no me envies", "no me mandes", "no mande", "no manden", "no envien", "persona equivocada",
    "الغاء الاشتراك", "لا ترسل", "لا ترسلوا", "لا ترسلوا لي", "رقم خطا",
)  # fmt: skip
KEEP_PHRASES = (
    "dont stop", "do not stop", "never stop", "not stop", "no paren", "no pare", "no dejen de", "no deje de",
)  # fmt: skip
_POLITE = frozenset(
    {
        "please",
        "pls",
        "por",
        "favor",
        "thanks",
        "thank",
        "you",
        "gracias",
        "now",
        "ya",
        "texts",
        "messages",
        "mensajes",
        "me",
    }
)
_SHORT = 5
# "Quit texting me", "I want to cancel these messages": a word for ending, first, and soon after it what is to end.
_ENDING = frozenset(
    {"quit", "cancel", "end", "revoke", "discontinue", "cease", "cancelen", "cancele", "quiten", "terminen", "paren"}
)
_ENDED = frozenset(
    {
        "text", "texts", "texting", "message", "messages", "messaging", "sms", "sending", "contacting", "bothering",
        "consent", "permission", "subscription", "mensaje", "mensajes", "texto", "textos", "consentimiento", "permiso",
    }
)  # fmt: skip
_LEAD_IN = frozenset(
    {"i", "id", "want", "wish", "to", "would", "like", "can", "could", "just", "must", "quiero", "que"}
)
_SOON = 4


@dataclass(frozen=True)
class Understood:
    """`network_replied`: the text network has answered by itself, so we must not answer again (SMS-05)."""

    meaning: Meaning
    network_replied: bool


def understand(body: str, opt_out_type: str | None = None) -> Understood:
    """`opt_out_type` is Twilio's `OptOutType` (STOP, START or HELP) when its Advanced Opt-Out has acted."""
    told: dict[str, Meaning] = {"STOP": "stop", "START": "start", "HELP": "help"}
    known = told.get((opt_out_type or "").strip().upper())
    if known:
        return Understood(known, network_replied=True)
    return Understood(meaning_of(body), network_replied=False)


def meaning_of(body: str) -> Meaning:
    """The meaning of the words alone; case, spaces, accents and punctuation make no difference."""
    words = _words(body)
    core = [word for word in words if word not in _POLITE]
    if _is_stop(words, core):
        return "stop"
    whole = "".join(core) or "".join(words)
    if whole in START_WORDS:
        return "start"
    return "help" if whole in HELP_WORDS else "other"


def _is_stop(words: list[str], core: list[str]) -> bool:
    # A phrase may begin or end anywhere in the text, but only at whole words.
    spoken = f" {' '.join(words)} "
    if any(f" {phrase} " in spoken for phrase in KEEP_PHRASES):
        return False
    if "".join(core) in STOP_WORDS or "".join(words) in STOP_WORDS:
        return True
    if any(f" {phrase} " in spoken for phrase in STOP_PHRASES):
        return True
    if words[:1] == ["stop"] or ("stop" in words and len(words) <= _SHORT):
        return True
    asked = [word for word in words if word not in _LEAD_IN and word not in ("please", "pls", "you", "por", "favor")]
    return asked[:1] != [] and asked[0] in _ENDING and not _ENDED.isdisjoint(asked[1:_SOON])


def _words(body: str) -> list[str]:
    """Lower-case words without accents; an apostrophe joins (`don't` is `dont`), other marks separate."""
    plain = unicodedata.normalize("NFKD", body[:1600])
    kept = "".join(character for character in plain if not unicodedata.combining(character)).casefold()
    kept = re.sub(r"['’`´]", "", kept)
    return re.findall(r"[^\W_]+", kept)
