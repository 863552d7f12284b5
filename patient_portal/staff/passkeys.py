"""A passkey as the second factor, for staff whose identity provider shows none (Web Authentication Level 3).

The first one is made only with a one-time code from `portal staff invite`; the authenticator must verify its user, by a
PIN or a finger, each time. The private key never leaves it; what is kept here is the public one.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from database.context import Context, knowing, widen
from database.keyring import KeyRing
from patient_portal.staff.members import Member
from patient_portal.staff.tables import StaffInvitation, StaffPasskey
from patient_portal.wiring import Wiring
from vocabulary.errors import Refused

CODE_BYTES = 15
CODE_LIFE = timedelta(hours=24)
CHALLENGE_BYTES = 32
CREDENTIAL_MAX = 20_000
# What a library that reads strangers' bytes may raise beside its own error.
_UNREADABLE = (WebAuthnException, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Site:
    """Who we are to an authenticator: our host (the RP ID), the origin of our pages, and our name."""

    host: str
    origin: str
    name: str

    @classmethod
    def of(cls, wiring: Wiring) -> Site:
        parts = urlsplit(wiring.settings.base_url)
        return cls(parts.hostname or "", f"{parts.scheme}://{parts.netloc}", wiring.settings.brand)


def new_challenge() -> bytes:
    return secrets.token_bytes(CHALLENGE_BYTES)


def invite(session: Session, ring: KeyRing, identity_id: str, who: str, now: datetime) -> str:
    """A new one-time code, such as `K7QM-…`, good for a day; only its keyed index is kept. Any context."""
    code = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode()
    index = _index(ring, code)
    widen(session, knowing(index))
    session.add(
        StaffInvitation(
            code_index=index, identity_id=identity_id, made_by=who, made_at=now, expires_at=now + CODE_LIFE,
            used_at=None, used_by=None,
        )
    )  # fmt: skip
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def use_code(wiring: Wiring, member: Member, typed: str, now: datetime) -> bool:
    """Whether the code was good; it is used up. Asked twice at once, it is good once."""
    index = _index(wiring.keyring, typed)
    with wiring.database.begin(knowing(index)) as session:
        used = session.execute(
            update(StaffInvitation)
            .where(
                StaffInvitation.code_index == index,
                StaffInvitation.identity_id == member.identity_id,
                StaffInvitation.used_at.is_(None),
                StaffInvitation.expires_at > now,
            )
            .values(used_at=now, used_by=member.account)
            .returning(StaffInvitation.code_index)
        ).scalar()
    return used is not None


def passkeys_of(wiring: Wiring, account: UUID) -> Sequence[StaffPasskey]:
    with wiring.database.begin(Context(account=account)) as session:
        return session.scalars(select(StaffPasskey).where(StaffPasskey.account_id == account)).all()


def forget_passkeys(session: Session, account: UUID) -> None:
    """A lost key: the next sign-in asks for a new code. In the account's context."""
    session.execute(delete(StaffPasskey).where(StaffPasskey.account_id == account))


def options_to_make(site: Site, member: Member, challenge: bytes) -> str:
    """What the browser hands to the authenticator to make a passkey, as JSON."""
    return webauthn.options_to_json(
        webauthn.generate_registration_options(
            rp_id=site.host,
            rp_name=site.name,
            user_name=member.name,
            user_id=member.account.bytes,
            challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
        )
    )


def options_to_show(site: Site, keys: Sequence[StaffPasskey], challenge: bytes) -> str:
    """What the browser hands to the authenticator to show one of these, as JSON."""
    return webauthn.options_to_json(
        webauthn.generate_authentication_options(
            rp_id=site.host,
            challenge=challenge,
            allow_credentials=[PublicKeyCredentialDescriptor(id=key.credential_id) for key in keys],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def keep_new(wiring: Wiring, member: Member, credential: str, challenge: bytes, now: datetime) -> None:
    """Check and keep a passkey that was just made; Refused for anything that is not one for us, now, verified."""
    site = Site.of(wiring)
    try:
        made = webauthn.verify_registration_response(
            credential=_sized(credential), expected_challenge=challenge, expected_rp_id=site.host,
            expected_origin=site.origin, require_user_verification=True,
        )  # fmt: skip
    except _UNREADABLE:
        raise Refused("passkey") from None
    row = {
        "credential_id": made.credential_id, "account_id": member.account, "public_key": made.credential_public_key,
        "sign_count": made.sign_count, "made_at": now, "used_at": now,
    }  # fmt: skip
    with wiring.database.begin(Context(account=member.account)) as session:
        statement = insert(StaffPasskey).values(row).on_conflict_do_nothing().returning(StaffPasskey.account_id)
        if session.scalar(statement) is None:
            raise Refused("passkey")


def check_shown(wiring: Wiring, member: Member, credential: str, challenge: bytes, now: datetime) -> None:
    """Check a passkey that was shown; Refused when it is unknown, another's, unverified, or signed something else."""
    site = Site.of(wiring)
    with wiring.database.begin(Context(account=member.account)) as session:
        try:
            shown = webauthn.helpers.parse_authentication_credential_json(_sized(credential))
            key = session.get(StaffPasskey, shown.raw_id, with_for_update=True)
            if key is None or key.account_id != member.account:
                raise Refused("passkey")
            checked = webauthn.verify_authentication_response(
                credential=shown, expected_challenge=challenge, expected_rp_id=site.host,
                expected_origin=site.origin, credential_public_key=key.public_key,
                credential_current_sign_count=key.sign_count, require_user_verification=True,
            )  # fmt: skip
        except _UNREADABLE:
            raise Refused("passkey") from None
        key.sign_count, key.used_at = checked.new_sign_count, now


def _sized(credential: str) -> str:
    if len(credential) > CREDENTIAL_MAX:
        raise ValueError("longer than any")
    return credential


def _index(ring: KeyRing, typed: str) -> bytes:
    plain = "".join(each for each in typed.upper() if each.isalnum())[:200]
    return ring.blind_index("staff-invitation", plain)
