"""What is written down for integrators is what the code says: reasons, classes, purposes, and the small client."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import orjson
import pytest
import yaml

from consent.decision import DataCategory, SensitiveClass
from consent.duo.use import AIMS
from consent.may_use import Purpose, Reason
from patient_portal.choices.consent_hook import DISCOVERY

ROOT = Path(__file__).resolve().parents[4]


def test_the_description_has_every_word() -> None:
    """Decisions for pipelines: OpenAPI's enumerations are the code's; every reason is explained."""
    schemas = yaml.safe_load((ROOT / "docs/openapi-decide.yaml").read_text(encoding="utf-8"))["components"]["schemas"]
    for name, kind in (
        ("DataClass", DataCategory),
        ("OurPurpose", Purpose),
        ("Sensitive", SensitiveClass),
        ("Reason", Reason),
    ):
        assert set(schemas[name]["enum"]) == {member.value for member in kind}
    assert set(schemas["DuoPurpose"]["enum"]) == {code.value for code in AIMS}
    told = (ROOT / "docs/decisions-api.md").read_text(encoding="utf-8")
    assert all(f"| `{reason.value}` |" in told for reason in Reason)


def examples(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every example of the description, with the schema that stands beside it."""
    if isinstance(node, dict):
        schema = node.get("schema")
        if schema is not None:
            yield from ((one["value"], schema) for one in node.get("examples", {}).values())
            yield from [(node["example"], schema)] if "example" in node else []
        for each in node.values():
            yield from examples(each)
    elif isinstance(node, list):
        for each in node:
            yield from examples(each)


def test_every_example_is_one() -> None:
    """Issue 3, OpenAPI with examples: each request and answer has one, and it is what its schema says."""
    described = yaml.safe_load((ROOT / "docs/openapi-decide.yaml").read_text(encoding="utf-8"))
    found = list(examples(described["paths"])) + list(examples(described["components"]))
    assert len(found) >= 15
    for value, schema in found:
        jsonschema_rs.validator_for({"components": described["components"], **schema}).validate(value)
    for path, way in ((path, way) for path, ways in described["paths"].items() for way in ways.values()):
        bodies = [way["responses"]["200"], *([way["requestBody"]] if "requestBody" in way else [])]
        media = [each for body in bodies for each in body["content"].values()]
        assert all({"example", "examples"} & each.keys() for each in media), path
    discovery = described["paths"]["/cds-services"]["get"]["responses"]["200"]["content"]["application/json"]
    assert discovery["example"] == DISCOVERY


@pytest.fixture
def client() -> ModuleType:
    """The client as a pipeline would have it: one file, loaded by its path."""
    spec = importlib.util.spec_from_file_location("portal_decisions", ROOT / "clients/python/portal_decisions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def lines(*answers: tuple[str, bool]) -> io.BytesIO:
    rows = [{"id": name, "allowed": allowed, "reason": "donated", "position": 3} for name, allowed in answers]
    return io.BytesIO(b"".join(orjson.dumps(row) + b"\n" for row in rows))


def test_the_client_takes_no_half_answer(client: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """CON-10: short, long, shuffled or unreadable answers raise; a name is never taken for another."""
    asking = client.Decisions("https://portal.example", token=lambda: "t")
    asked = ("living-well", "clinical", "research", ["a", "b"])

    def answered(found: io.BytesIO) -> list[str]:
        monkeypatch.setattr(asking, "_post", lambda *_, **__: found)
        return list(asking.allowed(*asked))

    assert answered(lines(("a", True), ("b", False))) == ["a"]
    one = lines(("a", True))
    monkeypatch.setattr(asking, "_post", lambda *_, **__: one)
    assert asking.ask(*asked[:3], "a") == client.Answer("a", True, "donated", 3)
    for broken in (
        lines(("a", True)), lines(("b", True), ("a", True)), lines(("a", True), ("b", True), ("c", True)),
        io.BytesIO(b"{}\n"), io.BytesIO(b"<html>\n"),
        io.BytesIO(b'{"id":"a","allowed":"no","reason":"","position":1}\n'),
    ):  # fmt: skip
        with pytest.raises(client.NotAnswered):
            answered(broken)
    with pytest.raises(client.NotAnswered):
        client.Decisions("http://127.0.0.1:1", token=lambda: "t").ask(*asked[:3], "a")
    with pytest.raises(ValueError):
        client.Decisions("http://portal.example", token=lambda: "t")
