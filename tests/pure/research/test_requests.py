"""Requests for data: the process over random walks, what may be asked for, and the file that asks."""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decision import DataCategory
from consent.duo.match import Aim, Request, match
from consent.duo.plain_choices import Limit, PlainChoice, Scope, terms_of
from consent.duo.stated import stated
from consent.duo.terms import CANCER, diseases
from consent.efforts import LIVING_WELL, Holds
from research.deidentify.delivery import Source
from research.requests import datasets, fulfil, process
from research.requests.asked_for import MOST_BYTES, read_content, read_file
from research.requests.clause import NO_REIDENTIFICATION, ClauseRef
from research.requests.datasets import dataset, is_qopi, wider_than_told
from research.requests.manifest import Included, Release, lines_for, write_release
from research.requests.process import ENDED, Criterion, Event, Kind, Outcome, Stage, Standing, after, standing
from research.selection import Chosen
from tests.support.draws import draws
from vocabulary.errors import Conflict, Invalid, PortalError, Refused

TODAY = date(2026, 11, 22)
DOCS = Path(__file__).resolve().parents[3] / "docs" / "research-requests.md"
OTHER = ClauseRef(NO_REIDENTIFICATION.id, NO_REIDENTIFICATION.version + 1)
ALL = [each.value for each in Criterion]
CLAUSES = st.sampled_from([None, NO_REIDENTIFICATION.as_json(), OTHER.as_json()])
EVENTS = st.one_of(
    st.builds(lambda enough: Event(Kind.CHECKED, "c", {"enough": enough}), st.booleans()),
    st.builds(
        lambda who, met: Event(Kind.REVIEWED, who, {"met": met}),
        st.sampled_from(["r", "s"]),
        st.sampled_from([ALL, ALL[1:], []]),
    ),
    st.builds(
        lambda outcome, clause: Event(Kind.DECIDED, "d", {"outcome": outcome, "clause": clause}),
        st.sampled_from([*list(Outcome), "approved"]),
        CLAUSES,
    ),
    st.builds(lambda clause: Event(Kind.ANSWERED, "t", {"clause": clause}), CLAUSES),
    st.builds(
        lambda name, cost: Event(Kind.DRAFTED, "l", {"agreement": name, "cost": cost}),
        st.sampled_from(["D1", "D2"]),
        st.sampled_from([0, 100]),
    ),
    st.builds(lambda name: Event(Kind.SIGNED, "l", {"agreement": name}), st.sampled_from(["D1", "D2"])),
    st.builds(lambda amount: Event(Kind.PAID, "f", {"amount": amount}), st.sampled_from([0, 99, 100])),
    st.just(Event(Kind.FULFILLED, "b")),
    st.just(Event(Kind.WITHDRAWN, "t")),
    st.just(Event(Kind.SUBMITTED, "t", {"clause": None})),
)
SUBMITTED = Event(Kind.SUBMITTED, "t", {"clause": NO_REIDENTIFICATION.as_json()})
CHECKED = Event(Kind.CHECKED, "c", {"enough": True})
REVIEWED = Event(Kind.REVIEWED, "r", {"met": ALL})
APPROVED = Event(Kind.DECIDED, "d", {"outcome": "approved", "clause": NO_REIDENTIFICATION.as_json()})
MORE = Event(Kind.DECIDED, "d", {"outcome": "needs-more-information"})
DENIED = Event(Kind.DECIDED, "d", {"outcome": "denied"})
DRAFTED = Event(Kind.DRAFTED, "l", {"agreement": "D1", "cost": 100})
SIGNED = Event(Kind.SIGNED, "l", {"agreement": "D1"})
PAID = Event(Kind.PAID, "f", {"amount": 100})
FULFILLED, WITHDRAWN = Event(Kind.FULFILLED, "b"), Event(Kind.WITHDRAWN, "t")
TO_APPROVAL = [SUBMITTED, CHECKED, REVIEWED, APPROVED]
WHOLE = [*TO_APPROVAL, DRAFTED, SIGNED, PAID, FULFILLED]


def walk(events: list[Event], first: Event = SUBMITTED) -> tuple[Standing, list[Event]]:
    """What became of a request to which all of `events` was tried; and what was let happen."""
    stands, happened = after(None, first), [first]
    for event in events:
        try:
            stands = after(stands, event)
        except Conflict:
            continue
        happened.append(event)
    return stands, happened


def test_nobody_reviews_or_approves_their_own_request() -> None:
    """SEC-08: neither who submitted it nor who answered for the team; a denial needs nobody else."""
    for before, event in (
        ([SUBMITTED, CHECKED], replace(REVIEWED, who="t")),
        ([SUBMITTED, CHECKED, REVIEWED], replace(APPROVED, who="t")),
        ([SUBMITTED, MORE, Event(Kind.ANSWERED, "u", SUBMITTED.detail), CHECKED], replace(REVIEWED, who="u")),
    ):
        with pytest.raises(Conflict) as error:
            standing([*before, event])
        assert error.value.reason == "own-request"
        assert error.value.reason in process.WORDS


def test_two_names_of_one_login_are_one_person() -> None:
    """SEC-08: what is typed beside a login makes nobody else of them; an approval takes three logins."""
    other = replace(REVIEWED, who="t (Rita)")
    with pytest.raises(Conflict, match="own-request"):
        standing([replace(SUBMITTED, who="t (Ada)"), CHECKED, other])
    with pytest.raises(Conflict, match="only-your-own-review"):
        standing([SUBMITTED, CHECKED, REVIEWED, replace(APPROVED, who="r (Dora)")])
    twice = standing([SUBMITTED, CHECKED, REVIEWED, replace(REVIEWED, who="r (Rita)", detail={"met": []})])
    assert twice.reviews == {"r": False}
    assert standing([SUBMITTED, CHECKED, REVIEWED, replace(REVIEWED, who="d (D)"), APPROVED]).stage is Stage.APPROVED
    assert standing([SUBMITTED, CHECKED, REVIEWED, replace(DENIED, who="t")]).stage is Stage.DENIED


def kinds(events: list[Event]) -> list[Kind]:
    return [event.kind for event in events]


def outcomes(events: list[Event]) -> list[str]:
    return [event.detail["outcome"] for event in events if event.kind is Kind.DECIDED]


@given(st.lists(EVENTS, max_size=40), CLAUSES, st.integers(0, len(WHOLE) - 1))
@draws(300)
def test_whatever_is_tried_the_order_holds(tried: list[Event], clause: Any, ahead: int) -> None:
    """X-07, X-09: over random walks, from anywhere on the way: one decision, an accepted clause, agreement and payment
    before the files, nothing after the end."""
    first = Event(Kind.SUBMITTED, "t", {"clause": clause})
    stands, happened = walk([*WHOLE[1:ahead], *tried], first)
    assert standing(happened) == stands
    final = [outcome for outcome in outcomes(happened) if outcome != Outcome.NEEDS_MORE]
    assert len(final) <= 1
    seen = kinds(happened)
    assert sum(kind in (Kind.FULFILLED, Kind.WITHDRAWN) for kind in seen) + final.count("denied") <= 1
    if stands.stage in ENDED:
        assert seen[-1] in (Kind.FULFILLED, Kind.WITHDRAWN, Kind.DECIDED)
    if "approved" in final:
        at = next(n for n, one in enumerate(happened) if one.detail.get("outcome") == "approved")
        stated_last = next(one.detail["clause"] for one in reversed(happened[:at]) if "clause" in one.detail)
        assert stated_last == happened[at].detail["clause"]
        assert stated_last is not None
        assert standing(happened[:at]).stage is Stage.IN_REVIEW
        assert all(standing(happened[:at]).reviews.values())
        assert standing(happened[:at]).enough
    if Kind.FULFILLED in seen:
        assert "approved" in final
        agreement = next(one.detail["agreement"] for one in reversed(happened) if one.kind is Kind.DRAFTED)
        assert [one.detail["agreement"] for one in happened if one.kind is Kind.SIGNED] == [agreement]
        assert seen.count(Kind.PAID) == 1
        assert seen.index(Kind.FULFILLED) > max(seen.index(Kind.SIGNED), seen.index(Kind.PAID))


@given(st.lists(EVENTS, max_size=30), st.integers(0, len(WHOLE)))
@draws(200)
def test_it_can_be_withdrawn_until_the_end_and_never_after(tried: list[Event], ahead: int) -> None:
    """X-07: withdrawal ends a request at whatever step it is; what has ended stays as it is."""
    stands, _ = walk([*WHOLE[1:ahead], *tried])
    if stands.stage in ENDED:
        for event in (WITHDRAWN, FULFILLED, *WHOLE):
            with pytest.raises(Conflict):
                after(stands, event)
    else:
        assert after(stands, WITHDRAWN).stage is Stage.WITHDRAWN


def test_the_whole_way_in_either_order() -> None:
    """X-07: signed first or paid first, and nothing but both opens the way to the files."""
    for last in itertools.permutations([SIGNED, PAID]):
        way = [*TO_APPROVAL, DRAFTED]
        for step in last:
            with pytest.raises(Conflict, match=r"agreement-not-signed|payment-not-recorded"):
                standing([*way, FULFILLED])
            way.append(step)
        assert standing([*way, FULFILLED]).stage is Stage.FULFILLED


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ([CHECKED], "not-submitted"),
        ([SUBMITTED, APPROVED], "not-reviewed"),
        ([SUBMITTED, CHECKED, APPROVED], "not-reviewed"),
        ([SUBMITTED, CHECKED, DENIED], "not-reviewed"),
        ([SUBMITTED, REVIEWED], "not-at-this-step"),
        ([SUBMITTED, Event(Kind.CHECKED, "c", {"enough": False}), REVIEWED], "too-few-donors"),
        ([SUBMITTED, CHECKED, REVIEWED, Event(Kind.REVIEWED, "s", {"met": ALL[:3]}), APPROVED], "criteria-not-met"),
        ([replace(SUBMITTED, detail={"clause": None}), CHECKED, REVIEWED, APPROVED], "clause-not-accepted"),
        ([replace(SUBMITTED, detail={"clause": OTHER.as_json()}), CHECKED, REVIEWED, APPROVED], "clause-not-accepted"),
        ([SUBMITTED, MORE, CHECKED], "not-at-this-step"),
        ([*TO_APPROVAL, DENIED], "not-at-this-step"),
        ([*TO_APPROVAL, SIGNED], "not-at-this-step"),
        ([*TO_APPROVAL, FULFILLED], "agreement-not-drafted"),
        ([*TO_APPROVAL, DRAFTED, Event(Kind.SIGNED, "l", {"agreement": "D2"})], "another-agreement"),
        ([*TO_APPROVAL, DRAFTED, Event(Kind.PAID, "f", {"amount": 99})], "paid-too-little"),
        ([*TO_APPROVAL, DRAFTED, SIGNED, SIGNED], "already-signed"),
        ([*TO_APPROVAL, DRAFTED, PAID, PAID], "already-paid"),
        ([*TO_APPROVAL, DRAFTED, PAID, DRAFTED], "agreement-in-use"),
        ([*TO_APPROVAL, DRAFTED, SIGNED, FULFILLED], "payment-not-recorded"),
        ([*TO_APPROVAL, DRAFTED, PAID, FULFILLED], "agreement-not-signed"),
        ([*WHOLE, WITHDRAWN], "request-has-ended"),
    ],
)
def test_what_comes_too_early_is_named(way: list[Event], reason: str) -> None:
    """X-07, X-09: each step out of its turn has a reason of its own, and words for it."""
    with pytest.raises(Conflict, match=f"^{reason}$"):
        standing(way)
    assert reason in process.WORDS


def test_an_answer_begins_anew() -> None:
    """X-07, X-09: needs-more-information goes back to submitted; check and reviews are of another request now."""
    answer = Event(Kind.ANSWERED, "t", {"clause": NO_REIDENTIFICATION.as_json()})
    way = [replace(SUBMITTED, detail={"clause": None}), CHECKED, REVIEWED, MORE, answer]
    assert standing(way) == Standing(Stage.SUBMITTED, NO_REIDENTIFICATION, asked_by=frozenset({"t"}))
    assert standing([*way, CHECKED, REVIEWED, APPROVED]).stage is Stage.APPROVED
    too_few = Event(Kind.CHECKED, "c", {"enough": False})
    assert standing([SUBMITTED, too_few, DENIED]).stage is Stage.DENIED


@pytest.mark.parametrize(
    "name",
    [
        "QOPI",
        "Q.O.P.I.",
        "Quality Oncology Practice Initiative",
        "qopi-2024",
        "quality oncology practice initiative (Q)",
    ],
)
def test_qopi_is_sent_elsewhere(name: str) -> None:
    """X-07: QOPI is excluded from this route, however it is written, and the words say where to go instead."""
    with pytest.raises(Refused) as raised:
        dataset(name)
    assert "Practice Central" in datasets.WORDS[raised.value.reason]


def test_only_what_the_form_gives_out_can_be_asked_for() -> None:
    """X-07: a study whose form says this study only is refused; an unknown name is a fault of its field."""
    assert dataset("living-well") is LIVING_WELL
    assert not is_qopi("living-well")
    with pytest.raises(Refused, match="form-names-this-study-only"):
        dataset("early-signs")
    with pytest.raises(Invalid) as raised:
        dataset("tapur")
    assert "living-well" in raised.value.fields["dataset"]


KINDS_OF_CANCER = [code for code in diseases() if code != CANCER][:40]


@given(
    st.builds(
        Request,
        aim=st.sampled_from(Aim),
        on=st.just(TODAY),
        disease=st.sampled_from([None, CANCER, *KINDS_OF_CANCER]),
        for_profit_organization=st.booleans(),
        commercial_use=st.booleans(),
        publishes=st.booleans(),
        ethics_approval=st.booleans(),
        country=st.sampled_from([None, "US", "DE"]),
    ),
    st.builds(
        PlainChoice,
        scope=st.sampled_from(Scope),
        limits=st.frozensets(st.sampled_from(Limit)),
        my_cancers=st.frozensets(st.sampled_from(KINDS_OF_CANCER), max_size=3),
        country=st.sampled_from([None, "US", "DE"]),
    ),
)
@draws(300)
def test_who_left_the_effort_open_left_the_request_open(asked: Request, choice: PlainChoice) -> None:
    """X-08: a request that is no wider than its effort fits every kind of research that lets the effort in, so that
    no sealed choice has to be opened for it."""
    for way in (asked, replace(stated("living-well", TODAY), disease=asked.disease or CANCER)):
        effort_fits = match(terms_of(choice), stated("living-well", TODAY)).fits
        if not wider_than_told(LIVING_WELL, way, TODAY) and effort_fits:
            assert match(terms_of(choice), way).fits


def example() -> dict[str, Any]:
    """The file that the documentation shows."""
    text = DOCS.read_text("utf-8")
    return tomllib.loads(text.split("```toml\n", 1)[1].split("```", 1)[0])


def test_the_documented_file_is_read_as_toml_and_as_json() -> None:
    """X-07, X-09: the file in docs/research-requests.md is a whole request with an accepted clause."""
    written = example()
    asked = read_content(written, TODAY)
    assert asked.dataset == "living-well"
    assert asked.clause == NO_REIDENTIFICATION
    assert DataCategory.CLINICAL in asked.parts
    assert read_file(orjson.dumps(written), is_json=True, on=TODAY) == asked
    assert read_content({**written, "no_reidentification": {**written["no_reidentification"], "accepted": False}},
                        TODAY).clause is None  # fmt: skip
    without = {name: value for name, value in written.items() if name != "no_reidentification"}
    assert read_content(without, TODAY).clause is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""), ("title", 3), ("title", "x" * 4_001), ("title", "\u202eevil"), ("dataset", None),
        ("dataset", ["living-well"]), ("parts", []), ("parts", ["everything"]), ("parts", "clinical"),
        ("parts", [["clinical"]]), ("contact", "nobody"), ("colour", "blue"), ("purpose", "cancer"),
        ("purpose.disease", "lung"), ("purpose.disease", "MONDO:9999999"), ("purpose.aim", "profit"),
        ("purpose.aim", "methods"), ("purpose.commercial_use", True), ("purpose.for_profit_organization", "no"),
        ("purpose.for_profit_organization", True), ("purpose.publishes", False), ("purpose.ethics_approval", False),
        ("purpose.country", "us"), ("purpose.country", "DE"), ("purpose.who", "x"), ("no_reidentification.version", 0),
        ("no_reidentification.version", True), ("no_reidentification.accepted", "yes"), ("no_reidentification.by", ""),
    ],
)  # fmt: skip
def test_each_fault_is_named_by_its_field(field: str, value: Any) -> None:
    """X-07: a wrong, unknown or too wide field is named, and only that one."""
    written = example()
    table, _, name = field.rpartition(".")
    (written[table] if table else written)[name] = value
    with pytest.raises(Invalid) as raised:
        read_content(written, TODAY)
    assert list(raised.value.fields) == [field]


def test_all_faults_are_told_at_once() -> None:
    """X-07: an empty file names every field it lacks."""
    with pytest.raises(Invalid) as raised:
        read_file(b"", is_json=False, on=TODAY)
    assert set(raised.value.fields) == set(example()) - {"no_reidentification"}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["title", "dataset", "parts", "purpose", "no_reidentification"]), inner)
    ),
    max_leaves=9,
)


@given(st.binary(max_size=200) | ANYTHING.map(orjson.dumps))
@draws(100)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """X-07: whatever the file holds, the answer is one of the service's own."""
    for is_json in (True, False):
        with pytest.raises(PortalError):
            read_file(raw, is_json=is_json, on=TODAY)
    with pytest.raises(Invalid):
        read_file(b" " * (MOST_BYTES + 1), is_json=True, on=TODAY)


PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p",
    "gender": "female",
    "birthDate": "1968-03-14",
    "name": [{"family": "Canary"}],
    "address": [{"state": "CO", "postalCode": "80205"}],
}
CONDITION: dict[str, Any] = {
    "resourceType": "Condition",
    "id": "c",
    "subject": {"reference": "Patient/p"},
    "onsetDateTime": "2024-02-03",
    "code": {"text": "Canary", "coding": [{"system": "http://snomed.info/sct", "code": "254837009"}]},
}
RELEASE = Release(
    "r-1", "living-well", frozenset(DataCategory), "D1", NO_REIDENTIFICATION, "0.1.0", "2026-11-22T00:00:00", 7
)
CHOSEN = Chosen(frozenset(DataCategory), frozenset(), Holds.DE_IDENTIFIED)


def included(subject: str) -> Included:
    sources = [Source.of("h", one["resourceType"], orjson.dumps(one)) for one in (PATIENT, CONDITION)]
    return Included(subject, 3, lines_for(sources, CHOSEN, b"r" * 16, subject, 2026))


def test_equal_input_makes_equal_files_and_a_true_manifest(tmp_path: Path) -> None:
    """X-08, X-07: bytes are the same each time; the manifest has version, counts and digest, and names nobody."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_release(tmp_path / name, RELEASE, (partial(included, code) for code in ("aaa", "bbb")))
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert first == second
    assert set(first) == {"Patient.ndjson", "Condition.ndjson", "manifest.json"}
    manifest = orjson.loads(first["manifest.json"])
    assert [(one["subject"], one["consent_version"], one["rows"]) for one in manifest["consents"]] == [
        ("aaa", 3, 2), ("bbb", 3, 2),
    ]  # fmt: skip
    conditions = [orjson.loads(line) for line in first["Condition.ndjson"].splitlines()]
    assert [one["meta"]["tag"][0]["code"] for one in conditions] == ["aaa", "bbb"]
    assert len({one["id"] for one in conditions}) == 2
    assert manifest["files"][0]["rows"] == 2
    assert manifest["files"][0]["fields"]["code"] == 2
    assert b"Canary" not in b"".join(first.values())
    assert (tmp_path / "one" / "Patient.ndjson").stat().st_mode & 0o777 == 0o600


def test_every_reason_has_words() -> None:
    """X-07: whoever is refused is told why in a sentence."""
    source = "".join(path.read_text("utf-8") for path in Path(process.__file__).parent.glob("*.py"))
    reasons = {part.split('"')[0] for kind in ("Conflict", "Refused") for part in source.split(f'{kind}("')[1:]}
    assert len(reasons) > 15
    assert reasons <= {*process.WORDS, *datasets.WORDS, *fulfil.WORDS}
