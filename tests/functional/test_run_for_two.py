"""A run for two people: what comes of it is limited to what both may see (R36)."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.authority.company import Companionship
from remit.authority.options import AuthorityOptions
from remit.authority.repository import AuthorityTransaction
from remit.authority.task_service import StartTask, TaskService
from remit.kernel.ids import GrantId, PrincipalId, UserId
from remit.oversight.containment.kill import TargetKind
from support.clients import Refused
from support.company import BOT, ask, consent, documents, furnish, started
from support.composed import populated
from support.governed import BOOKING, LEAD, USER, Task, governed, rooms
from support.house import House
from support.oauth import claims_in
from support.visitors import browser

BEA = "bea@company.com"


async def two(house: House) -> House:
    """One reads D-1 and D-2, Bea D-2 and D-3."""
    await furnish(house)
    await consent(house, "user", documents(house, "D-1", "D-2"))
    await consent(house, "bea", documents(house, "D-2", "D-3"))
    return house


@pytest.fixture
async def home(house: House) -> House:
    return await two(house)


@pytest.mark.req("R36")
@pytest.mark.promise("P6")
async def test_a_run_for_two_reads_only_what_both_may_read(home: House) -> None:
    run = await started(home, BEA)
    bea = home["bea"].id
    assert [each["user"] for each in run.answer["task"]["with"]] == [bea]
    assert [each["name"] for each in run.answer["factors"]][:3] == ["user", f"with {BEA}", "task"]
    (left,) = run.answer["effective"]["rights"]
    assert left["resources"] == ["D-2"]
    both = await run.read("D-2")
    assert both.ran, both.body
    for document, factor in (("D-1", f"with {BEA}"), ("D-3", "user")):
        refused = await run.read(document)
        assert (refused.code, factor in str(refused.denial)) == ("resource_outside", True)
    token = claims_in(await run.token())
    assert token["dev.remit"]["with"] == [bea]
    assert claims_in(run.envelope)["dev.remit"] == {"with": [bea]}
    (record,) = await home.records("authority.task.started")
    assert dict(record.detail)["with"] == bea
    permitted = next(
        each for each in await home.records("decision.action.decided") if each.effect == "permit"
    )
    assert dict(permitted.detail)["with"] == bea
    told = (await home.api(home["bea"], "GET", f"/decisions/{permitted.decision}")).json()
    assert told["with"] == [BEA]
    assert "acting on behalf of user@company.com and bea@company.com" in told["told"]


class Forgetful(TaskService):
    """Hears who else the run is for, and forgets them."""

    def _company(self, _tx: AuthorityTransaction, _wanted: StartTask) -> tuple[Companionship, ...]:
        return ()


def forgetting(ground: Ground) -> Services:
    tasks = Forgetful(
        uow=ground.work,
        keys=ground.keys,
        options=AuthorityOptions(issuer=ground.issuer, trust_domain=ground.settings.trust_domain),
        entropy=ground.entropy,
        tenant=ground.tenant,
    )
    return replace(build(ground), tasks=tasks)


@pytest.mark.twin("P6")
async def test_without_the_second_person_the_run_shows_them_what_they_may_not_see(tmp_path: Path) -> None:
    async with populated(tmp_path / "data", make=forgetting) as forgetful:
        home = await two(forgetful)
        run = await started(home, BEA)
        assert (await run.read("D-1")).ran


@pytest.mark.req("R36", "R29")
async def test_what_the_second_person_takes_back_ends_the_run(home: House) -> None:
    run = await started(home, BEA)
    token = await run.token()
    grant = run.answer["task"]["with"][0]["grant"]
    bea, mine = home["bea"], f"/tasks/{run.id}"
    assert (await home.api(bea, "GET", mine)).json()["id"] == run.id
    assert run.id in (await home.api(bea, "GET", "/tasks")).text
    assert (await home.introspect(home[BOT], token))["dev.remit"] == {"with": [bea.id]}
    assert (await home.api(home["lead"], "GET", mine)).status_code == 404
    await home.services.consent.withdraw(GrantId(grant), by=PrincipalId(bea.id), at=home.now())
    assert (await run.read("D-2", token=token)).status == 401
    assert (await home.introspect(home[BOT], token)) == {"active": False}
    with pytest.raises(Refused):
        await run.token()
    assert (await home.api(home["user"], "GET", mine)).json()["state"] == "ended"


@pytest.mark.req("R36")
@pytest.mark.parametrize("how", ["suspended", "killed", "ended by her"])
async def test_the_run_ends_with_either_person(home: House, how: str) -> None:
    run = await started(home, BEA)
    token, bea = await run.token(), home["bea"]
    assert (await run.read("D-2", token=token)).ran
    if how == "suspended":
        await home.services.identity.suspend(
            PrincipalId(bea.id), by=PrincipalId(home["admin"].id), because="leave", at=home.now()
        )
    elif how == "killed":
        killed = await home.kill(TargetKind.USER, bea.id)
        assert run.id in killed.reach.tasks
    else:
        assert (await home.api(bea, "POST", f"/tasks/{run.id}/end")).status_code == 200
    assert (await run.read("D-2", token=token)).status == 401
    with pytest.raises(Refused):
        await run.token()


@pytest.mark.req("R36")
async def test_nobody_is_taken_along_on_somebody_elses_word(home: House) -> None:
    (mine,) = await home.services.consent.of_user(UserId(home["user"].id))
    refused = [
        ("no_consent", ("lead@company.com",)),
        ("no_consent", ("nobody@company.com",)),
        ("no_consent", ({"user": BEA, "grant": mine.id},)),
        ("malformed_task", (BEA, BEA)),
        ("malformed_task", ("user@company.com",)),
        ("malformed_task", (BEA, home["user"].id)),
    ]
    for code, others in refused:
        answer = await ask(home, *others)
        assert (answer.json()["code"], others) == (code, others)
        hidden = "usr_" not in answer.json()["detail"]
        assert code != "no_consent" or hidden, "nothing says whether there is such a person"
    assert (await ask(home, *(f"p{n}@company.com" for n in range(8)))).status_code == 400
    await consent(home, "bea", documents(home, "D-2", purpose="research"))
    assert (await ask(home, BEA, purpose="gossip")).json()["code"] == "no_consent"
    assert await home.records("authority.task.started") == []


@pytest.mark.req("R36")
async def test_who_has_nothing_in_common_is_named(home: House) -> None:
    await consent(home, "bea", documents(home, "D-9"))
    refused = await ask(home, BEA)
    assert refused.json()["code"] == "empty_authority"
    assert f"`with {BEA}`" in refused.json()["detail"]


@pytest.mark.req("R36")
async def test_both_budgets_are_charged(home: House) -> None:
    await consent(home, "bea", documents(home, "D-2", calls=1))
    run = await started(home, BEA)
    assert (await run.read("D-2")).ran
    other = await started(home, BEA)
    refused = await other.read("D-2")
    assert (refused.code, f"with {BEA}" in str(refused.denial)) == ("calls_exhausted", True)


RULES = """
@id("read") permit (principal, action, resource);
@id("not-for-bea") @reason("hers alone to ask") forbid (principal, action, resource)
  when { context has user && context.user.name == "bea@company.com" && context.resource.id == "D-1" };
@id("lead-for-bea") @approval("team:support-leads") permit (principal, action, resource)
  when { context has user && context.user.name == "bea@company.com" && context.resource.id == "D-2" };
"""


@pytest.mark.req("R36", "N16")
async def test_the_rules_are_asked_for_each_person(house: House) -> None:
    await furnish(house, RULES)
    for who in ("user", "bea"):
        await consent(house, who, documents(house))
    alone, both = await started(house), await started(house, BEA)
    assert (await alone.read("D-1")).ran
    refused = await both.read("D-1")
    assert (refused.code, f"for {BEA}" in str(refused.denial)) == ("forbidden", True)
    assert (await alone.read("D-2")).ran
    waiting = asyncio.create_task(both.read("D-2"))
    approval = await house.pending()
    assert approval.companions == (house["bea"].id,)
    assert (await house.answer("lead", approval)).status_code == 200
    assert (await waiting).ran


PAST = """
@id("all") permit (principal, action, resource);
@id("reads") @remember("saw by=user") permit (principal, action, resource);
@id("wall") forbid (principal, action == Remit::Action::"business/documents.read", resource)
  when { context.resource.id == "D-3" && context.past.saw.user.count > 0 };
"""


@pytest.mark.req("R36", "N4")
async def test_what_either_did_before_counts_for_both(house: House) -> None:
    await furnish(house, PAST)
    for who in ("user", "bea"):
        await consent(house, who, documents(house))
    hers = await started(house, by="bea")
    assert (await hers.read("D-2")).ran
    both = await started(house, BEA)
    assert (await both.read("D-3")).code == "history_forbids"
    assert (await (await started(house)).read("D-3")).ran, "alone, nothing was seen before"
    assert (await (await started(house)).read("D-3")).code == "history_forbids"


@pytest.mark.req("R36", "R28")
async def test_each_sees_on_their_own_page_what_runs_on_their_word(home: House) -> None:
    run = await started(home, BEA)
    async with browser(home) as hers, browser(home) as his:
        await hers.enrol("bea")
        await his.enrol("user")
        mine, theirs = (await hers.open("/me/grants")).text, (await his.open("/me/grants")).text
    assert run.id in mine
    assert "started by <bdi>user@company.com</bdi>, for them and you</p>" in mine
    assert "started by you, for you and <bdi>bea@company.com</bdi></p>" in theirs


@pytest.mark.req("R36")
async def test_the_command_line_takes_somebody_along(tmp_path: Path) -> None:
    async with governed(tmp_path) as here:
        words = ("task", "start", "calendar-bot", "find a day", "--purpose", "scheduling", "--with", LEAD)
        refused = await here.remit(*words, who=USER)
        assert refused.code != 0
        assert f"`{LEAD}` has not let the agent act for them, for purpose `scheduling`" in refused.err
        await here.consent("calendar-bot", rooms(), who=LEAD)
        begun = await here.ask(*words, who=USER)
        task = Task(begun["task"]["id"], begun["envelope"], "calendar-bot")
        (other,) = begun["task"]["with"]
        shown = await here.remit("task", "show", task.id, who=LEAD)
        assert f" {other['user']} ({other['grant']})" in shown.out
        assert not (await here.call(task, "rooms_book", BOOKING)).is_error
        could = await here.ask("can", "calendar-bot", "business/rooms_book", "--arg", "room=Room-401")
        assert len(could["with"]) == 1
        ended = await here.remit("task", "end", task.id, who=LEAD)
        assert ended.code == 0
