"""What is known of the past of a call: which marks it would leave, which were left by whom it stands for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from remit.authority.arguments import pointed_at
from remit.decision.answer.told import Told
from remit.decision.call.request import ActionRequest
from remit.decision.policy.marks import RESOURCE, Mark, Whose
from remit.decision.policy.values import Value
from remit.identity.errors import OwnerLoop, OwnerMissing, OwnerUnfit
from remit.identity.ownership import Find, accountable
from remit.kernel.ids import PrincipalId

VALUE_LIMIT: Final = 512
"""Characters of a remembered value."""
VALUES_LIMIT: Final = 256
"""How many different values of one mark a rule may look at; more is an error, and an error denies."""


class Unmemorable(Exception):
    """What a rule wants to remember of a call can't be: the call is denied."""


class Footprint(Told, frozen=True, kw_only=True):
    """One mark on one holder, as a permitted call leaves it."""

    mark: str
    holder: str
    """`user:usr_…`, `agent:agt_…`, `task:tsk_…`, `chain:agt_…`, `department:…`, `resource:Type:id`."""
    value: str
    bucket: int
    at: datetime
    until: datetime | None
    """When it is forgotten; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which marks to look up: those of one name on one holder, left after `since`."""

    mark: str
    holder: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is found for one question; `last` is None where nothing is."""

    times: int
    values: frozenset[str]
    last: datetime | None


NOTHING: Final = Memory(times=0, values=frozenset(), last=None)
Memories: TypeAlias = Mapping[tuple[str, str], Memory]
"""By mark and holder."""


class HistoryStore(Protocol):
    """The marks of one tenant."""

    def hold(self, places: Iterable[tuple[str, str]], at: datetime) -> None:
        """Lock marks on holders, in order, until the transaction ends, whether or not they are there.

        INVARIANT: who looks at a mark and who leaves it hold the same lock, so of two halves that are
        forbidden together one sees the other (PD-16).
        """

    def look(self, question: Question) -> Memory:
        """What is remembered; raises `Unmemorable` for more than `VALUES_LIMIT` values."""

    def leave(self, footprint: Footprint) -> None:
        """Remember once more."""

    def unleave(self, footprint: Footprint) -> None:
        """Take one time back: the call never ran."""

    def forget(self, at: datetime, limit: int) -> int:
        """Remove what is over; how many rows went."""


def holders(request: ActionRequest, whose: Whose, find: Find) -> tuple[str, ...]:
    """Who is meant, in this call."""
    return tuple(f"{whose}:{name}" for name in sorted(_names(request, whose, find)))


def footprints(mark: Mark, request: ActionRequest, find: Find) -> tuple[Footprint, ...]:
    """What the call leaves if it is permitted; raises `Unmemorable`."""
    value, at = _value(mark, request), request.call.at
    return tuple(
        Footprint(
            mark=mark.name,
            holder=holder,
            value=value,
            bucket=mark.bucket(at),
            at=at,
            until=None if mark.lasts is None else at + mark.lasts,
        )
        for whose in sorted(mark.whose)
        for holder in holders(request, whose, find)
    )


def told(memories: Iterable[Memory]) -> Value:
    """Memories of one mark on all whom a key means, as policies see them."""
    found = tuple(memories)
    values = frozenset(value for memory in found for value in memory.values if value)
    return {"count": sum(memory.times for memory in found), "values": values}


def _names(request: ActionRequest, whose: Whose, find: Find) -> frozenset[str]:
    call = request.call
    match whose:
        case Whose.USER:
            return _people(request, find)
        case Whose.AGENT:
            return frozenset({request.principal.id})
        case Whose.TASK:
            return frozenset({request.task.id}) if request.task else frozenset()
        case Whose.CHAIN:
            return _agents(request, find)
        case Whose.DEPARTMENT:
            return _departments(request, find)
        case Whose.RESOURCE:
            return frozenset({f"{call.resource.type}:{call.resource.id}"})


def _people(request: ActionRequest, find: Find) -> frozenset[str]:
    """PD-17: the person, whichever agent, task or name acts for them; everybody whom a run is for (R36)."""
    if request.user is not None:
        return frozenset({request.user.id, *(each.id for each in request.companions)})
    try:
        return frozenset({accountable(request.principal, find).human.id})
    except (OwnerMissing, OwnerLoop, OwnerUnfit) as unknown:
        raise Unmemorable("nobody answers for the agent") from unknown


def _agents(request: ActionRequest, find: Find) -> frozenset[str]:
    known = (find(member) for member in request.lineage.chain)
    return frozenset(
        {request.principal.id, *(entry.parent or entry.id for entry in known if entry is not None)}
    )


def _departments(request: ActionRequest, find: Find) -> frozenset[str]:
    people = (find(PrincipalId(name)) for name in _people(request, find))
    segments = frozenset(segment for entry in people if entry is not None for segment in entry.segments)
    return segments or frozenset(request.principal.segments)


def _value(mark: Mark, request: ActionRequest) -> str:
    if not mark.of:
        return ""
    call = request.call
    there, found = (True, call.resource.id) if mark.of == RESOURCE else pointed_at(call.arguments, mark.of)
    if not there:
        return ""
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise Unmemorable(f"`{mark.of}` is neither a text nor a whole number")
    if len(value := str(found)) > VALUE_LIMIT:
        raise Unmemorable(f"`{mark.of}` has {len(value)} characters, the limit is {VALUE_LIMIT}")
    return value
