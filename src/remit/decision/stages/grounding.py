"""Find the footing of a call, or make it with the slow, obvious functions and keep it."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias

from remit.authority.permission import applicable, fits, fits_always, suits
from remit.authority.rights import Caps, Right
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect
from remit.decision.budget.cost import Line, lines_of
from remit.decision.call.footing import Bounds, Footing, standing_of
from remit.decision.call.request import ActionRequest, Factor, ProposedCall
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.snapshot import Snapshot
from remit.decision.stages.relation import known_relation, relation_stage
from remit.decision.stages.standing import (
    agreed,
    alive_stage,
    authority_stage,
    discovers,
    is_discovery,
    mapped_arguments,
)

Known: TypeAlias = Callable[[Footing, ActionRequest, Snapshot], Finding | None]
"""What a stage would say, where the footing tells; None where the stage itself must look."""

_UNCAPPED: Final = Caps()
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def ground(call: ProposedCall, snapshot: Snapshot) -> tuple[ActionRequest | Unassembled, Footing | None]:
    """As `assemble`, found again where it was found before; with the footing, if there is one."""
    footing = snapshot.footings.find(call)
    if footing is not None:
        return footing.request(call), footing
    request = assemble(call, snapshot)
    if isinstance(request, Unassembled):
        return request, None
    footing = _footing(request, snapshot)
    snapshot.footings.keep(call, footing)
    return request, footing


def _footing(request: ActionRequest, snapshot: Snapshot) -> Footing:
    said = alive_stage(request, snapshot)
    task, subject = request.task, request.call.subject
    envelope = snapshot.envelopes.get(subject.envelope) if subject.envelope is not None else None
    hops = envelope.hops if envelope is not None else ()
    return Footing(
        subject=standing_of(subject),
        until=min([subject.expires_at, *(hop.expires_at for hop in hops)]),
        principal=request.principal,
        instance=request.instance,
        blueprint=request.blueprint,
        user=request.user,
        task=task,
        server=request.server,
        tool=request.tool,
        lineage=request.lineage,
        factors=request.factors,
        purpose=request.purpose,
        alive=said if said.effect is Effect.PERMIT else None,
        alive_until=None if task is None else task.deadline,
        bounds=_bounds(request),
        companions=request.companions,
        capped=any(factor.ceiling.caps != _UNCAPPED for factor in request.factors),
    )


def _bounds(request: ActionRequest) -> Bounds | None:
    """What is left of the authority stage; None where it refuses every call of this action and type."""
    tool, factors = request.tool, tuple(_asked(request))
    strict = tool is not None and tool.consequential
    if (strict and tool is not None and tool.mapping is None) or not request.factors:
        return None
    if not all(suits(factor.ceiling, request.purpose) for factor in factors):
        return None
    choices = _choices(request, factors)
    if not all(choices):
        return None
    return Bounds(
        arguments=mapped_arguments(request) if strict else None,
        start=max((factor.ceiling.window.start for factor in factors), default=_FIRST),
        end=min((factor.ceiling.window.end for factor in factors), default=_LAST),
        choices=tuple(rights for rights in choices if not any(map(fits_always, rights))),
        finding=agreed(request),
    )


def _asked(request: ActionRequest) -> Iterable[Factor]:
    """The factors whose ceilings are applied: discovery passes where its holder has any right at all."""
    if not is_discovery(request):
        return request.factors
    return [each for each in request.factors if not discovers(each.ceiling, request.server.name)]


def _choices(request: ActionRequest, factors: Iterable[Factor]) -> tuple[tuple[Right, ...], ...]:
    """For each different set of rights, those that could fit; the same set twice asks nothing new."""
    call = request.call
    distinct = dict.fromkeys(factor.ceiling.rights for factor in factors)
    return tuple(applicable(rights, call.action, call.resource.type) for rights in distinct)


def known_alive(footing: Footing, request: ActionRequest, _: Snapshot) -> Finding | None:
    """What `alive_stage` says, while the task's deadline is ahead."""
    until = footing.alive_until
    return footing.alive if until is None or request.call.at < until else None


def known_authority(footing: Footing, request: ActionRequest, _: Snapshot) -> Finding | None:
    """What `authority_stage` says, where it agrees; a refusal is told by the stage itself."""
    bounds, call = footing.bounds, request.call
    if bounds is None or not bounds.start <= call.at < bounds.end:
        return None
    if bounds.arguments is not None and not bounds.arguments.issuperset(call.arguments):
        return None
    for rights in bounds.choices:
        if not any(fits(right, call.resource.id, call.arguments) for right in rights):
            return None
    return bounds.finding


def known_lines(footing: Footing | None, request: ActionRequest) -> tuple[Line, ...]:
    """What `lines_of` says; without any budget there is nothing to look through."""
    return () if footing is not None and not footing.capped else lines_of(request)


KNOWN: Final[Mapping[object, Known]] = {
    alive_stage: known_alive,
    authority_stage: known_authority,
    relation_stage: lambda _, request, snapshot: known_relation(request, snapshot),
}
"""By the judge whose answer it is: another judge at the same stage is always asked itself."""
