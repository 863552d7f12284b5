"""What one sandbox hospital is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ClientAuth = Literal["public", "client_secret_basic", "private_key_jwt"]

NAMES = {"riverside": "Riverside Cancer Center", "lakeside": "Lakeside Medical Group"}
_CLIENT_AUTH: dict[str, ClientAuth] = {"riverside": "private_key_jwt", "lakeside": "client_secret_basic"}


@dataclass(frozen=True, kw_only=True)
class HospitalConfig:
    """Settings of one hospital process.

    `portal` is the base URL of the registered app (no trailing slash). `port` 0 takes the port used last time with
    this `state_dir` when it is free, else any free one. Durations are seconds.
    """

    id: str
    state_dir: Path
    portal: str = "http://127.0.0.1:8000"
    port: int = 0
    patients: Path | None = None
    client_auth: ClientAuth | None = None
    client_secret: str | None = None
    jwks_url: str | None = None
    access_token_seconds: int = 3600
    page_size: int = 50

    @property
    def name(self) -> str:
        """The hospital's name as people read it."""
        return NAMES.get(self.id, self.id.replace("-", " ").title())

    @property
    def portal_client_auth(self) -> ClientAuth:
        """How the portal's client proves itself at the token endpoint."""
        return self.client_auth or _CLIENT_AUTH.get(self.id, "public")

    @property
    def portal_jwks_url(self) -> str:
        """Where the portal publishes its public keys."""
        return self.jwks_url or f"{self.portal.rstrip('/')}/.well-known/jwks.json"

    @property
    def redirect_uri(self) -> str:
        """The one registered redirect of the portal's clients."""
        return f"{self.portal.rstrip('/')}/callback/{self.id}"

    @property
    def rejects_unfiltered_observations(self) -> bool:
        """Lakeside wants a category with every Observation search, as many hospitals do (FHIR-03)."""
        return self.id == "lakeside"

    @property
    def names_issuer(self) -> bool:
        """Riverside says in each answer to an authorization request that it is its own (RFC 9207, SMART-15)."""
        return self.id == "riverside"

    @property
    def relative_fhir_user(self) -> bool:
        """Lakeside names the signed-in user by a relative reference, riverside by an absolute one (SMART-62)."""
        return self.id == "lakeside"
