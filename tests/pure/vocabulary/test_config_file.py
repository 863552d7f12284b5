"""A mistake in a configuration file is named by file, line and remedy (SEC-13)."""

from __future__ import annotations

from pathlib import Path

import pytest

from vocabulary.config_file import ConfigError, ConfigTable, read_tables

TEXT = """# what stands above counts as lines too
[[thing]]
id = "one"
count = 3
on = true
words = ["a", "b"]

[[other]]
id = "not a thing"

  [[ thing ]]
  id="two"
  empty = "  "
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "things.toml"
    path.write_text(TEXT)
    return path


def tables(file: Path) -> list[ConfigTable]:
    return read_tables(file, "thing", reserved=("other",))


def test_tables_come_in_order_with_their_lines(file: Path) -> None:
    """SEC-13: the line of a key, or of its table when the key is missing; other tables do not shift the count."""
    one, two = tables(file)
    assert (one.text("id"), two.text("id")) == ("one", "two")
    assert (one.first_line, one.line_of("id"), one.line_of("words"), one.line_of("missing")) == (2, 3, 6, 2)
    assert (two.first_line, two.line_of("id")) == (11, 12)
    assert (one.flag("on", default=False), one.flag("off", default=True)) == (True, True)
    assert (one.texts("words"), one.texts("none", ("x",))) == (("a", "b"), ("x",))
    assert one.text("missing", "instead") == "instead"


@pytest.mark.parametrize(
    ("ask", "line", "says"),
    [
        (lambda one, _two: one.text("name"), 2, "`name` is missing. Add a line such as name"),
        (lambda one, _two: one.text("count"), 4, "`count` must be text"),
        (lambda _one, two: two.text("empty"), 13, "`empty` must be text that is not empty"),
        (lambda one, _two: one.text("id", one_of=("b", "a")), 3, "is 'one', which is not known. Use one of: a, b"),
        (lambda one, _two: one.flag("count", default=True), 4, "must be true or false"),
        (lambda one, _two: one.texts("id"), 3, "must be a list of texts"),
        (
            lambda one, _two: one.refuse_unknown(("id", "count", "on")),
            6,
            "`words` is not a known key. Known keys: count",
        ),
    ],
)
def test_each_mistake_names_place_and_remedy(file: Path, ask: object, line: int, says: str) -> None:
    """SEC-13: file, line, what is wrong, what to do."""
    assert callable(ask)
    with pytest.raises(ConfigError) as caught:
        ask(*tables(file))
    assert str(caught.value).startswith(f"{file}, line {line}: [[thing]] ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[[thing]\n", "is not valid TOML"),
        (b"\xff\xfe", "is not UTF-8 text. Save it as UTF-8"),
        (b"[thing]\nid = 'x'\n", "must be written [[thing]]"),
        (b"[[thang]]\nid = 'x'\n", "'thang' that is not known here. Use only [[thing]] tables"),
        (b"thing = 5\n", "must be written [[thing]]"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes, says: str) -> None:
    """SEC-13: a misspelt table is no empty list."""
    path = tmp_path / "things.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_tables(path, "thing")
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """SEC-13: and a folder is no file."""
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError, match=r"cannot be read .* Check the path"):
            read_tables(path, "thing")


def test_an_empty_file_has_no_tables(tmp_path: Path) -> None:
    """SEC-13: no stores at all is a choice."""
    (tmp_path / "things.toml").write_text("")
    assert read_tables(tmp_path / "things.toml", "thing") == []
