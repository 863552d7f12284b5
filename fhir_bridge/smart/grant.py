"""What a token response gives us, checked before anything is kept (SMART-33, SMART-44, SMART-45)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fhir_bridge.smart.context import LaunchRole, patient_id
from fhir_bridge.smart.errors import LaunchRefused
from fhir_bridge.smart.identity import Identity
from fhir_bridge.smart.scopes import GrantedScopes, granted

ASSUMED_LIFE = timedelta(minutes=5)
LONGEST_LIFE = timedelta(hours=24)
MAX_TOKEN = 16 * 1024
_OWN_FIELDS = frozenset(
    (
        "access_token", "refresh_token", "id_token", "token_type", "expires_in", "expires_at", "scope", "patient",
        "need_patient_banner", "encounter", "intent",
    )
)  # fmt: skip


@dataclass(frozen=True)
class TokenAnswer:
    """A token response that has what it must have. Never printed: every field is a secret or names a person."""

    access_token: str = field(repr=False)
    scope: str
    expires_at: datetime
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    patient: str | None = field(default=None, repr=False)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Grant:
    """A finished launch. `access_token` may be sent below `fhir_base_url` and nowhere else (SMART-46).

    `raw_extra` holds the fields without a place of their own (`fhirContext`, `tenant`, `smart_style_url`).
    """

    provider_id: str
    fhir_base_url: str
    role: LaunchRole
    scope: str
    expires_at: datetime
    access_token: str = field(repr=False)
    identity: Identity = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    patient: str | None = field(default=None, repr=False)
    need_patient_banner: bool = False
    encounter: str | None = field(default=None, repr=False)
    intent: str | None = None
    raw_extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def scopes(self) -> GrantedScopes:
        return granted(self.scope)


def read_token_answer(raw: object, now: datetime, *, refresh: bool) -> TokenAnswer:
    """Check a token response; LaunchRefused names the field that is missing or wrong.

    `expires_in` is recommended at first (five minutes are assumed without it) and required on refresh.
    """
    if not isinstance(raw, Mapping):
        raise LaunchRefused("token-not-an-object")
    if not isinstance(raw.get("token_type"), str) or raw["token_type"].lower() != "bearer":
        raise LaunchRefused("token-type")
    if not isinstance(raw.get("scope"), str):
        raise LaunchRefused("token-scope")
    access_token = _token(raw, "access_token")
    if access_token is None:
        raise LaunchRefused("token-access-token")
    patient = patient_id(raw.get("patient"))
    if patient is None and not refresh and granted(raw["scope"]).has_patient_scopes():
        raise LaunchRefused("no-patient")
    return TokenAnswer(
        access_token=access_token,
        scope=raw["scope"],
        expires_at=now + _life(raw, required=refresh),
        refresh_token=_token(raw, "refresh_token"),
        id_token=_token(raw, "id_token"),
        patient=patient,
        raw=raw,
    )


def grant_of(
    answer: TokenAnswer, identity: Identity, role: LaunchRole, *, provider_id: str, fhir_base_url: str
) -> Grant:
    """The grant that an answer, its verified identity and the role found for it make together."""
    raw = answer.raw
    encounter, intent = raw.get("encounter"), raw.get("intent")
    return Grant(
        provider_id=provider_id,
        fhir_base_url=fhir_base_url,
        role=role,
        scope=answer.scope,
        expires_at=answer.expires_at,
        access_token=answer.access_token,
        identity=identity,
        refresh_token=answer.refresh_token,
        patient=answer.patient,
        need_patient_banner=raw.get("need_patient_banner") is True,
        encounter=encounter if isinstance(encounter, str) else None,
        intent=intent if isinstance(intent, str) else None,
        raw_extra={name: value for name, value in raw.items() if name not in _OWN_FIELDS},
    )


def _token(raw: Mapping[str, Any], name: str) -> str | None:
    value = raw.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= 2 * MAX_TOKEN:
        raise LaunchRefused(f"token-{name.replace('_', '-')}")
    if any(not "!" <= character <= "~" for character in value):  # it goes into a header
        raise LaunchRefused(f"token-{name.replace('_', '-')}")
    return value


def _life(raw: Mapping[str, Any], *, required: bool) -> timedelta:
    value = raw.get("expires_in")
    if value is None and not required:
        return ASSUMED_LIFE
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:12])
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise LaunchRefused("token-expires-in")
    return timedelta(seconds=min(float(value), LONGEST_LIFE.total_seconds()))
