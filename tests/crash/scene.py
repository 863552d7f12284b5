"""One person of a storm, and ways to change what was recorded of them: for faults that are planted afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.crash.evidence import CANCERLINQ, Answered, Effect, Evidence, Holding, Name, StoreSeen, Told
from tests.crash.matching import effects_by_person

FEW = 12


@dataclass(frozen=True)
class Scene:
    """Where a fault is planted: one person, known to `store` (which keeps every decision) and to `effort` by a code."""

    evidence: Evidence
    name: Name
    other: Name
    store: StoreSeen
    effort: StoreSeen
    code: str
    chance: random.Random

    @property
    def told(self) -> Told:
        return self.evidence.people[self.name]

    @property
    def holding(self) -> Holding:
        return self.store.holdings[self.name]

    def answered(self, subject: str = CANCERLINQ) -> list[Answered]:
        return sorted((one for one in self.told.answered if one.subject == subject), key=lambda one: one.version)

    def some(self) -> Answered:
        """An acknowledged decision about CancerLinQ that is not the newest."""
        return self.chance.choice(self.answered()[:-1])

    def person(self, **changed: object) -> Evidence:
        """The evidence with another log of this person."""
        return replace(self.evidence, people={**self.evidence.people, self.name: replace(self.told, **changed)})  # type: ignore[arg-type]  # changes are fields by name

    def with_store(self, store: StoreSeen) -> Evidence:
        return replace(
            self.evidence, stores=tuple(store if one.id == store.id else one for one in self.evidence.stores)
        )

    def effects(self, change: Callable[[list[Effect]], list[Effect]], name: Name | None = None) -> Evidence:
        """The store with other effects of one person, in its list and in what it says of the person."""
        name = name or self.name
        held = self.store.holdings[name]
        own = {effect.event for effect in held.effects}
        places = [number for number, effect in enumerate(self.store.effects) if effect.event in own]
        code = self.store.effects[places[0]].code
        after = [replace(effect, code=code) for effect in change(list(held.effects))]
        every = list(self.store.effects)
        for place, effect in zip(places, after, strict=False):
            every[place] = effect
        gone = set(places[len(after) :])
        every = [effect for number, effect in enumerate(every) if number not in gone] + after[len(places) :]
        last = (after[-1].version, after[-1].answer) if after else None
        holdings = {**self.store.holdings, name: replace(held, effects=tuple(after), standing=last)}
        return self.with_store(replace(self.store, effects=tuple(every), holdings=holdings))

    def effort_effects(self, change: Callable[[list[Effect]], list[Effect]]) -> Evidence:
        own = change([effect for effect in self.effort.effects if effect.code == self.code])
        rest = [effect for effect in self.effort.effects if effect.code != self.code]
        return self.with_store(replace(self.effort, effects=(*rest, *own)))

    def hold(self, **changed: object) -> Evidence:
        held = replace(self.holding, **changed)  # type: ignore[arg-type]  # changes are fields by name
        return self.with_store(replace(self.store, holdings={**self.store.holdings, self.name: held}))

    def fresh_event(self) -> int:
        return max(effect.event for one in self.evidence.stores for effect in one.effects) + 1


def highest(scene: Scene) -> int:
    """The highest version of the person that anybody knows of."""
    seen = [effect.version for one in scene.evidence.stores for effect in effects_of(one, scene.name)]
    return max([one.version for one in scene.told.answered] + seen)


def effects_of(store: StoreSeen, name: Name) -> Sequence[Effect]:
    held = store.holdings.get(name)
    return held.effects if held else ()


def listed(scene: Scene) -> list[str]:
    known = [one.decision for one in scene.answered(CANCERLINQ) + scene.answered(scene.effort.subject)]
    return list(scene.told.listed) if scene.told.listed else sorted(set(known))


def scene_of(evidence: Evidence, chance: random.Random) -> Scene:
    """Somebody with enough decisions of each kind, among a few people of the evidence, in a store that keeps every
    decision and in an effort's."""
    kept = next(one for one in evidence.stores if one.subject == CANCERLINQ and not one.newest_only)
    effort = next(one for one in evidence.stores if one.subject != CANCERLINQ)
    codes = _codes(effort, evidence)
    able = [name for name in sorted(evidence.people) if name in codes and _is_able(evidence.people[name], kept)]
    name, *others = chance.sample(able, min(FEW, len(able)))
    few = _narrowed(evidence, {name, *others}, codes)
    kept, effort = (next(one for one in few.stores if one.id == each.id) for each in (kept, effort))
    return Scene(few, name, others[0], kept, effort, codes[name], chance)


def _is_able(told: Told, store: StoreSeen) -> bool:
    about = {one.version for one in told.answered if one.subject == CANCERLINQ}
    return len(about) >= 4 and {effect.answer for effect in effects_of(store, told.name)} == {"yes", "no"}


def _codes(effort: StoreSeen, evidence: Evidence) -> dict[Name, str]:
    """The effort's code of each person who decided about it."""
    found = effects_by_person(effort, evidence.people, lambda *_: None)
    return {name: effects[0].code for name, effects in found.items() if effects}


def _narrowed(evidence: Evidence, names: set[Name], codes: dict[Name, str]) -> Evidence:
    """The evidence about these people alone."""
    stores = []
    for store in evidence.stores:
        holdings = {name: held for name, held in store.holdings.items() if name in names}
        events = {effect.event for held in holdings.values() for effect in held.effects}
        theirs = {codes[name] for name in names}
        of_effort = store.subject != CANCERLINQ
        effects = [one for one in store.effects if (one.code in theirs if of_effort else one.event in events)]
        held = min(store.held, 0) if of_effort else store.held
        stores.append(replace(store, effects=tuple(effects), holdings=holdings, held=held))
    return Evidence({name: evidence.people[name] for name in names}, tuple(stores))
