"""What each FHIR element is called on an entry's page."""

from __future__ import annotations

import re

from fhir_bridge.reading.said import Said
from vocabulary.phrase import Phrase, phrase

_WHEN = phrase("When")
_WHO = phrase("Who")

LABELS: dict[str, Phrase] = {
    "abatement": phrase("Ended"),
    "active": phrase("In use"),
    "activity": phrase("What is planned"),
    "address": phrase("Address"),
    "administeredProduct": phrase("What was given"),
    "asserter": phrase("Said by"),
    "authoredOn": phrase("Ordered"),
    "author": phrase("Written by"),
    "basedOn": phrase("Because of"),
    "birthDate": phrase("Date of birth"),
    "bodySite": phrase("Where on the body"),
    "category": phrase("Kind"),
    "class": phrase("Kind of visit"),
    "clinicalStatus": phrase("How it stands"),
    "collection": phrase("How it was taken"),
    "conclusion": phrase("Conclusion"),
    "conclusionCode": phrase("Conclusion"),
    "condition": phrase("Illness"),
    "contact": phrase("Contact"),
    "context": phrase("Visit"),
    "criticality": phrase("How serious it can be"),
    "custodian": phrase("Kept by"),
    "date": phrase("Date"),
    "daysSupply": phrase("Lasts"),
    "deceased": phrase("Died"),
    "description": phrase("Description"),
    "device": phrase("Device"),
    "dosage": phrase("How much was given"),
    "dosageInstruction": phrase("How to take it"),
    "effective": _WHEN,
    "encounter": phrase("Visit"),
    "expirationDate": phrase("Use before"),
    "focus": phrase("About"),
    "gender": phrase("Sex"),
    "hospitalization": phrase("Hospital stay"),
    "identifier": phrase("Numbers for it"),
    "intent": phrase("What kind of order"),
    "interpretation": phrase("What it means"),
    "issued": phrase("Made available"),
    "location": phrase("Where"),
    "lotNumber": phrase("Lot number"),
    "manufacturer": phrase("Made by"),
    "method": phrase("How it was tested"),
    "name": phrase("Name"),
    "note": phrase("Note"),
    "numberOfInstances": phrase("Number of pictures"),
    "numberOfSeries": phrase("Number of sets of pictures"),
    "occurrence": _WHEN,
    "onset": phrase("Began"),
    "outcome": phrase("How it went"),
    "participant": _WHO,
    "payor": phrase("Paid by"),
    "performed": _WHEN,
    "performer": phrase("Done by"),
    "period": _WHEN,
    "practitioner": _WHO,
    "priority": phrase("How urgent"),
    "quantity": phrase("How much"),
    "reaction": phrase("What happens"),
    "reasonCode": phrase("Why"),
    "reasonReference": phrase("Why"),
    "recordedDate": phrase("Written down"),
    "recorder": phrase("Written down by"),
    "referenceRange": phrase("Usual range"),
    "relationship": phrase("Relation to you"),
    "reported": phrase("Told by you, not ordered here"),
    "requester": phrase("Ordered by"),
    "result": phrase("Results"),
    "route": phrase("How it was given"),
    "series": phrase("Sets of pictures"),
    "serviceProvider": phrase("Hospital or clinic"),
    "severity": phrase("How bad"),
    "site": phrase("Where on the body"),
    "specimen": phrase("Sample"),
    "stage": phrase("Stage"),
    "started": phrase("Began"),
    "status": phrase("Status"),
    "statusReason": phrase("Why it has this status"),
    "target": phrase("About"),
    "telecom": phrase("Phone and mail"),
    "type": phrase("Kind"),
    "value": phrase("Result"),
    "verificationStatus": phrase("How sure"),
    "whenHandedOver": phrase("Picked up"),
    "whenPrepared": phrase("Prepared"),
}

_CHOICE = re.compile(
    r"(DateTime|Date|Period|String|Age|Range|Timing|Boolean|Quantity|CodeableConcept|Reference|Integer|Instant|Time)$"
)


_OF_TYPE: dict[tuple[str, str], Phrase] = {
    ("AllergyIntolerance", "type"): phrase("Allergy or intolerance"),
    ("AllergyIntolerance", "category"): phrase("To what kind of thing"),
    ("Encounter", "type"): phrase("What for"),
}


def label_of(element: str, resource_type: object = "") -> Said:
    """The label of an element (`effectiveDateTime` is "When"); its own name in words when we have none."""
    base = _CHOICE.sub("", element) or element
    found = _OF_TYPE.get((str(resource_type), element)) or LABELS.get(element) or LABELS.get(base)
    return found if found is not None else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", base).capitalize()


CODED_ELEMENTS = frozenset({"category", "intent", "gender", "verificationStatus", "criticality", "type", "class"})

CODE_WORDS: dict[str, Phrase] = {
    "amb": phrase("outpatient"),
    "allergy": phrase("allergy"),
    "assess-plan": phrase("plan of care"),
    "biologic": phrase("from a living thing"),
    "clinical-note": phrase("note"),
    "community": phrase("taken at home"),
    "confirmed": phrase("certain"),
    "differential": phrase("one of several possibilities"),
    "emer": phrase("emergency"),
    "encounter-diagnosis": phrase("found at a visit"),
    "entered-in-error": phrase("entered by mistake"),
    "environment": phrase("from the surroundings"),
    "exam": phrase("examination"),
    "female": phrase("female"),
    "food": phrase("food"),
    "health-concern": phrase("something to watch"),
    "high": phrase("high"),
    "imp": phrase("hospital stay"),
    "inpatient": phrase("in the hospital"),
    "intolerance": phrase("intolerance (no allergy, but the body does not take it well)"),
    "lab": phrase("laboratory"),
    "laboratory": phrase("laboratory"),
    "low": phrase("low"),
    "male": phrase("male"),
    "medication": phrase("medicine"),
    "order": phrase("ordered"),
    "other": phrase("other"),
    "outpatient": phrase("outpatient"),
    "plan": phrase("planned"),
    "problem-list-item": phrase("on your list of health problems"),
    "proposal": phrase("suggested"),
    "provisional": phrase("not certain yet"),
    "refuted": phrase("ruled out"),
    "social-history": phrase("about your life"),
    "survey": phrase("questionnaire"),
    "unconfirmed": phrase("not certain yet"),
    "unknown": phrase("not known"),
    "vital-signs": phrase("measurement"),
}
