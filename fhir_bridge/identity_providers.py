"""Where those who are no patients sign in: the `[[identity]]` tables of providers.toml, read once at start.

An identity provider says for which kind of actor it vouches (`signs_in`), which values of a claim stand for which role,
and what in its id_token proves a second factor (OpenID Connect Core 1.0 section 2, RFC 8176).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhir_bridge.providers import (
    CLIENT_AUTH,
    Provider,
    address_in,
    algorithms_in,
    client_id_in,
    client_keys_in,
    client_secret_in,
    identifier_in,
)
from outbound.destinations import Destination
from vocabulary.config_file import ConfigTable, read_tables

ROLES: Mapping[str, tuple[str, ...]] = {"staff": ("staff", "lead")}
"""The kinds of actor that may be signed in, and the roles of each from the least to the most."""
EVERY_PRACTICE = ("*",)
SCOPE = "openid profile"
_KEYS = (
    "id", "name", "signs_in", "issuer", "origins", "client_id", "client_auth", "client_secret", "private_key",
    "id_token_algs", "scopes", "roles_claim", "roles", "acr", "amr", "practices", "person_claim", "network",
)  # fmt: skip


@dataclass(frozen=True)
class IdentityProvider:
    """One OpenID Connect provider. `door` is the same place as the SMART client knows places: issuer, client, keys.

    `roles` maps a value of the claim `roles_claim` to a role. One of `acr`, or one of `amr`, in an id_token proves the
    second factor; with neither, a passkey here is asked for. `practices`: whose tasks its people see, `*` for all.
    `person_claim`: what is the same in every sign-in of one human being.
    """

    id: str
    name: str
    signs_in: str
    scopes: str
    roles_claim: str
    roles: Mapping[str, str]
    acr: tuple[str, ...]
    amr: tuple[str, ...]
    practices: tuple[str, ...]
    person_claim: str
    door: Provider

    def destinations(self) -> tuple[Destination, ...]:
        return self.door.destinations()

    def role_of(self, claims: Mapping[str, Any]) -> str | None:
        """The highest role that the claim gives; None when it gives none, and then nobody is signed in."""
        given = {self.roles[value] for value in _values(claims, self.roles_claim) if value in self.roles}
        return next((role for role in reversed(ROLES[self.signs_in]) if role in given), None)

    def human_of(self, claims: Mapping[str, Any]) -> str | None:
        """What tells that two sign-ins are of one human being; None when the token says nothing of it.

        A mail address counts only once the provider has verified it (OpenID Connect Core 1.0 section 5.1).
        """
        value = claims.get(self.person_claim)
        if not isinstance(value, str) or (self.person_claim == "email" and claims.get("email_verified") is not True):
            return None
        return value.strip().casefold() or None

    def shows_second_factor(self, claims: Mapping[str, Any]) -> bool:
        """Whether the id_token itself says that more than a password was asked for (SEC-20, ASVS V6.3.3)."""
        return claims.get("acr") in self.acr or any(each in self.amr for each in _texts(claims.get("amr")))


def load_identities(
    path: Path, environment: Mapping[str, str], *, production: bool, passkeys: bool
) -> tuple[IdentityProvider, ...]:
    """The identity providers of the file at `path`, in order, perhaps none; ConfigError names file, line and remedy.

    `passkeys`: whether this service's address can have any, which an IP address cannot (WebAuthn, RP ID).
    """
    found: list[IdentityProvider] = []
    for table in read_tables(path, "identity", reserved=("provider",)):
        identity = _identity(table, path.parent, environment, production=production)
        if any(identity.id == each.id for each in found):
            raise table.error("id", f"{identity.id!r} is used twice", "Give each identity provider its own id")
        if not (identity.acr or identity.amr or passkeys):
            raise table.error(
                "amr", "is missing, and PORTAL_BASE_URL is an IP address, where no passkey works",
                'Say what proves a second factor, such as amr = ["mfa"], or give the portal a name',
            )  # fmt: skip
        found.append(identity)
    return tuple(found)


def _identity(
    table: ConfigTable, folder: Path, environment: Mapping[str, str], *, production: bool
) -> IdentityProvider:
    table.refuse_unknown(_KEYS)
    private = table.text("network", "public", one_of=("public", "private")) == "private"
    if private and production:
        raise table.error("network", 'is "private" in production', "Remove it; private hosts are for demo and tests")
    signs_in = table.text("signs_in", one_of=tuple(ROLES))
    door = _door(table, folder, environment, private=private)
    return IdentityProvider(
        id=identifier_in(table),
        name=door.name,
        signs_in=signs_in,
        scopes=door.scopes,
        roles_claim=table.text("roles_claim", "roles"),
        roles=_roles(table, signs_in),
        acr=table.texts("acr"),
        amr=table.texts("amr"),
        practices=table.texts("practices", EVERY_PRACTICE) or EVERY_PRACTICE,
        person_claim=table.text("person_claim", "email"),
        door=door,
    )


def _door(table: ConfigTable, folder: Path, environment: Mapping[str, str], *, private: bool) -> Provider:
    issuer = address_in(table, "issuer", table.text("issuer"), private=private)
    client_auth = table.text("client_auth", one_of=CLIENT_AUTH)
    scopes = " ".join(table.text("scopes", SCOPE).split())
    if "openid" not in scopes.split():
        raise table.error("scopes", "must hold openid", f'For example scopes = "{SCOPE}"')
    return Provider(
        id=f"identity:{identifier_in(table)}",
        name=table.text("name"),
        state="",
        fhir_base_url=issuer,
        client_id=client_id_in(table),
        client_auth=client_auth,
        scopes=scopes,
        issuer=issuer,
        origins=tuple(address_in(table, "origins", url, private=private) for url in table.texts("origins")),
        private=private,
        id_token_algs=algorithms_in(table),
        client_secret=client_secret_in(table, client_auth, folder, environment),
        client_keys=client_keys_in(table, client_auth, folder, environment),
    )


def _roles(table: ConfigTable, signs_in: str) -> Mapping[str, str]:
    roles = table.values.get("roles")
    example = f'Write roles = {{ "your-group" = "{ROLES[signs_in][0]}" }}'
    if not isinstance(roles, dict) or not roles:
        raise table.error("roles", "must say which groups have which role", example)
    for value, role in roles.items():
        if role not in ROLES[signs_in]:
            problem = f"gives {value!r} the role {role!r}, which is not known"
            raise table.error("roles", problem, f"Roles of {signs_in}: {', '.join(ROLES[signs_in])}")
    return dict(roles)


def _values(claims: Mapping[str, Any], name: str) -> Iterable[str]:
    """The values of a claim: by its whole name, else along its dots (`realm_access.roles`)."""
    if name in claims:
        return _texts(claims[name])
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return _texts(found)


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(dict.fromkeys((value, *value.split())))
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()
