"""Who may act for somebody else, and until when: the rule alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.asked import Asked, check_alive, check_asked
from consent.authority.deaths import check_report
from consent.authority.majority import ages, of_age_on, own_care
from consent.authority.rules import OF_MINORS, Authority, Relation, Step, Why, acting, born_of_age_on, may
from consent.authority.stated import Stated, Statement, after_another, check_statement
from consent.authority.typed import one_line
from consent.decision import CANCERLINQ, Answer, SensitiveClass
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import Invalid, Refused

TODAY = date(2026, 11, 22)
DAYS = st.dates(date(2020, 1, 1), date(2040, 1, 1))
MAYBE_DAYS = st.none() | DAYS


def authority(relation: Relation, *steps: Step, begins: date = TODAY, ends: date | None = None,
              of_age: date | None = None) -> Authority:  # fmt: skip
    return Authority(uuid4(), UUID(int=1), UUID(int=2), relation, "a paper", begins, ends, of_age, steps)


AUTHORITIES = st.builds(
    lambda relation, steps, begins, ends, of_age: authority(
        relation, *steps, begins=begins, ends=ends, of_age=of_age
    ),
    st.sampled_from(Relation), st.lists(st.sampled_from(Step), min_size=1, max_size=4), DAYS, MAYBE_DAYS, MAYBE_DAYS,
)  # fmt: skip


def test_a_statement_opens_reading_and_no_and_a_paper_opens_yes() -> None:
    """HIP-15: reading and refusing from the statement on; signing once staff have seen the paper."""
    stated = authority(Relation.LEGAL_REPRESENTATIVE, Step.STATED, ends=date(2027, 1, 1))
    found = may(stated, TODAY, died=False)
    assert (found.read, found.refuse, found.sign, found.why) == (True, True, False, Why.NOT_CONFIRMED)
    confirmed = authority(Relation.LEGAL_REPRESENTATIVE, Step.STATED, Step.CONFIRMED, ends=date(2027, 1, 1))
    assert may(confirmed, TODAY, died=False).sign
    assert may(confirmed, TODAY, died=False).until == date(2027, 1, 1)
    assert not may(confirmed, date(2027, 1, 2), died=False).read


def test_who_comes_of_age_is_nobodys_child_here() -> None:
    """HIP-15: a parent's access ends on the day, and a yes of theirs stands until that day at the longest."""
    born = date(2010, 9, 5)
    of_age = of_age_on(born, {"CO"})
    assert of_age == date(2028, 9, 5)
    parent = authority(Relation.PARENT, Step.STATED, Step.CONFIRMED, of_age=of_age)
    assert may(parent, date(2028, 9, 4), died=False).until == date(2028, 9, 4)
    assert may(parent, date(2028, 9, 4), died=False).sign
    assert may(parent, date(2028, 9, 5), died=False).why is Why.OF_AGE


@pytest.mark.parametrize("relation", Relation)
def test_a_minors_own_care_is_kept_before_whoever_acts_for_them(relation: Relation) -> None:
    """HIP-15, 164.502(g)(3): whatever they call themselves; an adult has none, nor the dead before their estate."""
    minor = authority(relation, Step.STATED, of_age=TODAY + timedelta(days=1))
    unknown, grown = authority(relation, Step.STATED), authority(relation, Step.STATED, of_age=TODAY)
    assert may(minor, TODAY, died=False).own_care
    assert may(unknown, TODAY, died=False).own_care
    seen = replace(unknown, steps=(Step.STATED, Step.CONFIRMED))
    assert may(seen, TODAY, died=False).own_care is (relation in OF_MINORS)
    assert not may(grown, TODAY, died=False).own_care
    assert not may(minor, TODAY, died=True).own_care  # an estate reads all, and nobody else reads


def test_the_kinds_of_own_care_are_kinds() -> None:
    """HIP-15: the table that a lawyer reviews; a parent sees the gene tests by which they decide on treatment."""
    assert SensitiveClass.REPRODUCTIVE in own_care()
    assert SensitiveClass.GENETIC not in own_care()


def test_the_age_by_state() -> None:
    """HIP-15: the state's own rule; of two states the earlier day, and none without a birth date."""
    born = date(2008, 2, 29)
    assert of_age_on(born, {"MA"}) == date(2026, 3, 1)
    assert of_age_on(born, {"AL"}) == date(2027, 3, 1)
    assert of_age_on(born, {"AL", "MA"}) == date(2026, 3, 1)
    assert of_age_on(born, set()) == date(2026, 3, 1)
    assert of_age_on(None, {"MA"}) is None
    assert ages()[0] == 18
    assert born_of_age_on(date(2000, 5, 1), 18) == date(2018, 5, 1)


@given(AUTHORITIES, DAYS, st.booleans())
def test_nothing_is_signed_by_who_may_not_read(one: Authority, today: date, died: bool) -> None:
    """HIP-15, HIP-16: a yes needs a seen paper, a day within it, and after a death an estate."""
    found = may(one, today, died=died)
    assert found.read == found.refuse
    assert not found.sign or found.read
    if found.sign:
        assert one.steps[-1] is Step.CONFIRMED
        assert one.begins_on <= today
        assert one.ends_on is None or today <= one.ends_on
        assert (one.relation is Relation.ESTATE) == died
        assert one.relation not in OF_MINORS or (one.of_age_on is not None and today < one.of_age_on)
    assert found.sign == (found.why is None)
    assert found.until is None or found.until >= today or not found.read


@given(st.lists(AUTHORITIES, max_size=5), DAYS, st.booleans())
def test_of_several_papers_the_one_that_allows_most(several: list[Authority], today: date, died: bool) -> None:
    """HIP-15: an old paper that has run out takes nothing from a new one, and no paper gives more than its own."""
    _, found = acting(several, today, died=died)
    each = [may(one, today, died=died) for one in several]
    assert found.sign == any(one.sign for one in each)
    seen = any(one.read and Step.CONFIRMED in paper.steps for one, paper in zip(each, several, strict=True))
    assert seen <= found.read <= any(one.read for one in each)


@given(st.lists(AUTHORITIES, min_size=1, max_size=4), DAYS)
def test_what_is_over_stays_over(several: list[Authority], today: date) -> None:
    """HIP-15, abuse case 17: what comes after an end, such as from staff who had not seen it, opens nothing."""
    over = [replace(one, steps=(*one.steps, Step.ENDED, Step.CONFIRMED)) for one in several]
    assert not any(may(one, today, died=False).read for one in over)


@pytest.mark.parametrize(
    "before",
    [
        authority(Relation.LEGAL_REPRESENTATIVE, Step.STATED, Step.REFUSED, ends=date(2027, 1, 1)),
        authority(Relation.LEGAL_REPRESENTATIVE, Step.STATED, Step.CONFIRMED, Step.ENDED, ends=date(2027, 1, 1)),
        authority(Relation.PARENT, Step.STATED, Step.CONFIRMED, begins=date(2020, 1, 1), of_age=TODAY),
    ],
)
def test_who_was_turned_away_opens_nothing_by_another_statement(before: Authority) -> None:
    """HIP-15 (g)(5): refused by staff, ended by the person, a child of age: the next paper has to be seen first."""
    again = authority(Relation.LEGAL_REPRESENTATIVE, Step.STATED, ends=date(2027, 1, 1))
    assert may(again, TODAY, died=False).read
    _, found = acting([before, again], TODAY, died=False)
    assert (found.read, found.refuse, found.sign, found.why) == (False, False, False, Why.PAPER_FIRST)
    seen = replace(again, steps=(Step.STATED, Step.CONFIRMED))
    assert acting([before, seen], TODAY, died=False)[1].sign
    laid_down = replace(before, steps=(Step.STATED, Step.ENDED), laid_down=True, of_age_on=None)
    assert acting([laid_down, again], TODAY, died=False)[1].read


@pytest.mark.parametrize(("hour", "waits"), [(9, False), (10, True), (11, True)])
def test_another_sign_in_after_somebody_was_turned_away_waits_for_its_paper(hour: int, waits: bool) -> None:
    """HIP-15 (g)(5): it may be the same hand, from another hospital; who stood there before goes on."""
    paper = authority(Relation.LEGAL_REPRESENTATIVE, Step.STATED, ends=date(2027, 1, 1))
    turned = replace(paper, id=uuid4(), account=UUID(int=3), steps=(Step.STATED, Step.REFUSED))
    ten = datetime(2026, 11, 22, 10, tzinfo=UTC)
    known = [Stated(turned, "A B", ten.replace(hour=8), ten), Stated(paper, "A B", ten.replace(hour=hour), ten)]
    after = after_another(known, paper.account)
    found = acting([paper], TODAY, died=False, after_another=after)[1]
    assert (found.read, found.why) == ((False, Why.PAPER_FIRST) if waits else (True, Why.NOT_CONFIRMED))
    seen = replace(paper, steps=(Step.STATED, Step.CONFIRMED))
    assert acting([seen], TODAY, died=False, after_another=after)[1].sign
    assert after_another(known, turned.account) == frozenset()


def test_a_name_keeps_no_hidden_signs() -> None:
    """Abuse case 28: signs that turn words around are not kept; letters of any script are."""
    assert one_line(" Ana \u202egnp.exe\u2069\t\x00 ليلى\u200d ") == "Ana gnp.exe ليلى\u200d"
    assert one_line("\u202e\u2066") == ""


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": " "}, "name"),
        ({"document": ""}, "document"),
        ({"reach": " 12 "}, "reach"),
        ({"ends_on": TODAY - timedelta(days=1)}, "ends_on"),
        ({"relation": Relation.ESTATE}, "ends_on"),
        ({"of_age_on": TODAY}, "relation"),
        ({"ends_on": date.max}, "ends_on"),
        ({"name": "\u202e \u2066x"}, "name"),
    ],
)
def test_a_statement_says_what_is_wrong(changed: dict[str, object], field: str) -> None:
    """HIP-15: authority, document, expiry: each is asked for."""
    good = {
        "relation": Relation.PARENT, "name": "Hoa Tran", "document": "birth certificate", "begins_on": TODAY,
        "ends_on": None, "of_age_on": date(2028, 9, 5), "form": "a-form-key", "reach": "617 555 0150",
    }  # fmt: skip
    check_statement(Statement(**good), TODAY)  # type: ignore[arg-type]  # a table of fields
    with pytest.raises(Invalid) as error:
        check_statement(Statement(**(good | changed)), TODAY)  # type: ignore[arg-type]  # the same table
    assert set(error.value.fields) == {field}


def asked(kind: ActorKind, answer: Answer, **evidence: str) -> Asked:
    actor = Actor(kind, UUID(int=2), UUID(int=1), (UUID(int=1),))
    return Asked(actor, UUID(int=1), CANCERLINQ, answer, "a-form-key", "en", evidence=evidence)


@pytest.mark.parametrize("kind", [ActorKind.HELPER, ActorKind.ANONYMOUS])
def test_a_helper_never_decides(kind: ActorKind) -> None:
    """HIP-15: who was invited to help records nothing, not even a no."""
    for answer in Answer:
        with pytest.raises(Refused):
            check_asked(asked(kind, answer), datetime.now(UTC), production=False)


def test_after_a_death_only_the_estate_says_yes() -> None:
    """HIP-16: what was decided holds on; nothing new is given but by a representative, and a no is always heard."""
    with pytest.raises(Refused):
        check_alive(asked(ActorKind.PATIENT, Answer.YES), died=True)
    with pytest.raises(Refused):
        check_alive(asked(ActorKind.PROXY, Answer.YES, authority="parent"), died=True)
    check_alive(asked(ActorKind.PROXY, Answer.YES, authority="estate"), died=True)
    check_alive(asked(ActorKind.PROXY, Answer.NO, authority="parent"), died=True)
    check_alive(asked(ActorKind.PATIENT, Answer.YES), died=False)


def test_a_report_of_a_death_names_what_is_missing() -> None:
    """HIP-16: three fields are needed; everything is cut to what is asked."""
    with pytest.raises(Invalid) as error:
        check_report({"name": "  ", "who": "son"})
    assert error.value.fields == {"name": "missing", "reach": "missing"}
    kept = check_report({"name": " A  B ", "who": "son", "reach": "x", "person_id": "7"})
    assert kept["name"] == "A B"
    assert "person_id" not in kept
