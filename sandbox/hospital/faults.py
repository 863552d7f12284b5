"""How a test tells this hospital to misbehave, and the misbehaviour itself. Sandbox only: there is no such thing
at a real hospital."""

from __future__ import annotations

import copy
import threading
import time
from typing import Any

from flask import Response

Resource = dict[str, Any]


class Faults:
    """The faults in force: one JSON object, replaced as a whole by each POST to `/sandbox/faults`."""

    def __init__(self) -> None:
        self._now: dict[str, Any] = {}
        self._lock = threading.Lock()

    def set(self, wanted: dict[str, Any]) -> None:
        """Replace all faults; an empty object heals the hospital."""
        with self._lock:
            self._now = copy.deepcopy(wanted)

    def shown(self) -> dict[str, Any]:
        """The faults in force."""
        with self._lock:
            return copy.deepcopy(self._now)

    def get(self, name: str) -> Any:
        """One fault by name, or None."""
        return self._now.get(name)

    def for_type(self, resource_type: str) -> dict[str, Any] | None:
        """The fault for requests of a resource type (`*` for any); counts down its `times`."""
        with self._lock:
            types = self._now.get("types", {})
            fault: dict[str, Any] | None = types.get(resource_type) or types.get("*")
            if fault is None:
                return None
            if "times" in fault:
                if fault["times"] <= 0:
                    return None
                fault["times"] -= 1
            return dict(fault)


def answer_for(fault: dict[str, Any]) -> Response | None:
    """The broken answer, or None after sleeping when the fault is only `slow`."""
    kind = fault.get("do", "status")
    if kind == "slow":
        time.sleep(float(fault.get("seconds", 2)))
        return None
    if kind == "garbage":
        return Response(b"\x00\x01\xfenot json at all{{{", mimetype="application/fhir+json")
    if kind == "html":
        return Response("<html><body><h1>Maintenance</h1></body></html>", mimetype="text/html")
    if kind == "truncated":
        cut = '{"resourceType":"Bundle","type":"searchset","entry":[{"resou'
        return Response(cut, mimetype="application/fhir+json")
    answer = Response('{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception"}]}',
                      status=int(fault.get("status", 500)), mimetype="application/fhir+json")  # fmt: skip
    if "retry_after" in fault:
        answer.headers["Retry-After"] = str(fault["retry_after"])
    return answer


def next_link(fault: Any, honest: str, current: str) -> str:
    """The `next` link under the fault: `loop` points at itself, `relative` drops the host, else a foreign address."""
    if fault == "loop":
        return current
    if fault == "relative":
        return "/" + honest.split("/", 3)[3]
    if isinstance(fault, dict) and fault.get("foreign"):
        return str(fault["foreign"])
    return honest


def stranger(resource: Resource) -> Resource:
    """A copy of a resource that suddenly belongs to another patient."""
    other = copy.deepcopy(resource)
    other["id"] = f"{resource['id']}-stranger"[-64:]
    for path in ("subject", "patient", "beneficiary"):
        if isinstance(other.get(path), dict):
            other[path] = {"reference": "Patient/somebody-else"}
    return other


def broken_claims(fault: str, claims: dict[str, Any]) -> dict[str, Any]:
    """id_token claims with the one named claim made wrong; `no_<claim>` leaves it out."""
    changed = dict(claims)
    if fault.startswith("no_"):
        changed.pop(fault[3:], None)
    elif fault == "iss":
        changed["iss"] = "http://localhost:1/somebody-else"
    elif fault == "aud":
        changed["aud"] = "another-app"
    elif fault == "azp":
        changed["aud"], changed["azp"] = "another-app", claims["aud"]
    elif fault == "exp":
        changed["exp"] = claims["iat"] - 3600
    elif fault == "nonce":
        changed["nonce"] = "not-the-nonce-you-sent"
    elif fault == "sub_long":
        changed["sub"] = "s" * 256
    elif fault == "fhir_user":
        changed["fhirUser"] = "Device/not-a-person"
    return changed
