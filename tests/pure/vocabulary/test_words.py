"""The nouns every room shares: who acts, what went wrong, what is said to a person."""

from __future__ import annotations

import ast
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from uuid import uuid4

import pytest

import vocabulary
from vocabulary.actor import ANONYMOUS, Actor, ActorKind
from vocabulary.errors import Conflict, Invalid, NotFound, PortalError, Refused, TooMany, Unavailable
from vocabulary.phrase import Phrase, phrase

ROOM = Path(str(vocabulary.__path__[0]))


@pytest.mark.parametrize("file", sorted(ROOM.glob("*.py")), ids=lambda file: file.name)
def test_only_the_standard_library_is_needed(file: Path) -> None:
    """House: the vocabulary sees nothing but itself and the standard library."""
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.split(".")[0] in {*sys.stdlib_module_names, "vocabulary"}, f"{file.name}:{name}"


def test_a_phrase_fills_in_its_values() -> None:
    """LANG-02: the message id stays as it is written, for translators; values come beside it."""
    said = phrase("%(name)s took %(count)s", name="Rosa", count=3)
    assert said == Phrase("%(name)s took %(count)s", (("count", "3"), ("name", "Rosa")))
    assert str(said) == "Rosa took 3"
    assert str(phrase("100% of it")) == "100% of it"
    assert hash(said) == hash(phrase("%(name)s took %(count)s", count=3, name="Rosa"))


def test_only_nobody_is_not_signed_in() -> None:
    """SEC-08: an actor is one value, made once and never changed."""
    assert not ANONYMOUS.signed_in
    assert all(Actor(kind, uuid4()).signed_in for kind in ActorKind if kind is not ActorKind.ANONYMOUS)
    with pytest.raises(FrozenInstanceError):
        ANONYMOUS.kind = ActorKind.PATIENT  # type: ignore[misc]  # that it cannot be set is the test
    assert ANONYMOUS.persons == ()


def test_errors_carry_a_code_and_no_more() -> None:
    """SEC-10: a stable reason, and what a page needs to say when to come back."""
    kinds = [
        NotFound("x"),
        Invalid("x", {"a": "missing"}),
        Refused("x"),
        Conflict("x"),
        TooMany("x", 5),
        Unavailable("x"),
    ]
    assert all(isinstance(each, PortalError) and each.reason == str(each) == "x" for each in kinds)
    assert Invalid("x").fields == {}
    assert (TooMany("x", 5).retry_after_seconds, Unavailable("x").retry_after_seconds) == (5, None)
