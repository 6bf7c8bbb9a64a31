"""The factors of effective right, by name: users ∩ agents ∩ blueprints ∩ task ∩ hops ∩ token (N10, R8).

Nobody's full permissions are ever a factor by themselves: an agent gets what all of them leave.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from remit.authority.attenuation import meet_all
from remit.authority.consent import Grant
from remit.authority.delegations import RecordedHop
from remit.authority.envelope import Delegation
from remit.authority.rights import Caps, Ceiling, Window
from remit.authority.tasks import Task

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
NOTHING: Final = Ceiling(
    rights=frozenset(), window=Window(start=_NEVER, end=_NEVER), caps=Caps(), depth=0, purpose=""
)
"""The ceiling of whoever has none: what is not stated is not allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One ceiling among those that must all allow an action, by the name a reader knows it by."""

    name: str
    ceiling: Ceiling
    account: str = ""
    """Whose budget its caps are: names may be alike in one chain, accounts are not. Empty: the token's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One agent of a chain with its standing ceilings; None where nobody has set one.

    `consent` is the user's own grant to this agent, which a broker hop needs; `beside` those of the further
    people of the task, in their order.
    """

    id: str
    name: str
    ceiling: Ceiling | None
    blueprint: str
    blueprint_ceiling: Ceiling | None
    blueprint_id: str = ""
    consent: Grant | None = None
    beside: tuple[Grant | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A further person of a task, by the name a reader knows them by; None where no consent is theirs."""

    name: str
    consent: Grant | None


def shares(
    *,
    task: Task,
    consent: Grant | None,
    members: Sequence[Member],
    hops: Sequence[RecordedHop],
    company: Sequence[Beside] = (),
    token: Ceiling | None = None,
) -> tuple[Share, ...]:
    """Name every factor for the last member of a chain; `hops[i]` leads from member i to member i + 1.

    Behind an `attenuate` hop the agents before it still bound the ones after it. Behind a `broker` hop they
    do not: the worker's own ceiling and its own consent take their place, and user, task and hops stay.
    What holds for the user holds for each of `company`, who are the task's companions in their order.
    """
    found = [] if consent is None else [Share(name="user", ceiling=consent.ceiling, account=consent.id)]
    if task.user is not None and consent is None:
        found.append(Share(name="user", ceiling=NOTHING))
    found += [_beside(each) for each in company]
    found.append(Share(name="task", ceiling=task.ceiling, account=task.id))
    found += [_of_hop(number, hop) for number, hop in enumerate(hops, start=1)]
    first = _after_last_broker(hops)
    if first > 0 and task.user is not None:
        found += _for_worker(members[first], task, company)
    for member in members[first:]:
        found += _of_member(member)
    if token is not None:
        found.append(Share(name="token", ceiling=token))
    return tuple(found)


def effective(found: Sequence[Share]) -> Ceiling:
    """What all factors leave. No factor at all leaves nothing."""
    if not found:
        return NOTHING
    return meet_all(*(share.ceiling for share in found))


def emptied_by(found: Sequence[Share]) -> str | None:
    """The first factor after which nothing was left, in the order of the factors; None if something is."""
    for count in range(1, len(found) + 1):
        left = effective(found[:count])
        if not left.rights or not left.purpose or left.window.start >= left.window.end:
            return found[count - 1].name
    return None if found else "none"


def _given(consent: Grant | None) -> Ceiling:
    return NOTHING if consent is None else consent.ceiling


def _after_last_broker(hops: Sequence[RecordedHop]) -> int:
    """Index of the first member whose own ceilings count."""
    return max((number for number, hop in enumerate(hops, 1) if hop.kind is Delegation.BROKER), default=0)


def _beside(each: Beside) -> Share:
    account = each.consent.id if each.consent else ""
    return Share(name=f"with {each.name}", ceiling=_given(each.consent), account=account)


def _of_hop(number: int, hop: RecordedHop) -> Share:
    return Share(name=f"hop {number}", ceiling=hop.ceiling, account=hop.prefix)


def _for_worker(worker: Member, task: Task, company: Sequence[Beside]) -> Iterator[Share]:
    """What each person of the task has given the worker behind the last broker itself."""
    yield Share(
        name=f"user for {worker.name}", ceiling=_given(worker.consent), account=f"{task.user}/{worker.id}"
    )
    for person, each, consent in zip(task.companions, company, worker.beside, strict=True):
        yield Share(
            name=f"with {each.name} for {worker.name}",
            ceiling=_given(consent),
            account=f"{person.user}/{worker.id}",
        )


def _of_member(member: Member) -> tuple[Share, ...]:
    own = Share(name=f"agent {member.name}", ceiling=member.ceiling or NOTHING, account=member.id)
    if not member.blueprint:
        return (own,)
    # Agents of one blueprint may stand in one chain: each has its own account under it.
    shared = Share(
        name=f"blueprint {member.blueprint}",
        ceiling=member.blueprint_ceiling or NOTHING,
        account=f"{member.blueprint_id}/{member.id}",
    )
    return (own, shared)
