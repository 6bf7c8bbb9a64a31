"""Which facts of plugins a policy looks at, `context.plugin.<name>`, and how it sees them."""

from collections.abc import Iterable, Iterator
from typing import Final

from cedarpy import pst

from remit.decision.policy.tree import path_of, walk
from remit.decision.policy.values import Value
from remit.kernel.canonical import Json

PLUGIN: Final = "plugin"
EVERY: Final = "*"
"""A rule that takes the facts as a whole looks at each of them."""


def facts_in(node: pst.Template) -> frozenset[str]:
    """The facts that a policy looks at, in any way."""
    return frozenset(_names(walk(node.clauses)))


def _names(parts: Iterable[object]) -> Iterator[str]:
    whole = taken = asked = 0
    for part in parts:
        match part:
            case pst.GetAttr():
                path = path_of(part)
                whole += path == (PLUGIN,)
                if path is not None and len(path) == 2 and path[0] == PLUGIN:  # noqa: PLR2004 — the fact itself
                    taken += 1
                    yield path[1]
            case pst.HasAttr(base=base, attrs=attrs):
                path = path_of(base)
                if path == (PLUGIN,):
                    taken += 1
                    yield attrs[0]
                elif path == () and attrs[:1] == (PLUGIN,):
                    asked += 1
            case _:
                pass
    if whole != taken or (asked and not taken):
        yield EVERY


def value_of(fact: Json) -> Value:
    """A fact as compiled policies see it."""
    if isinstance(fact, dict):
        return {name: value_of(each) for name, each in fact.items()}
    if isinstance(fact, list):
        return frozenset(map(str, fact))
    if isinstance(fact, bool | int | str):
        return fact
    raise TypeError("a fact is a truth value, a whole number, a text, a set of texts or a record of these")
