"""Walking Cedar's typed syntax trees."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache

from cedarpy import pst


def walk(node: object) -> Iterator[object]:
    """Every part of a syntax tree; iterative, so its depth is no limit."""
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, Mapping):
            stack.extend(part.values())
        elif isinstance(part, tuple):
            stack.extend(part)
        elif is_dataclass(part) and not isinstance(part, type):
            yield part
            stack.extend(getattr(part, name) for name in _members_of(type(part)))


@lru_cache(maxsize=256)
def _members_of(kind: type) -> tuple[str, ...]:
    """Names of the fields of a kind of node."""
    return tuple(member.name for member in fields(kind))


def path_of(expression: pst.Expr) -> tuple[str, ...] | None:
    """The names after `context`, if the expression is `context` or nothing but a path into it."""
    names: list[str] = []
    while isinstance(expression, pst.GetAttr):
        names.append(expression.attr)
        expression = expression.base
    return tuple(reversed(names)) if expression == pst.Var("context") else None


def takes_whole(node: object) -> bool:
    """Whether the context is used as a value, and not only looked into."""
    if node == pst.Var("context"):
        return True
    return any(_holds_context(part) for part in walk(node) if not isinstance(part, pst.GetAttr | pst.HasAttr))


def _holds_context(node: object) -> bool:
    members = [getattr(node, name) for name in getattr(node, "__dataclass_fields__", ())]
    return any(isinstance(part, pst.Var) and part.name == "context" for part in _parts(members))


def _parts(members: list[object]) -> Iterator[object]:
    for each in members:
        if isinstance(each, Mapping):
            yield from each.values()
        elif isinstance(each, tuple):
            yield from each
        else:
            yield each
