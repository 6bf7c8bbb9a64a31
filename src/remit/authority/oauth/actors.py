"""The `act` claim: who acts, through whom (RFC 8693 §4.1). Built here from verified links alone.

A chain runs from the first agent to the one that acts; `act` nests the other way, newest outermost. Only
the outermost actor is authority, inner ones are history: nothing here gives an inner one any right.
"""

from typing import Final

from remit.authority.oauth.errors import AccessDenied
from remit.kernel.canonical import Json, JsonObject

CHAIN_LIMIT: Final = 10


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


def nest(chain: tuple[str, ...]) -> JsonObject | None:
    """Write a chain as nested `act`; None for nobody."""
    nested: JsonObject | None = None
    for member in chain:
        nested = {"sub": member} if nested is None else {"sub": member, "act": nested}
    return nested


def unnest(act: Json, *, limit: int = CHAIN_LIMIT) -> tuple[str, ...]:
    """Read `act` of a token of ours back into a chain; anything odd raises `ValueError`."""
    found: list[str] = []
    while act is not None:
        if not isinstance(act, dict) or not act.keys() <= {"sub", "act"} or len(found) >= limit:
            raise ValueError("act is malformed")
        member = act.get("sub")
        if not isinstance(member, str) or not member:
            raise ValueError("act names nobody")
        found.append(member)
        act = act.get("act")
    return tuple(reversed(found))


def agent_part(actor: str) -> str:
    """The agent of a SPIFFE ID `spiffe://<domain>/agent/<name>/<instance>`: all but the last segment."""
    return actor.rpartition("/")[0] or actor


def instance_part(actor: str) -> str:
    """The instance of a SPIFFE ID: its last segment."""
    return actor.rpartition("/")[2]
