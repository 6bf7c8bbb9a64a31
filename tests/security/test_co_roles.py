"""CO-09: each shipped role at each operation that is about the whole installation, from a page of ours."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from remit.authority.oauth.wire.scopes import Scope, scopes_of_roles
from remit.decision.administration.judging import Channel, Standing
from remit.decision.administration.texts import compiled, shipped
from remit.kernel.ids import PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.surface.web.assembly import application
from remit.surface.web.browsing import BrowserDoor
from remit.surface.web.caller import Caller
from remit.surface.web.operation import Operation
from support.clock import NOON
from support.composed import populated
from support.consoles import Console, console
from support.everybody import address, everybody, operations
from support.house import House

ROLES = ("nobody", "approver", "approver-only", "audit-only", "developer", "operator", "security")
REFUSALS = {"not_administrator", "insufficient_scope"}


def ruled(house: House) -> list[Operation[Any, Any]]:
    """What nobody does to what is their own; a stream is tried elsewhere."""
    return [each for each in operations(house) if each.by_rank]


async def refused(page: Console, operation: Operation[Any, Any]) -> bool:
    """Whether the door of the operation stays shut, before anything of it is read."""
    answer = await page.ask(operation.method, address(operation))
    return answer.status_code == 403 and answer.json()["code"] in REFUSALS


@pytest.mark.attack("CO-09")
async def test_each_role_meets_a_shut_door_wherever_the_rules_open_none(house: House) -> None:
    await everybody(house)
    wrong: list[tuple[str, str]] = []
    for turn, role in enumerate(ROLES):
        page = await console(house, role if role == "nobody" else f"in-{role}")
        # Every third, another third for the next role: each operation meets two roles or more.
        wrong += [
            (role, operation.name)
            for operation in ruled(house)[turn % 3 :: 3]
            if await refused(page, operation) is opens(role, operation)
        ]
    assert (wrong, len(ruled(house)) > 60) == ([], True)


def opens(role: str, operation: Operation[Any, Any]) -> bool:
    """What is shipped, asked by itself: role and scope."""
    scopes = scopes_of_roles("" if role == "nobody" else role)
    if not scopes & set(operation.scopes):
        return False
    who = Standing(
        tenant=DEFAULT_TENANT,
        ident=PrincipalId("usr_x"),
        name="x",
        roles=frozenset({role}),
        channel=Channel.SESSION,
    )
    return shipped().judge(who, operation.action, own=False, at=NOON).allowed


class Everybody(BrowserDoor):
    """A door behind which anybody may do anything."""

    async def admit(self, request: Any) -> Caller:
        caller = await super().admit(request)
        policy = compiled('@id("all") permit (principal, action, resource);', number=1)
        return replace(caller, policy=policy, scopes=frozenset(map(str, Scope)))


@pytest.mark.twin("CO-09")
async def test_without_the_rules_whoever_is_signed_in_would_administer(tmp_path: Path) -> None:
    async with populated(
        tmp_path, make_app=lambda services: application(services, browsing=Everybody)
    ) as house:
        page = await console(house, "user")
        assert not any([await refused(page, each) for each in ruled(house)[:20]])
        given = await page.ask("POST", "/roles/admin/grant", {"user": house["user"].id})
        assert given.json()["roles"] == ["admin"]
