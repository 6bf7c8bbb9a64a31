"""Device code (RFC 8628 §3.4): a device asks again and again until a person has answered elsewhere.

1 the client is registered for it   2 the code is its own, shown with the key that asked   3 what was given
and fetched before ends, with all that came of it   4 nobody answered yet: pending, or slower   5 everything
that the token stands on is alive   6 it is fetched where the token is issued, once
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from remit.authority.oauth import opaque
from remit.authority.oauth.client_sessions import SessionMint
from remit.authority.oauth.device import SLOWER, DeviceRequest, DeviceState, too_soon
from remit.authority.oauth.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidGrant,
    OAuthError,
    SlowDown,
)
from remit.authority.oauth.grants.authorization_code import (
    SpendCode,
    family_of,
    registered_for,
    replayed,
)
from remit.authority.oauth.registration import DEVICE, ClientRegistration
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.requests import Asking, Draft
from remit.kernel.canonical import Digest
from remit.kernel.ids import Entropy

NO_GOOD: Final = "the device code is not good"


class DeviceCodeGrant:
    """Earns a device the tokens of what a person allowed it."""

    type: Final = DEVICE

    def __init__(self, *, mint: SessionMint, entropy: Entropy) -> None:
        self._mint = mint
        self._entropy = entropy

    def draft(self, asking: Asking) -> Draft:
        """Judge the device code; a poll that is too soon is known where it is counted."""
        registration = registered_for(DEVICE, asking)
        device = self._device(asking, registration)
        code = asking.tx.codes.get(device.id)
        if code is None or device.state is not DeviceState.APPROVED:
            raise _unanswered(device, asking.request.at)
        if code.spent_at is not None:
            raise replayed(code)
        if asking.request.at >= code.expires_at:
            raise ExpiredToken("the device code has run out", reason="device_expired")
        family = family_of(code, registration, asking)
        return Draft(
            token=self._mint.token(asking, family),
            spend=SpendCode(code=code, family=family, registration=registration, entropy=self._entropy),
        )

    def _device(self, asking: Asking, registration: ClientRegistration) -> DeviceRequest:
        text = asking.request.parameters.need("device_code")
        known = asking.tx.devices.get(opaque.digest_of(text)) if opaque.is_one(opaque.DEVICE, text) else None
        if known is None or known.request.returning.client_id != registration.client_id:
            raise InvalidGrant(NO_GOOD, reason="device_unknown" if known is None else "device_other_client")
        # Whoever can't show the key that asked learns nothing, and ends nothing.
        if known.request.key and (asking.proof is None or asking.proof.key != known.request.key):
            raise InvalidGrant(NO_GOOD, reason="device_other_key")
        return known


def count_poll(tx: OAuthTransaction, ident: Digest, *, at: datetime) -> OAuthError:
    """Put one poll on record, in an open transaction; what its device is told (RFC 8628 §3.5).

    INVARIANT: of polls that come together only one is in time; the others are too soon (CB-09).
    """
    known = tx.devices.get(ident)
    if known is None:
        return ExpiredToken("the device code has run out", reason="device_expired")
    soon = too_soon(known, at)
    interval = known.interval + SLOWER if soon else known.interval
    counted = tx.devices.poll(replace(known, polled_at=at, interval=interval), was=known)
    if soon or not counted:
        return SlowDown("the device polls too fast", reason="device_slow_down")
    return AuthorizationPending("nobody has answered yet", device=ident)


def _unanswered(device: DeviceRequest, at: datetime) -> OAuthError:
    if device.state is DeviceState.DENIED:
        return AccessDenied("the request was denied", reason=device.cause)
    if at >= device.expires_at:
        return ExpiredToken("the device code has run out", reason="device_expired")
    return AuthorizationPending("nobody has answered yet", device=device.id)
