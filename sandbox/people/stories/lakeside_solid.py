"""Lakeside's other people: thyroid, pancreas, bladder, and someone who is treated at riverside too."""

from __future__ import annotations

from typing import Any

from sandbox.people.background import Background, begin, icd, outside_result, plan, problem
from sandbox.people.cancer import Primary, disease_status, ecog, gene, marker_trend, primary, secondary, tnm
from sandbox.people.codes import ABSENT_EXTENSION, ICDO3, LEFT, concept, loinc, quantity, snomed
from sandbox.people.documents import PATHOLOGY, note, report, scan, specimen
from sandbox.people.laboratory import blood_tests, months, smoking, vital_signs
from sandbox.people.person import SyntheticPerson
from sandbox.people.stories.riverside import CT, PATHOLOGY_CODE, TISSUE
from sandbox.people.treatment import Medicine, infuse, operate, prescribe

Resource = dict[str, Any]


def thyroid(person: SyntheticPerson) -> list[Resource]:
    """Papillary thyroid cancer, operated, thyroglobulin followed."""
    chart = begin(person, Background(
        "asian", "2021-11-02", ("2021-11-16", "2022-05-17", "2023-05-16", "2025-05-13"), None, (), "MHP-840551",
    ))  # fmt: skip
    site = snomed("69748006", "Thyroid structure")
    stages = [tnm(chart, "thyroid", "2021-12-14", "I", ["pT1b", "pN1a", "cM0"])]
    primary(chart, Primary(
        "thyroid", icd("C73", "Malignant neoplasm of thyroid gland", ("255029007", "Papillary thyroid carcinoma"),
                       "Thyroid cancer"),
        concept((ICDO3, "8260/3", "Papillary adenocarcinoma, NOS")), site, "2021-11", "2021-11-23",
        clinical="remission"), stages)  # fmt: skip
    operate(chart, "thyroidectomy", "2021-12-07", snomed("13619001", "Thyroidectomy"), "thyroid", site)
    prescribe(chart, Medicine("levothyroxine", ("10582", "levothyroxine"), "thyroid", "2021-12-08",
                              "125 micrograms by mouth every morning", status="active"))  # fmt: skip
    marker_trend(chart, "thyroid", loinc("3013-0", "Thyroglobulin"), "ng/mL", 33, [
        ("2021-11-16", 118), ("2022-02-15", 1.2), ("2022-05-17", 0.4), ("2023-05-16", 0.2), ("2024-05-14", 0.2),
        ("2025-05-13", 0.2),
    ])  # fmt: skip
    outside_result(chart, "tsh", "2025-05-13", ("3016-3", "Thyroid stimulating hormone (TSH)"),
                   valueQuantity=quantity(0.4, "mIU/L", "m[IU]/L"))  # fmt: skip
    blood_tests(chart, months("2021-11", "2025-05", 3))
    vital_signs(chart, list(months("2021-11", "2025-05", 6)), 52, 155)
    ecog(chart, ("2021-11-16", 0), ("2025-05-13", 0))
    disease_status(chart, "thyroid", ("2022-05-17", "remission", "laboratory"))
    note(chart, "operation", "2021-12-07", "operation", ["The whole thyroid was removed. Voice is fine."])
    note(chart, "progress", "2025-05-13", "progress", ["Feels well. Thyroglobulin 0.2."], "text")
    plan(chart, "2025-05-13", "thyroid", "Have a baby", "Check TSH every six weeks if pregnant.")
    return chart.resources


def pancreas(person: SyntheticPerson) -> list[Resource]:
    """Pancreatic cancer, spread to the liver; one medicine stopped because of its harm."""
    chart = begin(person, Background(
        "black", "2025-03-04", ("2025-03-18", "2025-06-17", "2025-09-16", "2026-05-19"), None,
        (("FTH", "father", "Pancreatic cancer", 70),), "MHP-851203",
    ))  # fmt: skip
    stages = [tnm(chart, "pancreas", "2025-03-18", "IV", ["cT3", "cN1", "cM1"])]
    site = snomed("64163001", "Structure of head of pancreas")
    primary(chart, Primary(
        "pancreas", icd("C25.0", "Malignant neoplasm of head of pancreas", ("363418001", "Malignant tumor of pancreas"),
                        "Pancreatic cancer"),
        concept((ICDO3, "8500/3", "Infiltrating duct carcinoma, NOS")), site, "2025-02", "2025-03-11"),
        stages)  # fmt: skip
    secondary(chart, "liver", icd("C78.7", "Secondary malignant neoplasm of liver and intrahepatic bile duct",
              ("94381002", "Secondary malignant neoplasm of liver"), "Pancreatic cancer that spread to the liver"),
              snomed("10200004", "Liver structure"), "2025-03-14", "pancreas")  # fmt: skip
    gene(chart, "2025-03-25", "KRAS", "HGNC:6407", "NM_004985.5:c.35G>A", germline=False)
    days = list(months("2025-04", "2025-09"))
    harm = snomed("407563006", "Treatment not tolerated", "Numb hands and feet")
    infuse(chart, Medicine("oxaliplatin", ("32592", "oxaliplatin"), "pancreas", days[0], "85 mg/m2 every 2 weeks", "iv",
                           "control", "stopped", harm, days[-1]), days, 160)  # fmt: skip
    infuse(chart, Medicine("irinotecan", ("51499", "irinotecan"), "pancreas", days[0], "150 mg/m2 every 2 weeks", "iv",
                           "control", "active"), days, 285)  # fmt: skip
    marker_trend(chart, "pancreas", loinc("24108-3", "Cancer antigen 19-9 (CA 19-9)"), "U/mL", 37, [
        ("2025-03-06", 4120), ("2025-05-13", 1880), ("2025-07-15", 640), ("2025-09-16", 410), ("2025-12-09", 520),
        ("2026-03-10", 760), ("2026-05-19", 905),
    ])  # fmt: skip
    blood_tests(chart, months("2025-03", "2026-05"), {"1975-2": {"2025": 1.8}, "6768-6": {"*": 2.1},
                                                     "1751-7": {"*": 0.8}})  # fmt: skip
    vital_signs(chart, list(months("2025-03", "2026-05")), 66, 174)
    smoking(chart, "2025-03-18", "8517006", "Ex-smoker")
    ecog(chart, ("2025-03-18", 1), ("2025-09-16", 1), ("2026-05-19", 2))
    disease_status(chart, "pancreas", ("2025-06-17", "improved", "imaging"), ("2026-05-19", "worse", "imaging"))
    scan(chart, "belly-2026", "2026-05-12", loinc("36813-4", "CT Abdomen and Pelvis W contrast IV", "CT scan"), CT,
         "Two liver spots grew. The pancreas is unchanged.")  # fmt: skip
    note(chart, "emergency", "2025-03-04", "emergency", ["Yellow eyes and itching. A stent was placed."])
    note(chart, "consult", "2026-05-19", "consult", ["Talked about a trial and about comfort care."])
    plan(chart, "2026-05-19", "pancreas", "Be at home", "Treatment every two weeks. Comfort care team visits.")
    return chart.resources


def bladder(person: SyntheticPerson) -> list[Resource]:
    """Bladder cancer that grew into the muscle."""
    chart = begin(person, Background(
        "asian", "2024-07-09", ("2024-07-23", "2025-01-14", "2025-07-15", "2026-03-24"), None, (), "MHP-860077",
    ))  # fmt: skip
    site = snomed("89837001", "Urinary bladder structure")
    stages = [tnm(chart, "bladder", "2024-07-23", "II", ["cT2", "cN0", "cM0"])]
    primary(chart, Primary(
        "bladder", icd("C67.2", "Malignant neoplasm of lateral wall of bladder",
                       ("399326009", "Malignant tumor of urinary bladder"), "Bladder cancer"),
        concept((ICDO3, "8120/3", "Transitional cell carcinoma, NOS")), site, "2024-07", "2024-07-16", LEFT,
        "remission"), stages)  # fmt: skip
    tissue = specimen(chart, "tissue", "2024-07-12", TISSUE, site)
    shared = report(chart, "tissue", "2024-07-16", PATHOLOGY, PATHOLOGY_CODE,
                    "Bladder: high-grade cancer that reaches the muscle.", None, tissue)  # fmt: skip
    note(chart, "pathology", "2024-07-16", "pathology", [], attachment=shared)
    days = list(months("2024-08", "2024-11"))
    for key, code, dose in (
        ("gemcitabine", ("12574", "gemcitabine"), 1600.0),
        ("cisplatin", ("2555", "cisplatin"), 110.0),
    ):
        infuse(chart, Medicine(key, code, "bladder", days[0], "into a vein every 3 weeks", "iv", end=days[-1]),
               days, dose)  # fmt: skip
    operate(chart, "cystectomy", "2025-01-07", snomed("108034007", "Cystectomy", "Bladder removed"), "bladder", site)
    blood_tests(chart, months("2024-07", "2026-03"), {"2160-0": {"2024": 1.2, "2025": 1.35}})
    vital_signs(chart, list(months("2024-07", "2026-03", 3)), 60, 159)
    smoking(chart, "2024-07-23", "8517006", "Ex-smoker")
    ecog(chart, ("2024-07-23", 0), ("2026-03-24", 1))
    disease_status(chart, "bladder", ("2025-07-15", "remission", "imaging"))
    note(chart, "discharge", "2025-01-15", "discharge", ["Home eight days after the operation."])
    note(chart, "history", "2024-07-23", "history", ["Blood in the urine since June."], "text")
    plan(chart, "2026-03-24", "bladder", "Swim again", "Scan every six months for three years.")
    return chart.resources


def second_chart(person: SyntheticPerson) -> list[Resource]:
    """The same human being as riverside's first person, as lakeside knows her: cancer in the past, sparse dates."""
    chart = begin(person, Background(
        "other", "2023-01-24", ("2023-01-24", "2024-02-20", "2025-11-18"),
        ("91936005", "Allergy to penicillin", "Rash"), (),
        "MHP-104233", hispanic=True,
    ))  # fmt: skip
    primary(chart, Primary(
        "breast", icd("C50.912", "Malignant neoplasm of unspecified site of left female breast",
                      ("254837009", "Malignant neoplasm of breast"), "Breast cancer (treated at Riverside)"),
        snomed("82711006", "Infiltrating duct carcinoma"), snomed("76752008", "Breast structure"), "2021",
        "2023-01-24", LEFT, "remission"), [])  # fmt: skip
    problem(chart, "pressure", "2015", snomed("38341003", "Hypertensive disorder", "High blood pressure"))
    problem(chart, "knee", "2025-11-18", snomed("239873007", "Osteoarthritis of knee", "Worn-out knee"))
    chart.find("Condition", "knee").pop("onsetDateTime")
    chart.find("Condition", "knee")["_onsetDateTime"] = {
        "extension": [{"url": ABSENT_EXTENSION, "valueCode": "unknown"}]
    }
    blood_tests(chart, iter(["2023-01-24", "2024-02-20", "2025-11-18"]))
    vital_signs(chart, ["2023-01-24", "2024-02-20", "2025-11-18"], 68, 161)
    smoking(chart, "2023-01-24", "266919005", "Never smoked tobacco")
    note(chart, "progress", "2025-11-18", "progress", ["Knee pain. No sign of cancer."], "text")
    plan(chart, "2025-11-18", "knee", "Climb stairs without pain", "Exercises twice a week.")
    return chart.resources
