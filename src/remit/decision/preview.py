"""Which tools somebody should see: those that could be permitted, or asked about, with some arguments.

What is hidden here is refused when called, for whatever arguments (N14). A tool that is shown may still be
refused for the arguments that it is given.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from remit.authority.alive import Alive, alive
from remit.authority.attenuation import meet_all
from remit.authority.rights import ANY_PURPOSE, Ceiling
from remit.authority.tokens import VerifiedSubject
from remit.decision.actions import SERVER_TYPE, action_of
from remit.decision.assembly import Unassembled
from remit.decision.facts import Snapshot
from remit.decision.footing import Footing
from remit.decision.grounding import ground, known_alive
from remit.decision.policy.conceive import conceivable
from remit.decision.policy.given import Unaskable, pose
from remit.decision.request import ActionRequest, ProposedCall, Resource
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import sha256
from remit.kernel.ids import CallId, ToolId

_NO_ARGUMENTS: Final = b"{}"


def visible(
    subject: VerifiedSubject, server: Server, tools: Sequence[Tool], *, snapshot: Snapshot, at: datetime
) -> frozenset[ToolId]:
    """The tools of a server that the subject may know of."""
    shown = set()
    ceiling: Ceiling | None = None
    for tool in tools:
        request, footing = ground(_unargued(subject, server, tool, at), snapshot)
        if isinstance(request, Unassembled) or not _lives(request, snapshot, footing):
            continue
        if ceiling is None:
            # The factors are the same for every tool: they hang on the subject alone.
            ceiling = _met(tuple(factor.ceiling for factor in request.factors))
        if _within(ceiling, request) and _conceivable(request, snapshot):
            shown.add(tool.id)
    return frozenset(shown)


def _lives(request: ActionRequest, snapshot: Snapshot, footing: Footing | None) -> bool:
    if footing is not None and known_alive(footing, request) is not None:
        return True
    return isinstance(alive(snapshot, request.lineage, request.call.at), Alive)


@lru_cache(maxsize=4096)
def _met(ceilings: tuple[Ceiling, ...]) -> Ceiling:
    """The whole values are the key, so nothing stale can be found."""
    first, *others = ceilings
    return meet_all(first, *others)


def _unargued(subject: VerifiedSubject, server: Server, tool: Tool, at: datetime) -> ProposedCall:
    """A call of the tool with nothing filled in."""
    mapping = tool.mapping
    kind = mapping.resource.type if mapping else SERVER_TYPE
    ident = (mapping.resource.fixed if mapping else server.name) or ""
    return ProposedCall(
        call=CallId("preview"),
        subject=subject,
        server=server.id,
        method="tools/call",
        action=action_of(server, tool),
        resource=Resource(type=kind, id=ident),
        tool=tool,
        arguments={},
        raw_arguments=_NO_ARGUMENTS,
        arguments_digest=sha256(_NO_ARGUMENTS),
        money=None,
        consequential=tool.consequential,
        at=at,
    )


def _within(ceiling: Ceiling, request: ActionRequest) -> bool:
    """Whether the effective right names the action at all, now and for this purpose."""
    call, tool = request.call, request.tool
    if tool is None or (tool.consequential and tool.mapping is None):
        return False
    named = any(
        right.action == call.action
        and right.resource_type == call.resource.type
        and (not call.resource.id or right.resources == "any" or call.resource.id in right.resources)
        for right in ceiling.rights
    )
    purpose = ceiling.purpose in {request.purpose, ANY_PURPOSE} and bool(request.purpose)
    return named and purpose and ceiling.window.contains(call.at)


def _conceivable(request: ActionRequest, snapshot: Snapshot) -> bool:
    bundle = snapshot.bundle
    if bundle.enforced is None:
        return False
    try:
        env = pose(request, bundle)
    except Unaskable:
        return False
    return conceivable(env, bundle, fixed=bool(request.call.resource.id))
