"""Transaction tokens (draft-ietf-oauth-transaction-tokens-10): what a request is about, for who serves it.

1 the audience is this trust domain, and a scope is asked   2 the subject is ours: a task's token or envelope
(as in any exchange), or an earlier transaction token   3 scope only narrows: names of the subject's scopes
and of the actions that its rights allow   4 an earlier one's `txn`, `sub`, `aud` and `tctx` stay as they are,
and it ends no later   5 `req_wl` is the workload that asks, which has proven itself

It is no token of access, no credential of a workload and no envelope: its keys sign nothing else.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from remit.authority.oauth.domains.records import TRANSACTION_ISSUED
from remit.authority.oauth.issuing.minting import Delegated, Mint, Subject, Subjects
from remit.authority.oauth.proving.requests import Asking, Draft, Outgoing
from remit.authority.oauth.wire.errors import (
    UNVERIFIED,
    AccessDenied,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.resources import Target
from remit.authority.oauth.wire.scopes import render
from remit.authority.tasks import Task
from remit.identity.principals import Kind
from remit.kernel.canonical import Json, JsonLimits, JsonObject, parse_object
from remit.kernel.errors import RemitError
from remit.kernel.ids import Entropy, TaskId, mint_id
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyClass, KeyLookup
from remit.kernel.jose.profiles import TokenType

TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:txn_token"  # noqa: S105 — a name
TYP: Final = "txntoken+jwt"
LIFE: Final = timedelta(minutes=5)
NAMESPACE: Final = "dev.remit"
_LIMITS: Final = JsonLimits(size=4 << 10, depth=6, members=64, string=1 << 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What a transaction token of ours says."""

    task: TaskId
    subject: str
    scopes: frozenset[str]
    requester: str
    context: Json
    own: JsonObject
    expires_at: datetime


def read(text: str, *, keys: KeyLookup, trust_domain: str, at: datetime) -> Transaction:
    """Verify a transaction token of this trust domain. Raises `TokenRejected`."""
    verified = jwt.verify(text, as_type=TokenType.TRANSACTION, keys=keys, at=at, audience=trust_domain)
    claims = verified.claims
    own = claims.members.get(NAMESPACE)
    if not isinstance(own, dict):
        raise TokenRejected(6, "claims_malformed")
    return Transaction(
        task=TaskId(claims.text("txn")),
        subject=claims.subject,
        scopes=frozenset(claims.text("scope").split()),
        requester=claims.text("req_wl"),
        context=claims.members.get("tctx"),
        own=own,
        expires_at=claims.expires_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What the new one stands on, whichever way it was shown."""

    task: Task
    subject: str
    allowed: frozenset[str]
    context: Json
    own: JsonObject
    ends_at: datetime


class TransactionTokens:
    """Gives transaction tokens, by exchange."""

    token_type: Final = TOKEN_TYPE

    def __init__(self, *, mint: Mint, options: OAuthOptions, keys: KeyLookup, entropy: Entropy) -> None:
        self._entropy = entropy
        self._mint = mint
        self._options = options
        self._keys = keys

    def draft(self, asking: Asking, subjects: Subjects) -> Draft:
        """Judge the request."""
        parameters = asking.request.parameters
        if asking.who.client.kind is not Kind.INSTANCE:
            raise UnauthorizedClient("only an agent's instance may exchange", reason="exchange_kind")
        # (1) Both are required by the draft.
        if parameters.only("audience") != self._options.trust_domain:
            raise InvalidTarget("transaction tokens are for this trust domain", reason="target_unknown")
        asked = frozenset(parameters.need("scope").split())
        text = parameters.need("subject_token")
        # (2) By the class of the key, not by what the parameter says.
        if parameters.get("subject_token_type") == TOKEN_TYPE and self._is_one(text):
            return self._replaced(asking, asked, text)
        return self._first(asking, asked, subjects.subject(asking))

    def _first(self, asking: Asking, asked: frozenset[str], subject: Subject) -> Draft:
        held = subject.delegated
        task = self._task(asking, held.task)
        ground = _Ground(
            task=task,
            subject=held.subject,
            allowed=frozenset({*map(str, subject.scopes), *(right.action for right in held.ceiling.rights)}),
            context={
                "purpose": task.purpose,
                "details": _object(asking, "request_details"),
            },
            own=_own(held, subject.text),
            ends_at=min(asking.request.at + LIFE, *held.ends),
        )
        token = self._mint.token(asking, Target(resource=self._options.api), frozenset(), delegated=held)
        draft = Draft(token=token, envelope=subject.envelope, issued_token_type=TOKEN_TYPE)
        return replace(draft, outgoing=self._outgoing(asking, asked, ground))

    def _replaced(self, asking: Asking, asked: frozenset[str], text: str) -> Draft:
        """(4) Narrower, for the next workload; what it is about does not change."""
        if asking.request.parameters.get("request_details"):
            raise InvalidRequest("the context of a transaction does not change", reason="context_fixed")
        at = asking.request.at
        try:
            known = read(text, keys=self._keys, trust_domain=self._options.trust_domain, at=at)
        except TokenRejected as rejected:
            raise InvalidRequest(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        task = self._task(asking, known.task)
        ground = _Ground(
            task=task,
            subject=known.subject,
            allowed=known.scopes,
            context=known.context,
            own=known.own,
            ends_at=known.expires_at,
        )
        # It stands on the task and on the workload that asks; both are looked at where it is issued.
        own = self._mint.token(asking, Target(resource=self._options.api), frozenset(), delegated=None)
        token = replace(own, task=task.id, user=task.user, expires_at=min(own.expires_at, known.expires_at))
        draft = Draft(token=token, issued_token_type=TOKEN_TYPE)
        return replace(draft, outgoing=self._outgoing(asking, asked, ground))

    def _outgoing(self, asking: Asking, asked: frozenset[str], ground: _Ground) -> Outgoing:
        # (3) Asked for, or not given.
        if not asked <= ground.allowed:
            raise InvalidScope("a scope is more than what was shown allows", reason="scope_widened")
        at = asking.request.at.replace(microsecond=0)
        life = min(LIFE, ground.ends_at - at)
        if life < timedelta(seconds=1):
            raise AccessDenied("what was shown has run out", reason="parent_expired")
        claims: JsonObject = {
            "iss": self._options.issuer,
            "jti": mint_id("txt", at=at, entropy=self._entropy),
            "aud": self._options.trust_domain,
            "iat": int(at.timestamp()),
            "exp": int((at + life).timestamp()),
            "txn": ground.task.id,
            "sub": ground.subject,
            "scope": render(asked),
            # (5) Proven a moment ago, and no parameter.
            "req_wl": asking.who.client.subject,
            "tctx": ground.context,
            "rctx": _object(asking, "request_context"),
            NAMESPACE: ground.own,
        }
        return Outgoing(
            kind=TRANSACTION_ISSUED,
            typ=TYP,
            key_class=KeyClass.TRANSACTION,
            claims=claims,
            life=timedelta(seconds=int(life.total_seconds())),
            detail=(("scope", render(asked)), ("requester", asking.who.client.subject)),
        )

    def _task(self, asking: Asking, ident: TaskId) -> Task:
        task = asking.view.task(ident)
        if task is None:
            raise AccessDenied("no such task", reason="no_task")
        return task

    def _is_one(self, text: str) -> bool:
        """Whether its key signs transaction tokens: the root of an envelope has the same `typ`."""
        try:
            header = jws.header_of(jws.take_apart(text).protected)
        except TokenRejected:
            return False
        return self._keys.find(header.kid, KeyClass.TRANSACTION) is not None


def _own(held: Delegated, text: str) -> JsonObject:
    """The envelope that it stands on, and who else the task is for."""
    own: JsonObject = {"env": held.envelope}
    if text:
        own["envelope"] = text
    if held.companions:
        own["with"] = [*held.companions]
    return own


def _object(asking: Asking, name: str) -> JsonObject:
    """A parameter that is a JSON object; absent is empty."""
    text = asking.request.parameters.get(name)
    if not text:
        return {}
    try:
        return parse_object(text.encode(), limits=_LIMITS)
    except RemitError as broken:
        raise InvalidRequest(f"`{name}` is no JSON object that fits", reason="context_malformed") from broken
