"""Which topics there are, and by which ways a person is told of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.mails import MAIL_KINDS
from notifications.texts import KINDS, STARTED_BY_SERVICE
from notifications.topics import TOPICS, WAYS, Way, ways_for

ways = st.sampled_from(WAYS)


def test_every_topic_has_its_words() -> None:
    """SMS-08: a topic's words exist as a text and as a mail, and what the service starts is known as such."""
    for topic in TOPICS.values():
        assert topic.kind in KINDS
        assert topic.kind in MAIL_KINDS
        assert topic.started is (topic.kind in STARTED_BY_SERVICE)
        assert str(topic.about).endswith((".", "is."))


@given(topic=st.sampled_from(sorted(TOPICS)), open_ways=st.sets(ways), chosen=st.dictionaries(ways, st.booleans()))
def test_a_way_is_taken_only_if_it_is_open_and_not_refused(
    topic: str, open_ways: set[Way], chosen: dict[Way, bool]
) -> None:
    """SMS-01, SMS-04: never by a closed or a refused way; the one exception is the letter that must reach."""
    about = TOPICS[topic]
    for way in ways_for(about, open_ways, chosen):
        if way == "letter" and about.must_reach:
            continue
        assert way in open_ways
        assert chosen.get(way) is not False
        assert about.wanted or chosen.get(way)


@given(open_ways=st.sets(ways), chosen=st.dictionaries(ways, st.booleans()))
def test_what_a_care_team_did_always_reaches(open_ways: set[Way], chosen: dict[Way, bool]) -> None:
    """Abuse 10: whatever was chosen, at least one way is left."""
    assert ways_for(TOPICS["care-team"], open_ways, chosen)


@pytest.mark.parametrize(
    ("topic", "open_ways", "chosen", "told"),
    [
        ("confirmations", {"sms", "email"}, {}, ("sms",)),  # nobody is told twice who did not ask for it
        ("confirmations", {"sms", "email"}, {"email": True}, ("email",)),
        ("confirmations", {"sms", "email"}, {"sms": True, "email": True}, ("sms", "email")),
        ("confirmations", {"sms", "email"}, {"sms": False}, ("email",)),
        ("confirmations", {"email"}, {}, ("email",)),
        ("confirmations", set(), {}, ()),
        ("re-consent", {"sms"}, {}, ()),  # texts about it were never agreed to
        ("re-consent", {"sms"}, {"sms": True}, ("sms",)),
        ("new-records", {"sms", "email"}, {}, ()),
        ("new-records", {"email"}, {"email": True}, ("email",)),
        ("care-team", {"sms"}, {}, ("sms",)),
        ("care-team", {"letter"}, {}, ("letter",)),
        ("care-team", {"sms", "email"}, {"sms": False, "email": False}, ("letter",)),
        ("late", {"letter"}, {"letter": True}, ("letter",)),
    ],
)
def test_ways_a_topic_goes_by(topic: str, open_ways: set[Way], chosen: dict[Way, bool], told: tuple[Way, ...]) -> None:
    """Issue 5: each yes is obeyed; without one, the first open way, once."""
    assert ways_for(TOPICS[topic], open_ways, chosen) == told
