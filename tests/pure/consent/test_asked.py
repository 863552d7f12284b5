"""Whether what is asked may be recorded as things stand."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.asked import Asked, check_standing
from consent.decision import CANCERLINQ, Answer, Decision, Means, Subject, donation_to
from consent.efforts import EARLY_SIGNS
from consent.standing import standing
from tests.pure.consent.decisions import NOW, ROSA, ROSA_AT_LAKESIDE, decided
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import Conflict

VIA, DIRECT = donation_to("early-signs"), donation_to("living-well")


def asks(
    subject: Subject | None, answer: Answer, kind: ActorKind = ActorKind.PATIENT, means: Means = Means.WEB
) -> Asked:
    actor = Actor(kind, account_id=uuid4(), person=ROSA, persons=(ROSA,), provider_id="riverside")
    return Asked(actor, ROSA, subject, answer, "a-form-of-its-own", "en", means=means)


@given(
    st.lists(st.tuples(st.sampled_from([CANCERLINQ, VIA]), st.sampled_from(list(Answer)), st.booleans()), max_size=6),
    st.sampled_from(list(ActorKind)),
    st.sampled_from(list(Means)),
)
def test_a_yes_to_a_study_fed_by_cancerlinq(
    rows: list[tuple[Subject, Answer, bool]], kind: ActorKind, means: Means
) -> None:
    """X-05: it is refused exactly while an opt-out of any linked person stands, by whichever door it comes."""
    history = [
        decided(number, subject, answer, person=ROSA_AT_LAKESIDE if other else ROSA)
        for number, (subject, answer, other) in enumerate(rows, start=1)
    ]
    asked = asks(VIA, Answer.YES, kind, means)
    if not standing(history, NOW).opted_out:
        check_standing(asked, history, NOW)
        return
    with pytest.raises(Conflict, match="opted-out-of-cancerlinq"):
        check_standing(asked, history, NOW)


@pytest.mark.parametrize(
    ("subject", "answer"), [(VIA, Answer.NO), (DIRECT, Answer.YES), (CANCERLINQ, Answer.YES), (None, Answer.NO)]
)
def test_nothing_else_is_held_up_by_an_opt_out(subject: Subject | None, answer: Answer) -> None:
    """X-01: a no, a donation made directly and the lift itself are free."""
    history: list[Decision] = [decided(1)]
    assert EARLY_SIGNS.via_cancerlinq
    check_standing(asks(subject, answer), history, NOW)
