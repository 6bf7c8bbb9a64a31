"""What the process tells of decisions and calls: bounded figures, spans with ids and codes, no content."""

from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from opentelemetry import trace

from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Decision
from remit.decision.call.request import ProposedCall
from remit.decision.codes.catalogue import TABLE
from remit.enforcement.mcp.app import Answering
from remit.enforcement.mcp.frames import Message
from remit.enforcement.mcp.request import Request
from remit.enforcement.mcp.results import Answer
from remit.enforcement.pep.decider import CallLog, CallOutcome, Decider, RecordedCall, Refusal
from remit.identity.credential_service import survey
from remit.identity.tools import Server, Tool
from remit.kernel.ids import CallId, InstanceId, TenantId, ToolId
from remit.platform.storage.unit_of_work import SqlTransaction
from remit.platform.telemetry.metrics import Metrics
from remit.platform.telemetry.observed import observed
from remit.platform.telemetry.spans import Attribute, Span
from remit.platform.telemetry.tracing import is_collecting

REFUSED = "refused"
"""Outcome of a call that the gateway refused by itself, without a decision."""


class MeteredDecider:
    """`Decider` that counts each decision by its effect and the stage that made it."""

    def __init__(self, decider: Decider, metrics: Metrics) -> None:
        self._decider = decider
        self._metrics = metrics
        self._decide = observed(Span.DECISION, metrics)(self._counted)

    def decide(self, call: ProposedCall) -> Coroutine[Any, Any, Decision]:
        """Judge one call."""
        return self._decide(call)

    async def visible(
        self, subject: VerifiedSubject, server: Server, tools: Sequence[Tool], *, at: datetime
    ) -> frozenset[ToolId]:
        """As the decider says; nothing is decided."""
        return await self._decider.visible(subject, server, tools, at=at)

    async def _counted(self, call: ProposedCall) -> Decision:
        decision = await self._decider.decide(call)
        effect = decision.verdict.effect
        self._metrics.decision(effect=effect, stage=_stage_of(decision))
        if is_collecting():
            span = trace.get_current_span()
            span.set_attribute(Attribute.DECISION, decision.id)
            span.set_attribute(Attribute.EFFECT, effect)
        return decision


def _stage_of(decision: Decision) -> str:
    """The stage whose reason decided."""
    effect = decision.verdict.effect
    for said in decision.verdict.reasons:
        if said.effect is effect:
            return _STAGES[said.code]
    return "none"


_STAGES: Final[Mapping[str, str]] = {code.value: entry.stage for code, entry in TABLE.items()}


class MeteredCalls:
    """`CallLog` that counts how calls end, once that is on record."""

    def __init__(self, calls: CallLog, metrics: Metrics) -> None:
        self._calls = calls
        self._metrics = metrics

    async def finish(self, outcome: CallOutcome) -> None:
        """Record how a permitted call ended."""
        await self._calls.finish(outcome)
        self._metrics.call(outcome=outcome.state)

    async def refuse(self, refusal: Refusal) -> None:
        """Record a refusal that no decision stands behind."""
        await self._calls.refuse(refusal)
        self._metrics.call(outcome=REFUSED)

    async def recall(self, tenant: TenantId, instance: InstanceId, call: CallId) -> RecordedCall | None:
        """Find a permitted call again."""
        return await self._calls.recall(tenant, instance, call)


class ObservedGateway:
    """The gateway, each of whose answers is one span and one timing."""

    def __init__(self, gateway: Answering, metrics: Metrics) -> None:
        self._gateway = gateway
        self._answer = observed(Span.GATEWAY_CALL, metrics)(gateway.answer)

    async def answer(self, request: Request) -> Answer:
        """Answer one request."""
        return await self._answer(request)

    async def refuse(self, request: Request, code: str, sentence: str) -> None:
        """Put on record what the gateway refuses by itself."""
        await self._gateway.refuse(request, code, sentence)

    def call_of(self, message: Message, subject: VerifiedSubject) -> tuple[CallId, str, bool]:
        """Which call this is, to the client and to us."""
        return self._gateway.call_of(message, subject)


def count_state(tx: SqlTransaction, metrics: Metrics) -> None:
    """Present counts, read when somebody asks for the figures: an idle system writes nothing."""
    metrics.state("epoch", tx.epoch())
    metrics.state("revision", tx.changes.revision())
    found = survey(tx)
    metrics.state("agents", found.agents)
    metrics.state("agents_secretless", found.secretless)
    metrics.state("approvals_pending", tx.approvals.count_pending())
    killed = tx.kills.count()
    glasses = tx.glasses.count()
    metrics.state("breakglass_open", glasses.get("open", 0))
    metrics.state("breakglass_unreviewed", glasses.get("ended", 0))
    metrics.state("kills", sum(killed.values()))
    metrics.state("kills_unfinished", killed.get("killing", 0))
    metrics.state("log_records", sum(tx.ledger.head(shard).size for shard in tx.ledger.shards()))
