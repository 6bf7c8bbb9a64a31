"""How people are reached, in a house: channels set up over the API, facts heard, messages carried."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId
from remit.oversight.notices.message import Message
from remit.oversight.notices.reach import Subscription
from remit.platform.storage.outbox import Outbox
from support.house import House


async def add(house: House, name: str, kind: str, **body: Any) -> Any:
    """Set a channel up as the administrator; the answer's JSON."""
    reply = await house.api(house["admin"], "POST", "/channels", {"name": name, "kind": kind, **body})
    assert reply.status_code == 201, reply.text
    return reply.json()


async def reach(house: House, who: str, *ways: str) -> None:
    """Set somebody's order: `CHANNEL` or `CHANNEL=ADDRESS`."""
    routes = [{"channel": name, "address": to} for name, _, to in (each.partition("=") for each in ways)]
    path = f"/users/{house[who].id}/reach"
    reply = await house.api(house["admin"], "PUT", path, {"routes": routes})
    assert reply.status_code == 200, reply.text


async def heard(house: House) -> None:
    """Let every fact so far be heard; hearing one again makes nothing new."""
    reaching = house.services.reaching
    facts = await house.work.read(lambda tx: Outbox(tx.sql, tx.tenant).after(0))
    for each in facts:
        if each.event.name in reaching.subscriber().hears:
            await reaching.heard(each.event)


async def carried(house: House, *, rounds: int = 4) -> None:
    """Hear, then take as many steps as are due now."""
    await heard(house)
    for _ in range(rounds):
        await house.services.reaching.delivery.run_due()


async def told(house: House, who: str = "", about: str = "") -> list[Message]:
    """Messages, newest first."""
    person = PrincipalId(house[who].id) if who else None
    return list(
        await house.services.reaching.service.messages(
            state=None, person=person, about=about, after=None, limit=100
        )
    )


@dataclass
class PushBrowser:
    """What a browser keeps of its subscription, and how it reads what comes (RFC 8291 §3)."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def subscription(self, endpoint: str) -> Subscription:
        return Subscription(endpoint=endpoint, p256dh=b64u(self.public), auth=b64u(self.auth))

    def read(self, body: bytes) -> bytes:
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(sealed) <= size
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.key.exchange(ec.ECDH(), theirs)
        info = b"WebPush: info\0" + self.public + sender
        ikm = _mac(_mac(self.auth, shared), info + b"\1")
        prk = _mac(salt, ikm)
        key = _mac(prk, b"Content-Encoding: aes128gcm\0\1")[:16]
        nonce = _mac(prk, b"Content-Encoding: nonce\0\1")[:12]
        plain = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")
        assert plain.endswith(b"\2")
        return plain[:-1]


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def slack_headers(body: bytes, key: str, moment: float) -> dict[str, str]:
    """As Slack signs what it sends."""
    at = str(int(moment))
    mac = hmac.new(key.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "x-slack-request-timestamp": at,
        "x-slack-signature": f"v0={mac}",
        "content-type": "application/x-www-form-urlencoded",
    }


def standard_signature(secret: str, headers: dict[str, str], body: bytes) -> str:
    """As a receiver computes it (Standard Webhooks)."""
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
