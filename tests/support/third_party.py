"""Servers and a validator that are not ours (tests/third_party), as fixtures: a SMART hospital, FHIR R4, Twilio.

Their npm packages are installed from the lock files with the Node of the development tools. When that fails, the
tests that need them fail and say why; they are never skipped.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import secrets
import subprocess
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import orjson
import pytest

from sandbox.people.person import SyntheticPerson
from sandbox.people.population import population
from tests.support.testdata import ROOT, testdata

FOLDER = ROOT / "tests" / "third_party"
START_SECONDS = 60.0  # a busy machine; alone it takes two
Resource = dict[str, Any]


@dataclass(frozen=True)
class ThirdPartyHospital:
    """A running SMART on FHIR server made of oidc-provider and Medplum's router.

    `fhir` is the FHIR base and the launch's `aud`; `issuer` signs the id_tokens (RS256). Two clients are known:
    `client_id` with private_key_jwt, whose keys it reads at `{portal}/.well-known/jwks.json`, and `basic_client_id`
    with client_secret_basic. `patients` are the people in it.
    """

    fhir: str
    issuer: str
    pid: int
    patients: tuple[SyntheticPerson, ...]
    client_secret: str = field(repr=False)
    client_id: str = "portal"
    basic_client_id: str = "portal-basic"


class StartHospital(Protocol):
    def __call__(
        self, *, portal: str, redirects: Iterable[str], people: Iterable[SyntheticPerson] | None = None
    ) -> ThirdPartyHospital: ...


@dataclass(frozen=True)
class Issue:
    """One thing the validator says. `where` is FHIRPath; `profile` None means FHIR R4 itself."""

    severity: str
    code: str
    text: str
    where: str
    profile: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The verdict on one resource; `ok` when no issue is an error."""

    ok: bool
    issues: tuple[Issue, ...]


class Validator:
    """One validating process, for as many resources as one likes. Used by one thread."""

    def __init__(self, profiles: Iterable[Path] = ()) -> None:
        arguments = [part for path in profiles for part in ("--profiles", str(path))]
        self._process = _start(FOLDER / "validate.mjs", arguments)
        about = _ready(self._process)
        self.unreadable_profiles = frozenset(about["unreadable"])
        self.loosened_profiles: dict[str, list[str]] = about["loosened"]

    def validate(self, resources: Iterable[Resource], *, profiles: Iterable[str] = ()) -> list[Outcome]:
        """One outcome per resource, in order: against R4, and against each of `profiles` (canonical URLs)."""
        wanted = list(profiles)
        outcomes = []
        given, answers = _pipes(self._process)
        for resource in resources:
            given.write(orjson.dumps({"resource": resource, "profiles": wanted}) + b"\n")
            given.flush()
            outcomes.append(_outcome(answers.readline()))
        return outcomes

    def close(self) -> None:
        _stop(self._process)


@pytest.fixture(scope="session")
def third_party_packages() -> Path:
    """The folder with its npm packages installed."""
    return installed(FOLDER)


@pytest.fixture(scope="session")
def validator(third_party_packages: Path) -> Iterator[Validator]:
    """@medplum/core's validateResource for FHIR R4, one process for the session."""
    running = Validator()
    yield running
    running.close()


@pytest.fixture(scope="session")
def profiled(third_party_packages: Path) -> Iterator[Validator]:
    """The validator with mCODE 4.0.0 and US Core 6.1.0, as published packages."""
    names = ("hl7.fhir.us.mcode-4.0.0.tgz", "hl7.fhir.us.core-6.1.0.tgz")
    running = Validator(profiles=[testdata(f"profiles/{name}") for name in names])
    yield running
    running.close()


@pytest.fixture(scope="session")
def third_party_hospital(
    third_party_packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartHospital]:
    """Start a hospital that is not ours, for a portal at a known address; see StartHospital. Stopped at the end.

    `redirects` are the portal's callbacks, exactly; `people` are three of the sandbox's when none are given.
    """
    with contextlib.ExitStack() as running:

        def start(
            *, portal: str, redirects: Iterable[str], people: Iterable[SyntheticPerson] | None = None
        ) -> ThirdPartyHospital:
            chosen = tuple(people) if people is not None else some_people()
            folder = tmp_path_factory.mktemp("third-party-hospital")
            return running.enter_context(hospital_running(folder, portal, redirects, chosen))

        yield start


@pytest.fixture(scope="session")
def twilio_prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base address of a server that checks requests against Twilio's own OpenAPI document (Prism, `mock`)."""
    folder = installed(FOLDER / "twilio")
    specification = tmp_path_factory.mktemp("twilio") / "twilio_api_v2010.json"
    document = orjson.loads(gzip.decompress(testdata("twilio/twilio_api_v2010.json.gz").read_bytes()))
    # Only what texts need: all of it takes Prism seconds to read.
    document["paths"] = {path: what for path, what in document["paths"].items() if "/Messages" in path}
    specification.write_bytes(orjson.dumps(document))
    process = _start(folder / "prism.mjs", [str(specification)])
    try:
        yield str(_ready(process)["ready"])
    finally:
        _stop(process)


@contextlib.contextmanager
def hospital_running(
    folder: Path, portal: str, redirects: Iterable[str], people: tuple[SyntheticPerson, ...]
) -> Iterator[ThirdPartyHospital]:
    """As the fixture, for those who start a hospital themselves; the packages must be installed."""
    charts = folder / "charts"
    charts.mkdir(parents=True)
    for person in people:
        entries = [{"resource": resource} for resource in person.resources()]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        (charts / f"{person.id}.json").write_bytes(orjson.dumps(bundle))
    secret = secrets.token_urlsafe(32)
    (folder / "secret").write_text(secret)
    arguments = ["--port", "0", "--portal", portal, "--patients", str(charts)]
    arguments += ["--client-secret-file", str(folder / "secret")]
    arguments += [part for redirect in redirects for part in ("--redirect", redirect)]
    process = _start(FOLDER / "smart_fhir_server.mjs", arguments)
    try:
        about = _ready(process)
        yield ThirdPartyHospital(about["fhir"], about["issuer"], process.pid, people, secret)
    finally:
        _stop(process)


def some_people() -> tuple[SyntheticPerson, ...]:
    """Three people of the sandbox, two hospitals mixed."""
    return tuple(person for person in population() if person.id in ("rv-p01", "rv-p05", "lk-p01"))


def installed(folder: Path) -> Path:
    """`folder` with its npm packages; the test fails when they cannot be had."""
    try:
        _npm().install(folder)
    except (SystemExit, OSError, subprocess.CalledProcessError) as error:
        pytest.fail(f"npm packages of {folder.relative_to(ROOT)} cannot be installed ({error}); is npm reachable?")
    return folder


def _npm() -> Any:
    """scripts/npm_ci.py; the folder of scripts is no package."""
    spec = importlib.util.spec_from_file_location("npm_ci", ROOT / "scripts" / "npm_ci.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _start(script: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    command = [str(_npm().node()), str(script), *arguments]
    return subprocess.Popen(command, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _ready(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The first line that a process prints, which says that it is ready; the test fails without one."""
    _given, answers = _pipes(process)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(answers.readline()), daemon=True)
    reader.start()
    reader.join(START_SECONDS)
    if not found or not found[0]:
        _stop(process)
        pytest.fail(f"{process.args!r} did not start; what it said stands on standard error")
    about: dict[str, Any] = orjson.loads(found[0])
    return about


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
    for pipe in _pipes(process):
        with contextlib.suppress(OSError):
            pipe.close()


def _outcome(line: bytes) -> Outcome:
    if not line:
        pytest.fail("the validator ended; what it said stands on standard error")
    said = orjson.loads(line)
    return Outcome(said["ok"], tuple(Issue(**issue) for issue in said["issues"]))
