"""The kit asks for what it missed, of the real `$events`."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import orjson

from clients.receiver_kit.memory import Memory
from clients.receiver_kit.missed import catch_up
from clients.receiver_kit.receiver import Receiver
from consent.decision import Answer
from consent.feed.subscription import read_asked, subscription_events
from database.context import as_propagation
from tests.parts.consent.conftest import World
from tests.parts.consent.people import RIVERSIDE, person
from tests.pure.consent.stores import CANCERLINQ_STORE, OLD_SECRET, SECRET
from tests.support.postgres import TestDatabase


def test_what_was_missed_is_asked_for(database: TestDatabase) -> None:
    """SUB-05, SUB-06: a heartbeat shows the hole, `$events` fills it in runs, and the hole is closed."""
    world = World(database)
    world.add(CANCERLINQ_STORE)
    kit = Receiver("cancerlinq", [OLD_SECRET, SECRET], Memory(":memory:"), [RIVERSIDE])
    try:
        for number in (1, 2, 3):
            world.press(person(database, number))
        world.press(person(database, 4), answer=Answer.YES)
        world.drain("cancerlinq")
        kit.memory.note_announced(4)
        assert kit.memory.missing() == [(1, 4)]

        def fetch(url: str) -> bytes:
            asked = read_asked(dict(parse_qsl(urlsplit(url).query)))
            with database.worker.begin(as_propagation()) as session:
                store = world.stores["cancerlinq"]
                return orjson.dumps(subscription_events(session, database.keyring, store, asked, world.clock(), most=3))

        assert catch_up(kit, "https://portal.example/fhir/Subscription/x", fetch) == 4
        assert kit.memory.missing() == []
        answers = kit.memory.rows("SELECT answer, count(*) FROM standing GROUP BY answer ORDER BY answer")
        assert answers == [("no", 3), ("yes", 1)]
    finally:
        for client in world.clients:
            client.close()
        world.receivers["cancerlinq"].stop()
        kit.memory.close()
