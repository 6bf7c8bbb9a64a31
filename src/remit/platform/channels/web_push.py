"""Web Push: a message that only the person's own browser can read, by a push service (RFC 8030)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from remit.kernel.canonical import b64u_decode
from remit.kernel.errors import Invalid
from remit.kernel.ids import Entropy
from remit.kernel.outbound import Outbound
from remit.oversight.notices.delivery import Parcel, Receipt
from remit.oversight.notices.errors import Rejected
from remit.oversight.notices.letter import URGENT
from remit.platform.channels.encryption import encrypt
from remit.platform.channels.exit import post
from remit.platform.channels.vapid import authorization

_SALT: Final = 16
_LONGEST: Final = 2_419_200
"""Seconds; push services keep nothing for longer than four weeks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPush:
    """Sends to push services of browsers whose hosts the operator allows."""

    outbound: Outbound
    hosts: Sequence[str]
    entropy: Entropy

    async def send(self, parcel: Parcel) -> Receipt:
        """RFC 8030 §5: 201 says that the service has it; the browser itself confirms."""
        subscription = parcel.subscription
        if subscription is None:
            raise Rejected("gone: no subscription")
        if not is_allowed(subscription.endpoint, self.hosts):
            raise Rejected("push service is not in `channels.push_hosts`")
        body = encrypt(
            _payload(parcel),
            to=_bytes(subscription.p256dh),
            auth=_bytes(subscription.auth),
            private=ec.generate_private_key(ec.SECP256R1()),
            salt=self.entropy(_SALT),
        )
        headers = {
            "content-type": "application/octet-stream",
            "content-encoding": "aes128gcm",
            "ttl": str(min(parcel.seconds, _LONGEST)),
            "urgency": "high" if parcel.letter.topic in URGENT else "normal",
            # RFC 8030 §5.4: a message that was not delivered yet gives way to its own next try.
            "topic": parcel.id[-32:],
            "authorization": authorization(
                parcel.secrets.key,
                endpoint=subscription.endpoint,
                contact=parcel.channel.sender,
                at=parcel.at,
            ),
        }
        await post(self.outbound, subscription.endpoint, body, headers, gone=True)
        return Receipt.HANDED


def is_allowed(endpoint: str, hosts: Sequence[str]) -> bool:
    """Whether a push service is one of these: a host, or `*.` and the end of one, or `host:port`."""
    try:
        parts = urlsplit(endpoint)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    names = {host} if port is None else {f"{host}:{port}"}
    plain = parts.scheme == "http" and not names & set(hosts)
    if plain or parts.scheme not in {"https", "http"} or parts.username is not None:
        return False
    return any(
        each in names or (port is None and each.startswith("*.") and host.endswith(each[1:]))
        for each in hosts
    )


def _payload(parcel: Parcel) -> bytes:
    letter = parcel.letter
    return msgspec.json.encode(
        {"id": parcel.id, "title": letter.title, "body": letter.sentence, "link": parcel.link}
    )


def _bytes(text: str) -> bytes:
    try:
        return b64u_decode(text)
    except Invalid as wrong:
        raise Rejected("subscription can't be encrypted for") from wrong
