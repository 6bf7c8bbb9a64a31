"""Token exchange (RFC 8693): an agent's own token, with a task's envelope, for a delegated token.

1 one target, and an access token is wanted   2 an agent's instance asks   3 the subject token is an envelope
or a delegated access token, verified, alive   4 `may_act`: the subject names the agent that asks
5 the actor token is the asking instance's own, bound to the key of this request's proof   6 the chain grows
by the verified actor alone: no loop, at most ten   7 scope and authorization details only narrow
8 the target is one that the rights reach   9 it ends no later than anything that it stands on

There is no impersonation: every result carries `act`, which no parameter can set. There is no refresh token.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from remit.authority.credential_hop import check_binding, divided, thumbprint_of
from remit.authority.envelope import Root
from remit.authority.errors import EnvelopeRejected, EnvelopeTooLarge
from remit.authority.oauth.issuing.minting import Delegated, Mint, Subject, Subjects
from remit.authority.oauth.metadata import GRANT_TOKEN_EXCHANGE
from remit.authority.oauth.proving.lineage import why_dead
from remit.authority.oauth.proving.presented import audience_of, read_access_token
from remit.authority.oauth.proving.requests import Asking, Draft
from remit.authority.oauth.repository import Delegations
from remit.authority.oauth.tokens.access import ANCESTOR_LIMIT, AccessToken
from remit.authority.oauth.wire import rar
from remit.authority.oauth.wire.action_scopes import broad
from remit.authority.oauth.wire.actors import depth_of, extend
from remit.authority.oauth.wire.errors import (
    UNVERIFIED,
    AccessDenied,
    InvalidRequest,
    InvalidTarget,
    UnauthorizedClient,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.resources import Target
from remit.authority.oauth.wire.scopes import Scope, narrow, parse_scope, scopes_of_envelope
from remit.authority.rights import Ceiling
from remit.authority.tasks import Task
from remit.authority.verify import VerifiedEnvelope
from remit.identity.principals import Kind
from remit.identity.spiffe import spiffe_id
from remit.kernel.ids import AgentId, InstanceId, PrincipalId, TokenId
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyLookup

_TYPE: Final = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN_TYPE: Final = f"{_TYPE}access_token"
TXN_TOKEN_TYPE: Final = f"{_TYPE}txn_token"


class Elsewhere(Protocol):
    """One kind of token that can be asked for by exchange and is no access token of ours."""

    @property
    def token_type(self) -> str:
        """The `requested_token_type`."""

    def draft(self, asking: Asking, subjects: Subjects) -> Draft:
        """Judge the request, or raise an `OAuthError`; reads, writes nothing."""


class TokenExchange:
    """Earns an agent's instance a token to act for somebody on a task."""

    type: Final = GRANT_TOKEN_EXCHANGE

    def __init__(
        self,
        *,
        mint: Mint,
        options: OAuthOptions,
        keys: KeyLookup,
        delegations: Delegations,
        elsewhere: Sequence[Elsewhere] = (),
    ) -> None:
        self._elsewhere = {each.token_type: each for each in elsewhere}
        self._mint = mint
        self._options = options
        self._keys = keys
        self._delegations = delegations

    def draft(self, asking: Asking) -> Draft:
        """Judge the exchange; what is alive is judged once more when the token is issued."""
        elsewhere = self._elsewhere.get(asking.request.parameters.get("requested_token_type"))
        if elsewhere is not None:
            return elsewhere.draft(asking, self)
        # (1) RFC 8693 §2.1; a refresh token, an ID token or a JWT of unknown use is never issued here.
        self._check_wanted(asking)
        target = self._mint.target(asking)
        # (2) Only an instance has an agent that could be named.
        if asking.who.client.kind is not Kind.INSTANCE:
            raise UnauthorizedClient("only an agent's instance may exchange", reason="exchange_kind")
        # (3) to (6): roles follow the verified class of each token, not where it was put.
        subject = self.subject(asking)
        # (7) What is asked is a part of what was shown, or nothing is issued.
        scopes = self._narrow_scopes(asking, subject.scopes & asking.who.client.scopes_at(target.server))
        ceiling = self._narrow_rights(asking, subject.delegated.ceiling)
        # (8) and (9), the end, is the mint's.
        _check_reach(target, ceiling)
        delegated = replace(
            subject.delegated, ceiling=ceiling, ends=(*subject.delegated.ends, ceiling.window.end)
        )
        token = self._mint.token(asking, target, scopes, delegated=delegated)
        return Draft(token=token, envelope=subject.envelope, issued_token_type=ACCESS_TOKEN_TYPE)

    def subject(self, asking: Asking) -> Subject:
        """Steps 3 to 6: the verified subject token, with the chain as it would go on."""
        return self._subject(asking, self._actor(asking))

    def _check_wanted(self, asking: Asking) -> None:
        if asking.request.parameters.get("requested_token_type") not in {"", ACCESS_TOKEN_TYPE}:
            raise InvalidRequest("only access tokens can be had by exchange", reason="requested_type")

    def _narrow_scopes(self, asking: Asking, allowed: frozenset[Scope]) -> frozenset[Scope]:
        return narrow(parse_scope(asking.request.parameters.get("scope")), allowed)

    def _narrow_rights(self, asking: Asking, parent: Ceiling) -> Ceiling:
        asked = asking.request.parameters
        return rar.narrow(asked.get("authorization_details"), parent, at=asked.only("resource"))

    def _require_named(self, named: AgentId, asking: Asking) -> None:
        """RFC 8693 §4.4: compared byte for byte; who is not named may not act."""
        if named != asking.who.client.agent:
            raise AccessDenied("`may_act` names another agent", reason="may_act")

    def _actor(self, asking: Asking) -> AccessToken | None:
        """The actor token, if there is one: the asking instance's own, for our API."""
        parameters = asking.request.parameters
        text, kind = parameters.get("actor_token"), parameters.get("actor_token_type")
        if bool(text) != bool(kind):
            raise InvalidRequest("`actor_token` and its type go together", reason="actor_incomplete")
        if not text:
            return None
        if kind != ACCESS_TOKEN_TYPE:
            raise InvalidRequest("the actor token must be an access token", reason="actor_type")
        actor = self._read(text, self._options.api, asking)
        # (5) RFC 8693 §2.1: the actor is who asks, never a party that it names.
        if actor.delegated or actor.client != asking.who.client.id:
            raise AccessDenied("the actor token is not the client's own", reason="actor_other")
        return actor

    def _subject(self, asking: Asking, actor: AccessToken | None) -> Subject:
        text = asking.request.parameters.need("subject_token")
        match asking.request.parameters.need("subject_token_type"):
            case kind if kind == TXN_TOKEN_TYPE:
                if actor is None:
                    # RFC 8693 §1.1: without an actor this would be impersonation.
                    raise InvalidRequest("`actor_token` is missing", reason="actor_missing")
                return self._from_envelope(text, asking, actor)
            case kind if kind == ACCESS_TOKEN_TYPE:
                return self._from_token(text, asking, actor)
            case _:
                raise InvalidRequest("subject token is of no type that is taken here", reason="subject_type")

    def _from_envelope(self, text: str, asking: Asking, actor: AccessToken) -> Subject:
        client = asking.who.client
        try:
            envelope, text = self._verified(asking, text)
        except (EnvelopeRejected, EnvelopeTooLarge) as rejected:
            raise InvalidRequest(UNVERIFIED, reason="subject_rejected", debug=rejected.debug) from rejected
        # (4) The envelope says who may go on with it.
        self._require_named(envelope.holder, asking)
        task = asking.view.task(envelope.task)
        if task is None or not _is_root_of(envelope.root, task):
            raise AccessDenied("no such task", reason="no_task")
        # (6) The chain is made of verified signers and of the client; no parameter reaches it.
        before = tuple(self._name(asking, instance) for instance in envelope.instances)
        foreign = self._came_with(asking, task)
        chain = extend(before, client.subject, limit=self._options.chain_limit - depth_of(foreign))
        delegated = Delegated(
            subject=task.user or chain[0],
            user=task.user,
            task=task.id,
            chain=chain,
            ceiling=envelope.ceiling,
            envelope=envelope.digest,
            envelopes=(),
            ancestors=_few((actor.id, *map(TokenId, envelope.stands_on))),
            ends=(envelope.expires_at, task.deadline, envelope.ceiling.window.end, actor.expires_at),
            before=foreign,
            companions=envelope.root.companions,
        )
        return Subject(
            delegated=delegated,
            scopes=scopes_of_envelope(envelope.scope),
            envelope=envelope,
            text=text,
        )

    def _verified(self, asking: Asking, shown: str) -> tuple[VerifiedEnvelope, str]:
        """The envelope and its text, without the key binding that a credential at its end demands."""
        text, binding = divided(shown)
        envelope = self._delegations.verify(asking.tx, text, at=asking.request.at)
        proof = asking.proof
        check_binding(
            text,
            binding,
            holder=envelope.bound_to,
            audience=self._options.issuer,
            nonce="" if proof is None else proof.jti,
            at=asking.request.at,
        )
        if envelope.bound_to and (proof is None or proof.key != thumbprint_of(envelope.bound_to)):
            raise EnvelopeRejected(12, "other_key")
        return envelope, text

    def _came_with(self, asking: Asking, task: Task) -> str:
        """Who acted in another domain before this task began, which no hop here leaves out."""
        run = asking.tx.domains.came_with(task.id) if self._options.domains else None
        return "" if run is None else run.before

    def _from_token(self, text: str, asking: Asking, actor: AccessToken | None) -> Subject:
        held = self._read(text, "", asking)
        if held.task is None or held.ceiling is None or held.envelope is None or not held.chain:
            raise AccessDenied("the subject token carries no task", reason="no_task")
        # (4) Only the outermost actor is authority; an inner one gains nothing (RFC 8693 §4.1).
        if held.client != asking.who.client.id or held.chain[-1] != asking.who.client.subject:
            raise AccessDenied("the subject token is another instance's", reason="may_act")
        parents = (held, actor) if actor is not None else (held,)
        ancestors = _few((*held.ancestors, *(parent.id for parent in parents)))
        delegated = Delegated(
            subject=held.subject,
            user=held.user,
            task=held.task,
            chain=held.chain,
            ceiling=held.ceiling,
            envelope=held.envelope,
            envelopes=held.envelopes,
            ancestors=ancestors,
            ends=tuple(parent.expires_at for parent in parents),
            before=held.before,
            companions=held.companions,
        )
        scopes = broad(held.scopes)
        return Subject(delegated=delegated, scopes=scopes, envelope=None)

    def _read(self, text: str, audience: str, asking: Asking) -> AccessToken:
        """A presented access token: verified, alive, bound to the key of this request's proof.

        Without `audience` it may be made out to any one resource of ours.
        """
        try:
            resource = audience or audience_of(text, self._options, asking.view)
            token, _ = read_access_token(text, keys=self._keys, audience=resource, at=asking.request.at)
        except TokenRejected as rejected:
            raise InvalidRequest(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        request = asking.request
        dead = why_dead(asking.view, token, generation=request.generation, at=request.at)
        if dead:
            raise InvalidRequest(UNVERIFIED, reason=dead)
        shown = "" if request.certificate is None else request.certificate.thumbprint
        if token.certificate not in {"", shown}:
            raise InvalidRequest(UNVERIFIED, reason="other_certificate")
        if token.key != ("" if asking.proof is None else asking.proof.key):
            raise InvalidRequest(UNVERIFIED, reason="other_key")
        return token

    def _name(self, asking: Asking, instance: InstanceId) -> str:
        """The SPIFFE ID of a verified delegator."""
        entry = asking.view.principal(PrincipalId(instance))
        agent = None if entry is None or entry.parent is None else asking.view.principal(entry.parent)
        if agent is None:
            raise InvalidRequest(UNVERIFIED, reason="delegator_unknown")
        return spiffe_id(self._options.trust_domain, agent.name, instance)


def _few(ancestors: tuple[TokenId, ...]) -> tuple[TokenId, ...]:
    """Each once, and no more than a token may stand on."""
    found = tuple(dict.fromkeys(ancestors))
    if len(found) > ANCESTOR_LIMIT:
        raise AccessDenied(f"exchanged more than {ANCESTOR_LIMIT} times", reason="exchange_too_deep")
    return found


def _is_root_of(root: Root, task: Task) -> bool:
    """The people whom the root names are those of the task, every one of them."""
    company = tuple(each.user for each in task.companions)
    return (root.subject, root.companions) == ((task.user or task.trigger), company)


def _check_reach(target: Target, ceiling: Ceiling) -> None:
    """Refuse a token for a server at which nothing would be allowed (RFC 8707 §2)."""
    if target.server and not any(right.action.startswith(f"{target.server}/") for right in ceiling.rights):
        raise InvalidTarget("the task allows nothing at that resource", reason="target_no_right")
