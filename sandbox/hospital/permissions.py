"""What the authorization server remembers: codes, launches, access and refresh tokens.

Codes, launches and access tokens live in memory; a permission with its refresh token is kept in the state folder, so
that a restart keeps sessions. Reuse of a code or of a rotated refresh token revokes the whole permission (RFC 9700).
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, TokenMixin

CODE_SECONDS = 60
LAUNCH_SECONDS = 300


@dataclass
class Permission:
    """One person's yes to one app: for which patient, with which scopes, in which kind of launch."""

    id: str
    client_id: str
    login_id: str
    patient_id: str
    scope: str
    banner: bool = False
    encounter_id: str | None = None
    revoked: bool = False
    refresh: str | None = None
    used_refresh: list[str] = field(default_factory=list)


@dataclass
class Code(AuthorizationCodeMixin):  # type: ignore[misc]  # Authlib is untyped
    """An authorization code with what it was asked with."""

    value: str
    permission: Permission
    redirect_uri: str
    nonce: str | None
    code_challenge: str
    expires: float
    used: bool = False
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        """The redirect that the token request must repeat."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """What the person granted."""
        return self.permission.scope

    def get_nonce(self) -> str | None:
        """The nonce of the authorization request."""
        return self.nonce

    def get_auth_time(self) -> None:
        """Not offered: SMART apps must not rely on it (SMART-64)."""
        return

    def get_acr(self) -> None:
        """Not offered."""
        return

    def get_amr(self) -> None:
        """Not offered."""
        return


@dataclass
class Token(TokenMixin):  # type: ignore[misc]  # Authlib is untyped
    """An access token, or a refresh token as Authlib wants to see one."""

    permission: Permission
    scope: str
    expires: float
    value: str = ""

    def check_client(self, client: Any) -> bool:
        """Whether this client was given the token."""
        return bool(client.get_client_id() == self.permission.client_id)

    def get_scope(self) -> str:
        """The scopes of the token."""
        return self.scope

    def is_expired(self) -> bool:
        """Whether its time is over."""
        return time.time() >= self.expires

    def is_revoked(self) -> bool:
        """Whether its permission has ended."""
        return self.permission.revoked


@dataclass(frozen=True)
class Launch:
    """What an EHR launch token stands for: which clinician opened the app on which chart."""

    login_id: str
    patient_id: str
    expires: float


class PermissionBook:
    """All permissions of one hospital, safe for several threads."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "permissions.json"
        self._lock = threading.RLock()
        self._codes: dict[str, Code] = {}
        self._launches: dict[str, Launch] = {}
        self._access: dict[str, Token] = {}
        self._permissions: dict[str, Permission] = {}
        if self._file.exists():
            kept = [Permission(**row) for row in json.loads(self._file.read_text())]
            self._permissions = {one.id: one for one in kept}

    def allow(self, permission: Permission) -> None:
        """Remember a new permission."""
        with self._lock:
            self._permissions[permission.id] = permission

    def add_code(self, code: Code) -> None:
        """Remember a code until it is used."""
        with self._lock:
            self._codes[code.value] = code

    def take_code(self, value: str, client_id: str, now: float) -> Code | None:
        """The live code for this client; a second use revokes what the first use gave."""
        with self._lock:
            code = self._codes.get(value)
            if code is None or code.permission.client_id != client_id or now > code.expires:
                return None
            if code.used:
                self.revoke(code.permission)
                return None
            return code

    def spend(self, code: Code) -> bool:
        """Mark the code used; False (and all revoked) when another request was faster."""
        with self._lock:
            if code.used:
                self.revoke(code.permission)
                return False
            code.used = True
            return True

    def add_launch(self, login_id: str, patient_id: str, now: float) -> str:
        """A new opaque launch value for an EHR launch."""
        with self._lock:
            value = token_urlsafe(18)
            self._launches[value] = Launch(login_id, patient_id, now + LAUNCH_SECONDS)
            return value

    def launch(self, value: str, now: float, *, use: bool) -> Launch | None:
        """The launch that the value stands for, once: with `use` it is gone afterwards."""
        with self._lock:
            found = self._launches.pop(value, None) if use else self._launches.get(value)
            return found if found and now <= found.expires else None

    def issue(self, permission: Permission, token: dict[str, Any], now: float) -> None:
        """Keep a token response: the access token, and the refresh token when there is one."""
        with self._lock:
            expires = now + token.get("expires_in", 3600)
            value = token["access_token"]
            self._access[value] = Token(permission, token.get("scope", ""), expires, value)
            if refresh := token.get("refresh_token"):
                if permission.refresh:
                    permission.used_refresh.append(permission.refresh)
                permission.refresh = refresh
                self._save()

    def access(self, value: str, now: float) -> Token | None:
        """The live access token, or None when unknown, expired or revoked."""
        with self._lock:
            token = self._access.get(value)
            return token if token and not token.permission.revoked and now < token.expires else None

    def refreshing(self, value: str) -> Token | None:
        """The permission behind a refresh token; using a rotated one revokes the permission."""
        with self._lock:
            for one in self._permissions.values():
                if value in one.used_refresh:
                    self.revoke(one)
                if one.refresh == value and not one.revoked:
                    return Token(one, one.scope, float("inf"), value)
            return None

    def find(self, value: str) -> Token | None:
        """The token, access or refresh, for revocation and introspection."""
        with self._lock:
            held = self._access.get(value)
            if held is not None:
                return held
            owner = next((p for p in self._permissions.values() if p.refresh == value), None)
            return Token(owner, owner.scope, float("inf"), value) if owner else None

    def revoke(self, permission: Permission) -> None:
        """End a permission: no token of it works from now on."""
        with self._lock:
            permission.revoked = True
            self._save()

    def expire_access_tokens(self) -> None:
        """Every access token expires now (a fault for tests)."""
        with self._lock:
            self._access.clear()

    def _save(self) -> None:
        rows = [asdict(p) for p in self._permissions.values() if p.refresh]
        partial = self._file.with_suffix(".part")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(rows))
        os.replace(partial, self._file)
