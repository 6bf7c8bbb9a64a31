"""A ceiling as JSON, the one form in which it is signed: sorted, whole seconds, every member stated.

Reading refuses what writing would not have written: an unknown member, a missing one, a fraction.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from remit.authority.arguments import amount_of
from remit.authority.attenuation import normal
from remit.authority.limits import LIMITS, Dimension, Limit, Per
from remit.authority.permission import sorted_resources
from remit.authority.rights import Caps, Ceiling, Constraint, MalformedCeiling, Money, Right, Window
from remit.kernel.canonical import Json, JsonObject, canonical_json

RIGHTS_LIMIT: Final = 256
RESOURCES_LIMIT: Final = 1024
CONSTRAINTS_LIMIT: Final = 32


def ceiling_to_json(ceiling: Ceiling) -> JsonObject:
    """Write the normal form; a window is rounded inwards to whole seconds, so it never grows."""
    tidy = normal(ceiling)
    rights: list[Json] = [right_to_json(right) for right in tidy.rights]
    return {
        "rights": sorted(rights, key=canonical_json),
        "window": {
            "start": -int(-tidy.window.start.timestamp() // 1),
            "end": int(tidy.window.end.timestamp() // 1),
        },
        "caps": _caps_to_json(tidy.caps),
        "depth": tidy.depth,
        "purpose": tidy.purpose,
    }


def ceiling_from_json(value: Json) -> Ceiling:
    """Read what `ceiling_to_json` wrote. Raises `MalformedCeiling`, whatever the value."""
    body = _object(value, {"rights", "window", "caps", "depth", "purpose"})
    window = _object(body["window"], {"start", "end"})
    return Ceiling(
        rights=frozenset(right_from_json(item) for item in _list(body["rights"], RIGHTS_LIMIT)),
        window=Window(start=_moment(window["start"]), end=_moment(window["end"])),
        caps=_caps_from_json(body["caps"]),
        depth=_integer(body["depth"]),
        purpose=_text(body["purpose"]),
    )


def right_to_json(right: Right) -> JsonObject:
    """One right alone; its constraints keep the order that they have."""
    named: list[Json] = [*sorted_resources(right)]
    resources: Json = "any" if right.resources == "any" else named
    return {
        "action": right.action,
        "resource_type": right.resource_type,
        "resources": resources,
        "constraints": [_constraint_to_json(bound) for bound in right.constraints],
    }


def right_from_json(value: Json) -> Right:
    """Read what `right_to_json` wrote. Raises `MalformedCeiling`."""
    body = _object(value, {"action", "resource_type", "resources", "constraints"})
    named = body["resources"]
    constraints = _list(body["constraints"], CONSTRAINTS_LIMIT)
    return Right(
        action=_text(body["action"]),
        resource_type=_text(body["resource_type"]),
        resources="any"
        if named == "any"
        else frozenset(_text(item) for item in _list(named, RESOURCES_LIMIT)),
        constraints=tuple(_constraint_from_json(item) for item in constraints),
    )


def _constraint_to_json(bound: Constraint) -> JsonObject:
    body: JsonObject = {"pointer": bound.pointer}
    if bound.one_of is not None:
        named: list[Json] = [*sorted(bound.one_of)]
        body["one_of"] = named
    if bound.at_least is not None:
        body["at_least"] = f"{bound.at_least:f}"
    if bound.at_most is not None:
        body["at_most"] = f"{bound.at_most:f}"
    return body


def _constraint_from_json(value: Json) -> Constraint:
    body = _object(value, {"pointer"}, optional={"one_of", "at_least", "at_most"})
    named = (
        frozenset(_text(item) for item in _list(body["one_of"], RESOURCES_LIMIT))
        if "one_of" in body
        else None
    )
    return Constraint(
        pointer=_text(body["pointer"]),
        one_of=None if named is None else frozenset(_text(item) for item in named),
        at_least=_decimal(body["at_least"]) if "at_least" in body else None,
        at_most=_decimal(body["at_most"]) if "at_most" in body else None,
    )


def _caps_to_json(caps: Caps) -> JsonObject:
    body: JsonObject = {}
    if caps.calls is not None:
        body["calls"] = caps.calls
    if caps.per_minute is not None:
        body["per_minute"] = caps.per_minute
    if caps.money:
        body["money"] = {money.currency: money.minor for money in caps.money}
    if caps.limits:
        body["limits"] = [_limit_to_json(limit) for limit in caps.limits]
    return body


def _limit_to_json(limit: Limit) -> JsonObject:
    body: JsonObject = {"of": limit.of.value, "per": limit.per.value}
    if limit.currency:
        body["currency"] = limit.currency
    if limit.most is not None:
        body["most"] = limit.most
    if limit.ask_above is not None:
        body["ask_above"] = limit.ask_above
    return body


def _limit_from_json(value: Json) -> Limit:
    body = _object(value, {"of", "per"}, optional={"currency", "most", "ask_above"})
    try:
        of, per = Dimension(_text(body["of"])), Per(_text(body["per"]))
    except ValueError as unknown:
        raise MalformedCeiling("a limit is of no dimension or span of time that is known") from unknown
    return Limit(
        of=of,
        per=per,
        currency=_text(body["currency"]) if "currency" in body else "",
        most=_integer(body["most"]) if "most" in body else None,
        ask_above=_integer(body["ask_above"]) if "ask_above" in body else None,
    )


def _caps_from_json(value: Json) -> Caps:
    body = _object(value, set(), optional={"calls", "per_minute", "money", "limits"})
    money = body.get("money", {})
    if not isinstance(money, dict):
        raise MalformedCeiling("`money` maps currencies to minor units")
    return Caps(
        calls=_integer(body["calls"]) if "calls" in body else None,
        per_minute=_integer(body["per_minute"]) if "per_minute" in body else None,
        money=tuple(Money(currency=name, minor=_integer(money[name])) for name in sorted(money)),
        limits=tuple(_limit_from_json(each) for each in _list(body.get("limits", []), LIMITS)),
    )


def _object(value: Json, required: set[str], *, optional: set[str] | None = None) -> JsonObject:
    if not isinstance(value, dict):
        raise MalformedCeiling("a part of a ceiling is no object")
    missing = required - value.keys()
    unknown = value.keys() - required - (optional or set())
    if missing or unknown:
        raise MalformedCeiling(f"members are wrong: `{', '.join(sorted(missing | unknown))[:200]}`")
    return value


def _list(value: Json, limit: int) -> list[Json]:
    if not isinstance(value, list):
        raise MalformedCeiling("a part of a ceiling is no list")
    if len(value) > limit:
        raise MalformedCeiling(f"a list has {len(value)} entries, the limit is {limit}")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise MalformedCeiling("a part of a ceiling is no text")
    return value


def _integer(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedCeiling("a part of a ceiling is no whole number")
    return value


def _decimal(value: Json) -> Decimal:
    number = amount_of(_text(value))
    if number is None:
        raise MalformedCeiling("a bound is no plain decimal of at most 32 characters")
    return number


def _moment(value: Json) -> datetime:
    try:
        return datetime.fromtimestamp(_integer(value), UTC)
    except (OverflowError, OSError, ValueError) as outside:
        raise MalformedCeiling("a window lies outside the calendar") from outside
