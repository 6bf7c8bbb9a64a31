"""Requests that their clients sign."""

import json
from datetime import timedelta
from typing import Any

from remit.kernel.canonical import b64u
from remit.kernel.jose import jws
from remit.kernel.jose.keys import PrivateKey
from support.authorizing import AuthorizingWorld
from support.oauth import ABSENT

TYP = "oauth-authz-req+jwt"


def request_object(
    world: AuthorizingWorld,
    name: str = "web",
    *,
    typ: str = TYP,
    key: PrivateKey | None = None,
    kid: str = "",
    without: tuple[str, ...] = (),
    **changes: Any,
) -> str:
    """A request of a client, signed with the key of its instance; `changes` are members."""
    actor = world.actors[name]
    at = int(world.now.timestamp())
    members = {
        "iss": world.clients[name].client_id,
        "aud": world.options.issuer,
        "iat": at,
        "nbf": at,
        "exp": at + 60,
        "jti": world.fresh(),
        **world.request(name),
        **changes,
    }
    told = {each: value for each, value in members.items() if value is not ABSENT and each not in without}
    return jws.sign_named(kid or actor.kid, typ, json.dumps(told).encode(), key or actor.key)


def unsigned(world: AuthorizingWorld, name: str = "web") -> str:
    """The same with `alg` `none`."""
    _, payload, _ = request_object(world, name).split(".")
    return f"{b64u(json.dumps({'alg': 'none', 'typ': TYP}).encode())}.{payload}."


def later(world: AuthorizingWorld, **span: float) -> int:
    return int((world.now + timedelta(**span)).timestamp())
