"""The vault in an installation: its way out, the calls it opens for, and the gateway's view of it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.app.bindings.spending import Find
from remit.app.planes import PlaneNotStopped
from remit.authority.capability import Capability, CapabilityState
from remit.authority.lineage import lineage_of
from remit.authority.tokens import VerifiedSubject
from remit.authority.vault.connection_service import ConnectionService
from remit.authority.vault.desk import CredentialDesk, PermittedCall
from remit.authority.vault.endings import Ender, everything
from remit.authority.vault.errors import ConnectionRequired
from remit.authority.vault.facts import SYSTEM
from remit.authority.vault.provider import Provider
from remit.authority.vault.provider_service import ProviderService
from remit.authority.vault.revoker import Revoker
from remit.authority.vault.sealing import VaultSeal
from remit.authority.vault.upstream import ProviderClient
from remit.decision.answer.response import Decision, Effect
from remit.decision.budget.cost import Settlement
from remit.decision.call.actions import action_of
from remit.decision.trail.trace import Explanation
from remit.enforcement.pep.credentials import CredentialMissing, Shown
from remit.identity.events import RETIRED
from remit.identity.lifecycle import State
from remit.identity.tools import Pin, Server
from remit.kernel.clock import Clock
from remit.kernel.events import Event
from remit.kernel.ids import AgentId, DecisionId, Entropy, EnvelopeId, GrantId, PrincipalId, TenantId, UserId
from remit.kernel.outbound import Address, AddressRule, Destination, OutboundRequest, OutboundResponse
from remit.kernel.sealing import Kek
from remit.oversight.containment.kill import Kill, TargetKind
from remit.platform.outbound import GuardedHttp, Rule
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork


class RegisteredProviders:
    """An address rule that opens exactly the hosts and ports of the provider that is spoken to."""

    def __init__(self) -> None:
        self._registered: frozenset[Destination] = frozenset()

    @property
    def registered(self) -> frozenset[Destination]:
        """What registrations have opened so far in this process."""
        return self._registered

    def allow(self, provider: Provider) -> None:
        """Open what an administrator named with this provider."""
        self._registered |= provider.destinations

    def check(self, destination: Destination, address: Address) -> None:
        """Refuse what no administrator named."""
        AddressRule(registered=self._registered, ports=frozenset()).check(destination, address)


class ProviderExit:
    """`ProviderHttp` over the guarded client. SAFETY: URLs come from registrations, never from a caller."""

    def __init__(self, narrow: Callable[[Rule], Rule] | None = None) -> None:
        self._rule = RegisteredProviders()
        self._http = GuardedHttp(rule=narrow(self._rule) if narrow else self._rule)

    async def send(self, provider: Provider, request: OutboundRequest) -> OutboundResponse:
        """Send to an endpoint of this provider."""
        self._rule.allow(provider)
        return await self._http.send(request)

    async def close(self) -> None:
        """Close idle connections."""
        await self._http.close()


class GatewayCredentials:
    """`Credentials` of the gateway: the desk, in the enforcement point's words."""

    def __init__(self, desk: CredentialDesk) -> None:
        self._desk = desk

    async def ready(self, subject: VerifiedSubject, server: Server) -> None:
        """Raise `CredentialMissing` if there is none of this very user and agent."""
        try:
            await self._desk.ready(server, user=subject.user, agent=AgentId(subject.agent), task=subject.task)
        except ConnectionRequired as required:
            raise CredentialMissing(required.hint, link=_link(required)) from required

    async def open(self, decision: Decision) -> Shown:
        """Open it for the permitted call."""
        try:
            opened = await self._desk.open(decision.id)
        except ConnectionRequired as required:
            raise CredentialMissing(required.hint, link=_link(required)) from required
        return Shown(holder=opened.connection.id, header=opened.header, value=opened.value)


def _link(required: ConnectionRequired) -> str:
    return required.next_step if required.next_step.startswith("http") else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultServices:
    """Everything of the vault that surfaces, jobs and planes call."""

    providers: ProviderService
    connections: ConnectionService
    desk: CredentialDesk
    revoker: Revoker
    ender: Ender
    exit: ProviderExit


def open_vault(
    *,
    work: SqlUnitOfWork,
    kek: Kek,
    tenant: TenantId,
    issuer: str,
    clock: Clock,
    entropy: Entropy,
    narrow: Callable[[Rule], Rule],
) -> VaultServices:
    """Bind the vault to what it stands on; `narrow` bounds where its way out may lead."""
    seal = VaultSeal(kek=kek, entropy=entropy)
    way_out = ProviderExit(narrow)
    client = ProviderClient(way_out)
    return VaultServices(
        providers=ProviderService(uow=work, client=client, seal=seal, tenant=tenant),
        connections=ConnectionService(
            uow=work,
            client=client,
            seal=seal,
            tenant=tenant,
            issuer=issuer,
            clock=clock,
        ),
        desk=CredentialDesk(
            uow=work,
            client=client,
            seal=seal,
            running=running_call,
            issuer=issuer,
            clock=clock,
        ),
        revoker=Revoker(uow=work, client=client, seal=seal, clock=clock),
        ender=Ender(seal=seal),
        exit=way_out,
    )


def running_call(tx: SqlTransaction, ident: DecisionId) -> PermittedCall | None:
    """The permitted call of a decision, while it is under way through the gateway; else None.

    Whoever it is for is what the decision says on record: nothing of the caller's is believed here.
    """
    stored = tx.decisions.get(ident)
    if stored is None or stored.outcome is not Settlement.RESERVED:
        return None
    told = stored.explanation
    held = tx.capabilities.get(stored.capability) if stored.capability is not None else None
    used = stored.capability is None or (
        tx.capabilities.state_of(stored.capability) is CapabilityState.CONSUMED
    )
    server = tx.servers.named(told.action.partition("/")[0])
    if told.verdict.effect is not Effect.PERMIT or not used or server is None:
        return None
    if tx.lineage.state_of(PrincipalId(server.id)) is not State.ACTIVE or not _tool_lives(
        tx, server, told, held
    ):
        return None
    envelope = tx.envelopes.by_digest(held.envelope) if held is not None and held.envelope else None
    above: Iterable[str] = envelope.names if envelope is not None else ()
    lineage = lineage_of(
        [PrincipalId(member) for member in told.chain] or [PrincipalId(told.instance)],
        Find(tx),
        tenant=told.tenant,
        task=tx.tasks.get(told.task) if told.task is not None else None,
        envelope=EnvelopeId(envelope.id) if envelope is not None else None,
        others=[each for each in (told.token, server.id, *_named(held), *above) if each],
    )
    return PermittedCall(
        decision=ident,
        call=told.call,
        server=server,
        user=told.user,
        agent=AgentId(told.agent),
        agent_name=told.agent_name,
        instance=PrincipalId(told.instance),
        lineage=lineage,
    )


def _tool_lives(tx: SqlTransaction, server: Server, told: Explanation, held: Capability | None) -> bool:
    """Whether the tool that was called is pinned and alive; what is no tool's action needs none.

    A decision keeps the action, a capability the definition too: among tools of one action it is that one.
    """
    meant = [tool for tool in tx.tools.of(server.id) if action_of(server, tool) == told.action]
    return not meant or any(
        tool.pin is Pin.APPROVED
        and (held is None or tool.digest == held.tool)
        and tx.lineage.tombstone(tool.id) is None
        for tool in meant
    )


def _named(held: Capability | None) -> tuple[str, ...]:
    return () if held is None else (held.id, held.key)


class UpstreamPlane:
    """Every connection of the reach has ended, and each provider has confirmed it (RFC 7009, N3)."""

    name = "upstream"

    def __init__(self, *, work: SqlUnitOfWork, vault: VaultServices, clock: Clock) -> None:
        self._work = work
        self._vault = vault
        self._clock = clock

    async def confirm(self, kill: Kill) -> str:
        """End them, tell the providers at once, and go on telling those that did not answer."""
        users = (UserId(kill.target.ident),) if kill.target.kind is TargetKind.USER else ()
        agents = tuple(ident for ident in kill.reach.principals if ident.startswith(_AGENT))
        if not users and not agents:
            return "no connection of its own"
        await self._work.commit(lambda tx: self._end(tx, kill, users, agents))
        with contextlib.suppress(TimeoutError):  # what was not answered in time is counted below
            async with asyncio.timeout(_PATIENCE):
                await self._vault.revoker.run_due()
        left = await self._work.read(lambda tx: _waiting(tx, users, agents))
        if left:
            raise PlaneNotStopped(f"{left} upstream grants are not confirmed as revoked yet")
        return "no upstream grant is left"

    def _end(
        self,
        tx: SqlTransaction,
        kill: Kill,
        users: Sequence[UserId],
        agents: Sequence[PrincipalId],
    ) -> None:
        at = self._clock.now()
        self._vault.ender.end_all(
            tx, users=users, agents=agents, by=PrincipalId(kill.by), because=kill.id, at=at
        )


def end_for(tx: SqlTransaction, ender: Ender, event: Event, *, at: datetime) -> None:
    """End what a fact leaves without ground: a retired person or agent, a consent that was taken back."""
    if event.name == RETIRED:
        users, agents = [UserId(event.subject)], [PrincipalId(event.subject)]
        ender.end_all(tx, users=users, agents=agents, by=SYSTEM, because="retired", at=at)
        return
    grant = tx.grants.get(GrantId(event.subject))
    if grant is None or tx.grants.standing(grant.user, grant.agent) is not None:
        return  # another consent of the same person for the same agent stands
    for each in everything(tx, user=grant.user):
        held = tx.vault.get(each.id) if each.place.agent == grant.agent else None
        if held is not None:
            ender.end(tx, held, by=SYSTEM, because="consent withdrawn", at=at)


def _waiting(tx: SqlTransaction, users: Sequence[UserId], agents: Sequence[PrincipalId]) -> int:
    open_ones = [each.place for each in tx.vault.open_revocations(limit=_COUNTED)]
    return len([place for place in open_ones if place.user in users or PrincipalId(place.agent) in agents])


_AGENT: Final = "agt_"
_PATIENCE: Final = 1.0
"""Seconds that a kill waits for providers; who takes longer is told again, and the kill says so."""
_COUNTED: Final = 10_000
