"""Who and what may be related: sets that are never too small.

They are found without looking at conditions or at what is subtracted. A list is such a set with every member
checked, so a list can't say what a check would not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from remit.decision.relations.closure import Whom
from remit.decision.relations.ground import Spot
from remit.decision.relations.table import each
from remit.decision.relations.walk import Computed, Direct, Node, Part, Run, Through, children


@dataclass(frozen=True, slots=True, kw_only=True)
class Backwards:
    """The plan, read from users to objects.

    `named`: the tables that name a kind of user, and whose they are; `linked`: the tables that lead on from a
    node, and whose they are; `computed`: what follows from a node at the same object.
    """

    named: Mapping[Whom, Sequence[tuple[int, Node]]]
    linked: Mapping[int, Sequence[tuple[int, Node]]]
    computed: Mapping[int, Sequence[Node]]


def backwards(nodes: Iterable[Node]) -> Backwards:
    """All nodes, read backwards."""
    named: dict[Whom, list[tuple[int, Node]]] = {}
    linked: dict[int, list[tuple[int, Node]]] = {}
    computed: dict[int, list[Node]] = {}
    for node in nodes:
        for leaf in leaves(node.part):
            if isinstance(leaf, Computed):
                computed.setdefault(leaf.node.number, []).append(node)
            elif isinstance(leaf, Direct | Through):
                for link in leaf.links:
                    linked.setdefault(link.node.number, []).append((link.slot, node))
            if isinstance(leaf, Direct):
                for whom, tables in leaf.named.items():
                    named.setdefault(whom, []).extend((table.slot, node) for table in tables)
    return Backwards(named=named, linked=linked, computed=computed)


def leaves(part: Part) -> list[Part]:
    """The leaves of a part, but for those that are subtracted."""
    ahead, found = [part], list[Part]()
    while ahead:
        it = ahead.pop()
        inner = list(children(it))
        ahead += inner
        if not inner:
            found.append(it)
    return found


def below(target: Node) -> set[int]:
    """The nodes that a node can follow from, itself included."""
    found, ahead = {target.number}, [target]
    while ahead:
        for leaf in leaves(ahead.pop().part):
            needed = [leaf.node] if isinstance(leaf, Computed) else []
            if isinstance(leaf, Direct | Through):
                needed = [link.node for link in leaf.links]
            ahead += [node for node in needed if node.number not in found]
            found |= {node.number for node in needed}
    return found


def upwards(
    plan: Backwards, run: Run, start: Iterable[tuple[Whom, int]], own: Spot | None, target: Node
) -> set[int]:
    """The objects at which the user may have the target relation; raises `OutOfSteps`."""
    wanted = below(target)
    seen: set[Spot] = set()
    ahead: list[Spot] = [] if own is None else [own]
    for whom, user in start:
        for slot, node in plan.named.get(whom, ()):
            if node.number in wanted:
                ahead += [Spot(node, thing) for thing in run.tables[slot].objects(user)]
    while ahead:
        spot = ahead.pop()
        if spot in seen:
            continue
        run.spend()
        seen.add(spot)
        ahead += [
            Spot(node, spot.thing)
            for node in plan.computed.get(spot.node.number, ())
            if node.number in wanted
        ]
        for slot, node in plan.linked.get(spot.node.number, ()):
            if node.number in wanted:
                ahead += [Spot(node, thing) for thing in run.tables[slot].objects(spot.thing)]
    return {spot.thing for spot in seen if spot.node is target}


def downwards(root: Spot, run: Run, whom: Whom, everyone: Whom) -> tuple[set[int], bool]:
    """The users of a kind that may have the relation, and whether everyone may; raises `OutOfSteps`."""
    users: set[int] = set()
    open_ = False
    seen: set[Spot] = {root}
    ahead = [root]
    while ahead:
        spot = ahead.pop()
        run.spend()
        if (spot.node.type, spot.node.relation) == whom:
            users.add(spot.thing)
        for leaf in leaves(spot.node.part):
            if isinstance(leaf, Direct):
                for slot, all_, _ in leaf.named.get(whom, ()):
                    if not all_:
                        users.update(each(run.tables[slot].users(spot.thing)))
                named = leaf.named.get(everyone, ())
                open_ = open_ or any(run.tables[it.slot].users(spot.thing) is not None for it in named)
            for needed in _next(leaf, run, spot):
                if needed not in seen and whom in needed.node.sources:
                    seen.add(needed)
                    ahead.append(needed)
    return users, open_


def _next(leaf: Part, run: Run, spot: Spot) -> Iterable[Spot]:
    if isinstance(leaf, Computed):
        yield Spot(leaf.node, spot.thing)
    elif isinstance(leaf, Direct | Through):
        for link in leaf.links:
            for user in each(run.tables[link.slot].users(spot.thing)):
                yield Spot(link.node, user)
