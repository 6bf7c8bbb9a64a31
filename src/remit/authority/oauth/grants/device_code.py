"""Device code (RFC 8628 §3.4): a device asks again and again until a person has answered elsewhere."""

from typing import Final

from remit.authority.oauth.asking.device import DeviceState
from remit.authority.oauth.clients.registration import DEVICE
from remit.authority.oauth.issuing.polled_grant import DEVICES, Answer, Polled, PolledGrant
from remit.authority.oauth.repository import OAuthTransaction
from remit.kernel.canonical import Digest

_ANSWERS: Final = {DeviceState.APPROVED: Answer.YES, DeviceState.DENIED: Answer.NO}


class DeviceCodeGrant(PolledGrant):
    """Earns a device the tokens of what a person allowed it."""

    type = DEVICE
    words = DEVICES

    def find(self, tx: OAuthTransaction, ident: Digest) -> Polled | None:
        """The request of that device code."""
        device = tx.devices.get(ident)
        if device is None:
            return None
        return Polled(
            id=device.id,
            client_id=device.request.returning.client_id,
            key=device.request.key,
            answer=_ANSWERS.get(device.state, Answer.NONE),
            cause=device.cause,
            expires_at=device.expires_at,
        )
