"""The SDK's enforcement point at a real installation: asks, has people asked, tells afterwards (N39)."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from remit.kernel.ids import UserId
from remit.platform.settings.operator import OperatorKey, write_operator
from remit_sdk import Denied, EnforcementPoint, Grace, Journal, NotAllowed, Permit, Unreachable
from remit_sdk.identity import Identity
from remit_sdk.runtime import find
from remit_sdk.wire import Answer
from support.composed import populated
from support.house import BOOKING, House
from support.peps import Pep, pep_of

RULES = (
    '@id("reads") permit (principal, action == Remit::Action::"business/rooms.read", resource);'
    '@id("books") @approval("team:support-leads") '
    'permit (principal, action == Remit::Action::"business/rooms.book", resource);'
)
READ = {"action": "business/rooms.read", "kind": "Calendar", "ident": "rooms"}


class Cut(EnforcementPoint):
    """One that can be taken away from its decision point."""

    cut = False

    def _send(self, method: str, path: str, body: bytes | None, *, key: str = "") -> Answer:
        if self.cut:
            raise Unreachable("out of reach", code="unreachable")
        return super()._send(method, path, body, key=key)


@dataclass
class Scene:
    house: House
    pep: Pep
    point: Cut

    async def allow(self, **what: Any) -> Permit:
        return await asyncio.to_thread(self.point.allow, self.pep.agent(**what))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with populated(tmp_path / "data", chosen={"access.requests": True}) as house:
        await house.policy(RULES)
        pep = await pep_of(house)
        path = tmp_path / "pep.key"
        key = OperatorKey(
            user=UserId(pep.party.id),
            kid=pep.party.kid,
            algorithm="Ed25519",
            private=pep.party.key.export(),
        )
        write_operator(path, key)
        identity = Identity(house.issuer, find({"REMIT_KEY": str(path)}, audience=house.issuer))
        point = Cut(
            identity,
            grace=(Grace(frozenset({"business/rooms.read", "business/rooms.book"}), 60),),
            journal=Journal(tmp_path / "unasked.jsonl"),
            sleep=lambda _: None,
        )
        yield Scene(house=house, pep=pep, point=point)


@pytest.mark.req("N39")
async def test_reads_go_on_unasked_and_are_on_record_afterwards_once(scene: Scene) -> None:
    house = scene.house
    assert not (await scene.allow(**READ)).unasked
    with pytest.raises(Denied):
        await scene.allow(arguments=BOOKING)
    scene.point.cut = True
    assert (await scene.allow(**READ)).unasked
    with pytest.raises(Unreachable):
        await scene.allow(arguments=BOOKING)  # it can do harm: never, whatever was named
    assert await house.records("enforcement.call.unasked") == []
    scene.point.cut = False
    assert not (await scene.allow(**READ)).unasked
    (record,) = await house.records("enforcement.call.unasked")
    detail = dict(record.detail)
    assert (record.actor, record.action, record.effect) == (scene.pep.party.id, READ["action"], "permit")
    assert (record.agent, record.task) == (house["calendar-bot"].agent, scene.pep.started.task.id)
    assert (detail["consequential"], detail["alarm"]) == ("false", "false")
    # What was let through and should not have been is an alarm; the same batch again is recorded once.
    item = {**scene.pep.agent(arguments=BOOKING), "at": "2026-11-22T09:00:00Z", "outage_s": 5}
    for _ in range(2):
        told = await scene.pep.ask("/unasked", {"calls": [item]}, **{"Idempotency-Key": "batch-1"})
        assert (told.status_code, told.json()) == (201, {"would_be": ["ask"]})
    first, second = await house.records("enforcement.call.unasked")
    assert first.id == record.id
    assert (dict(second.detail)["consequential"], dict(second.detail)["alarm"]) == ("true", "true")
    assert (await scene.pep.ask("/unasked", {"calls": [item]})).status_code == 400  # no key


@pytest.mark.spec("AuthZEN ARAP", "7")
async def test_a_person_is_asked_polled_for_and_heard(scene: Scene) -> None:
    house, asked = scene.house, scene.pep.agent(arguments=BOOKING)
    waiting = asyncio.create_task(asyncio.to_thread(scene.point.ask, asked, patience=math.inf))
    assert (await house.answer("lead", await house.pending())).status_code == 200
    permit = await waiting
    assert permit.evaluation.startswith("dec_")
    # Its pauses take no time here, so that no number of them is too many.
    refused = asyncio.create_task(asyncio.to_thread(scene.point.ask, asked, patience=math.inf))
    assert (await house.answer("lead", await house.pending(), "deny")).status_code == 200
    with pytest.raises(NotAllowed, match="denied"):
        await refused
