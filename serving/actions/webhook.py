"""Effects as signed webhooks.

They bear the signature of the Standard Webhooks scheme (standardwebhooks.com, v1: HMAC-SHA256). Who receives one can
check with any library of it that the body is ours and new.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

import httpx

from serving.actions.connectors import DeliveryError
from serving.actions.events import MEDIA_TYPE
from serving.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.actions.outbox_row import Row

KEY_PREFIX: Final = "whsec_"
LEAST_KEY_BYTES: Final = 24
"""Standard Webhooks asks for 24 to 64."""
WEBHOOK_SECONDS: Final = 10.0
_RETRY_AFTER_MOST: Final = 86_400


class WebhookConnector:
    """Posts each event to an address, signed."""

    def __init__(self, url: str, keys: Sequence[bytes], machine_time: Callable[[], float]) -> None:
        """Describe the target.

        Args:
            url: Where to post.
            keys: Secrets; the first is ours, further ones are being replaced by it.
            machine_time: The machine's time in Unix seconds, which receivers compare with their own.
        """
        address = httpx.URL(url)
        self.target = str(address.copy_with(username=None, password=None, query=None))
        self._url = address
        self._keys = tuple(keys)
        self._machine_time = machine_time
        self._client: httpx.AsyncClient | None = None

    async def deliver(self, row: Row) -> None:
        """Post the event; any status from 200 to 299 counts as taken.

        Raises:
            DeliveryError: There was no such answer in time.
        """
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=WEBHOOK_SECONDS, follow_redirects=False)
        timestamp = int(self._machine_time())
        headers = {
            "content-type": MEDIA_TYPE,
            "webhook-id": row.event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._keys, row.event_id, timestamp, row.body),
        }
        try:
            async with asyncio.timeout(WEBHOOK_SECONDS):
                answer = await self._client.post(self._url, content=row.body, headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise DeliveryError(f"{self.target}: {type(error).__name__}") from error
        if not answer.is_success:
            raise DeliveryError(f"{self.target} answered {answer.status_code}", _retry_after(answer))

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    return min(float(text), _RETRY_AFTER_MOST) if text.isdigit() else None


def signature(keys: Sequence[bytes], event_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one `v1` signature for each key, apart by spaces."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def webhook_keys(secrets: str) -> tuple[bytes, ...]:
    """Return the keys that *secrets* holds: one `whsec_...`, or two apart by a space while one replaces the other.

    Raises:
        SettingsError: One is none; the message does not repeat it.
    """
    keys = []
    for secret in secrets.split():
        try:
            key = base64.b64decode(secret.removeprefix(KEY_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not secret.startswith(KEY_PREFIX) or len(key) < LEAST_KEY_BYTES:
            raise SettingsError(
                f"KEEPGROW_WEBHOOK_SECRET: a secret is {KEY_PREFIX} and the base64 of {LEAST_KEY_BYTES} random "
                "bytes or more"
            )
        keys.append(key)
    return tuple(keys)


def make_webhook(url: str, secrets: str, machine_time: Callable[[], float]) -> WebhookConnector:
    """Return the connector that posts to *url*; see `webhook_keys` on *secrets*.

    Raises:
        SettingsError: The address or a secret is none.
    """
    try:
        return WebhookConnector(url, webhook_keys(secrets), machine_time)
    except httpx.InvalidURL as error:
        raise SettingsError(f"KEEPGROW_OUTBOX: an address is none: {error}") from error
