"""Client authentication by `private_key_jwt` (RFC 7523 §2.2, §3, as updated by RFC 10070)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from remit.authority.oauth.clients import Client, client_of
from remit.authority.oauth.errors import UNVERIFIED, InvalidClient, InvalidRequest
from remit.authority.oauth.options import OAuthOptions
from remit.authority.oauth.parameters import Parameters
from remit.authority.oauth.repository import View
from remit.authority.tokens import Proof
from remit.identity.credentials import Credential, CredentialState
from remit.identity.principals import Kind
from remit.kernel.ids import KeyId, PrincipalId, TenantId
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.jwk import PublicKey, parse_jwk
from remit.kernel.jose.jwt import VerifiedJwt
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState
from remit.kernel.jose.profiles import PEER_LEEWAY, TokenType

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_STRICT_TYP: Final = TokenType.CLIENT_ASSERTION.value
_MARGIN: Final = timedelta(seconds=30)
"""Kept that much longer than it lives, so that a small step back of the clock revives nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """A client that proved itself, the key it used, and its assertion, which may be used once."""

    client: Client
    credential: KeyId
    assertion: Proof


class ClientAuthenticator:
    """Finds out who sends a request, by an assertion that the client signed with a registered key.

    1 one method, and it is `private_key_jwt`   2 the assertion names a client of ours
    3 registered key of that client, type, signature, audience (the issuer identifier alone), times
    4 `iss` = `sub` = `client_id`   5 it lives at most 300 s
    Whether it was used before is for the transaction that acts on it: the caller MUST burn `assertion`.
    Whether the client lives is not asked here. Raises `InvalidClient` with one hint for steps 2 to 5.
    """

    def __init__(self, *, options: OAuthOptions, tenant: TenantId) -> None:
        self._options = options
        self._tenant = tenant

    def authenticate(
        self, parameters: Parameters, *, authorization: str, view: View, at: datetime
    ) -> Authenticated:
        """Run the steps against one view of the directory."""
        # (1) RFC 6749 §2.3: never more than one method in a request.
        assertion = _one_method(parameters, authorization)
        # The numbers of steps 2 to 5 stand at their checks; the record says which one failed.
        try:
            client = self._client(jwt.peek_issuer(assertion), view)
            verified = self._verify(assertion, client, at)
            self._check_claims(verified, parameters, at)
        except TokenRejected as rejected:
            raise InvalidClient(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        return Authenticated(
            client=client,
            credential=verified.record.kid,
            assertion=Proof(
                key=f"assertion:{client.id}",
                jti=verified.claims.jti,
                keep_until=verified.claims.expires_at + PEER_LEEWAY + _MARGIN,
            ),
        )

    def _verify(self, assertion: str, client: Client, at: datetime) -> VerifiedJwt:
        keys = ClientKeys(client)
        # RFC 10070: the issuer identifier is the only audience; no endpoint's URL, no list of several.
        return jwt.verify(
            assertion,
            as_type=TokenType.CLIENT_ASSERTION,
            keys=keys,
            at=at,
            audience=self._options.issuer,
            # COMPAT: MCP clients sign assertions without `kid`; `iss` names whose few keys are tried.
            unnamed=keys.all(),
        )

    def _client(self, ident: str, view: View) -> Client:
        principal = view.principal(PrincipalId(ident))
        if principal is None or principal.tenant != self._tenant:
            raise TokenRejected(3, "client_unknown")
        is_instance = principal.kind is Kind.INSTANCE and principal.parent is not None
        client = client_of(
            principal,
            agent=view.principal(principal.parent) if is_instance and principal.parent else None,
            credentials=tuple(view.credentials_of(principal.id)),
            trust_domain=self._options.trust_domain,
        )
        if client is None:
            raise TokenRejected(3, "client_kind")
        return client

    def _check_claims(self, verified: VerifiedJwt, parameters: Parameters, at: datetime) -> None:
        claims = verified.claims
        # (4) RFC 7523 §3 (2), (3); the key's owner is `iss` already.
        if claims.subject != claims.issuer:
            raise TokenRejected(6, "subject_differs")
        if parameters.get("client_id") not in {"", claims.issuer}:
            raise TokenRejected(6, "client_id_differs")
        # (5) From its own `iat` and from our clock, which a peer's may lead a little.
        life = self._options.assertion_life
        if claims.expires_at - (claims.issued_at or at) > life or claims.expires_at - at > life + PEER_LEEWAY:
            raise TokenRejected(6, "lives_too_long")
        if self._options.strict_assertion_type and _typ(verified.raw) != _STRICT_TYP:
            raise TokenRejected(4, "wrong_type")


class ClientKeys:
    """The registered keys of one client, as key records (`KeyLookup`)."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        """The key of that id, if the class is the one of the client's kind."""
        if key_class is not self._key_class:
            return None
        found = next((known for known in self._client.credentials if known.id == kid), None)
        return None if found is None else record_of(found, issuer=self._client.id, key_class=key_class)

    def all(self) -> tuple[KeyRecord, ...]:
        """Every key of the client that still counts."""
        return tuple(
            record_of(known, issuer=self._client.id, key_class=self._key_class)
            for known in self._client.credentials
            if known.state is CredentialState.ACTIVE
        )

    @property
    def _key_class(self) -> KeyClass:
        return KeyClass.PERSON if self._client.kind is Kind.HUMAN else KeyClass.CLIENT


def record_of(credential: Credential, *, issuer: str, key_class: KeyClass) -> KeyRecord:
    """See a registered credential as a key record; its owner is the only issuer it speaks for."""
    return KeyRecord(
        tenant=credential.tenant,
        issuer=issuer,
        kid=credential.id,
        key_class=key_class,
        public=_public(credential.jwk, credential.algorithm),
        state=KeyState.ACTIVE if credential.state is CredentialState.ACTIVE else KeyState.RETIRED,
        not_before=credential.created_at,
        not_after=credential.not_after,
        # COMPAT: client libraries write `EdDSA`; the key is the registered one all the same.
        eddsa_alias=True,
    )


@lru_cache(maxsize=4096)
def _public(jwk: str, algorithm: str) -> PublicKey:
    """A pure function of what was registered; parsing checks the point, which is worth remembering."""
    return parse_jwk(jwk, algorithm=Algorithm(algorithm))


def _one_method(parameters: Parameters, authorization: str) -> str:
    assertion = parameters.get("client_assertion")
    if parameters.get("client_secret") or (authorization and assertion):
        raise InvalidRequest("use one client authentication: `private_key_jwt`", reason="client_auth_several")
    if authorization:
        raise InvalidClient("clients authenticate with `private_key_jwt`", reason="client_auth_method")
    if not assertion:
        raise InvalidClient("`client_assertion` is missing", reason="client_auth_missing")
    if parameters.get("client_assertion_type") != ASSERTION_TYPE:
        raise InvalidClient("`client_assertion_type` is not known", reason="client_auth_type")
    return assertion


def _typ(token: str) -> str:
    return jws.header_of(jws.take_apart(token).protected).typ
