"""Rich authorization requests: `authorization_details` of the one type `remit_action` (RFC 9396).

The closed form is that of a signed ceiling (`authority.ceiling_json`) beside `type`; an array holds exactly
one object. In a request `window`, `caps`, `depth` and `purpose` may be absent, which inherits the parent's;
`rights` may not, because empty never means all. In tokens and answers every member is stated.
"""

from typing import Final

from remit.authority.attenuation import covers, meet, normal
from remit.authority.ceiling_json import ceiling_from_json, ceiling_to_json
from remit.authority.oauth.wire.errors import InvalidAuthorizationDetails
from remit.authority.oauth.wire.resources import parse_resource
from remit.authority.rights import ANY_PURPOSE, Ceiling, MalformedCeiling
from remit.authority.shares import NOTHING
from remit.kernel.canonical import Json, JsonLimits, JsonObject, JsonTooLarge, MalformedJson, parse_json

TYPE: Final = "remit_action"
LOCATIONS: Final = "locations"
ITEMS_LIMIT: Final = 16
_LIMITS: Final = JsonLimits(size=16 << 10, depth=8, members=2_000, string=4 << 10)
_INHERITED: Final = frozenset({"window", "caps", "depth", "purpose"})
_BLANK: Final = {**{name: ceiling_to_json(NOTHING)[name] for name in _INHERITED}, "purpose": ANY_PURPOSE}


def details_of(ceiling: Ceiling) -> list[Json]:
    """Write a ceiling as `authorization_details` (RFC 9396 §7): the array that was granted."""
    return [{"type": TYPE, **ceiling_to_json(ceiling)}]


def ceiling_of(details: Json) -> Ceiling:
    """Read what `details_of` wrote, every member stated. Raises `InvalidAuthorizationDetails`."""
    body = _one_object(details)
    try:
        return ceiling_from_json({name: value for name, value in body.items() if name != "type"})
    except MalformedCeiling as broken:
        raise _refused(broken.hint) from broken


def narrow(text: str, parent: Ceiling, *, at: str = "") -> Ceiling:
    """Read a request's `authorization_details` and narrow the parent to it; nothing asked keeps the parent.

    `at` is the resource that the token is for: `locations`, if they are there, say exactly that.

    INVARIANT: `covers(parent, result)`. What would widen in action, resource, argument, time, depth or
    purpose is refused, never clipped in silence; a cap that the request leaves open is the parent's.
    """
    if not text:
        return normal(parent)
    asked = _asked(text, parent, at)
    narrowed = meet(parent, asked)
    if not covers(_with_caps_of(parent, narrowed), _with_caps_of(asked, narrowed)):
        raise InvalidAuthorizationDetails(
            "authorization details go beyond what was shown", reason="details_widened"
        )
    if not narrowed.rights:
        raise InvalidAuthorizationDetails("authorization details name no right", reason="details_empty")
    return narrowed


def check_form(text: str, *, at: str = "") -> str:
    """See that a request's `authorization_details` can be read at all, before there is a parent for them.

    `at` is the resource that was asked; where none was, `locations` are compared once there is one. What may
    be absent is filled in with anything of its form: this reads, it grants nothing.
    """
    if text:
        body = _read(text)
        stated = _placed(body, at) if at or LOCATIONS not in body else _unplaced(body)
        ceiling_of([{**_BLANK, "type": TYPE, **stated}])
    return text


def _read(text: str) -> JsonObject:
    try:
        return _one_object(parse_json(text.encode(), limits=_LIMITS))
    except (MalformedJson, JsonTooLarge) as broken:
        raise _refused(broken.hint) from broken


def _placed(body: JsonObject, at: str) -> JsonObject:
    """The rest of a detail whose `locations` name the one resource that the request names (RFC 9396 §2.2).

    INVARIANT: a token has one resource, and the request or what it stands on says which (P7). `locations` can
    agree with that or be refused; they never choose.
    """
    if LOCATIONS not in body:
        return body
    named = body[LOCATIONS]
    only = named[0] if isinstance(named, list) and len(named) == 1 and isinstance(named[0], str) else ""
    if not at or only not in {at, parse_resource(at)}:
        raise InvalidAuthorizationDetails(
            "`locations` name another resource than the request, or not one alone", reason="details_elsewhere"
        )
    return _unplaced(body)


def _unplaced(body: JsonObject) -> JsonObject:
    return {name: value for name, value in body.items() if name != LOCATIONS}


def _asked(text: str, parent: Ceiling, at: str = "") -> Ceiling:
    body = _placed(_read(text), at)
    inherited = {name: value for name, value in ceiling_to_json(parent).items() if name in _INHERITED}
    return ceiling_of([{**inherited, **body}])


def _one_object(details: Json) -> JsonObject:
    if not isinstance(details, list) or not details:
        raise _refused("`authorization_details` is no array with an object in it")
    if len(details) > ITEMS_LIMIT:
        raise _refused(f"`authorization_details` has {len(details)} objects, the limit is {ITEMS_LIMIT}")
    if any(not isinstance(item, dict) or item.get("type") != TYPE for item in details):
        raise InvalidAuthorizationDetails(
            f"the only type of authorization details here is `{TYPE}`", reason="details_type_unknown"
        )
    if len(details) > 1:
        raise _refused(f"one `{TYPE}` per token; it holds several rights")
    only = details[0]
    if not isinstance(only, dict):
        raise _refused("an authorization detail is no object")
    return only


def _with_caps_of(ceiling: Ceiling, other: Ceiling) -> Ceiling:
    """The same ceiling with other caps, so that only what may not be inherited is compared."""
    return Ceiling(
        rights=ceiling.rights,
        window=ceiling.window,
        caps=other.caps,
        depth=ceiling.depth,
        purpose=ceiling.purpose,
    )


def _refused(hint: str) -> InvalidAuthorizationDetails:
    return InvalidAuthorizationDetails(hint, reason="details_malformed")
