"""The SMART client as the rest of the product uses it: one per process, shared by threads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from fhir_bridge.providers import Provider
from fhir_bridge.smart import finish, launch, refresh, revoke
from fhir_bridge.smart.discovery import ConfigurationCache, SmartConfiguration
from fhir_bridge.smart.errors import ProviderUnavailable
from fhir_bridge.smart.grant import Grant
from fhir_bridge.smart.issuer_keys import IssuerKeys
from outbound.client import OutboundClient


class SmartClient:
    """Remembers what providers publish (configuration for ten minutes, keys for an hour) and drives the flow."""

    def __init__(self, http: OutboundClient) -> None:
        self._http = http
        self._configurations = ConfigurationCache(http)
        self._keys = IssuerKeys(http)

    def configuration(self, provider: Provider, now: datetime) -> SmartConfiguration:
        """What the provider publishes; ProviderUnavailable when it cannot be had or used."""
        return self._configurations.configuration(provider, now)

    def begin(
        self,
        provider: Provider,
        now: datetime,
        *,
        redirect_uri: str,
        entropy: bytes,
        launch_value: str | None = None,
        offline: bool = False,
        panel: bool = False,
    ) -> launch.LaunchRequest:
        """See launch.begin_launch; `launch_value` is the `launch` parameter that an EHR brought."""
        return launch.begin_launch(
            provider,
            self.configuration(provider, now),
            redirect_uri=redirect_uri,
            entropy=entropy,
            launch=launch_value,
            offline=offline,
            panel=panel,
        )

    def finish(
        self, provider: Provider, request: launch.LaunchRequest, params: Mapping[str, str], now: datetime
    ) -> Grant:
        """See finish.finish_launch."""
        configuration = self.configuration(provider, now)
        return finish.finish_launch(provider, configuration, request, params, self._http, now, keys=self._keys)

    def refresh(
        self, provider: Provider, now: datetime, *, refresh_token: str, binding: refresh.Binding
    ) -> refresh.RefreshedTokens:
        """See refresh.refresh."""
        configuration = self.configuration(provider, now)
        return refresh.refresh(
            provider, configuration, self._http, now, refresh_token=refresh_token, binding=binding, keys=self._keys
        )

    def revoke(
        self, provider: Provider, now: datetime, *, token: str, hint: Literal["access_token", "refresh_token"]
    ) -> bool:
        """See revoke.revoke; False too when the provider's configuration cannot be had."""
        try:
            configuration = self.configuration(provider, now)
        except ProviderUnavailable:
            return False
        return revoke.revoke(provider, configuration, self._http, now, token=token, hint=hint)
