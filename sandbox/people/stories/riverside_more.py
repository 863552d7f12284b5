"""More of riverside's people: childhood leukemia, two primaries, melanoma."""

from __future__ import annotations

from typing import Any

from sandbox.people.background import Background, begin, icd, outside_result, plan, problem, questionnaire
from sandbox.people.cancer import (
    Primary,
    disease_status,
    ecog,
    gene,
    history_of_metastasis,
    marker_trend,
    other_stage,
    primary,
    tnm,
)
from sandbox.people.chart_builder import ChartBuilder, Reference
from sandbox.people.codes import HL7, ICDO3, MCODE, NCIT, NEGATIVE, concept, loinc, rxnorm, snomed
from sandbox.people.documents import PATHOLOGY, note, report, scan, specimen
from sandbox.people.laboratory import blood_tests, months, smoking, vital_signs
from sandbox.people.person import SyntheticPerson
from sandbox.people.stories.riverside import CT, PATHOLOGY_CODE, TISSUE
from sandbox.people.treatment import Medicine, infuse, operate, prescribe

Resource = dict[str, Any]
_MARROW = snomed("14016003", "Bone marrow structure")


def child_leukemia(person: SyntheticPerson) -> list[Resource]:
    """Acute lymphoblastic leukemia in a teenager; the mother has her own sign-in."""
    chart = begin(person, Background(
        "asian", "2024-02-06", ("2024-02-12", "2024-08-13", "2025-02-11", "2026-04-07"), None, (), "MHP-558120",
        vaccines=(("62", "HPV, quadrivalent", "2022-05-10"), ("140", "Influenza, seasonal, injectable", "2025-10-07")),
    ))  # fmt: skip
    risk = chart.observe(
        "risk", "2024-02-14", "exam", concept((NCIT, "C167435", "Acute lymphoblastic leukemia risk group")),
        MCODE + "ALL-risk-assessment", focus=[chart.reference("Condition", "leukemia")],
        valueCodeableConcept=concept((NCIT, "C122457", "Standard Risk Acute Leukemia")), performer=[chart.doctor],
    )  # fmt: skip
    primary(chart, Primary(
        "leukemia", icd("C91.01", "Acute lymphoblastic leukemia, in remission",
                        ("91857003", "Acute lymphoid leukemia, disease"), "Acute lymphoblastic leukemia (ALL)"),
        concept((ICDO3, "9811/3", "B lymphoblastic leukemia/lymphoma, NOS")), _MARROW, "2024-02", "2024-02-09",
        clinical="remission"), [("Standard risk", risk)])  # fmt: skip
    for when, value in (("2024-02-12", 60), ("2024-08-13", 80), ("2026-04-07", 100)):
        chart.observe(f"lansky-{when}", when, "survey", concept((NCIT, "C38144", "Lansky Play-Performance Status")),
                      MCODE + "lansky-play-performance-status", valueInteger=value,
                      performer=[chart.doctor])  # fmt: skip
    marrow = specimen(chart, "marrow", "2024-02-08", snomed("119359002", "Bone marrow specimen"), _MARROW)
    report(chart, "marrow", "2024-02-09", PATHOLOGY, PATHOLOGY_CODE,
           "Bone marrow: 92 percent blasts, B-cell type. ETV6-RUNX1 found.", None, marrow)  # fmt: skip
    operate(chart, "lumbar", "2024-02-13", snomed("277762005", "Lumbar puncture"), "leukemia")
    days = list(months("2024-02", "2024-06"))
    infuse(chart, Medicine("vincristine", ("11202", "vincristine"), "leukemia", days[0],
                           "1.5 mg/m2 into a vein", "iv", end=days[-1]), days, 1.9)  # fmt: skip
    prescribe(chart, Medicine("mercaptopurine", ("103", "mercaptopurine"), "leukemia", "2024-09-03",
                              "75 mg by mouth every evening", status="active"))  # fmt: skip
    prescribe(chart, Medicine("methotrexate", ("6851", "methotrexate"), "leukemia", "2024-09-03",
                              "20 mg by mouth once a week", status="active"))  # fmt: skip
    blood_tests(chart, months("2024-02", "2026-04"), {"6690-2": {"2024": 0.5, "2025": 0.6}, "777-3": {"2024": 0.6},
                                                     "751-8": {"2024": 0.4, "2025": 0.5}})  # fmt: skip
    vital_signs(chart, list(months("2024-02", "2026-04", 3)), 51, 160)
    disease_status(chart, "leukemia", ("2024-03-12", "remission", "laboratory"), ("2026-04-07", "remission",
                                                                               "laboratory"))  # fmt: skip
    note(chart, "emergency", "2024-02-06", "emergency", ["Bruises and tired for two weeks. Blasts in the blood."])
    note(chart, "procedure", "2024-02-13", "procedure", ["Lumbar puncture. No leukemia cells in the fluid."], "text")
    plan(chart, "2026-04-07", "leukemia", "Back to soccer", "Pills until August. Blood test each month.")
    _own_care(chart)
    return chart.resources


def _own_care(chart: ChartBuilder) -> None:
    """Care that she asked for herself, as the law of most states lets her: not for her mother to read here."""
    problem(chart, "own-care", "2026-03", icd("Z30.09", "Encounter for other general counseling and advice on"
            " contraception", ("13197004", "Contraception"), "Birth control counseling"))  # fmt: skip
    prescribe(chart, Medicine("own-care", ("6373", "levonorgestrel"), "own-care", "2026-03-10",
                              "1.5 mg by mouth once, if needed", status="active"))  # fmt: skip


def two_primaries(person: SyntheticPerson) -> list[Resource]:
    """Colon cancer, then a second, separate cancer of the bladder."""
    chart = begin(person, Background(
        "white", "2019-10-08", ("2019-11-05", "2020-11-03", "2022-11-08", "2024-05-14", "2026-01-13"), None,
        (("BRO", "brother", "Colon cancer", 66),), "MHP-604512",
    ))  # fmt: skip
    colon_stage = tnm(chart, "colon", "2019-11-12", "IIIB", ["pT3", "pN1a", "cM0"])
    primary(chart, Primary(
        "colon", icd("C18.7", "Malignant neoplasm of sigmoid colon", ("363406005", "Malignant tumor of colon"),
                     "Colon cancer"),
        concept((ICDO3, "8140/3", "Adenocarcinoma, NOS")), snomed("60184004", "Sigmoid colon structure"), "2019-10",
        "2019-10-15", clinical="remission"), [colon_stage])  # fmt: skip
    bladder_stage = tnm(chart, "bladder", "2024-05-21", "0a", ["pTa", "pN0", "cM0"])
    primary(chart, Primary(
        "bladder", icd("C67.9", "Malignant neoplasm of bladder, unspecified",
                       ("399326009", "Malignant tumor of urinary bladder"), "Bladder cancer"),
        concept((ICDO3, "8130/2", "Papillary transitional cell carcinoma, non-invasive")),
        snomed("89837001", "Urinary bladder structure"), "2024-05", "2024-05-17"), [bladder_stage])  # fmt: skip
    _colon_treatment(chart)
    operate(chart, "resection", "2024-05-16", snomed("65801008", "Excision", "Bladder tumor removed through the tube"),
            "bladder", snomed("89837001", "Urinary bladder structure"))  # fmt: skip
    cee = loinc("2039-6", "Carcinoembryonic antigen (CEA)")
    marker_trend(chart, "colon", cee, "ng/mL", 5.0, [
        ("2019-10-10", 21.4), ("2020-02-11", 4.0), ("2020-11-03", 2.2), ("2021-11-02", 2.0), ("2022-11-08", 2.4),
        ("2023-11-07", 2.1), ("2024-11-05", 2.3), ("2026-01-13", 2.2),
    ])  # fmt: skip
    blood_tests(chart, months("2019-11", "2026-01", 3), {"718-7": {"2019": 0.75}, "2160-0": {"*": 1.3}})
    vital_signs(chart, list(months("2019-11", "2026-01", 6)), 94, 176)
    smoking(chart, "2019-11-05", "8517006", "Ex-smoker")
    ecog(chart, ("2019-11-05", 1), ("2022-11-08", 1), ("2026-01-13", 1))
    disease_status(chart, "colon", ("2020-11-03", "remission", "imaging"))
    disease_status(chart, "bladder", ("2024-11-12", "improved", "exam"), ("2026-01-13", "stable", "exam"))
    # Sensitive and without a security label, as most are.
    problem(chart, "alcohol", "2009", icd("F10.21", "Alcohol dependence, in remission",
            ("7200002", "Alcoholism"), "Alcohol dependence, not drinking since 2011"))  # fmt: skip
    note(chart, "cystoscopy", "2024-05-16", "procedure", ["A small growth was seen in the bladder and removed."])
    note(chart, "laboratory", "2024-05-20", "laboratory", ["Urine cells: low-grade growth."], "text")
    plan(chart, "2026-01-13", "bladder", "Travel to Poland", "Look into the bladder every six months. CEA each year.")
    return chart.resources


def _colon_treatment(chart: ChartBuilder) -> None:
    operate(chart, "colectomy", "2019-11-06", snomed("43075005", "Partial resection of colon"), "colon",
            snomed("60184004", "Sigmoid colon structure"))  # fmt: skip
    operate(chart, "second-look", "2020-03-03", snomed("73761001", "Colonoscopy"), "colon", status="not-done",
            statusReason={"text": "Clinic closed"})  # fmt: skip
    days = list(months("2019-12", "2020-05"))
    for key, code, how, dose in (
        ("oxaliplatin", ("32592", "oxaliplatin"), "85 mg/m2 into a vein every 2 weeks", 170.0),
        ("fluorouracil", ("4492", "fluorouracil"), "over 46 hours every 2 weeks", 4800.0),
    ):
        infuse(chart, Medicine(key, code, "colon", days[0], how, "iv", end=days[-1]), days, dose)
    made: Reference = chart.add("Medication", "calcium", "2020-01-07", status="active",
                                code=rxnorm("1897", "calcium carbonate"), form={"text": "tablet"})  # fmt: skip
    chart.add(
        "MedicationRequest", "rx-calcium", "2020-01-07", status="active", intent="plan", reportedBoolean=True,
        medicationReference=made, subject=chart.subject, authoredOn="2020-01", requester=chart.doctor,
        dosageInstruction=[{"text": "One tablet a day, bought without a prescription"}],
    )  # fmt: skip


def melanoma(person: SyntheticPerson) -> list[Resource]:
    """Melanoma with immunotherapy; and entries that many would not want to share."""
    chart = begin(person, Background(
        "black", "2023-03-14", ("2023-03-21", "2023-09-19", "2024-03-19", "2025-03-18", "2026-03-17"), None, (),
        "MHP-702219",
    ))  # fmt: skip
    site = snomed("22943007", "Trunk structure")
    _melanoma_diagnosis(chart)
    core = specimen(chart, "skin", "2023-03-21", TISSUE, site)
    found = gene(chart, "2023-04-11", "BRAF", "HGNC:1097", "NM_004333.6:c.1799T>A", germline=False)
    shared = report(chart, "skin", "2023-03-28", PATHOLOGY, PATHOLOGY_CODE,
                    "Skin of the back: melanoma, depth 1.4 mm. One lymph node with cancer.", [found], core)  # fmt: skip
    note(chart, "pathology", "2023-03-28", "pathology", [], attachment=shared)
    operate(chart, "excision", "2023-04-18", snomed("65801008", "Excision", "Wide removal of skin"), "melanoma", site)
    days = list(months("2023-05", "2024-04", 2))
    infuse(chart, Medicine("pembrolizumab", ("1547545", "pembrolizumab"), "melanoma", days[0],
                           "400 mg into a vein every 6 weeks", "iv", end=days[-1]), days, 400)  # fmt: skip
    marker_trend(chart, "melanoma", loinc("14804-9", "Lactate dehydrogenase (LDH)"), "U/L", 250, [
        (when, value) for when, value in zip(months("2023-04", "2026-01", 3),
        (238, 221, 260, 214, 205, 199, 210, 203, 196, 201, 208, 204), strict=True)
    ])  # fmt: skip
    blood_tests(chart, months("2023-04", "2026-03", 2))
    vital_signs(chart, list(months("2023-04", "2026-03", 6)), 79, 170)
    ecog(chart, ("2023-04-04", 0), ("2026-03-17", 0))
    disease_status(chart, "melanoma", ("2024-06-18", "remission", "imaging"), ("2026-03-17", "remission", "exam"))
    scan(chart, "body-2024", "2024-06-11", loinc("36813-4", "CT Abdomen and Pelvis W contrast IV", "CT scan"), CT,
         "No sign of cancer.")  # fmt: skip
    _sensitive(chart)
    plan(chart, "2026-03-17", "melanoma", "Check my own skin each month", "Skin check twice a year.")
    questionnaire(chart, "2026-03-17")
    return chart.resources


def _melanoma_diagnosis(chart: ChartBuilder) -> None:
    stages = [
        tnm(chart, "melanoma", "2023-04-04", "IIIB", ["pT2a", "pN1b", "cM0"]),
        other_stage(chart, "melanoma", "2023-03-28", snomed("106243009", "Breslow depth staging for melanoma of skin"),
                    snomed("17456000", "Breslow measurement - depth from 0.76 to 1.75 mm", "Breslow depth 1.4 mm")),
        other_stage(chart, "melanoma", "2023-03-28", snomed("103419001", "Clark melanoma level of invasion"),
                    snomed("1556006", "Clark melanoma level 4", "Clark level IV")),
    ]  # fmt: skip
    primary(chart, Primary(
        "melanoma", icd("C43.59", "Malignant melanoma of other part of trunk",
                        ("93655004", "Malignant melanoma of skin"), "Melanoma of the skin"),
        concept((ICDO3, "8743/3", "Superficial spreading melanoma")), snomed("22943007", "Trunk structure"),
        "2023-03-14", "2023-03-28", clinical="remission"), stages)  # fmt: skip
    history_of_metastasis(chart, "2023-04-04", had=False)


def _sensitive(chart: ChartBuilder) -> None:
    """Mental health, an HIV test and alcohol use, each with its security label."""
    problem(chart, "depression", "2023-06-20", icd("F33.1", "Major depressive disorder, recurrent, moderate",
            ("370143000", "Major depressive disorder"), "Depression"))  # fmt: skip
    chart.add(
        "MedicationRequest", "rx-sertraline", "2023-06-20", status="active", intent="order",
        medicationCodeableConcept=rxnorm("36437", "sertraline"), subject=chart.subject, authoredOn="2023-06-20",
        requester=chart.doctor, reasonReference=[chart.reference("Condition", "depression")],
        dosageInstruction=[{"text": "50 mg by mouth once a day"}],
    )  # fmt: skip
    outside_result(chart, "hiv", "2023-04-25", ("7918-6", "HIV 1+2 Ab [Presence] in Serum"),
                   valueCodeableConcept=NEGATIVE)  # fmt: skip
    chart.observe("audit-c", "2023-06-20", "survey", loinc("75626-2", "Total score [AUDIT-C]"), valueInteger=5)
    labels = (("Condition", "depression", "PSY", "psychiatry disorder information sensitivity"),
              ("MedicationRequest", "rx-sertraline", "PSY", "psychiatry disorder information sensitivity"),
              ("Observation", "hiv", "HIV", "HIV/AIDS information sensitivity"),
              ("Observation", "audit-c", "ETH", "substance abuse information sensitivity"))  # fmt: skip
    for kind, key, code, display in labels:
        label = {"system": HL7 + "v3-ActCode", "code": code, "display": display}
        chart.find(kind, key)["meta"]["security"] = [label]
