"""A token request as the grants see it: who asks, with which proof, for what."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from remit.authority.oauth.proving.client_auth import Authenticated
from remit.authority.oauth.repository import OAuthTransaction, View
from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oauth.wire.errors import TemporarilyUnavailable
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.oidc.id_token import IdToken
from remit.authority.tokens import Proof
from remit.authority.verify import VerifiedEnvelope
from remit.kernel.canonical import JsonObject
from remit.kernel.certificate import PresentedCertificate
from remit.kernel.jose.keys import KeyClass


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What came to the token endpoint, nothing of it believed yet.

    `authorization` is the header's whole value, or empty; `proofs` all `DPoP` headers.
    """

    parameters: Parameters
    authorization: str
    proofs: tuple[str, ...]
    at: datetime
    generation: int
    certificate: PresentedCertificate | None = None
    """What the client showed in its TLS handshake, where whoever ended that is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A request whose client is proven, on one consistent view of the directory."""

    request: TokenRequest
    who: Authenticated
    proof: Proof | None
    """The proof of possession to burn, its key being the one to bind to; None for a lawful Bearer token."""
    view: View
    reading: OAuthTransaction | None = None
    """The transaction behind the view, open for reading alone; none where the view is held in memory."""

    @property
    def tx(self) -> OAuthTransaction:
        """The transaction; a grant that asks for it is never judged on memory (`TokenEndpoint`)."""
        if self.reading is None:
            raise TemporarilyUnavailable("this grant needs the store", reason="no_transaction")
        return self.reading


class Spend(Protocol):
    """What earns a token once, and is used up by it."""

    def apply(self, tx: OAuthTransaction, *, at: datetime) -> str:
        """Use it up, or raise `InvalidGrant`; the refresh token to give, or an empty string."""


class Begin(Protocol):
    """What a grant begins, and its token stands on."""

    def apply(self, tx: OAuthTransaction, token: AccessToken, *, at: datetime) -> AccessToken:
        """Begin it, or go on with it; the token as it stands on that. Raises `InvalidGrant`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A JWT that is no token of access here: for another domain, or for services behind the gateway.

    `kind` is its record's. `life` counts from now. It stands on all that the draft's token stands on.
    """

    kind: str
    typ: str
    key_class: KeyClass
    claims: JsonObject
    life: timedelta
    detail: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """An envelope with one more hop, for whom that names. It leaves once the hop is on record."""

    text: str
    said: JsonObject
    """What the answer says of it: `scope`, `authorization_details`."""
    life: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A token that a grant allows; it is issued only if all still lives in the issuing transaction."""

    token: AccessToken
    envelope: VerifiedEnvelope | None = None
    """To be put on record with it."""
    issued_token_type: str = ""
    """Named in the answer to an exchange (RFC 8693 §2.2.1)."""
    spend: Spend | None = None
    """A code or refresh token that earns it, used up in the transaction that issues it."""
    id_token: IdToken | None = None
    """What its client learns of the person with it."""
    begin: Begin | None = None
    """What it begins in the transaction that issues it."""
    outgoing: Outgoing | None = None
    """What leaves in the token's place; the token then is the ground that it stands on, and is not signed."""
    extended: Extended | None = None
    """As `outgoing`: the text of `envelope`, which is longer than what was shown."""


class Grant(Protocol):
    """One way to earn a token."""

    @property
    def type(self) -> str:
        """The `grant_type`."""

    def draft(self, asking: Asking) -> Draft:
        """Judge the request, or raise an `OAuthError`; reads, writes nothing."""
