"""The hospital picker: what somebody typed, and the places that fit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.context import as_nobody
from database.unit_of_work import Database
from fhir_bridge.brand_search import find_brands
from fhir_bridge.brands import Brand, wanted_words
from fhir_bridge.providers import Provider
from vocabulary.plain_text import folded

MOST_AT_FIRST = 24


@dataclass(frozen=True)
class Place:
    """One line of the picker. `provider` is where its people sign in, None when it is not connected to us yet."""

    name: str
    place: str
    provider: Provider | None
    known_as: tuple[str, ...] = ()
    logo: str = ""

    @property
    def signs_in_elsewhere(self) -> bool:
        """Whether the sign-in has another name than the place, which people should know before they see it."""
        return self.provider is not None and folded(self.provider.name) != folded(self.name)


def at_first(providers: Sequence[Provider]) -> list[Place]:
    """What is shown before anything was typed."""
    ordered = sorted(providers, key=lambda one: folded(one.name))
    return [Place(one.name, one.state, one) for one in ordered[:MOST_AT_FIRST]]


def find(database: Database, providers: Sequence[Provider], query: str) -> list[Place]:
    """Our hospitals and the known brands that fit, those that can be signed in at first."""
    words = wanted_words(query)
    if not words:
        return at_first(providers)
    ours = {one.fhir_base_url.rstrip("/"): one for one in providers}
    with database.begin(as_nobody()) as session:
        brands = find_brands(session, words, first=list(ours))
    found = [Place(one.name, one.state, one) for one in providers if _fits(one, words)]
    found += [_place(brand, ours) for brand in brands]
    return _each_once(found)


def _fits(provider: Provider, words: Sequence[str]) -> bool:
    searched = Brand(provider.fhir_base_url, provider.name, state=provider.state).searched
    return all(f" {word}" in searched for word in words)


def _place(brand: Brand, ours: dict[str, Provider]) -> Place:
    return Place(brand.name, brand.place, ours.get(brand.fhir_base_url), brand.known_as[:3], brand.logo)


def _each_once(places: Sequence[Place]) -> list[Place]:
    """A brand says more than the plain name of the same sign-in, so it stands for both."""
    better = {(folded(one.name), one.provider.id) for one in places if one.provider and (one.logo or " " in one.place)}
    kept = [
        one for one in places
        if one.provider is None or one.logo or " " in one.place or (folded(one.name), one.provider.id) not in better
    ]  # fmt: skip
    return sorted(kept, key=lambda one: one.provider is None)
