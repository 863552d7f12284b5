"""What a plain choice leaves out of the efforts served here."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from consent.duo.limits import said_limits, shut_out
from consent.duo.plain_choices import KINDS_OF_CANCER, SAYS, Limit, PlainChoice, Scope
from consent.duo.terms import CANCER, diseases, is_kind_of
from consent.efforts import SANDBOX_EFFORTS

TODAY = date(2026, 11, 22)
CHOICES = st.builds(
    PlainChoice,
    st.sampled_from(list(Scope)),
    st.frozensets(st.sampled_from(list(Limit))),
    st.frozensets(st.sampled_from(sorted(set(KINDS_OF_CANCER.values())))),
    st.sampled_from([None, "US", "FR"]),
)
EFFORTS = st.sampled_from([*(effort.id for effort in SANDBOX_EFFORTS), "unknown"])


@given(st.lists(CHOICES, max_size=3), CHOICES, EFFORTS)
def test_another_choice_never_opens(choices: list[PlainChoice], one: PlainChoice, effort: str) -> None:
    """DUO-04, CON-10: of linked persons the narrower counts, and what is left out is said in the words chosen."""
    before, after = shut_out(choices, effort, TODAY), shut_out([*choices, one], effort, TODAY)
    assert set(before) <= set(after)
    assert bool(after) == bool(said_limits([*choices, one], effort, TODAY))


def test_an_effort_that_states_nothing_is_left_out() -> None:
    """CON-10: by any choice at all; and with no choice nothing is left out by this rule."""
    assert shut_out([PlainChoice(Scope.ANY_HEALTH)], "unknown", TODAY)
    assert not shut_out([], "unknown", TODAY)
    no_companies = PlainChoice(Scope.ANY_CANCER, frozenset({Limit.NO_COMPANIES}))
    assert said_limits([no_companies], "early-signs", TODAY) == [SAYS[Limit.NO_COMPANIES]]
    assert said_limits([no_companies], "living-well", TODAY) == []


def test_kinds_of_cancer_are_the_ontologys() -> None:
    """DUO-02: every kind that can be ticked is a cancer of the extract."""
    assert set(KINDS_OF_CANCER.values()) <= set(diseases())
    assert all(is_kind_of(code, CANCER) for code in KINDS_OF_CANCER.values())
