"""A capability to carry: the gateway's own steps up to the point where it would forward, and there it stops.

Its holder takes it to a tool server that verifies by itself. The decision, its record and the mapping of the
arguments are those of a call through the gateway.
"""

from dataclasses import dataclass
from typing import Final

from remit.app.bindings.doors import PinnedTools, check_envelope
from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.oauth.wire.errors import InvalidToken, ProofRefused
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Decision, Effect
from remit.decision.call.actions import action_of
from remit.decision.call.request import ProposedCall
from remit.decision.codes.catalogue import Code
from remit.enforcement.mcp.mapping import ArgumentsUnmapped, meaning_of_tool
from remit.enforcement.pep.decider import (
    Ask,
    CallLog,
    CannotAsk,
    Decider,
    Desk,
    Explainer,
    Refusal,
    Unauthenticated,
)
from remit.identity.tools import Server, Tool
from remit.kernel.building import builder
from remit.kernel.canonical import JsonObject, sha256
from remit.kernel.clock import Clock
from remit.kernel.errors import NotFound
from remit.kernel.ids import CallId, Entropy, mint_id

_METHOD: Final = "tools/call"


class ToolUnavailable(NotFound):
    """No such server or tool, or none that this caller may know of: both look alike (N14)."""

    code = "tool_unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What the caller shows; `url` is the configured address of the operation, which the proof must name."""

    authorization: str
    proofs: list[str]
    envelope: str
    method: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which tool with which arguments; `raw` are the sender's own bytes of them, which are digested."""

    server: str
    tool: str
    arguments: JsonObject
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What came of it: a permit with its capability, or the denial, or the question that is open."""

    call: CallId
    decision: Decision
    denial: JsonObject | None = None
    ask: Ask | None = None


_proposed: Final = builder(ProposedCall)
_issued: Final = builder(Issued)


class CapabilityIssuer:
    """Decides one call of a tool and gives its caller the capability."""

    def __init__(
        self,
        *,
        verifier: AccessTokenVerifier,
        registry: PinnedTools,
        decider: Decider,
        desk: Desk,
        calls: CallLog,
        explainer: Explainer,
        issuer: str,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._verifier = verifier
        self._registry = registry
        self._decider = decider
        self._desk = desk
        self._calls = calls
        self._explainer = explainer
        self._issuer = issuer
        self._clock = clock
        self._entropy = entropy

    async def admit(self, shown: Presented, server: str) -> tuple[VerifiedSubject, Server]:
        """Verify token, proof and envelope for one server.

        Raises an `OAuthError`, an error of the envelope, or `ToolUnavailable`.
        """
        found = self._registry.server(server)
        if found is None:
            raise ToolUnavailable(f"no server `{server}` that you may use is there")
        subject = await self._verifier.verify_now(
            shown.authorization, shown.proofs, shown.method, shown.url, f"{self._issuer}/mcp/{found.name}"
        )
        try:
            check_envelope(shown.envelope, subject)
        except Unauthenticated as other:
            raise InvalidToken(other.hint, reason="envelope_other") from other
        # SAFETY: a capability leaves our hands here, so it is of use only to the holder of a key (CA-20).
        if not subject.key or subject.tenant != found.tenant:
            raise InvalidToken("a capability is given to the holder of a bound token", reason="unbound")
        return subject, found

    async def issue(self, subject: VerifiedSubject, server: Server, wanted: Wanted) -> Issued:
        """Decide and record; open the question where a person must be asked.

        Raises `ToolUnavailable`, `ArgumentsUnmapped` (each on record) or `ProofRefused`.
        """
        call = await self._propose(subject, server, wanted)
        decision = await self._decider.decide(call)
        effect = decision.verdict.effect
        if effect is Effect.PERMIT:
            return _issued(call=call.call, decision=decision)
        if any(said.code == Code.PROOF_REPLAYED for said in decision.verdict.reasons):
            raise ProofRefused("this proof was used before", reason="proof_replayed")
        if effect is Effect.DENY and not await self._shown(call, server):
            raise self._unavailable(wanted)
        return await self._refused(call, decision)

    async def _refused(self, call: ProposedCall, decision: Decision) -> Issued:
        denial = self._explainer.denial(decision, call_key=call.call)
        if decision.verdict.effect is not Effect.ASK:
            return Issued(call=call.call, decision=decision, denial=denial)
        try:
            ask = await self._desk.ask(call, decision)
        except CannotAsk as unable:
            denial = {**denial, "code": unable.reason, "message": unable.hint}
            return Issued(call=call.call, decision=decision, denial=denial)
        return Issued(call=call.call, decision=decision, denial=denial, ask=ask)

    async def _propose(self, subject: VerifiedSubject, server: Server, wanted: Wanted) -> ProposedCall:
        now = self._clock.now()
        ident = CallId(mint_id("call", at=now, entropy=self._entropy))
        tool = self._registry.tools(server).get(wanted.tool)
        if tool is None:
            sentence = "tool is unknown, hidden, changed or quarantined"
            await self._refuse(ident, subject, server, wanted, "", ToolUnavailable.code, sentence)
            raise self._unavailable(wanted)
        try:
            meaning = meaning_of_tool(server, tool, wanted.arguments)
        except ArgumentsUnmapped as unmapped:
            action = action_of(server, tool)
            await self._refuse(ident, subject, server, wanted, action, unmapped.code, unmapped.hint)
            raise
        return _proposed(
            call=ident,
            subject=subject,
            server=server.id,
            method=_METHOD,
            action=meaning.action,
            resource=meaning.resource,
            tool=tool,
            arguments=wanted.arguments,
            raw_arguments=wanted.raw,
            arguments_digest=sha256(wanted.raw),
            money=meaning.money,
            consequential=meaning.consequential,
            at=now,
        )

    async def _shown(self, call: ProposedCall, server: Server) -> bool:
        """Whether a list would show the tool to this caller: what it hides does not exist for them."""
        tools: list[Tool] = [call.tool] if call.tool is not None else []
        return bool(await self._decider.visible(call.subject, server, tools, at=call.at))

    async def _refuse(
        self,
        call: CallId,
        subject: VerifiedSubject,
        server: Server,
        wanted: Wanted,
        action: str,
        code: str,
        sentence: str,
    ) -> None:
        await self._calls.refuse(
            Refusal(
                call=call,
                subject=subject,
                server=server.id,
                method=_METHOD,
                action=action or f"{server.name}/tools.call",
                code=code,
                sentence=sentence,
                arguments_digest=sha256(wanted.raw),
                at=self._clock.now(),
            )
        )

    def _unavailable(self, wanted: Wanted) -> ToolUnavailable:
        return ToolUnavailable(f"no tool `{wanted.tool}` that you may use is there")
