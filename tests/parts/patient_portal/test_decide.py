"""Decisions at the edge: a command over files, one question, a batch, and CDS Hooks."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from consent.decide.decider import Decider
from consent.decision import Answer as Said
from consent.decision import donation_to
from patient_portal.choices.consent_hook import DISCOVERY, HOOK, STORE_SYSTEM, SUBJECT_SYSTEM, consult
from patient_portal.choices.deciding import decide_batch, decide_one
from patient_portal.cli import portal
from tests.parts.consent.conftest import World
from tests.parts.consent.people import RIVERSIDE, person
from tests.parts.consent.test_decide import HERE, coded, token
from tests.parts.patient_portal.test_cli import SECRET
from tests.pure.consent.stores import ALL_STORES
from tests.support.portal import Outside
from tests.support.postgres import TestDatabase
from vocabulary.errors import Invalid, NotFound, Unavailable

STORES = {"living-well", "cancerlinq"}
ASK = {"store": "living-well", "class": "clinical", "purpose": "research"}


@pytest.fixture
def world(database: TestDatabase) -> World:
    return World(database)


@pytest.fixture
def decider(world: World) -> Iterator[Decider]:
    made = Decider(world.database.worker, world.database.keyring, ALL_STORES, HERE, world.clock)
    yield made
    made.close()


@pytest.fixture
def two(world: World) -> tuple[bytes, bytes]:
    """The codes of one who donates and of one who does not."""
    rosa, ben = person(world.database, 1), person(world.database, 2)
    world.press(rosa, donation_to("living-well"), Said.YES)
    world.press(ben)
    return coded(world, rosa), coded(world, ben)


@pytest.fixture
def command(outside: Outside, database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`portal decide` over files in a folder, with an environment of this test's database."""
    database.keyring.save(tmp_path / "ring.json")
    for name, value in {
        "DATABASE_URL": database.urls.web, "DATABASE_URL_WORKER": database.urls.worker,
        "PORTAL_BASE_URL": outside.address, "PORTAL_KEYS": str(tmp_path / "ring.json"), "PORTAL_SECRET_KEY": SECRET,
        "PORTAL_PROVIDERS": str(outside.folder / "providers.toml"),
        "PORTAL_STORES": str(outside.folder / "stores.toml"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def run(sent: bytes, out: str, *more: str, store: str = "living-well", purpose: str = "research") -> Any:
        (tmp_path / "ids.csv").write_bytes(sent)
        asked = ["--store", store, "--class", "clinical", "--purpose", purpose]
        files = ["--in", str(tmp_path / "ids.csv"), "--out", str(tmp_path / out)]
        return CliRunner().invoke(portal, ["decide", *asked, *files, *more])

    return run


def test_a_command_over_files(command: Any, two: tuple[bytes, bytes], tmp_path: Path, world: World) -> None:
    """CON-10: each line has its answer; the file is whole or not there; the exit code says which."""
    sent = b"id\n" + two[0] + b"\n" + two[1] + b"\nnobody\n"
    done = command(sent, "answers.csv")
    assert (done.exit_code, done.output.splitlines()[-1][:36]) == (0, "1 of 3 allowed at position 0. donate"[:36])
    assert (tmp_path / "answers.csv").read_bytes().splitlines()[1:] == [
        two[0] + b",true,donated,0",
        two[1] + b",false,no-donation,0",
        b"nobody,false,store-does-not-know-person,0",
    ]
    assert command(sent, "allowed.txt").exit_code == 0
    assert (tmp_path / "allowed.txt").read_bytes() == two[0] + b"\n"
    asked = command(token(1) + b"\n" + token(2) + b"\n", "a.ndjson", store="cancerlinq", purpose="operations")
    assert asked.exit_code == 0
    reasons = [orjson.loads(line)["reason"] for line in (tmp_path / "a.ndjson").read_bytes().splitlines()]
    assert reasons == ["not-opted-out", "opted-out"]
    assert world.sequence() == 2


def test_the_command_refuses(
    command: Any, two: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CON-10, SUB-10: bad input, an unknown store, a store behind, no ledger: a code, and no file half made."""
    (tmp_path / "kept.csv").write_bytes(b"as it was")
    assert command(b"x" * 5_000, "kept.csv").exit_code == 65
    assert command(two[0], "kept.csv", store="nowhere").exit_code == 65
    assert command(two[0], "kept.csv", "--for-release", store="nowhere").exit_code == 75
    assert command(two[0], "kept.doc").exit_code == 2
    monkeypatch.setenv("DATABASE_URL_WORKER", "postgresql://portal@127.0.0.1:1/nowhere")
    assert command(two[0], "kept.csv").exit_code == 69
    assert (tmp_path / "kept.csv").read_bytes() == b"as it was"
    assert not list(tmp_path.glob(".*part"))


def test_one_question(decider: Decider, two: tuple[bytes, bytes]) -> None:
    """CON-10: reason and position; a store that is not the client's is not there."""
    name = two[0].decode()
    answer = decide_one(decider, STORES, orjson.dumps({**ASK, "id": name}))
    assert answer == {"id": name, "allowed": True, "reason": "donated", "position": 0}
    for wrong in (b"", b"[]", b"{", orjson.dumps({**ASK}), orjson.dumps({**ASK, "id": 4}),
                  orjson.dumps({**ASK, "id": "x", "class": "all"}), orjson.dumps({**ASK, "id": "x", "purpose": ["a"]}),
                  orjson.dumps({**ASK, "id": "x", "sensitive": ["none"]}),
                  orjson.dumps({**ASK, "id": "x", "sensitive": [4]}), b" " * 10_000):  # fmt: skip
        with pytest.raises(Invalid):
            decide_one(decider, STORES, wrong)
    for store in ("discovery", "nowhere"):
        with pytest.raises(NotFound):
            decide_one(decider, STORES, orjson.dumps({**ASK, "store": store, "id": "x"}))


def test_a_batch(decider: Decider, two: tuple[bytes, bytes]) -> None:
    """Decisions for pipelines: plain lines, packed or not, in; NDJSON, CSV or only the allowed out."""
    body = b"\n".join([*two, b"nobody"])
    lines = b"".join(decide_batch(decider, STORES, ASK, [body], sent="text/plain", wanted="application/x-ndjson"))
    assert [orjson.loads(line)["allowed"] for line in lines.splitlines()] == [True, False, False]
    packed = decide_batch(
        decider, STORES, ASK, [gzip.compress(body)], sent="text/plain", wanted="text/plain", gzipped=True
    )
    assert b"".join(packed) == two[0] + b"\n"
    quoted = b"\n".join(orjson.dumps({"id": name.decode()}) for name in two)
    table = b"".join(decide_batch(decider, STORES, ASK, [quoted], sent="application/x-ndjson", wanted="text/csv"))
    assert table.count(b"\n") == 3
    sensitive = {**ASK, "sensitive": "genetic,hiv"}
    found = b"".join(decide_batch(decider, STORES, sensitive, [body], sent="text/csv", wanted="*/*"))
    assert b"sensitive-kind-is-off" in found
    with pytest.raises(Invalid):
        decide_batch(decider, STORES, ASK, [body], sent="application/xml", wanted="*/*")
    with pytest.raises(Invalid):
        decide_batch(decider, STORES, ASK, [b"broken"], sent="text/plain", wanted="*/*", gzipped=True)


def test_a_batch_without_a_ledger(decider: Decider, world: World) -> None:
    """CON-10: an error before the first answer, not a list of noes that look like answers."""
    world.database.worker.url = "postgresql://127.0.0.1:1/nowhere"
    for wanted in ("text/csv", "application/x-ndjson"):
        with pytest.raises(Unavailable):
            decide_batch(decider, STORES, ASK, [b"a"], sent="text/plain", wanted=wanted)


def test_a_purpose_in_duo_terms(decider: Decider, two: tuple[bytes, bytes], command: Any, tmp_path: Path) -> None:
    """DUO-02, DUO-03: a use within what the effort stated is allowed to a donor's data; a wider one to nobody's, with
    the terms that say so; the same by one question, a batch, the hook and the command."""
    limits = ["DUO:0000045", "DUO:0000046", "DUO:0000019", "DUO:0000021", "DUO:0000022=US"]
    lung = {**ASK, "purpose": "DUO:0000007", "disease": "MONDO:0008903"}

    def one(name: bytes, asked: dict[str, Any]) -> dict[str, Any]:
        return decide_one(decider, STORES, orjson.dumps({**asked, "id": name.decode()}))

    assert one(two[0], {**lung, "modifiers": limits})["reason"] == "donated"
    assert one(two[1], {**lung, "modifiers": limits})["reason"] == "no-donation"
    refused = one(two[0], {**lung, "modifiers": limits[1:]})
    assert (refused["allowed"], refused["reason"], refused["blocked_by"]) == (False, "use-not-stated", limits[:1])
    platform = {**lung, "store": "cancerlinq", "modifiers": limits}
    assert one(two[0], platform)["reason"] in ("other-purpose", "store-does-not-know-person")
    for wrong in ({**ASK, "disease": "MONDO:0008903"}, {**ASK, "modifiers": limits}, {**lung, "modifiers": "x"},
                  {**lung, "modifiers": ["GS"]}, {**lung, "disease": "lung"}):  # fmt: skip
        with pytest.raises(Invalid):
            one(two[0], wrong)
    batch = {**lung, "modifiers": ",".join(limits)}
    body = [b"\n".join(two)]
    assert (
        b"".join(decide_batch(decider, STORES, batch, body, sent="text/plain", wanted="text/plain")) == two[0] + b"\n"
    )
    wider = {**batch, "purpose": "HMB", "disease": ""}
    assert b"".join(decide_batch(decider, STORES, wider, body, sent="text/plain", wanted="text/plain")) == b""
    code = {"system": SUBJECT_SYSTEM, "value": two[0].decode()}
    hooked = {"purposeOfUse": "DUO:0000007", "disease": "MONDO:0008903"}
    for context, said in (
        ({**hooked, "modifiers": limits}, "CONSENT_PERMIT"), (hooked, "NO_CONSENT"),
        ({**hooked, "modifiers": "all"}, "NO_CONSENT"), ({"disease": "MONDO:0008903"}, "NO_CONSENT"),
    ):  # fmt: skip
        (card,) = consult(decider, STORES, called(code, **context), "http://127.0.0.1:8000")["cards"]
        assert card["summary"] == said
    more = [word for limit in limits for word in ("--modifier", limit)]
    asked = command(b"\n".join(two), "duo.txt", "--disease", "MONDO:0008903", *more, purpose="DS")
    assert (asked.exit_code, (tmp_path / "duo.txt").read_bytes()) == (0, two[0] + b"\n")
    assert command(two[0], "duo.txt", purpose="DUO:0000001").exit_code == 65


def called(patient: object, actor: object = None, **context: object) -> dict[str, Any]:
    more = {"purposeOfUse": "HRESCH", "scope": "research", **context}
    given = actor or {"system": STORE_SYSTEM, "value": "living-well"}
    return {"hook": HOOK, "hookInstance": "1", "context": {"patientId": patient, "actor": given, **more}}


def test_cds_hooks(decider: Decider, two: tuple[bytes, bytes]) -> None:
    """CON-05, CON-10: the hook's three decisions; every identifier known has to allow, and every class asked for."""
    codes = [{"system": SUBJECT_SYSTEM, "value": code.decode()} for code in two]
    platform = {"system": STORE_SYSTEM, "value": "cancerlinq"}
    record = [{"system": RIVERSIDE, "value": f"MRN-{n}"} for n in (1, 2)]

    def decision(request: dict[str, Any]) -> str:
        (card,) = consult(decider, STORES, request, "http://127.0.0.1:8000")["cards"]
        assert card["extension"]["decision"] == card["summary"]
        assert set(card) == {"summary", "indicator", "detail", "source", "extension"}
        assert len(card["summary"]) < 140
        return str(card["summary"])

    assert DISCOVERY["services"][0]["hook"] == HOOK
    assert decision(called(codes[0])) == "CONSENT_PERMIT"
    assert decision(called(codes[1])) == "NO_CONSENT"
    assert decision(called(codes)) == "NO_CONSENT"
    assert decision(called(record[0], platform, purposeOfUse="HOPERAT")) == "CONSENT_PERMIT"
    assert decision(called(record[1], platform, purposeOfUse="HOPERAT")) == "CONSENT_DENY"
    assert decision(called(codes[0], **{"class": [{"code": "clinical"}]})) == "CONSENT_PERMIT"
    unclear: tuple[dict[str, Any], ...] = (
        {"purposeOfUse": "TREAT"},
        {"class": [{"code": "Observation"}]},
        {"class": [4]},
        {"class": []},
    )
    for context in unclear:
        assert decision(called(codes[0], **context)) == "NO_CONSENT"
    for actor in ({"system": STORE_SYSTEM, "value": "discovery"}, {"value": "living-well"}, [platform, 4], "x"):
        assert decision(called(codes[0], actor)) != "CONSENT_PERMIT"
    for wrong in ({}, {"hook": "patient-view"}, called(codes[0], scope="all"), called([]), called({"value": ""})):
        with pytest.raises(Invalid):
            consult(decider, STORES, wrong, "http://127.0.0.1:8000")
