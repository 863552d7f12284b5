"""The container files name only commands that exist, and what they install works outside a checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from patient_portal.cli import portal

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))


def _commands() -> list[list[str]]:
    """Every command of compose.yaml that our own image runs, and the Dockerfile's CMD."""
    ours = (one for one in COMPOSE["services"].values() if not one.get("image", "").startswith("postgres:"))
    found = [service["command"] for service in ours if "command" in service]
    listed = re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    return [*found, *(yaml.safe_load(line) for line in listed)]


@pytest.mark.parametrize("command", _commands(), ids=" ".join)
def test_every_command_in_the_container_files_exists(command: list[str]) -> None:
    """Stage C: a command or option that was renamed is found before an image is built."""
    assert command[0] == "portal"
    found: click.Command = portal
    words = list(command[1:])
    while isinstance(found, click.Group):
        found = found.commands[words.pop(0)]
    options = {name for parameter in found.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_every_setting_in_compose_is_documented() -> None:
    """Stage C: an operator finds each name of compose.yaml in docs/settings.md."""
    documented = (ROOT / "docs/settings.md").read_text("utf-8")
    for name in COMPOSE["x-portal"]["environment"]:
        assert name.removesuffix("_FILE") in documented


def test_the_image_runs_as_nobody_special() -> None:
    """Stage C: not root, no compiler, read-only."""
    final = (ROOT / "Dockerfile").read_text("utf-8").split("FROM ")[-1]
    assert re.search(r"^USER portal$", final, re.MULTILINE)
    assert "apt-get" not in final
    assert COMPOSE["x-portal"]["read_only"] is True
    assert COMPOSE["x-portal"]["cap_drop"] == ["ALL"]


def test_the_install_steps_work_in_a_clean_environment(tmp_path: Path) -> None:
    """Stage C: installed as the Dockerfile installs, away from the checkout, the command finds all its files."""
    uv = _uv()
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    source = tmp_path / "app"
    for name in filter(None, tracked):
        if name.split("/")[0] in {"tests", "docs", "benchmarks"} or not (ROOT / name).is_file():
            continue
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    _run([uv, "sync", "--frozen", "--no-dev", "--no-install-project", "--quiet"], source)
    _run([".venv/bin/pybabel", "--quiet", "compile", "--directory", "patient_portal/translations"], source)
    _run([uv, "sync", "--frozen", "--no-dev", "--no-editable", "--quiet"], source)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    check = (
        "import patient_portal; from patient_portal.words import catalogs; from patient_portal.app import ROOT;"
        "from consent.authorization import load_texts; from database.migrate import newest_revision;"
        "assert 'site-packages' in patient_portal.__file__, patient_portal.__file__;"
        "assert (ROOT / 'templates/base.html').exists(), ROOT;"
        "assert (catalogs.FOLDER / 'es/LC_MESSAGES/messages.mo').exists();"
        "assert load_texts().all and newest_revision();"
        "from patient_portal.operating.runbook import load; assert load()"
    )
    _run([str(source / ".venv/bin/python"), "-c", check], elsewhere)
    shown = _run([str(source / ".venv/bin/portal"), "--help"], elsewhere)
    assert "portal demo" in shown


def _run(command: list[str], folder: Path) -> str:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder.parent), "UV_PYTHON": sys.executable}
    environment |= _kept_environment()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _kept_environment() -> dict[str, str]:
    """How this machine reaches its packages is its own affair; nothing else of the environment is passed on."""
    return {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_", "SSL_", "REQUESTS_"))}


def _uv() -> str:
    found = shutil.which("uv") or str(ROOT / ".venv-uv/bin/uv")
    assert Path(found).exists(), "uv is missing: `make` installs it into .venv-uv"
    return found
