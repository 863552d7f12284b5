"""Standard Webhooks signatures, as the store checks and makes them (requirements SUB-11).

Source: standardwebhooks.com: HMAC-SHA256 over `id.timestamp.body`, headers `webhook-id`, `webhook-timestamp`,
`webhook-signature` (`v1,<base64>`, several separated by spaces); five minutes of tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def is_genuine(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> bool:
    """True when one of the secrets signed this body within the last five minutes."""
    wanted = {name.lower(): value for name, value in headers.items() if name.lower().startswith("webhook-")}
    for secret in secrets:
        try:
            Webhook(secret).verify(body, wanted, json_parse=False)
        except (WebhookVerificationError, ValueError):
            # ValueError: a signature that is not `version,base64`, or a body that is not UTF-8.
            continue
        return True
    return False


def signed_headers(secrets: Sequence[str], message_id: str, body: bytes) -> dict[str, str]:
    """The three headers for `body`, signed with every current secret."""
    now = datetime.now(tz=UTC)
    text = body.decode("utf-8")
    signatures = " ".join(Webhook(secret).sign(message_id, now, text) for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signatures,
    }
