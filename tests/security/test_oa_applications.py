"""An ordinary application gets no token in a person's name: whatever it asks for, nobody is even asked."""

import pytest

from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import AuthorizingWorld, told
from support.oauth import ABSENT


@pytest.mark.attack("OA-26")
async def test_an_application_is_sent_back_without_a_question(sqlite_uow: SqlUnitOfWork) -> None:
    world = await AuthorizingWorld(sqlite_uow).populate()
    await world.application("portal")
    for resource in (ABSENT, f"{world.options.issuer}/api", f"{world.options.issuer}/mcp/business"):
        answer = told(await world.begin("portal", resource=resource))
        assert (answer["error"], answer["state"]) == ("unauthorized_client", "a state")
        assert answer["iss"] == world.options.issuer
    pushed = await world.push("portal")
    assert (pushed.status_code, pushed.json()["error"]) == (400, "unauthorized_client")
