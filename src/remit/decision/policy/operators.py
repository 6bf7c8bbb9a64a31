"""What Cedar's operators do with values (Cedar 4, "Operators and functions"); a wrong type is an error."""

from collections.abc import Callable, Mapping
from typing import Final, NoReturn, TypeAlias

from remit.decision.policy import extensions
from remit.decision.policy.extensions import DAY, HOUR, MINUTE, SECOND, bounded
from remit.decision.policy.values import (
    EvaluationFailed,
    Fixed,
    Key,
    Moment,
    Net,
    Span,
    Uid,
    Value,
    equal,
    key,
)

Unary: TypeAlias = Callable[[Value], Value]
Binary: TypeAlias = Callable[[Value, Value], Value]


def refuse(expected: str) -> NoReturn:
    """Fail for a value of another type than an operator takes."""
    raise EvaluationFailed(f"type error: expected {expected}")


def truth(value: Value) -> bool:
    """The value as a boolean; nothing else counts as one (PD-02)."""
    return value if value is True or value is False else refuse("bool")


def long(value: Value) -> int:
    """The value as a whole number; `true` is none."""
    return value if type(value) is int else refuse("long")


def text(value: Value) -> str:
    """The value as a string."""
    return value if type(value) is str else refuse("string")


def members(value: Value) -> frozenset[Key]:
    """The value as a set."""
    return value if type(value) is frozenset else refuse("set")


def entity(value: Value | Key) -> Uid:
    """The value as an entity."""
    return value if type(value) is Uid else refuse("entity")


def _fixed(value: Value) -> int:
    return value.units if type(value) is Fixed else refuse("decimal")


def _moment(value: Value) -> int:
    return value.millis if type(value) is Moment else refuse("datetime")


def _span(value: Value) -> int:
    return value.millis if type(value) is Span else refuse("duration")


def _net(value: Value) -> Net:
    return value if type(value) is Net else refuse("ipaddr")


def _less(one: Value, other: Value) -> bool:
    if type(one) is int:
        return one < long(other)
    if type(one) is Moment:
        return one.millis < _moment(other)
    return one.millis < _span(other) if type(one) is Span else refuse("long, datetime or duration")


def _less_eq(one: Value, other: Value) -> bool:
    if type(one) is int:
        return one <= long(other)
    if type(one) is Moment:
        return one.millis <= _moment(other)
    return one.millis <= _span(other) if type(one) is Span else refuse("long, datetime or duration")


def _in_range(one: Value, other: Value) -> bool:
    inner, outer = _net(one), _net(other)
    if inner.width != outer.width or inner.prefix < outer.prefix:
        return False
    shift = outer.width - outer.prefix
    return inner.bits >> shift == outer.bits >> shift


def _is_loopback(value: Value) -> bool:
    net = _net(value)
    if net.width == 32:  # noqa: PLR2004 — version 4: 127.0.0.0/8
        return net.prefix >= 8 and net.bits >> 24 == 127  # noqa: PLR2004
    return net.prefix == net.width and net.bits == 1


def _is_multicast(value: Value) -> bool:
    net = _net(value)
    if net.width == 32:  # noqa: PLR2004 — version 4: 224.0.0.0/4
        return net.prefix >= 4 and net.bits >> 28 == 14  # noqa: PLR2004
    return net.prefix >= 8 and net.bits >> 120 == 255  # noqa: PLR2004 — version 6: ff00::/8


def _to(unit: int) -> Unary:
    def whole(value: Value) -> int:
        """Towards zero, as Cedar divides."""
        millis = _span(value)
        return millis // unit if millis >= 0 else -(-millis // unit)

    return whole


UNARY: Final[Mapping[str, Unary]] = {
    "not": lambda value: not truth(value),
    "neg": lambda value: bounded(-long(value)),
    "is_empty": lambda value: not members(value),
    "decimal": lambda value: extensions.decimal(text(value)),
    "ip": lambda value: extensions.ip(text(value)),
    "datetime": lambda value: extensions.datetime(text(value)),
    "duration": lambda value: extensions.duration(text(value)),
    "is_ipv4": lambda value: _net(value).width == 32,  # noqa: PLR2004 — bits of version 4
    "is_ipv6": lambda value: _net(value).width == 128,  # noqa: PLR2004 — bits of version 6
    "is_loopback": _is_loopback,
    "is_multicast": _is_multicast,
    "to_date": lambda value: Moment(bounded(_moment(value) // DAY * DAY)),
    "to_time": lambda value: Span(_moment(value) % DAY),
    "to_milliseconds": _to(1),
    "to_seconds": _to(SECOND),
    "to_minutes": _to(MINUTE),
    "to_hours": _to(HOUR),
    "to_days": _to(DAY),
}
"""Operators of one value, under the names of Cedar's typed syntax tree."""

BINARY: Final[Mapping[str, Binary]] = {
    "eq": equal,
    "not_eq": lambda one, other: not equal(one, other),
    "less": _less,
    "less_eq": _less_eq,
    "greater": lambda one, other: _less(other, one),
    "greater_eq": lambda one, other: _less_eq(other, one),
    "add": lambda one, other: bounded(long(one) + long(other)),
    "sub": lambda one, other: bounded(long(one) - long(other)),
    "mul": lambda one, other: bounded(long(one) * long(other)),
    "contains": lambda one, other: key(other) in members(one),
    "contains_all": lambda one, other: members(one) >= members(other),
    "contains_any": lambda one, other: not members(one).isdisjoint(members(other)),
    "is_in_range": _in_range,
    "offset": lambda one, other: Moment(bounded(_moment(one) + _span(other))),
    "duration_since": lambda one, other: Span(bounded(_moment(one) - _moment(other))),
    "decimal_less_than": lambda one, other: _fixed(one) < _fixed(other),
    "decimal_less_eq": lambda one, other: _fixed(one) <= _fixed(other),
    "decimal_greater": lambda one, other: _fixed(one) > _fixed(other),
    "decimal_greater_eq": lambda one, other: _fixed(one) >= _fixed(other),
}
"""Operators of two values that are both needed; `and`, `or`, `in` and those of tags are compiled apart."""
