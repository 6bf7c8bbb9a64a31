"""What a resource of ours does with an access token: verify it, whole, on every request (RFC 9068 §4)."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.authority.oauth.clients.client import BINDING_ATTRIBUTE, Binding
from remit.authority.oauth.proving.lineage import why_dead
from remit.authority.oauth.proving.presented import read_access_token
from remit.authority.oauth.repository import Standing, Standings
from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oauth.wire.errors import (
    UNVERIFIED,
    InsufficientScope,
    InvalidToken,
    LifelessToken,
    MissingToken,
    ProofRefused,
)
from remit.authority.oauth.wire.proof_pace import ProofPace
from remit.authority.tokens import Proof, VerifiedSubject
from remit.identity.principals import Principal
from remit.kernel.building import builder, changer
from remit.kernel.canonical import same_bytes
from remit.kernel.clock import Clock
from remit.kernel.ids import AgentId, InstanceId, KeyId, PrincipalId
from remit.kernel.jose.dpop import access_token_hash, verify_proof_for
from remit.kernel.jose.errors import ProofRejected, TokenRejected
from remit.kernel.jose.keys import KeyClass, KeyLookup

_DPOP: Final = "dpop"
_BEARER: Final = "bearer"
_SCHEMES: Final = frozenset({_DPOP, _BEARER})
_NEVER: Final = -1
"""An epoch that no view has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownToken:
    """A token whose signature by `kid` held, the epoch at which it was alive, and what follows from it."""

    token: AccessToken
    kid: KeyId
    epoch: int
    subject: VerifiedSubject
    """What it establishes, as yet without a proof."""
    ath: str
    """What a proof of possession for it must say."""


_at_epoch = changer(KnownToken, "epoch", int)
_with_proof = changer(VerifiedSubject, "proof", Proof)
_proof = builder(Proof)


class AccessTokenVerifier:
    """Verifies access tokens of one tenant, at one resource per call.

    1 one scheme, one token   2 type, signature, issuer, audience, times   3 the clock's generation, and
    everything that the token stands on is alive   4 bound key: scheme `DPoP` and a proof of that key over
    method, URL and token; bound to a certificate: that of the connection; unbound: scheme `Bearer`, of a
    client registered for it   5 scope
    The caller MUST burn `VerifiedSubject.proof` in the transaction that acts on the request.

    Step 2 is remembered by the digest of the whole token and the audience, bounded; times are judged on
    every hit, and step 3 again as soon as the epoch has moved. Raises `MissingToken`, `InvalidToken`,
    `ProofRefused`, `InsufficientScope`, or `TooManyProofs`.
    """

    def __init__(
        self,
        *,
        keys: KeyLookup,
        standings: Standings,
        clock: Clock,
        size: int = 10_000,
        pace: ProofPace | None = None,
    ) -> None:
        self._keys = keys
        self._standings = standings
        self._clock = clock
        self._size = size
        self._pace = pace or ProofPace()
        self._known: OrderedDict[tuple[bytes, str], KnownToken] = OrderedDict()

    def verify(
        self,
        authorization: str,
        dpop: list[str],
        method: str,
        url: str,
        audience: str,
        at: datetime,
        *,
        scopes: frozenset[str] = frozenset(),
        certificate: str = "",
    ) -> VerifiedSubject:
        """Run the steps; `url` is the configured external URL of the request, `scopes` those it needs."""
        scheme, text = _credentials(authorization)
        standing = self._standings.current()
        known = self._living(text, audience, standing, at)
        token = known.token
        proof = self._possession(scheme, known, dpop, method, url, at)
        if token.certificate:
            _check_certificate(token, certificate)
        elif not token.key:
            _check_bearer(token, standing)
        if not scopes <= token.scopes:
            raise InsufficientScope("the token lacks a scope that this needs", scopes=scopes)
        return _with_proof(known.subject, proof)

    async def verify_now(
        self,
        authorization: str,
        dpop: list[str],
        method: str,
        url: str,
        audience: str,
        *,
        certificate: str = "",
    ) -> VerifiedSubject:
        """Run the steps at this moment; a token may be younger than the view that this node holds.

        Its task, or its client, was committed before it was signed. So nothing is said to be dead before
        the view has caught up once: only a token with our signature ever costs that reading (DS-07).
        """
        try:
            return self._verify_at(authorization, dpop, method, url, audience, certificate)
        except LifelessToken:
            await self._standings.catch_up()
            return self._verify_at(authorization, dpop, method, url, audience, certificate)

    def client_of(self, subject: VerifiedSubject) -> Principal | None:
        """Whose token it is, on the view that tokens are judged on."""
        return self._standings.current().principal(PrincipalId(subject.client))

    def _verify_at(
        self, authorization: str, dpop: list[str], method: str, url: str, audience: str, certificate: str
    ) -> VerifiedSubject:
        at = self._clock.now()
        return self.verify(authorization, dpop, method, url, audience, at, certificate=certificate)

    def _living(self, text: str, audience: str, standing: Standing, at: datetime) -> KnownToken:
        name = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), audience)
        epoch, generation = standing.epoch(), self._clock.generation()
        known = self._known.get(name)
        if known is None or not self._still_signs(known.kid, at):
            self._known.pop(name, None)
            known = self._read(text, audience, at)
        token = known.token
        # INVARIANT: a hit of another epoch is judged as if it were new; time and clock on every hit.
        if known.epoch == epoch and at < token.expires_at and token.generation == generation:
            self._known.move_to_end(name)
            return known
        self._known.pop(name, None)
        if dead := why_dead(standing, token, generation=generation, at=at):
            raise LifelessToken(UNVERIFIED, reason=dead)
        return self._remember(name, _at_epoch(known, epoch))

    def _still_signs(self, kid: KeyId, at: datetime) -> bool:
        """Whether the signing key is believed now: a compromised one takes remembered tokens with it."""
        record = self._keys.find(kid, KeyClass.ACCESS_TOKEN)
        return record is not None and record.verifies(at)

    def _read(self, text: str, audience: str, at: datetime) -> KnownToken:
        """Verify the token itself; of what it stands on nothing is known yet."""
        try:
            token, kid = read_access_token(text, keys=self._keys, audience=audience, at=at)
        except TokenRejected as rejected:
            raise InvalidToken(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        return KnownToken(
            token=token, kid=kid, epoch=_NEVER, subject=subject_of(token, None), ath=access_token_hash(text)
        )

    def _remember(self, name: tuple[bytes, str], known: KnownToken) -> KnownToken:
        self._known[name] = known
        while len(self._known) > self._size:
            self._known.popitem(last=False)
        return known

    def _possession(
        self, scheme: str, known: KnownToken, dpop: list[str], method: str, url: str, at: datetime
    ) -> Proof | None:
        key = known.token.key
        # RFC 9449 §7.1, §7.2: a bound token is never taken as Bearer, an unbound one never as DPoP.
        if (scheme == _DPOP) != bool(key):
            raise InvalidToken(UNVERIFIED, reason="scheme_other")
        if not key:
            return None
        if len(dpop) != 1:
            raise ProofRefused("exactly one `DPoP` proof is required", reason="proof_missing")
        try:
            proof = verify_proof_for(dpop[0], method=method, target=url, at=at, ath=known.ath)
            proof.require_key(key)
        except ProofRejected as rejected:
            raise ProofRefused(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        self._pace.take(proof.thumbprint, at)
        return _proof(key=proof.thumbprint, jti=proof.jti, keep_until=proof.keep_until)


def subject_of(token: AccessToken, proof: Proof | None) -> VerifiedSubject:
    """What the token and its proof establish; a person's own token has no instance.

    A workload is the one instance of itself: what it does, and may repeat, is told apart by its id.
    """
    own = token.agent is not None or (token.user is None and token.task is None)
    own_instance = token.client if own else ""
    return VerifiedSubject(
        tenant=token.tenant,
        token=token.id,
        client=token.client,
        credential=token.credential,
        instance=InstanceId(own_instance),
        agent=token.agent or AgentId(own_instance),
        user=token.user,
        task=token.task,
        chain=token.instances or ((InstanceId(own_instance),) if own_instance else ()),
        envelope=token.envelope,
        ceiling=token.ceiling,
        audience=token.audience,
        scopes=token.scopes,
        ancestors=token.ancestors,
        key=token.key,
        proof=proof,
        acr=token.acr,
        signed_in_at=token.signed_in_at,
        issued_at=token.issued_at,
        expires_at=token.expires_at,
    )


def _credentials(authorization: str) -> tuple[str, str]:
    """Scheme (any case, RFC 9110 §11.1) and token of the one `Authorization` header."""
    if not authorization:
        raise MissingToken("no access token was presented")
    scheme, _, text = authorization.partition(" ")
    scheme = scheme.lower()
    if scheme not in _SCHEMES:
        raise MissingToken("access tokens come with scheme `DPoP` or `Bearer`", reason="scheme_unknown")
    return scheme, text


def _check_certificate(token: AccessToken, shown: str) -> None:
    """RFC 8705 §3: the connection's certificate is the one that the token is bound to, or it is no token."""
    if not shown or not same_bytes(shown.encode(), token.certificate.encode()):
        raise InvalidToken(UNVERIFIED, reason="certificate_other")


def _check_bearer(token: AccessToken, standing: Standing) -> None:
    """Registration as of now, not as of issuance: taking the permission away stops the tokens too."""
    client = standing.principal(PrincipalId(token.client))
    binding = dict(client.attributes).get(BINDING_ATTRIBUTE, "") if client is not None else ""
    if binding != Binding.BEARER:
        raise InvalidToken(UNVERIFIED, reason="bearer_not_allowed")
