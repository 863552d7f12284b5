"""The commands that visitors are promised, read as text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
CI = (ROOT / ".ci" / "run").read_text()
BOOTSTRAP = (ROOT / "scripts" / "bootstrap.sh").read_text()
SCRIPTS = [path for path in (ROOT / "scripts").iterdir() if path.suffix in {".sh", ".py", ".cfg"}]
TARGETS = dict(re.findall(r"^([a-z-]+):[^#\n]*(?:## (.*))?$", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize("target", ["help", "run", "test", "check", "bench", "messages", "style", "lock"])
def test_promised_targets_explain_themselves(target: str) -> None:
    """Each is listed by `make help` with its purpose."""
    assert TARGETS[target]


def test_every_target_is_phony() -> None:
    """A file called `test` in the folder must not switch the tests off."""
    match = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert match
    assert set(match.group(1).split()) == set(TARGETS)


def test_help_is_what_bare_make_does() -> None:
    """`make` alone changes nothing."""
    assert ".DEFAULT_GOAL := help" in MAKEFILE


def test_named_files_exist() -> None:
    """Every script that the Makefile, CI and the scripts themselves call is there."""
    texts = [MAKEFILE, CI, *(path.read_text() for path in SCRIPTS)]
    named = {name for text in texts for name in re.findall(r"\bscripts/[a-z_]+\.(?:sh|py|cfg)\b", text)}
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", [ROOT / "Makefile", ROOT / ".ci" / "run", *SCRIPTS], ids=lambda path: path.name)
def test_no_address_is_built_in(path: Path) -> None:
    """Packages come from whatever the machine is set up to use; only the portal's own address is named."""
    addresses = set(re.findall(r"https?://[^\s\"')]+", path.read_text()))
    assert {address for address in addresses if "127.0.0.1" not in address} == set()


def test_ci_stops_at_the_first_failure() -> None:
    """A failed step fails the run; nothing is skipped for lack of a part, for CI=true makes that an error."""
    assert "set -euo pipefail" in CI
    assert "export CI=true" in CI
    steps = [line for line in CI.splitlines() if line.startswith("make ")]
    assert steps == ["make check", "make test-system-database", "make test"]


def test_test_results_are_never_swallowed() -> None:
    """No `|| true` and no leading `-` on a line that runs a tool."""
    recipes = [line for line in MAKEFILE.splitlines() if line.startswith("\t")]
    assert not [line for line in recipes if "|| true" in line or line.startswith("\t-")]


def test_one_version_of_uv() -> None:
    """Wherever uv is pinned, it is the same release."""
    pinned = {re.search(r"UV_VERSION=(\S+)", BOOTSTRAP).group(1)}  # type: ignore[union-attr]  # no match would fail here
    dockerfile = ROOT / "Dockerfile"
    if dockerfile.exists():
        pinned |= set(re.findall(r"uv==([\d.]+)", dockerfile.read_text()))
    assert len(pinned) == 1
