"""Lines that the database builds: byte for byte what the rules and the wire make of the same decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from consent.backfill.standing import PARTS_AHEAD, Standing
from consent.decision import CANCERLINQ, Answer, donation_to
from consent.feed.read_ahead import ReadAhead, run_end
from consent.feed.read_events import numbered, read_events, standing_positions
from consent.feed.read_lines import read_lines, read_lines_at
from consent.feed.rebuild import number
from consent.person_identity import Alias, add_alias
from consent.store_config import Kind, Store, Transport
from consent.stores.lines import Line, Lines, lines_message
from consent.wire import message
from database.context import as_propagation
from tests.parts.consent.conftest import World
from tests.parts.consent.people import RIVERSIDE, person
from tests.pure.consent.stores import CANCERLINQ_STORE, EARLY_SIGNS_STORE, LIVING_WELL_STORE, TEMPUS

BY_LINES = [replace(store, transport=Transport.NDJSON) for store in (CANCERLINQ_STORE, TEMPUS, LIVING_WELL_STORE)]
BY_LINES.append(replace(EARLY_SIGNS_STORE, transport=Transport.NDJSON))


def _lived(world: World) -> int:
    """Yes and no, two names, quotes and other scripts in a name, dates, efforts; returns the positions."""
    rosa, ben, carla = (person(world.database, number) for number in (1, 2, 3))
    odd = Alias("riverside", RIVERSIDE, 'MRN "1"\\\u00e9\u4e2d\t', "riverside-main")
    add_alias(world.database.web, world.database.keyring, rosa, odd, world.clock())
    for who, subject, answer in (
        (rosa, CANCERLINQ, Answer.NO),
        (rosa, CANCERLINQ, Answer.YES),
        (ben, donation_to("living-well"), Answer.YES),
        (ben, donation_to("early-signs"), Answer.YES),
        (ben, CANCERLINQ, Answer.NO),
        (ben, donation_to("living-well"), Answer.NO),
    ):
        world.press(who, subject, answer)
    world.press(carla, donation_to("living-well"), Answer.YES, starts_at=world.clock() + timedelta(days=3))
    return world.sequence()


@pytest.mark.parametrize("store", BY_LINES, ids=lambda store: store.id)
def test_lines_are_what_the_rules_say(world: World, store: Store) -> None:
    """SUB-04, SUB-07: the same events, names and bytes as by way of each decision; single positions the same again."""
    top, now, ring = _lived(world), world.clock(), world.database.keyring
    with world.database.worker.begin(as_propagation()) as session:
        lines = read_lines(session, ring, store, 0, top, now)
        events = numbered(read_events(session, ring, store, 0, top, now), store, 5)
        again = read_lines_at(session, ring, store, [line.position for line in lines])
    assert events, "something is told"
    assert lines_message(_line_events(lines, store)) == message(store, events)
    assert again == lines
    assert [(line.version, line.person) for line in lines] == [
        (event.version, str(event.person_id)) for event in events
    ]


def _line_events(lines: Any, store: Store) -> Any:
    return number(lines, store, 5)


@pytest.mark.parametrize("kind", [Kind.WEBHOOK, Kind.SQL])
@pytest.mark.parametrize("only_no", [False, True])
def test_what_stands_is_streamed_as_it_is_read_by_keys(world: World, kind: Kind, only_no: bool) -> None:
    """SUB-08: a long backfill's parts are what each store is told by keys, from any place on, and again when asked."""
    top, ring, store = _lived(world), world.database.keyring, replace(BY_LINES[0], kind=kind)
    with world.database.worker.begin(as_propagation()) as session:
        found, _ = standing_positions(session, store, (0, top), top, most=100, only_no=only_no)
        expected = list(read_lines_at(session, ring, store, found))
    told: list[Line] = []
    stream, start = Standing(world.database.worker, ring, store, (0, top), 2, only_no=only_no), 0
    while start < top:
        while (taken := stream.take(start, 9)) is None:
            assert stream.comes, "nothing came"
            stream.wait(60)
        part, stop = taken
        assert stream.take(start, 9) == (part, stop), "asked again"
        one_by_one = [stream.take(position, 1) for position in range(start, stop)]
        assert [line for one, _ in one_by_one for line in one] == list(part)  # type: ignore[misc]  # it is there
        assert [end for _, end in one_by_one] == list(range(start + 1, stop + 1))  # type: ignore[misc]  # it is there
        told += part
        start = stop
    assert expected
    assert told == expected
    stream._thread.join(60)
    assert not stream.comes


def test_a_backfill_holds_few_parts_however_many_there_are(world: World, monkeypatch: Any) -> None:
    """G3.9: what the database is asked for goes a few parts beyond what was taken, and never more than a few together:
    memory does not grow with people."""
    monkeypatch.setattr("consent.backfill.standing.AT_ONCE", 1)
    top, find, asked = _lived(world), Standing._find, [0]

    def watched(stream: Standing, start: int, parts: int) -> Any:
        asked.append(start)
        rows, end = find(stream, start, parts)
        assert len(rows) <= parts == end - start == 1
        return rows, end

    monkeypatch.setattr(Standing, "_find", watched)
    stream = Standing(world.database.worker, world.database.keyring, BY_LINES[0], (0, top), 1, only_no=False)
    for start in range(top):
        while stream.take(start, 1) is None:
            assert stream.comes, "nothing came"
            stream.wait(60)
        assert max(asked) <= start + PARTS_AHEAD + 3, "in hand, waiting to be queued, and being found"
    assert asked == [0, *range(top)]


def test_a_run_is_read_once_for_stores_told_alike(world: World) -> None:
    """SUB-07: the run read ahead is the one read late; the ledger's unfinished end is never kept."""
    top, ring = _lived(world), world.database.keyring
    one, other = BY_LINES[1], replace(BY_LINES[1], id="another")
    ahead = ReadAhead(world.database.worker, ring, world.clock)
    try:
        assert ahead.take(one, 0, 4) is None, "nobody began it"
        for store in (one, other):
            ahead.begin(store, 0, 4)
            ahead.wait(store)
        taken = ahead.take(one, 0, 4)
        with world.database.worker.begin(as_propagation()) as session:
            assert taken == read_lines(session, ring, one, 0, 4, world.clock())
        assert ahead.take(other, 0, 4) is taken
        ahead.begin(one, 4, 4) if top < 8 else None
        ahead.wait(one)
        assert ahead.take(one, 4, 8) is None, "the ledger has not come so far"
    finally:
        ahead.close()
    assert [run_end(start, 1_000) for start in (0, 1, 999, 1_000)] == [1_000, 1_000, 1_000, 2_000]


def test_the_head_is_read_once_for_stores_told_alike(world: World) -> None:
    """SUB-07: each position is read by one of the stores that are told alike, whatever place each of them is at; one
    that is far behind reads for itself, and so does the store of an effort, which makes codes where it reads."""
    top, ring, one, donors = _lived(world), world.database.keyring, BY_LINES[1], BY_LINES[2]
    ahead, asked = ReadAhead(world.database.worker, ring, world.clock), []
    with world.database.worker.begin(as_propagation()) as session:

        def told(store: Store, start: int, stop: int) -> Lines:
            return read_lines(session, ring, store, start, stop, world.clock())

        def read(store: Store, start: int, stop: int) -> None:
            def now(start: int, stop: int) -> Lines:
                asked.append((start, stop))
                return told(store, start, stop)

            assert ahead.head(store, start, stop, now) == told(store, start, stop)

        other = replace(one, id="another")
        for store, start, stop in ((one, 2, 4), (other, 2, 5), (one, 4, 5), (other, 3, top), (one, 5, top)):
            read(store, start, stop)
        assert asked == [(2, 4), (4, 5), (5, top)], "no position twice"
        read(one, 1, top)
        read(replace(one, practices=frozenset({"riverside-main"})), 2, top)
        read(donors, 2, top)
        read(replace(donors), 2, top)
        read(one, top + 5, top + 6)
    assert asked[3:] == [(1, top), (2, top), (2, top), (2, top), (top + 5, top + 6)]
