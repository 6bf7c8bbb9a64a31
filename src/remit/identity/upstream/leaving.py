"""A visitor on the way to a provider and back: one request, of one browser, answered once (OA-13, OA-27).

What was asked travels as `state`, sealed: nothing is kept here of visitors, and nobody else can read or
make one. It opens only together with the visit's cookie, for ten minutes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from remit.identity.upstream.errors import ArrivalRefused
from remit.identity.upstream.id_token import SKEW
from remit.identity.upstream.provider import IdentityProvider, IdpId, Language
from remit.kernel.canonical import Digest, b64u, sha256
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.sealed import SealedBox

LIFE: Final = timedelta(minutes=10)
ONWARD_LIMIT: Final = 2048
"""Characters of the address to go on to: `state` stands in a URL. A longer one is not gone on to."""
_RANDOM: Final = 32
_LIMIT: Final = 8192


class Aim(StrEnum):
    """What the visitor wants of the provider's word."""

    SIGN_IN = "sign_in"
    CONFIRM = "confirm"
    LINK = "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """One request to a provider. `session` is whose it is, where somebody is signed in already."""

    provider: IdpId
    aim: Aim
    nonce: str
    verifier: str
    onward: str
    max_age: timedelta
    asked_at: datetime
    session: str = ""

    @property
    def digest(self) -> Digest:
        """What is remembered of a request that was answered."""
        return sha256(self.nonce.encode())

    @property
    def keep_until(self) -> datetime:
        """Until when it could be answered again."""
        return self.asked_at + LIFE + SKEW

    @property
    def challenge(self) -> str:
        """RFC 7636 §4.2, S256."""
        return b64u(bytes.fromhex(sha256(self.verifier.encode())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What came back to our redirect URI; empty for what was not there."""

    state: str
    code: str = ""
    iss: str = ""
    error: str = ""


_BODY: Final = msgspec.json.Decoder(Leaving)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavingBox:
    """Makes and recognizes the requests of one tenant; the box holds its `Purpose.UPSTREAM` subkey."""

    box: SealedBox
    tenant: TenantId
    entropy: Entropy

    def leave(
        self,
        provider: IdentityProvider,
        *,
        aim: Aim,
        visit: str,
        onward: str,
        max_age: timedelta,
        at: datetime,
        session: str = "",
    ) -> tuple[Leaving, str]:
        """Make a request, and the `state` that stands for it."""
        leaving = Leaving(
            provider=provider.id,
            aim=aim,
            nonce=b64u(self.entropy(_RANDOM)),
            verifier=b64u(self.entropy(_RANDOM)),
            onward=onward if len(onward) <= ONWARD_LIMIT else "",
            max_age=max_age,
            asked_at=at,
            session=session,
        )
        return leaving, self.box.seal(msgspec.json.encode(leaving), context=self.context(visit))

    def recognize(self, state: str, *, visit: str, at: datetime) -> Leaving:
        """Read a `state` back. Raises `ArrivalRefused` unless this very browser was given it just now."""
        raw = self.box.open(state, context=self.context(visit)) if len(state) <= _LIMIT else None
        if raw is None:
            raise ArrivalRefused(1, "state_unknown")
        leaving = _BODY.decode(raw)
        if not -SKEW <= at - leaving.asked_at <= LIFE:
            raise ArrivalRefused(1, "state_old")
        return leaving

    def context(self, visit: str) -> list[bytes]:
        """What a `state` is bound to: the tenant and the browser."""
        return [b"identity/upstream", self.tenant.encode(), visit.encode()]


def check_return(leaving: Leaving, provider: IdentityProvider, returned: Returned) -> str:
    """Hold an answer against the request that it claims to answer; everything exact. The code.

    2 it came back to the address of its own provider (OA-27)   3 `iss` is the provider's, wherever it is
    promised or there (OA-10; RFC 9207 §2.4)   4 the provider said yes   5 a code is there.
    Raises `ArrivalRefused`. The caller MUST have spent the request before, and done step 1 with it.
    """
    if leaving.provider != provider.id or provider.language is not Language.OIDC or provider.oidc is None:
        raise ArrivalRefused(2, "other_provider")
    if (returned.iss or provider.oidc.iss_promised) and returned.iss != provider.issuer:
        raise ArrivalRefused(3, "other_issuer")
    # RFC 9207 §2.4: whoever is not proven to be the provider does not get its words shown; nor do others.
    if returned.error:
        raise ArrivalRefused(4, "provider_said_no", debug=returned.error[:64])
    if not returned.code:
        raise ArrivalRefused(5, "no_code")
    return returned.code
