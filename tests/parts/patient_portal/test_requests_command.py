"""`portal requests`: the whole way from a file to the files, and what is said to whoever comes too early."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import orjson
import pytest

from tests.parts.patient_portal import test_cli
from tests.parts.patient_portal.test_cli import run
from tests.parts.research.conftest import World
from tests.parts.research.test_requests import donors_in
from tests.pure.research.test_requests import example
from tests.support.postgres import TestDatabase

environment, logs_as_they_were = test_cli.environment, test_cli.logs_as_they_were
REVIEW = ("--merit", "--team", "--mission", "--form", "--why", "sound", "--by", "rita")


class Desk:
    """Somebody who types commands about one request."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self.monkeypatch, self.capsys, self.folder = monkeypatch, capsys, folder

    def says(self, *words: str, code: int = 0) -> str:
        """What is printed; `code`: the exit code it must have."""
        found = run(self.monkeypatch, "requests", *words)
        printed = self.capsys.readouterr()
        assert found == code, printed.err
        return printed.out + printed.err

    def write(self, **changed: object) -> str:
        file = self.folder / "request.json"
        file.write_bytes(orjson.dumps({**example(), **changed}))
        return str(file)


@pytest.fixture
def desk(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Desk:
    return Desk(monkeypatch, capsys, tmp_path)


def test_a_request_from_submission_to_its_files(desk: Desk, database: TestDatabase) -> None:
    """X-07, X-08, X-09: every step by command, each by name; an approval waits for the clause, and files for both
    signature and payment."""
    donors_in(World(database, desk.folder), 11)
    not_yet = {**example()["no_reidentification"], "accepted": False}
    said = desk.says("submit", desk.write(no_reidentification=not_yet), "--by", "ada")
    assert "cannot be approved before" in said
    made = said.split("\n", 1)[0]
    assert UUID(made)
    assert desk.says("check", made) == "11 people\n"
    assert "in-review" in desk.says("review", made, *REVIEW)
    assert "has not accepted the clause" in desk.says("decide", made, "approved", "--why", "good", code=1)
    desk.says("decide", made, "needs-more-information", "--why", "the clause")
    assert desk.says("submit", desk.write(), "--answers", made, "--by", "ada") == f"{made}\n"
    for words in (("check", made), ("review", made, *REVIEW), ("decide", made, "approved", "--why", "good")):
        desk.says(*words)
    out = str(desk.folder / "out")
    assert "No data use agreement" in desk.says("fulfil", made, "--out", out, code=1)
    desk.says("draft-dua", made, "--dua", "DUA-7", "--cost", "1250.00")
    assert "less than the estimate" in desk.says("pay", made, "--amount", "12.5", "--reference", "b", code=1)
    assert "(paid)" in desk.says("pay", made, "--amount", "1250", "--reference", "book 7")
    assert "agreement is not signed" in desk.says("fulfil", made, "--out", out, code=1)
    assert not Path(out).exists()
    desk.says("sign-dua", made, "--dua", "DUA-7", "--signatory", "Dr. Ada Example")
    assert "Condition.ndjson" in desk.says("fulfil", made, "--out", out, "--by", "bea")
    assert {path.name for path in Path(out, made).iterdir()} == {"Condition.ndjson", "manifest.json"}
    shown = desk.says("show", made)
    for part in ("by rita", "$1,250.00", "by bea", "Nobody else gets them from us", "no-re-identification, version 1"):
        assert part in shown
    listed = orjson.loads(desk.says("list", "--json"))
    assert [(one["id"], one["stage"], len(one["history"])) for one in listed] == [(made, "fulfilled", 12)]
    assert "request has ended" in desk.says("withdraw", made, "--why", "late", code=1)


def test_faults_are_told_by_field(desk: Desk) -> None:
    """X-07: each fault by its field, QOPI with where to go, an unknown id, too few donors; and nothing is kept."""
    said = desk.says("submit", desk.write(title="", parts=["all"]), code=1)
    assert "title: must be text" in said
    assert "parts: must be a list" in said
    assert "Practice Central" in desk.says("submit", desk.write(dataset="QOPI"), code=1)
    assert "No requests yet" in desk.says("list")
    assert "no request with this id" in desk.says("show", str(UUID(int=1)), code=1)
    made = desk.says("submit", desk.write()).strip()
    assert desk.says("check", made) == "Fewer than 11 people.\n"
    assert "fewer than 11 donors" in desk.says("review", made, *REVIEW, code=1)
    assert "dollars and cents" in desk.says("draft-dua", made, "--dua", "D", "--cost", "1.005", code=2)
