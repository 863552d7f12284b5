"""`portal stores certify`: hostile cases against a store's test endpoint, and a signed report."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import click
import orjson

from consent.certify.between import Between
from consent.certify.case import Case
from consent.certify.cases import CASES
from consent.certify.forge import with_transport
from consent.certify.line import HttpLine
from consent.certify.native import certify_native
from consent.certify.native_cases import NATIVE
from consent.certify.outcome import Outcome
from consent.certify.report import Certification, as_json, as_text, open_report, sign_report, way_of
from consent.certify.run import NotInTestMode
from consent.certify.run import certify as run_cases
from consent.feed.progress import store_called
from consent.seal import head_keys
from consent.store_config import Kind, Store, Transport
from consent.store_kind import read_secrets
from consent.stores.adapter import StoreAdapter
from consent.stores.adapters import adapter_for
from consent.stores.kafka_stream import KafkaStore
from consent.stores.nats_stream import NatsStore
from consent.stores.warehouse import WarehouseStore
from database.keyring import KeyRing
from outbound.breaker import Breaker
from outbound.client import OutboundClient
from outbound.destinations import AllowList, Destination, destination
from patient_portal.commands.certify_native_store import native_store
from patient_portal.settings import Settings, read_settings
from patient_portal.wiring import now
from vocabulary.config_file import ConfigTable
from vocabulary.errors import NotFound, PortalError, Refused

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("store_id", metavar="ID")
@click.option("--endpoint", help="The store's test endpoint, when it is not the one of stores.toml.")
@click.option(
    "--secret", "secret_names", multiple=True, help="env:NAME or file:PATH: the test endpoint's own secret, or DSN."
)
@click.option("--both", is_flag=True, help="Run the cases in both wire forms, not only the store's own.")
@click.option("--case", "wanted", multiple=True, help="Only this case; may be repeated.")
@click.option("--out", type=FOLDER, default=Path(), help="Folder for the report.  [default: here]")
@click.option("--check", type=FILE, help="Check the signature of a report (.jws) instead, and print it.")
def certify(
    store_id: str,
    endpoint: str | None,
    secret_names: tuple[str, ...],
    both: bool,
    wanted: tuple[str, ...],
    out: Path,
    check: Path | None,
) -> None:
    """Send hostile messages about invented people to the store's test endpoint, and report.

    A webhook must be in test mode: its test door has to say so first, or nothing is sent (docs/stores.md). A
    warehouse, a FHIR server and a stream have no such door: name a test endpoint that is not the store's own
    (docs/store-kinds.md).
    Three files come out: .json, .txt, and .jws, signed with the key that signs the ledger's heads.

    Exits with 0 when every case passed, 1 when one failed, 2 when nothing could be sent.
    """
    settings = read_settings(os.environ)
    ring = KeyRing.load(settings.keys)
    if check is not None:
        _check(check, ring)
        return
    store = _store(settings, store_id, endpoint, secret_names)
    transports = [store.transport]
    if both and store.kind is Kind.WEBHOOK:
        transports = [Transport.BACKPORT, Transport.NDJSON]
    reports = [_certified(with_transport(store, each), wanted, ring) for each in transports]
    out.mkdir(parents=True, exist_ok=True)
    for certified in reports:
        _write(certified, ring, out)
    if any(certified.failed for certified in reports):
        raise SystemExit(1)


def _store(settings: Settings, store_id: str, endpoint: str | None, secret_names: tuple[str, ...]) -> Store:
    try:
        store = store_called(settings.stores, store_id)
    except NotFound:
        raise click.UsageError(f"{store_id} is not the id of a store that is told of decisions") from None
    if store.kind is not Kind.WEBHOOK:
        return native_store(settings, store, endpoint, secret_names)
    if secret_names:
        table = ConfigTable("--secret", "certify", 1, {"secrets": list(secret_names)}, {})
        store = replace(store, secrets=read_secrets(table, store.kind, Path(), os.environ))
    return store if endpoint is None else replace(store, endpoint=endpoint)


def _certified(store: Store, wanted: tuple[str, ...], ring: KeyRing) -> Certification:
    known = NATIVE.get(store.kind, CASES)
    unknown = sorted(set(wanted) - {case.id for case in known})
    if unknown:
        raise click.UsageError(f"no such case: {', '.join(unknown)}")
    cases = [case for case in known if not wanted or case.id in wanted]
    run, began = f"{now():%Y%m%d}-{secrets.token_hex(3)}", now()
    outcomes: list[Outcome] = []
    try:
        http = OutboundClient(AllowList(_destinations(store)), breaker=Breaker(threshold=1_000_000))
    except PortalError as error:
        raise _NotSent(f"This address may not be called: {error.reason}") from None
    try:
        for outcome in _outcomes(store, http, ring, run, cases):
            outcomes.append(outcome)
            click.echo(f"{'pass' if outcome.passed else 'FAIL'}  {outcome.case.id}", err=True)
    except NotInTestMode as error:
        raise _NotSent(f"Nothing was sent: {error.reason}. Certify a test endpoint, with its test door open.") from None
    except Refused as error:
        raise _NotSent(f"Nothing was sent: {error.reason}.") from None
    finally:
        http.close()
    return Certification(store, run, began, now(), tuple(outcomes))


def _outcomes(store: Store, http: OutboundClient, ring: KeyRing, run: str, cases: Sequence[Case]) -> Iterator[Outcome]:
    """Each case as it ends, by the way that the store's kind has."""
    if store.kind is Kind.WEBHOOK:
        yield from run_cases(store, HttpLine(http, store.endpoint), now, run, cases)
        return
    adapter = adapter_for(store, http, now, ring)

    def overtaken(meanwhile: Callable[[], None]) -> StoreAdapter:
        return adapter_for(store, Between(http, meanwhile), now, ring)

    try:
        yield from certify_native(adapter, now, run, cases, overtaken=overtaken)
    finally:
        if isinstance(adapter, WarehouseStore | NatsStore | KafkaStore):
            adapter.close()


def _destinations(store: Store) -> list[Destination]:
    """Where HTTP may go; a warehouse and a stream are reached by their own libraries, which check for themselves."""
    urls = [url for url in (store.endpoint, store.token_url) if url and urlsplit(url).scheme in ("http", "https")]
    return [destination(url, private=store.network == "private") for url in urls]


def _write(certified: Certification, ring: KeyRing, out: Path) -> None:
    report, words = as_json(certified), as_text(certified)
    base = out / f"certification-{certified.store.id}-{way_of(certified.store)}-{certified.run}"
    base.with_suffix(".json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    base.with_suffix(".txt").write_text(words, encoding="utf-8")
    base.with_suffix(".jws").write_text(sign_report(report, ring) + "\n", encoding="ascii")
    click.echo(words)
    click.echo(f"Written: {base}.json, .txt and .jws")


def _check(file: Path, ring: KeyRing) -> None:
    try:
        report = open_report(file.read_text(encoding="utf-8"), head_keys(ring))
    except (PortalError, UnicodeDecodeError):
        raise click.ClickException("This is no report that this service signed.") from None
    click.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


class _NotSent(click.ClickException):
    exit_code = 2
