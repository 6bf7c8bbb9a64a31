"""An ordinary application learns who a person is, and gets nothing in their name: whatever it asks for."""

import pytest

from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import AuthorizingWorld, told
from support.oauth import ABSENT


@pytest.mark.attack("OA-26")
async def test_an_application_is_sent_back_without_a_question(sqlite_uow: SqlUnitOfWork) -> None:
    world = await AuthorizingWorld(sqlite_uow).populate()
    await world.application("portal")
    for resource in (f"{world.options.issuer}/api", f"{world.options.issuer}/mcp/business"):
        answer = told(await world.begin("portal", resource=resource, scope="openid"))
        assert (answer["error"], answer["state"]) == ("invalid_target", "a state")
        assert answer["iss"] == world.options.issuer
    for scope in ("mcp", "remit.act", "openid mcp", "openid remit.admin", "profile"):
        answer = told(await world.begin("portal", resource=ABSENT, scope=scope))
        assert answer["error"] == "invalid_scope", scope
    pushed = await world.push("portal")
    assert (pushed.status_code, pushed.json()["error"]) == (400, "invalid_target")
