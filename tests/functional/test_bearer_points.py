"""Enforcement points whose tokens are bound to no key: nothing to burn, so no unit of work at the door."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from remit.kernel.ids import PrincipalId
from support.composed import populated
from support.house import ASSERTION
from support.peps import Pep, registered

RULES = '@id("rooms") permit (principal, action, resource == Remit::Room::"Room-401");'


@pytest_asyncio.fixture
async def pep(tmp_path: Path) -> AsyncIterator[Pep]:
    async with populated(tmp_path / "data") as house:
        await house.policy(RULES)
        party = await registered(house, "plain-gateway", roles="pep", bearer=True)
        form = {
            "grant_type": "client_credentials",
            "resource": f"{house.issuer}/api",
            "client_assertion_type": ASSERTION,
            "client_assertion": party.assertion(),
        }
        reply = await house.http.post(f"{house.issuer}/token", data=form)
        assert reply.status_code == 200, reply.text
        token = str(reply.json()["access_token"])
        yield Pep(house=house, party=party, token=token, started=await house.task("calendar-bot"))


async def ask(pep: Pep, path: str, body: Any) -> httpx2.Response:
    lines = {"Authorization": f"Bearer {pep.token}", "Content-Type": "application/json"}
    url = f"{pep.house.issuer}/access/v1{path}"
    return await pep.house.http.request("POST", url, content=json.dumps(body).encode(), headers=lines)


@pytest.mark.req("R59")
async def test_one_question_and_a_batch_are_one_commit_each(pep: Pep) -> None:
    store = pep.house.services.ground.store
    before = store.commits
    assert (await ask(pep, "/evaluation", pep.agent())).json()["decision"] is True
    assert store.commits == before + 1
    several = {"evaluations": [pep.agent(), pep.agent(ident="Cellar"), pep.agent()]}
    found = (await ask(pep, "/evaluations", several)).json()["evaluations"]
    assert [each["decision"] for each in found] == [True, False, True]
    assert store.commits == before + 2


@pytest.mark.req("R59")
async def test_who_is_suspended_is_not_let_in_by_what_was_known_of_it(pep: Pep) -> None:
    assert (await ask(pep, "/evaluation", pep.agent())).status_code == 200
    admin = PrincipalId(pep.house["admin"].id)
    await pep.house.services.identity.suspend(
        PrincipalId(pep.party.id), by=admin, because="test", at=pep.house.now()
    )
    await pep.house.services.ground.snapshots.catch_up()
    for path in ("/evaluation", "/evaluations"):
        assert (await ask(pep, path, pep.agent())).status_code == 401
