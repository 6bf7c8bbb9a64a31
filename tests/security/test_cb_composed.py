"""CB: a yes is to these bytes, of this person, under this policy and definition, once; nothing else runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.identity.tool_service import Seen
from remit.kernel.canonical import parse_object
from remit.kernel.ids import ApprovalId, PrincipalId, TenantId
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.containment.kill import TargetKind
from support.blindness import VeiledWork
from support.clients import Called, Party
from support.composed import business_tools, populated
from support.house import REFUND, House

NEVER = '@id("never") forbid (principal, action == Remit::Action::"business/refunds.create", resource);'


class Desk:
    """support-bot in a support task, and its calls that wait for a person."""

    def __init__(self, house: House, bot: Party, token: str, envelope: str) -> None:
        self.house, self.bot, self.token, self.envelope = house, bot, token, envelope

    def refund(self, **changes: Any) -> "asyncio.Task[Called]":
        arguments = {**REFUND, **changes}
        return asyncio.create_task(
            self.house.call(self.bot, self.token, "refunds_create", arguments, envelope=self.envelope)
        )

    async def asked(self, known: frozenset[str] = frozenset()) -> Approval:
        """The newest ask that is not known yet."""
        while (found := await self.house.pending()).id in known:  # noqa: ASYNC110 — it knows no event of ours
            await asyncio.sleep(0.01)
        return found


@asynccontextmanager
async def desk_of(house: House) -> AsyncIterator[Desk]:
    started = await house.task("support-bot", purpose="support")
    bot = house["support-bot"]
    yield Desk(house, bot, await house.exchange(bot, started.envelope), started.envelope)


@pytest.mark.attack("CB-03", "CB-17")
@pytest.mark.promise("P8")
async def test_a_yes_to_one_refund_is_none_to_another(house: House) -> None:
    async with desk_of(house) as desk:
        first = desk.refund()
        ask = await desk.asked()
        others = [desk.refund(amount="480.01"), desk.refund(order_id="9001")]
        seen: dict[str, Approval] = {}
        async with asyncio.timeout(30):
            while len(seen) < 3:
                page = await house.services.approvals.page(
                    state=ApprovalState.PENDING, asked=None, after="", limit=9
                )
                seen = {each.id: each for each in page}
                await asyncio.sleep(0.01)
        assert len({each.digest for each in seen.values()}) == 3
        assert (await house.answer("lead", ask)).status_code == 200
        assert (await first).ran
        assert len(house.hits) == 1
        for ident in set(seen) - {ask.id}:
            await house.answer("lead", seen[ident], "deny")
        assert not any([(await other).ran for other in others])
        # Spent: the very same bytes again are another question.
        again = desk.refund()
        assert (await desk.asked()).id != ask.id
        again.cancel()
        assert len(house.hits) == 1


@pytest.mark.attack("CB-14")
@pytest.mark.promise("P8", "P9")
async def test_policy_that_changed_since_decides_again(house: House) -> None:
    async with desk_of(house) as desk:
        waiting = desk.refund()
        ask = await desk.asked()
        await house.policy(NEVER)
        assert (await house.answer("lead", ask)).status_code == 200
        called = await waiting
        assert not called.ran
        assert house.hits == []


@pytest.mark.attack("CB-16")
@pytest.mark.promise("P8")
async def test_a_definition_that_changed_since_is_not_what_was_approved(house: House) -> None:
    async with desk_of(house) as desk:
        waiting = desk.refund()
        ask = await desk.asked()

        def work(tx: Any) -> Any:
            server = tx.servers.named("business")
            return server.id, tx.tools.named(server.id, "refunds_create").definition

        server, definition = await house.work.read(work)
        changed = {**parse_object(definition.encode()), "description": "Pays anybody."}
        await house.services.tools.observe(
            server,
            [Seen(name="refunds_create", definition=changed)],
            by=PrincipalId(house["admin"].id),
            at=house.now(),
        )
        await house.answer("lead", ask)
        assert not (await waiting).ran
        assert house.hits == []


@pytest.mark.attack("CB-16")
@pytest.mark.promise("P8")
async def test_a_yes_to_one_pinned_tool_is_none_to_its_successor(house: House) -> None:
    """The same name, bytes and definition, pinned with another mapping: another tool hash, another ask."""
    assert house.upstream is not None
    pinned = {each.name: each for each in await business_tools(house.upstream.url)}["refunds_create"]
    assert pinned.mapping is not None
    laxer = replace(pinned, mapping=replace(pinned.mapping, immaterial=("/amount",)))
    async with desk_of(house) as desk:
        waiting = desk.refund()
        ask = await desk.asked()
        server = await house.work.read(lambda tx: tx.servers.named("business").id)
        by = PrincipalId(house["admin"].id)
        await house.services.tools.pin(server, [laxer], by=by, at=house.now())
        await house.services.ground.snapshots.catch_up()
        assert (await house.answer("lead", ask)).status_code == 200
        assert (await waiting).code == "tool_changed"
        again = desk.refund()
        other = await desk.asked(frozenset({ask.id}))
        assert other.digest != ask.digest
        assert other.arguments_digest == ask.arguments_digest
        assert house.hits == []
        assert (await house.answer("lead", other)).status_code == 200
        assert (await again).ran
        assert len(house.hits) == 1


class AnyYes:
    """The planted bug: a yes is looked up by what it is to, but not by the tool that it was given for."""

    def __init__(self, inner: Any, given: list[ApprovalId]) -> None:
        self._inner = inner
        self._given = given

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def unspent(self, tenant: TenantId, key: str, at: datetime) -> ApprovalId | None:
        found: ApprovalId | None = self._given[0] if self._given else self._inner.unspent(tenant, key, at)
        return found


@pytest.mark.twin("CB-16")
async def test_a_yes_that_is_not_bound_to_its_tool_would_run_the_successor(tmp_path: Path) -> None:
    given: list[ApprovalId] = []

    def make(ground: Ground) -> Services:
        blind = VeiledWork(ground.work, approvals=lambda tx: AnyYes(tx.approvals, given))
        return build(replace(ground, work=blind))

    async with populated(tmp_path / "data", make=make) as house, desk_of(house) as desk:
        assert house.upstream is not None
        pinned = {each.name: each for each in await business_tools(house.upstream.url)}["refunds_create"]
        assert pinned.mapping is not None
        laxer = replace(pinned, mapping=replace(pinned.mapping, immaterial=("/amount",)))
        waiting = desk.refund()
        ask = await desk.asked()
        server = await house.work.read(lambda tx: tx.servers.named("business").id)
        by = PrincipalId(house["admin"].id)
        await house.services.tools.pin(server, [laxer], by=by, at=house.now())
        await house.services.ground.snapshots.catch_up()
        assert (await house.answer("lead", ask)).status_code == 200
        assert (await waiting).code == "tool_changed"
        given.append(ask.id)
        assert (await desk.refund()).ran
        assert len(house.hits) == 1


@pytest.mark.attack("CB-06", "CB-08")
async def test_only_an_asked_persons_own_signature_is_an_answer(house: House) -> None:
    async with desk_of(house) as desk:
        waiting = desk.refund()
        ask = await desk.asked()
        assert ask.asked == (house["lead"].id,)
        path = f"/approvals/{ask.id}/answer"
        for name in ("user", "admin", "support-bot", "calendar-bot"):
            signature = house["lead"].answer(ask, "approve")
            borrowed = await house.api(house[name], "POST", path, {"signature": signature})
            own = {"signature": house[name].answer(ask, "approve")}
            sent = await house.api(house[name], "POST", path, own)
            link = await house.api(house[name], "POST", f"/approvals/{ask.id}/link")
            assert {borrowed.status_code, sent.status_code, link.status_code} <= {400, 401, 403, 404}, name
        other = await house.api(
            house["lead"], "POST", path, {"signature": house["lead"].answer(ask, "approve", digest="0" * 64)}
        )
        assert other.status_code in {400, 403}
        with_task = await house.api(house["support-bot"], "POST", path, {}, token=desk.token)
        assert with_task.status_code == 401
        assert (await house.services.approvals.get(ask.id)).state is ApprovalState.PENDING
        waiting.cancel()


@pytest.mark.attack("CB-04")
async def test_an_ask_has_one_end(house: House) -> None:
    async with desk_of(house) as desk:
        waiting = desk.refund()
        ask = await desk.asked()
        replies = await asyncio.gather(
            *(house.answer("lead", ask, answer) for answer in ("approve", "deny") * 4)
        )
        assert sorted(reply.status_code for reply in replies) == [200] + [409] * 7
        final = await house.services.approvals.get(ask.id)
        called = await waiting
        assert called.ran == (final.state is ApprovalState.APPROVED)
        ends = [
            r for r in await house.log() if r.approval == ask.id and r.kind.endswith(("approved", "denied"))
        ]
        assert len(ends) == 1
        second = desk.refund(amount="300.00")
        ask = await desk.asked(frozenset({ask.id}))
        await house.kill(TargetKind.AGENT, "support-bot")
        assert not (await second).ran
        assert (await house.answer("lead", ask)).status_code == 409
        assert (await house.services.approvals.get(ask.id)).state is ApprovalState.CANCELLED
