"""Where the rooms meet: one value that holds what was built from the settings, made once per process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from flask import current_app

from database.keyring import KeyRing
from database.unit_of_work import Database
from fhir_bridge.identity_providers import IdentityProvider
from fhir_bridge.providers import Provider
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from patient_portal.settings import Settings
from vocabulary.calendar_day import day_at
from vocabulary.errors import NotFound


@dataclass(frozen=True)
class Wiring:
    """Everything a page or a worker may need. Tests build one with other parts; no code asks whether it is tested."""

    settings: Settings
    database: Database
    keyring: KeyRing
    http: OutboundClient

    def provider(self, provider_id: str) -> Provider:
        """The configured hospital, or NotFound."""
        for provider in self.settings.providers:
            if provider.id == provider_id:
                return provider
        raise NotFound("provider")

    def identity(self, identity_id: str) -> IdentityProvider:
        """The configured identity provider, or NotFound."""
        for identity in self.settings.identities:
            if identity.id == identity_id:
                return identity
        raise NotFound("identity")


def wire(settings: Settings, database_url: str, *, application_name: str, pool_size: int = 8) -> Wiring:
    """Build the parts for one process under the given login."""
    return Wiring(
        settings=settings,
        database=Database(database_url, pool_size=pool_size, application_name=application_name),
        keyring=KeyRing.load(settings.keys),
        http=OutboundClient(allow_list(settings)),
    )


def allow_list(settings: Settings) -> AllowList:
    """Every origin the configuration names, and no other (SEC-05)."""
    found = [each for provider in settings.providers for each in provider.destinations()]
    found += [each for identity in settings.identities for each in identity.destinations()]
    found += [
        destination(address, private=store.network == "private")
        for store in settings.stores
        for address in store.addresses
    ]
    if settings.twilio:
        found.append(destination(settings.twilio.api_base, private=not settings.twilio.api_base.startswith("https")))
    if settings.mail:
        found.append(settings.mail.destination())
    return AllowList(tuple(dict.fromkeys(found)))


def wiring() -> Wiring:
    """This application's wiring, for views."""
    found = current_app.extensions["wiring"]
    assert isinstance(found, Wiring)
    return found


def today_here() -> date:
    """The day of the calendar where the service is, by which laws and papers count."""
    return day_at(now(), wiring().settings.time_zone)


def now() -> datetime:
    """The time, in UTC: rules get it as an argument, and this is where it comes from."""
    return datetime.now(UTC)
