"""Search: the same answer as asking about each one, for the ones that can be named (N37).

Candidates are everything that could be permitted at all; each is then foreseen exactly as it would be
decided, so a list never says more or less than the question would be answered (PD-22).
"""

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from remit.app.access.desk import AccessDesk
from remit.app.access.ordered import Ordered
from remit.app.access.posing import TYPES, actor_of
from remit.app.access.question import Asked, Entity
from remit.authority.permission import applicable
from remit.authority.rights import Ceiling, Right
from remit.decision.call.actions import METHODS, SERVER_TYPE, action_of
from remit.decision.facts.snapshot import Snapshot
from remit.identity.principals import Kind, Tier
from remit.kernel.ids import PrincipalId, TaskId

EXAMINED: Final = 1000
"""Candidates that one page looks at, at most; the next page goes on after the last of them."""
AT_ONCE: Final = 50
"""Candidates of one view; between two lots others are answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page, in the order of ids. `after` is where the next begins, empty at the end."""

    names: tuple[str, ...]
    after: str
    complete: bool
    """Whether everything that could be permitted was among the candidates."""


async def subjects(desk: AccessDesk, asked: Asked, *, by: PrincipalId, after: str, limit: int) -> Found:
    """Who of a type may do it; an unknown type is nobody."""
    kind, snapshot = asked.subject.type, await desk.snapshot()
    page = list(islice(_subjects(kind, asked, snapshot, desk.ordered(snapshot), after), EXAMINED + 1))
    questions = [asked.about(subject=Entity(type=kind, id=name)) for name in page]
    return await _answered(desk, page, questions, by=by, limit=limit, complete=True)


async def actions(desk: AccessDesk, asked: Asked, *, by: PrincipalId, after: str, limit: int) -> Found:
    """What a subject may do with a resource."""
    snapshot = await desk.snapshot()
    page = _page(_actions(asked.resource.type, snapshot), after)
    questions = [asked.about(action=name) for name in page]
    return await _answered(desk, page, questions, by=by, limit=limit, complete=True)


async def resources(desk: AccessDesk, asked: Asked, *, by: PrincipalId, after: str, limit: int) -> Found:
    """What of a type a subject may do it with: of all that any right on the subject's side names.

    Remit keeps no list of everybody's resources. Where no factor names them one by one, what is found is
    not all that may be used, and `complete` says so.
    """
    snapshot = await desk.snapshot()
    kind = asked.resource.type
    posed = desk.posed(asked.about(resource=Entity(type=kind, id="")), snapshot, by=by)
    named, complete = _resources(posed.call.action, kind, asked, snapshot)
    page = _page(named, after)
    questions = [asked.about(resource=Entity(type=kind, id=name)) for name in page]
    return await _answered(desk, page, questions, by=by, limit=limit, complete=complete)


async def _answered(
    desk: AccessDesk, page: list[str], asked: list[Asked], *, by: PrincipalId, limit: int, complete: bool
) -> Found:
    """The hits among the candidates, lot by lot, until there are enough of them or the time is over."""
    now = asyncio.get_running_loop().time
    hits, end, seen = list[str](), now() + desk.patience, 0
    while seen < min(len(page), EXAMINED) and len(hits) <= limit and (seen == 0 or now() < end):
        lot = asked[seen : min(seen + AT_ONCE, EXAMINED)]
        answers = await desk.foresee(lot, by=by)
        hits += [name for name, permitted in zip(page[seen:], answers, strict=False) if permitted]
        seen += len(lot)
    if len(hits) > limit:
        return Found(names=tuple(hits[:limit]), after=hits[limit - 1], complete=complete)
    after = page[seen - 1] if seen < len(page) else ""
    return Found(names=tuple(hits), after=after, complete=complete)


def _page(names: Iterable[str], after: str) -> list[str]:
    """The next candidates, and one more that tells whether there are others."""
    return list(islice((name for name in sorted(set(names)) if name > after), EXAMINED + 1))


def _subjects(kind: str, asked: Asked, snapshot: Snapshot, ordered: Ordered, after: str) -> Iterator[str]:
    """Who could be permitted at all, in the order of ids, behind `after`."""
    tier = TYPES.get(kind)
    if tier is Tier.AGENTIC:
        yield from _behind(ordered.instances.get(_holder(asked, snapshot), ()), after)
    elif tier is not None:
        # Who acts by themselves has a ceiling, or is refused (`ceiling_missing`).
        for ident in _behind(ordered.others, after):
            own, entry = snapshot.ceilings.get(ident), snapshot.principals.get(ident)
            if own is not None and entry is not None and entry.tier is tier and _could(own, asked):
                yield ident


def _could(own: Ceiling, asked: Asked) -> bool:
    """Whether a ceiling has any right of the kind; discovery passes with any right at all."""
    if asked.action.rpartition("/")[2] in METHODS:
        return True
    return bool(applicable(own.rights, asked.action, asked.resource.type))


def _behind(ids: Sequence[PrincipalId], after: str) -> Iterator[PrincipalId]:
    return islice(ids, bisect_right(ids, after) if after else 0, None)


def _holder(asked: Asked, snapshot: Snapshot) -> PrincipalId | None:
    """Whoever holds the task: without one no agent may do anything (R43)."""
    task, envelope = snapshot.tasks.get(TaskId(asked.task)), snapshot.envelopes.get(asked.envelope)
    if task is None:
        return None
    return PrincipalId(envelope.holder if envelope is not None else task.agent)


def _actions(kind: str, snapshot: Snapshot) -> Iterator[str]:
    for tool in snapshot.tools.values():
        server = snapshot.servers.get(tool.server)
        if server is not None and tool.mapping is not None and tool.mapping.resource.type == kind:
            yield action_of(server, tool)
    if kind == SERVER_TYPE:
        for server in snapshot.servers.values():
            yield from (f"{server.name}/{method}" for method in METHODS)


def _resources(action: str, kind: str, asked: Asked, snapshot: Snapshot) -> tuple[set[str], bool]:
    """Ids that some right of the subject names for the action, and whether all rights name theirs."""
    if kind == SERVER_TYPE:
        return {server.name for server in snapshot.servers.values()}, True
    limits = list(_limits(asked, snapshot))
    named: set[str] = set()
    bounded = False
    for rights in limits:
        fitting = [right for right in rights if (right.action, right.resource_type) == (action, kind)]
        for right in fitting:
            named |= set() if right.resources == "any" else right.resources
        # One factor that names all it allows bounds the rest: the meet can hold nothing else.
        bounded = bounded or all(right.resources != "any" for right in fitting)
    return named, bounded or not limits


def _limits(asked: Asked, snapshot: Snapshot) -> Iterator[frozenset[Right]]:
    actor = actor_of(asked.subject, snapshot)
    if actor is None:
        return
    task = snapshot.tasks.get(TaskId(asked.task))
    if task is not None:
        yield task.ceiling.rights
    if task is not None and task.grant is not None and (grant := snapshot.grants.get(task.grant)):
        yield grant.ceiling.rights
    own = snapshot.ceilings.get(actor.parent if actor.kind is Kind.INSTANCE and actor.parent else actor.id)
    if own is not None:
        yield own.rights
