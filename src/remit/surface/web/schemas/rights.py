"""Ceilings over HTTP: the same nouns as `authority.rights`, with times in RFC 3339."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from remit.authority.arguments import amount_of
from remit.authority.limits import Dimension, Limit, Per
from remit.authority.rights import (
    MAX_DEPTH,
    Caps,
    Ceiling,
    Constraint,
    MalformedCeiling,
    Money,
    Right,
    Window,
)
from remit.surface.web.schemas.words import Count, Instant, Line

Pointer = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^(/([^~/]|~[01])*)+$")]
Amount = Annotated[str, msgspec.Meta(max_length=32, pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
Values = Annotated[list[Line], msgspec.Meta(max_length=1024)]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]


class ConstraintBody(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A bound on one argument."""

    pointer: Pointer
    one_of: Values | None = None
    at_least: Amount | None = None
    at_most: Amount | None = None


class RightBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One action on resources of one type; `any: true` says "every one" aloud."""

    action: Line
    resource_type: Line
    resources: Values = []
    any: bool = False
    constraints: Annotated[list[ConstraintBody], msgspec.Meta(max_length=32)] = []


class MoneyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount in minor units."""

    currency: Currency
    minor: Count


class LimitBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How much in a span of time: `most` is never passed, above `ask_above` a person is asked."""

    of: Dimension
    per: Per = Per.WHOLE
    currency: Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{3})?$")] = ""
    most: Count | None = None
    ask_above: Count | None = None


class CeilingBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The most that a holder may do, in which span of time, how often, for which purpose."""

    rights: Annotated[list[RightBody], msgspec.Meta(max_length=256)]
    start: Instant
    end: Instant
    purpose: Line
    calls: Count | None = None
    per_minute: Count | None = None
    money: Annotated[list[MoneyBody], msgspec.Meta(max_length=16)] = []
    limits: Annotated[list[LimitBody], msgspec.Meta(max_length=32)] = []
    depth: Annotated[int, msgspec.Meta(ge=0, le=MAX_DEPTH)] = 0


class CeilingView(msgspec.Struct, frozen=True, kw_only=True):
    """A standing ceiling; none means that nothing at all is allowed."""

    ceiling: CeilingBody | None


def ceiling_of(body: CeilingBody) -> Ceiling:
    """Read a ceiling. Raises `MalformedCeiling`."""
    return Ceiling(
        rights=frozenset(_right_of(right) for right in body.rights),
        window=Window(start=body.start, end=body.end),
        caps=Caps(
            calls=body.calls,
            per_minute=body.per_minute,
            money=tuple(Money(currency=each.currency, minor=each.minor) for each in body.money),
            limits=tuple(limit_of(each) for each in body.limits),
        ),
        depth=body.depth,
        purpose=body.purpose,
    )


def ceiling_view(ceiling: Ceiling) -> CeilingBody:
    """Show a ceiling, sorted."""
    return CeilingBody(
        rights=[
            right_view(right)
            for right in sorted(ceiling.rights, key=lambda each: (each.action, each.resource_type))
        ],
        start=utc(ceiling.window.start),
        end=utc(ceiling.window.end),
        purpose=ceiling.purpose,
        calls=ceiling.caps.calls,
        per_minute=ceiling.caps.per_minute,
        money=[MoneyBody(currency=each.currency, minor=each.minor) for each in ceiling.caps.money],
        limits=[_limit_view(each) for each in ceiling.caps.limits],
        depth=ceiling.depth,
    )


def utc(moment: datetime) -> datetime:
    """The moment, to the second: what people read and machines compare."""
    return moment.replace(microsecond=0)


def _right_of(body: RightBody) -> Right:
    if body.any and body.resources:
        raise MalformedCeiling(f"right on `{body.action}` names resources and says `any` too")
    return Right(
        action=body.action,
        resource_type=body.resource_type,
        resources="any" if body.any else frozenset(body.resources),
        constraints=tuple(_constraint_of(each) for each in body.constraints),
    )


def _constraint_of(body: ConstraintBody) -> Constraint:
    return Constraint(
        pointer=body.pointer,
        one_of=None if body.one_of is None else frozenset(body.one_of),
        at_least=_amount(body.at_least),
        at_most=_amount(body.at_most),
    )


def _amount(text: str | None) -> Decimal | None:
    if text is None:
        return None
    number = amount_of(text)
    if number is None:
        raise MalformedCeiling(f"`{text}` is no plain decimal")
    return number


def limit_of(body: LimitBody) -> Limit:
    """Read a limit. Raises `MalformedCeiling`."""
    return Limit(
        of=body.of,
        per=body.per,
        currency=body.currency,
        most=body.most,
        ask_above=body.ask_above,
    )


def _limit_view(limit: Limit) -> LimitBody:
    return LimitBody(
        of=limit.of,
        per=limit.per,
        currency=limit.currency,
        most=limit.most,
        ask_above=limit.ask_above,
    )


def right_view(right: Right) -> RightBody:
    """Show one right."""
    return RightBody(
        action=right.action,
        resource_type=right.resource_type,
        resources=[] if right.resources == "any" else sorted(right.resources),
        any=right.resources == "any",
        constraints=[
            ConstraintBody(
                pointer=each.pointer,
                one_of=None if each.one_of is None else sorted(each.one_of),
                at_least=None if each.at_least is None else f"{each.at_least:f}",
                at_most=None if each.at_most is None else f"{each.at_most:f}",
            )
            for each in right.constraints
        ],
    )
