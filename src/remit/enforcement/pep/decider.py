"""What an enforcement point needs from outside itself, as Protocols that it owns; `app` binds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Decision
from remit.decision.call.request import ProposedCall
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import Digest, JsonObject
from remit.kernel.errors import RemitError
from remit.kernel.ids import ApprovalId, CallId, InstanceId, ServerId, TenantId, ToolId


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What a caller shows at the door: an access token, its proof of possession, its delegation envelope.

    `scheme` is `DPoP` or `Bearer` (RFC 9449 §7.1); `method` and `url` are what the proof must name, where
    `url` is the resource's configured address, never one read from `Host`.
    """

    scheme: str
    token: str
    proof: str
    envelope: str
    method: str
    url: str
    audience: str
    certificate: str = ""
    """SHA-256 of the connection's client certificate, base64url; empty: none, or nobody to say so."""
    transaction: str = ""
    """A transaction token beside the token of access; never in its place."""


class Unauthenticated(RemitError):
    """The token, its proof or its envelope does not hold. One public text for every cause."""

    code: ClassVar[str] = "invalid_token"
    kind: ClassVar[str] = "unauthenticated"

    def __init__(self, hint: str, *, error: str = "invalid_token", nonce: str = "", debug: str = "") -> None:
        super().__init__(hint, debug=debug)
        self.error = error
        """`invalid_token`, `invalid_dpop_proof`, `use_dpop_nonce` or empty when nothing was presented."""
        self.nonce = nonce
        """Value of `DPoP-Nonce` for the answer; empty for none."""


class StepUpNeeded(Unauthenticated):
    """The person must sign in again, in that way, at most so many seconds ago if not 0 (RFC 9470 §3)."""

    code: ClassVar[str] = "insufficient_user_authentication"

    def __init__(self, hint: str, *, acr: str, max_age: int) -> None:
        super().__init__(hint, error="insufficient_user_authentication")
        self.acr = acr
        self.max_age = max_age


class ScopeMissing(RemitError):
    """The token is good and lacks a scope (RFC 6750 §3.1); all that are needed are named at once."""

    code: ClassVar[str] = "insufficient_scope"
    kind: ClassVar[str] = "forbidden"

    def __init__(self, hint: str, *, scopes: Sequence[str]) -> None:
        super().__init__(hint)
        self.scopes = tuple(scopes)


class TokenVerifier(Protocol):
    """Turns what was presented into a subject."""

    async def verify(self, presented: Presented) -> VerifiedSubject:
        """Raise `Unauthenticated`, `ScopeMissing` or an unavailable `RemitError`; never return a guess."""


class Decider(Protocol):
    """Decides, and has put the decision durably on record before it answers."""

    async def decide(self, call: ProposedCall) -> Decision:
        """Judge one call. A permit has consumed its capability, proof, budget and approval already."""

    async def visible(
        self, subject: VerifiedSubject, server: Server, tools: Sequence[Tool], *, at: datetime
    ) -> frozenset[ToolId]:
        """The tools that this subject could call with some arguments: all that a list may show it."""


class Scoping(Protocol):
    """Knows what a client would have to ask a person for."""

    def to_ask(self, subject: VerifiedSubject, action: str) -> tuple[str, ...]:
        """All scopes to ask for, those that the token has among them; none where asking could not help."""


class NoScoping:
    """Nobody is sent to ask for more."""

    def to_ask(self, subject: VerifiedSubject, action: str) -> tuple[str, ...]:  # noqa: ARG002 — the Protocol's
        """Nothing."""
        return ()


class Liveness(Protocol):
    """Tells open streams and sessions whether their subject may go on."""

    def epoch(self, tenant: TenantId) -> int:
        """The newest epoch that this node knows: cheap, asked about twice a second by each stream."""

    async def alive(self, subject: VerifiedSubject) -> bool:
        """Whether token, task, chain, agent, user and tenant all live; asked when the epoch has moved."""


class CallState(StrEnum):
    """How far a permitted call has come. `RUNNING` and `UNKNOWN` are never retried."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOutcome:
    """What became of a permitted call.

    `unknown` says that the upstream may have acted: it was sent, and no whole answer came. `result` is
    what the caller got (canonical text of the JSON-RPC result or error), `result_digest` its SHA-256.
    `sent` is False if not one byte reached the upstream, so nothing can have happened.
    """

    call: ProposedCall
    decision: Decision
    state: CallState
    code: str
    """`ok`, `tool_error`, `upstream_error`, `upstream_unavailable`, `upstream_timeout`, `cancelled`, …"""
    sent: bool
    result: bytes
    result_digest: Digest
    resources: tuple[str, ...]
    """What the result says it touched: addresses of embedded and linked resources."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """A call that is on record under the key its caller repeats (CA-14)."""

    call: CallId
    arguments_digest: Digest
    action: str
    state: CallState
    result: bytes | None
    """None if the text is no longer kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A call that the enforcement point itself refused, before any decision could be asked for."""

    call: CallId
    subject: VerifiedSubject
    server: ServerId
    method: str
    action: str
    code: str
    sentence: str
    arguments_digest: Digest
    at: datetime


class CallLog(Protocol):
    """The durable memory of calls."""

    async def finish(self, outcome: CallOutcome) -> None:
        """Record how a permitted call ended."""

    async def refuse(self, refusal: Refusal) -> None:
        """Record a refusal that no decision stands behind."""

    async def recall(self, tenant: TenantId, instance: InstanceId, call: CallId) -> RecordedCall | None:
        """Find a permitted call of this instance by its id; None for anyone else's."""


class AskState(StrEnum):
    """Where a question to a person stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question to a person about exactly these bytes; asking again about the same bytes finds it again.

    `page` is the approval page's address: it names nobody and lets nobody in by itself. `sentence` tells
    whoever waits what is waited for.
    """

    id: ApprovalId
    state: AskState
    page: str
    sentence: str
    give_up_at: datetime


class CannotAsk(RemitError):
    """Nobody can be asked now: nobody is left who may answer, or the agent has asked for too much already."""

    code: ClassVar[str] = "cannot_ask"
    kind: ClassVar[str] = "forbidden"

    def __init__(self, hint: str, *, reason: str) -> None:
        super().__init__(hint)
        self.reason = reason
        """Code of the refusal: `no_approver`, `too_many_asks`."""


class Desk(Protocol):
    """Asks people."""

    async def ask(self, call: ProposedCall, decision: Decision) -> Ask:
        """Open the question, or find the open one for the same bytes; raises `CannotAsk`."""

    async def wait(self, ask: Ask, seconds: float) -> Ask:
        """Return as soon as it is answered, at the latest after `seconds`."""


class Explainer(Protocol):
    """Writes the structured denial, the same on every surface."""

    def denial(self, decision: Decision, *, call_key: str) -> JsonObject:
        """The object of `_meta["dev.remit/denial"]`; it holds at least `code`, `message` and `remedy`."""
