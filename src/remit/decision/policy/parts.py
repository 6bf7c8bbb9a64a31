"""A policy taken apart: scope, resource and the conjuncts of its conditions, each a policy of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cedarpy import pst

SCOPE: Final = "scope"
RESOURCE: Final = "resource"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One condition of one policy; `wanted` is the value that the policy needs it to have."""

    place: str
    name: str
    expression: pst.Expr | None
    wanted: bool = True


def parts_of(place: str, node: pst.Template) -> Iterator[Part]:
    """Everything that must hold for the policy to apply, piece by piece."""
    yield Part(place=place, name=SCOPE, expression=None)
    yield Part(place=place, name=RESOURCE, expression=None)
    number = 0
    for clause in node.clauses:
        wanted = isinstance(clause, pst.When)
        for expression in _conjuncts(clause.expr) if wanted else (clause.expr,):
            yield Part(place=place, name=str(number), expression=expression, wanted=wanted)
            number += 1


def _conjuncts(expression: pst.Expr) -> Iterator[pst.Expr]:
    stack = [expression]
    while stack:
        part = stack.pop()
        if isinstance(part, pst.BinaryOp) and part.op == "and":
            stack += [part.right, part.left]
        else:
            yield part


def probe_of(name: str, part: Part, node: pst.Template) -> pst.Template:
    """A permit that holds exactly if the part does."""
    return pst.Template(
        id=name,
        effect="permit",
        principal=node.principal if part.name == SCOPE else pst.ScopeAny(),
        action=node.action if part.name == SCOPE else pst.ScopeAny(),
        resource=node.resource if part.name == RESOURCE else pst.ScopeAny(),
        clauses=clauses_of(part),
        annotations=pst.FrozenMap(),
    )


def clauses_of(part: Part) -> tuple[pst.Clause, ...]:
    """A part as the condition of a policy; none for a part of the scope."""
    if part.expression is None:
        return ()
    return (pst.When(part.expression) if part.wanted else pst.Unless(part.expression),)
