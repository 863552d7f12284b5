"""The nightly feeds: hospitals to platform and registry, platform to curators. A removed person stays out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from sandbox.people import population
from sandbox.store.config import MRN_SYSTEMS, StoreConfig
from sandbox.store.memory import Memory
from sandbox.store.obey import now_text, person_code


@dataclass(frozen=True)
class FedPerson:
    """One person in a feed: the identifier by which the sender knows them, and the FHIR resources it sends."""

    hospital: str
    system: str
    value: str
    label: str
    resources: tuple[dict[str, Any], ...]


People = Callable[[], Sequence[FedPerson]]


@dataclass(frozen=True)
class FeedReport:
    """What one feed brought: people taken in, people turned away by the suppression key, entries filed."""

    taken: int
    suppressed: int
    entries: int


class FeedFailed(Exception):
    """The platform did not answer as agreed; nothing was changed."""


def fed_people(population: Iterable[Any]) -> tuple[FedPerson, ...]:
    """Turn synthetic people (`hospital`, `mrn`, `given`, `family`, `resources()`) into what a hospital feed carries."""
    return tuple(
        FedPerson(
            hospital=person.hospital,
            system=MRN_SYSTEMS[person.hospital],
            value=person.mrn,
            label=f"{person.given} {person.family}",
            resources=tuple(person.resources()),
        )
        for person in population
    )


def hospital_people() -> tuple[FedPerson, ...]:
    """Everyone in the sandbox hospitals, as tonight's feed carries them."""
    return fed_people(population())


def take_in(config: StoreConfig, memory: Memory, people: Iterable[FedPerson], source: str) -> FeedReport:
    """Take the people in, in one transaction, turning away every suppressed one (the re-ingest rule)."""
    taken = turned_away = entries = 0
    with memory.change():
        for person in people:
            if config.hospitals and person.hospital and person.hospital not in config.hospitals:
                continue
            code = person_code(config, memory, person.system, person.value)
            if memory.is_suppressed(code):
                turned_away += 1
                continue
            memory.keep(code, person.system, person.value, person.label, source, list(person.resources))
            taken += 1
            entries += len(person.resources)
        memory.set_fact("last_feed", now_text())
        memory.note(
            now_text(),
            f"Nightly feed: {taken} people taken in, {turned_away} turned away because they are out,"
            f" {entries} entries.",
        )
    return FeedReport(taken, turned_away, entries)


def platform_list(config: StoreConfig) -> dict[str, Any]:
    """Everyone the platform holds now, read over HTTP with the token the two share."""
    if not config.platform:
        raise FeedFailed("no platform is configured")
    try:
        answer = requests.get(
            f"{config.platform}/people",
            headers={"authorization": f"Bearer {config.feed_token or ''}"},
            timeout=20,
            allow_redirects=False,
        )
        if answer.status_code != 200:
            raise FeedFailed(f"the platform answered {answer.status_code}")
        listed: dict[str, Any] = answer.json()
        people = listed["people"]
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise FeedFailed(f"the platform could not be read: {type(error).__name__}") from None
    if not isinstance(people, list):
        raise FeedFailed("the platform's list is not a list")
    return listed


def from_platform(listed: dict[str, Any]) -> tuple[FedPerson, ...]:
    return tuple(
        FedPerson(
            hospital=str(one.get("hospital", "")),
            system=str(one["system"]),
            value=str(one["value"]),
            label=str(one.get("label", "")),
            resources=tuple(one.get("resources", ())),
        )
        for one in listed["people"]
    )
