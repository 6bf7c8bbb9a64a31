"""The stages that need nothing but a request and its snapshot: alive, authority, policy.

Each takes the whole request and gives one finding; none knows of another.
"""

from collections.abc import Iterable

from remit.authority.alive import Alive, Cause, Dead, Level, alive
from remit.authority.permission import Allowed, Attempt, Miss, Part, Violated, permits
from remit.authority.rights import Ceiling
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, NearestMiss, Reason, Stage
from remit.decision.call.actions import METHODS
from remit.decision.call.request import ActionRequest, Factor
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.snapshot import Snapshot


def alive_stage(request: ActionRequest, snapshot: Snapshot) -> Finding:
    """Is everything that the call stands on alive, now?"""
    verdict = alive(snapshot, request.lineage, request.call.at)
    if isinstance(verdict, Alive):
        return Finding(
            stage=Stage.ALIVE,
            effect=Effect.PERMIT,
            detail=tuple(sorted(request.lineage.principals)),
        )
    return Finding(
        stage=Stage.ALIVE,
        effect=Effect.DENY,
        reasons=(_obituary(verdict, request),),
        nearest_miss=(NearestMiss(never=True),),
    )


def restraint_stage(request: ActionRequest, _snapshot: Snapshot) -> Finding | None:
    """Was the task left with reading alone, because nobody answered about it (`@silence("read_only")`)?"""
    task = request.task
    if task is None or not task.read_only or not request.call.consequential:
        return None
    return _denied(
        reason(Code.TASK_READ_ONLY, id=task.id, approval=task.read_only), (NearestMiss(never=True),)
    )


def authority_stage(request: ActionRequest, _snapshot: Snapshot) -> Finding:
    """Does every factor of the effective right allow the call? The first that does not is named."""
    strict = _strict(request)
    if strict is not None:
        return strict
    if not request.factors:
        return _denied(reason(Code.CEILING_MISSING, factor="caller"), ())
    for factor in request.factors:
        finding = _judge(factor, request)
        if finding is not None:
            return finding
    return agreed(request)


def agreed(request: ActionRequest) -> Finding:
    """What the authority stage says when every factor allows the call."""
    return Finding(
        stage=Stage.AUTHORITY,
        effect=Effect.PERMIT,
        detail=tuple(factor.name for factor in request.factors),
    )


def mapped_arguments(request: ActionRequest) -> frozenset[str]:
    """Names of the top-level arguments that the tool's mapping knows."""
    mapping = request.tool.mapping if request.tool else None
    if mapping is None:
        return frozenset()
    pointers = [*mapping.arguments, *mapping.immaterial, mapping.resource.pointer]
    if mapping.money is not None:
        pointers += [mapping.money.amount, mapping.money.currency]
    return frozenset(_first_step(pointer) for pointer in pointers if pointer)


def is_discovery(request: ActionRequest) -> bool:
    """Whether the call only asks what there is."""
    method = request.call.action.removeprefix(f"{request.server.name}/")
    return request.call.tool is None and METHODS.get(method, False)


def discovers(ceiling: Ceiling, server: str) -> bool:
    """Whether a ceiling holds any right on a server: then its holder may ask what is there."""
    return any(right.action.startswith(f"{server}/") for right in ceiling.rights)


_WORDS = {
    Level.TENANT: "tenant",
    Level.USER: "user",
    Level.PRINCIPAL: "principal",
    Level.GRANT: "consent",
    Level.TASK: "task",
    Level.ENVELOPE: "delegation",
    Level.OTHER: "token, key, tool or server",
}


def _obituary(dead: Dead, request: ActionRequest) -> Reason:  # noqa: PLR0911 — one per cause
    what, ident = _WORDS[dead.level], dead.ident
    match dead.cause:
        case Cause.TOMBSTONE:
            code = Code.KILLED if dead.detail.startswith("kill") else Code.REVOKED
            return reason(code, what=what, id=ident)
        case Cause.NOT_ACTIVE:
            return reason(Code.PRINCIPAL_INACTIVE, what=what, id=ident, state=dead.detail)
        case Cause.UNKNOWN:
            return _unknown(dead, what)
        case Cause.WITHDRAWN:
            return reason(Code.GRANT_WITHDRAWN, id=ident)
        case Cause.ENDED:
            code = Code.KILLED if dead.detail == "killed" else Code.TASK_ENDED
            return reason(code, what=what, id=ident, state=dead.detail)
        case Cause.DEADLINE:
            when = request.task.deadline.isoformat() if request.task else ""
            return reason(Code.TASK_EXPIRED, id=ident, when=when)
        case Cause.NO_CHAIN:
            return reason(Code.PRINCIPAL_UNKNOWN, what="chain", id="")


def _unknown(dead: Dead, what: str) -> Reason:
    # `authority.lineage` puts a name of no principal where the owner can't be resolved to a person.
    if not dead.ident or dead.ident.startswith("owner-of-"):
        return reason(Code.OWNER_MISSING)
    match dead.level:
        case Level.TASK:
            return reason(Code.TASK_UNKNOWN, id=dead.ident)
        case Level.GRANT:
            return reason(Code.GRANT_UNKNOWN, id=dead.ident)
        case _:
            return reason(Code.PRINCIPAL_UNKNOWN, what=what, id=dead.ident)


def _strict(request: ActionRequest) -> Finding | None:
    """A tool that can do harm is called only with arguments that its mapping knows (N14)."""
    tool = request.tool
    if tool is None or not tool.consequential:
        return None
    if tool.mapping is None:
        return _denied(reason(Code.TOOL_UNMAPPED, action=request.call.action), (NearestMiss(never=True),))
    known = mapped_arguments(request)
    unknown = sorted(name for name in request.call.arguments if name not in known)
    if not unknown:
        return None
    argument = "/" + unknown[0].replace("~", "~0").replace("/", "~1")
    miss = NearestMiss(argument=argument, absent=True)
    return _denied(reason(Code.ARGUMENT_UNMAPPED, argument=argument, action=request.call.action), (miss,))


def _judge(factor: Factor, request: ActionRequest) -> Finding | None:
    call = request.call
    if is_discovery(request) and discovers(factor.ceiling, request.server.name):
        return None
    attempt = Attempt(
        action=call.action,
        resource_type=call.resource.type,
        resource=call.resource.id,
        arguments=call.arguments,
        at=call.at,
        purpose=request.purpose,
    )
    answer = permits(factor.ceiling, attempt)
    match answer:
        case Allowed():
            return None
        case Violated(misses=misses):
            return _denied(
                _why(misses[0], factor, request),
                tuple(_miss(miss, factor, request) for miss in misses),
            )


def _denied(said: Reason, misses: Iterable[NearestMiss]) -> Finding:
    return Finding(stage=Stage.AUTHORITY, effect=Effect.DENY, reasons=(said,), nearest_miss=tuple(misses))


def _why(miss: Miss, factor: Factor, request: ActionRequest) -> Reason:
    call, name = request.call, factor.name
    match miss.part:
        case Part.RIGHTS:
            return reason(Code.CEILING_EMPTY, rule=name, factor=name)
        case Part.ACTION | Part.RESOURCE_TYPE:
            return reason(Code.RIGHT_MISSING, rule=name, factor=name, action=call.action)
        case Part.RESOURCE:
            resource = f"{call.resource.type}:{call.resource.id}"
            return reason(
                Code.RESOURCE_OUTSIDE, rule=name, factor=name, action=call.action, resource=resource
            )
        case Part.ARGUMENT:
            pointer = miss.constraint.pointer if miss.constraint else ""
            return reason(Code.ARGUMENT_OUTSIDE, rule=name, factor=name, argument=pointer)
        case Part.WINDOW:
            start, end = (miss.window.start, miss.window.end) if miss.window else ("", "")
            return reason(Code.WINDOW_CLOSED, rule=name, factor=name, start=str(start), end=str(end))
        case Part.PURPOSE:
            return reason(Code.PURPOSE_OUTSIDE, rule=name, factor=name, purpose=request.purpose)


def _miss(miss: Miss, factor: Factor, request: ActionRequest) -> NearestMiss:
    match miss.part:
        case Part.RESOURCE if pointer := _resource_pointer(request):
            return NearestMiss(argument=pointer, one_of=miss.allowed, rule=factor.name)
        case Part.ARGUMENT if miss.constraint is not None:
            bound = miss.constraint
            return NearestMiss(
                argument=bound.pointer,
                one_of=tuple(sorted(bound.one_of or ())),
                at_least="" if bound.at_least is None else f"{bound.at_least:f}",
                at_most="" if bound.at_most is None else f"{bound.at_most:f}",
                rule=factor.name,
            )
        case Part.WINDOW if miss.window is not None and request.call.at < miss.window.start < miss.window.end:
            return NearestMiss(at=miss.window.start, rule=factor.name)
        case _:
            return NearestMiss(never=True, rule=factor.name)


def _resource_pointer(request: ActionRequest) -> str:
    mapping = request.tool.mapping if request.tool else None
    return mapping.resource.pointer if mapping else ""


def _first_step(pointer: str) -> str:
    return pointer.split("/", 2)[1].replace("~1", "/").replace("~0", "~")
