"""Which tools somebody should see: those that could be permitted, or asked about, with some arguments.

What is hidden here is refused when called, for whatever arguments (N14). A tool that is shown may still be
refused for the arguments that it is given.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from remit.authority.alive import Alive, alive
from remit.authority.attenuation import meet_all
from remit.authority.rights import ANY_PURPOSE, Ceiling
from remit.authority.tokens import VerifiedSubject
from remit.decision.call.actions import SERVER_TYPE, action_of
from remit.decision.call.company import as_each
from remit.decision.call.footing import Footing
from remit.decision.call.request import ActionRequest, ProposedCall, Resource
from remit.decision.codes.names import Code
from remit.decision.facts.assembly import Unassembled
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.conceive import conceivable, plan_of
from remit.decision.policy.given import Unaskable, pose
from remit.decision.stages.grounding import ground, known_alive
from remit.decision.stages.lifting import open_for
from remit.identity.tools import Server, Tool
from remit.kernel.building import builder
from remit.kernel.canonical import sha256
from remit.kernel.ids import CallId, ToolId

_NO_ARGUMENTS: Final = b"{}"
_NO_DIGEST: Final = sha256(_NO_ARGUMENTS)
_PREVIEW: Final = CallId("preview")
_BY_POLICY: Final = frozenset({Code.NO_PERMIT, Code.CONDITION_FAILED, Code.FORBIDDEN})
_proposed, _resource = builder(ProposedCall), builder(Resource)


def visible(
    subject: VerifiedSubject,
    server: Server,
    tools: Sequence[Tool],
    *,
    snapshot: Snapshot,
    at: datetime,
    generation: int = 0,
) -> frozenset[ToolId]:
    """The tools of a server that the subject may know of."""
    shown = set()
    for tool in tools:
        request, footing = ground(_unargued(subject, server, tool, at), snapshot)
        if isinstance(request, Unassembled) or not _lives(request, snapshot, footing):
            continue
        ceiling, could = _judged(request, snapshot, footing)
        if not could and snapshot.glasses:
            could = _within(ceiling, request) and _opened(request, snapshot, generation)
        if could and ceiling.window.contains(at):
            shown.add(tool.id)
    return frozenset(shown)


class _Kept(NamedTuple):
    """What no moment changes of a tool's visibility, and everything that it was made from."""

    footing: Footing
    tool: Tool
    bundle: Bundle
    ceiling: Ceiling
    could: bool
    """At some moment within the ceiling's window."""


_KEPT_LIMIT: Final = 4096
_kept: dict[int, _Kept] = {}


def _judged(request: ActionRequest, snapshot: Snapshot, footing: Footing | None) -> tuple[Ceiling, bool]:
    """The effective right, and whether it names the action and policy could permit it; found on the footing.

    INVARIANT: an entry holds the footing whose address is its key, so no other can be taken for it; a footing
    is of one subject, server and snapshot, the tool and the policies are compared, and what looks at the
    clock is not kept.
    """
    tool, bundle = request.call.tool, snapshot.bundle
    kept = _kept.get(id(footing))
    if kept is not None and kept.tool is tool and kept.bundle is bundle:
        return kept.ceiling, kept.could
    ceiling = _met(tuple(factor.ceiling for factor in request.factors))
    could = _within(ceiling, request) and _conceivable(request, snapshot)
    if footing is not None and tool is not None and not _timed(request, bundle):
        if len(_kept) >= _KEPT_LIMIT:
            _kept.clear()
        _kept[id(footing)] = _Kept(footing, tool, bundle, ceiling, could)
    return ceiling, could


def _lives(request: ActionRequest, snapshot: Snapshot, footing: Footing | None) -> bool:
    if footing is not None and known_alive(footing, request, snapshot) is not None:
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
    return _proposed(
        call=_PREVIEW,
        subject=subject,
        server=server.id,
        method="tools/call",
        action=action_of(server, tool),
        resource=_resource(type=kind, id=ident),
        tool=tool,
        arguments={},
        raw_arguments=_NO_ARGUMENTS,
        arguments_digest=_NO_DIGEST,
        money=None,
        consequential=tool.consequential,
        at=at,
    )


def _within(ceiling: Ceiling, request: ActionRequest) -> bool:
    """Whether the effective right names the action at all, for this purpose."""
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
    return named and purpose


def _opened(request: ActionRequest, snapshot: Snapshot, generation: int) -> bool:
    """Whether break glass takes away what policy has against it; with which arguments, the call shows."""
    glasses = open_for(request, snapshot, generation=generation)
    return any(_BY_POLICY & each.lifts for each in glasses)


def _conceivable(request: ActionRequest, snapshot: Snapshot) -> bool:
    bundle = snapshot.bundle
    if bundle.program is None:
        return False
    fixed = bool(request.call.resource.id)
    try:
        return all(conceivable(pose(each, bundle), bundle, fixed=fixed) for each in as_each(request))
    except Unaskable:
        return False


def _timed(request: ActionRequest, bundle: Bundle) -> bool:
    return bundle.program is not None and plan_of(bundle, fixed=bool(request.call.resource.id)).timed
