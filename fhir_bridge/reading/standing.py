"""What may be shown as fact, and what must be said beside it (FHIR-13)."""

from __future__ import annotations

from fhir_bridge.reading.shape import codes, extensions, objects, searchable, text
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource

ENTERED_IN_ERROR = phrase("Your provider marked this as a mistake. It is not part of your record.")
REFUTED = phrase("This was looked into and ruled out.")
NOT_CERTAIN = phrase("This is not certain. Your care team was still looking into it.")
NOT_DONE = phrase("This was not done.")
DO_NOT_DO = phrase("Your care team wrote that you should not have this.")
UNKNOWN_MODIFIER = phrase(
    "Your provider added something here that changes its meaning, and we cannot read it. Ask your care team."
)

_UNCERTAIN = frozenset({"provisional", "differential", "unconfirmed"})
_DOUBT_WORDS = ("suspect", "suspicio", "possible ", "probable ", "rule out", "r/o ", "cannot exclude", "not excluded")


def is_mistake(resource: Resource) -> bool:
    """Whether the provider withdrew the entry (`entered-in-error`), which is then never a fact."""
    return text(resource.get("status")) == "entered-in-error" or (
        "verificationStatus" in resource and "entered-in-error" in codes(resource["verificationStatus"])
    )


def is_refuted(resource: Resource) -> bool:
    return "refuted" in codes(resource.get("verificationStatus"))


def is_uncertain(resource: Resource) -> bool:
    """Provisional, differential, unconfirmed, or coded as suspected."""
    if codes(resource.get("verificationStatus")) & _UNCERTAIN:
        return True
    words = searchable(resource.get("code"))
    return any(word in words for word in _DOUBT_WORDS)


def was_not_done(resource: Resource) -> bool:
    return text(resource.get("status")) in ("not-done", "not-taken", "cancelled", "abandoned", "rejected") or (
        resource.get("notGiven") is True
    )


def is_warning_against(resource: Resource) -> bool:
    return resource.get("doNotPerform") is True


def unknown_modifiers(resource: Resource) -> bool:
    """Whether a modifierExtension stands anywhere at the top: we know none, so none may be ignored."""
    return bool(objects(resource.get("modifierExtension"))) or bool(extensions(resource, "/never"))


def is_fact(resource: Resource) -> bool:
    """Whether the entry may count as something that is so."""
    return not (
        is_mistake(resource)
        or is_refuted(resource)
        or is_uncertain(resource)
        or was_not_done(resource)
        or is_warning_against(resource)
        or unknown_modifiers(resource)
    )


def warnings_of(resource: Resource) -> tuple[Phrase, ...]:
    """What must be said before anything else on the entry's page, most important first."""
    found = []
    if is_mistake(resource):
        found.append(ENTERED_IN_ERROR)
    if is_refuted(resource):
        found.append(REFUTED)
    elif is_uncertain(resource):
        found.append(NOT_CERTAIN)
    if was_not_done(resource):
        found.append(NOT_DONE)
    if is_warning_against(resource):
        found.append(DO_NOT_DO)
    if unknown_modifiers(resource):
        found.append(UNKNOWN_MODIFIER)
    return tuple(found)


_STATUS: dict[str, Phrase] = {
    "active": phrase("active"),
    "recurrence": phrase("came back"),
    "relapse": phrase("came back"),
    "inactive": phrase("not active now"),
    "remission": phrase("in remission"),
    "resolved": phrase("over"),
    "completed": phrase("finished"),
    "complete": phrase("finished"),
    "finished": phrase("finished"),
    "in-progress": phrase("going on"),
    "on-hold": phrase("on hold"),
    "stopped": phrase("stopped early"),
    "cancelled": phrase("canceled"),
    "revoked": phrase("canceled"),
    "draft": phrase("draft"),
    "planned": phrase("planned"),
    "preparation": phrase("being prepared"),
    "not-done": phrase("not done"),
    "not-taken": phrase("not taken"),
    "intended": phrase("planned"),
    "unknown": phrase("not known"),
    "final": phrase("final"),
    "preliminary": phrase("early result, may change"),
    "registered": phrase("waiting for the result"),
    "partial": phrase("part of the result"),
    "amended": phrase("changed after it was final"),
    "corrected": phrase("corrected"),
    "appended": phrase("added to after it was final"),
    "current": phrase("current"),
    "superseded": phrase("replaced by a newer one"),
    "arrived": phrase("arrived"),
    "available": phrase("available"),
    "entered-in-error": phrase("entered by mistake"),
    "proposed": phrase("suggested"),
    "accepted": phrase("accepted"),
}


def status_words(resource: Resource) -> Phrase | str:
    """The status in words; the provider's own code when we have no word for it, empty when there is none."""
    clinical = next(iter(sorted(codes(resource.get("clinicalStatus")))), "")
    given = clinical or text(resource.get("status")) or text(resource.get("lifecycleStatus"))
    return _STATUS.get(given, given)
