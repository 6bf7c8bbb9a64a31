"""SMS: a provider's HTTP form as Twilio's, or a signed webhook for any other gateway."""

import base64
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from remit.kernel.outbound import Outbound
from remit.oversight.notices.delivery import Parcel, Receipt
from remit.platform.channels.exit import post
from remit.platform.channels.standard_webhooks import signed
from remit.platform.channels.wording import short_of

_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """Hands over one short text; whether it arrived is not known until the person is seen."""

    outbound: Outbound

    async def send(self, parcel: Parcel) -> Receipt:
        """By the account's API where there is an account, else as a signed fact."""
        await (self._form(parcel) if parcel.channel.account else self._fact(parcel))
        return Receipt.HANDED

    async def _form(self, parcel: Parcel) -> None:
        account = parcel.channel.account
        url = f"{parcel.channel.url.rstrip('/')}/2010-04-01/Accounts/{quote(account, safe='')}/Messages.json"
        body = urlencode({"From": parcel.channel.sender, "To": parcel.address, "Body": short_of(parcel)})
        basic = base64.b64encode(f"{account}:{parcel.secrets.key}".encode()).decode()
        headers = {"content-type": _FORM, "authorization": f"Basic {basic}"}
        await post(self.outbound, url, body.encode(), headers)

    async def _fact(self, parcel: Parcel) -> None:
        body = msgspec.json.encode(
            {
                "type": "remit.sms",
                "timestamp": parcel.at.isoformat(),
                "data": {"message": parcel.id, "to": parcel.address, "text": short_of(parcel)},
            }
        )
        secrets = (parcel.secrets.key, parcel.secrets.before)
        headers = signed(body, ident=parcel.id, at=parcel.at, secrets=secrets)
        await post(self.outbound, parcel.channel.url, body, {"content-type": "application/json", **headers})
