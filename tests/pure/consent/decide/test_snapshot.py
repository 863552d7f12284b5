"""The snapshot never says anything but what the rules say of the whole history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consent.coverage import KnownAs
from consent.decide.columns import Columns, Question
from consent.decide.history import added, entry_of, micros, settled, standing_of
from consent.decide.snapshot import Installation, Name, Snapshot
from consent.decision import CANCERLINQ, Answer, DataCategory, Decision, SensitiveClass, Subject, donation_to
from consent.efforts import EARLY_SIGNS, LIVING_WELL
from consent.may_use import Permission, Purpose, Reason, may_use
from consent.standing import standing
from tests.pure.consent.decisions import T0, decided
from tests.pure.consent.stores import ALL_STORES, RIVERSIDE
from tests.support.draws import draws

HERE = Installation(frozenset({"riverside-main"}), {"riverside": "MA", "lakeside": "NY"})
NAMES = [Name("riverside", "riverside-main", RIVERSIDE), Name("lakeside", "lakeside-main", "urn:oid:lake")]
SUBJECTS: list[Subject] = [CANCERLINQ, CANCERLINQ, donation_to("living-well"), donation_to("early-signs")]
STORES = {store.id: store for store in ALL_STORES}
GENETIC = frozenset({SensitiveClass.GENETIC})
NOTHING = frozenset[SensitiveClass]()
QUESTIONS = [
    *(
        Question(store, DataCategory.CLINICAL, Purpose.RESEARCH, kind)
        for kind in (NOTHING, GENETIC)
        for store in STORES
    ),
    *(Question(store, DataCategory.THERAPY, Purpose.RESEARCH) for store in ("living-well", "early-signs")),
    *(Question(store, DataCategory.CLINICAL, Purpose.OPERATIONS) for store in ("cancerlinq", "discovery")),
    Question("registry", DataCategory.CLINICAL, Purpose.PUBLIC_HEALTH),
]
PERSONS = (1, 2, 4)


def text_of(decision: Decision) -> str:
    """A decision as the ledger view writes it."""
    entry = entry_of(decision)
    return "|".join(
        (
            entry.effort,
            decision.answer.value,
            ",".join(sorted(entry.categories)),
            ",".join(sorted(entry.sensitive)),
            "" if entry.starts is None else str(entry.starts),
            "" if entry.ends is None else str(entry.ends),
        )
    )


@dataclass
class Truth:
    """The whole history, and the rules asked about all of it each time."""

    now: datetime = T0
    histories: dict[int, list[Decision]] = field(default_factory=lambda: {person: [] for person in PERSONS})
    names: dict[int, set[Name]] = field(default_factory=lambda: {person: set() for person in PERSONS})
    links: dict[tuple[int, int], bool] = field(default_factory=dict)

    def group(self, person: int) -> set[int]:
        reached = {person}
        while True:
            more = {other for pair, on in self.links.items() if on and reached & set(pair) for other in pair}
            if more <= reached:
                return reached
            reached |= more

    def answer(self, question: Question, person: int) -> Permission:
        group = self.group(person)
        names = {name for member in group for name in self.names[member]}
        known = KnownAs(
            frozenset((name.practice, name.system) for name in names),
            frozenset(HERE.states[name.issued_by] for name in names),
        )
        return may_use(
            STORES[question.store],
            question.category,
            question.sensitive,
            question.purpose,
            standing([d for member in group for d in self.histories[member]], self.now),
            known,
            participates=any(name.practice in HERE.taking_part for name in names),
        )


days = st.one_of(st.none(), st.none(), st.integers(0, 12).map(lambda d: T0 + timedelta(days=d)))
parts = st.sets(st.sampled_from(list(DataCategory)), min_size=1).map(frozenset)
decisions = st.tuples(
    st.just("decide"),
    st.sampled_from(PERSONS),
    st.sampled_from(SUBJECTS),
    st.sampled_from(list(Answer)),
    days,
    days,
    parts,
    st.sampled_from([NOTHING, GENETIC]),
)
links = st.tuples(st.just("link"), st.sampled_from([(1, 2), (2, 4), (1, 4)]), st.booleans())
names = st.tuples(st.just("name"), st.sampled_from(PERSONS), st.sampled_from(NAMES))
ticks = st.tuples(st.just("tick"), st.integers(1, 3 * 86_400))
steps = st.lists(st.one_of(decisions, decisions, decisions, links, names, ticks), max_size=14)


def follow(truth: Truth, snapshot: Snapshot, step: tuple[object, ...], row: int) -> None:
    """One step in the truth and in the snapshot; what was applied is applied twice, as a reader may."""
    kind, *rest = step
    if kind == "decide":
        person, subject, answer, starts, ends, categories, sensitive = rest
        own = truth.histories[person]  # type: ignore[index]  # what a step carries depends on its kind
        yes = answer is Answer.YES and subject != CANCERLINQ
        more = {"categories": categories, "sensitive": sensitive} if yes else {}
        own.append(
            decided(len(own) + 1, subject, answer, UUID(int=person), starts_at=starts, expires_at=ends, **more)  # type: ignore[arg-type]  # what a step carries depends on its kind
        )
        for _ in range(2):
            snapshot.decide(person, len(own), text_of(own[-1]))  # type: ignore[arg-type]  # what a step carries depends on its kind
    elif kind == "link":
        pair, on = rest
        truth.links[pair] = on  # type: ignore[index,assignment]  # what a step carries depends on its kind
        snapshot.link(row, pair[1], pair[0], on)  # type: ignore[index,arg-type]  # what a step carries depends on its kind
        snapshot.link(row - 1, pair[0], pair[1], not on)  # type: ignore[index]  # what a step carries depends on its kind
    elif kind == "name":
        person, name = rest
        truth.names[person].add(name)  # type: ignore[index,arg-type]  # what a step carries depends on its kind
        snapshot.name(person, name)  # type: ignore[arg-type]  # what a step carries depends on its kind
    else:
        truth.now += timedelta(seconds=rest[0])  # type: ignore[arg-type]  # what a step carries depends on its kind
        snapshot.advance(micros(truth.now))
        snapshot.advance(micros(truth.now) - 5_000_000)


@given(steps)
@draws(50)
def test_the_snapshot_says_what_the_rules_say(taken: list[tuple[object, ...]]) -> None:
    """CON-05, CON-06, CON-09, CON-10, X-05, X-06: equal after every step, for every person, store, class, purpose."""
    truth, snapshot = Truth(), Snapshot(HERE)
    snapshot.advance(micros(truth.now))
    columns = Columns(snapshot, STORES)
    sets = {question: columns.permitted(question) for question in QUESTIONS[4:6]}
    for row, step in enumerate(taken, start=1):
        follow(truth, snapshot, step, row * 2)
        for question in QUESTIONS:
            column = columns.column(question)
            for person in PERSONS:
                if person < len(snapshot.shown):
                    assert column[snapshot.shown[person]] == truth.answer(question, person)
        for question in sets:
            allowed = {p for p in PERSONS if truth.answer(question, p).allowed}
            assert set(columns.permitted(question)) == allowed


def test_reduced_history_is_short() -> None:
    """G4.6: a person who changes their mind a thousand times weighs no more than one who did so twice."""
    entries = ()
    for version in range(1, 1000):
        subject = SUBJECTS[version % 4]
        entries = added(entries, entry_of(decided(version, subject, list(Answer)[version % 3 == 0])))  # type: ignore[assignment]  # it begins as an empty tuple
    assert len(entries) <= 5


@given(steps)
@draws(50)
def test_cutting_the_history_changes_no_standing(taken: list[tuple[object, ...]]) -> None:
    """CON-10: of one person, the cut history stands as the whole one does, for either effort and CancerLinQ."""
    truth, snapshot = Truth(), Snapshot(HERE)
    for row, step in enumerate(taken, start=1):
        follow(truth, snapshot, step, row * 2)
    for history in truth.histories.values():
        entries = ()
        for decision in history:
            entries = added(entries, entry_of(decision))  # type: ignore[assignment]  # it begins as an empty tuple
        whole, cut = standing(history, truth.now), standing_of([settled(entries, micros(truth.now))])
        assert cut.cancerlinq.verdict is whole.cancerlinq.verdict
        for effort in (LIVING_WELL, EARLY_SIGNS):
            assert _shape(cut.donation(effort)) == _shape(whole.donation(effort))


def _shape(stands: object) -> Iterable[object]:
    return [getattr(stands, name) for name in ("verdict", "why", "categories", "sensitive")]


def test_a_missed_version_is_doubted() -> None:
    """CON-10: a gap in a person's versions denies until the snapshot is made anew."""
    snapshot = Snapshot(HERE)
    columns = Columns(snapshot, STORES)
    question = Question("living-well", DataCategory.CLINICAL, Purpose.RESEARCH)
    snapshot.decide(1, 1, "living-well|yes|clinical|||")
    assert columns.column(question)[snapshot.shown[1]] == Permission(True, Reason.DONATED)
    snapshot.decide(1, 3, "living-well|yes|clinical|||")
    assert columns.column(question)[snapshot.shown[1]] == Permission(False, Reason.UNKNOWN)
    assert snapshot.doubts() == 1
    snapshot.decide(1, 2, "living-well|yes|clinical|||")
    assert not columns.column(question)[snapshot.shown[1]].allowed


def test_a_donation_between_two_lifts_need_not_be_asked_again() -> None:
    """X-05: the first lift after the last opt-out counts, though a later one has settled it."""
    history = [
        decided(1, CANCERLINQ, Answer.NO),
        decided(2, CANCERLINQ, Answer.YES),
        decided(3, donation_to("early-signs"), Answer.YES),
        decided(4, CANCERLINQ, Answer.YES),
    ]
    snapshot = Snapshot(HERE)
    for decision in history:
        snapshot.decide(1, decision.version, text_of(decision))
    question = Question("early-signs", DataCategory.CLINICAL, Purpose.RESEARCH)
    assert standing(history, T0).donation(EARLY_SIGNS).permits
    assert Columns(snapshot, STORES).column(question)[snapshot.shown[1]].allowed
