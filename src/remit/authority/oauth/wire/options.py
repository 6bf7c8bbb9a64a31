"""What an operator may set, each with unit and default; hard ceilings are in `Limits`."""

from dataclasses import dataclass, field
from datetime import timedelta

from remit.authority.oauth.wire.client_options import DocumentClients, DynamicClients
from remit.authority.oauth.wire.errors import InvalidRequest
from remit.authority.oauth.wire.proof_pace import PROOFS_PER_MINUTE


class BadIssuer(InvalidRequest):
    """The configured issuer can't name an authorization server."""

    code = "bad_issuer"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthOptions:
    """Issuer identifier, lifetimes and proofs of one tenant's authorization server.

    `issuer` comes from settings alone, never from a request header; it ends in no slash (standards 0.2).
    `trust_domain` is that of the SPIFFE IDs of its agents and the audience of its envelopes.
    """

    issuer: str
    trust_domain: str
    access_token_life: timedelta = timedelta(seconds=300)
    bearer_token_life: timedelta = timedelta(seconds=120)
    """Life of a token that is bound to no key: shorter, because whoever holds it is believed."""
    assertion_life: timedelta = timedelta(seconds=300)
    """How far ahead a client assertion may expire."""
    require_nonce: bool = False
    """Whether proofs at the token endpoint must carry our nonce (RFC 9449 §8)."""
    proofs_per_minute: int = PROOFS_PER_MINUTE
    """Proofs of one key that each door takes in a minute."""
    strict_assertion_type: bool = False
    """Whether a client assertion must have `typ` `client-authentication+jwt` (RFC 10070)."""
    documents: DocumentClients = field(default_factory=DocumentClients)
    """Which clients may be metadata documents, and whose instances they are."""
    dynamic: DynamicClients = field(default_factory=DynamicClients)
    """Who may register a client by itself (RFC 7591)."""
    certificates: bool = False
    """Whether clients may prove themselves by a certificate (RFC 8705): whoever ends TLS tells us of it."""
    authorities: bool = False
    """Whether there are authorities whose certificates name clients (`tls_client_auth`)."""
    status_lists: bool = False
    """Whether tokens have a place in a published status list."""
    devices: bool = False
    """Whether devices without a browser may ask (RFC 8628)."""
    chain_limit: int = 10
    """Members of the actor chain at most."""
    workloads: bool = False
    """Whether workloads of trusted issuers prove themselves by assertions here."""
    saml: bool = False
    """Whether such an assertion may be SAML (RFC 7522)."""
    domains: bool = False
    """Whether grants of other domains are taken and given, as far as the trust matrix goes."""
    transactions: bool = False
    """Whether transaction tokens can be had (draft-ietf-oauth-transaction-tokens-10)."""
    cache_size: int = 10_000
    """Verified tokens remembered at most."""

    def __post_init__(self) -> None:
        scheme, mark, rest = self.issuer.partition("://")
        if not mark or scheme not in {"https", "http"} or not rest or self.issuer.endswith("/"):
            raise BadIssuer(f"issuer `{self.issuer}` must be an absolute URL without a trailing slash")
        if "?" in rest or "#" in rest:
            raise BadIssuer(f"issuer `{self.issuer}` must have no query and no fragment (RFC 8414 §2)")

    @property
    def api(self) -> str:
        """Resource identifier of the HTTP API."""
        return f"{self.issuer}/api"

    @property
    def userinfo(self) -> str:
        """Where an application learns of a person, and the only resource of its tokens."""
        return f"{self.issuer}/userinfo"

    @property
    def token_endpoint(self) -> str:
        """Where tokens are had; `htu` of the proofs sent there."""
        return f"{self.issuer}/token"

    def mcp(self, server: str) -> str:
        """Resource identifier of one MCP server behind the gateway."""
        return f"{self.issuer}/mcp/{server}"
