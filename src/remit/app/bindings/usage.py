"""Programs that meter models themselves: reserve before a model is asked, settle when it has answered.

What is reserved is decided, recorded, charged and asked about like a call of a tool, by the decision point
itself. There is no right to be had to it: it only uses up what every factor of the task allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from remit.app.bindings.acting import acting_in
from remit.authority.capability import Minted
from remit.authority.permission import suits
from remit.authority.rights import Ceiling
from remit.authority.tasks import Task
from remit.authority.tokens import Proof, VerifiedSubject
from remit.decision.answer.denial import denial_of
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Decision, Effect, Handing, Stage
from remit.decision.budget.cost import Dimension, Line, Settlement, counters
from remit.decision.call.request import ActionRequest, Factor, ProposedCall, Resource
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.decision.making.spending import settle
from remit.decision.service import DecisionService
from remit.decision.stages.pipeline import Step, refusal
from remit.decision.stages.standing import alive_stage
from remit.decision.trail.trace import StoredDecision
from remit.enforcement.pep.decider import Ask, CannotAsk, Desk
from remit.identity.metering import Meter, MeterMapping
from remit.identity.tools import Pin, ResourceMapping, Server, Tool, ToolMapping, Transport
from remit.kernel.canonical import Digest, JsonObject, canonical_json, framed_digest, sha256
from remit.kernel.errors import Conflict, NotFound
from remit.kernel.ids import (
    CallId,
    DecisionId,
    Entropy,
    InstanceId,
    PrincipalId,
    ServerId,
    TaskId,
    TenantId,
    ToolId,
)
from remit.ledger import facts
from remit.ledger.record import Record
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

SETTLED: Final = "decision.usage.settled"
ACTION: Final = "remit/usage"
_SERVER: Final = ServerId("srv_remit")
_TOOL: Final = ToolId("tol_remit_usage")
_EPOCH: Final = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
_KEEP: Final = timedelta(days=1)
"""How long two requests with one key can be told to be the same attempt while neither has ended."""


class UsageUnknown(NotFound):
    """No such task, or nothing was reserved under this key: for the caller both look alike."""

    code = "usage_unknown"


class UsageKeyReused(Conflict):
    """The key stands for a reservation of other amounts."""

    code = "usage_key_reused"


class UsageTold(Conflict):
    """What was used is on record; it does not change afterwards."""

    code = "usage_told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Using:
    """What a program is about to use in a task. `envelope` is the digest of the delegation it acts by."""

    task: TaskId
    key: str
    amounts: Mapping[Meter, int]
    envelope: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What came of it; a permit holds the amounts until they are settled."""

    decision: Decision
    key: str
    denial: JsonObject | None = None
    ask: Ask | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One limit of a task or of what it stands on, with how much of it is used."""

    line: Line
    spent: int


class Metered:
    """`Snapshots` in which using a model is a tool of ours."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._made: tuple[Snapshot, Snapshot] | None = None  # OWNED BY: the event loop

    def current(self) -> Snapshot:
        """The newest snapshot that this node holds."""
        return self._with(self._snapshots.current())

    async def catch_up(self, at_least: int | None = None) -> Snapshot:
        """A snapshot of the present head."""
        return self._with(await self._snapshots.catch_up(at_least))

    def _with(self, plain: Snapshot) -> Snapshot:
        if self._made is None or self._made[0] is not plain:
            tenant = plain.tenant
            servers = plain.servers.set(_SERVER, _server(tenant))
            tools = plain.tools.set(_TOOL, _tool(tenant))
            self._made = plain, replace(plain, servers=servers, tools=tools)
        return self._made[1]


def bounds_stage(request: ActionRequest, _: Snapshot) -> Finding:
    """Whether every factor holds now and for this purpose; no right is asked for."""
    at = request.call.at
    for factor in request.factors:
        window = factor.ceiling.window
        if not window.contains(at):
            span = {"start": str(window.start), "end": str(window.end)}
            return refusal(reason(Code.WINDOW_CLOSED, rule=factor.name, factor=factor.name, **span))
        if not suits(factor.ceiling, request.purpose):
            said = reason(Code.PURPOSE_OUTSIDE, rule=factor.name, factor=factor.name, purpose=request.purpose)
            return refusal(said)
    names = tuple(factor.name for factor in request.factors)
    return Finding(stage=Stage.AUTHORITY, effect=Effect.PERMIT, detail=names)


STEPS: Final = (
    Step(stage=Stage.ALIVE, judge=alive_stage),
    Step(stage=Stage.AUTHORITY, judge=bounds_stage),
)


class NothingToMint:
    """`CapabilityMinter` where no permit has a capability."""

    def mint(self, request: ActionRequest, *, decision: DecisionId, at: datetime) -> Minted:
        """Never asked: `Handing.METERED` mints none."""
        raise AssertionError(f"{decision} of {request.call.action} at {at} has no capability")


class UsageMeter:
    """Reserves and settles what programs use outside of tools."""

    def __init__(
        self,
        *,
        decisions: DecisionService,
        snapshots: Snapshots,
        desk: Desk,
        work: SqlUnitOfWork,
        entropy: Entropy,
    ) -> None:
        self._decisions = decisions
        self._snapshots = snapshots
        self._desk = desk
        self._work = work
        self._entropy = entropy

    async def reserve(self, caller: VerifiedSubject, using: Using, *, at: datetime) -> Reserved:
        """Hold the amounts on every account of the chain, or say why not; the same key holds them once.

        Raises `UsageUnknown` or `UsageKeyReused`.
        """
        subject = await self._subject(caller, using)
        call = _call(subject, using, at=at)
        before = await self._work.read(lambda tx: tx.decisions.of_call(call.call))
        if (held := _permitted(before)) is not None:
            return _repeated(held, call, using)
        decision = await self._decisions.decide(_attempt(call, len(before)), handing=Handing.METERED)
        if any(said.code == Code.PROOF_REPLAYED for said in decision.verdict.reasons):
            # Another request with this key was faster: its answer is ours.
            held = _permitted(await self._work.read(lambda tx: tx.decisions.of_call(call.call)))
            if held is not None:
                return _repeated(held, call, using)
        return await self._told(call, decision, using)

    async def settle(
        self, caller: VerifiedSubject, task: TaskId, key: str, used: Mapping[Meter, int], *, at: datetime
    ) -> StoredDecision:
        """Say what was used, once; a meter that is not named stays as it was reserved.

        Raises `UsageUnknown` or `UsageTold`.
        """
        call = _call_id(caller.instance, task, key)
        took = {Dimension(meter.value): amount for meter, amount in used.items()}

        def work(tx: SqlTransaction) -> StoredDecision:
            held = _permitted(tx.decisions.of_call(call))
            if held is None:
                raise UsageUnknown("nothing was reserved under this key", next_step="reserve it first")
            if not settle(tx, held.id, Settlement.SPENT, used=took, at=at):
                raise UsageTold("what was used under this key is on record")
            tx.ledger.append(_settled(held, used, at=at, entropy=self._entropy))
            return held

        return await self._work.commit(work)

    async def standing(self, task: Task, *, at: datetime) -> Sequence[Standing]:
        """What is used of every limit of a task, its consent, its agent and the agent's blueprint."""
        snapshot = await self._snapshots.catch_up()
        lines = [line for factor in _factors(task, snapshot) for line in counters(factor, at)]
        return await self._work.read(
            lambda tx: [Standing(line=line, spent=tx.budgets.spent(line)) for line in lines]
        )

    async def _subject(self, caller: VerifiedSubject, using: Using) -> VerifiedSubject:
        """The caller in the task, by the delegation that it names; assembly verifies the chain anew."""
        snapshot = await self._snapshots.catch_up()
        acting = acting_in(snapshot, caller, using.task, using.envelope)
        if acting is None:
            raise UsageUnknown("no task that you act in is there", next_step="remit task list")
        task, envelope = acting
        givers = [hop.by for hop in envelope.hops] if envelope is not None else []
        return replace(
            caller,
            task=task.id,
            user=task.user,
            chain=(*givers, caller.instance),
            envelope=using.envelope if givers else None,
            proof=None,
        )

    async def _told(self, call: ProposedCall, decision: Decision, using: Using) -> Reserved:
        effect = decision.verdict.effect
        if effect is Effect.PERMIT:
            return Reserved(decision=decision, key=using.key)
        denial = denial_of(decision, call_key=using.key).to_json()
        if effect is not Effect.ASK:
            return Reserved(decision=decision, key=using.key, denial=denial)
        try:
            ask = await self._desk.ask(call, decision)
        except CannotAsk as unable:
            denial = {**denial, "code": unable.reason, "message": unable.hint}
            return Reserved(decision=decision, key=using.key, denial=denial)
        return Reserved(decision=decision, key=using.key, denial=denial, ask=ask)


def _call_id(instance: InstanceId, task: TaskId, key: str) -> CallId:
    """A key is worth something only together with the instance and the task that used it first."""
    parts = [instance.encode(), task.encode(), key.encode()]
    return CallId("call_" + framed_digest("remit/usage/v1", parts)[:36].upper())


def _call(subject: VerifiedSubject, using: Using, *, at: datetime) -> ProposedCall:
    arguments: JsonObject = {meter.value: using.amounts[meter] for meter in sorted(using.amounts)}
    raw = canonical_json(arguments)
    return ProposedCall(
        call=_call_id(subject.instance, using.task, using.key),
        subject=subject,
        server=_SERVER,
        method="tools/call",
        action=ACTION,
        resource=Resource(type="Task", id=using.task),
        tool=_tool(subject.tenant),
        arguments=arguments,
        raw_arguments=raw,
        arguments_digest=sha256(raw),
        money=None,
        consequential=False,
        at=at,
    )


def _attempt(call: ProposedCall, number: int) -> ProposedCall:
    """The call with a mark that only one of several requests at once can leave.

    INVARIANT: attempts are numbered by the decisions before them, so that the same key charges once, and a
    call that was refused or asked about can be tried again.
    """
    mark = Proof(
        key=f"usage:{call.subject.instance}", jti=f"{call.call}:{number}", keep_until=call.at + _KEEP
    )
    return replace(call, subject=replace(call.subject, proof=mark))


def _permitted(decisions: Sequence[StoredDecision]) -> StoredDecision | None:
    return next((each for each in decisions if each.explanation.verdict.effect is Effect.PERMIT), None)


def _repeated(held: StoredDecision, call: ProposedCall, using: Using) -> Reserved:
    told = held.explanation
    if told.arguments != call.arguments_digest:
        raise UsageKeyReused("the key stands for other amounts", next_step="reserve under another key")
    return Reserved(decision=Decision(id=held.id, at=told.at, verdict=told.verdict), key=using.key)


def _settled(held: StoredDecision, used: Mapping[Meter, int], *, at: datetime, entropy: Entropy) -> Record:
    told = held.explanation
    return Record(
        id=facts.record_id(at, entropy),
        at=at,
        tenant=told.tenant,
        kind=SETTLED,
        actor=told.instance,
        user=told.user or "",
        agent=told.agent,
        task=told.task or "",
        purpose=told.purpose,
        chain=told.chain,
        decision=held.id,
        call=told.call,
        action=told.action,
        resource=told.resource,
        detail=tuple((f"used {meter}", str(used[meter])) for meter in sorted(used)),
    )


def _factors(task: Task, snapshot: Snapshot) -> Sequence[Factor]:
    found = [Factor(name="task", ceiling=task.ceiling, account=task.id)]
    grant = snapshot.grants.get(task.grant) if task.grant else None
    if grant is not None:
        found.append(Factor(name="user", ceiling=grant.ceiling, account=grant.id, daily=True))
    for each in task.companions:
        beside = snapshot.grants.get(each.grant)
        person = snapshot.principals.get(PrincipalId(each.user))
        if beside is not None and person is not None:
            found.append(_daily(f"with {person.name}", beside.ceiling, beside.id))
    agent = snapshot.principals.get(PrincipalId(task.agent))
    if agent is None:
        return found
    if (own := snapshot.ceilings.get(agent.id)) is not None:
        found.append(_daily(f"agent {agent.name}", own, agent.id))
    blueprint = snapshot.principals.get(PrincipalId(agent.blueprint)) if agent.blueprint else None
    shared = snapshot.ceilings.get(blueprint.id) if blueprint else None
    if blueprint is not None and shared is not None:
        found.append(_daily(f"blueprint {blueprint.name}", shared, f"{blueprint.id}/{agent.id}"))
    return found


def _daily(name: str, ceiling: Ceiling, account: str) -> Factor:
    return Factor(name=name, ceiling=ceiling, account=account, daily=True)


def _server(tenant: TenantId) -> Server:
    return Server(
        id=_SERVER, tenant=tenant, name="remit", transport=Transport.HTTP, url="https://remit.invalid"
    )


def _tool(tenant: TenantId) -> Tool:
    """Using a model, as a tool: each meter that is named is taken, the others are not."""
    return Tool(
        id=_TOOL,
        tenant=tenant,
        server=_SERVER,
        name="usage",
        definition='{"name":"usage"}',
        digest=_DIGEST,
        pin=Pin.APPROVED,
        consequential=False,
        # Nothing but a budget is at stake: whose it is may say yes.
        reversible=True,
        mapping=_MAPPING,
        pinned_at=_EPOCH,
    )


_MAPPING: Final = ToolMapping(
    action="usage",
    resource=ResourceMapping(type="Task", fixed="task"),
    arguments=tuple(f"/{meter}" for meter in Meter),
    meters=tuple(MeterMapping(meter=meter, arguments=(f"/{meter}",), estimate=0) for meter in Meter),
    sentence="used a model",
)
_DIGEST: Final = sha256(b"remit/usage/v1")
