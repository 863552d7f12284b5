"""What a coded result says, in plain words: by LOINC answer code or SNOMED CT code, else the provider's own words."""

from __future__ import annotations

from typing import Any

from fhir_bridge.reading.how_it_is import disease_status, performance
from fhir_bridge.reading.markers import ABSENT, EQUIVOCAL, NEGATIVE, POSITIVE, PRESENT
from fhir_bridge.reading.quantity import NO, YES, value_said
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import LOINC, SNOMED, codings, value_of
from vocabulary.phrase import Phrase, phrase

_UNSURE = phrase("not known what it means")

_ANSWERS: tuple[tuple[str, Phrase, str], ...] = (
    (SNOMED, POSITIVE, "10828004"),
    (SNOMED, NEGATIVE, "260385009"),
    (SNOMED, PRESENT, "52101004 260373001"),
    (SNOMED, ABSENT, "2667000 260415000"),
    (SNOMED, EQUIVOCAL, "42425007 82334004"),
    (SNOMED, phrase("normal"), "17621005"),
    (SNOMED, phrase("not normal"), "263654008"),
    (SNOMED, YES, "373066001"),
    (SNOMED, NO, "373067005"),
    (SNOMED, phrase("not known"), "261665006"),
    (SNOMED, phrase("never smoked"), "266919005"),
    (SNOMED, phrase("used to smoke"), "8517006"),
    (SNOMED, phrase("smokes now"), "77176002"),
    (SNOMED, phrase("smokes every day"), "449868002"),
    (SNOMED, phrase("smokes on some days"), "428041000124106"),
    (LOINC, POSITIVE, "LA6576-8"),
    (LOINC, NEGATIVE, "LA6577-6"),
    (LOINC, PRESENT, "LA9633-4 LA11882-0"),
    (LOINC, ABSENT, "LA9634-2 LA11883-8"),
    (LOINC, EQUIVOCAL, "LA11884-6"),
    (LOINC, YES, "LA33-6"),
    (LOINC, NO, "LA32-8"),
    (LOINC, phrase("passed on in the family (germline)"), "LA6683-2"),
    (LOINC, phrase("in the tumor only (somatic)"), "LA6684-0"),
    (LOINC, phrase("in one of two copies"), "LA6706-1"),
    (LOINC, phrase("in both copies"), "LA6705-3"),
    (LOINC, phrase("harmful"), "LA6668-3"),
    (LOINC, phrase("probably harmful"), "LA26332-9"),
    (LOINC, _UNSURE, "LA26333-7"),
    (LOINC, phrase("probably harmless"), "LA26334-5"),
    (LOINC, phrase("harmless"), "LA6675-8"),
    (LOINC, phrase("not at all"), "LA6568-5"),
    (LOINC, phrase("on some days"), "LA6569-3"),
    (LOINC, phrase("on more than half of the days"), "LA6570-1"),
    (LOINC, phrase("nearly every day"), "LA6571-9"),
)

_BY_CODE = {(system, code): words for system, words, codes in _ANSWERS for code in codes.split()}


def answer_said(element: Any) -> Said:
    """The value[x] of an Observation, component or answer: plain words where its code has them. Never raises."""
    kind, value = value_of(element)
    if kind in ("CodeableConcept", "Coding"):
        found = next(
            (_BY_CODE[one.system, one.code] for one in codings(value) if (one.system, one.code) in _BY_CODE), None
        )
        if found is not None:
            return found
    return value_said(element)


def result_said(observation: Any) -> Said:
    """The result of a whole Observation: how the cancer or the person is doing, else as `answer_said`."""
    found = disease_status(observation) or performance(observation)
    return found.text if found is not None else answer_said(observation)
