"""Versions of a consent text: who is asked again, what changed, and that nothing is edited under a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.authorization import TEXTS_FOLDER, ConsentText, Texts, load_texts
from consent.decision import Answer, donation_to
from consent.text_versions import asks_again, differs, may_send_new, said_changes, text_of_row, what_changed
from tests.pure.consent.decisions import decided
from vocabulary.config_file import ConfigError
from vocabulary.errors import Conflict

FIRST = next(text for text in load_texts().all if (text.id, text.language) == ("living-well", "en"))


def version(number: int, *, major: bool, **more: Any) -> ConsentText:
    return replace(FIRST, version=number, major=major, **more)


def row_of(text: ConsentText) -> dict[str, Any]:
    """The row that `keep_texts` writes, as read back."""
    return {
        "id": text.id, "version": text.version, "language": text.language, "body": text.body,
        "sha256": bytes.fromhex(text.sha256), "reviewer": text.reviewer, "review_state": text.review,
        "major": text.major,
    }  # fmt: skip


@given(
    st.lists(st.booleans(), min_size=1, max_size=8),
    st.integers(min_value=1, max_value=8),
    st.sampled_from(list(Answer)),
)
def test_only_a_major_version_asks_again(majors: list[bool], signed: int, answer: Answer) -> None:
    """LANG-02, X-02: a yes is asked again exactly when some later version is major; a no never; and while it is asked
    again nothing new may be sent, though the yes stands."""
    texts = Texts([version(number, major=major) for number, major in enumerate(majors, start=1)])
    given_on = decided(1, donation_to("living-well"), answer, text_id="living-well", text_version=signed)
    later = any(majors[signed:])
    assert asks_again(given_on, texts) is (answer is Answer.YES and later)
    assert may_send_new(given_on, texts) is (answer is Answer.YES and not later)
    assert not asks_again(None, texts)
    assert not may_send_new(None, texts)


def test_a_language_that_lacks_the_major_version_cannot_sign() -> None:
    """LANG-02: a minor version may be late in a language; terms that no longer hold are not offered in any."""
    spanish = replace(FIRST, language="es")
    assert Texts([FIRST, spanish, version(2, major=False)]).newest("living-well", "es") == spanish
    assert Texts([FIRST, spanish, version(2, major=True)]).newest("living-well", "es") is None


def test_what_changed_is_said_part_by_part() -> None:
    """LANG-02: what is gone and what is new, and what the files say of it, in order; the same text changes nothing."""
    parts = {**FIRST.parts, "expiry": "It ends after five years.", "payment": FIRST.parts["payment"] + "\nNew line."}
    second = version(2, major=True, parts=parts, changes=("It ends after five years.",))
    third = replace(second, version=3, major=False, changes=("A word is clearer.",))
    found = {change.part: change for change in what_changed(FIRST, third)}
    assert set(found) == {"expiry", "payment"}
    assert found["expiry"].new == ("It ends after five years.",)
    assert found["expiry"].gone == (FIRST.parts["expiry"],)
    assert (found["payment"].gone, found["payment"].new) == ((), ("New line.",))
    assert said_changes([third, second, FIRST], 1, 3) == ("It ends after five years.", "A word is clearer.")
    assert said_changes([third, second, FIRST], 2, 3) == ("A word is clearer.",)
    assert what_changed(third, third) == ()


@pytest.mark.parametrize("text", load_texts().all, ids=lambda text: f"{text.id}-{text.language}")
def test_a_kept_text_reads_back_as_it_was(text: ConsentText) -> None:
    """P11-01: every shipped text survives the database word for word, and one changed letter is refused."""
    row = row_of(text)
    assert text_of_row(row) == replace(text, changes=())
    changes: list[Mapping[str, Any]] = [
        {"body": row["body"] + "!"}, {"body": row["body"].replace("\n\n", "\n")}, {"version": 2}, {"sha256": bytes(32)},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(Conflict, match="kept-text-changed"):
            text_of_row({**row, **change})


def test_a_file_may_differ_in_nothing() -> None:
    """LANG-02: words, reviewer, review state and major are one version together."""
    row = row_of(FIRST)
    assert differs(FIRST, row) is None
    assert differs(replace(FIRST, changes=("More said about it.",)), row) is None
    others = {
        "words": replace(FIRST, parts={**FIRST.parts, "purpose": "Another."}),
        "reviewer": replace(FIRST, reviewer="Somebody"),
        "review": replace(FIRST, review="approved"),
        "major": replace(FIRST, major=False),
    }
    for name, other in others.items():
        assert differs(other, row) == name


def test_wrong_files_are_named(tmp_path: Path) -> None:
    """LANG-02: a number given twice, languages that disagree, and a major version that does not say what changed."""
    words = {code: (TEXTS_FOLDER / f"living-well.{code}.toml").read_text(encoding="utf-8") for code in ("en", "es")}
    second = words["en"].replace("version = 1", "version = 2")
    wrong = {
        "repeats a version": words["en"],
        "major in one language": words["es"].replace("major = true", "major = false"),
        "without `changes`": second,
        "is not a consent text": "id = 1",
    }
    (tmp_path / "a.toml").write_text(words["en"], encoding="utf-8")
    for problem, content in wrong.items():
        (tmp_path / "b.toml").write_text(content, encoding="utf-8")
        with pytest.raises(ConfigError, match=problem):
            load_texts(tmp_path)
    (tmp_path / "b.toml").write_text(
        second.replace("major = true", 'major = true\nchanges = ["It is shorter."]'), encoding="utf-8"
    )
    newest = load_texts(tmp_path).newest("living-well", "en")
    assert newest is not None
    assert (newest.version, newest.changes) == (2, ("It is shorter.",))
