"""Is somebody related to the resource as the tool demands? The stage after policy, on the graph as it is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, NearestMiss, Reason, Stage
from remit.decision.call.actions import RETRIEVE
from remit.decision.call.request import ActionRequest
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.snapshot import Snapshot
from remit.decision.relations.errors import RelationError
from remit.decision.relations.graph import Graph
from remit.decision.relations.listing import Lists
from remit.decision.relations.query import (
    LIST_BOUNDS,
    Bounds,
    CheckRequest,
    Given,
    ListObjectsRequest,
)
from remit.decision.relations.trace import resolution, tell
from remit.identity.principals import Kind
from remit.identity.tools import Related, RelationMapping

NOBODY: Final = "nobody"
NOW: Final = "current_time"
"""What conditions may call the moment of the call; no argument of that name takes its place."""
_BOUNDS: Final = Bounds()
_EXPLAINED: Final = Bounds(steps=1_000)
_ENDS: Final = 6
"""Steps that are told of each end of a long path."""


def relation_stage(request: ActionRequest, snapshot: Snapshot) -> Finding | None:
    """Does everyone have the relation who must? What can't be answered is denied, but is not a no.

    None where the tool demands nothing.
    """
    return _told(request, snapshot, _path)


def known_relation(request: ActionRequest, snapshot: Snapshot) -> Finding | None:
    """What `relation_stage` finds; the way of a yes may have been told before, on the same graph."""
    return _told(request, snapshot, _path_again)


def _told(
    request: ActionRequest, snapshot: Snapshot, path: Callable[[Graph, CheckRequest], str]
) -> Finding | None:
    found = _related(request, snapshot)
    if not isinstance(found, list):
        return found
    graph = snapshot.relations
    return Finding(
        stage=Stage.RELATIONS,
        effect=Effect.PERMIT,
        detail=tuple(map(_tuple, found)),
        paths=() if graph is None else tuple(filter(None, (path(graph, each) for each in found))),
    )


def relation_effect(request: ActionRequest, snapshot: Snapshot) -> Finding | None:
    """What `relation_stage` finds, without the paths that explain a yes: for questions by the thousand."""
    found = _related(request, snapshot)
    return Finding(stage=Stage.RELATIONS, effect=Effect.PERMIT) if isinstance(found, list) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedIds:
    """Documents to which everyone is related who must be; not `complete` where some may lack."""

    ids: frozenset[str]
    complete: bool = True


def related_ids(request: ActionRequest, snapshot: Snapshot) -> RelatedIds | None:
    """The documents that the stage would let pass; None where nothing is demanded (list = check)."""
    wanted = _wanted(request)
    if wanted is None:
        return None
    graph, found = snapshot.relations, list[frozenset[str]]()
    for user in _whom(request, wanted):
        if graph is None or user == NOBODY:
            return RelatedIds(ids=frozenset())
        listed = _objects(graph, request, wanted, user)
        if listed is None:
            return RelatedIds(ids=frozenset(), complete=False)
        found.append(listed)
    return RelatedIds(ids=frozenset.intersection(*found))


def _objects(
    graph: Graph, request: ActionRequest, wanted: RelationMapping, user: str
) -> frozenset[str] | None:
    kind = wanted.type or request.call.resource.type
    asked = ListObjectsRequest(
        user=user,
        relation=wanted.relation,
        type=kind,
        given=Given(context={NOW: request.call.at.isoformat()}),
    )
    try:
        found = Lists(graph).objects(asked, LIST_BOUNDS)
    except RelationError:
        return frozenset()  # the same question about any document is refused too
    return frozenset(each.removeprefix(f"{kind}:") for each in found.items) if found.complete else None


def _related(request: ActionRequest, snapshot: Snapshot) -> list[CheckRequest] | Finding | None:
    """The questions that were all answered by yes, or the refusal; None where nothing is demanded."""
    wanted, found = _wanted(request), list[CheckRequest]()
    if wanted is None:
        return None
    for user in _whom(request, wanted):
        asked = _asked(request, wanted, user)
        refused = _judged(snapshot.relations, asked)
        if refused is not None:
            return refused
        found.append(asked)
    return found


def _path(graph: Graph, asked: CheckRequest) -> str:
    """Through which tuples it holds; empty where that takes more steps than an explanation may cost."""
    return tell(resolution(graph, asked, _EXPLAINED), most=_ENDS)


def _path_again(graph: Graph, asked: CheckRequest) -> str:
    return graph.told(asked, lambda: _path(graph, asked))


def _wanted(request: ActionRequest) -> RelationMapping | None:
    """What the tool demands, or the server of a document."""
    if request.tool is not None:
        return request.tool.mapping.relation if request.tool.mapping is not None else None
    documents = request.server.documents
    is_document = request.call.action == f"{request.server.name}/{RETRIEVE}"
    return documents.relation if documents is not None and is_document else None


def _whom(request: ActionRequest, wanted: RelationMapping) -> Iterator[str]:
    """Everyone who must be related, one at least."""
    if wanted.whom is Related.AGENT:
        yield f"agent:{request.principal.name}"
        return
    person = request.user
    if person is None and request.principal.kind is Kind.HUMAN:
        person = request.principal
    yield NOBODY if person is None else f"user:{person.name}"
    yield from (f"user:{companion.name}" for companion in request.companions)


def _asked(request: ActionRequest, wanted: RelationMapping, user: str) -> CheckRequest:
    resource = request.call.resource
    return CheckRequest(
        user=user,
        relation=wanted.relation,
        object=f"{wanted.type or resource.type}:{resource.id}",
        given=Given(context={**request.call.arguments, NOW: request.call.at.isoformat()}),
    )


def _judged(graph: Graph | None, asked: CheckRequest) -> Finding | None:
    """The refusal for one of them; None where the relation holds."""
    if asked.user == NOBODY:
        return _refused(_said(Code.RELATION_MISSING, asked), NearestMiss(never=True))
    if graph is None:
        return _unanswered(asked, "no authorization model is in force")
    try:
        answer = graph.check(asked, _BOUNDS)
    except RelationError as error:
        return _unanswered(asked, error.hint)
    if answer.allowed:
        return None
    if not answer.complete:
        return _unanswered(asked, answer.failure.hint if answer.failure else "it was not followed to its end")
    return _refused(_said(Code.RELATION_MISSING, asked), NearestMiss(relation=_tuple(asked)))


def _unanswered(asked: CheckRequest, why: str) -> Finding:
    return _refused(_said(Code.RELATION_UNANSWERED, asked, why), NearestMiss(never=True))


def _said(code: Code, asked: CheckRequest, why: str = "") -> Reason:
    return reason(code, user=asked.user, relation=asked.relation, object=asked.object, why=why)


def _refused(said: Reason, miss: NearestMiss) -> Finding:
    return Finding(stage=Stage.RELATIONS, effect=Effect.DENY, reasons=(said,), nearest_miss=(miss,))


def _tuple(asked: CheckRequest) -> str:
    return f"{asked.object}#{asked.relation}@{asked.user}"
