"""`make` on machines that lack something: what it uses, and what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READY = ".venv/.ready-to-develop"  # what every target with tools needs first
PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python")
OLD_PYTHON = '#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n'
# New enough, yet without venv, ensurepip and pip, as on a bare Debian.
BARE_PYTHON = """#!/bin/sh
case "$*" in
*version_info*) exit 0 ;;
*sys.executable*) echo "$0" ;;
*) exit 1 ;;
esac
"""
# Its first environment gets a uv that notes what it is asked to do.
WHOLE_PYTHON = """#!/bin/sh
case "$*" in
*version_info*) exit 0 ;;
*sys.executable*) echo "$0" ;;
"-m venv "*) mkdir -p .venv-uv/bin && cp "$STUBS/uv-to-install" .venv-uv/bin/uv && cp "$0" .venv-uv/bin/python ;;
"-m pip install "*) exit 0 ;;
*) exit 1 ;;
esac
"""
UV = """#!/bin/sh
[ "$1" = --version ] && echo "uv VERSION" && exit
echo "VERSION $*" >> uv-was-asked
mkdir -p .venv/bin && printf '#!/bin/sh\\nexit 0\\n' > .venv/bin/python && chmod +x .venv/bin/python
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What `make` needs of a fresh clone, and an empty folder for programs that stand before the system's."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("node_modules"))
    for name in ("pyproject.toml", "uv.lock"):
        (tmp_path / name).write_text("")
    (tmp_path / "stubs").mkdir()
    return tmp_path


def put(clone: Path, program: str, text: str) -> None:
    file = clone / "stubs" / program
    file.write_text(text)
    file.chmod(0o755)


def make(clone: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make with nothing in its environment but PATH and what is given; HOME is unset."""
    stubs = str(clone / "stubs")
    tools = {"PATH": f"{stubs}:/usr/bin:/bin", "STUBS": stubs, **environment}
    return subprocess.run(["make", *arguments], cwd=clone, env=tools, capture_output=True, text=True, check=False)


def asked(clone: Path) -> list[str]:
    file = clone / "uv-was-asked"
    return file.read_text().splitlines() if file.exists() else []


def test_old_python_is_named(clone: Path) -> None:
    """Python below 3.11: said with the remedy, and nothing is made."""
    for name in PYTHONS:
        put(clone, name, OLD_PYTHON)
    done = make(clone, READY)
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "Python 3.9.2" in done.stderr
    assert not (clone / ".venv").exists()


def test_no_way_to_install_uv_gives_the_line_to_type(clone: Path) -> None:
    """Neither venv nor pip: one line to type, and a failure."""
    for name in PYTHONS:
        put(clone, name, BARE_PYTHON)
    put(clone, "uv", UV.replace("VERSION", "0.4.1"))
    done = make(clone, READY)
    assert done.returncode != 0
    assert "apt install python3-venv" in done.stderr
    assert asked(clone) == [], "a uv that cannot read the lock is not used"


def test_uv_on_path_is_used(clone: Path) -> None:
    """A uv that is new enough is taken as it is, and only the lock file decides what is installed."""
    put(clone, "python3", BARE_PYTHON)
    put(clone, "uv", UV.replace("VERSION", "0.9.9"))
    done = make(clone, READY)
    assert done.returncode == 0, done.stderr
    assert asked(clone) == ["0.9.9 sync --frozen --quiet"]


def test_uv_is_installed_in_the_project(clone: Path) -> None:
    """Without uv: our own, in .venv-uv; a home that does not exist is not needed."""
    put(clone, "python3", WHOLE_PYTHON)
    put(clone, "uv", "#!/bin/sh\nexit 1\n")
    put(clone, "uv-to-install", UV.replace("VERSION", "0.13.9"))
    done = make(clone, READY, HOME="/nonexistent")
    assert done.returncode == 0, done.stderr
    assert asked(clone) == ["0.13.9 sync --frozen --quiet"]
    assert "Installing uv 0.13.9" in done.stderr


def test_warm_make_installs_nothing_and_says_nothing(clone: Path) -> None:
    """Once installed, only a change of the lock or a broken environment installs again."""
    put(clone, "python3", BARE_PYTHON)
    put(clone, "uv", UV.replace("VERSION", "0.13.9"))
    make(clone, READY)
    again = make(clone, READY)
    assert (again.stderr, len(asked(clone))) == ("", 1)
    lock = clone / "uv.lock"
    later = (clone / ".venv/.ready-to-develop").stat().st_mtime + 5
    os.utime(lock, (later, later))
    make(clone, READY)
    assert len(asked(clone)) == 2
    os.utime(lock, (1, 1))
    (clone / ".venv/bin/python").unlink()
    make(clone, READY)
    assert len(asked(clone)) == 3


def test_help_needs_nothing(clone: Path) -> None:
    """`make` alone lists the commands, before anything is installed."""
    done = make(clone)
    assert done.returncode == 0
    assert "make TARGET" in done.stdout
    assert "run " in done.stdout
    assert not (clone / ".venv").exists()
