"""Everyone's standing in memory, followed decision by decision. No clock, database or thread of its own.

A person is a number (`person_no`) and, in flat arrays, the numbers of their cut history, of the names a hospital has
for them and of the *profile* the two make. Few profiles serve all; `columns.py` puts each to the rules once.
Decisions are applied in the order of a person's versions, each once; after a gap the person is doubted: denied.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from pyroaring import BitMap

from consent.coverage import KnownAs
from consent.decide.history import Entries, added, next_change, parse_entry, settled, standing_of
from consent.standing import Standing

NOBODY, DOUBTED, BLANK = 0, 1, 2


class Name(NamedTuple):
    """One name's kind: who issued it, the practice where it counts, its identifier system (never its value)."""

    issued_by: str
    practice: str
    system: str


Names = frozenset[Name]


@dataclass(frozen=True)
class Installation:
    """From `providers.toml`: the practices that take part in CancerLinQ, and each provider's state."""

    taking_part: frozenset[str]
    states: Mapping[str, str]


class Profile:
    """What the rules need to know of a person, whoever they are. `people`: one settled history per linked person."""

    def __init__(self, people: tuple[Entries, ...] | None, names: Names, installation: Installation) -> None:
        self._people = people
        self.known = KnownAs(
            frozenset((name.practice, name.system) for name in names),
            frozenset(installation.states[name.issued_by] for name in names if name.issued_by in installation.states),
        )
        self.participates = any(name.practice in installation.taking_part for name in names)

    @cached_property
    def standing(self) -> Standing | None:
        """None where it cannot be told: the rules then say no, but for what the law requires."""
        return None if self._people is None else standing_of(self._people)


class Snapshot:
    """All persons up to `position` and `now` (microseconds). For one thread at a time."""

    def __init__(self, installation: Installation) -> None:
        self.position, self.now = 0, 0
        self.installation = installation
        nobody, blank = frozenset[Name](), ((),)
        self.profiles = [Profile(who, nobody, installation) for who in (None, None, blank)]
        self.shown = array("I", [NOBODY])
        self._state, self._names, self._version = array("I", [0]), array("I", [0]), array("I", [0])
        self._states: list[Entries] = [()]
        self._state_numbers: dict[Entries, int] = {(): 0}
        self._next_state: dict[tuple[int, str], int] = {}
        self._name_sets: list[Names] = [nobody]
        self._name_numbers: dict[Names, int] = {nobody: 0}
        self._next_names: dict[tuple[int, Name], int] = {}
        self._profile_numbers: dict[tuple[int, int], int] = {(0, 0): BLANK}
        self._group_profiles: dict[tuple[tuple[int, ...], int], int] = {}
        self._dated: dict[int, Entries] = {}
        self._due: list[tuple[int, int]] = []
        self._doubted: set[int] = set()
        self._pairs: dict[tuple[int, int], tuple[int, bool]] = {}
        self._met: dict[int, set[int]] = {}
        self._groups: dict[int, tuple[int, ...]] = {}
        self._members: list[BitMap] | None = None
        self._moved: list[int] = []

    def moved(self) -> list[int]:
        """Whose profile changed since this was last asked."""
        moved, self._moved = self._moved, []
        return moved

    def decide(self, person: int, version: int, text: str) -> None:
        """Apply one decision (`text` as the ledger view writes it). Seen before: nothing; after a gap: doubt."""
        if person >= len(self.shown):
            self._grow(person)
        known = self._version[person]
        if version != known + 1:
            if version > known:
                self._doubt(person)
            return
        try:
            self._add(person, text)
        except ValueError:  # a kind of answer that this version does not know
            self._doubt(person)
            return
        self._version[person] = version
        self._refresh(person)

    def decide_all(self, decided: Iterable[tuple[int, int, str]]) -> None:
        """`decide` for each, in order; sooner for those whose new state and profile others have had before."""
        known, states, names, dated = self._version, self._state, self._names, self._dated
        next_state, profile_of = self._next_state.get, self._profile_numbers.get
        for person, version, text in decided:
            then = profile = None
            if person < len(known) and known[person] + 1 == version and person not in dated:
                then = next_state((states[person], text))
            if then is not None and person not in self._groups and person not in self._doubted:
                profile = profile_of((then, names[person]))
            if then is None or profile is None:
                self.decide(person, version, text)
                continue
            states[person], known[person] = then, version
            self._show(person, profile)

    def name(self, person: int, name: Name) -> None:
        """A hospital knows this person by a name of this kind."""
        self._grow(person)
        before = self._names[person]
        then = self._next_names.get((before, name))
        if then is None:
            names = self._name_sets[before] | {name}
            then = self._next_names[before, name] = self._number_names(names)
        if then != before:
            self._names[person] = then
            self._refresh(person)

    def link(self, row: int, one: int, other: int, linked: bool) -> None:
        """Two persons joined or parted by the link row numbered `row`; the highest row of a pair counts."""
        for person in (one, other):
            self._grow(person)
        pair = (min(one, other), max(one, other))
        if self._pairs.get(pair, (0, False))[0] >= row:
            return
        self._pairs[pair] = (row, linked)
        self._met.setdefault(one, set()).add(other)
        self._met.setdefault(other, set()).add(one)
        touched = {one, other, *self._groups.get(one, ()), *self._groups.get(other, ())}
        for person in touched:
            self._groups.pop(person, None)
        while touched:
            group = self._reached(touched.pop())
            touched -= group
            if len(group) > 1:
                self._groups.update(dict.fromkeys(group, tuple(sorted(group))))
            self._refresh(min(group))

    def advance(self, now: int) -> None:
        """Time has come to `now` (microseconds): yeses begin and run out. It never goes back."""
        self.now = max(now, self.now)
        while self._due and self._due[0][0] <= self.now:
            _, person = heapq.heappop(self._due)
            entries = self._dated.get(person)
            if entries is not None:
                self._settle(person, entries)
                self._refresh(person)

    def members(self, profiles: Iterable[int]) -> BitMap:
        """The persons of these profiles; kept current from the first time it is asked."""
        if self._members is None:
            found: dict[int, array[int]] = {}
            for person, profile in enumerate(self.shown):
                found.setdefault(profile, array("I")).append(person)
            self._members = [BitMap(found.get(number, ())) for number in range(len(self.profiles))]
        everyone = BitMap.union(BitMap(), *(self._members[number] for number in profiles))
        everyone.discard(0)
        return everyone

    def doubts(self) -> int:
        """How many persons are denied because a version of theirs was missed."""
        return len(self._doubted)

    def _add(self, person: int, text: str) -> None:
        if text.endswith("||") and person not in self._dated:
            now = self._state[person]
            then = self._next_state.get((now, text))
            if then is None:
                then = self._next_state[now, text] = self._number(added(self._states[now], parse_entry(text)))
            self._state[person] = then
            return
        entries = self._dated.get(person) or self._states[self._state[person]]
        self._settle(person, added(entries, parse_entry(text)))

    def _doubt(self, person: int) -> None:
        self._doubted.add(person)
        self._refresh(person)

    def _grow(self, person: int) -> None:
        missing = person + 1 - len(self.shown)
        if missing > 0:
            for kept, value in ((self._state, 0), (self._names, 0), (self._version, 0), (self.shown, BLANK)):
                kept.extend(array("I", [value]) * missing)
            if self._members is not None:
                self._members[BLANK].add_range(person + 1 - missing, person + 1)

    def _number(self, entries: Entries) -> int:
        number = self._state_numbers.setdefault(entries, len(self._states))
        if number == len(self._states):
            self._states.append(entries)
        return number

    def _number_names(self, names: Names) -> int:
        number = self._name_numbers.setdefault(names, len(self._name_sets))
        if number == len(self._name_sets):
            self._name_sets.append(names)
        return number

    def _settle(self, person: int, entries: Entries) -> None:
        self._state[person] = self._number(settled(entries, self.now))
        due = next_change(entries, self.now)
        if due is None:
            self._dated.pop(person, None)
        else:
            self._dated[person] = entries
            heapq.heappush(self._due, (due, person))

    def _refresh(self, person: int) -> None:
        """Find the profile of a person and of all linked to them."""
        group = self._groups.get(person) if self._groups else None
        if group is None:
            doubted = self._doubted and person in self._doubted
            self._show(person, DOUBTED if doubted else self._own_profile(person))
            return
        profile = self._group_profile(group)
        for member in group:
            self._show(member, profile)

    def _own_profile(self, person: int) -> int:
        key = (self._state[person], self._names[person])
        number = self._profile_numbers.get(key)
        if number is None:
            number = self._profile_numbers[key] = self._add_profile((key[0],), self._name_sets[key[1]])
        return number

    def _group_profile(self, group: tuple[int, ...]) -> int:
        if not self._doubted.isdisjoint(group):
            return DOUBTED
        states = tuple(sorted(self._state[member] for member in group))
        names = frozenset().union(*(self._name_sets[self._names[member]] for member in group))
        key = (states, self._number_names(names))
        number = self._group_profiles.get(key)
        if number is None:
            number = self._group_profiles[key] = self._add_profile(states, names)
        return number

    def _add_profile(self, states: tuple[int, ...], names: Names) -> int:
        people = tuple(self._states[state] for state in states)
        self.profiles.append(Profile(people, names, self.installation))
        if self._members is not None:
            self._members.append(BitMap())
        return len(self.profiles) - 1

    def _show(self, person: int, profile: int) -> None:
        if self._members is not None:
            self._members[self.shown[person]].discard(person)
            self._members[profile].add(person)
        self._moved.append(person)
        self.shown[person] = profile

    def _reached(self, start: int) -> set[int]:
        """Everyone linked to `start` now, through any number of links."""
        reached, edge = {start}, [start]
        while edge:
            person = edge.pop()
            for other in self._met.get(person, ()):
                if self._pairs[min(person, other), max(person, other)][1] and other not in reached:
                    reached.add(other)
                    edge.append(other)
        return reached
