"""What the screens of an operator ask, over the API of a whole installation, by people of each role."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.oversight.containment.kill import TargetKind
from support.everybody import everybody
from support.house import BOOKING, House, right


async def worked(house: House) -> tuple[str, str]:
    """A task in which calendar-bot books, hands on to mail-bot, and mail-bot tries what it may not."""
    started = await house.task("calendar-bot")
    bot = house["calendar-bot"]
    token = await house.exchange(bot, started.envelope)
    assert (await house.call(bot, token, "rooms_book", BOOKING)).ran
    ceiling = started.task.ceiling
    kept = replace(
        ceiling,
        rights=frozenset({right("business/mail.send"), right("business/rooms.book", "Room-1")}),
        depth=ceiling.depth - 1,
    )
    mail = house["mail-bot"]
    text = house.hop(started.envelope, ceiling, "calendar-bot", "mail-bot", task=started.task.id, wanted=kept)
    handed = await house.exchange(mail, text)
    assert not (await house.call(mail, handed, "rooms_book", BOOKING, envelope=text)).ran
    return started.task.id, text


async def get(house: House, path: str, by: str = "admin") -> Any:
    found = await house.api(house[by], "GET", path)
    assert found.status_code == 200, found.text
    return found.json()


async def test_a_graph_draws_who_asked_through_whom_and_what_was_lost(house: House) -> None:
    task, _ = await worked(house)
    drawn = await get(house, f"/tasks/{task}/graph")
    names = {each["id"]: each["name"] for each in drawn["nodes"]}
    steps = {(names[each["source"]], each["way"], names[each["target"]]): each for each in drawn["edges"]}
    assert ("user@company.com", "asks", "calendar-bot") in steps
    hop = steps[("calendar-bot", "attenuate", "mail-bot")]
    assert {each["action"] for each in hop["narrowed"]["lost"]} >= {"business/rooms.read"}
    assert [each["action"] for each in hop["narrowed"]["tightened"]] == ["business/rooms.book"]
    assert hop["narrowed"]["shorter"]
    assert not hop.get("revoked")
    assert steps[("calendar-bot", "calls", "business/rooms.book")]["effects"] == {"permit": 1}
    assert steps[("mail-bot", "calls", "business/rooms.book")]["effects"] == {"deny": 1}
    assert await seen_by(house, f"/tasks/{task}/graph") == {"admin": 200, "user": 200, "lead": 404}


async def test_a_revoked_hop_is_drawn_with_its_dead_branch(house: House) -> None:
    task, _ = await worked(house)
    before = await get(house, f"/tasks/{task}/graph")
    hop = next(each for each in before["edges"] if each["way"] == "attenuate")
    await house.kill(TargetKind.CHAIN, hop["chain"])
    after = await get(house, f"/tasks/{task}/graph")
    edges = {each["way"]: each for each in after["edges"]}
    dead = {each["name"] for each in after["nodes"] if each["dead"]}
    assert edges["attenuate"]["revoked"]
    assert dead == {"mail-bot"}


async def test_an_agents_page_counts_what_it_did_and_names_every_factor(house: House) -> None:
    await worked(house)
    did = await get(house, "/agents/calendar-bot/behaviour?days=1")
    booked = next(each for each in did["actions"] if each["action"] == "business/rooms.book")
    assert (booked["calls"], booked["permitted"]) == (1, 1)
    assert sum(sum(each["effects"].values()) for each in did["hours"]) == did["decisions"]
    stands = await get(house, "/agents/calendar-bot/standing")
    assert [each["name"].partition(" ")[0] for each in stands["factors"]] == ["agent", "blueprint"]
    book = next(each for each in stands["allowed"] if each["right"]["action"] == "business/rooms.book")
    assert book["grants"] == [each["grant"] for each in stands["consents"]]
    assert len(stands["tasks"]) == 1
    for part in ("behaviour", "standing"):
        assert await seen_by(house, f"/agents/calendar-bot/{part}") == {
            "admin": 200,
            "user": 404,
            "lead": 404,
        }


async def test_many_are_suspended_by_one_request_and_told_apart(house: House) -> None:
    body = {
        "kind": "agent",
        "deed": "suspend",
        "idents": ["calendar-bot", "no-such-bot", "mail-bot", "calendar-bot"],
        "reason": "an exercise",
    }
    done = (await house.api(house["admin"], "POST", "/inventory/deeds", body)).json()
    assert [(each["ident"], each["done"]) for each in done["outcomes"]] == [
        ("calendar-bot", True),
        ("no-such-bot", False),
        ("mail-bot", True),
    ]
    refused = done["outcomes"][1]
    assert refused["code"] == "unknown_principal"
    assert refused["next"]
    assert len(await house.records("identity.principal.suspended")) == 2
    unsaid = await house.api(house["admin"], "POST", "/inventory/deeds", {**body, "reason": ""})
    assert (unsaid.status_code, unsaid.json()["code"]) == (400, "deed_incomplete")
    foreign = (await house.api(house["user"], "POST", "/inventory/deeds", body)).json()
    assert not any(each["done"] for each in foreign["outcomes"])


async def test_a_deed_for_many_is_ruled_like_the_same_deed_for_one(house: House) -> None:
    """Rules name the deed, not the address by which it came."""
    people = await everybody(house)
    body = {"kind": "agent", "idents": ["calendar-bot", "mail-bot"], "reason": "an exercise"}

    async def done(who: str, **more: str) -> tuple[int, int]:
        found = await house.api(people[who], "POST", "/inventory/deeds", {**body, **more})
        return found.status_code, found.json().get("done", 0)

    assert await done("operator", deed="suspend") == (200, 2)
    assert await done("security", deed="resume") == (200, 0)
    assert await done("operator", deed="assign_owner", owner="user@company.com") == (200, 0)
    assert await done("audit-only", deed="resume") == (403, 0)
    only = """@id("all") permit (principal in Remit::Role::"admin", action, resource);
    @id("many") permit (principal, action in Remit::Action::"admin/inventory", resource);"""
    put = await house.api(house["admin"], "POST", "/administration", {"text": only, "over": 0})
    assert put.status_code == 201, put.text
    assert await done("operator", deed="resume") == (200, 0)
    assert await done("operator", deed="retire") == (200, 0)


async def test_the_inventory_shows_each_person_what_is_theirs(house: House) -> None:
    await worked(house)
    page = await get(house, "/inventory?kind=agent&text=calendar")
    assert [each["entry"]["name"] for each in page["items"]] == ["calendar-bot"]
    assert page["items"][0]["last_decided"]
    assert page["items"][0]["owner_name"] == "admin@company.com"
    first = await get(house, "/inventory?kind=agent&limit=1")
    second = await get(house, f"/inventory?kind=agent&limit=1&cursor={first['next']}")
    assert first["items"][0]["entry"]["id"] != second["items"][0]["entry"]["id"]
    tally = await get(house, "/inventory/tally?kind=agent")
    assert tally["total"] >= 2
    assert (await get(house, "/inventory?kind=agent", by="user"))["items"] == []
    assert (await get(house, "/inventory/tally?kind=agent", by="user"))["total"] == 0
    for cursor in ("AAAA", "WyJhIiwiYiJd"):
        wrong = await house.api(house["admin"], "GET", f"/inventory?sort=changed&cursor={cursor}")
        assert (wrong.status_code, wrong.json()["code"]) == (400, "cursor_invalid")


async def test_a_search_finds_ids_and_names_of_what_the_caller_may_see(house: House) -> None:
    task, _ = await worked(house)
    decided = next(each for each in await house.records("decision.action.decided"))
    for text, kind in (
        (task, "task"),
        (decided.decision, "decision"),
        (decided.id, "record"),
        ("calendar", "agent"),
        ("user@", "human"),
        ("rooms.b", "rule"),
    ):
        found = (await house.api(house["admin"], "GET", f"/search?q={text}")).json()
        assert [each["kind"] for each in found] == [kind], text
    # Who owns none of it and is no reader finds people alone.
    for text in (decided.id, "calendar", "rooms.b", task):
        found = (await house.api(house["lead"], "GET", f"/search?q={text}")).json()
        assert [each["kind"] for each in found] == [], text
    assert (await house.api(house["calendar-bot"], "GET", "/search?q=mail")).status_code == 403


@pytest.mark.req("R155")
async def test_the_wall_counts_as_of_now_and_raises_alarms(house: House) -> None:
    await worked(house)
    wall = await get(house, "/wall")
    counted: dict[str, int] = {}
    for each in wall["minutes"]:
        counted[each["effect"]] = counted.get(each["effect"], 0) + each["count"]
    assert counted["deny"] == 1
    assert wall["refused"] == [{"agent": house["mail-bot"].agent, "name": "mail-bot", "count": 1}]
    assert not wall["kills"]
    await house.kill(TargetKind.AGENT, house["mail-bot"].agent)
    assert [each["target"] for each in (await get(house, "/wall"))["kills"]] == ["mail-bot"]
    assert await seen_by(house, "/wall") == {"admin": 200, "user": 403, "lead": 403}


async def test_settings_are_told_without_credentials(house: House) -> None:
    told = {each["name"]: each for each in await get(house, "/settings")}
    assert (told["http.port"]["value"], told["http.port"]["chosen"]) == (str(house.port), True)
    assert told["trust_domain"]["sentence"]
    assert await seen_by(house, "/settings") == {"admin": 200, "user": 403, "lead": 403}


@pytest.mark.req("N42")
async def test_token_call_resource_and_time_lead_to_one_answer(house: House) -> None:
    """Human, agent, task, approver, decision, mode, initiative: the same from each start."""
    task, _ = await worked(house)
    decided = next(
        each
        for each in await house.records("decision.action.decided")
        if each.effect == "permit" and each.call
    )
    issued = [each for each in await house.records("authority.token.issued") if each.task == task]
    assert issued
    since = (decided.at - timedelta(milliseconds=1)).isoformat().replace("+", "%2B")
    until = (decided.at + timedelta(milliseconds=1)).isoformat().replace("+", "%2B")
    starts = (
        f"of={decided.call}",
        f"of={decided.resource}",
        f"of={task}",
        f"of={decided.decision}",
        f"since={since}&until={until}",
    )
    answers = []
    for start in starts:
        found = await get(house, f"/ledger/trace?{start}")
        answers.append(next(each for each in found["answers"] if each["decision"] == decided.decision))
    assert all(each == answers[0] for each in answers)
    assert (answers[0]["human"], answers[0]["mode"], answers[0]["initiative"]) == (
        house["user"].id,
        "interactive",
        "user",
    )
    for wrong in ("", "since=2026-01-01T00:00:00Z", f"since={until}&until={since}"):
        refused = await house.api(house["admin"], "GET", f"/ledger/trace?{wrong}")
        assert (refused.status_code, refused.json()["code"]) == (400, "trace_no_start")


async def seen_by(house: House, path: str) -> dict[str, int]:
    """How each person is answered."""
    return {
        name: (await house.api(house[name], "GET", path)).status_code for name in ("admin", "user", "lead")
    }
