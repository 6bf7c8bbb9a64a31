"""Gather every fact about a proposed call from one snapshot; what is missing is a reason to deny.

1 the tenant   2 who acts   3 the server and the tool as they are pinned now   4 the task and its consent
5 the delegation, hop by hop   6 everybody that the call stands on   7 every ceiling.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from remit.authority.consent import Grant, GrantState
from remit.authority.delegations import RecordedEnvelope
from remit.authority.lineage import lineage_of
from remit.authority.shares import Beside, Member, shares
from remit.authority.tasks import Task
from remit.decision.answer.response import Reason
from remit.decision.call.request import ActionRequest, Factor, ProposedCall
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.snapshot import Snapshot
from remit.identity.principals import Kind, Principal, Tier
from remit.identity.tools import Pin, Tool
from remit.kernel.ids import EnvelopeId, PrincipalId, UserId

OWN: Final = "own"
"""Purpose of a person who acts by themselves, for nobody's task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unassembled:
    """A fact is missing or contradicts another; nothing further can be asked."""

    reason: Reason


class _Missing(Exception):
    def __init__(self, code: Code, step: int, /, **places: object) -> None:
        super().__init__(code)
        self.reason = structs.replace(reason(code, rule="", **places), step=step)


def assemble(call: ProposedCall, snapshot: Snapshot) -> ActionRequest | Unassembled:
    """Gather the facts of a call, or say which one is missing and at which step."""
    try:
        return _assemble(call, snapshot)
    except _Missing as missing:
        return Unassembled(reason=missing.reason)


def _assemble(call: ProposedCall, snapshot: Snapshot) -> ActionRequest:
    # (1) The tenant is the owner of the key that verified, never what a claim says.
    if call.subject.tenant != snapshot.tenant:
        raise _Missing(Code.TENANT_MISMATCH, 1)
    if call.at >= call.subject.expires_at:
        raise _Missing(Code.TOKEN_EXPIRED, 1, when=call.subject.expires_at.isoformat())
    # (2) who acts, and what it is an instance of
    instance, principal = _actor(call, snapshot)
    # (3) as they are pinned now, not as the caller saw them
    server = snapshot.servers.get(call.server)
    if server is None:
        raise _Missing(Code.SERVER_UNKNOWN, 3, id=call.server)
    tool = _tool(call, snapshot)
    # (4) the task, and the consent that it stands on
    task, grant = _task(call, snapshot, principal)
    companions, company = _company(task, snapshot)
    # (5) every hop, as it was recorded
    envelope = _envelope(call, snapshot, task)
    # (6) whoever's end must reach the call
    lineage = lineage_of(
        _chain(call),
        snapshot.principals.get,
        tenant=call.subject.tenant,
        task=task,
        user=call.subject.user,
        envelope=EnvelopeId(envelope.id) if envelope else None,
        others=_others(call, envelope),
    )
    # (7) each factor, or none of it counts
    factors = tuple(_factors(call, snapshot, principal, task, grant, company, envelope))
    return ActionRequest(
        call=call,
        principal=principal,
        instance=instance,
        blueprint=_blueprint(principal, snapshot),
        user=_known(PrincipalId(call.subject.user), snapshot, "user") if call.subject.user else None,
        task=task,
        server=server,
        tool=tool,
        lineage=lineage,
        factors=factors,
        # PD-19: from the signed task alone; a principal without a task has the purpose it was registered for.
        purpose=task.purpose if task else _own_purpose(principal),
        companions=companions,
    )


def _own_purpose(principal: Principal) -> str:
    """That of somebody who acts without a task: what it was registered for, or a person's own business."""
    return OWN if principal.kind is Kind.HUMAN else principal.purpose


def _known(ident: PrincipalId, snapshot: Snapshot, what: str) -> Principal:
    found = snapshot.principals.get(ident)
    if found is None:
        raise _Missing(Code.PRINCIPAL_UNKNOWN, 2, what=what, id=ident)
    return found


def _actor(call: ProposedCall, snapshot: Snapshot) -> tuple[Principal, Principal]:
    """The instance and what it is an instance of; people and workloads act by themselves."""
    subject = call.subject
    instance = _known(PrincipalId(subject.instance), snapshot, "instance")
    if instance.kind is not Kind.INSTANCE:
        acting = instance
    else:
        acting = _known(PrincipalId(instance.parent or ""), snapshot, "agent")
    if acting.id != PrincipalId(subject.agent):
        raise _Missing(Code.PRINCIPAL_UNKNOWN, 2, what="agent", id=subject.agent)
    return instance, acting


def _tool(call: ProposedCall, snapshot: Snapshot) -> Tool | None:
    if call.tool is None:
        if call.method == "tools/call":
            raise _Missing(Code.TOOL_UNKNOWN, 3, action=call.action)
        return None
    pinned = snapshot.tools.get(call.tool.id)
    if pinned is None or pinned.server != call.server:
        raise _Missing(Code.TOOL_UNKNOWN, 3, action=call.action)
    if pinned.pin is not Pin.APPROVED:
        raise _Missing(Code.TOOL_QUARANTINED, 3, action=call.action)
    if pinned.digest != call.tool.digest:
        raise _Missing(Code.TOOL_CHANGED, 3, action=call.action)
    return pinned


def _task(call: ProposedCall, snapshot: Snapshot, principal: Principal) -> tuple[Task | None, Grant | None]:
    """The task, and the consent that it stands on; an agent has rights only within a task (R43)."""
    subject = call.subject
    if subject.task is None:
        if principal.tier is Tier.AGENTIC:
            raise _Missing(Code.TASK_UNKNOWN, 4, id="")
        return None, None
    task = snapshot.tasks.get(subject.task)
    if task is None:
        raise _Missing(Code.TASK_UNKNOWN, 4, id=subject.task)
    first = _agent_of(_chain(call)[0], snapshot)
    if task.user != subject.user or PrincipalId(task.agent) != first:
        raise _Missing(Code.TASK_MISMATCH, 4, id=task.id)
    if task.user is None:
        return task, None
    grant = snapshot.grants.get(task.grant) if task.grant else None
    if grant is None or (grant.user, grant.agent) != (task.user, task.agent):
        raise _Missing(Code.GRANT_UNKNOWN, 4, id=task.grant or "")
    return task, grant


def _company(task: Task | None, snapshot: Snapshot) -> tuple[tuple[Principal, ...], tuple[Beside, ...]]:
    """The further people of the task, and the consent that each of them gave for themselves (R36)."""
    people, beside = [], []
    for companion in task.companions if task else ():
        person = _known(PrincipalId(companion.user), snapshot, "user")
        consent = snapshot.grants.get(companion.grant)
        if task is None or consent is None or (consent.user, consent.agent) != (companion.user, task.agent):
            raise _Missing(Code.GRANT_UNKNOWN, 4, id=companion.grant)
        people.append(person)
        beside.append(Beside(name=person.name, consent=consent))
    return tuple(people), tuple(beside)


def _chain(call: ProposedCall) -> tuple[PrincipalId, ...]:
    """Instance ids, first agent first; the last is the one that acts."""
    chain = tuple(PrincipalId(member) for member in call.subject.chain)
    return chain or (PrincipalId(call.subject.instance),)


def _agent_of(member: PrincipalId, snapshot: Snapshot) -> PrincipalId:
    found = _known(member, snapshot, "instance")
    return found.parent or found.id if found.kind is Kind.INSTANCE else found.id


def _envelope(call: ProposedCall, snapshot: Snapshot, task: Task | None) -> RecordedEnvelope | None:
    """The recorded delegation; a chain of several members without one is no root chain (DE-17)."""
    chain, digest = _chain(call), call.subject.envelope
    if chain[-1] != PrincipalId(call.subject.instance):
        raise _Missing(Code.CHAIN_MISMATCH, 5, members=str(len(chain)), hops="0")
    if digest is None:
        if len(chain) > 1:
            raise _Missing(Code.ENVELOPE_UNKNOWN, 5)
        return None
    found = snapshot.envelopes.get(digest)
    if found is None or task is None or found.task != task.id:
        raise _Missing(Code.ENVELOPE_UNKNOWN, 5)
    agents = tuple(PrincipalId(agent) for agent in (found.first, *(hop.to for hop in found.hops)))
    givers = tuple(PrincipalId(hop.by) for hop in found.hops)
    if agents != tuple(_agent_of(member, snapshot) for member in chain) or givers != chain[:-1]:
        raise _Missing(Code.CHAIN_MISMATCH, 5, members=str(len(chain)), hops=str(len(found.hops)))
    for number, hop in enumerate(found.hops, start=1):
        if call.at >= hop.expires_at:
            raise _Missing(Code.HOP_EXPIRED, 5, hop=str(number), when=hop.expires_at.isoformat())
    return found


def _blueprint(principal: Principal, snapshot: Snapshot) -> Principal | None:
    if principal.blueprint is None:
        return None
    return _known(PrincipalId(principal.blueprint), snapshot, "blueprint")


def _others(call: ProposedCall, envelope: RecordedEnvelope | None) -> frozenset[str]:
    """What else a tombstone can stop the call by."""
    named = [
        str(call.subject.token),
        str(call.server),
        call.subject.key,
        *(envelope.parents if envelope else ()),
    ]
    if call.tool is not None:
        named.append(call.tool.id)
    return frozenset(name for name in named if name)


def _factors(
    call: ProposedCall,
    snapshot: Snapshot,
    principal: Principal,
    task: Task | None,
    grant: Grant | None,
    company: tuple[Beside, ...],
    envelope: RecordedEnvelope | None,
) -> Iterator[Factor]:
    """User, who else it is for, task, each hop, each agent that counts with its blueprint, token (N10)."""
    if task is None:
        yield from _own_factors(call, snapshot, principal)
        return
    members = [_known(agent, snapshot, "agent") for agent in _agents(principal, envelope)]
    for share in shares(
        task=task,
        consent=grant,
        members=[_member(agent, task, snapshot) for agent in members],
        hops=envelope.hops if envelope else (),
        company=company,
        token=call.subject.ceiling,
    ):
        daily = not share.name.startswith(("task", "hop", "token"))
        account = call.subject.token if share.name == "token" else share.account
        yield Factor(name=share.name, ceiling=share.ceiling, account=account, daily=daily)


def _own_factors(call: ProposedCall, snapshot: Snapshot, principal: Principal) -> Iterator[Factor]:
    """Those of a person or workload that acts by itself."""
    own = snapshot.ceilings.get(principal.id)
    if own is None:
        raise _Missing(Code.CEILING_MISSING, 7, factor=principal.name)
    yield Factor(name=f"{principal.kind} {principal.name}", ceiling=own, account=principal.id, daily=True)
    if call.subject.ceiling is not None:
        yield Factor(name="token", ceiling=call.subject.ceiling, account=call.subject.token)


def _agents(principal: Principal, envelope: RecordedEnvelope | None) -> list[PrincipalId]:
    """The agents of the chain, the first one first: of each an instance is known, the agent may be gone."""
    if envelope is None:
        return [principal.id]
    return [PrincipalId(envelope.first), *(PrincipalId(hop.to) for hop in envelope.hops)]


def _member(agent: Principal, task: Task, snapshot: Snapshot) -> Member:
    blueprint = PrincipalId(agent.blueprint) if agent.blueprint else None
    return Member(
        id=agent.id,
        name=agent.name,
        ceiling=snapshot.ceilings.get(agent.id),
        blueprint=_blueprint_name(agent, snapshot),
        blueprint_ceiling=snapshot.ceilings.get(blueprint) if blueprint else None,
        blueprint_id=blueprint or "",
        consent=_consent(agent, task, snapshot),
        beside=tuple(_newest(each.user, agent, snapshot) for each in task.companions),
    )


def _blueprint_name(agent: Principal, snapshot: Snapshot) -> str:
    blueprint = _blueprint(agent, snapshot)
    return blueprint.name if blueprint else ""


def _consent(agent: Principal, task: Task, snapshot: Snapshot) -> Grant | None:
    """The newest standing consent of the task's user for this very agent: what a brokered worker needs."""
    if PrincipalId(task.agent) == agent.id:
        return snapshot.grants.get(task.grant) if task.grant else None
    return _newest(task.user, agent, snapshot)


def _newest(user: UserId | None, agent: Principal, snapshot: Snapshot) -> Grant | None:
    given = [
        grant
        for grant in snapshot.grants.values()
        if (grant.user, PrincipalId(grant.agent)) == (user, agent.id) and grant.state is GrantState.GIVEN
    ]
    return max(given, key=lambda grant: grant.id, default=None)
