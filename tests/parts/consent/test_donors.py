"""Who donates, asked at the moment of a build."""

from __future__ import annotations

from datetime import timedelta

from consent.decision import Answer, donation_to
from consent.donors import donors, store_lags
from consent.efforts import EARLY_SIGNS, LIVING_WELL
from consent.person_identity import link_persons
from database.context import as_propagation, as_release
from tests.parts.consent.conftest import World
from tests.parts.consent.people import patient, person
from tests.parts.consent.receiver import Receiver


def test_only_a_standing_yes_at_build_time(world: World) -> None:
    """X-08, CON-09, X-05: revoked, expired, opted out, never asked: absent; the version is kept with the build."""
    rosa, ben, ada, kim, lee = (person(world.database, number) for number in range(5))
    for who in (rosa, ben, kim):
        world.press(who, donation_to("living-well"), Answer.YES)
    world.press(ben, donation_to("living-well"), Answer.NO)
    ends = world.clock() + timedelta(days=1)
    world.press(ada, donation_to("living-well"), Answer.YES, expires_at=ends)
    for who in (rosa, lee):
        world.press(who, donation_to("early-signs"), Answer.YES)
    world.press(lee)
    world.press(kim)
    with world.database.worker.begin(as_release()) as session:
        now = world.clock()
        found = {donor.person: donor.version for donor in donors(session, LIVING_WELL, now)}
        assert found == {rosa: 2, ada: 1, kim: 2}
        later = donors(session, LIVING_WELL, ends)
        assert ada not in {donor.person for donor in later}
        assert [donor.person for donor in donors(session, EARLY_SIGNS, now)] == [rosa]


def test_a_linked_no_counts(world: World) -> None:
    """CON-10: a no under another hospital's name removes the donor everywhere."""
    rosa, there = person(world.database, 1), person(world.database, 1, "lakeside")
    world.press(rosa, donation_to("living-well"), Answer.YES)
    link_persons(world.database.web, world.database.keyring, patient(rosa, there), rosa, there, world.clock())
    with world.database.worker.begin(as_release()) as session:
        assert [donor.person for donor in donors(session, LIVING_WELL, world.clock())] == [rosa]
    world.press(there, donation_to("living-well"), Answer.NO)
    with world.database.worker.begin(as_release()) as session:
        assert donors(session, LIVING_WELL, world.clock()) == ()


def test_a_lagging_store_gets_nothing_new(world: World, platform: Receiver) -> None:
    """SUB-10: behind for longer than allowed, never greeted or unknown, means no release."""
    allowed = timedelta(minutes=15)

    def lags(store: str) -> bool:
        with world.database.worker.begin(as_propagation()) as session:
            return store_lags(session, store, world.clock(), allowed)

    assert lags("nowhere")
    assert lags("cancerlinq"), "it has not answered a handshake yet"
    world.drain("cancerlinq")
    assert not lags("cancerlinq")
    world.press(person(world.database, 1))
    world.sequence()
    assert not lags("cancerlinq")
    world.clock.tick(16 * 60)
    assert lags("cancerlinq")
    world.drain("cancerlinq")
    assert not lags("cancerlinq")
