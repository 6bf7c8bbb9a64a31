"""A client that changes what it says of itself keeps nothing that people gave to what it was (OA-24)."""

from dataclasses import replace
from typing import Any

import pytest

from remit.authority.oauth.asking.families import Family
from remit.authority.oauth.clients.registration import (
    REFRESH,
    ClientRegistration,
    RegistrationKind,
    digest_of,
)
from remit.authority.oauth.grants.refresh_token import RefreshTokenGrant
from remit.authority.oauth.provider import OAuth
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import BACK, AuthorizingWorld, with_codes

EVIL = "https://evil.example/callback"


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> AuthorizingWorld:
    return await AuthorizingWorld(sqlite_uow).populate()


async def renamed(world: AuthorizingWorld, client: str, **changes: Any) -> None:
    """The client says something else of itself from now on."""
    now = world.clients[client]
    shown = {
        "name": now.name,
        "redirect_uris": now.redirect_uris,
        "auth_method": now.auth_method,
        "jwks": now.jwks,
        "jwks_uri": now.jwks_uri,
        **changes,
    }
    world.clients[client] = changed = replace(now, **changes, digest=digest_of(**shown))
    await world.uow.commit(lambda tx: tx.registrations.put(changed))


CHANGES: dict[str, dict[str, Any]] = {
    "its name": {"name": "Your Bank"},
    "its redirects": {"redirect_uris": (BACK, EVIL)},
    "its keys": {"jwks_uri": "https://evil.example/keys"},
}


@pytest.mark.attack("OA-24")
@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
async def test_what_was_given_to_another_description_ends(
    world: AuthorizingWorld, changes: dict[str, Any]
) -> None:
    await world.public("own", kind=RegistrationKind.DYNAMIC)
    tokens = await world.tokens("own")
    code = await world.code(await world.sign_in(), "own")
    await renamed(world, "own", **changes)
    for answer in (await world.refresh(tokens["refresh_token"], "own"), await world.redeem(code, "own")):
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    (ended,) = await world.records("authority.family.ended")
    assert ended.codes == ("client_changed",)
    # Changed back, it has to ask all the same.
    await renamed(world, "own", name="the own client", redirect_uris=(BACK,), jwks_uri=None)
    assert (await world.refresh(tokens["refresh_token"], "own")).json()["error"] == "invalid_grant"
    assert (await world.tokens("own"))["access_token"]


async def test_what_an_administrator_changes_is_vouched_for(world: AuthorizingWorld) -> None:
    tokens = await world.tokens()
    await renamed(world, "strict", name="a better name")
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


class Trusting(RefreshTokenGrant):
    """Renews for whatever the client has become."""

    def _check_client(self, family: Family, registration: ClientRegistration) -> None:
        return


@pytest.mark.twin("OA-24")
async def test_a_grant_that_does_not_look_would_serve_the_impostor(sqlite_uow: SqlUnitOfWork) -> None:
    def trusting(**parts: Any) -> OAuth:
        whole = with_codes(**parts)
        ours: Any = whole.token._grants[REFRESH]
        grants = {**whole.token._grants, REFRESH: Trusting(mint=ours._mint, successors=ours._successors)}
        whole.token._grants = grants
        return whole

    world = await AuthorizingWorld(sqlite_uow, build=trusting).populate()
    await world.public("own", kind=RegistrationKind.DYNAMIC)
    tokens = await world.tokens("own")
    await renamed(world, "own", name="Your Bank", redirect_uris=(EVIL,))
    assert (await world.refresh(tokens["refresh_token"], "own")).status_code == 200
