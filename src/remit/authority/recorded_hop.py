"""A hop that an agent asked us for by token exchange (RFC 8693), and that we signed in its place.

It says what every hop says, and is judged by the same rules. `iss` is ours, `by` the instance that hands on,
`key` the thumbprint of the registered key with which it proved itself when it asked: what a signature would
have shown. So it lives no longer than that instance and that key, like a signed hop. `scope` says what tokens
that come of it may have, and `on` names the tokens that it ends with, if it was had for one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from remit.authority.envelope import SEPARATOR, Hop, Making, hop_claims, read_hop, sized
from remit.kernel.canonical import Json, JsonObject
from remit.kernel.jose import jwt
from remit.kernel.jose.keys import Signer
from remit.kernel.jose.profiles import TokenType

STANDS_ON_LIMIT: Final = 32


def recorded_claims(hop: Hop) -> JsonObject:
    """What we sign, with our own envelope key, as `remit-lnk+jwt`."""
    on: dict[str, Json] = {"on": [*hop.stands_on]} if hop.stands_on else {}
    own: dict[str, Json] = {"iss": hop.recorder, "by": hop.issuer, "key": hop.key, "scope": hop.scope}
    return {**hop_claims(hop), **own, **on}


def record_hop(text: str, hop: Hop, *, signer: Signer) -> str:
    """Extend an envelope by a hop that its giver asked for. Raises as `envelope.sign_hop` does."""
    return (
        text
        + SEPARATOR
        + sized(jwt.issue(recorded_claims(hop), as_type=TokenType.RECORDED_HOP, signer=signer))
    )


def read_recorded(members: Mapping[str, Json]) -> Hop:
    """Read the claims of a recorded hop whose signature holds. Raises as `envelope.read_hop` does."""
    hop = read_hop({**members, "iss": members["by"]})
    return replace(
        hop,
        made=Making.EXCHANGED,
        recorder=_text(members["iss"]),
        key=_text(members["key"]),
        scope=_text(members["scope"]),
        stands_on=_stands_on(members),
    )


def _stands_on(members: Mapping[str, Json]) -> tuple[str, ...]:
    """Absent is nothing; a member that is there names at least one, each once."""
    if "on" not in members:
        return ()
    named = members["on"]
    if not isinstance(named, list) or not 0 < len(named) <= STANDS_ON_LIMIT:
        raise TypeError("on")
    found = tuple(map(_text, named))
    if len(set(found)) != len(found):
        raise TypeError("on")
    return found


def _text(value: Json) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("text")
    return value
