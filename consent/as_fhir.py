"""Decisions as FHIR R4 Consent, Provenance and AuditEvent, in plain dictionaries (CON-01 to CON-07, 11 to 13).

One pattern for each choice:

* **CancerLinQ** (CON-04): `scope` patient-privacy; `policyRule` OPTIN at the root, for data flows because the
  practice takes part; one nested provision, `deny` for an opt-out and `permit` once it is lifted, for the actor
  CancerLinQ, the actions collect, access, use, disclose and the purposes HOPERAT, HQUALIMP, HRESCH. A reader that
  knows only this resource learns that the rest of care is untouched.
* **Donation** (CON-03, 05, 06): `scope` research; `policyRule` OPTOUT at the root (nothing, unless listed) and
  hipaa-auth; one nested provision for the effort: `permit` with the categories chosen, in which the sensitive
  classes not switched on are denied again; or a bare `deny`. (`policyRule` carries two codings: the default for a
  machine and the kind of authorization.)

Each decision is a Consent of its own, so a withdrawn one is never made active again (CON-07). `meta.versionId` is
the per-person version.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from consent.decision import Answer, Choice, DataCategory, Decision, Means, SensitiveClass, Subject
from vocabulary.actor import ActorKind
from vocabulary.resource import Resource

SITE = "https://patient-portal.example/fhir"
EFFORT_SYSTEM = f"{SITE}/NamingSystem/effort"
CATEGORY_SYSTEM = f"{SITE}/CodeSystem/data-category"
ORGANIZATION_SYSTEM = f"{SITE}/NamingSystem/organization"
ACCOUNT_SYSTEM = f"{SITE}/NamingSystem/account"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
CATEGORY = "http://terminology.hl7.org/CodeSystem/consentcategorycodes"
POLICY = "http://terminology.hl7.org/CodeSystem/consentpolicycodes"
ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
DATA_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
PROVENANCE_AGENT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"

# CON-06: the security labels under which each sensitive class is known; R and V stay out with any of them off.
SENSITIVE_LABELS: dict[SensitiveClass, tuple[str, ...]] = {
    SensitiveClass.SUBSTANCE_USE: ("ETH", "ETHUD", "SUD"),
    SensitiveClass.HIV: ("HIV",),
    SensitiveClass.MENTAL_HEALTH: ("PSY",),
    SensitiveClass.REPRODUCTIVE: ("SEX",),
    SensitiveClass.GENETIC: ("GDIS",),
    SensitiveClass.VIOLENCE: ("SDV",),
}

CATEGORY_TYPES: dict[DataCategory, tuple[str, ...]] = {
    DataCategory.GENERAL: ("Patient",),
    DataCategory.CLINICAL: (
        "AllergyIntolerance",
        "Condition",
        "DiagnosticReport",
        "Encounter",
        "FamilyMemberHistory",
        "Immunization",
        "Observation",
        "Specimen",
    ),
    DataCategory.THERAPY: (
        "CarePlan",
        "MedicationAdministration",
        "MedicationDispense",
        "MedicationRequest",
        "Procedure",
        "ServiceRequest",
    ),
}


def as_consent(
    decision: Decision,
    system: str,
    value: str,
    *,
    subject: Subject | None = None,
    answer: Answer | None = None,
    status: str = "active",
    attachment: Resource | None = None,
) -> Resource:
    """The decision as a Consent about the patient `system|value`, the name by which the reader knows the person.

    `subject` and `answer` default to the decision's; they differ where an opt-out ends a donation fed by CancerLinQ.
    `attachment` is the signed copy (`sourceAttachment`) where there is one.
    """
    subject, answer = subject or decision.subject, answer or decision.answer
    patient = _patient(system, value)
    donation = subject.choice is Choice.DONATION
    consent: Resource = {
        "resourceType": "Consent",
        "id": str(decision.id),
        "meta": {"versionId": str(decision.version), "lastUpdated": _instant(decision.recorded_at)},
        "status": status,
        "scope": _concept(SCOPE, "research" if donation else "patient-privacy"),
        "category": [
            _concept("http://loinc.org", "59284-0"),
            _concept(CATEGORY, "research") if donation else _concept(ACT_CODE, "INFA"),
        ],
        "patient": patient,
        "dateTime": _instant(decision.asked_at),
        "performer": [_performer(decision, patient)],
        "organization": [_organization(subject.effort or "cancerlinq")],
        "policy": [{"uri": policy_uri(decision)}],
        "policyRule": _donation_rule() if donation else _concept(ACT_CODE, "OPTIN"),
        "verification": [_verification(decision, patient)],
        "provision": _donation(decision, answer, subject.effort or "") if donation else _cancerlinq(answer),
    }
    if attachment is not None:
        consent["sourceAttachment"] = attachment
    return consent


def policy_uri(decision: Decision) -> str:
    """The exact versioned text that was shown (CON-03)."""
    if decision.text_id is None:
        return f"{SITE}/policy/{decision.choice.value}"
    return f"{SITE}/policy/{decision.text_id}/{decision.text_version}/{decision.language}"


def _donation_rule() -> Resource:
    return {"coding": [_coding(ACT_CODE, "OPTOUT"), _coding(POLICY, "hipaa-auth")]}


def _cancerlinq(answer: Answer) -> Resource:
    nested = {
        "type": "deny" if answer is Answer.NO else "permit",
        "actor": [_recipient("cancerlinq")],
        "action": [_concept(ACTION, code) for code in ("collect", "access", "use", "disclose")],
        "purpose": [_coding(ACT_REASON, code) for code in ("HOPERAT", "HQUALIMP", "HRESCH")],
    }
    return {"provision": [nested]}


def _donation(decision: Decision, answer: Answer, effort: str) -> Resource:
    nested: dict[str, Any] = {
        "type": "deny" if answer is Answer.NO else "permit",
        "actor": [_recipient(effort)],
        "action": [_concept(ACTION, code) for code in ("access", "use", "disclose")],
        "purpose": [_coding(ACT_REASON, "HRESCH")],
    }
    if answer is Answer.NO:
        return {"provision": [nested]}
    chosen = sorted(decision.categories)
    nested["class"] = [_coding(RESOURCE_TYPES, kind) for category in chosen for kind in CATEGORY_TYPES[category]]
    nested["code"] = [_concept(CATEGORY_SYSTEM, category.value) for category in chosen]
    off = [label for kind in SensitiveClass if kind not in decision.sensitive for label in SENSITIVE_LABELS[kind]]
    if off:
        labels = [_coding(ACT_CODE, label) for label in off]
        labels += [_coding(CONFIDENTIALITY, label) for label in ("R", "V")]
        nested["provision"] = [{"type": "deny", "securityLabel": labels}]
    root: dict[str, Any] = {"provision": [nested]}
    period = {"start": _instant(decision.starts_at), "end": _instant(decision.expires_at)}
    if any(period.values()):
        root["period"] = {name: value for name, value in period.items() if value}
    return root


def as_provenance(decision: Decision, system: str, value: str) -> Resource:
    """Who made this change, for whom, how and why (CON-12); the target is the versioned Consent."""
    patient = _patient(system, value)
    agent: dict[str, Any] = {
        "type": _concept(PROVENANCE_AGENT, "author" if decision.by.kind is ActorKind.PATIENT else "enterer"),
        "who": _performer(decision, patient),
    }
    if decision.by.kind is not ActorKind.PATIENT:
        agent["onBehalfOf"] = patient
    provenance: Resource = {
        "resourceType": "Provenance",
        "id": str(decision.id),
        "target": [{"reference": f"Consent/{decision.id}/_history/{decision.version}"}],
        "occurredDateTime": _instant(decision.asked_at),
        "recorded": _instant(decision.recorded_at),
        "activity": _concept(DATA_OPERATION, "NULLIFY" if decision.means is Means.VOID else "CREATE"),
        "agent": [agent],
        "entity": [{"role": "source", "what": {"display": f"{_MEANS[decision.means]} ({decision.language})"}}],
    }
    if decision.reason:
        provenance["reason"] = [{"text": decision.reason}]
    return provenance


_MEANS = {
    Means.WEB: "web form",
    Means.CARE_TEAM: "chart",
    Means.PAPER: "paper form",
    Means.PHONE: "phone call",
    Means.BEGINNING: "the date on which an earlier decision begins",
    Means.EXPIRY: "the date on which an earlier decision ends",
    Means.VOID: "an entry for the wrong person, taken back by two of the practice",
}


def _performer(decision: Decision, patient: Resource) -> Resource:
    """Who agreed or asked. An account is named by its opaque id, a care-team member by the hospital's reference."""
    if decision.by.kind is ActorKind.PATIENT:
        return patient
    if decision.by.kind is ActorKind.CARE_TEAM:
        reference = decision.by.reference or "unknown"
        system = f"{SITE}/NamingSystem/provider/{decision.by.provider_id or 'unknown'}"
        return {"type": "Practitioner", "identifier": {"system": system, "value": reference}}
    kind = "RelatedPerson" if decision.by.kind is ActorKind.PROXY else "Organization"
    return {"type": kind, "identifier": {"system": ACCOUNT_SYSTEM, "value": str(decision.by.account_id or "system")}}


def _verification(decision: Decision, patient: Resource) -> Resource:
    """CON-11: an opt-out from the care team counts at once and is unverified until the person confirms it."""
    if not decision.confirmed_by_person:
        return {"verified": False}
    return {"verified": True, "verifiedWith": patient, "verificationDate": _instant(decision.asked_at)}


def _recipient(name: str) -> Resource:
    return {"role": _concept(PARTICIPATION, "IRCP"), "reference": _organization(name)}


def _organization(name: str) -> Resource:
    system = ORGANIZATION_SYSTEM if name == "cancerlinq" else EFFORT_SYSTEM
    return {"type": "Organization", "identifier": {"system": system, "value": name}}


def _patient(system: str, value: str) -> Resource:
    return {"type": "Patient", "identifier": {"system": system, "value": value}}


def _coding(system: str, code: str) -> Resource:
    return {"system": system, "code": code}


def _concept(system: str, code: str) -> Resource:
    return {"coding": [_coding(system, code)]}


def _instant(value: datetime | None) -> str | None:
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
