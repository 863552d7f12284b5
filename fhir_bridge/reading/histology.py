"""The kind of cells a cancer is made of, in plain words (mCODE histology-morphology-behavior, ICD-O-3)."""

from __future__ import annotations

import re
from typing import Any

from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import clinical_text, codings, searchable
from vocabulary.phrase import Phrase, phrase

_DUCTAL = phrase("Invasive ductal carcinoma (it started in the milk ducts)")
_LOBULAR = phrase("Invasive lobular carcinoma (it started in the milk glands)")
_ADENO = phrase("Adenocarcinoma (it started in gland cells)")
_SQUAMOUS = phrase("Squamous cell carcinoma (it started in flat lining cells)")
_SMALL = phrase("Small cell carcinoma (small, fast-growing cells)")
_NON_SMALL = phrase("Non-small cell carcinoma (the more common kind in the lung)")

_BY_CODE: dict[str, Phrase] = {
    "82711006": _DUCTAL, "8500/3": _DUCTAL, "8520/3": _LOBULAR, "89740008": _LOBULAR, "8140/3": _ADENO,
    "1187332001": _ADENO, "35917007": _ADENO, "8070/3": _SQUAMOUS, "28899001": _SQUAMOUS, "8041/3": _SMALL,
    "8046/3": _NON_SMALL, "80463/3": _NON_SMALL,
    "77284006": phrase("Lobular carcinoma in situ (still inside the milk glands)"),
    "8500/2": phrase("Ductal carcinoma in situ (still inside the milk ducts)"),
    "8480/3": phrase("Mucinous adenocarcinoma (its cells make mucus)"),
    "8441/3": phrase("Serous carcinoma (it started in lining cells)"),
    "8720/3": phrase("Melanoma (it started in cells that color the skin)"),
    "8120/3": phrase("Urothelial carcinoma (it started in the lining of the bladder)"),
    "8310/3": phrase("Clear cell carcinoma (its cells look clear)"),
    "8312/3": phrase("Renal cell carcinoma (it started in the kidney)"),
    "8170/3": phrase("Hepatocellular carcinoma (it started in liver cells)"),
    "9680/3": phrase("Diffuse large B-cell lymphoma (a fast-growing lymphoma)"),
    "9690/3": phrase("Follicular lymphoma (a slow-growing lymphoma)"),
    "9732/3": phrase("Multiple myeloma (a cancer of plasma cells)"),
    "9440/3": phrase("Glioblastoma (it started in the brain's support cells)"),
}  # fmt: skip

_BY_WORDS: tuple[tuple[str, Phrase], ...] = (
    (r"non-?small cell", _NON_SMALL), (r"small cell", _SMALL),
    (r"(infiltrating|invasive) duct(al)? ", _DUCTAL), (r"(infiltrating|invasive) lobular", _LOBULAR),
    (r"adenocarcinoma", _ADENO), (r"squamous cell", _SQUAMOUS),
)  # fmt: skip


def histology_said(concept: Any) -> tuple[Said, str]:
    """Plain words and the clinical name for a histology concept; ("", "") when it says nothing."""
    clinical = clinical_text(concept)
    for coding in codings(concept):
        if coding.code in _BY_CODE:
            return _BY_CODE[coding.code], clinical or coding.code
    words = searchable(concept)
    return next((said for pattern, said in _BY_WORDS if re.search(pattern, words)), clinical), clinical


def histology_in_name(concept: Any) -> tuple[Said, str]:
    """The histology that a diagnosis's own name tells ("small cell carcinoma of lung"), else ("", "")."""
    words = searchable(concept)
    found = next((said for pattern, said in _BY_WORDS if re.search(pattern, words)), None)
    return (found, clinical_text(concept)) if found is not None else ("", "")
