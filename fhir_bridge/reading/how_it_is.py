"""How the cancer and the person are doing: disease status, size, performance status, history of spread, other illnesses
(MC-03, 05, 07, 11)."""

from __future__ import annotations

import re
from collections.abc import Callable

from fhir_bridge.reading.dates import date_of
from fhir_bridge.reading.quantity import NOT_RECORDED, number, value_said
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import (
    NCIT,
    clinical_text,
    codes,
    codings,
    has_profile,
    key,
    obj,
    objects,
    profile_names,
    references,
    searchable,
    text,
    value_of,
)
from fhir_bridge.reading.standing import is_fact
from fhir_bridge.reading.summary_model import Finding
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource

_NO_SIGN = phrase("No sign of cancer at the last check")
_LESS = phrase("Less cancer than before at the last check")

_TRENDS: dict[str, Phrase] = {
    "268910001": phrase("Getting better at the last check"),
    "359746009": phrase("The same at the last check"),
    "271299001": phrase("Getting worse at the last check"),
    "709137006": phrase("Not clear at the last check"),
    "550991000124107": _NO_SIGN,
    "103338009": _NO_SIGN,
    "551001000124108": _LESS,
    "103337004": _LESS,
    "399409002": phrase("The cancer has spread to other places"),
}

_NO_SIGN_WORDS = re.compile(
    r"\bno evidence of ((active|residual|recurrent|metastatic|measurable) )*(disease|cancer|tumou?r|malignan\w+)|"
    r"\b(complete|full) (clinical |metabolic |molecular )?remission"
)
# "No evidence of disease progression" is no absence of disease, and neither is a remission that is not there.
_NOT_SO = re.compile(r"progress|\bnot\b|\bnear\b|\bno (complete|full)|possib|probabl")

CODES = frozenset({
    "97509-4", "89247-1", "89243-0", "C38144", "1287652008", "1098951000119108", "21889-1", "398192003",
})  # fmt: skip
"""Every code by which an observation may be read here."""

_ECOG: dict[int, Phrase] = {
    0: phrase("Fully active (ECOG 0)"),
    1: phrase("Can do light work; hard work is too much (ECOG 1)"),
    2: phrase("Can care for yourself but not work; up more than half the day (ECOG 2)"),
    3: phrase("Need some help; in bed or a chair more than half the day (ECOG 3)"),
    4: phrase("Need full help; in bed or a chair all day (ECOG 4)"),
}


def disease_status(observation: Resource) -> Finding | None:
    """What an Observation says about how the cancer is doing, None when it is not about that."""
    if "97509-4" not in codes(observation.get("code")) and not has_profile(observation, "mcode-cancer-disease-status"):
        return None
    _kind, value = value_of(observation)
    words = searchable(value)
    said: Said | None = next((_TRENDS[one.code] for one in codings(value) if one.code in _TRENDS), None)
    if said is None and _NO_SIGN_WORDS.search(words) and not _NOT_SO.search(words):
        said = _NO_SIGN
    said = said if said is not None else value_said(observation)
    known = bool(said) and said != NOT_RECORDED
    return Finding(said, clinical_text(value), date_of(observation), key(observation)) if known else None


def performance(observation: Resource) -> Finding | None:
    """What an Observation says about how active the person can be, None when it is not about that."""
    code = observation.get("code")
    found, claimed = codes(code), profile_names(observation)
    kind, given = value_of(observation)
    value = number(obj(given).get("value") if kind == "Quantity" else given)
    if value is None or not value.is_integer():
        return None
    said: Phrase | None = None
    if "89247-1" in found or "mcode-ecog-performance-status" in claimed:
        said = _ECOG.get(int(value))
    elif "89243-0" in found or "mcode-karnofsky-performance-status" in claimed:
        said = phrase("%(score)s of 100 (Karnofsky score; 100 is fully active)", score=int(value))
    elif "mcode-lansky-play-performance-status" in claimed or (
        "C38144" in found and any(one.code == "C38144" and one.system in (NCIT, "") for one in codings(code))
    ):
        said = phrase("%(score)s of 100 (Lansky play score; 100 is fully active)", score=int(value))
    if said is None:
        return None
    clinical = clinical_text(observation.get("interpretation"))
    return Finding(said, clinical, date_of(observation), key(observation))


def history_of_spread(observation: Resource) -> Finding | None:
    """mCODE history of metastatic cancer: `valueBoolean` false means that there is NO such history. What is said to be
    unknown (`dataAbsentReason`) is neither a yes nor a no."""
    code = observation.get("code")
    words = searchable(code)
    by_code = codes(code) & {"1287652008", "1098951000119108"} or ("history of" in words and "metasta" in words)
    if not by_code and not has_profile(observation, "mcode-history-of-metastatic-cancer"):
        return None
    if value_said(observation) == NOT_RECORDED:
        return None
    no = observation.get("valueBoolean") is False
    said = phrase("No: the cancer had not spread before") if no else phrase("Yes: a cancer had spread before")
    return Finding(said, clinical_text(code), date_of(observation), key(observation))


def tumor_size(observation: Resource) -> Finding | None:
    """How large the tumor was, and how it was measured; None when the observation is not about that (LOINC 21889-1)."""
    if "21889-1" not in codes(observation.get("code")) and not has_profile(observation, "mcode-tumor-size"):
        return None
    parts = objects(observation.get("component"))
    ordered = sorted(parts, key=lambda one: "33728-7" not in codes(one.get("code")))  # the longest measure first
    sizes = [str(said) for said in (value_said(one) for one in ordered) if said] or [str(value_said(observation))]
    words = " × ".join(filter(None, sizes))
    how = clinical_text(observation.get("method"))
    return Finding(words, how, date_of(observation), key(observation)) if words else None


def names_illnesses(observation: Resource) -> bool:
    """Whether an Observation lists other illnesses (mCODE comorbidities)."""
    return "398192003" in codes(observation.get("code")) or has_profile(observation, "mcode-comorbidities")


def other_illnesses(observation: Resource, find: Callable[[str], Resource | None]) -> tuple[Finding, ...]:
    """The other illnesses that count for the treatment (mCODE comorbidities); what is absent is said as a no."""
    if not names_illnesses(observation):
        return ()
    found = []
    for one in objects(observation.get("extension")):
        url = text(one.get("url"))
        if url.endswith(("mcode-related-condition", "related-condition")):
            reference = next(iter(references(one.get("valueReference"))), "")
            condition = find(reference) or {}
            name = clinical_text(one.get("valueCodeableConcept")) or clinical_text(condition.get("code"))
            if name and (not condition or is_fact(condition)):
                found.append(Finding(name, "", date_of(observation), key(condition) if condition else key(observation)))
        elif url.endswith("related-condition-absent"):
            name = clinical_text(one.get("valueCodeableConcept"))
            said = phrase("No: %(illness)s", illness=name)
            found += [Finding(said, "", date_of(observation), key(observation))] if name else []
    return tuple(found)
