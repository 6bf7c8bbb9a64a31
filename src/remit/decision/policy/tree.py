"""Walking Cedar's typed syntax trees."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

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
            stack.extend(getattr(part, member.name) for member in fields(part))


def path_of(expression: pst.Expr) -> tuple[str, ...] | None:
    """The names after `context`, if the expression is `context` or nothing but a path into it."""
    names: list[str] = []
    while isinstance(expression, pst.GetAttr):
        names.append(expression.attr)
        expression = expression.base
    return tuple(reversed(names)) if expression == pst.Var("context") else None
