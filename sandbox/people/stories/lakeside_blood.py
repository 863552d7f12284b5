"""Lakeside's people with cancers of the blood: chronic leukemia, myeloma, Hodgkin lymphoma."""

from __future__ import annotations

from typing import Any

from sandbox.people.background import Background, begin, icd, plan, problem
from sandbox.people.cancer import Primary, disease_status, ecog, marker_trend, other_stage, primary
from sandbox.people.codes import ICDO3, NCIT, concept, loinc, snomed
from sandbox.people.documents import PATHOLOGY, note, report, specimen
from sandbox.people.laboratory import blood_tests, months, smoking, vital_signs
from sandbox.people.person import SyntheticPerson
from sandbox.people.stories.riverside import PATHOLOGY_CODE
from sandbox.people.treatment import Medicine, dispense, infuse, operate, prescribe

Resource = dict[str, Any]
_BLOOD = snomed("87612001", "Blood")
_MARROW = snomed("14016003", "Bone marrow structure")


def chronic_leukemia(person: SyntheticPerson) -> list[Resource]:
    """Chronic lymphocytic leukemia, watched for years, then a daily pill."""
    chart = begin(person, Background(
        "black", "2018-09-11", ("2018-10-02", "2020-10-06", "2022-10-04", "2024-10-08", "2026-04-21"), None, (),
        "MHP-811034",
    ), doctor=1)  # fmt: skip
    stages = [
        other_stage(chart, "leukemia", "2018-10-02", concept((NCIT, "C141207", "Rai Stage")),
                    concept((NCIT, "C7875", "Stage II Chronic Lymphocytic Leukemia"), text="Rai stage II"),
                    snomed("1149131009", "Rai staging system for chronic lymphocytic leukemia")),
        other_stage(chart, "leukemia", "2018-10-02", concept((NCIT, "C141212", "Binet Stage")),
                    concept((NCIT, "C80135", "Binet Stage B")),
                    snomed("1149099005", "Binet staging classification for chronic lymphocytic leukemia")),
    ]  # fmt: skip
    primary(chart, Primary(
        "leukemia", icd("C91.10", "Chronic lymphocytic leukemia of B-cell type not having achieved remission",
                        ("92814006", "Chronic lymphoid leukemia, disease"), "Chronic lymphocytic leukemia (CLL)"),
        concept((ICDO3, "9823/3", "Chronic lymphocytic leukemia/small lymphocytic lymphoma")), _BLOOD, "2018",
        "2018-09-25"), stages)  # fmt: skip
    rising = {"2018": 5.0, "2019": 6.5, "2020": 9.0, "2021": 13.0, "2022": 17.0, "2023": 8.0, "2024": 3.0, "2025": 1.6,
              "2026": 1.4}  # fmt: skip
    blood_tests(chart, months("2018-10", "2026-04", 1), {
        "731-0": rising, "6690-2": {year: 1 + factor / 3 for year, factor in rising.items()},
        "718-7": {"2021": 0.85, "2022": 0.8}, "777-3": {"2022": 0.6},
    })  # fmt: skip
    pill = Medicine("ibrutinib", ("1442981", "ibrutinib"), "leukemia", "2022-11-01", "420 mg by mouth once a day",
                    intent="control", status="active")  # fmt: skip
    prescribe(chart, pill)
    dispense(chart, pill, list(months("2022-11", "2026-04", 2)), 60)
    vital_signs(chart, list(months("2018-10", "2026-04", 6)), 82, 180)
    smoking(chart, "2018-10-02", "449868002", "Smokes tobacco daily")
    ecog(chart, ("2018-10-02", 0), ("2022-10-04", 1), ("2026-04-21", 0))
    disease_status(chart, "leukemia", ("2020-10-06", "stable", "laboratory"), ("2022-10-04", "worse", "laboratory"),
                   ("2024-10-08", "improved", "laboratory"))  # fmt: skip
    problem(chart, "rhythm", "2023-05", icd("I48.91", "Unspecified atrial fibrillation",
            ("49436004", "Atrial fibrillation"), "Irregular heartbeat"))  # fmt: skip
    note(chart, "consult", "2018-10-02", "consult", ["Found by chance in a blood test. Watch and wait."])
    note(chart, "progress", "2026-04-21", "progress", ["Counts near normal on ibrutinib."], "html")
    plan(chart, "2026-04-21", "leukemia", "Stop smoking", "Blood test each month. Vaccines each autumn.")
    return chart.resources


def myeloma(person: SyntheticPerson) -> list[Resource]:
    """Multiple myeloma with M-protein and light chains over years."""
    chart = begin(person, Background(
        "other", "2020-06-02", ("2020-06-16", "2021-06-15", "2023-06-13", "2025-06-10", "2026-05-12"),
        ("91936005", "Allergy to penicillin", "Rash"), (), "MHP-822907", hispanic=True,
    ), doctor=1)  # fmt: skip
    stage = other_stage(chart, "myeloma", "2020-06-16", concept((NCIT, "C141392", "RISS Stage")),
                        concept((NCIT, "C141395", "RISS Stage II Plasma Cell Myeloma"),
                                text="R-ISS stage II"))  # fmt: skip
    primary(chart, Primary(
        "myeloma", icd("C90.00", "Multiple myeloma not having achieved remission", ("109989006", "Multiple myeloma"),
                       "Multiple myeloma"),
        concept((ICDO3, "9732/3", "Multiple myeloma")), _MARROW, "2020-05", "2020-06-09"), [stage])  # fmt: skip
    marrow = specimen(chart, "marrow", "2020-06-05", snomed("119359002", "Bone marrow specimen"), _MARROW)
    report(chart, "marrow", "2020-06-09", PATHOLOGY, PATHOLOGY_CODE, "Bone marrow: 40 percent plasma cells.",
           specimen=marrow)  # fmt: skip
    operate(chart, "marrow-test", "2020-06-05", snomed("49401003", "Bone marrow aspiration procedure"), "myeloma")
    days = list(months("2020-07", "2020-12"))
    infuse(chart, Medicine("bortezomib", ("358258", "bortezomib"), "myeloma", days[0], "1.3 mg/m2 under the skin", "sc",
                           "control", end=days[-1]), days, 2.2)  # fmt: skip
    prescribe(chart, Medicine("lenalidomide", ("342369", "lenalidomide"), "myeloma", "2021-02-02",
                              "10 mg by mouth, 21 of 28 days", intent="control", status="active"))  # fmt: skip
    prescribe(chart, Medicine("dexamethasone", ("3264", "dexamethasone"), "myeloma", "2020-07-07",
                              "20 mg by mouth once a week", intent="control", end="2021-01-05"))  # fmt: skip
    quarters = list(months("2020-06", "2026-03", 3))
    protein = (3.4, 2.1, 1.0, 0.5, 0.4, 0.3, 0.3, 0.2, 0.2, 0.2, 0.3, 0.3, 0.2, 0.2, 0.3, 0.4, 0.4, 0.5, 0.5, 0.6, 0.6,
               0.7, 0.8, 0.9)  # fmt: skip
    marker_trend(chart, "myeloma", loinc("33358-3", "M-protein (monoclonal protein)"), "g/dL", 0.1,
                 list(zip(quarters, protein, strict=True)))  # fmt: skip
    marker_trend(chart, "myeloma", loinc("36916-5", "Free kappa light chains"), "mg/L", 19.4,
                 [(when, round(value * 92 + 8)) for when, value in zip(quarters, protein, strict=True)])  # fmt: skip
    blood_tests(chart, months("2020-06", "2026-05", 2), {"718-7": {"2020": 0.72}, "17861-6": {"2020": 1.15},
                                                        "2160-0": {"2020": 1.6}})  # fmt: skip
    vital_signs(chart, list(months("2020-06", "2026-05", 6)), 71, 157)
    ecog(chart, ("2020-06-16", 2), ("2021-06-15", 1), ("2026-05-12", 1))
    disease_status(chart, "myeloma", ("2021-06-15", "improved", "laboratory"), ("2026-05-12", "stable", "laboratory"))
    note(chart, "history", "2020-06-16", "history", ["Back pain for months. Low blood count. M-protein 3.4."])
    note(chart, "laboratory", "2026-05-12", "laboratory", ["M-protein rises slowly. Check again in six weeks."], "text")
    plan(chart, "2026-05-12", "myeloma", "Garden without back pain", "Lenalidomide goes on. Bone medicine quarterly.")
    return chart.resources


def hodgkin(person: SyntheticPerson) -> list[Resource]:
    """Hodgkin lymphoma, cured by chemotherapy at thirty."""
    chart = begin(person, Background(
        "white", "2022-04-05", ("2022-04-19", "2022-10-18", "2023-10-17", "2025-10-14"), None, (), "MHP-833410",
    ), doctor=1)  # fmt: skip
    stage = other_stage(chart, "hodgkin", "2022-04-19", snomed("385388004", "Lymphoma stage"),
                        snomed("44255004", "Lymphoma stage IIIe", "Lugano stage III E"),
                        {"text": "Lugano classification"})  # fmt: skip
    primary(chart, Primary(
        "hodgkin", icd("C81.18", "Nodular sclerosis Hodgkin lymphoma, lymph nodes of multiple sites",
                       ("118599009", "Hodgkin's disease"), "Hodgkin lymphoma"),
        concept((ICDO3, "9663/3", "Hodgkin lymphoma, nodular sclerosis, NOS")),
        snomed("62683002", "Mediastinal lymph node structure"), "2022-03", "2022-04-12", clinical="remission",
        abated="2022-10-18"), [stage])  # fmt: skip
    days = list(months("2022-05", "2022-10"))
    for key, code, dose in (
        ("doxorubicin", ("3639", "doxorubicin"), 42.0),
        ("bleomycin", ("1622", "bleomycin"), 17.0),
        ("vinblastine", ("11198", "vinblastine"), 10.2),
        ("dacarbazine", ("3098", "dacarbazine"), 638.0),
    ):
        infuse(chart, Medicine(key, code, "hodgkin", days[0], "into a vein every 2 weeks (ABVD)", "iv", end=days[-1]),
               days, dose, "U" if key == "bleomycin" else "mg")  # fmt: skip
    blood_tests(chart, months("2022-04", "2025-10", 2), {"751-8": {"2022": 0.5}})
    vital_signs(chart, list(months("2022-04", "2025-10", 6)), 58, 168)
    smoking(chart, "2022-04-19", "266919005", "Never smoked tobacco")
    ecog(chart, ("2022-04-19", 1), ("2025-10-14", 0))
    disease_status(chart, "hodgkin", ("2022-07-12", "improved", "imaging"), ("2022-10-18", "remission", "imaging"))
    note(chart, "discharge", "2022-05-04", "discharge", ["First treatment went well. Home the same day."], "html")
    plan(chart, "2025-10-14", "hodgkin", "Finish my degree", "One visit a year. Heart ultrasound every five years.")
    return chart.resources
