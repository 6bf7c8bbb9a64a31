"""KS-09, KS-11, KS-12, KS-13, KS-15, KS-17, KS-18: what a kill promises besides winning races."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.app.bindings.breakglass import ALARMS
from remit.app.ground import Ground
from remit.app.jobs import subscriptions
from remit.app.services import Services, build
from remit.identity.errors import Killed
from remit.identity.lifecycle import IllegalTransition
from remit.kernel.errors import Unavailable
from remit.kernel.ids import KillId, PrincipalId
from remit.oversight.containment.kill import Kill, KillState, Target, TargetKind
from remit.oversight.containment.service import ContainmentService
from remit.oversight.notices.stating import HEARS
from support.clients import Refused
from support.composed import beside, composed, populated
from support.gateway import modern, modern_headers
from support.house import BOOKING, House
from support.pace import paced
from support.upstreams import scripted


class Broken:
    """A plane that can't confirm until it is mended."""

    name = "broken"

    def __init__(self) -> None:
        self.works = False
        self.asked = 0

    async def confirm(self, kill: Kill) -> str:
        self.asked += 1
        if not self.works:
            raise Unavailable("plane does not answer")
        return "stopped"


@pytest.mark.attack("KS-09")
@pytest.mark.promise("P1")
async def test_a_kill_is_done_only_once_every_plane_has_confirmed(tmp_path: Path) -> None:
    plane = Broken()

    def make(ground: Ground) -> Services:
        services = build(ground)
        planes = (plane, *services.containment._planes)
        containment = ContainmentService(
            work=ground.work, planes=planes, clock=ground.clock, entropy=ground.entropy
        )
        return replace(services, containment=containment)

    async with populated(tmp_path / "data", make=make) as house:
        reply = await house.api(
            house["admin"], "POST", "/kills", {"kind": "agent", "target": "calendar-bot", "reason": "test"}
        )
        assert reply.json()["state"] == "killing"
        ident = KillId(reply.json()["id"])
        # It is dead all the same: what is missing is proof, not the stop.
        with pytest.raises(Refused):
            await house.own_token(house["calendar-bot"])
        assert await house.services.containment.retry_unfinished() == 1
        found = await house.services.containment.get(ident)
        assert found.state is KillState.KILLING
        assert [report.plane for report in found.planes if not report.confirmed] == ["broken"]
        plane.works = True
        assert await house.services.containment.retry_unfinished() == 0
        assert (await house.services.containment.get(ident)).state is KillState.DONE
        assert await house.services.containment.retry_unfinished() == 0
        assert plane.asked == 3
        kinds = [record.kind for record in await house.log()]
        assert kinds.count("oversight.kill.committed") == 1
        assert kinds.count("oversight.kill.completed") == 1


@pytest.mark.attack("KS-09")
@pytest.mark.promise("P1")
async def test_a_plane_that_fails_in_any_way_holds_up_neither_the_others_nor_other_kills(
    tmp_path: Path,
) -> None:
    class Crashing(Broken):
        async def confirm(self, kill: Kill) -> str:
            self.asked += 1
            if kill.target.name == "calendar-bot":
                raise ZeroDivisionError("a bug of the plane")
            return await super().confirm(kill)

    plane = Crashing()
    async with populated(tmp_path / "data") as house:
        ground = house.services.ground
        containment = ContainmentService(
            work=ground.work,
            planes=(plane, *house.services.containment._planes),
            clock=ground.clock,
            entropy=ground.entropy,
        )
        kills = [
            await containment.kill(
                Target(kind=TargetKind.AGENT, ident=name, name=""),
                tenant=ground.tenant,
                by=house["admin"].principal.id,
                reason="test",
            )
            for name in ("calendar-bot", "mail-bot")
        ]
        for kill in kills:
            assert kill.state is KillState.KILLING
            assert [each.plane for each in kill.planes if not each.confirmed] == ["broken"]
        assert "ZeroDivisionError" in kills[0].planes[0].detail
        assert "a bug" not in kills[0].planes[0].detail
        plane.works = True
        assert await containment.retry_unfinished() == 1
        states = [(await containment.get(kill.id)).state for kill in kills]
        assert states == [KillState.KILLING, KillState.DONE]


@pytest.mark.attack("KS-11")
@pytest.mark.promise("P12")
async def test_nothing_killed_comes_back_by_name_envelope_or_restart(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with populated(folder) as house:
        port = house.port
        started = await house.task("calendar-bot")
        old = house["calendar-bot"]
        token = await house.exchange(old, started.envelope)
        handed = house.chained(started, "calendar-bot", "mail-bot")
        await house.kill(TargetKind.AGENT, "calendar-bot")
        admin = PrincipalId(house["admin"].id)
        # By the registry: no state of it leads back to life by one person's word.
        with pytest.raises(IllegalTransition):
            await house.services.identity.activate(PrincipalId(old.agent), by=admin, at=house.now())
        # By a name that is free again: another id, which inherits nothing.
        await house.services.identity.retire(
            PrincipalId(old.agent), by=admin, because="killed", at=house.now()
        )
        new = await house.agent("calendar-bot", blueprint=await house.blueprint("office-2"))
        assert new.agent != old.agent
        with pytest.raises(Refused):
            await house.exchange(new, started.envelope)
        with pytest.raises(Refused):
            await house.exchange(house["mail-bot"], handed)
        with pytest.raises(Refused):
            await house.own_token(old)
        parties = house.parties
    async with composed(folder, port=port) as house:
        house.parties |= {
            name: replace(party, issuer=house.issuer, now=house.now) for name, party in parties.items()
        }
        house.parties["old"] = replace(old, issuer=house.issuer, now=house.now)
        with pytest.raises(Refused):
            await house.own_token(house["old"])
        with pytest.raises(Refused):
            await house.exchange(house["mail-bot"], handed)
        called = await house.call(house["old"], token, "rooms_book", BOOKING, envelope=started.envelope)
        assert called.status == 401
        assert await house.own_token(house["calendar-bot"])


@pytest.mark.attack("KS-11")
async def test_resuming_what_was_killed_revives_nothing(house: House) -> None:
    started = await house.task("calendar-bot")
    bot = house["calendar-bot"]
    token = await house.exchange(bot, started.envelope)
    await house.kill(TargetKind.AGENT, "calendar-bot")
    for ident in (PrincipalId(bot.agent), PrincipalId(bot.id)):
        with pytest.raises(Killed):
            await house.services.identity.resume(ident, by=PrincipalId(house["admin"].id), at=house.now())
    with pytest.raises(Refused):
        await house.own_token(bot)
    assert (await house.call(bot, token, "rooms_book", BOOKING, envelope=started.envelope)).status == 401


# -- what is open, and what is under way


async def office(house: House) -> PrincipalId:
    entry = await house.services.identity.get(PrincipalId(house["calendar-bot"].agent))
    assert entry.blueprint is not None
    return PrincipalId(entry.blueprint)


@pytest.mark.attack("KS-13", "KS-12")
@pytest.mark.promise("P1")
async def test_a_call_under_way_is_listed_cut_and_of_unknown_outcome(house: House) -> None:
    arrived = asyncio.Event()

    async def hang(receive: Any, send: Any, message: dict[str, Any]) -> None:
        arrived.set()
        await asyncio.sleep(120)

    async with scripted(on_call=hang) as upstream:
        await beside(house, upstream)
        started = await house.task("calendar-bot")
        bot = house["calendar-bot"]
        token = await house.exchange(bot, started.envelope, server="slow")
        calling = asyncio.create_task(
            house.call(bot, token, "act", {"item": "x"}, envelope=started.envelope, server="slow")
        )
        async with asyncio.timeout(30):
            await arrived.wait()
        done = await house.kill(TargetKind.AGENT, "calendar-bot")
        assert len(done.in_flight) == 1
        async with paced() as pace:
            called = await calling
        assert pace.seconds < 2
        assert called.status == 401
        finished = (await house.records("enforcement.call.finished"))[-1]
        assert finished.effect == "unknown"
        assert finished.call == done.in_flight[0]
        assert len(upstream.calls) == 1


@pytest.mark.attack("KS-12")
@pytest.mark.promise("P1")
@pytest.mark.parametrize("kind", [TargetKind.AGENT, TargetKind.TASK, TargetKind.USER, TargetKind.BLUEPRINT])
async def test_an_open_stream_is_cut_within_two_seconds(house: House, kind: TargetKind) -> None:
    async with scripted() as upstream:
        await beside(house, upstream)
        started = await house.task("calendar-bot")
        bot = house["calendar-bot"]
        token = await house.exchange(bot, started.envelope, server="slow")
        url = f"{house.issuer}/mcp/slow"
        headers = {
            **modern_headers("subscriptions/listen"),
            "Authorization": f"DPoP {token}",
            "DPoP": bot.proof("POST", url, token),
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "Remit-Envelope": started.envelope,
        }
        body = json.dumps(modern("subscriptions/listen", {"notifications": {"toolsListChanged": True}}))
        async with house.http.stream("POST", url, content=body.encode(), headers=headers) as reply:
            assert reply.status_code == 200, await reply.aread()
            assert reply.headers["content-type"].startswith("text/event-stream"), await reply.aread()
            lines = reply.aiter_lines()
            assert await anext(lines) is not None
            idents = {
                TargetKind.AGENT: "calendar-bot",
                TargetKind.TASK: started.task.id,
                TargetKind.USER: house["user"].id,
                TargetKind.BLUEPRINT: await office(house),
            }
            await house.kill(kind, idents[kind])
            async with paced() as pace, asyncio.timeout(30):
                async for _ in lines:
                    pass
            assert pace.seconds < 2


# -- who may, and what events may do


@pytest.mark.attack("KS-15")
@pytest.mark.promise("P11")
async def test_who_may_not_kill_kills_nothing(house: House) -> None:
    aim = {"kind": "agent", "target": "mail-bot", "reason": "mischief"}
    for name in ("user", "lead", "calendar-bot"):
        reply = await house.api(house[name], "POST", "/kills", aim)
        assert reply.status_code == 403, name
        reply = await house.api(house[name], "POST", "/kills/preview", aim)
        assert reply.status_code == 403, name
        assert (await house.api(house[name], "GET", "/kills")).status_code == 403
    bare = await house.http.post(f"{house.issuer}/api/v1/kills", json=aim)
    assert bare.status_code == 401
    # A page of another site has no proof of possession to send along (CSRF).
    form = await house.http.post(
        f"{house.issuer}/api/v1/kills", content=json.dumps(aim), headers={"Content-Type": "text/plain"}
    )
    assert form.status_code in {401, 415}
    assert await house.own_token(house["mail-bot"])
    assert await house.records("oversight.kill.committed") == []


@pytest.mark.attack("KS-17")
async def test_what_verifies_offline_lives_no_longer_than_ninety_seconds(house: House) -> None:
    started = await house.task("calendar-bot")
    token = await house.exchange(house["calendar-bot"], started.envelope)
    await house.call(house["calendar-bot"], token, "rooms_book", BOOKING, envelope=started.envelope)

    def work(tx: Any) -> Any:
        (call,) = [record.call for record in decided if record.capability]
        return tx.capabilities.get(tx.capabilities.by_call(call)[0])

    decided = await house.records("decision.action.decided")
    capability = await house.work.read(work)
    assert capability.expires_at - capability.issued_at <= timedelta(seconds=90)


@pytest.mark.attack("KS-18")
async def test_a_kill_twice_and_its_events_again_change_nothing(house: House) -> None:
    first = await house.kill(TargetKind.AGENT, "calendar-bot")
    second = await house.kill(TargetKind.AGENT, "calendar-bot")
    assert first.epoch < second.epoch
    assert second.state is KillState.DONE
    stones = await house.work.read(lambda tx: tx.lineage.tombstone(house["calendar-bot"].agent))
    assert stones.epoch == first.epoch
    heard = {name for subscriber in subscriptions(house.services) for name in subscriber.hears}
    # No event brings anything back to life: whoever listens takes away (suspends, disconnects, signs out).
    ends = {
        "identity.principal.retired",
        "identity.session.ended",
        "authority.grant.withdrawn",
        "oversight.kill.committed",
    }
    denied = {"oversight.agent.denied_repeatedly", "authority.agent.denied_repeatedly"}
    # A task that ended closes its cases. Alarms and messages to people only tell: they change nothing.
    assert heard == {*denied, *ends, "authority.task.ended", *ALARMS, *HEARS}
