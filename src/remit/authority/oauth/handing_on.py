"""Handing on by token exchange (RFC 8693 §2.1): an agent asks us for the hop that it would else have signed.

1 one `audience`, an agent of ours that lives; no `resource`   2 the subject is an envelope or a task's token
of the asking instance, verified and alive as in any exchange; a token comes with its envelope's text
3 the key of the request's proof is a registered one of the instance   4 scope and rights only narrow
5 no loop, no deeper than allowed   6 it ends no later than what it stands on   7 the longer envelope is put
to the verifier that judges every envelope, before it goes on record

The hop stands on the instance and its key, as a signed one would; one that was had for a token ends with that
token and all that it stands on. Nothing is signed for anybody who could not have signed it.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from remit.authority.alive import Alive, alive
from remit.authority.envelope import Delegation, Hop, Making, next_hop
from remit.authority.errors import EnvelopeRejected, EnvelopeTooLarge, Widened
from remit.authority.oauth.domains.transaction import TransactionTokens
from remit.authority.oauth.issuing.minting import Delegated, Mint, Subject, Subjects
from remit.authority.oauth.proving.requests import Asking, Draft, Extended
from remit.authority.oauth.repository import Delegations, SigningKeys
from remit.authority.oauth.wire import rar
from remit.authority.oauth.wire.actors import depth_of
from remit.authority.oauth.wire.errors import (
    UNVERIFIED,
    AccessDenied,
    InvalidAuthorizationDetails,
    InvalidDpopProof,
    InvalidRequest,
    InvalidTarget,
    UnauthorizedClient,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.resources import Target
from remit.authority.oauth.wire.scopes import Scope, narrow, parse_scope, render
from remit.authority.recorded_hop import record_hop
from remit.authority.rights import MAX_DEPTH, Ceiling
from remit.authority.tasks import Lineage
from remit.authority.verify import VerifiedEnvelope, bind
from remit.identity.principals import Kind, Principal
from remit.kernel.ids import AgentId, InstanceId, PrincipalId
from remit.kernel.jose import jwt
from remit.kernel.jose.keys import KeyClass

TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:txn_token"  # noqa: S105 — a name
KIND: Final = "dev.remit.kind"
"""Parameter: how authority is handed on, `attenuate` (if absent) or `broker`."""
ENVELOPE: Final = "dev.remit.envelope"
"""Parameter: the envelope's text, where the subject is a token, which holds its digest alone."""
_ID: Final = "agt_"


class HandingOn:
    """Gives envelopes that are one hop longer; what else has their token type it leaves to `transactions`."""

    token_type: Final = TOKEN_TYPE

    def __init__(
        self,
        *,
        mint: Mint,
        options: OAuthOptions,
        keys: SigningKeys,
        delegations: Delegations,
        transactions: TransactionTokens | None = None,
    ) -> None:
        self._mint = mint
        self._options = options
        self._keys = keys
        self._delegations = delegations
        self._transactions = transactions
        self._names = f"spiffe://{options.trust_domain}/agent/"

    def draft(self, asking: Asking, subjects: Subjects) -> Draft:
        """Judge the request."""
        parameters, client = asking.request.parameters, asking.who.client
        audience = parameters.only("audience")
        if not audience.startswith((_ID, self._names)):
            return self._other(asking, subjects)
        if client.kind is not Kind.INSTANCE:
            raise UnauthorizedClient("only an agent's instance may exchange", reason="exchange_kind")
        # (1) RFC 8693 §2.1: whom it is for, and not where.
        if parameters.only("resource"):
            raise InvalidTarget("an envelope is for an agent: name it by `audience`, and no `resource`")
        taker = self._taker(asking, audience)
        # (2) The asker is whom it names; what a parameter says of the chain reaches nothing.
        subject, envelope = self._shown(asking, subjects.subject(asking))
        scopes = narrow(parse_scope(parameters.get("scope")), subject.scopes)
        hop = self._hop(asking, subject, envelope, AgentId(taker.id), scopes)
        extended = self._sign(subject.text, hop)
        held = replace(subject.delegated, ends=(*subject.delegated.ends, hop.expires_at))
        token = self._mint.token(asking, Target(resource=self._options.api), frozenset(), delegated=held)
        return Draft(
            token=token,
            envelope=self._verified(asking, extended),
            issued_token_type=TOKEN_TYPE,
            extended=Extended(
                text=extended,
                said={"scope": hop.scope, "authorization_details": rar.details_of(hop.ceiling)},
                life=hop.expires_at - hop.issued_at,
            ),
        )

    def _other(self, asking: Asking, subjects: Subjects) -> Draft:
        if self._transactions is None:
            raise InvalidRequest("name the agent that it is for by `audience`", reason="requested_type")
        return self._transactions.draft(asking, subjects)

    def _taker(self, asking: Asking, audience: str) -> Principal:
        """The agent that comes next; one that does not live looks the same as one that never was."""
        name = audience.removeprefix(self._names)
        found = (
            asking.view.principal(PrincipalId(audience))
            if name == audience
            else asking.tx.principals.named(Kind.AGENT, name)
        )
        if found is None or found.kind is not Kind.AGENT or not _lives(asking, found):
            raise InvalidTarget("no such agent", reason="target_unknown")
        return found

    def _shown(self, asking: Asking, subject: Subject) -> tuple[Subject, VerifiedEnvelope]:
        """The subject with its envelope. A token is of the very envelope whose text comes beside it."""
        text = asking.request.parameters.get(ENVELOPE)
        if subject.envelope is not None:
            if text:
                raise InvalidRequest("the envelope is the subject token already", reason="envelope_twice")
            return subject, subject.envelope
        if not text:
            raise InvalidRequest(
                f"`{ENVELOPE}` is missing: a token holds no text", reason="parameter_missing"
            )
        envelope = self._verified(asking, text)
        held, agent = subject.delegated, asking.who.client.agent
        try:
            bind(
                envelope,
                task=held.task,
                digest=held.envelope,
                agent=agent or AgentId(""),
                chain=len(held.chain),
            )
        except EnvelopeRejected as rejected:
            raise InvalidRequest(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        return replace(subject, text=text), envelope

    def _hop(
        self,
        asking: Asking,
        subject: Subject,
        envelope: VerifiedEnvelope,
        to: AgentId,
        scopes: frozenset[Scope],
    ) -> Hop:
        held, at = subject.delegated, asking.request.at.replace(microsecond=0)
        # (3) What a signature would have shown: whoever asks has the key of the instance in its hands.
        if asking.proof is None:
            raise InvalidDpopProof("a `DPoP` proof is required", reason="proof_missing")
        # (5) As where the next agent would exchange it.
        self._check_place(held, envelope, to)
        # (4) Nothing is clipped in silence; of depth, one level goes with each hop.
        wanted = rar.narrow(asking.request.parameters.get("authorization_details"), held.ceiling)
        by_token = subject.envelope is None
        try:
            hop = next_hop(
                subject.text,
                held.ceiling,
                by=InstanceId(asking.who.client.id),
                to=to,
                kind=_kind(asking),
                wanted=wanted,
                task=held.task,
                at=at,
                expires_at=_end(envelope, wanted, held.ends if by_token else (), at),
            )
        except Widened as too_deep:
            raise AccessDenied(too_deep.hint, reason="chain_too_deep") from too_deep
        before = envelope.stands_on
        return replace(
            hop,
            made=Making.EXCHANGED,
            recorder=self._options.issuer,
            key=asking.proof.key,
            scope=render(frozenset(map(str, scopes))),
            stands_on=tuple(each for each in held.ancestors if each not in before) if by_token else (),
        )

    def _check_place(self, held: Delegated, envelope: VerifiedEnvelope, to: AgentId) -> None:
        if to in envelope.agents:
            raise AccessDenied("the chain would return to an agent that is in it", reason="chain_loops")
        limit = self._options.chain_limit - depth_of(held.before)
        if len(held.chain) >= limit or len(envelope.hops) >= MAX_DEPTH:
            raise AccessDenied(
                f"the chain would have {len(held.chain) + 1} members, the limit is {limit}",
                reason="chain_too_deep",
            )

    def _sign(self, text: str, hop: Hop) -> str:
        try:
            return record_hop(text, hop, signer=self._keys.signer(KeyClass.ENVELOPE))
        except (jwt.UnfitClaims, EnvelopeTooLarge) as unfit:
            raise InvalidAuthorizationDetails(
                "the rights do not fit one part of an envelope: ask for fewer", reason="token_too_large"
            ) from unfit

    def _verified(self, asking: Asking, text: str) -> VerifiedEnvelope:
        """(7) One rule for hops, whoever signs them."""
        try:
            return self._delegations.verify(asking.tx, text, at=asking.request.at)
        except (EnvelopeRejected, EnvelopeTooLarge) as rejected:
            reason = rejected.reason if isinstance(rejected, EnvelopeRejected) else rejected.code
            raise InvalidRequest(UNVERIFIED, reason=reason, debug=rejected.debug) from rejected


def _lives(asking: Asking, agent: Principal) -> bool:
    lineage = Lineage(
        tenant=agent.tenant,
        user=None,
        task=None,
        grant=None,
        chain=(agent.id,),
        principals=asking.view.line(agent.id),
        envelope=None,
    )
    return isinstance(alive(asking.view, lineage, asking.request.at), Alive)


def _kind(asking: Asking) -> Delegation:
    asked = asking.request.parameters.get(KIND)
    try:
        return Delegation(asked) if asked else Delegation.ATTENUATE
    except ValueError as unknown:
        names = ", ".join(f"`{each}`" for each in Delegation)
        raise InvalidRequest(f"`{KIND}` is one of {names}", reason="delegation_kind") from unknown


def _end(envelope: VerifiedEnvelope, ceiling: Ceiling, ends: tuple[datetime, ...], at: datetime) -> datetime:
    """(6) Whole seconds, downwards, as in every token."""
    end = min(envelope.expires_at, ceiling.window.end, *ends).replace(microsecond=0)
    if end - at < timedelta(seconds=1):
        raise AccessDenied("what was shown has run out", reason="parent_expired")
    return end
