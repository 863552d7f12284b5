"""Riverside's people: breast, prostate, lung and ovary."""

from __future__ import annotations

from typing import Any

from sandbox.people.background import (
    Background,
    begin,
    device,
    icd,
    outside_result,
    plan,
    problem,
    questionnaire,
    signed,
)
from sandbox.people.cancer import (
    Primary,
    disease_status,
    ecog,
    gene,
    history_of_metastasis,
    marker,
    marker_trend,
    other_stage,
    primary,
    secondary,
    tnm,
)
from sandbox.people.chart_builder import ChartBuilder
from sandbox.people.clinical_document import consultation_note
from sandbox.people.codes import LEFT, NCIT, NEGATIVE, POSITIVE, RIGHT, concept, hl7, loinc, quantity, rxnorm, snomed
from sandbox.people.documents import PATHOLOGY, attach, note, report, scan, specimen
from sandbox.people.laboratory import blood_tests, months, smoking, vital_signs
from sandbox.people.person import SyntheticPerson
from sandbox.people.treatment import Medicine, dispense, infuse, operate, prescribe, radiate

Resource = dict[str, Any]
CT = ("CT", "Computed Tomography")
MR = ("MR", "Magnetic Resonance")
MG = ("MG", "Mammography")
TISSUE = snomed("119376003", "Tissue specimen")
_CA153 = loinc("6875-9", "Cancer antigen 15-3 (CA 15-3)")
_PSA = loinc("2857-1", "Prostate specific antigen (PSA)")
_CEA = loinc("2039-6", "Carcinoembryonic antigen (CEA)")
_CA125 = loinc("10334-1", "Cancer antigen 125 (CA-125)")
PATHOLOGY_CODE = loinc("22637-3", "Pathology report final diagnosis Narrative", "Pathology report")


def breast(person: SyntheticPerson) -> list[Resource]:
    """Breast cancer, left, hormone receptor positive, stage IIA, treated to remission; the demo's first person."""
    chart = begin(person, Background(
        "other", "2021-02-18", ("2021-03-10", "2021-09-14", "2022-09-20", "2023-09-19", "2024-09-17", "2026-04-14"),
        ("91936005", "Allergy to penicillin", "Rash"),
        (("MTH", "mother", "Breast cancer", 61), ("MAUNT", "aunt", "Ovarian cancer", 55)),
        "MHP-104233", hispanic=True,
    ))  # fmt: skip
    core = specimen(chart, "biopsy-core", "2021-02-24", TISSUE, snomed("76752008", "Breast structure"))
    receptors = [
        marker(chart, "breast", "2021-03-01", loinc(code, name), valueCodeableConcept=value, specimen=core)
        for code, name, value in (
            ("85337-4", "Estrogen receptor (ER)", POSITIVE), ("85339-0", "Progesterone receptor (PR)", POSITIVE),
            ("48676-1", "HER2", NEGATIVE))
    ]  # fmt: skip
    stages = [tnm(chart, "breast", "2021-03-08", "IIA", ["cT2", "cN0", "cM0"]),
              tnm(chart, "breast", "2021-04-09", "IIA", ["pT2", "pN0(sn)"])]  # fmt: skip
    made = primary(chart, Primary(
        "breast", icd("C50.912", "Malignant neoplasm of unspecified site of left female breast",
                      ("254837009", "Malignant neoplasm of breast"), "Breast cancer"),
        snomed("82711006", "Infiltrating duct carcinoma"), snomed("76752008", "Breast structure"), "2021-02",
        "2021-03-03", LEFT, "remission"), stages)  # fmt: skip
    signed(chart, "breast", "2021-03-03", made)
    history_of_metastasis(chart, "2021-03-10", had=False)
    report(chart, "biopsy", "2021-03-01", PATHOLOGY, PATHOLOGY_CODE,
           "Left breast, core biopsy: invasive ductal carcinoma, grade 2. ER positive. PR positive. HER2 negative.",
           receptors, core)  # fmt: skip
    _breast_treatment(chart)
    _breast_follow_up(chart)
    _breast_wrinkles(chart)
    return chart.resources


def _breast_treatment(chart: ChartBuilder) -> None:
    site = snomed("76752008", "Breast structure")
    operate(chart, "lumpectomy", "2021-04-01", snomed("392021009", "Lumpectomy of breast"), "breast", site)
    days = ["2021-05-04", "2021-05-25", "2021-06-15", "2021-07-06"]
    infuse(chart, Medicine("docetaxel", ("72962", "docetaxel"), "breast", days[0], "75 mg/m2 into a vein every 3 weeks",
                           "iv", end=days[-1]), days, 128)  # fmt: skip
    infuse(chart, Medicine("cyclophosphamide", ("3002", "cyclophosphamide"), "breast", days[0],
                           "600 mg/m2 into a vein every 3 weeks", "iv", end=days[-1]), days, 1020)  # fmt: skip
    radiate(chart, "radiation", "2021-08-09", "2021-09-10", "breast", site, 4256, 16)
    pill = Medicine("anastrozole", ("84857", "anastrozole"), "breast", "2021-10-01", "1 mg by mouth once a day",
                    status="active")  # fmt: skip
    prescribe(chart, pill)
    dispense(chart, pill, list(months("2021-10", "2026-04", 3)), 90)
    words = ["New breast cancer, left side, 2.4 cm.", "Plan: operation, then chemotherapy and radiation, then hormone "
             "pills for five years or more."]  # fmt: skip
    note(chart, "consult", "2021-03-10", "consult", words, document=consultation_note(
        chart.person, "2021-03-10", "Dana Whitfield, MD", [
            ("10164-2", "History of Present illness", "History", words[:1]),
            ("30954-2", "Relevant diagnostic tests", "Results", [
                ("Estrogen receptor", "positive"), ("Progesterone receptor", "positive"), ("HER2", "negative")]),
            ("51847-2", "Assessment and plan", "Assessment and plan", words[1:]),
        ]))  # fmt: skip
    note(chart, "operation", "2021-04-01", "operation", ["Lumpectomy, left, with node biopsy.", "No problems."])


def _breast_follow_up(chart: ChartBuilder) -> None:
    marker_trend(chart, "breast", _CA153, "U/mL", 31.3, [
        ("2021-03-04", 48.2), ("2021-07-20", 33.9), ("2021-12-07", 24.1), ("2022-06-14", 19.8), ("2022-12-06", 18.4),
        ("2023-06-13", 17.9), ("2023-12-05", 18.8), ("2024-06-11", 18.1), ("2025-06-10", 17.2), ("2026-04-14", 17.6),
    ])  # fmt: skip
    blood_tests(chart, months("2021-03", "2026-04"), {"6690-2": {"2021": 0.6}, "751-8": {"2021": 0.5},
                                                     "718-7": {"2021": 0.85}})  # fmt: skip
    vital_signs(chart, list(months("2021-03", "2026-04", 6)), 68, 161)
    smoking(chart, "2021-03-10", "266919005", "Never smoked tobacco")
    ecog(chart, ("2021-03-10", 0), ("2021-06-15", 1), ("2022-09-20", 0), ("2026-04-14", 0))
    disease_status(chart, "breast", ("2021-09-14", "improved", "imaging"), ("2022-09-20", "remission", "imaging"),
                   ("2026-04-14", "remission", "exam"))  # fmt: skip
    scan(chart, "mammogram-2026", "2026-03-30", loinc("24606-6", "MG Breast Screening", "Mammogram"), MG,
         "No sign of cancer in either breast. Come back in one year.")  # fmt: skip
    note(chart, "progress", "2026-04-14", "progress", ["Five years after breast cancer. Feels well.", "Exam normal."],
         "html")  # fmt: skip
    plan(chart, "2026-04-14", "breast", "Walk 30 minutes a day",
         "Take anastrozole every day. Mammogram each March. Visit every six months.")  # fmt: skip
    questionnaire(chart, "2026-04-14")


def _breast_wrinkles(chart: ChartBuilder) -> None:
    outside_result(chart, "wrong-potassium", "2022-03-08", ("2823-3", "Potassium"), status="entered-in-error",
                   valueQuantity=quantity(9.9, "mmol/L"))  # fmt: skip
    outside_result(chart, "lost-calcium", "2023-05", ("17861-6", "Calcium"), dataAbsentReason=hl7(
        "data-absent-reason", "unknown", "Unknown"), note=[{"text": "The tube broke on the way."}])  # fmt: skip
    problem(chart, "bone-question", "2022-08-02", snomed("94222008", "Secondary malignant neoplasm of bone",
            "Cancer in the bone?"), clinicalStatus=hl7("condition-clinical", "inactive"),
            verificationStatus=hl7("condition-ver-status", "refuted", "Refuted"),
            note=[{"text": "The bone scan was normal."}])  # fmt: skip
    problem(chart, "pressure", "2015", snomed("38341003", "Hypertensive disorder", "High blood pressure"))
    contained = {"resourceType": "Medication", "id": "nausea", "code": rxnorm("26225", "ondansetron"),
                 "form": {"text": "tablet"}}  # fmt: skip
    chart.add(
        "MedicationRequest", "rx-nausea", "2021-05-04", status="completed", intent="order", contained=[contained],
        medicationReference={"reference": "#nausea"}, subject=chart.subject, authoredOn="2021-05-04",
        requester=chart.doctor, dosageInstruction=[{"text": "8 mg by mouth when you feel sick"}],
    )  # fmt: skip
    chart.add(
        "MedicationRequest", "no-estrogen", "2021-10-01", status="active", intent="order", doNotPerform=True,
        medicationCodeableConcept=rxnorm("4083", "estradiol"), subject=chart.subject, authoredOn="2021-10-01",
        requester=chart.doctor, note=[{"text": "No estrogen: the cancer grew with it."}],
    )  # fmt: skip


def prostate(person: SyntheticPerson) -> list[Resource]:
    """Prostate cancer with PSA over nine years, radiation and hormone injections."""
    chart = begin(person, Background(
        "white", "2017-05-09", ("2017-06-06", "2019-06-04", "2021-06-08", "2023-06-06", "2025-06-03", "2026-03-03"),
        None, (("FTH", "father", "Prostate cancer", 72),), "MHP-200117",
    ))  # fmt: skip
    gleason = other_stage(chart, "prostate", "2017-05-30", snomed("385377005", "Gleason grade finding"), snomed(
        "1279718003", "International Society of Urological Pathology grade group 4 (Gleason score 3 + 5 = 8)",
        "Gleason 3 + 5 = 8 (grade group 4)"))  # fmt: skip
    stages = [tnm(chart, "prostate", "2017-06-06", "IIIC", ["cT2c", "cN0", "cM0"]), gleason]
    primary(chart, Primary(
        "prostate", icd("C61", "Malignant neoplasm of prostate", ("399068003", "Malignant tumor of prostate"),
                        "Prostate cancer"),
        snomed("35917007", "Adenocarcinoma"), snomed("41216001", "Prostatic structure"), "2017", "2017-05-30"),
        stages)  # fmt: skip
    marker_trend(chart, "prostate", _PSA, "ng/mL", 4.0, [
        ("2015-05-12", 3.4), ("2016-05-10", 5.2), ("2017-05-09", 9.8), ("2017-12-05", 1.1), ("2018-06-05", 0.2),
        ("2019-06-04", 0.1), ("2020-06-02", 0.1), ("2021-06-08", 0.3), ("2022-06-07", 0.6), ("2023-06-06", 1.4),
        ("2024-06-04", 2.9), ("2025-06-03", 0.4), ("2026-03-03", 0.2),
    ])  # fmt: skip
    marker(chart, "prostate", "2018-12-04", _PSA, valueQuantity={**quantity(0.1, "ng/mL"), "comparator": "<"})
    radiate(chart, "radiation", "2017-08-01", "2017-09-28", "prostate", snomed("41216001", "Prostatic structure"), 7800,
            39)  # fmt: skip
    shots = list(months("2017-07", "2019-04", 3)) + list(months("2024-07", "2026-01", 3))
    infuse(chart, Medicine("leuprolide", ("42375", "leuprolide"), "prostate", shots[0],
                           "22.5 mg under the skin every 3 months", "sc", "control", "active"),
           shots, 22.5)  # fmt: skip
    blood_tests(chart, months("2017-06", "2026-03", 3), {"2345-7": {"*": 1.25}})
    vital_signs(chart, list(months("2017-06", "2026-03", 6)), 88, 178)
    smoking(chart, "2017-06-06", "8517006", "Ex-smoker")
    ecog(chart, ("2017-06-06", 0), ("2021-06-08", 0), ("2025-06-03", 1))
    disease_status(chart, "prostate", ("2019-06-04", "improved", "laboratory"), ("2024-06-04", "worse", "laboratory"),
                   ("2026-03-03", "stable", "laboratory"))  # fmt: skip
    problem(chart, "diabetes", "2012", icd("E11.9", "Type 2 diabetes mellitus without complications",
            ("44054006", "Diabetes mellitus type 2"), "Type 2 diabetes"))  # fmt: skip
    device(chart, "2020-02-11", ("14106009", "Cardiac pacemaker"), "Heart pacemaker")
    note(chart, "history", "2017-06-06", "history", ["PSA 9.8. Biopsy: Gleason 3 + 5 = 8.", "Feels well."], "text")
    note(chart, "progress", "2026-03-03", "progress", ["PSA 0.2 on hormone shots. Continue."])
    plan(chart, "2026-03-03", "prostate", "Keep bones strong", "Hormone shot every three months. PSA before each.")
    return chart.resources


def lung(person: SyntheticPerson) -> list[Resource]:
    """Lung cancer with an EGFR change, spread to the brain, on a daily pill."""
    chart = begin(person, Background(
        "asian", "2023-08-22", ("2023-09-05", "2024-03-05", "2024-09-10", "2025-09-09", "2026-05-05"), None, (),
        "MHP-310988",
    ))  # fmt: skip
    site = snomed("45653009", "Structure of upper lobe of lung", "Upper lobe of lung")
    stages = [tnm(chart, "lung", "2023-09-05", "IVB", ["cT2b", "cN2", "cM1c"])]
    primary(chart, Primary(
        "lung", icd("C34.11", "Malignant neoplasm of upper lobe, right bronchus or lung",
                    ("254637007", "Non-small cell lung cancer"), "Lung cancer (non-small cell)"),
        snomed("35917007", "Adenocarcinoma"), site, "2023-08", "2023-08-30", RIGHT), stages)  # fmt: skip
    secondary(chart, "brain", icd("C79.31", "Secondary malignant neoplasm of brain",
              ("94225005", "Secondary malignant neoplasm of brain"), "Lung cancer that spread to the brain"),
              snomed("12738006", "Brain structure"), "2023-09-01", "lung")  # fmt: skip
    core = specimen(chart, "biopsy-core", "2023-08-25", TISSUE, site)
    found = gene(chart, "2023-09-12", "EGFR", "HGNC:3236", "NM_005228.5:c.2573T>G", germline=False)
    report(chart, "genes", "2023-09-12", PATHOLOGY, loinc("51969-4", "Genetic analysis report", "Gene test report"),
           "EGFR L858R (c.2573T>G) found. ALK and ROS1 not found. PD-L1 10 percent.", [found], core)  # fmt: skip
    pill = Medicine("osimertinib", ("1721560", "osimertinib"), "lung", "2023-09-15", "80 mg by mouth once a day",
                    intent="control", status="active")  # fmt: skip
    prescribe(chart, pill)
    dispense(chart, pill, list(months("2023-09", "2026-05")), 30)
    radiate(chart, "brain-radiation", "2023-09-20", "2023-09-22", "brain", snomed("12738006", "Brain structure"), 2700,
            3, "control")  # fmt: skip
    _lung_follow_up(chart)
    return chart.resources


def _lung_follow_up(chart: ChartBuilder) -> None:
    marker_trend(chart, "lung", _CEA, "ng/mL", 5.0, [
        (when, value) for when, value in zip(months("2023-09", "2026-05", 3),
        (86.1, 41.0, 17.5, 8.8, 6.1, 5.4, 4.6, 4.9, 4.4, 5.8, 7.2), strict=True)
    ])  # fmt: skip
    blood_tests(chart, months("2023-09", "2026-05"), {"777-3": {"2023": 0.7}})
    vital_signs(chart, list(months("2023-09", "2026-05", 3)), 54, 158)
    smoking(chart, "2023-09-05", "266919005", "Never smoked tobacco")
    ecog(chart, ("2023-09-05", 1), ("2024-09-10", 0), ("2026-05-05", 1))
    disease_status(chart, "lung", ("2024-03-05", "improved", "imaging"), ("2025-09-09", "stable", "imaging"),
                   ("2026-05-05", "worse", "imaging"))  # fmt: skip
    scan(chart, "brain-2024", "2024-02-27", loinc("24590-2", "MR Brain", "MRI of the brain"), MR,
         "Three small spots in the brain, all smaller than before.")  # fmt: skip
    scan(chart, "chest-2026", "2026-04-28", loinc("24627-2", "CT Chest", "CT scan of the chest"), CT,
         "Right upper lobe nodule 18 mm, was 14 mm. No new spots.")  # fmt: skip
    note(chart, "progress", "2026-05-05", "progress", ["The lung spot grew a little. Discuss a new biopsy."])
    plan(chart, "2026-05-05", "lung", "Attend my grandchild's birthday", "Keep taking osimertinib. Biopsy in June.")


def ovary(person: SyntheticPerson) -> list[Resource]:
    """Ovarian cancer, FIGO IIIA, with an inherited BRCA1 change."""
    chart = begin(person, Background(
        "white", "2022-01-18", ("2022-02-01", "2022-08-02", "2023-08-01", "2024-08-06", "2026-02-03"),
        ("387207008", "Ibuprofen", "Hives"), (("MTH", "mother", "Ovarian cancer", 58),), "MHP-417733",
    ))  # fmt: skip
    figo = other_stage(
        chart, "ovary", "2022-02-24", snomed("385361009", "FIGO stage for gynecological malignancy"),
        concept((NCIT, "C96256", "FIGO Stage IIIA")))  # fmt: skip
    site = snomed("15497006", "Ovarian structure")
    primary(chart, Primary(
        "ovary", icd("C56.1", "Malignant neoplasm of right ovary", ("363443007", "Malignant tumor of ovary"),
                     "Ovarian cancer"),
        concept(("http://terminology.hl7.org/CodeSystem/icd-o-3", "8461/3", "High-grade serous carcinoma")), site,
        "2022-01", "2022-02-24", RIGHT, "remission"), [figo])  # fmt: skip
    gene(chart, "2022-03-15", "BRCA1", "HGNC:1100", "NM_007294.4:c.68_69del", germline=True)
    operate(chart, "operation", "2022-02-17", snomed("236886002", "Hysterectomy"), "ovary", site,
            note=[{"text": "Both ovaries and the womb were removed. No cancer could be seen afterwards."}])  # fmt: skip
    days = list(months("2022-03", "2022-08"))
    for key, code, how, dose in (
        ("carboplatin", ("40048", "carboplatin"), "AUC 5 into a vein every 3 weeks", 560.0),
        ("paclitaxel", ("56946", "paclitaxel"), "175 mg/m2 into a vein every 3 weeks", 290.0),
    ):
        infuse(chart, Medicine(key, code, "ovary", days[0], how, "iv", end=days[-1]), days, dose)
    prescribe(chart, Medicine(
        "olaparib", ("1597582", "olaparib"), "ovary", "2022-10-04", "300 mg by mouth twice a day", status="stopped",
        stopped_because=snomed("407563006", "Treatment not tolerated", "Low blood counts"),
        end="2023-11-07"))  # fmt: skip
    _ovary_follow_up(chart)
    return chart.resources


def _ovary_follow_up(chart: ChartBuilder) -> None:
    marker_trend(chart, "ovary", _CA125, "U/mL", 35, [
        ("2022-01-20", 812), ("2022-03-10", 240), ("2022-05-12", 61), ("2022-08-02", 18), ("2023-02-07", 12),
        ("2023-08-01", 11), ("2024-02-06", 13), ("2024-08-06", 12), ("2025-08-05", 16), ("2026-02-03", 14),
    ])  # fmt: skip
    blood_tests(chart, months("2022-02", "2026-02", 2), {"718-7": {"2022": 0.8, "2023": 0.82}, "777-3": {"2023": 0.5}})
    vital_signs(chart, list(months("2022-02", "2026-02", 6)), 63, 165)
    ecog(chart, ("2022-02-01", 1), ("2022-08-02", 1), ("2026-02-03", 0))
    disease_status(chart, "ovary", ("2022-08-02", "improved", "imaging"), ("2023-08-01", "remission", "imaging"))
    note(chart, "discharge", "2022-02-21", "discharge", ["Home four days after the operation. Walks and eats well."])
    note(chart, "operation", "2022-02-17", "operation", ["Staging operation. Blood loss 400 ml."], "text")
    letter = ["BRCA1 change. Tell your relatives."]
    attachment = attach(chart, "family", "2022-03-15", "Gene counseling letter", letter, "html")
    note(chart, "counseling", "2022-03-15", "consult", [], attachment=attachment)
    plan(chart, "2026-02-03", "ovary", "Sleep through the night", "CA-125 every six months. Call with belly pain.")
