"""Where a person would stand if something were recorded: shown before they press (decisions, What a choice covers)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from consent.asked import Asked, check_standing, subjects_to_record
from consent.decision import Decision
from consent.record_decision import decision_from
from consent.standing import Standing, standing
from database.keyring import KeyRing

_NO_RING = KeyRing([])  # a preview seals nothing


def preview(history: Sequence[Decision], asked: Asked, now: datetime) -> tuple[Standing, Standing]:
    """Where the person stands now, and would stand: by the same rules that record it. Nothing is stored.

    Raises Conflict when recording it would.
    """
    check_standing(asked, history, now)
    persons = sorted({asked.person, *asked.actor.persons, *(decision.person_id for decision in history)})
    would: list[Decision] = []
    for person in persons:
        own = [decision for decision in history if decision.person_id == person]
        version = max((decision.version for decision in own), default=0)
        for number, subject in enumerate(subjects_to_record(asked, own, now), start=1):
            bare = replace(asked, evidence={})
            would.append(decision_from(_NO_RING, bare, person, version + number, subject, now))
    return standing(history, now), standing([*history, *would], now)
