"""Notes and reports with real attachments: PDF and HTML served as Binary, plain text inline."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Any, Literal

from sandbox.people.chart_builder import ChartBuilder, Reference
from sandbox.people.codes import DOCUMENT_CATEGORY, LOINC, US_CORE, Concept, concept, loinc
from sandbox.people.pdf import one_page

Format = Literal["pdf", "html", "text"]

NOTES = {
    "consult": ("11488-4", "Consult note"),
    "discharge": ("18842-5", "Discharge summary"),
    "history": ("34117-2", "History and physical note"),
    "procedure": ("28570-0", "Procedure note"),
    "progress": ("11506-3", "Progress note"),
    "imaging": ("18748-4", "Diagnostic imaging study"),
    "laboratory": ("11502-2", "Laboratory report"),
    "pathology": ("11526-1", "Pathology study"),
    "operation": ("11504-8", "Surgical operation note"),
    "emergency": ("34111-5", "Emergency department note"),
}
"""The ten US Core note types (FHIR-04)."""

PATHOLOGY = concept((LOINC, "LP7839-6", "Pathology"))
RADIOLOGY = concept((LOINC, "LP29684-5", "Radiology"))
C_CDA = {
    "system": "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
    "code": "urn:hl7-org:sdwg:ccda-structuredBody:2.1", "display": "Documents following C-CDA 2.1 constraints",
}  # fmt: skip
_TYPES = {"pdf": "application/pdf", "html": "text/html", "text": "text/plain; charset=utf-8"}


def _content(form: Format, title: str, lines: list[str]) -> bytes:
    if form == "pdf":
        return one_page(title, lines)
    if form == "html":
        body = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
        return f"<!doctype html><html lang='en'><title>{escape(title)}</title><h1>{escape(title)}</h1>{body}".encode()
    return "\n".join([title, "", *lines]).encode()


def attach(chart: ChartBuilder, key: str, when: str, title: str, lines: list[str], form: Format) -> dict[str, Any]:
    """An Attachment: PDF and HTML as a Binary of the chart (with size and SHA-1), text inline."""
    shown = [f"{chart.person.given} {chart.person.family} (invented person)", f"Date: {when}", "", *lines]
    content = _content(form, title, shown)
    attachment: dict[str, Any] = {
        "contentType": _TYPES[form], "language": "en", "title": title, "creation": when, "size": len(content),
        "hash": base64.b64encode(hashlib.sha1(content).digest()).decode(),  # FHIR R4 Attachment.hash is SHA-1
    }  # fmt: skip
    data = base64.b64encode(content).decode()
    if form == "text":
        return attachment | {"data": data}
    made = chart.add("Binary", f"file-{key}", when, contentType=_TYPES[form], data=data)
    return attachment | {"url": made["reference"]}


def note(
    chart: ChartBuilder, key: str, when: str, kind: str, lines: list[str], form: Format = "pdf",
    attachment: dict[str, Any] | None = None, document: bytes = b"", **extra: Any,
) -> Reference:  # fmt: skip
    """Add a DocumentReference of one of the ten note types; `attachment` reuses a file of a report (FHIR-12),
    `document` is the same as a C-CDA, an alternative of its file (FHIR-11)."""
    code, title = NOTES[kind]
    content = [{"attachment": attachment or attach(chart, key, when, title, lines, form)}]
    if document:
        inside = {"contentType": "application/xml", "data": base64.b64encode(document).decode(), "size": len(document)}
        content.append({"attachment": inside, "format": C_CDA})
    return chart.add(
        "DocumentReference", f"note-{key}", when, US_CORE + "documentreference", status="current", docStatus="final",
        type=loinc(code, title), subject=chart.subject, date=f"{when}T18:00:00Z", author=[chart.doctor],
        category=[concept((DOCUMENT_CATEGORY, "clinical-note", "Clinical Note"))],
        custodian=chart.organization, content=content, **extra,
    )  # fmt: skip


def report(
    chart: ChartBuilder, key: str, when: str, category: Concept, code: Concept, conclusion: str,
    results: list[Reference] | None = None, specimen: Reference | None = None, form: Format = "pdf", **extra: Any,
) -> dict[str, Any]:  # fmt: skip
    """Add a pathology or radiology DiagnosticReport with its file; returns the Attachment for the matching note."""
    attachment = attach(chart, f"report-{key}", when, code["text"], conclusion.split(". "), form)
    chart.add(
        "DiagnosticReport", f"report-{key}", when, US_CORE + "diagnosticreport-note", status="final",
        category=[category], code=code, subject=chart.subject, effectiveDateTime=when, issued=f"{when}T18:00:00Z",
        performer=[chart.organization], result=results or None, specimen=[specimen] if specimen else None,
        conclusion=conclusion, presentedForm=[attachment], **extra,
    )  # fmt: skip
    return attachment


def specimen(chart: ChartBuilder, key: str, when: str, kind: Concept, site: Concept | None = None) -> Reference:
    """Add a Specimen."""
    collection = {"collectedDateTime": when} | ({"bodySite": site} if site else {})
    return chart.add("Specimen", key, when, US_CORE + "specimen", status="available", type=kind,
                     subject=chart.subject, collection=collection)  # fmt: skip


def imaging(chart: ChartBuilder, key: str, when: str, modality: tuple[str, str], what: str) -> Reference:
    """Add an ImagingStudy (no pictures, only that it was done) and return its reference."""
    number = int(hashlib.sha256(f"{chart.person.id} {key}".encode()).hexdigest()[:12], 16)
    coding = {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": modality[0], "display": modality[1]}
    series = {"uid": f"2.25.{number}1", "modality": coding, "description": what, "numberOfInstances": 1}
    return chart.add(
        "ImagingStudy", key, when, status="available", subject=chart.subject, started=f"{when}T16:00:00Z",
        identifier=[{"system": "urn:dicom:uid", "value": f"urn:oid:2.25.{number}"}], modality=[coding],
        description=what, numberOfSeries=1, numberOfInstances=1, series=[series],
    )  # fmt: skip


def scan(chart: ChartBuilder, key: str, when: str, code: Concept, modality: tuple[str, str], finding: str) -> None:
    """Add an imaging study, its radiology report, and the imaging note that shares the report's file."""
    study = imaging(chart, f"study-{key}", when, modality, code["text"])
    attachment = report(chart, key, when, RADIOLOGY, code, finding, imagingStudy=[study])
    note(chart, key, when, "imaging", [], attachment=attachment)
