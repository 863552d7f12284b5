"""MC-01 to MC-08: the cancer summary, from mCODE's own examples and from what real servers send."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from fhir_bridge.reading.summary import summarise
from fhir_bridge.reading.summary_model import Cancer, CancerSummary, Treatment
from tests.support.testdata import testdata

SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"


def example(name: str) -> dict[str, Any]:
    found = orjson.loads(testdata(f"fhir/mcode-ig-4.0.0-examples/{name}.json").read_bytes())
    assert isinstance(found, dict)
    return found


def jenny() -> list[dict[str, Any]]:
    bundle = example("Bundle-mcode-patient-bundle-jenny-m")
    later = [
        "Observation-tnm-pathologic-stage-group-jenny-m",
        "Observation-tnm-pathologic-primary-tumor-category-jenny-m",
        "Observation-tnm-pathologic-regional-nodes-category-jenny-m",
        "MedicationAdministration-cancer-related-medication-admin-doxorubicin-jenny-m",
    ]
    return [one["resource"] for one in bundle["entry"]] + [example(name) for name in later]


def without_profiles(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    plain = copy.deepcopy(resources)
    for one in plain:
        one.get("meta", {}).pop("profile", None)
    return plain


@pytest.fixture(params=[False, True], ids=["with profiles", "without profiles"])
def summary(request: pytest.FixtureRequest) -> CancerSummary:
    return summarise(without_profiles(jenny()) if request.param else jenny())


def only(summary: CancerSummary) -> Cancer:
    assert len(summary.cancers) == 1
    return summary.cancers[0]


def test_the_cancer(summary: CancerSummary) -> None:
    """MC-01, MC-02: one breast cancer, left, with its cells, its date and how it stands."""
    cancer = only(summary)
    assert (str(cancer.title), str(cancer.side)) == ("Breast cancer", "left side")
    assert cancer.clinical == "Primary malignant neoplasm of female left breast"
    assert cancer.found is not None
    assert cancer.found.text == "2018-03-16"
    assert str(cancer.histology).startswith("Invasive ductal carcinoma")
    assert cancer.histology_clinical == "Infiltrating duct carcinoma"
    assert str(cancer.status) == "in remission"
    assert not cancer.in_situ


def test_both_stages_newest_first(summary: CancerSummary) -> None:
    """MC-04: after surgery first, then before; with T, N and M."""
    after, before = only(summary).stages
    assert (after.value, str(after.basis)) == ("IIB", "after surgery, from what was removed")
    assert (before.value, str(before.basis)) == ("IIB", "before surgery, from exams and scans")
    assert before.parts[:2] == ("T3", "N0")
    assert (after.system, before.system) == ("TNM", "TNM")


def test_receptors(summary: CancerSummary) -> None:
    """MC-06: estrogen, progesterone, HER2 in that order, then the others."""
    said = [(str(one.name), str(one.result)) for one in only(summary).markers]
    assert said[:3] == [("Estrogen", "positive"), ("Progesterone", "negative"), ("HER2", "negative")]
    assert said[3] == ("Oncotype DX score", "47 Recurrence score")


def test_genes_say_whether_inherited(summary: CancerSummary) -> None:
    """MC-06: a gene change is told with where it comes from."""
    (gene,) = only(summary).genes
    assert gene.name == "PALB2"
    assert "tumor only" in str(gene.note)


def test_how_it_is(summary: CancerSummary) -> None:
    """MC-05, MC-07: disease status and how active the person can be."""
    status = only(summary).disease_status
    assert status is not None
    assert str(status.text) == "Getting better at the last check"
    assert status.date is not None
    assert status.date.text == "2018-11-01"
    assert summary.performance is not None
    assert str(summary.performance.text) == "Fully active (ECOG 0)"


def brief(one: Treatment) -> tuple[str, tuple[str, ...], str, bool]:
    return (one.kind, one.names, one.start.text if one.start else "", one.ongoing)


def test_the_time_line(summary: CancerSummary) -> None:
    """MC-08: surgery, medicines by regimen, radiation, hormones, oldest first, with what they were meant to do."""
    assert [brief(one) for one in summary.treatments] == [
        ("surgery", (), "2018-04-01", False),
        ("chemotherapy", ("cyclophosphamide", "doxorubicin"), "2018-04-01", True),
        ("chemotherapy", ("paclitaxel",), "2018-04-12", True),
        ("radiation", (), "2018-08-15", False),
        ("hormone-therapy", ("anastrozole",), "2018-09-30", True),
    ]
    surgery, chemo, _, radiation, _ = summary.treatments
    assert str(surgery.title) == "Lumpectomy: the tumor was removed from the breast"
    assert {str(one.intent) for one in summary.treatments} == {"meant to cure"}
    assert chemo.times == 1
    assert radiation.times == 31
    assert radiation.end is not None
    assert radiation.end.text == "2018-10-25"


def test_json_round_trip(summary: CancerSummary) -> None:
    """MC-01: what is stored is read back the same."""
    assert CancerSummary.from_json(orjson.loads(orjson.dumps(summary.to_json()))) == summary


@pytest.mark.parametrize("wrong", [None, {}, {"version": 0}, []])
def test_another_version_is_made_again(wrong: object) -> None:
    """MC-01: a summary of another shape is refused, so that it is made anew."""
    with pytest.raises(ValueError, match="summary-version"):
        CancerSummary.from_json(wrong)


def condition(identity: str, *codings: tuple[str, str], words: str = "", **more: Any) -> dict[str, Any]:
    coding = [{"system": system, "code": code} for system, code in codings]
    return {
        "resourceType": "Condition", "id": identity, "subject": {"reference": "Patient/p1"},
        "code": {"coding": coding, "text": words}, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ((ICD, "C50.412"), "Breast cancer"),
        ((ICD, "C504"), "Breast cancer"),
        ((ICD, "C34.11"), "Lung cancer"),
        ((ICD, "C18.7"), "Colon cancer"),
        ((ICD, "C20"), "Rectal cancer"),
        ((ICD, "C61"), "Prostate cancer"),
        ((ICD, "C43.5"), "Melanoma (a skin cancer)"),
        ((ICD, "C90.00"), "Multiple myeloma"),
        ((ICD, "C91.10"), "Chronic lymphocytic leukemia (CLL)"),
        ((ICD, "C92.00"), "Acute myeloid leukemia (AML)"),
        ((ICD, "C81.90"), "Hodgkin lymphoma"),
        ((ICD, "C83.30"), "Lymphoma"),
        ((ICD, "D46.9"), "A blood cancer"),
        ((ICD, "D47.3"), "A blood cancer"),
        ((SNOMED, "254637007"), "Lung cancer"),
        ((SNOMED, "109838007"), "Colon cancer"),
        ((SNOMED, "126906006"), "Prostate cancer"),
        ((SNOMED, "277571004"), "Acute lymphoblastic leukemia (ALL)"),
    ],
)
def test_cancers_by_code(code: tuple[str, str], title: str) -> None:
    """MC-01: found by its code without any profile."""
    assert str(only(summarise([condition("c", code)])).title) == title


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("Breast CA, L", "Breast cancer"),
        ("Malignant tumor of ovary (disorder)", "Ovarian cancer"),
        ("Follicular lymphoma grade 2", "Lymphoma"),
        ("Carcinoma of unknown primary", "Carcinoma of unknown primary"),
    ],
)
def test_cancers_by_words(words: str, title: str) -> None:
    """MC-01: found by words when there is no code."""
    assert str(only(summarise([condition("c", words=words)])).title) == title


@pytest.mark.parametrize(
    "not_cancer",
    [
        condition("c", (ICD, "D12.6"), words="Benign neoplasm of colon"),
        condition("c", (ICD, "D25.9"), words="Leiomyoma of uterus"),
        condition("c", (ICD, "D47.2"), words="Monoclonal gammopathy"),
        condition("c", (ICD, "Z80.3"), words="Family history of malignant neoplasm of breast"),
        condition("c", (ICD, "Z85.3"), words="Personal history of malignant neoplasm of breast"),
        condition("c", words="Suspected lung cancer (situation)"),
        condition("c", words="Screening for breast cancer"),
        condition("c", words="Fear of cancer"),
        condition("c", (ICD, "I10"), words="High blood pressure"),
        condition("c", words="Cataract"),
    ],
    ids=lambda one: str(one["code"]["text"]),
)
def test_what_is_no_cancer(not_cancer: dict[str, Any]) -> None:
    """MC-01: benign, suspected, feared, screened for, in the family or in the past is no diagnosis."""
    assert summarise([not_cancer]).cancers == ()


def test_suspected_is_named_apart() -> None:
    """MC-01: a suspicion is shown as such; once confirmed it is no longer shown."""
    suspected = condition("s", (SNOMED, "162573006"), words="Suspected lung cancer (situation)")
    assert [one.clinical for one in summarise([suspected]).not_confirmed] == ["Suspected lung cancer (situation)"]
    confirmed = summarise([suspected, condition("c", (ICD, "C34.11"))])
    assert len(confirmed.cancers) == 1
    assert confirmed.not_confirmed == ()


def test_in_situ_is_said() -> None:
    """MC-02: carcinoma in situ is not called invasive cancer."""
    cancer = only(summarise([condition("c", (ICD, "D05.12"))]))
    assert cancer.in_situ
    assert "in situ" in str(cancer.title)
    assert str(cancer.side) == "left side"


def test_several_primaries() -> None:
    """MC-02: two sides, or two organs, are two cancers; many entries of one cancer are one."""
    entries = [
        condition("c1", (ICD, "C50.912"), onsetDateTime="2020"),
        condition("c2", (ICD, "C50.412"), onsetDateTime="2020-03"),
        condition("c3", (SNOMED, "254837009"), onsetDateTime="2021"),
        condition("c4", (ICD, "C50.911"), onsetDateTime="2023"),
        condition("c5", (ICD, "C34.11"), onsetDateTime="2024"),
    ]
    found = summarise(entries).cancers
    assert [(one.site, str(one.side)) for one in found] == [
        ("breast", "left side"), ("breast", "right side"), ("lung", "right side"),
    ]  # fmt: skip
    assert {"c1", "c2", "c3"} == {one.split("/")[1] for one in found[0].keys}
    assert found[0].found is not None
    assert found[0].found.text == "2020"


def test_two_melanomas_are_two() -> None:
    """MC-02: skin cancers at different places are different cancers."""
    assert len(summarise([condition("a", (ICD, "C43.5")), condition("b", (ICD, "C43.61"))]).cancers) == 2


@pytest.mark.parametrize(
    "metastasis",
    [
        condition("m", (ICD, "C79.51")),
        condition("m", (SNOMED, "94222008")),
        condition("m", words="Metastasis to bone from breast"),
        condition("m", (ICD, "C78.7")),
    ],
)
def test_spread_invents_no_primary(metastasis: dict[str, Any]) -> None:
    """MC-03: a metastasis alone is spread, and no cancer where it was found."""
    summary = summarise([metastasis])
    assert summary.cancers == ()
    assert len(summary.spread) == 1
    assert "spread" in str(summary.spread[0].title)


@pytest.mark.parametrize("profiles", [True, False])
def test_spread_belongs_to_its_primary(profiles: bool) -> None:
    """MC-03: the mCODE example of brain metastases is shown with its lung cancer."""
    entries = [
        example("Condition-primary-cancer-condition-nsclc"),
        example("Condition-secondary-cancer-condition-brain-mets"),
        condition("other", (ICD, "C61")),
    ]
    found = summarise(entries if profiles else without_profiles(entries))
    lung = next(one for one in found.cancers if one.site == "lung")
    assert [str(one.title) for one in lung.spread] == ["Cancer spread to the brain or nerves"]
    assert found.spread == ()
    assert str(lung.side) == "left side"


@pytest.mark.parametrize("profiles", [True, False])
def test_no_history_of_spread_means_no(profiles: bool) -> None:
    """MC-03: history of metastatic cancer with false means NO such history; without a value it means yes."""
    no, yes = (
        example("Observation-no-history-of-metastatic-cancer"),
        example("Observation-history-of-cancer-metastatic-to-liver"),
    )
    for entry, word in ((no, "No"), (yes, "Yes")):
        found = summarise([entry] if profiles else without_profiles([entry]))
        assert found.spread_history is not None
        assert str(found.spread_history.text).startswith(word)
        assert (found.cancers, found.spread) == ((), ())


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


def observation(identity: str, code: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "id": identity, "status": "final", "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": LOINC, "code": code}]}, **more,
    }  # fmt: skip


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


def medicine(
    identity: str, name: str, when: str, kind: str = "MedicationAdministration", **more: Any
) -> dict[str, Any]:
    field = "authoredOn" if kind == "MedicationRequest" else "effectiveDateTime"
    return {
        "resourceType": kind, "id": identity, "status": "completed", "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"text": name}, field: when, **more,
    }  # fmt: skip


def test_doses_become_courses() -> None:
    """MC-08: doses given together are one regimen; a long pause begins a new course."""
    doses = [
        medicine(f"{drug}{number}", drug, f"2024-0{5 + number}-01")
        for number in range(4)
        for drug in ("docetaxel", "cyclophosphamide")
    ] + [medicine("again", "docetaxel", "2026-01-01")]
    first, second = summarise(doses).treatments
    assert (first.names, first.times) == (("docetaxel", "cyclophosphamide"), 4)
    assert first.start is not None
    assert first.end is not None
    assert (first.start.text, first.end.text) == ("2024-05-01", "2024-08-01")
    assert (second.names, second.times) == (("docetaxel",), 1)


def test_stopped_says_why() -> None:
    """MC-08: the mCODE example of a stopped medicine tells why."""
    (treatment,) = summarise(
        [example("MedicationRequest-cancer-related-medication-request-cisplatin-stopped")]
    ).treatments
    assert treatment.names == ("cisplatin",)
    assert str(treatment.status) == "stopped early"
    assert str(treatment.reason_stopped) == "it was too hard on the body"


@pytest.mark.parametrize(
    ("entry", "counts"),
    [
        (medicine("m", "methotrexate 2.5 MG Oral Tablet", "2024", "MedicationRequest"), False),
        (medicine("m", "prednisone 5 MG", "2024", "MedicationRequest"), False),
        (medicine("m", "lisinopril 10 MG", "2024", "MedicationRequest"), False),
        (medicine("m", "methotrexate", "2024", reasonCode=[{"coding": [{"system": ICD, "code": "C91.00"}]}]), True),
        (medicine("m", "Some new drug", "2024", reasonReference=[{"reference": "Condition/c"}]), True),
        (medicine("m", "PACLitaxel 100 MG Injection", "2024"), True),
    ],
)
def test_medicines_for_other_illnesses(entry: dict[str, Any], counts: bool) -> None:
    """MC-08: what is also given for other illnesses is a cancer treatment only when the record says so."""
    found = summarise([condition("c", (ICD, "C91.00")), entry]).treatments
    assert bool(found) is counts


@pytest.mark.parametrize(
    ("words", "cancer", "kind"),
    [
        ("Mastectomy of left breast", "C50.912", "surgery"),
        ("Mastectomy of left breast", "C61", None),
        ("Colonoscopy", "C18.7", None),
        ("Biopsy of breast", "C50.912", None),
        ("External beam radiation therapy procedure (procedure)", "C50.912", "radiation"),
        ("Combined chemotherapy and radiation therapy (procedure)", "C34.11", "chemo-radiation"),
        ("Dental surgical procedure", "C34.11", None),
    ],
)
def test_procedures(words: str, cancer: str, kind: str | None) -> None:
    """MC-08: operations on the cancer's organ and radiation are treatments; looking and other care are not."""
    procedure = {
        "resourceType": "Procedure", "id": "p", "status": "completed", "performedDateTime": "2024-01-02",
        "code": {"text": words},
    }  # fmt: skip
    found = summarise([condition("c", (ICD, cancer)), procedure]).treatments
    assert [one.kind for one in found] == ([kind] if kind else [])


def test_two_hospitals_one_cancer() -> None:
    """MC-02: the same cancer told by two hospitals is one card."""
    entries = [
        condition("a", (ICD, "C50.912")),
        condition("b", (SNOMED, "353431000119107"), words="left breast cancer"),
    ]
    assert len(only(summarise(entries)).keys) == 2
