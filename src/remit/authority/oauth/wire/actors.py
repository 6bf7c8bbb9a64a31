"""The `act` claim: who acts, through whom (RFC 8693 §4.1). Built here from verified links alone.

A chain runs from the first agent to the one that acts; `act` nests the other way, newest outermost. Only
the outermost actor is authority, inner ones are history: nothing here gives an inner one any right.

What acted in another domain before the chain came here stands innermost, as that domain told it, and every
member of it names its `iss`: it is nobody of ours, and nothing of it is looked up.
"""

from typing import Final

from remit.authority.oauth.wire.errors import AccessDenied
from remit.kernel.canonical import Json, JsonObject, canonical_json, parse_object

CHAIN_LIMIT: Final = 10
NAME_LIMIT: Final = 2048


def extend(chain: tuple[str, ...], actor: str, *, limit: int = CHAIN_LIMIT) -> tuple[str, ...]:
    """Put the actor behind the chain; the same actor again at its end changes nothing.

    Raises `AccessDenied` with reason `chain_too_deep` or `chain_loops`: an agent that already acted in the
    chain can't act in it again through another, whichever of its instances comes (TX-07).
    """
    if chain and chain[-1] == actor:
        return chain
    if agent_part(actor) in {agent_part(member) for member in chain}:
        raise AccessDenied("the chain would return to an agent that is in it", reason="chain_loops")
    if len(chain) >= limit:
        raise AccessDenied(
            f"the chain would have {len(chain) + 1} members, the limit is {limit}", reason="chain_too_deep"
        )
    return (*chain, actor)


def nest(chain: tuple[str, ...], before: str = "") -> JsonObject | None:
    """Write a chain as nested `act`, around what acted before; None for nobody."""
    nested: JsonObject | None = parse_object(before.encode()) if before else None
    for member in chain:
        nested = {"sub": member} if nested is None else {"sub": member, "act": nested}
    return nested


def unnest(act: Json, *, limit: int = CHAIN_LIMIT) -> tuple[str, ...]:
    """Read `act` of a token of ours back into a chain; anything odd raises `ValueError`."""
    chain, before = divided(act, limit=limit)
    if before:
        raise ValueError("act holds members of another domain")
    return chain


def divided(act: Json, *, limit: int = CHAIN_LIMIT) -> tuple[tuple[str, ...], str]:
    """Read `act` of a token of ours: our chain, and canonical JSON of what acted before in other domains."""
    found: list[str] = []
    while act is not None:
        if isinstance(act, dict) and "iss" in act:
            if not found:
                raise ValueError("act names nobody of ours")
            # SAFETY: whoever acts now is one of ours; only what lies further in can be another domain's.
            return tuple(reversed(found)), told(act, limit=limit - len(found))
        if not isinstance(act, dict) or not act.keys() <= {"sub", "act"} or len(found) >= limit:
            raise ValueError("act is malformed")
        found.append(_name(act, "sub"))
        act = act.get("act")
    return tuple(reversed(found)), ""


def told(act: Json, *, issuer: str = "", limit: int = CHAIN_LIMIT) -> str:
    """Write down an `act` of another domain: subjects and issuers alone, at most `limit` deep.

    `issuer` is put where a member names none. Raises `ValueError` for anything else.
    """
    members: list[JsonObject] = []
    while act is not None:
        if not isinstance(act, dict) or len(members) >= limit:
            raise ValueError("act is malformed, or too deep")
        names = _name({"iss": issuer, **act} if issuer else act, "iss")
        members.append({"sub": _name(act, "sub"), "iss": names})
        act = act.get("act")
    nested: JsonObject | None = None
    for member in reversed(members):
        nested = member if nested is None else {**member, "act": nested}
    return "" if nested is None else canonical_json(nested).decode()


def depth_of(before: str) -> int:
    """How many acted before, in other domains."""
    act: Json = parse_object(before.encode()) if before else None
    count = 0
    while isinstance(act, dict):
        count, act = count + 1, act.get("act")
    return count


def _name(member: JsonObject, claim: str) -> str:
    value = member.get(claim)
    if not isinstance(value, str) or not value or len(value) > NAME_LIMIT or not value.isprintable():
        raise ValueError("act names nobody")
    return value


def agent_part(actor: str) -> str:
    """The agent of a SPIFFE ID `spiffe://<domain>/agent/<name>/<instance>`: all but the last segment."""
    return actor.rpartition("/")[0] or actor


def instance_part(actor: str) -> str:
    """The instance of a SPIFFE ID: its last segment."""
    return actor.rpartition("/")[2]
