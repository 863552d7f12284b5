"""What stores signed is in the list of who used a person's data, page by page."""

from __future__ import annotations

import psycopg

from consent.decision import Answer
from consent.kept_receipts import one_receipt
from consent.uses import After, By, Use, read_uses
from consent.uses_as_fhir import as_bundle
from database.context import as_persons
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Receiver

SIGNED_AGAIN = (
    "INSERT INTO receipt (store_id, batch_id, event_number, version, state, removed, detail, signature, received_at)"
    f" SELECT r.store_id, r.batch_id, b.first_event, 1, r.state, 0, {one_receipt('r.detail', '0', 'b.first_event')},"
    " r.signature, r.received_at FROM receipt r JOIN store_batch b ON b.id = r.batch_id"
)


def test_receipts_are_lines_about_their_decision(world: World, platform: Receiver, curator: Receiver) -> None:
    """HIP-25: each store's receipt of each of the person's decisions once, newest first; nobody else's; what a store
    signed again word for word is no second line."""
    ben, rosa = person(world.database, 1), person(world.database, 2)
    for who, answer in ((ben, Answer.NO), (rosa, Answer.NO), (rosa, Answer.YES)):
        world.press(who, answer=answer)
        world.clock.tick(1)
        for store in ("cancerlinq", "tempus"):
            world.drain(store)
    with psycopg.connect(world.database.superuser_url) as connection:
        assert connection.execute(SIGNED_AGAIN.encode()).rowcount > 0

    def page(after: After | None = None, by: By | None = None) -> tuple[Use, ...]:
        with world.database.web.begin(as_persons(rosa)) as session:
            return read_uses(session, [rosa], by, after, 3)

    first = page()
    rest = page(After.read(After.of(first[-1])))
    lines = [*first, *rest]
    assert sorted((use.who, use.position) for use in lines) == [
        ("cancerlinq", 1), ("cancerlinq", 2), ("tempus", 1), ("tempus", 2),
    ]  # fmt: skip
    assert [use.key for use in lines] == sorted((use.key for use in lines), reverse=True)
    assert {use.detail["state"] for use in lines} == {"applied"}
    assert page(by=By.RESEARCH) == ()
    bundle = as_bundle(lines, {}, world.clock())
    assert [each["resource"]["agent"][0]["who"]["identifier"]["value"] for each in bundle["entry"]] == [
        use.who for use in lines
    ]
