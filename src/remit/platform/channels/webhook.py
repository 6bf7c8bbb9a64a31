"""Signed webhooks: what is told, as a fact for programs (Standard Webhooks 1.0)."""

from dataclasses import dataclass

import msgspec

from remit.kernel.outbound import Outbound
from remit.oversight.notices.delivery import Parcel, Receipt
from remit.platform.channels.exit import post
from remit.platform.channels.standard_webhooks import signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Posts JSON; 2xx within the time is a receipt. `webhook-id` stays the same with every try."""

    outbound: Outbound

    async def send(self, parcel: Parcel) -> Receipt:
        """Standard Webhooks: `type`, `timestamp`, `data`."""
        letter = parcel.letter
        facts = dict(letter.facts) or {
            "topic": letter.topic.value, "title": letter.title, "sentence": letter.sentence,
        }  # fmt: skip
        body = msgspec.json.encode(
            {
                "type": f"remit.{letter.topic.value}",
                "timestamp": parcel.at.isoformat(),
                "data": {"message": parcel.id, "link": parcel.link, **facts},
            }
        )
        secrets = (parcel.secrets.key, parcel.secrets.before)
        headers = signed(body, ident=parcel.id, at=parcel.at, secrets=secrets)
        await post(self.outbound, parcel.channel.url, body, {"content-type": "application/json", **headers})
        return Receipt.DELIVERED
