"""Asks people again by itself when words they said yes to have changed in a major way (topic `re-consent`).

For each such text there is one campaign, named by the text and its version: planned as a set, sent at the network's
pace, each person once, by the ways they chose. It begins when a worker with the new words starts; an operator may pause
it as any other.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from consent.authorization import Texts
from notifications.campaigns import carry_on, state_of
from notifications.texting import Texting
from patient_portal.in_touch.audiences import audience_named

LASTS = timedelta(days=90)
UNDER_WAY = frozenset({None, "planning", "planned"})


def ask_again(texting: Texting, texts: Texts, now: datetime) -> int:
    """One step for each text whose newest major version is not its first; how many are still being planned."""
    steps = 0
    for text_id, version in changed_texts(texts):
        name = f"{text_id}-version-{version}"
        if state_of(texting, name) in UNDER_WAY:
            carry_on(texting, name, "re-consent", audience_named(f"text:{text_id}"), now, lasts=LASTS)
            steps += 1
    return steps


def changed_texts(texts: Texts) -> list[tuple[str, int]]:
    """Authorizations that people may have signed in an older wording, each with its newest major version. Pure."""
    signed = sorted({text.id for text in texts.all if text.authorizes})
    return [(text_id, texts.newest_major(text_id)) for text_id in signed if texts.newest_major(text_id) > 1]
