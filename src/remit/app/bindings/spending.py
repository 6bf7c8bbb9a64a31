"""Where a tool server uses a capability up, and tells how the call ended: each once, in one unit of work."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.authority import events
from remit.authority.capability import Capability, CapabilityState, Use, verify_capability
from remit.authority.capability_service import consume
from remit.authority.errors import CapabilityRejected, NotYours
from remit.authority.lineage import lineage_of
from remit.authority.tasks import Lineage
from remit.decision.budget.cost import Dimension, Settlement
from remit.decision.call.actions import action_of
from remit.decision.making.spending import settle
from remit.decision.trail.trace import StoredDecision
from remit.identity.lifecycle import State
from remit.identity.metering import Meter
from remit.identity.principals import Principal
from remit.identity.tools import Pin, Server, Tool
from remit.kernel.canonical import Digest
from remit.kernel.errors import Conflict, RemitError
from remit.kernel.ids import CapabilityId, Entropy, EnvelopeId, PrincipalId
from remit.kernel.jose.keys import KeyLookup
from remit.ledger import facts
from remit.ledger.query import FINISHED
from remit.ledger.record import Record
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

SERVED: Final = "resource_server"
"""Attribute of a service account: the resources (addresses of servers at the gateway) that it serves."""

_SETTLED: Final = {
    CapabilityState.DONE: Settlement.SPENT,
    CapabilityState.FAILED: Settlement.SPENT,
    CapabilityState.UNKNOWN: Settlement.UNKNOWN,
}


class NotYourServer(RemitError):
    """The caller serves no such resource: only a server's own service account uses its capabilities up."""

    code = "not_your_server"
    kind = "forbidden"


class OutcomeTold(Conflict):
    """How the call ended is on record, or it never began; neither changes afterwards."""

    code = "outcome_told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """A tool server's attempt to use a capability up, as it saw the call.

    `tool` is the tool's name, `arguments` the SHA-256 of the bytes that it received, `key` the thumbprint
    (RFC 7638) whose possession its caller has proven to it.
    """

    token: str
    server: str
    tool: str
    arguments: Digest
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a call ended: done, failed or unknown; a code, and digests of what came back."""

    capability: CapabilityId
    state: CapabilityState
    code: str
    result: Digest
    resources: tuple[str, ...]
    used: tuple[tuple[Meter, int], ...] = ()
    """What the call took of each meter, as its server counted it."""


class CapabilitySpender:
    """Uses capabilities up for the servers that they are made out to."""

    def __init__(
        self, *, work: SqlUnitOfWork, keys: KeyLookup, issuer: str, node: str, entropy: Entropy
    ) -> None:
        self._work = work
        self._keys = keys
        self._issuer = issuer
        self._node = node
        self._entropy = entropy

    async def spend(self, wanted: Spending, *, by: PrincipalId, at: datetime) -> Capability:
        """Use one up; the tool runs only after this returned.

        1 the token verifies, for this server   2 the caller serves it   3 the tool is pinned, its action the
        capability's   4 it says what was stored when it was given, and what was decided
        5 everything above the call lives   6 the one conditional UPDATE.
        Raises `NotYourServer`, `CapabilityRejected`, `NotAlive` or `CapabilityConsumed`.
        """
        # Step 1, outside the unit of work: nobody waits for a signature there.
        audience = f"{self._issuer}/mcp/{wanted.server}"
        held = verify_capability(wanted.token, keys=self._keys, audience=audience, at=at)
        return await self._work.commit(lambda tx: self._spend(tx, wanted, held, by=by, at=at))

    async def end(self, ending: Ending, *, by: PrincipalId, at: datetime) -> None:
        """Put on record how the call ended. Raises `NotYours` or `OutcomeTold`."""
        await self._work.commit(lambda tx: self._end(tx, ending, by=by, at=at))

    def _spend(
        self, tx: SqlTransaction, wanted: Spending, held: Capability, *, by: PrincipalId, at: datetime
    ) -> Capability:
        # Step 2.
        if not _serves(tx, by, held.audience):
            raise NotYourServer(
                f"the caller does not serve `{held.audience}`",
                next_step=f"let an administrator set the attribute `{SERVED}` of the service account",
            )
        # Step 3.
        server, tool = _tool(tx, wanted)
        if action_of(server, tool) != held.action:
            raise CapabilityRejected(6, "other_action")
        stored = tx.decisions.get(held.decision)
        if stored is None:
            raise CapabilityRejected(4, "unknown")
        # Step 4.
        _require_as_given(tx, held, stored)
        # Steps 5 and 6.
        use = Use(
            capability=held.id,
            tenant=held.tenant,
            call=stored.explanation.call,
            audience=held.audience,
            instance=held.instance,
            action=held.action,
            resource_type=held.resource_type,
            resource=held.resource,
            arguments=wanted.arguments,
            tool=tool.digest,
            task=held.task,
            key=wanted.key,
        )
        lineage = _lineage(tx, stored, held, server, tool)
        used = consume(tx, use, lineage, at=at, node=self._node)
        self._record_use(tx, used, stored, by=by, at=at)
        return used

    def _record_use(
        self, tx: SqlTransaction, used: Capability, stored: StoredDecision, *, by: PrincipalId, at: datetime
    ) -> None:
        told = stored.explanation
        events.state(
            tx,
            events.CAPABILITY_CONSUMED,
            tenant=used.tenant,
            actor=by,
            agent=told.agent,
            at=at,
            entropy=self._entropy,
            task=tx.tasks.get(used.task) if used.task is not None else None,
            user=told.user or "",
            chain=told.chain,
            envelope=used.envelope or "",
            decision=used.decision,
            capability=used.id,
            subject=used.action,
        )

    def _end(self, tx: SqlTransaction, ending: Ending, *, by: PrincipalId, at: datetime) -> None:
        held = tx.capabilities.get(ending.capability)
        if held is None or not _serves(tx, by, held.audience):
            raise NotYours("no capability that you may settle is there")
        stored = tx.decisions.get(held.decision)
        if stored is None or not tx.capabilities.settle(held.id, ending.state, at):
            raise OutcomeTold("the capability is not used, or its outcome was told before")
        used = {Dimension(meter.value): amount for meter, amount in ending.used}
        settle(tx, held.decision, _SETTLED[ending.state], used=used, at=at)
        tx.ledger.append(self._finished(tx, ending, held, stored, by=by, at=at))

    def _finished(
        self,
        tx: SqlTransaction,
        ending: Ending,
        held: Capability,
        stored: StoredDecision,
        *,
        by: PrincipalId,
        at: datetime,
    ) -> Record:
        told = stored.explanation
        agent = tx.principals.get(PrincipalId(told.agent))
        return Record(
            id=facts.record_id(at, self._entropy),
            at=at,
            tenant=held.tenant,
            kind=FINISHED,
            actor=by,
            user=told.user or "",
            owner=(agent.owner or "") if agent else "",
            agent=told.agent,
            task=told.task or "",
            purpose=told.purpose,
            chain=told.chain,
            envelope=held.envelope or "",
            decision=held.decision,
            capability=held.id,
            call=told.call,
            approval=stored.approval or "",
            action=held.action,
            resource=told.resource,
            effect=ending.state,
            codes=(ending.code,),
            digests=(("arguments", held.arguments), *((("result", ending.result),) if ending.result else ())),
            detail=(
                ("sent", "true"),
                *((f"used {meter}", str(amount)) for meter, amount in ending.used),
                *(("touched", address) for address in ending.resources),
            ),
        )


def _serves(tx: SqlTransaction, by: PrincipalId, audience: str) -> bool:
    """As introspection asks: the directory says which resources an account serves."""
    entry = tx.principals.get(by)
    return entry is not None and audience in dict(entry.attributes).get(SERVED, "").split()


def _require_as_given(tx: SqlTransaction, held: Capability, stored: StoredDecision) -> None:
    """SAFETY: our signature alone moves nothing: every member is the row's, the resource the decision's.

    Whoever could sign as us still can't turn a permit into another one.
    """
    given = tx.capabilities.get(held.id)
    if given is None:
        raise CapabilityRejected(4, "unknown")
    if given != held:
        raise CapabilityRejected(4, "other_capability")
    if stored.explanation.resource != f"{held.resource_type}:{held.resource}":
        raise CapabilityRejected(6, "other_resource")


def _tool(tx: SqlTransaction, wanted: Spending) -> tuple[Server, Tool]:
    """The tool as it is pinned now; a definition that changed since the permit is another tool."""
    server = tx.servers.named(wanted.server)
    tool = tx.tools.named(server.id, wanted.tool) if server is not None else None
    active = server is not None and tx.lineage.state_of(PrincipalId(server.id)) is State.ACTIVE
    if server is None or not active or tool is None or tool.pin is not Pin.APPROVED:
        raise CapabilityRejected(8, "other_tool")
    return server, tool


def _lineage(
    tx: SqlTransaction, stored: StoredDecision, held: Capability, server: Server, tool: Tool
) -> Lineage:
    """Everything that the decision stood on, as it is in this transaction."""
    told = stored.explanation
    envelope = tx.envelopes.by_digest(held.envelope) if held.envelope is not None else None
    above: Iterable[str] = envelope.names if envelope is not None else ()
    return lineage_of(
        [PrincipalId(member) for member in told.chain] or [PrincipalId(held.instance)],
        Find(tx),
        tenant=held.tenant,
        task=tx.tasks.get(held.task) if held.task is not None else None,
        envelope=EnvelopeId(envelope.id) if envelope is not None else None,
        others=[each for each in (told.token, held.key, server.id, tool.id, held.id, *above) if each],
    )


class Find:
    """Principals of this transaction, each read once."""

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx
        self._known: dict[PrincipalId, Principal | None] = {}

    def __call__(self, ident: PrincipalId) -> Principal | None:
        """One entry, whatever its state."""
        if ident not in self._known:
            self._known[ident] = self._tx.principals.get(ident)
        return self._known[ident]
