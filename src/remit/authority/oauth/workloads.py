"""Workloads of trusted issuers at the token endpoint: an assertion instead of a registered key.

Four ways in: the grant `jwt-bearer` (RFC 7523 §2.1, RFC 10070), the grant `saml2-bearer` (RFC 7522 §2.1)
where SAML is spoken, and SPIFFE client authentication (draft-ietf-oauth-spiffe-client-auth-02) with a
JWT-SVID or, over mutual TLS, an X.509-SVID, for every grant. Each way the workload is an instance of the
agent that a rule names. Its tokens are bound to the key of its DPoP proof, which becomes the instance's
registered key; after an X.509-SVID to that certificate, whose key is the instance's.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from remit.authority.oauth.clients.client import Binding, client_of
from remit.authority.oauth.domains.grant import is_one
from remit.authority.oauth.metadata import GRANT_JWT_BEARER, GRANT_SAML2_BEARER
from remit.authority.oauth.proving.client_auth import Authenticated
from remit.authority.oauth.proving.requests import TokenRequest
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire.errors import (
    UNVERIFIED,
    InvalidClient,
    InvalidDpopProof,
    InvalidGrant,
    InvalidRequest,
    OAuthError,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.tokens import Proof
from remit.identity.federation.admission import Admission, perform, plan
from remit.identity.federation.assertion import Form, VerifiedAssertion
from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.profiles import ProfileName
from remit.identity.federation.service import verify_in
from remit.identity.federation.x509_clients import svid_in
from remit.identity.spiffe import spiffe_id
from remit.kernel.certificate import PresentedCertificate
from remit.kernel.ids import Entropy, InstanceId, PrincipalId
from remit.kernel.jose.dpop import shown_key
from remit.kernel.jose.errors import ProofRejected
from remit.kernel.jose.jwk import PublicKey
from remit.kernel.jose.profiles import PEER_LEEWAY

SPIFFE_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"


class IssuerKeysFetch(Protocol):
    """Has the keys of an assertion's issuer brought up to date; `identity.federation.refresh` does it."""

    async def prepare(self, text: str, *, at: datetime, form: Form = Form.JWT) -> None:
        """Return once that is done, or can't be done now."""

    async def renew(self, shown: PresentedCertificate, *, at: datetime) -> None:
        """The same for the bundle of the trust domain that a certificate claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A workload that proved itself, as a client; the instance is made with its first token."""

    who: Authenticated
    admission: Admission
    refused: type[OAuthError]
    entropy: Entropy
    once: bool = True
    """Whether what proved it may be bound to be shown once; a certificate is shown on each connection."""

    @property
    def on_record(self) -> Authenticated:
        """Whom a refusal is about: the agent, as long as there is no instance."""
        if not self.admission.fresh:
            return self.who
        return replace(self.who, client=replace(self.who.client, id=PrincipalId(self.admission.agent.id)))

    def apply(self, tx: OAuthTransaction, *, at: datetime) -> None:
        """Use the assertion up, where it may be shown once, and make the instance."""
        assertion = self.admission.assertion
        # RFC 7523 §3 (7); by digest, as platforms leave `jti` out or use it for many (security 4).
        if (
            self.once
            and not assertion.issuer.repeatable
            and not all(tx.replay.burn(assertion.issuer.tenant, proof) for proof in _proofs(assertion))
        ):
            raise self.refused(UNVERIFIED, reason="assertion_replayed")
        try:
            perform(tx, self.admission, at=at, entropy=self.entropy)
        except AssertionRejected as rejected:
            raise self.refused(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected


class WorkloadDesk:
    """Admits workloads; a request that brings no foreign assertion is none of its business."""

    def __init__(self, *, options: OAuthOptions, keys: IssuerKeysFetch, entropy: Entropy) -> None:
        self._options = options
        self._keys = keys
        self._entropy = entropy
        self._grants = frozenset({GRANT_JWT_BEARER, *((GRANT_SAML2_BEARER,) if options.saml else ())})

    async def prepare(self, request: TokenRequest) -> None:
        """Before anything is judged: have the issuer's keys. Does nothing without a foreign assertion."""
        text = self._assertion(request.parameters)
        if text:
            await self._keys.prepare(text, at=request.at, form=_form(request.parameters))
        elif (shown := self._svid(request)) is not None:
            await self._keys.renew(shown, at=request.at)

    def admit(self, tx: OAuthTransaction, request: TokenRequest) -> Admitted | None:
        """Who comes, on one view; None if no foreign assertion was brought. Raises an `OAuthError`.

        1 one way in, alone   2 one DPoP proof, whose key is the instance's from now on
        3 the assertion verifies, and came by the way of its kind   4 a rule names the agent
        5 the instance is found, or planned
        """
        parameters = request.parameters
        text = self._assertion(parameters)
        if not text:
            return self._certified(tx, request)
        # (1) An assertion is a grant or a client's proof, never both and never the other (RFC 8725 §3.12).
        refused = _way(parameters, request)
        public = _shown(request)
        try:
            assertion = verify_in(tx, text, at=request.at, form=_form(parameters))
            _check_way(assertion, refused)
            admission = plan(tx, assertion, public, at=request.at, entropy=self._entropy)
        except AssertionRejected as rejected:
            raise refused(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        if parameters.get("client_id") not in self._names(admission):
            raise refused(UNVERIFIED, reason="client_id_differs")
        return Admitted(
            who=self._client(admission, refused), admission=admission, refused=refused, entropy=self._entropy
        )

    def _certified(self, tx: OAuthTransaction, request: TokenRequest) -> Admitted | None:
        """A workload that its X.509-SVID proves; it says its SPIFFE ID as `client_id`, and nothing else."""
        shown = self._svid(request)
        if shown is None:
            return None
        _check_alone(request)
        try:
            assertion, public = self._verified(tx, shown, request.at)
            admission = plan(tx, assertion, public, at=request.at, entropy=self._entropy)
        except AssertionRejected as rejected:
            raise InvalidClient(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        if request.parameters.get("client_id") != assertion.subject:
            raise InvalidClient(UNVERIFIED, reason="client_id_differs")
        who = self._client(admission, InvalidClient)
        bound = replace(who, client=replace(who.client, binding=Binding.CERTIFICATE))
        return Admitted(
            who=bound, admission=admission, refused=InvalidClient, entropy=self._entropy, once=False
        )

    def _verified(
        self, tx: OAuthTransaction, shown: PresentedCertificate, at: datetime
    ) -> tuple[VerifiedAssertion, PublicKey]:
        return svid_in(tx, shown, at=at)

    def _svid(self, request: TokenRequest) -> PresentedCertificate | None:
        """The certificate of a client that calls itself by a SPIFFE ID, which no registered one does."""
        named = request.parameters.values.get("client_id", ())
        spiffe = len(named) == 1 and named[0].startswith("spiffe://")
        return request.certificate if spiffe and self._options.certificates else None

    def _assertion(self, parameters: Parameters) -> str:
        if parameters.get("client_assertion_type") == SPIFFE_ASSERTION_TYPE:
            return parameters.need("client_assertion")
        if parameters.get("grant_type") not in self._grants:
            return ""
        # A grant of another domain is no workload's: its client proves itself beside it.
        of_domain = self._options.domains and is_one(parameters)
        return "" if of_domain else parameters.need("assertion")

    def _client(self, admission: Admission, refused: type[OAuthError]) -> Authenticated:
        client = client_of(
            admission.instance,
            agent=admission.agent,
            credentials=(admission.credential,),
            trust_domain=self._options.trust_domain,
        )
        if client is None:
            raise refused(UNVERIFIED, reason="client_kind")
        return Authenticated(client=client, credential=admission.credential.id, assertion=None)

    def _names(self, admission: Admission) -> frozenset[str]:
        """What a workload may call itself: nothing, its own SPIFFE ID, or the instance that it is."""
        ident = admission.instance.id
        ours = spiffe_id(self._options.trust_domain, admission.agent.name, InstanceId(ident))
        return frozenset({"", admission.assertion.subject, ident, ours})


def _form(parameters: Parameters) -> Form:
    return Form.SAML if parameters.get("grant_type") == GRANT_SAML2_BEARER else Form.JWT


def _way(parameters: Parameters, request: TokenRequest) -> type[InvalidGrant | InvalidClient]:
    """The error of the way that was taken; two ways at once are none."""
    svid = parameters.get("client_assertion_type") == SPIFFE_ASSERTION_TYPE
    grant = parameters.get("grant_type") in {GRANT_JWT_BEARER, GRANT_SAML2_BEARER}
    shown = parameters.get("client_assertion") or parameters.get("client_secret")
    if request.authorization or (svid and grant) or (grant and shown) or parameters.get("client_secret"):
        raise InvalidRequest(
            "a workload proves itself by its one assertion alone", reason="client_auth_several"
        )
    return InvalidClient if svid else InvalidGrant


def _check_alone(request: TokenRequest) -> None:
    """A certificate is a client's proof alone, or none (RFC 6749 §2.3)."""
    proofs = ("client_assertion", "client_assertion_type", "client_secret")
    if request.authorization or any(map(request.parameters.get, proofs)):
        raise InvalidRequest(
            "a workload proves itself by its certificate alone", reason="client_auth_several"
        )


def _check_way(assertion: VerifiedAssertion, refused: type[OAuthError]) -> None:
    """A JWT-SVID is a client's proof, everything else a grant (AS-05)."""
    if (assertion.issuer.profile is ProfileName.SPIFFE) != (refused is InvalidClient):
        raise AssertionRejected(4, "assertion_way", debug=assertion.issuer.profile)


def _shown(request: TokenRequest) -> PublicKey:
    """The key that the proof names; that the sender holds it is proven by `PossessionCheck`, always."""
    if len(request.proofs) != 1:
        reason = "proof_repeated" if request.proofs else "proof_missing"
        raise InvalidDpopProof("one `DPoP` proof is required", reason=reason)
    try:
        return shown_key(request.proofs[0])
    except ProofRejected as rejected:
        raise InvalidDpopProof(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected


def _proofs(assertion: VerifiedAssertion) -> tuple[Proof, ...]:
    """What is remembered of an assertion: what was signed, and its own number if it has one."""
    issuer, until = assertion.issuer.id, assertion.expires_at + PEER_LEEWAY
    digest = Proof(key=f"workload:{issuer}", jti=assertion.digest, keep_until=until)
    if not assertion.jti:
        return (digest,)
    return (digest, Proof(key=f"workload-jti:{issuer}", jti=assertion.jti[:256], keep_until=until))
