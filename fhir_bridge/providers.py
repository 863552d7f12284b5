"""The hospitals a person may sign in at, read from providers.toml once at start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fhir_bridge.smart.client_keys import ClientKeys, read_client_keys
from fhir_bridge.smart.scopes import CLINICAL_TYPES, scope_problem, scopes_for
from outbound.destinations import Destination, Origin, destination, read_url
from outbound.errors import OutboundRefused
from vocabulary.config_file import ConfigError, ConfigTable, read_tables

CLIENT_AUTH = ("public", "client_secret_basic", "private_key_jwt")
ID_TOKEN_ALGS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_KEYS = (
    "id", "name", "state", "fhir_base_url", "issuer", "origins", "client_id", "client_auth", "client_secret",
    "private_key", "scopes", "care_team", "cancerlinq_participant", "network", "id_token_algs", "practice",
    "identifier_system", "send_nonce", "frame_origins",
)  # fmt: skip
LOOPBACK = frozenset({"localhost", "127.0.0.1"})
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
EXAMPLE_SCOPES = "launch/patient openid fhirUser offline_access patient/Patient.rs patient/Condition.rs"


@dataclass(frozen=True)
class Provider:
    """One hospital system.

    `fhir_base_url` is exact: it is the `aud` of every launch and the `iss` an EHR launch must bring. `issuer` is the
    id_token's issuer when it is not published at the same host. `origins` lists further hosts of the same
    authorization server. `frame_origins` may show us in a frame of their
    chart. `practice` and `identifier_system` say whose medical record numbers it gives.
    """

    id: str
    name: str
    state: str
    fhir_base_url: str
    client_id: str
    client_auth: str
    scopes: str
    issuer: str | None = None
    origins: tuple[str, ...] = ()
    care_team: bool = False
    cancerlinq_participant: bool = False
    private: bool = False
    id_token_algs: tuple[str, ...] = ("RS256",)
    practice: str | None = None
    identifier_system: str | None = None
    send_nonce: bool = True
    frame_origins: tuple[str, ...] = ()
    client_secret: str | None = field(default=None, repr=False)
    client_keys: ClientKeys | None = field(default=None, repr=False)

    def destinations(self) -> tuple[Destination, ...]:
        """Every origin this provider may be called at: its FHIR server, its issuer and what `origins` adds."""
        urls = (self.fhir_base_url, *((self.issuer,) if self.issuer else ()), *self.origins)
        return tuple(dict.fromkeys(destination(url, private=self.private) for url in urls))

    def owns(self, url: str) -> bool:
        """Is `url` at one of this provider's own origins? Being another provider's does not count (mix-up)."""
        try:
            origin: Origin = read_url(url).origin
        except OutboundRefused:
            return False
        return any(origin == each.origin for each in self.destinations())


def load_providers(path: Path, environment: Mapping[str, str], *, production: bool) -> tuple[Provider, ...]:
    """The providers of the file at `path`, in order; ConfigError names file, line and remedy.

    `environment` answers `env:NAME`; `file:PATH` is relative to the file. `production` refuses hosts on this machine.
    """
    found: list[Provider] = []
    for table in read_tables(path, "provider", reserved=("identity",)):
        provider = _provider(table, path.parent, environment, production=production)
        if any(provider.id == each.id for each in found):
            raise table.error("id", f"{provider.id!r} is used twice", "Give each provider its own id")
        if any(provider.fhir_base_url == each.fhir_base_url for each in found):
            raise table.error("fhir_base_url", "is used twice", "Write each FHIR server once")
        found.append(provider)
    if not found:
        raise ConfigError(str(path), "names no provider", "Add a [[provider]] table")
    return tuple(found)


def provider_for_issuer(providers: tuple[Provider, ...], iss: str) -> Provider | None:
    """The provider whose FHIR base is exactly `iss`; None else, and then nothing may be fetched (SMART-21)."""
    return next((provider for provider in providers if provider.fhir_base_url == iss), None)


def provider_by_id(providers: tuple[Provider, ...], provider_id: str) -> Provider | None:
    return next((provider for provider in providers if provider.id == provider_id), None)


def _provider(table: ConfigTable, folder: Path, environment: Mapping[str, str], *, production: bool) -> Provider:
    table.refuse_unknown(_KEYS)
    private = table.text("network", "public", one_of=("public", "private")) == "private"
    if private and production:
        raise table.error("network", 'is "private" in production', "Remove it; private hosts are for demo and tests")
    client_auth = table.text("client_auth", one_of=CLIENT_AUTH)
    optional = {key: table.text(key) if key in table.values else None for key in ("practice", "identifier_system")}
    return Provider(
        id=identifier_in(table),
        name=table.text("name"),
        state=table.text("state", "") or "",
        fhir_base_url=address_in(table, "fhir_base_url", table.text("fhir_base_url"), private=private),
        client_id=client_id_in(table),
        client_auth=client_auth,
        scopes=_scopes(table),
        issuer=address_in(table, "issuer", table.text("issuer"), private=private) if "issuer" in table.values else None,
        origins=tuple(address_in(table, "origins", url, private=private) for url in table.texts("origins")),
        care_team=table.flag("care_team", False),
        cancerlinq_participant=table.flag("cancerlinq_participant", False),
        private=private,
        id_token_algs=algorithms_in(table),
        practice=optional["practice"],
        identifier_system=optional["identifier_system"],
        send_nonce=table.flag("send_nonce", True),
        frame_origins=tuple(_frame_origin(table, url, private=private) for url in table.texts("frame_origins")),
        client_secret=client_secret_in(table, client_auth, folder, environment),
        client_keys=client_keys_in(table, client_auth, folder, environment),
    )


def identifier_in(table: ConfigTable) -> str:
    value = table.text("id")
    if not _ID.fullmatch(value):
        raise table.error("id", f"is {value!r}", "Use small letters, digits and hyphens; it stands in addresses")
    return value


def client_id_in(table: ConfigTable) -> str:
    value = table.text("client_id")
    if not value.isascii() or not value.isprintable() or ":" in value or " " in value:
        raise table.error("client_id", "holds a character that cannot be sent", "Copy it as the hospital gave it")
    return value


def address_in(table: ConfigTable, key: str, url: str, *, private: bool) -> str:
    try:
        target = read_url(url)
        destination(url, private=private)
    except OutboundRefused as error:
        if error.reason == "plain-http":
            raise table.error(key, "is plain http", 'Use https, or network = "private" on this machine') from None
        raise table.error(key, f"cannot be used ({error.reason})", "Write it as https://host/path") from None
    if target.origin.scheme not in ("http", "https") or target.query:
        raise table.error(key, "must be a web address without a query", "Write it as https://host/path")
    return url


def _frame_origin(table: ConfigTable, url: str, *, private: bool) -> str:
    """An origin that may show us in a frame, with nothing after the host, as a browser compares it (SMART-23).

    It is https; a private hospital on this machine may show us over plain http, in demos and tests.
    """
    try:
        target = read_url(url)
    except OutboundRefused as error:
        raise table.error("frame_origins", f"cannot be used ({error.reason})", "Write https://host") from None
    near = private and target.origin.scheme == "http" and target.origin.host in LOOPBACK
    if (target.origin.scheme != "https" and not near) or target.path != "/" or target.query:
        raise table.error("frame_origins", "must be https and end with the host", "Write https://host")
    return str(target.origin)


def _scopes(table: ConfigTable) -> str:
    scopes = " ".join(table.text("scopes", scopes_for(CLINICAL_TYPES, offline=True)).split())
    problem = scope_problem(scopes)
    if problem:
        raise table.error("scopes", problem, f'For example scopes = "{EXAMPLE_SCOPES}"')
    return scopes


def algorithms_in(table: ConfigTable) -> tuple[str, ...]:
    algorithms = table.texts("id_token_algs", ("RS256",))
    for each in algorithms:
        if each not in ID_TOKEN_ALGS:
            raise table.error("id_token_algs", f"holds {each!r}", f"Use of: {', '.join(ID_TOKEN_ALGS)}")
    if not algorithms:
        raise table.error("id_token_algs", "is empty", 'Leave it out for ["RS256"]')
    return algorithms


def client_secret_in(table: ConfigTable, client_auth: str, folder: Path, environment: Mapping[str, str]) -> str | None:
    if client_auth != "client_secret_basic":
        if "client_secret" in table.values:
            raise table.error("client_secret", f"is not used with {client_auth}", "Remove it or change client_auth")
        return None
    secret = _secret(table, "client_secret", folder, environment)
    if not secret.isascii() or not secret.isprintable():
        raise table.error("client_secret", "holds a character that cannot be sent", "Ask the hospital for another")
    return secret


def client_keys_in(
    table: ConfigTable, client_auth: str, folder: Path, environment: Mapping[str, str]
) -> ClientKeys | None:
    if client_auth != "private_key_jwt":
        if "private_key" in table.values:
            raise table.error("private_key", f"is not used with {client_auth}", "Remove it or change client_auth")
        return None
    try:
        return read_client_keys(_secret(table, "private_key", folder, environment))
    except ValueError as error:
        raise table.error("private_key", str(error), "Give an RSA (2048 bits or more) or P-384 private key") from None


def _secret(table: ConfigTable, key: str, folder: Path, environment: Mapping[str, str]) -> str:
    kind, _, name = table.text(key).partition(":")
    if kind == "env" and name:
        value = environment.get(name, "").strip()
        if not value:
            raise table.error(key, f"names the environment variable {name}, which is not set", f"Set {name}")
        return value
    if kind == "file" and name:
        try:
            value = (folder / name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise table.error(
                key, f"names the file {name}, which cannot be read", "Check path and permissions"
            ) from None
        if not value:
            raise table.error(key, f"names the file {name}, which is empty", "Write the secret into it")
        return value
    raise table.error(key, "must not stand here in clear", f'Write {key} = "env:NAME" or {key} = "file:PATH"')
