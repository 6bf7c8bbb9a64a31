"""Who acts, on what their call stands, whether all of it lives, and every ceiling that bounds it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from oracle.texts import Rule
from remit.authority.rights import Ceiling
from remit.decision.call.request import ProposedCall
from remit.identity.principals import Kind, Principal


class No(Exception):
    """Denied at a stage, by these rules; None where which one is named is a matter of taste."""

    def __init__(self, stage: str, rules: Iterable[str] | None = ("",)) -> None:
        self.stage, self.rules = stage, None if rules is None else frozenset(rules)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is true at one revision. `stopped` holds the ids of all that was ended for good."""

    tenant: str
    principals: Mapping[Any, Principal]
    servers: Mapping[Any, Any]
    tools: Mapping[Any, Any]
    tasks: Mapping[Any, Any]
    grants: Mapping[Any, Any]
    ceilings: Mapping[Any, Ceiling]
    envelopes: Mapping[Any, Any]
    stopped: frozenset[str]
    version: int
    rules: tuple[Rule, ...]
    seen: Callable[[str], bool]
    """Which arguments the rules look at (`texts.is_seen`)."""
    graph: tuple[Any, Any] | None = None
    """The authorization model and its tuples."""


@dataclass(frozen=True, kw_only=True)
class Who:
    """A call with what it stands on. A factor is a name, a ceiling, an account, and whether it is daily."""

    acting: Principal
    blueprint: Principal | None
    user: Principal | None
    others: tuple[Principal, ...]
    task: Any
    purpose: str
    server: Any
    tool: Any
    agents: tuple[Principal, ...]
    factors: tuple[tuple[str, Ceiling | None, str, bool], ...]


def found(table: Mapping[Any, Any], ident: Any) -> Any:
    if ident not in table:
        raise No("alive")
    return table[ident]


def standing(facts: Facts, call: ProposedCall) -> Who:
    """Everything that the call stands on, all of it there and alive."""
    said, people = call.subject, facts.principals
    task, hops, envelope = facts.tasks.get(said.task), (), None
    instance = found(people, said.instance)
    agent = found(people, instance.parent) if instance.kind is Kind.INSTANCE else instance
    chain = said.chain or (said.instance,)
    tool = found(facts.tools, call.tool.id) if call.tool else None
    agents = [agent]
    sound = said.tenant == facts.tenant and call.at < said.expires_at and agent.id == said.agent
    sound &= chain[-1] == said.instance and (tool is not None or call.method != "tools/call")
    if tool is not None and call.tool is not None:
        approved = tool.pin == "approved" and tool.digest == call.tool.digest
        sound &= approved and tool.server == call.server
    if said.envelope is not None:
        envelope = found(facts.envelopes, said.envelope)
        hops = envelope.hops
        agents = [found(people, each) for each in (envelope.first, *(hop.to for hop in hops))]
        sound &= envelope.task == said.task and tuple(hop.by for hop in hops) == chain[:-1]
        sound &= all(call.at < hop.expires_at for hop in hops)
    members = [found(people, each) for each in chain]
    sound &= [each.parent or each.id for each in members] == [each.id for each in agents]
    if task is None:
        sound &= said.task is None and agent.kind not in {Kind.AGENT, Kind.INSTANCE, Kind.BLUEPRINT}
    else:
        sound &= task.user == said.user and task.agent == agents[0].id
        if task.user is not None:
            consents = {task.user: task.grant, **{each.user: each.grant for each in task.companions}}
            for user, ident in consents.items():
                sound &= (g := found(facts.grants, ident)).user == user and g.agent == task.agent
    if not sound:
        raise No("alive")
    server = found(facts.servers, call.server)
    blueprints = {each.id: found(people, each.blueprint) for each in agents if each.blueprint}
    who = Who(
        acting=agent,
        blueprint=blueprints.get(agent.id),
        user=found(people, said.user) if said.user else None,
        others=tuple(found(people, each.user) for each in task.companions) if task else (),
        task=task,
        purpose=task.purpose if task else "own" if agent.kind is Kind.HUMAN else agent.purpose,
        server=server,
        tool=tool,
        agents=tuple(agents),
        factors=tuple(factors(facts, call, task, agents, hops)),
    )
    live(facts, call, who, [*members, *agents, *blueprints.values()], envelope)
    return who


def live(facts: Facts, call: ProposedCall, who: Who, members: list[Principal], envelope: Any) -> None:
    """Nothing that the call stands on has ended, and a person answers for each who acts."""
    people = [each for each in (who.user, *who.others) if each]
    everyone: dict[str, Principal] = {each.id: each for each in [*members, *people]}
    for member in members:
        if member.kind is not Kind.BLUEPRINT:
            everyone |= answering(facts, member)
    ids = {facts.tenant, call.subject.token, call.server, call.subject.key, *everyone}
    ids |= {envelope.id, *envelope.parents} if envelope else set()
    ids |= {call.tool.id} if call.tool else set()
    sound = all(each.state == "active" for each in everyone.values())
    if who.task is not None:
        grants = [each for each in (who.task.grant, *(each.grant for each in who.task.companions)) if each]
        sound &= all(found(facts.grants, each).state == "given" for each in grants)
        sound &= who.task.state == "running" and call.at < who.task.deadline
        ids |= {who.task.id, *grants}
    if not sound or ids & facts.stopped:
        raise No("alive")


def answering(facts: Facts, owned: Principal) -> dict[str, Principal]:
    """Every owner up to the person who answers; where that person is absent, their deputy instead."""
    owners: dict[str, Principal] = {}
    last = owned
    while last.kind is not Kind.HUMAN:
        last = found(facts.principals, last.owner)
        fit = last.kind in {Kind.HUMAN, Kind.BUSINESS_UNIT, Kind.APPLICATION}
        if not fit or last.id in owners or last.id == owned.id or len(owners) >= 25:
            raise No("alive")
        owners[last.id] = last
    if last.state != "active" and last is not owned:
        del owners[last.id]
        deputy = found(facts.principals, last.deputy)
        owners[deputy.id] = deputy
    return owners


def factors(facts: Facts, call: ProposedCall, task: Any, agents: list[Principal], hops: Any) -> Any:
    """User, who else it is for, task, hops, each agent that counts with its blueprint, token."""
    own, people = facts.ceilings.get, facts.principals
    token = [("token", call.subject.ceiling, call.subject.token, False)] if call.subject.ceiling else []
    if task is None:
        if own(agents[0].id) is None:
            raise No("authority")
        return [(f"{agents[0].kind} {agents[0].name}", own(agents[0].id), agents[0].id, True), *token]
    firsts = [number for number, hop in enumerate(hops, 1) if hop.kind == "broker"]
    named = [("user", task.user, task.grant)] if task.user else []
    named += [(f"with {people[each.user].name}", each.user, each.grant) for each in task.companions]
    given = [(name, facts.grants[grant].ceiling, grant, True) for name, _, grant in named]
    given.append(("task", task.ceiling, task.id, False))
    given += [(f"hop {number}", hop.ceiling, hop.prefix, False) for number, hop in enumerate(hops, 1)]
    for name, user, first in named if firsts else []:
        # Behind a broker, what its worker was given by each person counts instead of what came before.
        worker = agents[firsts[-1]]
        newest = first if name == "user" and worker.id == task.agent else consent(facts, user, worker)
        limit = facts.grants[newest].ceiling if newest else None
        given.append((f"{name} for {worker.name}", limit, f"{user}/{worker.id}", True))
    for agent in agents[firsts[-1] if firsts else 0 :]:
        given.append((f"agent {agent.name}", own(agent.id), agent.id, True))
        if agent.blueprint:
            name = found(people, agent.blueprint).name
            given.append((f"blueprint {name}", own(agent.blueprint), f"{agent.blueprint}/{agent.id}", True))
    return [*given, *token]


def consent(facts: Facts, user: str, agent: Principal) -> Any:
    every = [g.id for g in facts.grants.values() if (g.user, g.agent, g.state) == (user, agent.id, "given")]
    return max(every, default=None)
