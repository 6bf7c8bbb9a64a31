"""PD-28: break glass needs two persons, lifts only what it names, ends by itself, and is never silent."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from immutables import Map
from sqlalchemy import select

from remit.app.ground import Ground
from remit.app.jobs import subscriptions
from remit.app.services import Services, build
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.kernel.ids import ApprovalId, PrincipalId
from remit.oversight.containment.kill import TargetKind
from remit.platform.storage.tables import core
from support.clients import Called
from support.clock import FixedClock
from support.composed import composed, populate
from support.gateway import modern, modern_headers
from support.glass import opened, say, shown, wanted
from support.house import BOOKING, House, right
from support.visitors import Browser, browser

RULES = (
    '@id("agents") permit (principal is Remit::Agent, action, resource);'
    '@id("cellar") forbid (principal, action, resource == Remit::Room::"Cellar");'
    '@id("asked") @approval("team:support-leads") '
    'permit (principal, action == Remit::Action::"business/mail.send", resource);'
)
CELLAR = {**BOOKING, "room": "Cellar"}
_OUTBOX = select(core.outbox.c.body).order_by(core.outbox.c.position)
MORNING = datetime(2026, 11, 22, 9, tzinfo=UTC)


@dataclass
class Scene:
    """calendar-bot in its task, lead with a passkey at a browser, and a clock that stands still."""

    house: House
    one: Browser
    clock: FixedClock
    envelope: str
    task: str

    async def book(self, arguments: Any = None) -> Called:
        token = await self.house.exchange(self.house["calendar-bot"], self.envelope)
        bot = self.house["calendar-bot"]
        return await self.house.call(bot, token, "rooms_book", arguments or CELLAR, envelope=self.envelope)

    async def over(self, ident: str, because: str) -> None:
        """It lets nothing through any more, and that it is over is on record."""
        assert code(await self.book()) == "forbidden"
        await self.house.services.breakglass.end_due()
        glass = (await shown(self.house, ident))["glass"]
        assert (glass["state"], glass["because"]) == ("ended", because)
        assert (await self.house.records("oversight.breakglass.ended"))[-1].subject == ident

    async def foreseen(self, tool: str, arguments: Any, **changes: str) -> tuple[str, str]:
        """What `remit can` says."""
        body = {
            "agent": "calendar-bot",
            "task": self.task,
            "server": "business",
            "tool": tool,
            "arguments": arguments,
            **changes,
        }
        said = await self.house.api(self.house["admin"], "POST", "/decisions/explain", body)
        found = said.json()
        return str(found["effect"]), str(found["code"])

    async def listed(self) -> set[str]:
        """The tools that calendar-bot is shown."""
        bot = self.house["calendar-bot"]
        token = await self.house.exchange(bot, self.envelope)
        url = f"{self.house.issuer}/mcp/business"
        lines = {
            **modern_headers("tools/list", ""),
            "Authorization": f"DPoP {token}",
            "DPoP": bot.proof("POST", url, token),
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        reply = await self.house.http.post(url, json=modern("tools/list", {}), headers=lines)
        return {each["name"] for each in reply.json()["result"]["tools"]}

    async def open(self, **changes: Any) -> str:
        return await opened(self.house, self.one, **changes)


async def staged(folder: Path, make: Callable[[Ground], Services] = build) -> AsyncIterator[Scene]:
    clock = FixedClock(MORNING)
    async with composed(folder, make=make, make_clock=lambda _: clock) as house, browser(house) as one:
        await populate(house, check=False)
        await house.policy(RULES)
        await house.person("second@company.com", roles="approver")
        await one.enrol("lead")
        started = await house.task("calendar-bot", life=timedelta(hours=8))
        yield Scene(house=house, one=one, clock=clock, envelope=started.envelope, task=str(started.task.id))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async for each in staged(tmp_path / "data"):
        yield each


def code(said: Called) -> str:
    return str((said.denial or {}).get("code", ""))


@pytest.mark.attack("PD-28")
@pytest.mark.req("N22")
async def test_two_persons_open_it_each_call_is_on_record_and_somebody_else_reviews_it(scene: Scene) -> None:
    house = scene.house
    assert code(await scene.book()) == "forbidden"
    asked = (await wanted(house)).json()
    assert code(await scene.book()) == "forbidden"  # one person alone opens nothing
    assert (await say(house, scene.one, asked["approval"], "approve")).status_code == 303
    ident = asked["id"]
    first = await scene.book()
    assert first.ran, first
    listed = await shown(house, ident)
    assert (listed["used"], listed["glass"]["state"], listed["glass"]["second"]) == (
        1,
        "open",
        house["lead"].id,
    )
    decided = (await house.api(house["admin"], "GET", f"/decisions/{listed['uses'][0]['decision']}")).json()
    assert decided["breakglass"] == [ident]
    assert f"break glass `{ident}` lifts `forbidden` of rule `cellar`" in str(decided["stages"])
    record = (await house.records("decision.action.decided"))[-1]
    assert dict(record.detail)["breakglass"] == ident
    over = await house.api(house["second"], "POST", f"/breakglass/{ident}/end")
    assert over.json()["state"] == "ended"
    own = await house.api(
        house["admin"], "POST", f"/breakglass/{ident}/review", {"sentence": "all was well, I say"}
    )
    assert (own.status_code, own.json()["code"]) == (403, "breakglass_own_review")
    short = await house.api(house["lead"], "POST", f"/breakglass/{ident}/review", {"sentence": "ok"})
    assert short.status_code == 400
    closed = await house.api(
        house["lead"],
        "POST",
        f"/breakglass/{ident}/review",
        {"sentence": "one booking of the cellar, needed"},
    )
    assert closed.json()["state"] == "reviewed"
    kinds = [each.kind for each in await house.log() if each.kind.startswith("oversight.breakglass.")]
    assert kinds == [f"oversight.breakglass.{verb}" for verb in ("asked", "opened", "ended", "reviewed")]


@pytest.mark.attack("PD-28")
@pytest.mark.req("N22")
async def test_it_ends_by_its_cap_by_hand_with_the_clock_and_by_a_kill(scene: Scene) -> None:
    house = scene.house
    capped = await scene.open(who="second", minutes=60)
    scene.clock.advance(timedelta(minutes=59, seconds=59))
    assert (await scene.book()).ran
    scene.clock.advance(1)
    await scene.over(capped, "time")
    by_hand = await scene.open(who="second")
    await house.api(house["lead"], "POST", f"/breakglass/{by_hand}/end")
    await scene.over(by_hand, "hand")
    turned = await scene.open(who="second")
    scene.clock.advance(timedelta(minutes=20))
    scene.clock.step(timedelta(minutes=-10))
    await scene.over(turned, "time")
    asker = await scene.open(who="second")
    await house.kill(TargetKind.USER, house["second"].id)
    await scene.over(asker, "kill")
    agreed = await scene.open()
    assert (await scene.book()).ran
    await house.kill(TargetKind.USER, house["lead"].id)
    await scene.over(agreed, "kill")


@pytest.mark.attack("PD-28")
@pytest.mark.req("N22")
async def test_open_ended_unnamed_and_single_handed_ones_are_refused(scene: Scene) -> None:
    house = scene.house
    for changes, said in (
        ({"minutes": 0}, "breakglass_too_long"),
        ({"minutes": 61}, "breakglass_too_long"),
        ({"minutes": -1}, "breakglass_too_long"),
        ({"agent": ""}, "breakglass_refused"),
        ({"lifts": []}, "breakglass_refused"),
        ({"lifts": ["killed"]}, "breakglass_refused"),
        ({"lifts": ["right_missing"]}, "breakglass_refused"),
        ({"lifts": ["money_exhausted"]}, "breakglass_refused"),
        ({"reason": "help"}, "breakglass_refused"),
        ({"agent": "nobody"}, "breakglass_not_found"),
    ):
        refused = await wanted(house, **changes)
        assert refused.json()["code"] == said, (changes, refused.text)
        assert refused.json()["next"]
    assert (await wanted(house, who="user")).status_code == 403
    assert (await house.api(house["calendar-bot"], "POST", "/breakglass", {})).status_code == 403
    asked = (await wanted(house, who="lead")).json()
    # Whoever asks is not asked: of lead's two accounts neither answers.
    approval = await house.services.approvals.get(ApprovalId(asked["approval"]))
    assert approval.asked == (house["second"].id,)
    key_alone = await house.answer("second", approval)
    assert (key_alone.status_code, key_alone.json()["code"]) == (403, "passkey_needed")
    again = await wanted(house, who="lead")
    assert again.json()["code"] == "breakglass_open_already"
    assert (await house.answer("second", approval, "deny")).status_code == 200
    assert (await shown(house, asked["id"]))["glass"]["state"] == "refused"
    assert code(await scene.book()) == "forbidden"


@pytest.mark.attack("PD-28")
async def test_it_lifts_rules_and_never_rights(scene: Scene) -> None:
    """Rights, life, a person's no and what it does not name stay, whatever is open."""
    house = scene.house
    await scene.open(lifts=["forbidden"])
    assert (await scene.book()).ran
    mail = {"to": "user@company.com", "subject": "x", "body": "y"}
    assert await scene.foreseen("mail_send", mail) == ("ask", "approval_required")
    narrow = right("business/rooms.book", "Room-401")
    bot = house["calendar-bot"]
    await house.services.consent.set_ceiling(
        PrincipalId(bot.agent), house.ceiling(narrow), by=PrincipalId(house["admin"].id), at=house.now()
    )
    assert await scene.foreseen("rooms_book", CELLAR) == ("deny", "resource_outside")
    await house.kill(TargetKind.TASK, scene.task)
    assert (await scene.foreseen("rooms_book", CELLAR))[0] == "deny"


async def test_lists_and_foresight_know_of_it(scene: Scene) -> None:
    """What is decided is foreseen, on every surface alike."""
    house = scene.house
    await house.policy('@id("look") permit (principal, action in Remit::Action::"discovery", resource);')
    assert await scene.foreseen("rooms_book", BOOKING) == ("deny", "no_permit")
    assert "rooms_book" not in await scene.listed()
    await scene.open(action="business/rooms.book")
    assert await scene.foreseen("rooms_book", BOOKING) == ("permit", "glass_lifted")
    assert await scene.listed() == {"rooms_book"}
    assert (await scene.book(BOOKING)).ran
    other = await house.task("mail-bot")  # it is let through by nothing
    asked = await scene.foreseen("rooms_book", BOOKING, agent="mail-bot", task=str(other.task.id))
    assert asked == ("deny", "no_permit")


@pytest.mark.attack("PD-28")
async def test_the_alarm_is_raised_by_each_fact_and_each_call(scene: Scene) -> None:
    ident = await scene.open()
    await scene.book()
    await scene.house.api(scene.house["lead"], "POST", f"/breakglass/{ident}/end")
    raised = await scene.house.work.read(lambda tx: tx.sql.rows(_OUTBOX, {}))
    named = [json.loads(row[0])["name"] for row in raised]
    mine = [name for name in named if name.startswith("oversight.breakglass.")]
    assert mine == [f"oversight.breakglass.{verb}" for verb in ("asked", "opened", "used", "ended")]
    heard = {name for each in subscriptions(scene.house.services) for name in each.hears}
    assert {f"oversight.breakglass.{verb}" for verb in ("opened", "used", "ended")} <= heard


class Unending:
    """PD-28: the time of break glass is on paper only."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def current(self) -> Snapshot:
        return unending(self._snapshots.current())

    async def catch_up(self, at_least: int | None = None) -> Snapshot:
        return unending(await self._snapshots.catch_up(at_least))


def unending(snapshot: Snapshot) -> Snapshot:
    far = datetime(9999, 1, 1, tzinfo=UTC)
    return replace(
        snapshot, glasses=Map({key: replace(each, until=far) for key, each in snapshot.glasses.items()})
    )


def planted(ground: Ground) -> Services:
    services = build(ground)
    services.decisions._snapshots = Unending(ground.snapshots)
    return services


@pytest.mark.twin("PD-28")
async def test_without_its_end_it_would_let_through_for_ever(tmp_path: Path) -> None:
    async for scene in staged(tmp_path / "data", planted):
        await scene.open()
        scene.clock.advance(timedelta(hours=2))
        assert (await scene.book()).ran
