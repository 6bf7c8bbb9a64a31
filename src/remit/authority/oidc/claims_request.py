"""The `claims` parameter (OpenID Connect Core §5.5): which claims, where, and how the person signed in."""

from dataclasses import dataclass
from typing import Final

from remit.authority.oidc import disclosure
from remit.kernel.canonical import Json, JsonLimits, JsonObject, parse_object
from remit.kernel.errors import Invalid, RemitError

LIMITS: Final = JsonLimits(size=8 << 10, depth=6, members=64, string=1 << 10)


class UnfitClaims(Invalid):
    """The `claims` parameter is no JSON object of the form that OpenID Connect Core §5.5 gives it."""

    code = "claims_parameter"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsRequest:
    """What was asked. `acr` are the values of which one is essential; `subject` the only person meant."""

    in_token: frozenset[str] = frozenset()
    at_userinfo: frozenset[str] = frozenset()
    acr: tuple[str, ...] = ()
    subject: str = ""

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes that open what was asked; asking for a claim is asking for its scope."""
        return disclosure.scopes_for(self.in_token | self.at_userinfo)


NOTHING: Final = ClaimsRequest()


def read(text: str) -> ClaimsRequest:
    """Read the parameter; empty means that nothing was asked. Unknown claims are left out.

    Raises `UnfitClaims`.
    """
    if not text:
        return NOTHING
    try:
        members = parse_object(text.encode(), limits=LIMITS)
    except RemitError as broken:
        raise UnfitClaims("`claims` is no JSON object that fits") from broken
    in_token, at_userinfo = _object(members, "id_token"), _object(members, "userinfo")
    return ClaimsRequest(
        in_token=frozenset(in_token) & frozenset(disclosure.CLAIMS),
        at_userinfo=frozenset(at_userinfo) & frozenset(disclosure.CLAIMS),
        acr=_essential_acr(in_token),
        subject=_value(in_token, "sub") or _value(at_userinfo, "sub"),
    )


def _object(members: JsonObject, name: str) -> JsonObject:
    value = members.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnfitClaims(f"`{name}` in `claims` is no object")
    return value


def _essential_acr(asked: JsonObject) -> tuple[str, ...]:
    """Only an essential `acr` is a demand (Core §5.5.1.1); what is voluntary binds nobody."""
    entry = _entry(asked, "acr")
    if entry.get("essential") is not True:
        return ()
    values = entry.get("values", [entry["value"]] if "value" in entry else [])
    if not isinstance(values, list):
        raise UnfitClaims("`values` of `acr` in `claims` is no list")
    return tuple(_text(value) for value in values)


def _value(asked: JsonObject, name: str) -> str:
    entry = _entry(asked, name)
    return _text(entry["value"]) if "value" in entry else ""


def _entry(asked: JsonObject, name: str) -> JsonObject:
    entry = asked.get(name)
    if entry is None:
        return {}
    if not isinstance(entry, dict):
        raise UnfitClaims(f"`{name}` in `claims` is neither null nor an object")
    return entry


def _text(value: Json) -> str:
    if not isinstance(value, str) or not value:
        raise UnfitClaims("a value in `claims` is no string")
    return value
