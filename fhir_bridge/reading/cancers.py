"""Which diagnoses are cancer, and what people call them (MC-01, MC-02).

By ICD-10-CM (C00-D09 and the blood cancers of D45-D47), SNOMED CT codes seen in real records, and, last, by words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fhir_bridge.reading.cancer_words import cancer_in, doubt_in, past_in
from fhir_bridge.reading.shape import SNOMED, codings, searchable
from vocabulary.phrase import Phrase, phrase


class Nature(StrEnum):
    """What a diagnosis says: a cancer where it began, one found early in place, a spread, or nothing of the kind."""

    PRIMARY = "primary"
    IN_SITU = "in-situ"
    SECONDARY = "secondary"


SITE_NAMES: dict[str, Phrase] = {
    "breast": phrase("Breast cancer"),
    "lung": phrase("Lung cancer"),
    "colon": phrase("Colon cancer"),
    "rectum": phrase("Rectal cancer"),
    "prostate": phrase("Prostate cancer"),
    "pancreas": phrase("Pancreatic cancer"),
    "stomach": phrase("Stomach cancer"),
    "esophagus": phrase("Cancer of the esophagus (food pipe)"),
    "liver": phrase("Liver cancer"),
    "bile": phrase("Cancer of the gallbladder or bile ducts"),
    "small-bowel": phrase("Small bowel cancer"),
    "anus": phrase("Anal cancer"),
    "kidney": phrase("Kidney cancer"),
    "bladder": phrase("Bladder cancer"),
    "ovary": phrase("Ovarian cancer"),
    "uterus": phrase("Cancer of the uterus (womb)"),
    "cervix": phrase("Cervical cancer"),
    "vulva": phrase("Cancer of the vulva or vagina"),
    "testis": phrase("Testicular cancer"),
    "penis": phrase("Cancer of the penis"),
    "thyroid": phrase("Thyroid cancer"),
    "melanoma": phrase("Melanoma (a skin cancer)"),
    "skin": phrase("Skin cancer"),
    "brain": phrase("Brain or spinal cord cancer"),
    "eye": phrase("Eye cancer"),
    "head-neck": phrase("Head and neck cancer"),
    "bone": phrase("Bone cancer"),
    "soft-tissue": phrase("Soft tissue cancer (sarcoma)"),
    "mesothelioma": phrase("Mesothelioma (a cancer of the lining of the lungs or belly)"),
    "hodgkin": phrase("Hodgkin lymphoma"),
    "lymphoma": phrase("Lymphoma"),
    "myeloma": phrase("Multiple myeloma"),
    "leukemia": phrase("Leukemia"),
    "all": phrase("Acute lymphoblastic leukemia (ALL)"),
    "cll": phrase("Chronic lymphocytic leukemia (CLL)"),
    "aml": phrase("Acute myeloid leukemia (AML)"),
    "cml": phrase("Chronic myeloid leukemia (CML)"),
    "blood": phrase("A blood cancer"),
    "unknown": phrase("Cancer"),
}

IN_SITU_NAMES: dict[str, Phrase] = {
    "breast": phrase("Very early breast cancer (in situ: it has not grown into nearby tissue)"),
    "prostate": phrase("Very early prostate cancer (in situ: it has not grown into nearby tissue)"),
    "melanoma": phrase("Very early melanoma (in situ: it has not grown into nearby tissue)"),
}
IN_SITU = phrase("Very early cancer (in situ: it has not grown into nearby tissue)")

_ICD_SITES: tuple[tuple[str, str, str], ...] = (
    ("C00", "C14", "head-neck"), ("C15", "C15", "esophagus"), ("C16", "C16", "stomach"), ("C17", "C17", "small-bowel"),
    ("C18", "C18", "colon"), ("C19", "C20", "rectum"), ("C21", "C21", "anus"), ("C22", "C22", "liver"),
    ("C23", "C24", "bile"), ("C25", "C25", "pancreas"), ("C26", "C26", "unknown"), ("C30", "C32", "head-neck"),
    ("C33", "C34", "lung"), ("C37", "C39", "unknown"), ("C40", "C41", "bone"), ("C43", "C43", "melanoma"),
    ("C44", "C44", "skin"), ("C45", "C45", "mesothelioma"), ("C46", "C49", "soft-tissue"),
    ("C50", "C50", "breast"), ("C51", "C52", "vulva"), ("C53", "C53", "cervix"), ("C54", "C55", "uterus"),
    ("C56", "C57", "ovary"), ("C58", "C58", "uterus"), ("C60", "C60", "penis"), ("C61", "C61", "prostate"),
    ("C62", "C62", "testis"), ("C63", "C63", "unknown"), ("C64", "C65", "kidney"), ("C66", "C68", "bladder"),
    ("C69", "C69", "eye"), ("C70", "C72", "brain"), ("C73", "C73", "thyroid"), ("C74", "C76", "unknown"),
    ("C80", "C80", "unknown"), ("C81", "C81", "hodgkin"), ("C82", "C86", "lymphoma"), ("C88", "C88", "lymphoma"),
    ("C90", "C90", "myeloma"), ("C91", "C95", "leukemia"), ("C96", "C96", "blood"), ("C7A", "C7A", "unknown"),
    ("C4A", "C4A", "skin"), ("D03", "D03", "melanoma"), ("D05", "D05", "breast"), ("D45", "D47", "blood"),
)  # fmt: skip
_ICD_LEUKEMIA = {"C91.0": "all", "C91.1": "cll", "C92.0": "aml", "C92.1": "cml"}
_D47_MALIGNANT = ("D47.1", "D47.3", "D47.4", "D47.Z")

_SNOMED_SITES: dict[str, tuple[Nature, str]] = {
    "254837009": (Nature.PRIMARY, "breast"), "372137005": (Nature.PRIMARY, "breast"),
    "353431000119107": (Nature.PRIMARY, "breast"), "353501000119104": (Nature.PRIMARY, "breast"),
    "408643008": (Nature.PRIMARY, "breast"), "109838007": (Nature.PRIMARY, "colon"),
    "363406005": (Nature.PRIMARY, "colon"), "93761005": (Nature.PRIMARY, "colon"),
    "254637007": (Nature.PRIMARY, "lung"), "254632001": (Nature.PRIMARY, "lung"),
    "424132000": (Nature.PRIMARY, "lung"), "67811000119102": (Nature.PRIMARY, "lung"),
    "363358000": (Nature.PRIMARY, "lung"), "126906006": (Nature.PRIMARY, "prostate"),
    "399068003": (Nature.PRIMARY, "prostate"), "92691004": (Nature.IN_SITU, "prostate"),
    "363443007": (Nature.PRIMARY, "ovary"), "363418001": (Nature.PRIMARY, "pancreas"),
    "363346000": (Nature.PRIMARY, "unknown"), "277571004": (Nature.PRIMARY, "all"),
    "92814006": (Nature.PRIMARY, "cll"), "109989006": (Nature.PRIMARY, "myeloma"),
    "94260004": (Nature.SECONDARY, "colon"), "94222008": (Nature.SECONDARY, "bone"),
    "94225005": (Nature.SECONDARY, "brain"), "128462008": (Nature.SECONDARY, "unknown"),
    "314994000": (Nature.SECONDARY, "unknown"), "94381002": (Nature.SECONDARY, "liver"),
    "94391008": (Nature.SECONDARY, "lung"),
}  # fmt: skip

_ICD_SECONDARY = {
    "C77": "lymph-nodes", "C78.0": "lung", "C78.1": "unknown", "C78.2": "pleura", "C78.5": "colon", "C78.6": "belly",
    "C78.7": "liver", "C79.0": "kidney", "C79.1": "bladder", "C79.2": "skin", "C79.3": "brain", "C79.4": "brain",
    "C79.5": "bone", "C79.6": "ovary", "C79.7": "adrenal", "C79.8": "unknown", "C79.9": "unknown", "C78": "unknown",
    "C79": "unknown", "C7B": "unknown", "C80.0": "unknown",
}  # fmt: skip

_ICD = re.compile(r"[A-TV-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?")
_TUMORS = ("C", "D0", "D1", "D2", "D3", "D4")


@dataclass(frozen=True)
class Diagnosis:
    """What a code says: its nature, a site key of SITE_NAMES (or of a place of spread), and the sub-site's code."""

    nature: Nature
    site: str
    detail: str = ""


def diagnosis_of(concept: Any) -> Diagnosis | None:
    """Read a condition's code; None when it is not cancer."""
    for coding in codings(concept):
        if _is_icd(coding.system):
            found = _by_icd(_dotted(coding.code))
            if found is not None:
                return found
    for coding in codings(concept):
        if coding.system == SNOMED and coding.code in _SNOMED_SITES:
            nature, site = _SNOMED_SITES[coding.code]
            return Diagnosis(nature, site)
    if any(_is_icd(coding.system) and _is_no_tumor(_dotted(coding.code)) for coding in codings(concept)):
        return None
    told = cancer_in(searchable(concept))
    return Diagnosis(Nature(told[0]), told[1]) if told is not None else None


def _dotted(code: str) -> str:
    """An ICD-10 code as it is printed: C504 is C50.4."""
    code = code.upper()
    return f"{code[:3]}.{code[3:]}" if len(code) > 3 and "." not in code else code


def _by_icd(code: str) -> Diagnosis | None:
    for prefix in (code[:5], code[:3]):
        if prefix in _ICD_SECONDARY:
            return Diagnosis(Nature.SECONDARY, _ICD_SECONDARY[prefix])
    category = code[:3]
    in_situ = "D00" <= category <= "D09"
    if category == "D47" and not code.startswith(_D47_MALIGNANT):
        return None
    site = _ICD_LEUKEMIA.get(code[:5]) or next((s for low, high, s in _ICD_SITES if low <= category <= high), None)
    if in_situ:
        return Diagnosis(Nature.IN_SITU, site or _IN_SITU_SITES.get(code[:5], "unknown"), code[:5])
    return Diagnosis(Nature.PRIMARY, site, code[:5]) if site is not None else None


_IN_SITU_SITES = {"D07.5": "prostate", "D09.0": "bladder", "D02.2": "lung", "D01.0": "colon", "D01.2": "rectum"}


def had_before(concept: Any) -> bool:
    """Whether a condition's code tells a cancer of the past (ICD-10-CM Z85, or in words)."""
    past = any(_is_icd(one.system) and one.code.upper().startswith("Z85") for one in codings(concept))
    return past or past_in(searchable(concept))


def in_doubt(concept: Any) -> bool:
    """Whether a condition's words tell a cancer that nobody has found yet ("suspected lung cancer")."""
    return doubt_in(searchable(concept))


def _is_icd(system: str) -> bool:
    return "icd-10" in system or "icd10" in system or system.endswith("cie10-es")


def _is_no_tumor(code: str) -> bool:
    """Whether an ICD-10 code is of another chapter than C00-D49: then no word of cancer beside it makes it one (I10
    Malignant hypertension, R97.1 Elevated cancer antigen, Z15.01 Genetic susceptibility to malignant neoplasm)."""
    return _ICD.fullmatch(code) is not None and not code.startswith(_TUMORS)


def plain_name(diagnosis: Diagnosis) -> Phrase:
    """What people call it."""
    if diagnosis.nature is Nature.IN_SITU:
        return IN_SITU_NAMES.get(diagnosis.site, IN_SITU)
    if diagnosis.nature is Nature.SECONDARY:
        return SPREAD_NAMES.get(diagnosis.site, SPREAD_NAMES["unknown"])
    return SITE_NAMES.get(diagnosis.site, SITE_NAMES["unknown"])


SPREAD_NAMES: dict[str, Phrase] = {
    "lymph-nodes": phrase("Cancer spread to lymph nodes"),
    "lung": phrase("Cancer spread to the lungs"),
    "pleura": phrase("Cancer spread to the lining of the lungs"),
    "colon": phrase("Cancer spread to the colon"),
    "rectum": phrase("Cancer spread to the rectum"),
    "belly": phrase("Cancer spread to the lining of the belly"),
    "liver": phrase("Cancer spread to the liver"),
    "kidney": phrase("Cancer spread to the kidney"),
    "bladder": phrase("Cancer spread to the bladder"),
    "skin": phrase("Cancer spread to the skin"),
    "melanoma": phrase("Melanoma that has spread"),
    "brain": phrase("Cancer spread to the brain or nerves"),
    "bone": phrase("Cancer spread to the bones"),
    "ovary": phrase("Cancer spread to the ovary"),
    "adrenal": phrase("Cancer spread to the adrenal gland"),
    "unknown": phrase("Cancer that has spread"),
}
