"""AuthZEN Access Request and Approval, draft 1: a denial becomes a task, and a yes one evaluation."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from remit.kernel.ids import ApprovalId
from support.composed import populated
from support.house import BOOKING
from support.peps import Pep, pep_of, registered

URN = "urn:openid:authzen:access-request:error:"
ASK = '@id("asked") @approval("team:support-leads") permit (principal, action, resource);'


@dataclass
class Asking:
    """An enforcement point whose question needs a yes."""

    pep: Pep

    def question(self, **context: Any) -> dict[str, Any]:
        return self.pep.agent(arguments=BOOKING, **context)

    async def denial(self) -> dict[str, Any]:
        said = await self.pep.says(self.question())
        assert said["decision"] is False
        context: dict[str, Any] = said["context"]
        return context

    async def submit(self, told: dict[str, Any], /, **changes: Any) -> httpx2.Response:
        bound = {
            "evaluation_id": told["evaluation_id"],
            "expires_at": told["access_request"]["expires_at"],
            "reason": told["reason"],
        }
        headers = changes.pop("headers", {})
        body = {**self.question(), "denial": bound, **changes}
        return await self.pep.ask("/requests", body, **headers)

    async def task(self, path: str) -> httpx2.Response:
        return await self.pep.get(path)


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    async with populated(tmp_path / "data", chosen={"access.requests": True}) as house:
        await house.policy(ASK)
        yield Asking(pep=await pep_of(house))


@pytest.mark.spec("AuthZEN ARAP", "5", "6", "7")
@pytest.mark.req("R59")
async def test_a_denial_is_asked_about_answered_and_used_once(asking: Asking) -> None:
    house = asking.pep.house
    context = await asking.denial()
    assert context["reason"] == "approval_required"
    told = context["access_request"]
    assert told["endpoint"] == f"{house.issuer}/access/v1/requests"
    reply = await asking.submit(context)
    assert reply.status_code == 202, reply.text
    task = reply.json()["task"]
    assert task["status"] == "pending"
    path = task["status_endpoint"].removeprefix(f"{house.issuer}/access/v1")
    pending = await asking.task(path)
    assert (pending.json()["task"]["status"], pending.headers["retry-after"]) == ("pending", "5")
    assert "result" not in pending.json()
    # The same again is the same task, and still nobody has said yes.
    assert (await asking.submit(context)).json()["task"]["id"] == task["id"]
    approval = await house.services.approvals.get(ApprovalId(task["id"]))
    assert (await house.answer("lead", approval)).status_code == 200
    done = (await asking.task(path)).json()
    assert (done["task"]["status"], done["result"]["mode"]) == ("approved", "reevaluate")
    yes = done["result"]["approval"]
    # Without the reference, and with another one, nothing is lifted; nor for other arguments.
    assert (await asking.pep.says(asking.question()))["decision"] is False
    assert (await asking.pep.says(asking.question(approval={"id": "apr_other"})))["decision"] is False
    other = asking.pep.agent(arguments={**BOOKING, "title": "Other"}, approval=yes)
    assert (await asking.pep.says(other))["decision"] is False
    # Members in another order are the same arguments.
    turned = asking.pep.agent(arguments=dict(reversed(BOOKING.items())), approval=yes)
    allowed = await asking.pep.says(turned)
    assert allowed["decision"] is True
    assert (await asking.pep.says(asking.question(approval=yes)))["decision"] is False
    spent = await house.services.approvals.get(ApprovalId(task["id"]))
    assert spent.spent_by is not None


@pytest.mark.spec("AuthZEN ARAP", "6.1", "6.3")
async def test_a_request_is_bound_to_its_denial(asking: Asking) -> None:
    context = await asking.denial()
    late = datetime.now(UTC) + timedelta(hours=1)
    bound = {"evaluation_id": context["evaluation_id"], "expires_at": context["access_request"]["expires_at"]}

    async def refused(status: int, name: str, **changes: Any) -> None:
        reply = await asking.submit(context, **changes)
        assert (reply.status_code, reply.json()["type"]) == (status, URN + name), reply.text
        assert reply.headers["content-type"].startswith("application/problem+json")

    await refused(400, "invalid_denial_binding", denial={**bound, "evaluation_id": "dec_none"})
    await refused(400, "invalid_denial_binding", denial={**bound, "expires_at": late.isoformat()})
    await refused(400, "invalid_denial_binding", resource={"type": "Room", "id": "Room-402"})
    await refused(
        400,
        "invalid_denial_binding",
        context={"task": asking.pep.started.task.id, "arguments": {"room": "x"}},
    )
    other = await registered(asking.pep.house, "second-gateway", roles="pep")
    mine, asking.pep.party = asking.pep.party, other
    token, asking.pep.token = asking.pep.token, await asking.pep.house.own_token(other)
    await refused(400, "invalid_denial_binding")
    asking.pep.party, asking.pep.token = mine, token
    key = {"Idempotency-Key": "once-and-only-once-1"}
    first = await asking.submit(context, headers=key)
    again = await asking.submit(context, headers=key)
    assert first.content == again.content
    reused = await asking.submit(context, headers=key, requested_access={"emergency": True})
    assert (reused.status_code, reused.json()["type"]) == (409, URN + "duplicate_request")
    gone = await asking.task("/requests/apr_none")
    assert (gone.status_code, gone.json()["type"]) == (404, URN + "unknown_task")
    asking.pep.party, asking.pep.token = other, await asking.pep.house.own_token(other)
    foreign = await asking.task("/requests/" + first.json()["task"]["id"])
    assert foreign.status_code == 404
    asking.pep.party, asking.pep.token = mine, token


@pytest.mark.spec("AuthZEN ARAP", "5")
async def test_a_plain_no_is_not_requestable_and_a_persons_no_stays(asking: Asking) -> None:
    house = asking.pep.house
    context = await asking.denial()
    task = (await asking.submit(context)).json()["task"]["id"]
    approval = await house.services.approvals.get(ApprovalId(task))
    assert (await house.answer("lead", approval, "deny")).status_code == 200
    assert (await asking.task(f"/requests/{task}")).json()["task"]["status"] == "denied"
    final = await asking.denial()
    assert final["reason"] == "approval_denied"
    assert "access_request" not in final
    reply = await asking.submit({**final, "access_request": context["access_request"]})
    assert reply.json()["type"] == URN + "not_requestable"


async def test_it_is_off_unless_the_operator_wants_it(tmp_path: Path) -> None:
    async with populated(tmp_path / "data") as house:
        await house.policy(ASK)
        pep = await pep_of(house)
        said = await pep.says(pep.agent(arguments=BOOKING))
        assert "access_request" not in said["context"]
        assert (await pep.ask("/requests", {})).status_code == 404
        metadata = (await house.http.get(f"{house.issuer}/.well-known/authzen-configuration")).json()
        assert "access_request_endpoint" not in metadata
