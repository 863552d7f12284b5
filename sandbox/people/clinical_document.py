"""A note as a clinical document (HL7 CDA R2, C-CDA R2.1), written out by hand: the same bytes every time."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from sandbox.people.person import SyntheticPerson

Part = tuple[str, str, str, Sequence[str | tuple[str, str]]]
"""A section: LOINC code, its name, the title, and lines of words or rows of a table (what, value)."""

_TEMPLATES = "".join(
    f'<templateId root="{root}" extension="2015-08-01"/>'
    for root in ("2.16.840.1.113883.10.20.22.1.1", "2.16.840.1.113883.10.20.22.1.4")
)


def consultation_note(person: SyntheticPerson, when: str, writer: str, parts: Sequence[Part]) -> bytes:
    """The document of one visit: header with the patient, who wrote it and who keeps it, then its sections."""
    day = when.replace("-", "")
    gender = {"female": "F", "male": "M"}[person.sex]
    body = "".join(_section(*part) for part in parts)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<realmCode code="US"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>{_TEMPLATES}
<id root="{person.mrn_system.removeprefix("urn:oid:")}" extension="{person.id}-{day}"/>
<code code="11488-4" codeSystem="2.16.840.1.113883.6.1" displayName="Consult note"/>
<title>Consult note</title><effectiveTime value="{day}180000+0000"/>
<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="en-US"/>
<recordTarget><patientRole><id root="{person.mrn_system.removeprefix("urn:oid:")}" extension="{person.mrn}"/>
<patient><name><given>{escape(person.given)}</given><family>{escape(person.family)}</family></name>
<administrativeGenderCode code="{gender}" codeSystem="2.16.840.1.113883.5.1"/>
<birthTime value="{person.birth_date:%Y%m%d}"/></patient></patientRole></recordTarget>
<author><time value="{day}"/><assignedAuthor><id nullFlavor="NI"/>
<assignedPerson><name>{escape(writer)}</name></assignedPerson></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><id nullFlavor="NI"/>
<name>{person.hospital.capitalize()} Cancer Center (sandbox)</name></representedCustodianOrganization>
</assignedCustodian></custodian><component><structuredBody>{body}</structuredBody></component></ClinicalDocument>
""".encode()


def _section(code: str, name: str, title: str, lines: Sequence[str | tuple[str, str]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(one[0])}</td><td>{escape(one[1])}</td></tr>" for one in lines if not isinstance(one, str)
    )
    words = "".join(f"<paragraph>{escape(one)}</paragraph>" for one in lines if isinstance(one, str))
    table = f"<table><thead><tr><th>What</th><th>Value</th></tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    return (
        f'<component><section><code code="{code}" codeSystem="2.16.840.1.113883.6.1" displayName="{name}"/>'
        f"<title>{escape(title)}</title><text>{words}{table}</text></section></component>"
    )
