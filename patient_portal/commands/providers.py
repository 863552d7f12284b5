"""`portal providers`: add a hospital, test what hospitals publish, load their brands, rotate our keys."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import click
import orjson

from database.context import as_nobody
from database.unit_of_work import Database
from fhir_bridge.brand_search import keep_brands
from fhir_bridge.brands import Brand, read_brands
from fhir_bridge.providers import CLIENT_AUTH, Provider, load_providers
from fhir_bridge.smart.client_keys import ALGORITHMS, add_key, drop_older, newest_first
from fhir_bridge.smart.conformance import Finding, Published, Verdict, examine
from fhir_bridge.smart.discovery import fetch_json
from fhir_bridge.smart.errors import ProviderUnavailable
from fhir_bridge.smart.publications import STATEMENT_LIMITS, fetch_published
from fhir_bridge.smart.registration import Proposal, block_of, propose, to_register
from outbound.client import OutboundClient
from outbound.destinations import AllowList, Destination, destination
from outbound.errors import OutboundRefused
from patient_portal.settings import is_production, read_text
from patient_portal.wiring import now
from vocabulary.config_file import ConfigError

MARKS = {Verdict.OK: "ok", Verdict.LACKING: "lacking", Verdict.MISSING: "MISSING", Verdict.UNKNOWN: "unknown"}


@click.group()
def providers() -> None:
    """Look after the hospitals people sign in at (providers.toml)."""


@providers.command()
@click.argument("fhir_base_url")
@click.option("--id", "provider_id", help="Small letters, digits, hyphens; stands in our redirect address.")
@click.option("--name", help="What people call the hospital.")
@click.option("--state", default="", help="Two letters, such as MA.")
@click.option("--client-id", default="portal", show_default=True, help="As the hospital registered us.")
@click.option("--client-auth", type=click.Choice(CLIENT_AUTH), help="Default: the best that the hospital offers.")
@click.option("--origin", "origins", multiple=True, help="Another host of the same hospital, such as its sign-in.")
@click.option("--care-team", is_flag=True, help="Nurses may open us from the chart.")
@click.option("--write", is_flag=True, help="Append the block to PORTAL_PROVIDERS once the whole file is valid.")
def add(fhir_base_url: str, write: bool, **chosen: str) -> None:
    """Discover the hospital at FHIR_BASE_URL; say what it lacks and what to register there; print its block.

    Reads .well-known/smart-configuration, the issuer's OpenID configuration and keys, and the CapabilityStatement.
    Nothing is written without --write, and nothing at all while something needed is missing. Exits with 1 then.
    """
    base = fhir_base_url.rstrip("/")
    private = _is_here(base)
    wanted = Proposal(base, private=private, **chosen)  # type: ignore[arg-type]  # click gives exactly these
    asked = _configured(wanted)
    published = _fetch(asked)
    provider = propose(wanted, published)
    findings = examine(provider, published)
    _print_findings(findings, only_open=True)
    portal = (read_text(os.environ, "PORTAL_BASE_URL") or "http://127.0.0.1:8000").rstrip("/")
    click.echo("\nRegister at the hospital:")
    for name, value in to_register(provider, portal):
        click.echo(f"  {name:16} {value}")
    block = block_of(provider)
    click.echo(f"\nFor providers.toml:\n\n{block}")
    if any(finding.verdict is Verdict.MISSING for finding in findings):
        raise click.ClickException("people could not sign in there yet: see what is MISSING above")
    if write:
        _append(block, provider)


@providers.command()
@click.argument("provider_id", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def test(provider_id: str | None, as_json: bool) -> None:
    """Hold what each hospital publishes (or the one named) against what SMART asks and what we need.

    No token is used and nobody signs in. Exits with 1 when something is missing without which people cannot.
    """
    known = _load()
    chosen = [one for one in known if provider_id in (None, one.id)]
    if not chosen:
        raise click.ClickException(f"no provider {provider_id!r}; there are: {', '.join(one.id for one in known)}")
    report = {one.id: examine(one, _fetch(one)) for one in chosen}
    if as_json:
        shown = {name: [_as_json(finding) for finding in findings] for name, findings in report.items()}
        click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
    else:
        for one in chosen:
            click.echo(f"{one.id}: {one.name} at {one.fhir_base_url}")
            _print_findings(report[one.id])
            click.echo()
    if any(finding.verdict is Verdict.MISSING for findings in report.values() for finding in findings):
        raise SystemExit(1)


@providers.command()
@click.argument("source")
@click.option("--remove", is_flag=True, help="Forget what was loaded from SOURCE.")
def brands(source: str, remove: bool) -> None:
    """Load a SMART User-access Brands bundle for the picker: SOURCE is a file, an address, or a provider's id.

    What was loaded from the same SOURCE before is replaced. Pages never ask the network for brands.
    """
    if remove:
        _keep(source, [])
        click.echo(f"What came from {source} is gone.")
        return
    found = read_brands(_bundle(source))
    if not found:
        raise click.ClickException(f"{source} holds no brand with an address to sign in at; nothing was changed")
    ours = {one.fhir_base_url.rstrip("/") for one in _load()}
    connected = sum(1 for brand in found if brand.fhir_base_url in ours)
    click.echo(f"{_keep(source, found):,} places from {source}; {connected:,} of them sign in at a hospital of ours.")


@providers.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--alg", type=click.Choice(ALGORITHMS), default="ES384", show_default=True)
@click.option("--promote", is_flag=True, help="The newest key signs from now on.")
@click.option("--retire", is_flag=True, help="Only the key that signs stays.")
def keys(file: Path, alg: str, promote: bool, retire: bool) -> None:
    """Make or rotate our signing keys at a hospital: FILE is the JWK set that `private_key` names.

    Three steps, each followed by a restart: without an option a new key is made and published beside the old one, which
    still signs; --promote once hospitals have read it (a day); --retire once nothing signed by the old one can arrive
    (an hour). FILE is made when there is none.
    """
    kept = file.read_text(encoding="utf-8") if file.exists() else None
    if kept is None and (promote or retire):
        raise click.ClickException(f"{file} does not exist")
    try:
        text = newest_first(kept or "") if promote else drop_older(kept or "") if retire else add_key(kept, alg)
    except ValueError as error:
        raise click.ClickException(f"{file} {error}") from None
    _write_secret(file, text)
    for place, key in enumerate(orjson.loads(text)["keys"]):
        click.echo(f"{key['kid']}  {key['alg']}  {'signs' if place == 0 else 'is published'}")


def _configured(wanted: Proposal) -> Provider:
    try:
        return propose(wanted, None)
    except (OutboundRefused, ValueError) as error:
        raise click.ClickException(
            f"{wanted.fhir_base_url} cannot be used ({error}); write https://host/path"
        ) from None


def _fetch(provider: Provider) -> Published:
    http = OutboundClient(AllowList(provider.destinations()))
    try:
        return fetch_published(provider, http, now())
    finally:
        http.close()


def _load() -> tuple[Provider, ...]:
    path = read_text(os.environ, "PORTAL_PROVIDERS")
    if not path:
        raise ConfigError("PORTAL_PROVIDERS", "is not set", "Set it to the path of providers.toml")
    return load_providers(Path(path), os.environ, production=_production())


def _production() -> bool:
    return is_production(read_text(os.environ, "PORTAL_BASE_URL") or "")


def _is_here(base: str) -> bool:
    """A plain address on this machine is a sandbox; production refuses it when the file is read."""
    parts = urlsplit(base)
    return parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1"} and not _production()


def _append(block: str, provider: Provider) -> None:
    """Write the block only when the whole file with it would load."""
    place = read_text(os.environ, "PORTAL_PROVIDERS")
    if not place:
        raise ConfigError("PORTAL_PROVIDERS", "is not set", "Set it to the path of providers.toml")
    path = Path(place)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    trial = path.with_name(f".{path.name}.new")
    trial.write_text(f"{before.rstrip()}\n\n{block}".lstrip(), encoding="utf-8")
    try:
        load_providers(trial, os.environ, production=_production())
    except ConfigError as error:
        trial.unlink()
        raise click.ClickException(f"not written: {error.problem}. {error.remedy}") from None
    os.replace(trial, path)
    click.echo(f"Written to {path}. Restart the processes, then run `portal providers test {provider.id}`.")


def _bundle(source: str) -> object:
    if Path(source).is_file():
        try:
            return orjson.loads(Path(source).read_bytes())
        except orjson.JSONDecodeError:
            raise click.ClickException(f"{source} is not JSON") from None
    address, place = source, None
    for one in _load():
        if one.id == source:
            told = _fetch(one).configuration
            address = str(told.get("user_access_brand_bundle", "")) if isinstance(told, Mapping) else ""
            place = one
    if not address.startswith("http"):
        raise click.ClickException(f"{source} is no file, no address, and no provider that publishes brands")
    try:
        allowed: tuple[Destination, ...] = (destination(address, private=_is_here(address)),)
        http = OutboundClient(AllowList({*allowed, *(place.destinations() if place else ())}))
        return fetch_json(http, address, now(), limits=STATEMENT_LIMITS)
    except (OutboundRefused, ProviderUnavailable) as error:
        raise click.ClickException(f"{address} could not be read ({error.reason})") from None


def _keep(source: str, found: list[Brand]) -> int:
    url = read_text(os.environ, "DATABASE_URL_WORKER") or read_text(os.environ, "DATABASE_URL")
    if not url:
        raise ConfigError("DATABASE_URL_WORKER", "is not set", "Set it to the worker's login")
    database = Database(url, pool_size=1, application_name="portal-providers")
    try:
        with database.begin(as_nobody()) as session:
            return keep_brands(session, source, found, now())
    finally:
        database.close()


def _write_secret(file: Path, text: str) -> None:
    part = file.with_name(f".{file.name}.new")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
    os.replace(part, file)


def _print_findings(findings: tuple[Finding, ...], *, only_open: bool = False) -> None:
    shown = [one for one in findings if not (only_open and one.verdict is Verdict.OK)]
    for one in shown:
        click.echo(f"  {one.id:10} {MARKS[one.verdict]:8} {one.found}")
        if one.remedy:
            click.echo(f"  {'':19} {one.remedy}")
    if only_open and not shown:
        click.echo("  The hospital publishes everything that is needed.")


def _as_json(finding: Finding) -> dict[str, str]:
    return {"id": finding.id, "verdict": finding.verdict.value, "found": finding.found, "remedy": finding.remedy}
