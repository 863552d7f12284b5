"""What a record refers to, and its files, brought in over real HTTP."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from werkzeug import Response

from fhir_bridge.retrieve.files import FILE_CAP_BYTES
from fhir_bridge.retrieve.plan import EXTRA_TYPES, plan_for
from fhir_bridge.retrieve.states import State
from fhir_bridge.smart.scopes import granted
from tests.parts.fhir_bridge.retrieve.hospital_server import (
    CONDITIONS,
    Hospital,
    condition,
    hospital,
    outcome,
    refused,
    run,
    searchset,
)

__all__ = ["hospital"]


def test_referenced_resources_are_read(hospital: Hospital) -> None:
    """FHIR-01: persons and places are read by reference, in two rounds, on the same server only."""
    hospital.answers["Condition"] = searchset(
        condition("c1", asserter={"reference": "PractitionerRole/r1"}),
        condition("c2", asserter={"reference": "https://elsewhere.example/fhir/Practitioner/d9"}),
        condition("c3", asserter={"reference": hospital.base + "/Practitioner/d1"}),
        condition("c4", asserter={"reference": "Practitioner/gone"}),
    )
    hospital.answers["PractitionerRole/r1"] = {
        "resourceType": "PractitionerRole", "id": "r1", "organization": {"reference": "Organization/o1"},
    }  # fmt: skip
    hospital.answers["Organization/o1"] = {"resourceType": "Organization", "id": "o1"}
    hospital.answers["Practitioner/d1"] = {"resourceType": "Practitioner", "id": "d1"}
    hospital.answers["Practitioner/gone"] = refused(404, "not-found")
    done, kept = run(hospital)
    assert {"PractitionerRole/r1", "Organization/o1", "Practitioner/d1"} <= set(kept.ids)
    assert outcome(done, "Organization").state is State.OK
    assert outcome(done, "Practitioner").state is State.PARTIAL
    assert outcome(done, "Location").state is State.EMPTY
    assert hospital.foreign == []


def document(identity: str, **attachment: Any) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference", "id": identity, "subject": {"reference": "Patient/p1"},
        "content": [{"attachment": {"contentType": "application/pdf", **attachment}}],
    }  # fmt: skip


def test_files_are_fetched_and_checked(hospital: Hospital) -> None:
    """FHIR-11: raw and as a Binary, relative and absolute, each once; size and hash are checked; caps hold."""
    pdf = b"%PDF-1.4 a report"
    sha1 = base64.b64encode(hashlib.sha1(pdf, usedforsecurity=False).digest()).decode()
    report = {
        "resourceType": "DiagnosticReport", "id": "r1", "subject": {"reference": "Patient/p1"},
        "presentedForm": [{"contentType": "application/pdf", "url": "Binary/b1"}],
    }  # fmt: skip
    hospital.answers["DiagnosticReport"] = searchset(report)
    hospital.answers["DocumentReference"] = searchset(
        document("d1", url=hospital.base + "/Binary/b1", size=len(pdf), hash=sha1),
        document("d2", url="Binary/b2", size=3),
        document("d3", url="Binary/b3", size=FILE_CAP_BYTES + 1),
        document("d4", url="https://elsewhere.example/Binary/b4"),
        document("d5", url="Binary/b5"),
    )
    hospital.answers["Binary/b1"] = Response(pdf, mimetype="application/pdf")
    hospital.answers["Binary/b2"] = {
        "resourceType": "Binary", "id": "b2", "contentType": "application/pdf", "data": base64.b64encode(pdf).decode(),
    }  # fmt: skip
    hospital.answers["Binary/b5"] = refused(403)
    _done, kept = run(hospital, files=True)
    found = {one.link.url.rsplit("/", 1)[1]: one for one in kept.files}
    assert set(found) == {"b1", "b2", "b3", "b5"}
    assert (found["b1"].body, found["b1"].problems) == (pdf, ())
    assert (found["b2"].body, found["b2"].problems) == (pdf, ("size-differs",))
    assert (found["b3"].body, found["b3"].missing) == (None, "too-large")
    assert (found["b5"].body, found["b5"].missing) == (None, "not-authorized")
    assert sum(path.startswith("Binary/b1") for path, _ in hospital.asked) == 1
    assert not any(path.startswith("Binary/b3") for path, _ in hospital.asked)


def test_nothing_is_asked_beyond_the_scopes(hospital: Hospital) -> None:
    """FHIR-10: a type that was not granted is not asked for and is named as not authorized."""
    done, _kept = run(hospital, plan_for("p1", granted("patient/Condition.rs")))
    assert sorted(path for path, _ in hospital.asked) == [CONDITIONS, "metadata"]
    assert outcome(done, "Patient").state is State.NOT_AUTHORIZED
    assert all(outcome(done, kind).state is State.NOT_AUTHORIZED for kind in EXTRA_TYPES)
