"""Who may take an entry back, and what it does to where a person stands: pure rules, against drawn histories."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.asked import Asked, subjects_to_record
from consent.decision import CANCERLINQ, Answer, ByWhom, Decision, Means, donation_to
from consent.standing import Verdict, standing
from consent.void_entry import CARRIED, Member, check_may_agree, check_may_ask, key_of, void_of
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import Conflict, NotFound, PortalError, Refused

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PERSON = UUID(int=7)
NURSE = Member(UUID(int=1), "Practitioner/kim", "riverside", "riverside-main")
DOCTOR = Member(UUID(int=2), "Practitioner/okafor", "riverside", "riverside-main")
ELSEWHERE = Member(UUID(int=3), "Practitioner/haddad", "lakeside", "lakeside-main")


def made(version: int, by: ByWhom, answer: Answer = Answer.NO, **more: object) -> Decision:
    told = {"confirmed_by_person": by.kind is not ActorKind.CARE_TEAM, "subject": CANCERLINQ} | more
    return Decision(
        id=uuid4(), person_id=PERSON, version=version, answer=answer, by=by, means=Means.WEB, language="en",
        text_id=None, text_version=None, asked_at=NOW, recorded_at=NOW + timedelta(seconds=version), salt=b"x" * 32,
        **told,  # type: ignore[arg-type]  # the fields that a test sets
    )  # fmt: skip


def entry(version: int, by: Member = NURSE) -> Decision:
    return made(version, ByWhom(ActorKind.CARE_TEAM, by.account, by.provider, by.reference), practice=by.practice)


PATIENT = ByWhom(ActorKind.PATIENT, UUID(int=9))
SYSTEM = ByWhom(ActorKind.SYSTEM)


def test_two_of_a_practice_take_their_own_entry_back() -> None:
    """X-05: the new decision names the one it takes back, is not confirmed, and lets data flow as before."""
    first = entry(1)
    assert check_may_ask([first], first.id, NURSE) is first
    assert check_may_agree([first], first.id, NURSE, DOCTOR) is first
    back = void_of(first, DOCTOR, 2, NOW)
    assert (back.means, back.confirmed_by_person, back.by.reference) == (Means.VOID, False, DOCTOR.reference)
    assert str(first.id) in back.idempotency_key == key_of(first.id)
    assert not standing([first, back], NOW).opted_out


@pytest.mark.parametrize(
    ("asked", "second"),
    [(NURSE, NURSE), (NURSE, replace(NURSE, account=UUID(int=4))), (NURSE, replace(DOCTOR, account=NURSE.account))],
)
def test_one_person_is_not_two(asked: Member, second: Member) -> None:
    """Abuse 10: neither the same account nor the same person at the hospital is a second person."""
    first = entry(1)
    with pytest.raises(Refused, match="needs-a-second-person"):
        check_may_agree([first], first.id, asked, second)


def test_only_ones_own_entry_and_only_within_the_practice() -> None:
    """Abuse 10: a colleague's entry, another hospital's colleague, a patient's own no, a study: none of them."""
    first, own, study = entry(1), made(2, PATIENT), made(3, PATIENT, subject=donation_to("living-well"))
    with pytest.raises(Refused, match="not-your-own-entry"):
        check_may_ask([first], first.id, DOCTOR)
    with pytest.raises(Refused, match="not-of-this-practice"):
        check_may_agree([first], first.id, NURSE, ELSEWHERE)
    for other in (own, study):
        with pytest.raises(Refused, match="not-an-entry-of-staff"):
            check_may_ask([first, own, study], other.id, NURSE)
    with pytest.raises(NotFound):
        check_may_ask([first], uuid4(), NURSE)


@pytest.mark.parametrize("answer", list(Answer))
def test_once_the_person_has_answered_only_they_change_it(answer: Answer) -> None:
    """CON-11, X-05: confirmed or lifted by the person, the entry is no longer staff's."""
    first = entry(1)
    with pytest.raises(Conflict):
        check_may_ask([first, made(2, PATIENT, answer)], first.id, NURSE)


def test_what_the_service_repeated_is_nobodys_answer() -> None:
    """A new record number repeats the answer under it; that does not keep a mistake from being taken back."""
    first = entry(1)
    repeated = made(2, SYSTEM, confirmed_by_person=False, reason=CARRIED)
    assert check_may_agree([first, repeated], first.id, NURSE, DOCTOR) is first
    assert not standing([first, repeated, void_of(first, DOCTOR, 3, NOW)], NOW).opted_out


@pytest.mark.parametrize("answer", list(Answer))
def test_the_person_confirms_or_corrects_it_in_one_step(answer: Answer) -> None:
    """CON-11: after an entry was taken back the person's own yes confirms it and their no takes them out."""
    first = entry(1)
    history = [first, void_of(first, DOCTOR, 2, NOW)]
    asked = Asked(Actor(ActorKind.PATIENT, person=PERSON), PERSON, CANCERLINQ, answer, "a-form-key", "en")
    assert subjects_to_record(asked, history, NOW) == (CANCERLINQ,)
    staff = replace(asked, actor=Actor(ActorKind.CARE_TEAM, person=PERSON), answer=Answer.NO)
    assert subjects_to_record(staff, history, NOW) == (CANCERLINQ,), "and staff may record the right person's no"


whose = st.sampled_from([PATIENT, SYSTEM, ByWhom(ActorKind.CARE_TEAM, NURSE.account, "riverside", NURSE.reference)])


@given(st.lists(st.tuples(whose, st.sampled_from(Answer)), max_size=8))
def test_a_void_never_lifts_what_a_person_said(drawn: list[tuple[ByWhom, Answer]]) -> None:
    """CON-10, X-05: in any history, a void that the rule lets pass leaves every no of the person's own standing."""
    history = [
        made(number, by, Answer.NO if by.kind is ActorKind.CARE_TEAM else answer)
        for number, (by, answer) in enumerate(drawn, start=1)
    ]
    for one in history:
        try:
            check_may_agree(history, one.id, NURSE, DOCTOR)
        except PortalError:
            continue
        after = standing([*history, void_of(one, DOCTOR, len(history) + 1, NOW)], NOW)
        assert not standing(history[: one.version - 1], NOW).opted_out
        assert all(d.by.kind is not ActorKind.PATIENT for d in history[one.version :])
        assert after.cancerlinq.verdict is Verdict.YES
        widened = [*history, void_of(one, DOCTOR, len(history) + 1, NOW), made(len(history) + 2, PATIENT)]
        assert standing(widened, NOW).opted_out, "a later no always wins"
