"""Plain names of procedures common in cancer care, by SNOMED CT code or by words, and which of them treat cancer."""

from __future__ import annotations

import re
from typing import Any

from fhir_bridge.reading.shape import codes, codings, searchable
from vocabulary.phrase import Phrase, phrase

LUMPECTOMY = phrase("Lumpectomy: the tumor was removed from the breast")
MASTECTOMY = phrase("Mastectomy: the breast was removed")
RADIATION = phrase("Radiation treatment")
CHEMO = phrase("Chemotherapy")
CHEMO_RADIATION = phrase("Chemotherapy and radiation together")

_BY_CODE: dict[str, Phrase] = {
    "64368001": LUMPECTOMY,
    "392021009": LUMPECTOMY,
    "392022002": phrase("Second operation to clear the edges of the breast tumor"),
    "69031006": MASTECTOMY,
    "172043006": MASTECTOMY,
    "43075005": phrase("Surgery: part of the colon was removed"),
    "23968004": phrase("Surgery: the colon was removed"),
    "173171007": phrase("Surgery: part of the lung was removed"),
    "26294005": phrase("Surgery: the prostate was removed"),
    "90470006": phrase("Surgery: the prostate was removed"),
    "274031008": phrase("A growth in the rectum was removed"),
    "33195004": RADIATION,
    "1217123003": RADIATION,
    "108290001": RADIATION,
    "703423002": CHEMO_RADIATION,
    "367336001": CHEMO,
    "266719004": CHEMO,
    "73761001": phrase("Colonoscopy: a look inside the bowel with a camera"),
    "71651007": phrase("Mammogram (breast X-ray)"),
    "24623002": phrase("Mammogram (breast X-ray)"),
    "122548005": phrase("Biopsy: a small piece of the breast was taken to look at"),
    "65575008": phrase("Biopsy: a small piece of the prostate was taken to look at"),
    "399208008": phrase("Chest X-ray"),
    "433114000": phrase("HER2 test on the tumor"),
    "434363004": phrase("HER2 gene test on the tumor"),
    "234262008": phrase("Lymph nodes in the armpit were removed"),
    "396487001": phrase("First lymph nodes were taken out to look for cancer"),
    "386516004": phrase("Talk about what to expect"),
    "385763009": phrase("Hospice care"),
    "312681000": phrase("Bone density scan"),
    "430193006": phrase("Check of your medicines"),
    "171207006": phrase("Questions about your mood"),
    "710824005": phrase("Questions about what you need"),
    "85765000": phrase("A look into the lungs with a camera"),
    "108241001": phrase("Dialysis"),
    "265764009": phrase("Dialysis"),
}

_SURGERY_WORDS: tuple[tuple[str, Phrase | None, str | None], ...] = (
    (r"mastectomy", MASTECTOMY, "breast"),
    (r"lumpectomy|excision of part of breast|partial mastectomy", LUMPECTOMY, "breast"),
    (r"prostatectomy", phrase("Surgery: the prostate was removed"), "prostate"),
    (r"colectomy|resection of colon|resection of sigmoid", phrase("Surgery: part of the colon was removed"), "colon"),
    (r"lobectomy|pneumonectomy|wedge resection of lung", phrase("Surgery: part of the lung was removed"), "lung"),
    (r"nephrectomy", phrase("Surgery: the kidney, or part of it, was removed"), "kidney"),
    (r"cystectomy", phrase("Surgery: the bladder, or part of it, was removed"), "bladder"),
    (r"gastrectomy", phrase("Surgery: the stomach, or part of it, was removed"), "stomach"),
    (r"whipple|pancreat(ico)?duodenectomy|pancreatectomy",
     phrase("Surgery: the pancreas, or part of it, was removed"), "pancreas"),
    (r"hysterectomy", phrase("Surgery: the womb was removed"), "uterus"),
    (r"oophorectomy|debulking", phrase("Surgery: the ovaries were removed"), "ovary"),
    (r"orchi(d)?ectomy", phrase("Surgery: the testicle was removed"), "testis"),
    (r"thyroidectomy", phrase("Surgery: the thyroid, or part of it, was removed"), "thyroid"),
    (r"hepatectomy", phrase("Surgery: part of the liver was removed"), "liver"),
    (r"esophagectomy", phrase("Surgery: the esophagus, or part of it, was removed"), "esophagus"),
    (r"craniotomy", phrase("Brain surgery"), "brain"),
    (r"wide local excision|mohs", phrase("Surgery: the skin cancer was removed"), "melanoma"),
)  # fmt: skip

_GENERAL_SURGERY = re.compile(r"ectomy|excision|resection|removal of|amputation|dissection|surgical|surgery|operation")
_LOOKING_ONLY = re.compile(
    r"biopsy|colonoscopy|endoscopy|bronchoscopy|aspiration|mammogra|imaging|tomography|x-ray|ultraso|polypectomy|"
    r"plaque|dental|tooth|teeth|device|catheter|contracept|calculus|assessment|examination"
)
_RADIATION_WORDS = re.compile(
    r"radiation therapy|radiotherapy|brachytherapy|teleradio|radiosurgery|irradiation|radiation course"
)
_CHEMO_WORDS = re.compile(r"chemotherapy|antineoplastic|chemoembol")
_TRANSPLANT_WORDS = re.compile(r"(bone marrow|stem cell)[\w ]*transplant|transplant\w* of (bone marrow|stem cell)")


def procedure_name(concept: Any) -> Phrase | None:
    """A plain name for a procedure's code, None when we have none."""
    by_code = next((_BY_CODE[coding.code] for coding in codings(concept) if coding.code in _BY_CODE), None)
    if by_code is not None:
        return by_code
    words = searchable(concept)
    surgery = next((name for pattern, name, _site in _SURGERY_WORDS if re.search(pattern, words)), None)
    if surgery is not None:
        return surgery
    if "combined chemotherapy and radiation" in words:
        return CHEMO_RADIATION
    return RADIATION if _RADIATION_WORDS.search(words) else CHEMO if _CHEMO_WORDS.search(words) else None


def treats(concept: Any) -> str | None:
    """What kind of cancer treatment a procedure is by its nature: radiation, chemotherapy, chemo-radiation,
    transplant; None for all others, surgery included, which treats many other illnesses.
    """
    found, words = codes(concept), searchable(concept)
    if "703423002" in found or "combined chemotherapy and radiation" in words:
        return "chemo-radiation"
    if found & {"1217123003", "33195004", "108290001"} or _RADIATION_WORDS.search(words):
        return "radiation"
    if found & {"367336001", "266719004"} or _CHEMO_WORDS.search(words):
        return "chemotherapy"
    return "transplant" if _TRANSPLANT_WORDS.search(words) else None


def surgery_site(concept: Any) -> str | None:
    """The site key of a cancer operation (mastectomy: breast), None when the code is no known cancer operation."""
    found, words = codes(concept), searchable(concept)
    if found & {"64368001", "392021009", "392022002", "69031006", "172043006", "234262008", "396487001"}:
        return "breast"
    if found & {"43075005", "23968004"}:
        return "colon"
    return next((site for pattern, _name, site in _SURGERY_WORDS if re.search(pattern, words)), None)


def is_surgery(concept: Any) -> bool:
    """Whether a procedure is an operation at all, and not a way of looking."""
    words = searchable(concept)
    return surgery_site(concept) is not None or (
        bool(_GENERAL_SURGERY.search(words)) and not _LOOKING_ONLY.search(words)
    )
