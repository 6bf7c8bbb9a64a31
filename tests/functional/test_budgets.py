"""Budgets through the doors: results settle, programs meter models, people are asked before the hard stop."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import httpx2
import msgspec
import pytest

from remit.authority.limits import Dimension, Limit
from remit.authority.rights import Caps, Ceiling
from remit.identity.metering import Meter, MeterMapping
from remit.identity.tool_service import Definition
from remit.kernel.canonical import parse_object
from remit.kernel.ids import PrincipalId, UserId
from remit.platform.settings.operator import OperatorKey, write_operator
from remit.surface.web.schemas.tools import MeterBody
from remit_sdk.authority import HandedOver
from remit_sdk.errors import Denied
from remit_sdk.identity import Identity
from remit_sdk.keys import read_key
from remit_sdk.runtime import KeyFile
from remit_sdk.session import Session
from support.carried import BOOK, Scene, account
from support.company import BOT, Run, consent, documents, furnish, started
from support.house import House, right

TOOL: Final = "documents_read"


async def metered(house: House, *meters: MeterMapping, tool_name: str = TOOL) -> House:
    """Documents to read, by a tool that says what it uses."""
    await furnish(house)
    (server,) = [each for each in await house.services.tools.servers() if each.name == "business"]
    (tool,) = [each for each in await house.services.tools.tools(server.id) if each.name == tool_name]
    assert tool.mapping is not None
    pinned = Definition(
        name=tool_name,
        definition=parse_object(tool.definition.encode()),
        mapping=replace(tool.mapping, meters=meters),
        consequential=tool.consequential,
        reversible=tool.reversible,
    )
    await house.services.tools.pin(server.id, [pinned], by=PrincipalId(house["admin"].id), at=house.now())
    await house.services.ground.snapshots.catch_up()
    return house


def limited(house: House, *limits: Limit) -> Ceiling:
    return replace(documents(house), caps=Caps(limits=limits))


def limit(of: Dimension, most: int | None, ask_above: int | None = None) -> Limit:
    return Limit(of=of, most=most, ask_above=ask_above)


async def budget(run: Run) -> dict[tuple[str, str], int]:
    answer = await run.house.api(run.house["user"], "GET", f"/tasks/{run.id}/budget")
    assert answer.status_code == 200, answer.text
    return {(each["factor"], each["of"]): each["used"] for each in answer.json()}


async def use(run: Run, path: str = "", /, who: str = BOT, **body: Any) -> httpx2.Response:
    return await run.house.api(run.house[who], "POST", f"/tasks/{run.id}/usage{path}", body)


@pytest.mark.req("N27", "R150")
async def test_a_result_says_what_was_used_and_nonsense_says_nothing(house: House) -> None:
    tags = MeterMapping(meter=Meter.ROWS, estimate=50, result="/tags")
    text = MeterMapping(meter=Meter.TOKENS, estimate=500, result="/text")
    size = MeterMapping(meter=Meter.BYTES, estimate=4096, measured=True)
    home = await metered(house, tags, text, size)
    caps = [limit(Dimension.ROWS, 55), limit(Dimension.TOKENS, 1200), limit(Dimension.BYTES, 1 << 20)]
    await consent(home, "user", limited(home, *caps))
    run = await started(home)
    answer = await run.read("D-2")
    assert answer.ran, answer.body
    (record,) = await home.records("enforcement.call.finished")
    told = dict(record.detail)
    counted = len(answer.result["structuredContent"]["tags"])
    assert told["used rows"] == f"{counted} of 50 reserved"
    assert told["used tokens"] == "untold, 500 reserved"
    left = await budget(run)
    assert (left["user", "rows"], left["user", "tokens"]) == (counted, 500)
    assert 100 < left["user", "bytes"] < 4096
    # What ran over or was not told counts: the second is the last that the tokens allow.
    assert (await run.read("D-2")).ran
    refused = await run.read("D-2")
    assert refused.code == "usage_exhausted"
    assert "500 tokens of models are more than the 200 left to the user of 1200" in str(refused.denial)
    again = await started(home)
    assert (await again.read("D-2")).code == "usage_exhausted", "a new task has the same consent"


@pytest.mark.req("N27", "R36")
async def test_the_second_persons_budget_is_charged_and_asks_nobody(house: House) -> None:
    rows = MeterMapping(meter=Meter.ROWS, estimate=3)
    home = await metered(house, rows)
    await consent(home, "user", limited(home, limit(Dimension.ROWS, 100)))
    await consent(home, "bea", limited(home, limit(Dimension.ROWS, 100, 5)))
    run = await started(home, "bea@company.com")
    assert (await run.read("D-2")).ran
    used = await budget(run)
    assert (used["user", "rows"], used["with bea@company.com", "rows"]) == (3, 3)
    refused = await run.read("D-2")
    assert (refused.code, refused.denial["nearest_miss"][0]["then"]) == ("budget_companion", "never")


@pytest.mark.req("N27")
async def test_the_person_is_asked_on_a_card_that_says_what_is_left(house: House) -> None:
    home = await metered(house, MeterMapping(meter=Meter.ROWS, estimate=4))
    await consent(home, "user", limited(home, limit(Dimension.ROWS, 10, 5)))
    run = await started(home)
    assert (await run.read("D-2")).ran
    waiting = asyncio.create_task(run.read("D-2"))
    approval = await home.pending()
    assert "has used 4 rows per day, 6 of 10 left; with the 4 of this call it passes 5" in approval.reason
    assert (await home.answer("user", approval)).status_code == 200
    assert (await waiting).ran
    assert (await budget(run))["user", "rows"] == 8
    over = await run.read("D-2")
    assert over.code == "usage_exhausted", "no yes passes the cap"


@pytest.mark.req("N27", "R150")
async def test_a_program_meters_models_itself(house: House) -> None:
    home = await metered(house)
    await consent(home, "user", limited(home, limit(Dimension.TOKENS, 1000)))
    run = await started(home)
    held = (await use(run, key="call-1", reserve={"tokens": 600})).json()
    assert held["effect"] == "permit", held
    # The same key holds them once; another amount is another matter.
    assert (await use(run, key="call-1", reserve={"tokens": 600})).json()["decision"] == held["decision"]
    other = await use(run, key="call-1", reserve={"tokens": 601})
    assert (other.status_code, other.json()["code"]) == (409, "usage_key_reused")
    refused = (await use(run, key="call-2", reserve={"tokens": 600})).json()
    assert (refused["effect"], refused["denial"]["code"]) == ("deny", "usage_exhausted")
    assert refused["denial"]["nearest_miss"][0]["at_most"] == "400"
    settled = await use(run, "/call-1/outcome", used={"tokens": 150})
    assert settled.status_code == 200, settled.text
    twice = await use(run, "/call-1/outcome", used={"tokens": 0})
    assert (twice.status_code, twice.json()["code"]) == (409, "usage_told")
    # Refused before, possible now, under the same key.
    assert (await use(run, key="call-2", reserve={"tokens": 600})).json()["effect"] == "permit"
    assert (await budget(run))["user", "tokens"] == 750
    (record,) = await home.records("decision.usage.settled")
    assert (dict(record.detail), record.task) == ({"used tokens": "150"}, run.id)
    why = (await home.api(home["user"], "GET", f"/decisions/{held['decision']}")).json()
    assert [each["stage"] for each in why["stages"]][:2] == ["alive", "authority"]


@pytest.mark.req("N27", "R150")
async def test_64_programs_at_once_stop_at_the_limit_and_one_key_holds_once(house: House) -> None:
    home = await metered(house)
    await consent(home, "user", limited(home, limit(Dimension.TOKENS, 1000)))
    run = await started(home)
    token = await home.own_token(home[BOT])

    async def one(key: str) -> str:
        answer = await home.api(
            home[BOT],
            "POST",
            f"/tasks/{run.id}/usage",
            {"key": key, "reserve": {"tokens": 100}},
            token=token,
        )
        return str(answer.json()["effect"])

    same = await asyncio.gather(*(one("same") for _ in range(8)))
    assert set(same) == {"permit"}
    assert (await budget(run))["user", "tokens"] == 100
    told = await asyncio.gather(*(one(f"key-{number}") for number in range(64)))
    assert told.count("permit") == 9
    assert (await budget(run))["user", "tokens"] == 1000


@pytest.mark.req("N27")
async def test_a_task_starts_with_limits_of_its_own_within_the_consent(house: House) -> None:
    home = await metered(house, MeterMapping(meter=Meter.ROWS, estimate=4))
    await consent(home, "user", limited(home, limit(Dimension.ROWS, 100)))
    run = await started(home, limits=[{"of": "rows", "most": 7}, {"of": "calls", "most": 5}])
    (kept,) = [each for each in run.answer["task"]["ceiling"]["limits"] if each["of"] == "rows"]
    assert kept["most"] == 7
    assert (await run.read("D-2")).ran
    refused = await run.read("D-2")
    assert (refused.code, refused.denial["nearest_miss"][0]["then"]) == ("usage_exhausted", "never")
    used = await budget(run)
    assert (used["task", "rows"], used["user", "rows"], used["task", "calls"]) == (4, 4, 1)
    bad = await home.api(home["user"], "POST", "/tasks", {**ASKED, "limits": [{"of": "rows", "most": -1}]})
    assert bad.status_code == 400


ASKED: Final = {"agent": BOT, "goal": "g", "purpose": "research", "deadline": "2030-01-01T00:00:00Z"}


@pytest.mark.req("N27")
async def test_usage_is_the_agents_own_and_ends_with_the_task(house: House) -> None:
    home = await metered(house)
    await consent(home, "user", limited(home, limit(Dimension.TOKENS, 1000, 500)))
    run = await started(home)
    for who in ("mail-bot", "user", "bea"):
        answer = await use(run, who=who, key="call-1", reserve={"tokens": 1})
        assert (answer.status_code in {403, 404}, who) == (True, who)
    nothing = await use(run, "/call-9/outcome", used={"tokens": 1})
    assert (nothing.status_code, nothing.json()["code"]) == (404, "usage_unknown")
    for bad in ({"tokens": -1}, {"tokens": 10**30}, {"tokens": "7"}, {"cows": 1}, {"tokens": 1.5}):
        assert (await use(run, key="call-1", reserve=bad)).status_code == 400, bad
    # Above what may be used unasked, the person is asked; the same key goes on after the yes.
    asked = (await use(run, key="call-1", reserve={"tokens": 600})).json()
    assert (asked["effect"], asked.get("approval", {}).get("state")) == ("ask", "pending"), asked
    assert (await home.answer("user", await home.pending())).status_code == 200
    assert (await use(run, key="call-1", reserve={"tokens": 600})).json()["effect"] == "permit"
    assert (await home.api(home["user"], "POST", f"/tasks/{run.id}/end")).status_code == 200
    ended = (await use(run, key="call-2", reserve={"tokens": 1})).json()
    assert (ended["effect"], ended["denial"]["code"]) == ("deny", "revoked")
    # What ran is told all the same.
    assert (await use(run, "/call-1/outcome", used={"tokens": 10})).status_code == 200


@pytest.mark.req("N27")
async def test_a_tool_server_says_what_a_carried_call_took(house: House) -> None:
    home = await metered(house, MeterMapping(meter=Meter.ROWS, estimate=9), tool_name=BOOK)
    party = await account(home, "business-server", serves=f"{home.issuer}/mcp/business")
    most = replace(home.ceiling(right("business/rooms.book"), days=20), caps=Caps(limits=(ROWS,)))
    begun = await home.task(BOT, limit=most)
    scene = Scene(house=home, account=party, token=await home.exchange(home[BOT], begun.envelope))
    capability = await scene.given()
    refused = (await scene.give()).json()
    assert (refused["effect"], refused["denial"]["code"]) == ("deny", "usage_exhausted")
    ident = (await scene.use(capability)).json()["capability"]
    ending = {"outcome": "done", "used": {"rows": 2, "tokens": 77}}
    ended = await home.api(party, "POST", f"/capabilities/{ident}/outcome", ending)
    assert ended.status_code == 200, ended.text
    run = Run(house=home, answer={"task": {"id": begun.task.id}, "envelope": begun.envelope})
    assert (await budget(run))["task", "rows"] == 2
    assert (await scene.give()).json()["effect"] == "permit", "what was not used is there again"


ROWS: Final = Limit(of=Dimension.ROWS, most=12)
GUIDE: Final = Path(__file__).parents[2] / "docs" / "guides" / "budgets.md"


def told_in(kind: str) -> list[str]:
    """The blocks of one language in the guide."""
    return re.findall(rf"^```{kind}\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.req("N27", "R150")
async def test_the_guides_story_is_true(house: House, tmp_path: Path) -> None:
    mapping, limits = (msgspec.json.decode(block) for block in told_in("json"))
    meters = msgspec.convert(mapping["meters"], list[MeterBody])
    home = await metered(
        house, *(msgspec.convert(msgspec.to_builtins(each), MeterMapping) for each in meters)
    )
    await consent(home, "user", documents(home))
    run = await started(home, **limits)
    assert (await run.read("D-2")).ran
    waiting = asyncio.create_task(run.read("D-2"))
    approval = await home.pending()
    assert "above which a person is asked" in approval.reason
    assert (await home.answer("user", approval)).status_code == 200
    assert (await waiting).ran
    # The program that meters a model itself: the guide's own lines.
    identity = Identity(home.issuer, KeyFile(read_key(key_file(home, tmp_path))))
    session = Session(identity, HandedOver(identity, run.envelope), server="business", envelope=run.envelope)
    asked: list[str] = []

    def model(prompt: str) -> SimpleNamespace:
        asked.append(prompt)
        return SimpleNamespace(total_tokens=1480)

    (block,) = told_in("python")
    await asyncio.to_thread(exec, block, {"session": session, "model": model})
    assert asked == ["compare the notes"]
    assert (await budget(run))["task", "tokens"] == 1480

    def greedy() -> None:
        with session.using(tokens=9000):
            raise AssertionError("nothing is held")

    with pytest.raises(Denied) as refused:
        await asyncio.to_thread(greedy)
    assert refused.value.code == "usage_exhausted"


def key_file(home: House, folder: Path) -> Path:
    """The instance's own key, as `remit agent new` writes it."""
    bot, path = home[BOT], folder / "bot.key"
    key = OperatorKey(user=UserId(bot.id), kid=bot.kid, algorithm="Ed25519", private=bot.key.export())
    write_operator(path, key)
    return path
