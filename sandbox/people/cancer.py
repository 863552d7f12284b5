"""The cancer itself, mCODE STU4-shaped: primary and secondary conditions, stage, markers, status, genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.people.chart_builder import ChartBuilder, Reference
from sandbox.people.codes import AJCC, MCODE, SNOMED, Concept, concept, hl7, loinc, quantity, snomed

_AJCC_8 = snomed("897275008", "AJCC Cancer Staging Manual, 8th edition")
_STAGE_CODES = {
    "c": ("399537006", "Clinical TNM stage grouping"),
    "p": ("399588009", "Pathologic TNM stage grouping"),
}
_TNM_CODES = {
    "cT": ("399504009", "cT category", "tnm-primary-tumor-category"),
    "cN": ("399534004", "cN category", "tnm-regional-nodes-category"),
    "cM": ("399387003", "cM category", "tnm-distant-metastases-category"),
    "pT": ("384625004", "pT category", "tnm-primary-tumor-category"),
    "pN": ("371494008", "pN category", "tnm-regional-nodes-category"),
    "pM": ("371497001", "pM category", "tnm-distant-metastases-category"),
}
_STATUS = {
    "improved": ("268910001", "Patient's condition improved"),
    "stable": ("359746009", "Patient's condition stable"),
    "worse": ("271299001", "Patient's condition worsened"),
    "remission": ("103338009", "In full remission"),
}
_EVIDENCE = {
    "imaging": ("363679005", "Imaging"),
    "laboratory": ("252416005", "Histopathology test"),
    "exam": ("5880005", "Physical examination procedure"),
}
_ECOG = (
    "Fully active", "Restricted in hard work, able to walk and do light work",
    "Able to walk and care for self, up more than half the day", "Limited self-care, in bed more than half the day",
    "Completely disabled",
)  # fmt: skip


@dataclass(frozen=True)
class Primary:
    """A primary cancer as the chart names it."""

    key: str
    code: Concept
    histology: Concept
    site: Concept
    onset: str
    asserted: str
    side: Concept | None = None
    clinical: str = "active"
    abated: str | None = None


def primary(chart: ChartBuilder, it: Primary, stages: list[tuple[str, Reference]]) -> Reference:
    """Add the primary cancer Condition; `stages` are (spoken stage, assessment Observation)."""
    site = dict(it.site)
    if it.side:
        site["extension"] = [{"url": MCODE + "laterality-qualifier", "valueCodeableConcept": it.side}]
    return chart.add(
        "Condition", it.key, it.asserted, MCODE + "primary-cancer-condition",
        extension=[
            {"url": MCODE + "histology-morphology-behavior", "valueCodeableConcept": it.histology},
            {"url": "http://hl7.org/fhir/StructureDefinition/condition-assertedDate", "valueDateTime": it.asserted},
        ],
        clinicalStatus=hl7("condition-clinical", it.clinical),
        verificationStatus=hl7("condition-ver-status", "confirmed"),
        category=[hl7("condition-category", "problem-list-item", "Problem List Item")],
        code=it.code, bodySite=[site], subject=chart.subject, onsetDateTime=it.onset, recordedDate=it.asserted,
        abatementDateTime=it.abated, recorder=chart.doctor, asserter=chart.doctor,
        stage=[
            {"summary": {"text": spoken}, "assessment": [assessment], "type": {"text": "Cancer stage"}}
            for spoken, assessment in stages
        ] or None,
    )  # fmt: skip


def secondary(chart: ChartBuilder, key: str, code: Concept, site: Concept, onset: str, of: str) -> Reference:
    """Add a metastasis: a secondary cancer Condition related to the primary with key `of` (MC-03)."""
    related = {
        "url": "http://hl7.org/fhir/StructureDefinition/condition-related",
        "valueReference": chart.reference("Condition", of),
    }
    return chart.add(
        "Condition", key, onset, MCODE + "secondary-cancer-condition", extension=[related],
        clinicalStatus=hl7("condition-clinical", "active"), verificationStatus=hl7("condition-ver-status", "confirmed"),
        category=[hl7("condition-category", "problem-list-item", "Problem List Item")], code=code, bodySite=[site],
        subject=chart.subject, onsetDateTime=onset, recordedDate=onset, asserter=chart.doctor,
    )  # fmt: skip


def tnm(chart: ChartBuilder, of: str, when: str, group: str, categories: list[str]) -> tuple[str, Reference]:
    """Add a TNM stage group with its T, N and M members; categories such as `pT2`, `cN0`. Returns the stage pair."""
    focus = [chart.reference("Condition", of)]
    kind = categories[0][0]
    members = []
    for category in categories:
        code, display, profile = _TNM_CODES[category[:2]]
        members.append(chart.observe(
            f"{of}-{category.lower().replace('(', '').replace(')', '')}-{when}", when, "laboratory",
            snomed(code, display), MCODE + profile, focus=focus, method=_AJCC_8, performer=[chart.doctor],
            valueCodeableConcept=concept((AJCC, category, category)),
        ))  # fmt: skip
    code, display = _STAGE_CODES[kind]
    made = chart.observe(
        f"{of}-{kind}-stage-{when}", when, "laboratory", snomed(code, display), MCODE + "tnm-stage-group",
        focus=focus, method=_AJCC_8, performer=[chart.doctor], hasMember=members,
        valueCodeableConcept=concept((AJCC, group, f"Stage {group}")),
    )  # fmt: skip
    return f"Stage {group} ({' '.join(categories)})", made


def other_stage(
    chart: ChartBuilder, of: str, when: str, code: Concept, value: Concept, method: Concept | None = None
) -> tuple[str, Reference]:
    """Add a stage of another system: FIGO, Rai, Binet, R-ISS, Lugano, Gleason, Breslow, Clark (MC-04)."""
    key = f"{of}-stage-{code['coding'][0]['code']}"[-40:].lstrip("-").lower()
    made = chart.observe(
        key, when, "laboratory", code, MCODE + "cancer-stage", focus=[chart.reference("Condition", of)],
        valueCodeableConcept=value, method=method, performer=[chart.doctor],
    )  # fmt: skip
    return value["text"], made


def ecog(chart: ChartBuilder, *grades: tuple[str, int]) -> None:
    """Add ECOG performance status per date, 0 to 4 (LOINC 89247-1)."""
    for when, grade in grades:
        chart.observe(
            f"ecog-{when}", when, "survey", loinc("89247-1", "ECOG Performance Status score"),
            MCODE + "ecog-performance-status", valueInteger=grade, performer=[chart.doctor],
            interpretation=[{"text": _ECOG[grade]}],
        )  # fmt: skip


def disease_status(chart: ChartBuilder, of: str, *rows: tuple[str, str, str]) -> None:
    """Add cancer disease status (date, trend, evidence) rows (LOINC 97509-4)."""
    for when, trend, evidence in rows:
        shown = {
            "url": MCODE + "cancer-disease-status-evidence-type",
            "valueCodeableConcept": snomed(*_EVIDENCE[evidence]),
        }
        chart.observe(
            f"{of}-status-{when}", when, "exam", loinc("97509-4", "Cancer Disease Progression"),
            MCODE + "cancer-disease-status", extension=[shown], focus=[chart.reference("Condition", of)],
            valueCodeableConcept=snomed(*_STATUS[trend]), performer=[chart.doctor],
        )  # fmt: skip


def marker(chart: ChartBuilder, of: str, when: str, code: Concept, **value: Any) -> Reference:
    """Add one tumor marker test; the value is one value[x] element."""
    return chart.observe(
        f"marker-{code['coding'][0]['code']}-{when}", when, "laboratory", code, MCODE + "tumor-marker-test",
        focus=[chart.reference("Condition", of)], performer=[chart.organization], **value,
    )  # fmt: skip


def marker_trend(
    chart: ChartBuilder, of: str, code: Concept, unit: str, normal_below: float, rows: list[tuple[str, float]]
) -> None:
    """Add the same marker over years, with its reference range and a high flag above it."""
    for when, value in rows:
        high = value > normal_below
        marker(
            chart, of, when, code, valueQuantity=quantity(value, unit),
            referenceRange=[{"high": quantity(normal_below, unit), "text": f"below {normal_below:g} {unit}"}],
            interpretation=[hl7("v3-ObservationInterpretation", "H" if high else "N", "High" if high else "Normal")],
        )  # fmt: skip


def history_of_metastasis(chart: ChartBuilder, when: str, *, had: bool) -> None:
    """Add the history-of-metastatic-cancer observation; False says that there is NO such history (MC-03)."""
    chart.observe(
        f"history-metastatic-{when}", when, "social-history",
        concept((SNOMED, "1287652008", "History of metastatic malignant neoplasm")),
        MCODE + "history-of-metastatic-cancer", valueBoolean=had, performer=[chart.doctor],
    )  # fmt: skip


def gene(chart: ChartBuilder, when: str, symbol: str, hgnc: str, change: str, *, germline: bool) -> Reference:
    """Add a genomic variant that was found (LOINC 69548-6)."""
    source = ("LA6683-2", "Germline") if germline else ("LA6684-0", "Somatic")
    parts = [
        (loinc("48018-6", "Gene studied [ID]"), concept(("http://www.genenames.org", hgnc, symbol))),
        (loinc("48004-6", "DNA change (c.HGVS)"), concept(("http://varnomen.hgvs.org", change, change))),
        (loinc("48002-0", "Genomic source class"), loinc(*source)),
    ]
    return chart.observe(
        f"gene-{symbol.lower()}", when, "laboratory", loinc("69548-6", "Genetic variant assessment"),
        MCODE + "genomic-variant", valueCodeableConcept=loinc("LA9633-4", "Present"),
        method=loinc("LA26398-0", "Sequencing"), performer=[chart.organization],
        component=[{"code": code, "valueCodeableConcept": value} for code, value in parts],
    )  # fmt: skip
