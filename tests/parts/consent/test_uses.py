"""What stores signed is in the list of who used a person's data, page by page."""

from __future__ import annotations

from consent.decision import Answer
from consent.uses import After, By, Use, read_uses
from consent.uses_as_fhir import as_bundle
from database.context import as_persons
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Receiver


def test_receipts_are_lines_about_their_decision(world: World, platform: Receiver, curator: Receiver) -> None:
    """HIP-25: each store's receipt of each of the person's decisions once, newest first; nobody else's."""
    ben, rosa = person(world.database, 1), person(world.database, 2)
    for who, answer in ((ben, Answer.NO), (rosa, Answer.NO), (rosa, Answer.YES)):
        world.press(who, answer=answer)
        world.clock.tick(1)
        for store in ("cancerlinq", "tempus"):
            world.drain(store)

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
