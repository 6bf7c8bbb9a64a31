"""What a resource of ours does with an access token: verify it, whole, on every request (RFC 9068 §4)."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.authority.oauth.access import AccessToken
from remit.authority.oauth.clients import BINDING_ATTRIBUTE, Binding
from remit.authority.oauth.errors import (
    UNVERIFIED,
    InsufficientScope,
    InvalidToken,
    LifelessToken,
    MissingToken,
    ProofRefused,
)
from remit.authority.oauth.lineage import why_dead
from remit.authority.oauth.presented import read_access_token
from remit.authority.oauth.repository import Standing, Standings
from remit.authority.tokens import Proof, VerifiedSubject
from remit.kernel.canonical import sha256
from remit.kernel.clock import Clock
from remit.kernel.ids import AgentId, InstanceId, KeyId, PrincipalId
from remit.kernel.jose.dpop import verify_proof
from remit.kernel.jose.errors import ProofRejected, TokenRejected
from remit.kernel.jose.keys import KeyClass, KeyLookup

_DPOP: Final = "dpop"
_BEARER: Final = "bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    """A token whose signature by `kid` held, and the epoch at which it was alive."""

    token: AccessToken
    kid: KeyId
    epoch: int


class AccessTokenVerifier:
    """Verifies access tokens of one tenant, at one resource per call.

    1 one scheme, one token   2 type, signature, issuer, audience, times   3 the clock's generation, and
    everything that the token stands on is alive   4 bound key: scheme `DPoP` and a proof of that key over
    method, URL and token; unbound: scheme `Bearer`, of a client registered for it   5 scope
    The caller MUST burn `VerifiedSubject.proof` in the transaction that acts on the request.

    Step 2 is remembered by the digest of the whole token and the audience, bounded; times are judged on
    every hit, and step 3 again as soon as the epoch has moved. Raises `MissingToken`, `InvalidToken`,
    `ProofRefused` or `InsufficientScope`.
    """

    def __init__(self, *, keys: KeyLookup, standings: Standings, clock: Clock, size: int = 10_000) -> None:
        self._keys = keys
        self._standings = standings
        self._clock = clock
        self._size = size
        self._known: OrderedDict[tuple[str, str], _Remembered] = OrderedDict()

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
    ) -> VerifiedSubject:
        """Run the steps; `url` is the configured external URL of the request, `scopes` those it needs."""
        scheme, text = _credentials(authorization)
        standing = self._standings.current()
        token = self._living(text, audience, standing, at)
        proof = self._possession(scheme, text, token, dpop, method, url, at)
        if not token.key:
            _check_bearer(token, standing)
        if not scopes <= token.scopes:
            raise InsufficientScope("the token lacks a scope that this needs", scopes=scopes)
        return subject_of(token, proof)

    async def verify_now(
        self, authorization: str, dpop: list[str], method: str, url: str, audience: str
    ) -> VerifiedSubject:
        """Run the steps at this moment; a token may be younger than the view that this node holds.

        Its task, or its client, was committed before it was signed. So nothing is said to be dead before
        the view has caught up once: only a token with our signature ever costs that reading (DS-07).
        """
        shown = (authorization, dpop, method, url, audience)
        try:
            return self.verify(*shown, self._clock.now())
        except LifelessToken:
            await self._standings.catch_up()
            return self.verify(*shown, self._clock.now())

    def _living(self, text: str, audience: str, standing: Standing, at: datetime) -> AccessToken:
        name = (sha256(text.encode("utf-8", "surrogatepass")), audience)
        epoch = standing.epoch()
        known = self._known.pop(name, None)
        if known is None or not self._still_signs(known.kid, at):
            token, kid = self._read(text, audience, at)
            known = _Remembered(token=token, kid=kid, epoch=-1)
        token = known.token
        generation = self._clock.generation()
        # INVARIANT: a hit of another epoch is judged as if it were new; time and clock on every hit.
        stale = known.epoch != epoch or at >= token.expires_at or token.generation != generation
        dead = why_dead(standing, token, generation=generation, at=at) if stale else ""
        if dead:
            raise LifelessToken(UNVERIFIED, reason=dead)
        self._remember(name, _Remembered(token=token, kid=known.kid, epoch=epoch))
        return token

    def _still_signs(self, kid: KeyId, at: datetime) -> bool:
        """Whether the signing key is believed now: a compromised one takes remembered tokens with it."""
        record = self._keys.find(kid, KeyClass.ACCESS_TOKEN)
        return record is not None and record.verifies(at)

    def _read(self, text: str, audience: str, at: datetime) -> tuple[AccessToken, KeyId]:
        try:
            return read_access_token(text, keys=self._keys, audience=audience, at=at)
        except TokenRejected as rejected:
            raise InvalidToken(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected

    def _remember(self, name: tuple[str, str], remembered: _Remembered) -> None:
        self._known[name] = remembered
        while len(self._known) > self._size:
            self._known.popitem(last=False)

    def _possession(
        self,
        scheme: str,
        text: str,
        token: AccessToken,
        dpop: list[str],
        method: str,
        url: str,
        at: datetime,
    ) -> Proof | None:
        # RFC 9449 §7.1, §7.2: a bound token is never taken as Bearer, an unbound one never as DPoP.
        if (scheme == _DPOP) != bool(token.key):
            raise InvalidToken(UNVERIFIED, reason="scheme_other")
        if not token.key:
            return None
        if len(dpop) != 1:
            raise ProofRefused("exactly one `DPoP` proof is required", reason="proof_missing")
        try:
            proof = verify_proof(dpop[0], method=method, target=url, at=at, access_token=text)
            proof.require_key(token.key)
        except ProofRejected as rejected:
            raise ProofRefused(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        return Proof(key=proof.thumbprint, jti=proof.jti, keep_until=proof.keep_until)


def subject_of(token: AccessToken, proof: Proof | None) -> VerifiedSubject:
    """What the token and its proof establish; a person's or workload's own token has no instance."""
    own_instance = token.client if token.agent is not None else ""
    return VerifiedSubject(
        tenant=token.tenant,
        token=token.id,
        client=token.client,
        credential=token.credential,
        instance=InstanceId(own_instance),
        agent=token.agent or AgentId(""),
        user=token.user,
        task=token.task,
        chain=token.instances or ((InstanceId(own_instance),) if own_instance else ()),
        envelope=token.envelope,
        ceiling=token.ceiling,
        audience=token.audience,
        scopes=token.scopes,
        key=token.key,
        proof=proof,
        issued_at=token.issued_at,
        expires_at=token.expires_at,
    )


def _credentials(authorization: str) -> tuple[str, str]:
    """Scheme (any case, RFC 9110 §11.1) and token of the one `Authorization` header."""
    if not authorization:
        raise MissingToken("no access token was presented")
    scheme, _, text = authorization.partition(" ")
    scheme = scheme.lower()
    if scheme not in {_DPOP, _BEARER}:
        raise MissingToken("access tokens come with scheme `DPoP` or `Bearer`", reason="scheme_unknown")
    return scheme, text


def _check_bearer(token: AccessToken, standing: Standing) -> None:
    """Registration as of now, not as of issuance: taking the permission away stops the tokens too."""
    client = standing.principal(PrincipalId(token.client))
    binding = dict(client.attributes).get(BINDING_ATTRIBUTE, "") if client is not None else ""
    if binding != Binding.BEARER:
        raise InvalidToken(UNVERIFIED, reason="bearer_not_allowed")
