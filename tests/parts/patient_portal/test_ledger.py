"""The ledger's public addresses, read as a witness would: with a browser of no one, and nothing of ours to check it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from consent.checkpoint import read_checkpoint
from consent.merkle import verify_consistency, verify_inclusion
from consent.published_heads import head_of_json, read_published_heads
from consent.seal import Sealer, is_genuine_head
from consent.sequencer import sequence_once
from consent.verify_receipt import is_signed
from patient_portal.wiring import now
from tests.support.portal import Portal, signed_in_client
from tests.tampering.ledger import grow_ledger

SIZE = 300


class Witness:
    """A browser that nobody is signed in to, and what it was told the keys are."""

    def __init__(self, portal: Portal) -> None:
        self.portal, self.browser = portal, portal.app.test_client()

    def ask(self, path: str, status: int = 200, **query: Any) -> Any:
        answer = self.browser.get(f"/ledger/{path}", query_string=query, base_url=self.portal.url)
        assert answer.status_code == status, (path, query, answer.text)
        return answer

    def json(self, path: str, **query: Any) -> Any:
        return json.loads(self.ask(path, **query).data)

    def keys(self) -> dict[str, bytes]:
        return {key["id"]: bytes.fromhex(key["public_key"]) for key in self.json("keys")["keys"]}


@pytest.fixture
def witness(portal: Portal) -> Witness:
    return Witness(portal)


def test_a_witness_can_follow(portal: Portal, witness: Witness) -> None:
    """Issue 3: heads, history, consistency, inclusion and the checkpoint, each checked with the published keys."""
    grow_ledger(portal.database, SIZE, seed=4, at_once=40)
    keys, page = witness.keys(), witness.json("heads")
    heads = [head_of_json(head) for head in page["heads"]]
    assert [heads[0].size, page["next"]] == [SIZE, None]
    assert all(is_genuine_head(head, keys) and is_signed(head.as_json(), keys[head.key_id]) for head in heads)
    assert witness.json(f"heads/{heads[3].size}") == page["heads"][3]
    older = witness.json("heads", before=heads[3].size)["heads"]
    assert older == page["heads"][4:]
    for first in heads[1:]:
        found = witness.json("consistency", first=first.size, second=SIZE)
        proof = [bytes.fromhex(step) for step in found["proof"]]
        assert verify_consistency(first.size, SIZE, proof, first.root, heads[0].root)
        assert found["head"] == page["heads"][0]
    leaf = portal.rows("SELECT leaf FROM position WHERE position = 17")[0].leaf
    found = witness.json("inclusion", leaf=leaf.hex(), position=17, size=SIZE)
    assert verify_inclusion(leaf, 17, SIZE, [bytes.fromhex(step) for step in found["path"]], heads[0].root)
    note = witness.ask("checkpoint")
    assert note.content_type == "text/plain; charset=utf-8"
    one = read_checkpoint(note.text, keys)
    assert (one.size, one.root, one.genuine) == (SIZE, heads[0].root, True)
    assert one.origin == witness.json("keys")["origin"] == f"{portal.url.split('://')[1]}/ledger"
    assert [each.genuine for each in read_published_heads(note.text, keys)] == [True]


def test_nothing_is_told_but_hashes(portal: Portal, witness: Witness) -> None:
    """Threats section 6: no identity; a leaf is confirmed only to who knows it; what is fixed may be kept."""
    grow_ledger(portal.database, 30, seed=4)
    leaf = portal.rows("SELECT leaf FROM position WHERE position = 3")[0].leaf
    witness.ask("inclusion", 404, leaf=leaf.hex(), position=4, size=30)
    witness.ask("inclusion", 404, leaf="00" * 32, position=3, size=30)
    assert set(witness.json("heads")["heads"][0]) == {"size", "root", "signed_at", "key_id", "signature"}
    kept = witness.ask("consistency", first=1, second=30).headers["Cache-Control"]
    assert kept == "public, max-age=31536000, immutable"
    assert witness.ask("heads").headers["Cache-Control"] == "public, max-age=5"
    assert "private" not in witness.ask("keys").text


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("heads/7777", {}, 404), ("heads/x", {}, 404), ("heads/" + "9" * 5000, {}, 404),
        ("heads", {"before": "-1"}, 422),
        ("consistency", {}, 422), ("consistency", {"first": 0, "second": 5}, 422),
        ("consistency", {"first": 6, "second": 5}, 422), ("consistency", {"first": 1, "second": 10**14}, 404),
        ("consistency", {"first": "1", "second": "9" * 5000}, 422), ("inclusion", {"position": 0, "size": 5}, 404),
        ("inclusion", {"position": 0, "size": 5, "leaf": "zz"}, 422),
        ("inclusion", {"position": 5, "size": 5, "leaf": "00"}, 422), ("inclusion", {"leaf": "00"}, 422),
    ],
)  # fmt: skip
def test_what_cannot_be_answered(witness: Witness, path: str, query: dict[str, Any], status: int) -> None:
    """SEC-10: bad sizes, positions and hashes get a client's error, never ours."""
    grow_ledger(witness.portal.database, 5, seed=1, people=3, at_once=1)
    witness.ask(path, status, **query)


def test_before_the_first_head(witness: Witness) -> None:
    """I7: an empty ledger has an empty history and no checkpoint."""
    assert witness.json("heads") == {"heads": [], "next": None}
    witness.ask("checkpoint", 404)


def test_a_person_shows_that_they_were_out(portal: Portal, witness: Witness, tmp_path: Path) -> None:
    """Issue 3, "prove I am out": downloaded, checked by the script that anybody may download, in a bare Python."""
    person = signed_in_client(portal, "rv-p05", record=False)
    sent = person.post("/choices/cancerlinq", {"answer": "no", "form": "one-form-key"}, page="/sign-in/riverside")
    address = sent.headers["Location"].removeprefix(portal.url) + "/proof"
    assert person.get(address).status_code == 409, "no head covers it yet"
    seal(portal)
    answer = person.get(address)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    (tmp_path / "proof.json").write_bytes(answer.data)
    (tmp_path / "check.py").write_bytes(witness.ask("verify_receipt.py").data)
    key = next(iter(witness.keys().values())).hex()
    ran = subprocess.run([sys.executable, "-I", str(tmp_path / "check.py"), str(tmp_path / "proof.json"), "--key", key],
                         capture_output=True, text=True, check=False, cwd=tmp_path)  # fmt: skip
    assert (ran.returncode, ran.stdout[:7]) == (0, "Proven:"), ran.stdout + ran.stderr
    lifted = person.post("/choices/cancerlinq", {"answer": "yes", "form": "other-form-key"}, page="/sign-in/riverside")
    seal(portal)
    assert json.loads(person.get(address).data)["at"] == 1, "it held until it was lifted"
    assert person.get(address, query_string={"at": 2}).status_code == 409
    assert person.get(address, query_string={"at": 99}).status_code == 422
    assert person.get(lifted.headers["Location"].removeprefix(portal.url) + "/proof").status_code == 409


def seal(portal: Portal) -> None:
    sequence_once(portal.worker.database, now())
    Sealer(portal.worker.database, portal.worker.keyring).seal_once(now())
