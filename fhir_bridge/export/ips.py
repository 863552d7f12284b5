"""The record as an International Patient Summary (HL7 IPS 2.0.0; FHIR R4 documents.html; DL-03).

A summary is short: of results and visits only the newest stand in it, and each section says how many there are.
"""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from fhir_bridge.export.copy_facts import CopyFacts, Say, day_of
from fhir_bridge.export.one_patient import Placed, about, placed, subsetted, the_patient
from fhir_bridge.reading.kinds import Kind
from fhir_bridge.reading.line import LineView, read_line
from fhir_bridge.reading.same import Folded, folded
from fhir_bridge.reading.shape import key_of
from fhir_bridge.reading.standing import is_mistake
from fhir_bridge.reading.titles import medication_reference
from fhir_bridge.record_copy import Copied
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource

LOINC = "http://loinc.org"
NEWEST = 60
_XHTML = "http://www.w3.org/1999/xhtml"


@dataclass(frozen=True)
class Section:
    """One section: its LOINC code and name, which kind feeds it by which types, whether IPS requires it."""

    code: str
    display: str
    title: Phrase
    kinds: frozenset[Kind]
    types: frozenset[str]
    required: bool = False

    def holds(self, one: Copied) -> bool:
        return one.type in self.types and one.kind in self.kinds


def _section(
    code: str, display: str, title: Phrase, kinds: set[Kind], types: set[str], *, required: bool = False
) -> Section:
    return Section(code, display, title, frozenset(kinds), frozenset(types), required)


SECTIONS: tuple[Section, ...] = (
    _section("11450-4", "Problem list - Reported", phrase("Health problems"), {Kind.PROBLEMS}, {"Condition"},
             required=True),
    _section("48765-2", "Allergies and adverse reactions Document", phrase("Allergies"), {Kind.ALLERGIES},
             {"AllergyIntolerance"}, required=True),
    _section("10160-0", "History of Medication use Narrative", phrase("Medicines"), {Kind.MEDICINES},
             {f"Medication{each}" for each in ("Request", "Statement", "Administration", "Dispense")}, required=True),
    _section("11369-6", "History of Immunization Narrative", phrase("Shots (vaccines)"), {Kind.IMMUNIZATIONS},
             {"Immunization"}),
    _section("47519-4", "History of Procedures Document", phrase("Operations and procedures"), {Kind.PROCEDURES},
             {"Procedure"}),
    _section("30954-2", "Relevant diagnostic tests/laboratory data Narrative", phrase("Test results"),
             {Kind.TEST_RESULTS, Kind.GENOMICS, Kind.SCANS}, {"Observation", "DiagnosticReport"}),
    _section("8716-3", "Vital signs", phrase("Weight, blood pressure and other measurements"), {Kind.VITAL_SIGNS},
             {"Observation"}),
)  # fmt: skip
_WHY_EMPTY = phrase("Nothing of this kind is in the record that was brought in. This is no proof that there is none.")


def ips_document(entries: Iterable[Copied], facts: CopyFacts, say: Say) -> Resource:
    """The document Bundle: a Composition first, then the patient and what the sections name. Entries come by type,
    oldest first; those that their provider marked as mistakes are left out."""
    counts = [0] * len(SECTIONS)
    newest: list[deque[Placed]] = [deque(maxlen=NEWEST) for _ in SECTIONS]
    patients, medicines = [], {}
    for one in entries:
        if one.type == "Patient":
            patients.append(placed(one))
        elif one.type == "Medication":
            medicine = placed(one)
            medicines[medicine.name] = medicine
        for place, section in enumerate(SECTIONS):
            if section.holds(one) and not is_mistake(one.resource):
                counts[place] += 1
                newest[place].append(placed(one))
    patient = the_patient(patients, facts.made_at.isoformat())
    held = [[about(one, patient) for one in reversed(found)] for found in newest]
    return _document(patient, held, counts, medicines, facts, say)


def _document(
    patient: Placed, held: list[list[Placed]], counts: list[int], medicines: dict[tuple[str, str], Placed],
    facts: CopyFacts, say: Say,
) -> Resource:  # fmt: skip
    seed = f"{facts.made_at.isoformat()}/{patient.full_url}/ips"
    urn = {name: f"urn:uuid:{uuid5(NAMESPACE_URL, f'{seed}/{name}')}" for name in ("bundle", "composition", "author")}
    author = {"resourceType": "Device", "id": urn["author"][9:],
              "deviceName": [{"name": "Patient portal", "type": "user-friendly-name"}]}  # fmt: skip
    sections = [
        _said(section, found, count, medicines, facts, say)
        for section, found, count in zip(SECTIONS, held, counts, strict=True)
        if found or section.required
    ]
    composition = _composition(urn, patient, sections, facts, say)
    inside = {one.full_url: one.entry for found in held for one in found}
    inside |= {one.full_url: one.entry for one in _named(held, medicines)}
    return {
        "resourceType": "Bundle",
        "id": urn["bundle"][9:],
        "meta": {"profile": ["http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"], **subsetted(facts, say)},
        "identifier": {"system": "urn:ietf:rfc:3986", "value": urn["bundle"]},
        "type": "document",
        "timestamp": facts.made_at.isoformat(timespec="seconds"),
        "entry": [
            {"fullUrl": urn["composition"], "resource": composition},
            patient.entry,
            {"fullUrl": urn["author"], "resource": author},
            *inside.values(),
        ],
    }


def _composition(
    urn: dict[str, str], patient: Placed, sections: list[dict[str, Any]], facts: CopyFacts, say: Say
) -> Resource:
    coded = {"system": LOINC, "code": "60591-5", "display": "Patient summary Document"}
    words = [say(phrase("What is not complete:")), *facts.incomplete(say)]
    return {
        "resourceType": "Composition",
        "id": urn["composition"][9:],
        "meta": {"profile": ["http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips"]},
        "language": facts.language,
        "text": {"status": "additional", "div": _div("".join(f"<p>{html.escape(one)}</p>" for one in words))},
        "status": "final",
        "type": {"coding": [coded]},
        "subject": {"reference": patient.full_url},
        "date": facts.made_at.isoformat(timespec="seconds"),
        "author": [{"reference": urn["author"]}],
        "title": say(phrase("Summary of my health record")),
        "section": sections,
    }


def _said(
    section: Section, found: list[Placed], count: int, medicines: dict[tuple[str, str], Placed], facts: CopyFacts,
    say: Say,
) -> dict[str, Any]:  # fmt: skip
    """One section with its narrative; without entries it says why in words and by a code (list-empty-reason)."""
    told = {
        "title": say(section.title),
        "code": {"coding": [{"system": LOINC, "code": section.code, "display": section.display}]},
    }
    if not found:
        reason = {"system": "http://terminology.hl7.org/CodeSystem/list-empty-reason", "code": "unavailable"}
        text = {"status": "generated", "div": _div(f"<p>{html.escape(say(_WHY_EMPTY))}</p>")}
        return told | {"text": text, "emptyReason": {"coding": [reason]}}
    lines = [_Line(one.provider_id, _line(one, medicines)) for one in found]
    rows = "".join(_row(group, facts, say) for group in folded(lines))
    shown = say(phrase("The newest %(shown)s of %(count)s.", shown=len(found), count=count))
    more = f"<p>{html.escape(shown)}</p>" if count > len(found) else ""
    div = _div(f"{more}<table><tbody>{rows}</tbody></table>")
    return told | {
        "text": {"status": "generated", "div": div},
        "entry": [{"reference": one.full_url} for one in found],
    }


@dataclass(frozen=True)
class _Line:
    """A line of a narrative and whose it is, as `same.Listed` has it."""

    provider_id: str
    line: LineView


def _line(one: Placed, medicines: dict[tuple[str, str], Placed]) -> LineView:
    named = medication_reference(one.resource)
    medicine = medicines.get((one.provider_id, key_of(named))) if named else None
    return read_line(one.resource, medicine.resource if medicine else None)


def _row(group: Folded[_Line], facts: CopyFacts, say: Say) -> str:
    """For people what two hospitals tell alike is one row; for programs each of their entries stands in the section."""
    line = group.first.line
    names = dict.fromkeys(facts.name(one.provider_id) for one in (group.first, *group.others))
    cells = [
        html.escape(_clean(cell))
        for cell in (
            day_of(line.date), say(line.title), line.clinical, say(line.value_text), say(line.status),
            " · ".join(names),
        )
    ]  # fmt: skip
    if line.warning:  # ruled out, or what not to do, is never told like a fact (FHIR-13)
        cells[1] += f" <b>{html.escape(say(line.warning))}</b>"
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _named(held: list[list[Placed]], medicines: dict[tuple[str, str], Placed]) -> list[Placed]:
    """The medicines that the entries refer to."""
    wanted = [
        (one.provider_id, key_of(named))
        for found in held
        for one in found
        if (named := medication_reference(one.resource)) is not None
    ]
    return [medicines[each] for each in dict.fromkeys(wanted) if each in medicines]


def _div(inside: str) -> str:
    return f'<div xmlns="{_XHTML}">{inside}</div>'


def _clean(words: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(each for each in words if each >= " " or each in "\t\n")
