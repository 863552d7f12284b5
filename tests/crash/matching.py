"""Whose effects are whose in one store. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tests.crash.evidence import CANCERLINQ, Effect, Name, StoreSeen, Told

Stray = Callable[[Name, str], None]
NOBODY: Name = ("", "")


def effects_by_person(store: StoreSeen, people: Mapping[Name, Told], stray: Stray) -> dict[Name, Sequence[Effect]]:
    """The effects of each person in the order the store did them; `stray` is told of those that are nobody's.

    A store that knows people by name is asked by name. An effort's store knows a person by a random code that
    nobody else knows: there, each code's effects are given to the person whose own log they fit best.
    """
    if store.subject == CANCERLINQ:
        return _by_name(store, stray)
    return _by_fit(store, people, stray)


def _by_name(store: StoreSeen, stray: Stray) -> dict[Name, Sequence[Effect]]:
    """The lookup names each effect's person; what no name owns, or two lists tell differently, is stray."""
    owner = {effect.event: name for name, holding in store.holdings.items() for effect in holding.effects}
    found: dict[Name, list[Effect]] = {name: [] for name in store.holdings}
    for effect in store.effects:
        if effect.event in owner:
            found[owner[effect.event]].append(effect)
        else:
            stray(NOBODY, f"event {effect.event}")
    for name, holding in store.holdings.items():
        listed = [(effect.event, effect.version, effect.answer) for effect in holding.effects]
        if listed != [(effect.event, effect.version, effect.answer) for effect in found[name]]:
            stray(name, "the store tells two stories")
    return dict(found)


def _by_fit(store: StoreSeen, people: Mapping[Name, Told], stray: Stray) -> dict[Name, Sequence[Effect]]:
    by_code: dict[str, list[Effect]] = {}
    for effect in store.effects:
        by_code.setdefault(effect.code, []).append(effect)
    due = {
        name: {(each.version, each.answer) for each in told.answered if each.subject == store.subject}
        for name, told in people.items()
    }
    scores = [
        (len(due[name] & {(effect.version, effect.answer) for effect in effects}), name, code)
        for code, effects in by_code.items()
        for name in due
    ]
    found: dict[Name, Sequence[Effect]] = {}
    taken: set[str] = set()
    for score, name, code in sorted(scores, key=lambda each: (-each[0], each[1], each[2])):
        if name not in found and code not in taken and (score or not due[name]):
            found[name] = by_code[code]
            taken.add(code)
    for code in sorted(set(by_code) - taken):
        stray(NOBODY, f"{len(by_code[code])} effects of an unknown subject")
    return found
