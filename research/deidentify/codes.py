"""Which codes may leave: known code systems only, each code of the form its system gives out.

A code of an unknown or local system can be a record number in disguise (Safe Harbor item R), so it is dropped, and so
are displays, texts and versions: the code says what they say. Check digits are checked where the system has them,
which stops nine of ten numbers that only look like a code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
HL7 = "http://terminology.hl7.org/CodeSystem/"

# Multiplication, permutation: Verhoeff's dihedral check, as SNOMED CT uses it (SNOMED Editorial Guide, SCTID).
_D5 = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_P8 = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def is_snomed(code: str) -> bool:
    """6 to 18 digits whose partition names a concept and whose Verhoeff digit is right."""
    if not re.fullmatch(r"[1-9][0-9]{5,17}", code) or code[-3:-1] not in ("00", "10"):
        return False
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = int(_D5[check][int(_P8[place % 8][int(digit)])])
    return check == 0


def is_loinc(code: str) -> bool:
    """A LOINC number with its modulo-10 digit (LOINC Users' Guide, appendix C), or an answer or part code."""
    if re.fullmatch(r"L[AP][0-9]{1,7}-[0-9]", code):
        return True
    match = re.fullmatch(r"([0-9]{1,5})-([0-9])", code)
    if match is None:
        return False
    total = 0
    for place, digit in enumerate(reversed(match[1])):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return (10 - total % 10) % 10 == int(match[2])


def _matching(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda code: compiled.fullmatch(code) is not None


_ICD10 = r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?"
_STAGE = r"(y?[cpra]{0,2})?(T|N|M|G)?(is|a|[0-4X]|[IV]{1,3})([A-Da-d][0-9i]?|mi)?(\([a-z0-9+\-]{1,4}\))?"


def listed(words: str) -> frozenset[str]:
    """The set of words that a text lists, separated by spaces."""
    return frozenset(words.split())


def _one_of(codes: str) -> Callable[[str], bool]:
    return listed(codes).__contains__


SYSTEMS: dict[str, Callable[[str], bool]] = {
    SNOMED: is_snomed,
    LOINC: is_loinc,
    RXNORM: _matching(r"[1-9][0-9]{0,6}"),
    ICD10CM: _matching(_ICD10),
    "http://hl7.org/fhir/sid/icd-10": _matching(_ICD10),
    "http://hl7.org/fhir/sid/icd-9-cm": _matching(r"[0-9VE][0-9]{2,3}(\.[0-9]{1,2})?"),
    "http://www.cms.gov/Medicare/Coding/ICD10": _matching(r"[0-9BCDFGHX][0-9A-HJ-NP-Z]{6}"),
    "http://hl7.org/fhir/sid/cvx": _matching(r"[0-9]{1,3}"),
    "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl": _matching(r"C[0-9]{3,6}"),
    "http://ncithesaurus-stage.nci.nih.gov": _matching(r"C[0-9]{3,6}"),
    "http://cancerstaging.org": _matching(_STAGE),
    "http://www.genenames.org": _matching(r"HGNC:[0-9]{1,5}"),
    "http://www.genenames.org/geneId": _matching(r"HGNC:[0-9]{1,5}"),
    "http://www.ama-assn.org/go/cpt": _matching(r"[0-9]{4}[0-9FTU]"),
    "urn:oid:2.16.840.1.113883.6.238": _matching(r"[0-9]{4}-[0-9]"),
    "http://dicom.nema.org/resources/ontology/DCM": _one_of("CT MR MG US CR DX PT NM XA RF OT BMD SM ES"),
    HL7 + "icd-o-3": _matching(r"C[0-9]{2}(\.[0-9])?|[89][0-9]{3}/[0-9]"),
    HL7 + "condition-clinical": _one_of("active recurrence relapse inactive remission resolved"),
    HL7 + "condition-ver-status": _one_of("unconfirmed provisional differential confirmed refuted"),
    HL7 + "condition-category": _one_of("problem-list-item encounter-diagnosis health-concern"),
    HL7 + "observation-category": _one_of(
        "social-history vital-signs imaging laboratory procedure survey exam therapy activity"
    ),
    HL7 + "v3-ObservationInterpretation": _one_of("L H LL HH N A AA POS NEG IND DET ND R S I NR RR EQ W U D B < >"),
    HL7 + "v2-0078": _one_of("L H LL HH N A AA"),
    HL7 + "v2-0074": _one_of("LAB RAD PAT HM CH MB OTH CT NMR NMS RUS GE BLB CP CTH CUS EC IMM MCB OUS PF RX SP SR TX"),
    HL7 + "v3-ActCode": _one_of("AMB EMER FLD HH IMP ACUTE NONAC OBSENC PRENC SS VR"),
    HL7 + "medicationrequest-category": _one_of("inpatient outpatient community discharge"),
    HL7 + "medication-admin-category": _one_of("inpatient outpatient community"),
    HL7 + "allergyintolerance-clinical": _one_of("active inactive resolved"),
    HL7 + "allergyintolerance-verification": _one_of("unconfirmed confirmed refuted"),
    HL7 + "data-absent-reason": _one_of("unknown asked-unknown not-asked not-performed not-applicable error"),
    HL7 + "referencerange-meaning": _one_of("type normal recommended treatment therapeutic pre post"),
    HL7 + "dose-rate-type": _one_of("calculated ordered"),
}


@lru_cache(maxsize=20_000)
def may_leave(system: str, code: str) -> bool:
    """Whether this coding may be in a de-identified release."""
    known = SYSTEMS.get(system)
    return known is not None and known(code)


# Units whole, as people write them where no UCUM code is given; and the atoms UCUM units are built of.
_UNITS = listed("% mg g kg mcg mL L cm mm in lb mg/dL g/dL mmHg bpm K/uL M/uL IU/L IU/mL ratio {score}")
_ATOMS = listed(
    "% g kg mg ug mcg ng pg fg L dL mL uL fL nL m dm cm mm um nm m2 s min h d wk mo a ms mol mmol umol nmol pmol eq "
    "meq Eq mEq U mU uU kU IU mIU k[IU] [IU] m[IU] u[IU] mm[Hg] Hg cm[H2O] Cel degF [degF] K Gy cGy Bq MBq mCi J kcal "
    "cal V mV Hz Pa kPa bar osm mosm [pH] [in_i] [lb_av] [oz_av] [ft_i] [arb'U] [CFU] /HPF [HPF] /LPF [LPF] deg rad "
    "{score} {copies} {cells} {INR} {ratio} {tablet} {capsule} {nominal} {#} {RBC} {WBC} {mutations} {index} {beats} "
    "{breaths} {count} {Pack-years} 10*3 10*6 10*9 10*12 10^3 10^6 10^9 10^12 10 1 100 1000 24.h 1.73 73"
)


@lru_cache(maxsize=2_000)
def unit_may_leave(unit: str, *, ucum: bool) -> bool:
    """A UCUM unit built of known atoms only, or a unit everybody writes; any other word may be a name."""
    if not ucum:
        return unit in _UNITS
    parts = [part for part in re.split(r"[/.]", unit) if part]
    return len(unit) <= 24 and all(part in _ATOMS or part.rstrip("23456789-") in _ATOMS for part in parts)
