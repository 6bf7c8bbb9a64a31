"""All the groups that somebody is in, found from the member upwards and kept with the version of the index.

Only plain kinds are gathered: relations that come about by tuples without conditions and by unions alone, so
that being reached and being related are the same. What is not plain is walked from the object.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from remit.decision.relations.table import Table

Whom: TypeAlias = tuple[str, str]
"""A kind of user: its type, and nothing for an object, `*` for everyone, or the relation of a userset."""
GATHERED: Final = 100_000
"""How many memberships are gathered of one user; one who has more is walked to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upwards:
    """Where a user leads to: per kind, the tables that name it with the node that they belong to; and per
    node, the nodes of the same object that follow from it, itself included.
    """

    feeds: Mapping[Whom, Sequence[tuple[int, int]]]
    implied: Mapping[int, Sequence[tuple[int, Whom]]]


@dataclass(slots=True, kw_only=True)
class Closure:
    """Per plain node, the objects at which the user has the relation.

    `hops` is the longest of the shortest ways; `cut`: there were too many to gather.
    """

    members: dict[int, set[int]] = field(default_factory=dict)
    hops: int = 0
    cut: bool = False


def gather(
    upwards: Upwards,
    tables: Sequence[Table],
    start: Iterable[tuple[Whom, int]],
    own: Iterable[tuple[int, int]],
) -> Closure:
    """The closure of a user: of what names it (`start`: kinds and ids) and of the node that it is (`own`)."""
    found = Closure()
    left = GATHERED
    ahead: list[tuple[Whom, int]] = list(start)
    for node, thing in own:
        ahead += _enter(found, upwards, node, thing)
    hops = -1 if not found.members else 0
    while ahead and left > 0:
        hops += 1
        after: list[tuple[Whom, int]] = []
        for whom, user in ahead:
            for slot, node in upwards.feeds.get(whom, ()):
                for thing in tables[slot].objects(user):
                    left -= 1
                    after += _enter(found, upwards, node, thing)
            if left <= 0:
                break
        if after:
            found.hops = max(hops, 0)
        ahead = after
    found.cut = left <= 0
    return found


def _enter(found: Closure, upwards: Upwards, node: int, thing: int) -> list[tuple[Whom, int]]:
    if thing in found.members.get(node, ()):
        return []
    entered: list[tuple[Whom, int]] = []
    for number, whom in upwards.implied[node]:
        things = found.members.setdefault(number, set())
        if thing not in things:
            things.add(thing)
            entered.append((whom, thing))
    return entered
