"""`portal texts`, and a start that is refused over a text edited under its number (LANG-02)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consent.authorization import Texts, load_texts
from consent.kept_texts import keep_texts
from database.context import as_nobody
from database.unit_of_work import Database
from patient_portal.wiring import now
from tests.parts.patient_portal import test_cli
from tests.parts.patient_portal.test_cli import run
from tests.support.postgres import TestDatabase

environment, logs_as_they_were = test_cli.environment, test_cli.logs_as_they_were


@pytest.fixture
def kept(database: TestDatabase) -> None:
    """Texts as a feed kept them when it started first."""
    worker = Database(database.urls.worker, pool_size=1)
    with worker.begin(as_nobody()) as session:
        keep_texts(session, load_texts().all, now())
    worker.close()


def with_purpose(purpose: str) -> Texts:
    return Texts(
        replace(each, parts={**each.parts, "purpose": purpose}) if each.authorizes else each
        for each in load_texts().all
    )


@pytest.mark.usefixtures("environment", "kept")
def test_texts_are_listed_and_checked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """LANG-02: every version with its hash, review and reviewer; and a check that passes as long as nobody edits."""
    assert run(monkeypatch, "texts", "list") == 0
    told = capsys.readouterr().out
    for text in load_texts().all:
        assert text.sha256[:12] in told
    assert run(monkeypatch, "texts", "check") == 0
    assert "can be signed in every language" in capsys.readouterr().out
    late = [text for text in load_texts().all if (text.id, text.language) != ("living-well", "es")]
    monkeypatch.setattr("patient_portal.commands.texts.load_texts", lambda: Texts(late))
    assert run(monkeypatch, "texts", "check") == 1
    assert "living-well, es" in capsys.readouterr().out


@pytest.mark.usefixtures("environment", "kept")
def test_an_edited_text_is_not_served(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """LANG-02, P11-01: pages are not served from words that differ from those kept; the message says what to do."""
    served: list[bool] = []
    monkeypatch.setattr("patient_portal.commands.processes.serve_pages", lambda **_: served.append(True))
    assert run(monkeypatch, "serve") == 0
    assert served == [True]
    monkeypatch.setattr("patient_portal.choices.catalogue.load_texts", lambda: with_purpose("To sell it."))
    assert run(monkeypatch, "serve") == 78
    assert served == [True]
    told = capsys.readouterr().err
    assert "differs in its words" in told
    assert "version = 2" in told
    monkeypatch.setenv("DATABASE_URL", "postgresql://web:none@127.0.0.1:9/none")
    assert run(monkeypatch, "serve") == 0  # a database that is away keeps nobody from starting
