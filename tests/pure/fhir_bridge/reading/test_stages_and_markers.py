"""MC-04 to MC-07: stages, how active a person can be, markers, and to which cancer they belong."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_bridge.reading.summary import summarise
from tests.pure.fhir_bridge.reading.samples import ICD, condition, example, observation, only, without_profiles

STAGES = [
    ("binet-stage-group-B", "Binet", "Binet Stage B"),
    ("figo-stage-IIIA", "FIGO", "IIIA"),
    ("rai-stage-II", "Rai", "II"),
    ("multiple-myeloma-iss-stage-II", "ISS", "II"),
    ("multiple-myeloma-riss-stage-II", "R-ISS", "II"),
    ("gleason-grade-group-4", "Gleason", "International Society of Urological Pathology grade group 4 (Gleason score"),
    ("melanoma-breslow-depth-stage", "Breslow", "Breslow measurement"),
    ("melanoma-clark-level-4", "Clark", "Clark melanoma level 4"),
    ("hodgkins-lymphoma-stage-IIIe", "Lymphoma", "IIIE"),
    ("neuroblastoma-inss-stage-III", "INSS", "III"),
    ("tnm-clinical-stage-group-3c", "TNM", "IIIC"),
]


@pytest.mark.parametrize(("name", "system", "value"), STAGES)
@pytest.mark.parametrize("profiles", [True, False])
def test_all_staging_systems(name: str, system: str, value: str, profiles: bool) -> None:
    """MC-04: TNM and the others, each with its system, with and without profile."""
    entries = [example(f"Observation-{name}")]
    (stage,) = summarise(entries if profiles else without_profiles(entries)).stages
    assert stage.system == system
    assert stage.value.startswith(value)


@pytest.mark.parametrize(
    ("words", "value", "parts"),
    [
        ("IIA", "IIA", ()),
        ("Stage IIA (T2 N0 M0)", "IIA", ("T2", "N0", "M0")),
        ("American Joint Committee on Cancer stage IIIC (qualifier value)", "IIIC", ()),
        ("Stage 3", "III", ()),
        ("stage 1b", "IB", ()),
        ("ypT1c pN1(mi) cM0, stage group unknown", "ypT1c pN1(mi) cM0, stage group unknown", ("T1c", "N1(mi)", "M0")),
        ("Stage IV", "IV", ()),
        ("Stage 0", "0", ()),
    ],
)
def test_stage_values(words: str, value: str, parts: tuple[str, ...]) -> None:
    """MC-04: a stage as doctors write it, out of the words that servers send; nothing is guessed."""
    entry = observation("s", "21908-9", valueCodeableConcept={"text": words})
    (stage,) = summarise([entry]).stages
    assert (stage.value, stage.parts) == (value, parts)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ecog-performance-status-fully-active", "Fully active (ECOG 0)"),
        ("karnofsky-performance-status-normal-activity", "90 of 100 (Karnofsky"),
        ("lansky-play-performance-status-twenty", "20 of 100 (Lansky"),
    ],
)
@pytest.mark.parametrize("profiles", [True, False])
def test_performance(name: str, said: str, profiles: bool) -> None:
    """MC-05: ECOG, Karnofsky and Lansky."""
    entries = [example(f"Observation-{name}")]
    found = summarise(entries if profiles else without_profiles(entries)).performance
    assert found is not None
    assert str(found.text).startswith(said)


def test_marker_over_time() -> None:
    """MC-06: values newest first with date, unit, range and where they stand; other units get no number."""

    def value(identity: str, when: str, figure: float, unit: str = "U/mL") -> dict[str, Any]:
        return observation(
            identity, "6875-9", effectiveDateTime=when, valueQuantity={"value": figure, "unit": unit},
            referenceRange=[{"high": {"value": 30, "unit": "U/mL"}}],
        )  # fmt: skip

    wrong = value("x", "2025-01-01", 999) | {"status": "entered-in-error"}
    (trend,) = summarise(
        [value("a", "2024-03", 41), value("b", "2026-10-03", 18), value("c", "2025", 0.03, "kU/mL"), wrong]
    ).trends
    assert str(trend.name).startswith("CA 15-3")
    assert (trend.unit, trend.usual, trend.high) == ("U/mL", "≤ 30 U/mL", 30.0)
    assert [(one.date.text if one.date else "", one.value_text, one.number) for one in trend.values] == [
        ("2026-10-03", "18 U/mL", 18.0), ("2025", "0.03 kU/mL", None), ("2024-03", "41 U/mL", 41.0),
    ]  # fmt: skip
    assert str(trend.values[2].flag) == "Above the usual range"
    assert trend.latest.flag is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Positive", "positive"), ("Strongly positive (95%)", "positive"), ("Not amplified", "negative"),
        ("HER2 not overexpressed", "negative"), ("Low positive (1-10%)", "Low positive (1-10%)"),
        ("Not positive", "Not positive"), ("ER positive, PR negative", "ER positive, PR negative"),
        ("Equivocal (2+)", "not clear"),
    ],
)  # fmt: skip
def test_a_result_is_never_turned_round(words: str, said: str) -> None:
    """MC-06: a plain word stands for a result only where it says the same; else the laboratory's own words stand."""
    entries = [condition("c", (ICD, "C50.912")), observation("a", "85319-2", valueCodeableConcept={"text": words})]
    assert [str(one.result) for one in only(summarise(entries)).markers] == [said]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("No evidence of residual disease", "No sign of cancer at the last check"),
        ("Complete remission", "No sign of cancer at the last check"),
        ("No evidence of disease progression", "No evidence of disease progression"),
        ("Incomplete remission", "Incomplete remission"),
        ("Not in complete remission", "Not in complete remission"),
    ],
)
def test_good_news_is_not_invented(words: str, said: str) -> None:
    """MC-07: "no sign of cancer" is said only where the hospital says so."""
    entries = [condition("c", (ICD, "C50.912")), observation("a", "97509-4", valueCodeableConcept={"text": words})]
    status = only(summarise(entries)).disease_status
    assert str(status.text if status else "") == said


def test_what_was_not_recorded_hides_nothing() -> None:
    """MC-03, MC-04, MC-06, MC-07, FHIR-13: a later entry without a value is no result, no stage and no yes."""
    unknown = {"dataAbsentReason": {"coding": [{"code": "unknown"}]}, "effectiveDateTime": "2025"}
    cancer, early = condition("c", (ICD, "C50.912")), {"effectiveDateTime": "2020"}
    found = summarise([
        cancer,
        observation("m", "85319-2", valueCodeableConcept={"text": "Positive"}, **early),
        observation("m2", "85319-2", **unknown),
        observation("s", "21908-9", valueCodeableConcept={"text": "IIA"}, **early),
        observation("s2", "21908-9", **unknown),
        observation("d", "97509-4", valueCodeableConcept={"text": "Stable"}, **early),
        observation("d2", "97509-4", **unknown),
        observation("h", "1287652008", **unknown),
    ])  # fmt: skip
    breast = only(found)
    assert [str(one.result) for one in breast.markers] == ["positive"]
    assert [one.value for one in breast.stages] == ["IIA"]
    assert str(breast.disease_status.text if breast.disease_status else "") == "Stable"
    assert found.spread_history is None


def test_newest_receptor_counts() -> None:
    """MC-06: a later test of the same receptor replaces the earlier one."""
    entries = [
        observation("a", "85337-4", effectiveDateTime="2020", valueCodeableConcept={"text": "Positive"}),
        observation("b", "85337-4", effectiveDateTime="2024", valueCodeableConcept={"text": "Negative"}),
        condition("c", (ICD, "C50.912")),
    ]
    assert [str(one.result) for one in only(summarise(entries)).markers] == ["negative"]


def test_findings_stay_with_their_cancer() -> None:
    """MC-04, MC-07: with two cancers a stage goes where its focus points, receptors to the breast, the rest apart."""
    entries = [
        condition("b", (ICD, "C50.912"), onsetDateTime="2020"),
        condition("l", (ICD, "C34.11"), onsetDateTime="2021"),
        observation("s1", "21908-9", valueCodeableConcept={"text": "IIA"}, focus=[{"reference": "Condition/l"}]),
        observation("s2", "21908-9", valueCodeableConcept={"text": "IA"}),
        observation("s3", "21902-2", valueCodeableConcept={"text": "IB"}, focus=[{"reference": "Condition/gone"}]),
        observation("m", "16112-5", valueCodeableConcept={"text": "Positive"}),
    ]
    summary = summarise(entries)
    breast, lung = summary.cancers
    assert [one.value for one in lung.stages] == ["IIA"]
    assert breast.stages == ()
    assert {one.value for one in summary.stages} == {"IA", "IB"}
    assert [str(one.name) for one in breast.markers] == ["Estrogen"]


def test_a_finding_about_something_else_stays_apart() -> None:
    """MC-04: a stage whose focus is not in the record is not given to the only cancer there is."""
    stage = observation("s", "21908-9", valueCodeableConcept={"text": "IV"}, focus=[{"reference": "Condition/gone"}])
    summary = summarise([condition("b", (ICD, "C50.912")), stage])
    assert only(summary).stages == ()
    assert [one.value for one in summary.stages] == ["IV"]
