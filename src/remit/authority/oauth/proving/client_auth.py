"""Client authentication: `private_key_jwt` (RFC 7523 §2.2, §3, RFC 10070), a certificate (RFC 8705), none.

A public client says its name and proves nothing here (RFC 6749 §2.1): what it shows besides, a code with its
verifier or a refresh token with its key, must do.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from remit.authority.oauth.clients.certificates import CertificateTrust
from remit.authority.oauth.clients.client import Client, client_of
from remit.authority.oauth.clients.keys import stated_keys
from remit.authority.oauth.clients.registration import AuthMethod, ClientRegistration
from remit.authority.oauth.proving import decoy
from remit.authority.oauth.repository import View
from remit.authority.oauth.wire.errors import UNVERIFIED, InvalidClient, InvalidRequest
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.tokens import Proof
from remit.identity.credentials import Credential, CredentialState
from remit.identity.principals import Kind, Principal
from remit.kernel.building import builder
from remit.kernel.certificate import PresentedCertificate
from remit.kernel.ids import KeyId, PrincipalId, TenantId
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.jwk import PublicKey, parse_jwk
from remit.kernel.jose.jwt import VerifiedJwt
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState
from remit.kernel.jose.profiles import PEER_LEEWAY, TokenType

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_OWN_NAMES: Final = ("https://", "cli_")
"""How the ids of clients begin that are not those of their principals."""
_STRICT_TYP: Final = TokenType.CLIENT_ASSERTION.value
_SIGNATURE: Final = 5
"""The step of `jwt.verify` that looks at the signature."""
_MARGIN: Final = timedelta(seconds=30)
"""Kept that much longer than it lives, so that a small step back of the clock revives nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """A client that proved itself, the key it used, and its assertion, which may be used once.

    A public client has proven nothing: it has no assertion, and its id stands for the key.
    """

    client: Client
    credential: KeyId
    assertion: Proof | None

    @property
    def registration(self) -> ClientRegistration | None:
        """What it was registered for, if it was; an instance that only exchanges needs none."""
        return self.client.registration

    @property
    def public(self) -> bool:
        """Whether anybody can say that they are this client."""
        return self.client.public


_authenticated, _used = builder(Authenticated), builder(Proof)


class ClientAuthenticator:
    """Finds out who sends a request, by an assertion that the client signed with a registered key.

    1 one method, the client's own: an assertion, or its name with its certificate, or of a public client
    its name alone   2 the name is a client's of ours, and not revoked
    3 registered key of that client, type, signature, audience (the issuer identifier alone), times
    4 `iss` = `sub` = `client_id`   5 it lives at most 300 s
    Whether it was used before is for the transaction that acts on it: the caller MUST burn `assertion`.
    Whether the client lives is not asked here. Raises `InvalidClient` with one hint for steps 2 to 5.
    """

    def __init__(
        self, *, options: OAuthOptions, tenant: TenantId, trust: CertificateTrust | None = None
    ) -> None:
        self._options = options
        self._tenant = tenant
        self._trust = trust or CertificateTrust()
        self._kept: tuple[View | None, dict[str, ClientKeys]] = (None, {})
        """What was found in the last view that never changes; no more of them than it has clients."""

    def authenticate(
        self,
        parameters: Parameters,
        *,
        authorization: str,
        view: View,
        at: datetime,
        certificate: PresentedCertificate | None = None,
        lasting: bool = False,
    ) -> Authenticated:
        """Run the steps against one view of the directory; a `lasting` one never changes."""
        # (1) RFC 6749 §2.3: never more than one method in a request.
        if _says_only_its_name(parameters, authorization):
            return self._named(parameters.get("client_id"), certificate, view, at)
        assertion = _one_method(parameters, authorization)
        # The numbers of steps 2 to 5 stand at their checks; the record says which one failed.
        try:
            shown = jwt.unproven(assertion)
            client, verified = self._proven(shown, view, at, lasting=lasting)
            _check_method(client)
            self._check_claims(verified, parameters, at)
        except TokenRejected as rejected:
            raise InvalidClient(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        return _authenticated(
            client=client,
            credential=_credential_id(client, verified),
            assertion=_used(
                key=f"assertion:{client.id}",
                jti=verified.claims.jti,
                keep_until=verified.claims.expires_at + PEER_LEEWAY + _MARGIN,
            ),
        )

    def _proven(
        self, shown: jwt.Unproven, view: View, at: datetime, *, lasting: bool
    ) -> tuple[Client, VerifiedJwt]:
        """SAFETY: whatever is refused before a signature was looked at costs one all the same (OA-22).

        Memory refuses nobody: where a `lasting` view says no, the store is asked, with every lookup.
        """
        try:
            keys = self._kept_keys(shown.issuer, view) if lasting else self._keys(shown.issuer, view)
            return keys.client, self._verify(shown, keys, at)
        except TokenRejected as rejected:
            if rejected.step < _SIGNATURE:
                decoy.spend(shown)
            raise

    def _named(
        self, ident: str, certificate: PresentedCertificate | None, view: View, at: datetime
    ) -> Authenticated:
        """A client that proves nothing, or a certificate; any other is told what a stranger is told."""
        try:
            client = self._client(ident, view)
        except TokenRejected as rejected:
            raise InvalidClient(UNVERIFIED, reason=rejected.reason) from rejected
        registration = client.registration
        shown = registration is not None and (
            registration.public
            or (certificate is not None and self._trust.proves(registration, certificate, at=at))
        )
        if not shown:
            raise InvalidClient(UNVERIFIED, reason="client_unproven")
        return Authenticated(client=client, credential=KeyId(client.client_id), assertion=None)

    def _keys(self, ident: str, view: View) -> "ClientKeys":
        return ClientKeys(self._client(ident, view))

    def _kept_keys(self, ident: str, view: View) -> "ClientKeys":
        seen, kept = self._kept
        if seen is not view:
            kept = {}
            self._kept = (view, kept)
        found = kept.get(ident)
        if found is None:
            found = kept[ident] = self._keys(ident, view)
        return found

    def _verify(self, assertion: jwt.Unproven, keys: "ClientKeys", at: datetime) -> VerifiedJwt:
        # RFC 10070: the issuer identifier is the only audience; no endpoint's URL, no list of several.
        return jwt.verify_unproven(
            assertion,
            as_type=TokenType.CLIENT_ASSERTION,
            keys=keys,
            at=at,
            audience=self._options.issuer,
            # COMPAT: MCP clients sign assertions without `kid`; `iss` names whose few keys are tried.
            unnamed=() if assertion.header.kid else keys.all(),
        )

    def _client(self, ident: str, view: View) -> Client:
        """The client of that id.

        SAFETY: each lookup is made, whatever those before it have found (OA-22).
        """
        registration, refused = _registered(ident, view)
        principal = view.principal(PrincipalId(ident) if registration is None else registration.principal)
        agent = view.principal(_agent_of(ident, principal))
        credentials = tuple(view.credentials_of(PrincipalId(ident) if principal is None else principal.id))
        if refused or principal is None or principal.tenant != self._tenant:
            raise TokenRejected(3, refused or "client_unknown")
        client = client_of(
            principal,
            agent=agent if principal.kind is Kind.INSTANCE and principal.parent is not None else None,
            credentials=credentials,
            trust_domain=self._options.trust_domain,
            registration=registration,
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
        self.client = client
        self._key_class = KeyClass.PERSON if client.kind is Kind.HUMAN else KeyClass.CLIENT
        self._records: dict[str, KeyRecord] = {}
        """Pure of the client; only what it has is kept."""

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        """The key of that id, if the class is the one of the client's kind."""
        if key_class is not self._key_class:
            return None
        found = self._records.get(kid) or self._found(kid)
        if found is not None:
            self._records[kid] = found
        return found

    def _found(self, kid: str) -> KeyRecord | None:
        found = next((known for known in self.client.credentials if known.id == kid), None)
        if found is None:
            return self._stated(kid)
        return record_of(found, issuer=self.client.client_id, key_class=self._key_class)

    def all(self) -> tuple[KeyRecord, ...]:
        """Every key of the client that still counts."""
        return tuple(
            record_of(known, issuer=self.client.client_id, key_class=self._key_class)
            for known in self.client.credentials
            if known.state is CredentialState.ACTIVE
        )

    def _stated(self, kid: str) -> KeyRecord | None:
        """The key that the client's own set gives that name, as the directory knows it."""
        registration = self.client.registration
        keys = stated_keys(registration.jwks) if registration is not None and registration.jwks else ()
        named = next((key for key in keys if key.kid == kid), None)
        known = None if named is None else self.client.credential_of(named.public.thumbprint)
        if known is None:
            return None
        record = record_of(known, issuer=self.client.client_id, key_class=self._key_class)
        return replace(record, kid=KeyId(kid))


_record = builder(KeyRecord)


def record_of(credential: Credential, *, issuer: str, key_class: KeyClass) -> KeyRecord:
    """See a registered credential as a key record; its owner is the only issuer it speaks for."""
    return _record(
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


def _registered(ident: str, view: View) -> tuple[ClientRegistration | None, str]:
    """The registration of that id, or why it is none any more.

    An instance that is a client under another name is none under its own.
    """
    if ident.startswith(_OWN_NAMES):
        found = view.registration(ident)
    else:
        known = view.registrations_of(PrincipalId(ident))
        found = next((each for each in known if each.client_id == ident), None)
        if known and found is None:
            return None, "client_renamed"
    return found, "" if found is None or found.live else "client_revoked"


def _agent_of(ident: str, principal: Principal | None) -> PrincipalId:
    """Whose instance it is; who is none stands for itself, so that the same is asked for everybody."""
    if principal is None:
        return PrincipalId(ident)
    return principal.id if principal.parent is None else PrincipalId(principal.parent)


def _check_method(client: Client) -> None:
    """A key that a client registered for its certificate signs no assertion."""
    registration = client.registration
    if registration is not None and registration.auth_method is not AuthMethod.PRIVATE_KEY_JWT:
        raise TokenRejected(3, "client_auth_method")


def _credential_id(client: Client, verified: VerifiedJwt) -> KeyId:
    """The directory's name of the key that signed, whatever the client calls it."""
    known = client.credential_of(verified.record.public.thumbprint)
    return verified.record.kid if known is None else known.id


def _says_only_its_name(parameters: Parameters, authorization: str) -> bool:
    if authorization or not parameters.get("client_id"):
        return False
    return not any(map(parameters.get, ("client_assertion", "client_assertion_type", "client_secret")))


def _one_method(parameters: Parameters, authorization: str) -> str:
    assertion, secret = parameters.get("client_assertion"), parameters.get("client_secret")
    if sum(map(bool, (assertion, secret, authorization))) > 1:
        raise InvalidRequest("use one client authentication: `private_key_jwt`", reason="client_auth_several")
    if authorization or secret:
        raise InvalidClient("clients authenticate with `private_key_jwt`", reason="client_auth_method")
    if not assertion:
        raise InvalidClient("`client_assertion` is missing", reason="client_auth_missing")
    if parameters.get("client_assertion_type") != ASSERTION_TYPE:
        raise InvalidClient("`client_assertion_type` is not known", reason="client_auth_type")
    return assertion


def _typ(token: str) -> str:
    return jws.header_of(jws.take_apart(token).protected).typ
