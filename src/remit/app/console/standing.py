"""What an agent may do at most, factor by factor, and who let it: ceilings, consents, running tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from remit.authority.attenuation import meet
from remit.authority.consent import Grant
from remit.authority.rights import Ceiling, Right
from remit.authority.shares import NOTHING, Share
from remit.authority.tasks import Task
from remit.identity.principals import Principal
from remit.kernel.ids import AgentId, PrincipalId
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

CONSENTS: Final = 100
TASKS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Consented:
    """Somebody's consent, and what of it the agent's own ceilings leave."""

    grant: Grant
    user_name: str
    effective: Ceiling


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """One right that all standing ceilings leave, and through whose consents it can be used."""

    right: Right
    grants: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All of it. Task, hops and token narrow it further at each call."""

    factors: tuple[Share, ...]
    allowed: tuple[Allowed, ...]
    consents: tuple[Consented, ...]
    more_consents: bool
    tasks: tuple[Task, ...]
    more_tasks: bool


class StandingReader:
    """Reads it in one transaction."""

    def __init__(self, work: SqlUnitOfWork) -> None:
        self._work = work

    async def of(self, agent: Principal) -> Standing:
        """What holds for an agent now."""
        return await self._work.read(lambda tx: _standing(tx, agent))


def _standing(tx: SqlTransaction, agent: Principal) -> Standing:
    factors = _factors(tx, agent)
    own = factors[0].ceiling
    for each in factors[1:]:
        own = meet(own, each.ceiling)
    ident = AgentId(agent.id)
    grants = tx.grants.to_agent(ident, CONSENTS + 1)
    tasks = tx.tasks.running(agent=ident, limit=TASKS + 1)
    consents = tuple(_consented(tx, grant, own) for grant in grants[:CONSENTS])
    return Standing(
        factors=factors,
        allowed=tuple(_allowed(right, consents) for right in _sorted(own)),
        consents=consents,
        more_consents=len(grants) > CONSENTS,
        tasks=tuple(tasks[:TASKS]),
        more_tasks=len(tasks) > TASKS,
    )


def _factors(tx: SqlTransaction, agent: Principal) -> tuple[Share, ...]:
    own = Share(name=f"agent {agent.name}", ceiling=tx.ceilings.get(agent.id) or NOTHING)
    if agent.blueprint is None:
        return (own,)
    ident = PrincipalId(agent.blueprint)
    found = tx.principals.get(ident)
    name = found.name if found is not None else agent.blueprint
    return (own, Share(name=f"blueprint {name}", ceiling=tx.ceilings.get(ident) or NOTHING))


def _consented(tx: SqlTransaction, grant: Grant, own: Ceiling) -> Consented:
    found = tx.principals.get(PrincipalId(grant.user))
    name = found.name if found is not None else grant.user
    return Consented(grant=grant, user_name=name, effective=meet(own, grant.ceiling))


def _allowed(right: Right, consents: Sequence[Consented]) -> Allowed:
    """A consent counts if it leaves anything of the action on that type."""
    named = (right.action, right.resource_type)
    grants = tuple(
        each.grant.id
        for each in consents
        if any((left.action, left.resource_type) == named for left in each.effective.rights)
    )
    return Allowed(right=right, grants=grants)


def _sorted(ceiling: Ceiling) -> list[Right]:
    return sorted(ceiling.rights, key=lambda right: (right.action, right.resource_type))
