"""Handing on by token exchange, as an agent asks for it."""

import json
from collections.abc import Sequence
from typing import Any

import httpx2

from remit.authority.ceiling_json import ceiling_to_json
from support.oauth import ACCESS_TOKEN, EXCHANGE, TXN_TOKEN, World


async def handed_on(
    world: World,
    by: str,
    to: str,
    text: str = "",
    *,
    actions: Sequence[str] = (),
    resources: Sequence[str] | None = None,
    **changes: Any,
) -> httpx2.Response:
    """Ask for the envelope with one more hop; without actions, for all that was held."""
    form: dict[str, Any] = {
        "grant_type": EXCHANGE,
        "requested_token_type": TXN_TOKEN,
        "audience": str(world.actors[to].principal.parent) if to in world.actors else to,
        "subject_token": text or world.envelope,
        "subject_token_type": TXN_TOKEN,
        **changes,
    }
    if "actor_token" not in form:
        form |= {"actor_token": await world.own_token(by), "actor_token_type": ACCESS_TOKEN}
    if actions and "authorization_details" not in form:
        form["authorization_details"] = rights_of(world, actions, resources)
    return await world.ask(by, **form)


def rights_of(world: World, actions: Sequence[str], resources: Sequence[str] | None = None) -> str:
    """`authorization_details` of these rights alone; all else is the parent's."""
    named = None if resources is None else frozenset(resources)
    rights = ceiling_to_json(world.ceiling(*actions, resources=named))["rights"]
    return json.dumps([{"type": "remit_action", "rights": rights}])
