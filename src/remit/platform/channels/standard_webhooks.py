"""Signatures of webhooks as in Standard Webhooks 1.0: id, time and body under one secret."""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from typing import Final

from remit.kernel.errors import Unavailable

PREFIX: Final = "whsec_"


def make_secret(raw: bytes) -> str:
    """A secret of 24 to 64 random bytes, as receivers' libraries take it."""
    return PREFIX + base64.b64encode(raw).decode()


def signed(body: bytes, *, ident: str, at: datetime, secrets: tuple[str, ...]) -> dict[str, str]:
    """The three headers; more than one secret while a change of it goes on."""
    moment = str(int(at.timestamp()))
    text = b".".join((ident.encode(), moment.encode(), body))
    return {
        "webhook-id": ident,
        "webhook-timestamp": moment,
        "webhook-signature": " ".join(f"v1,{_mac(each, text)}" for each in secrets if each),
    }


def _mac(secret: str, text: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as wrong:
        raise Unavailable("the webhook's secret is none") from wrong
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
