"""All settings, read once from the environment into one frozen value; a wrong one keeps the service from starting."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from consent.store_config import Store, load_stores
from database.keyring import KeyRing
from fhir_bridge.access.malware import Scanner, read_scanner
from fhir_bridge.identity_providers import IdentityProvider, load_identities
from fhir_bridge.providers import Provider, load_providers
from notifications.channels.email import MailServer, read_mail_server
from notifications.neutral_words import names_illness
from notifications.quiet_hours import is_zone
from notifications.texts import Programme, is_gsm7
from patient_portal.api.clients import ApiClient, load_clients
from patient_portal.in_touch.text_limits import TextLimits, read_text_limits
from vocabulary.config_file import ConfigError

ROLES = ("covered-entity", "business-associate", "consumer-app")
LANGUAGES_SHIPPED = ("en", "es")
LANGUAGES_KNOWN = (*LANGUAGES_SHIPPED, "ar")
SECRET_MIN = 32
BACKGROUND_NICE = 5
"""How worker and feed give way to the pages on a busy machine (nice(2)): at 5 each has a third of a web process's
share, so that a no still reaches the stores when the pages need all there is."""
TEXT_NAME_MAX = 30
REFUSED_SECRETS = {"secret", "changeme", "change-me", "dev", "password", "test"}


@dataclass(frozen=True)
class Twilio:
    """How texts leave; `api_base` differs only in the demo and in tests."""

    account_sid: str
    auth_token: str = field(repr=False)
    messaging_service_sid: str
    api_base: str


@dataclass(frozen=True)
class Settings:
    """One installation. `production` means an https `base_url` (decisions, Keys)."""

    base_url: str
    secret_key: str = field(repr=False)
    database_url: str = field(repr=False)
    database_url_worker: str = field(repr=False)
    database_url_maintenance: str | None = field(repr=False)
    keys: Path
    providers: tuple[Provider, ...]
    identities: tuple[IdentityProvider, ...]
    stores: tuple[Store, ...]
    operator_role: str
    baa_confirmed: bool
    internal_bind: str | None
    twilio: Twilio | None
    text_limits: TextLimits
    mail: MailServer | None
    languages: tuple[str, ...]
    brand: str
    text_name: str
    clients: tuple[ApiClient, ...]
    api_base_url: str
    help_phone: str
    trusted_proxies: int
    upload_scanner: Scanner | None
    time_zone: str
    background_nice: int

    @property
    def production(self) -> bool:
        return is_production(self.base_url)

    @property
    def sandbox(self) -> bool:
        """True when any part outside is a sandbox's: every page then says so."""
        return any(provider.private for provider in self.providers)

    def shown(self) -> dict[str, str]:
        """The settings in effect with secrets left out, for `portal settings`."""
        plain = {item.name: str(getattr(self, item.name)) for item in fields(self) if item.repr}
        plain["providers"] = ", ".join(provider.id for provider in self.providers)
        plain["identities"] = ", ".join(identity.id for identity in self.identities)
        plain["clients"] = ", ".join(client.id for client in self.clients)
        plain["stores"] = ", ".join(store.id for store in self.stores)
        plain["twilio"] = f"{self.twilio.account_sid} via {self.twilio.api_base}" if self.twilio else "not set"
        plain["mail"] = f"{self.mail.sender} via {self.mail.address}" if self.mail else "not set"
        for name in ("secret_key", "database_url", "database_url_worker", "database_url_maintenance"):
            plain[name] = _redacted(getattr(self, name))
        return dict(sorted(plain.items()))


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read and check everything; ConfigError names the first thing wrong, where it stands, and the remedy."""
    env = _Environment(environment)
    base_url = env.url("PORTAL_BASE_URL", "http://127.0.0.1:8000")
    production = is_production(base_url)
    named = Path(env.needed("PORTAL_PROVIDERS", "the path of providers.toml"))
    providers = load_providers(named, environment, production=production)
    stores = load_stores(
        Path(env.needed("PORTAL_STORES", "the path of stores.toml")), environment, production=production
    )
    settings = Settings(
        base_url=base_url,
        secret_key=_checked_secret(env),
        database_url=env.needed("DATABASE_URL", "the web login, postgresql://user:password@host/database"),
        database_url_worker=env.text("DATABASE_URL_WORKER") or env.needed("DATABASE_URL", "the database"),
        database_url_maintenance=env.text("DATABASE_URL_MAINTENANCE"),
        keys=Path(env.needed("PORTAL_KEYS", "the key ring; make one with `portal keys new FILE`")),
        providers=providers,
        identities=load_identities(named, environment, production=production, passkeys=has_a_name(base_url)),
        stores=stores,
        operator_role=_checked_role(env, production),
        baa_confirmed=env.text("BAA_CONFIRMED") in {"1", "true", "yes"},
        internal_bind=env.text("PORTAL_INTERNAL_BIND"),
        twilio=_twilio(env),
        text_limits=read_text_limits(env.text, env.number),
        mail=_mail(env, production),
        languages=_checked_languages(env),
        brand=env.text("PORTAL_NAME") or "My Cancer Record",
        text_name=_checked_text_name(env),
        clients=_clients(env, stores),
        api_base_url=env.url("PORTAL_API_BASE_URL", base_url),
        help_phone=env.text("PORTAL_HELP_PHONE") or "(888) 282-2552",
        trusted_proxies=env.number("PORTAL_TRUSTED_PROXIES", 0),
        upload_scanner=_upload_scanner(env, production),
        time_zone=_checked_zone(env),
        background_nice=env.number("PORTAL_BACKGROUND_NICE", BACKGROUND_NICE),
    )
    _check_production(settings)
    if settings.twilio is not None:
        _refuse_illness("PORTAL_BASE_URL", settings.base_url)
    return settings


def is_production(base_url: str) -> bool:
    return base_url.startswith("https://")


def has_a_name(base_url: str) -> bool:
    """Whether the address is a name and no number: browsers make passkeys for names only (WebAuthn, RP ID)."""
    host = urlsplit(base_url).hostname or ""
    return not (host.replace(".", "").isdecimal() or ":" in host)


def _check_production(settings: Settings) -> None:
    if settings.operator_role == "business-associate" and settings.production and not settings.baa_confirmed:
        problem = "is not set, and a business associate needs its agreements on file"
        raise ConfigError("BAA_CONFIRMED", problem, "Set BAA_CONFIRMED=true once they are signed")
    if settings.production and settings.database_url == settings.database_url_worker:
        raise ConfigError(
            "DATABASE_URL_WORKER", "is the same login as the web's", "Run `portal db upgrade` and use its worker login"
        )
    ring = KeyRing.load(settings.keys)
    if settings.production and ring.is_demo:
        raise ConfigError("PORTAL_KEYS", "names the demo's keys", "Make your own with `portal keys new FILE`")


def read_text(environment: Mapping[str, str], name: str) -> str | None:
    """One setting as text, from `NAME` or from the file named by `NAME_FILE`; None when neither is set."""
    return _Environment(environment).text(name)


class _Environment:
    """Reads a name, or the file named by `NAME_FILE` for secrets mounted as files."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        path = self._values.get(f"{name}_FILE")
        if path:
            try:
                return Path(path).read_text(encoding="utf-8").strip() or None
            except OSError as error:
                problem = f"names {path}, which cannot be read ({error.strerror})"
                raise ConfigError(f"{name}_FILE", problem, "Check the path and its permissions") from None
        return (self._values.get(name) or "").strip() or None

    def needed(self, name: str, what: str) -> str:
        value = self.text(name)
        if value is None:
            raise ConfigError(name, "is not set", f"Set it to {what}")
        return value

    def number(self, name: str, default: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not value.isdecimal():
            raise ConfigError(name, f"is {value!r}, not a whole number", f"Set it to a number such as {default}")
        return int(value)

    def url(self, name: str, default: str) -> str:
        value = (self.text(name) or default).rstrip("/")
        parts = urlsplit(value)
        loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
            raise ConfigError(name, f"is {value!r}, not a plain web address", "Write it as https://portal.example.org")
        if parts.scheme == "http" and not loopback:
            raise ConfigError(name, "is http on a host that is not this machine", "Use https")
        return value


def _checked_secret(env: _Environment) -> str:
    secret = env.needed("PORTAL_SECRET_KEY", "at least 32 random characters, such as from `openssl rand -hex 32`")
    if len(secret) < SECRET_MIN or secret.lower() in REFUSED_SECRETS or len(set(secret)) < 8:
        raise ConfigError("PORTAL_SECRET_KEY", "is too short or too simple", "Use the output of `openssl rand -hex 32`")
    return secret


def _checked_role(env: _Environment, production: bool) -> str:
    role = env.text("OPERATOR_ROLE")
    if role is None and not production:
        return "covered-entity"
    if role not in ROLES:
        problem = "is not set" if role is None else f"is {role!r}, which is not known"
        raise ConfigError("OPERATOR_ROLE", problem, f"Set it to one of: {', '.join(ROLES)}")
    return role


def _checked_languages(env: _Environment) -> tuple[str, ...]:
    chosen = tuple(re.split(r"[\s,]+", env.text("PORTAL_LANGUAGES") or ",".join(LANGUAGES_SHIPPED)))
    for language in chosen:
        if language not in LANGUAGES_KNOWN:
            raise ConfigError("PORTAL_LANGUAGES", f"names {language!r}", f"Choose from: {', '.join(LANGUAGES_KNOWN)}")
    return chosen


def _checked_zone(env: _Environment) -> str:
    zone = env.text("PORTAL_TIME_ZONE") or "America/New_York"
    if not is_zone(zone):
        raise ConfigError("PORTAL_TIME_ZONE", f"is {zone!r}, which is no time zone", "Write one such as America/Denver")
    return zone


def _clients(env: _Environment, stores: tuple[Store, ...]) -> tuple[ApiClient, ...]:
    path = env.text("PORTAL_CLIENTS")
    return load_clients(Path(path), [store.id for store in stores]) if path else ()


def _checked_text_name(env: _Environment) -> str:
    """The name that texts carry: neutral, short, and in the alphabet of texts (SMS-08)."""
    name = env.text("PORTAL_TEXT_NAME") or Programme().name
    if len(name) > TEXT_NAME_MAX or not is_gsm7(name) or not name.isprintable():
        problem = f"is longer than {TEXT_NAME_MAX} characters, or has letters that do not fit a text"
        raise ConfigError("PORTAL_TEXT_NAME", problem, f"Choose a short plain name such as {Programme().name!r}")
    _refuse_illness("PORTAL_TEXT_NAME", name)
    return name


def _refuse_illness(name: str, value: str) -> None:
    """SMS-08: a text is read by whoever holds the phone, so neither its name nor its link may name an illness."""
    if found := names_illness(value):
        problem = f"stands in every text, and names an illness ({found})"
        raise ConfigError(name, problem, "Choose one that says nothing about illness, such as my-portal.example.org")


def _twilio(env: _Environment) -> Twilio | None:
    sid = env.text("TWILIO_ACCOUNT_SID")
    if sid is None:
        return None
    return Twilio(
        account_sid=sid,
        auth_token=env.needed("TWILIO_AUTH_TOKEN", "the token of that Twilio account"),
        messaging_service_sid=env.needed("TWILIO_MESSAGING_SERVICE_SID", "the messaging service that sends the texts"),
        api_base=env.url("TWILIO_API_BASE", "https://api.twilio.com"),
    )


def _mail(env: _Environment, production: bool) -> MailServer | None:
    url = env.text("SMTP_URL")
    return read_mail_server(url, env.text("SMTP_FROM"), production=production) if url else None


def _upload_scanner(env: _Environment, production: bool) -> Scanner | None:
    """What looks at files before they are kept; None: in production no file is taken until this is said (SEC-12)."""
    said = env.text("PORTAL_UPLOAD_SCANNER")
    if said is None:
        return None if production else Scanner("none")
    try:
        return read_scanner(said)
    except ValueError:
        remedy = "Write command:/full/path and its words, clamd:/full/path/of/the.socket, or none"
        raise ConfigError("PORTAL_UPLOAD_SCANNER", f"is {said!r}, which we cannot read", remedy) from None


def _redacted(value: str | None) -> str:
    if not value:
        return "not set"
    host = urlsplit(value).hostname if "://" in value else None
    return f"set ({host})" if host else "set"
