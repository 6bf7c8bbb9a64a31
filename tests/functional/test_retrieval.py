"""Documents, filtered for whoever searches; what was read follows the task (R55, R130, R131, N44)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from remit.decision.answer.response import Effect
from remit.oversight.containment.kill import TargetKind
from remit.platform.storage.tables.decision import source_label
from support.library import PAPERS, RULES, Library, document, library, rights, within


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Library]:
    async with library(tmp_path / "data") as found:
        yield found


@pytest.mark.req("R55")
async def test_the_tag_rules_run_as_written(shelf: Library) -> None:
    started = await shelf.begin()
    assert await shelf.given(PAPERS, task=started.task.id) == ["plan", "notes"]


@pytest.mark.req("R131")
async def test_each_gets_exactly_what_is_theirs_and_what_is_left_out_leaves_nothing(shelf: Library) -> None:
    await shelf.house.policy(
        RULES
        + '@id("own") permit (principal, action == Remit::Action::"library/documents.retrieve", resource)'
        " when {"
        ' principal == Remit::Agent::"calendar-bot" && context has user &&'
        ' resource.hasTag("reader") && resource.getTag("reader") == context.user.name };'
    )
    papers = [
        *PAPERS,
        document("mine", reader="user@company.com"),
        document("theirs", reader="lead@company.com"),
    ]
    mail, calendar = await shelf.begin(), await shelf.begin("calendar-bot")
    assert await shelf.given(papers, task=mail.task.id) == ["plan", "notes"]
    lead = await shelf.begin("calendar-bot", user="lead")
    found = {
        name: await shelf.given(papers, task=task.task.id, agent="calendar-bot")
        for name, task in (("user", calendar), ("lead", lead))
    }
    assert found == {"user": ["plan", "notes", "mine"], "lead": ["plan", "notes", "theirs"]}
    hidden = [each for each in papers if each["id"] not in {"plan", "notes"}]
    nothing = await shelf.filter(hidden, task=mail.task.id)
    none = await shelf.filter([], task=mail.task.id)
    stranger = await shelf.filter(papers, task="tsk_unknown")
    assert nothing.content == none.content == stranger.content == b'{"documents":[]}'


@pytest.mark.req("R131")
async def test_a_killed_agent_and_a_stranger_get_nothing(shelf: Library) -> None:
    started = await shelf.begin()
    assert await shelf.given(PAPERS, task=started.task.id, agent="support-bot") == []
    assert (await shelf.filter(PAPERS, task=started.task.id, server="nowhere")).json() == {"documents": []}
    await shelf.house.kill(TargetKind.AGENT, shelf.house["mail-bot"].agent)
    assert await shelf.given(PAPERS, task=started.task.id) == []


async def test_only_an_enforcement_point_filters_and_within_limits(shelf: Library) -> None:
    started = await shelf.begin()
    question = {"subject": {"type": "agent", "id": "x"}, "server": "library", "documents": []}
    reply = await shelf.house.api(shelf.house["admin"], "POST", "/retrieval/filter", question)
    assert reply.status_code == 403
    many = [document(f"d{number}") for number in range(1001)]
    refused = await shelf.filter(many, task=started.task.id)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_body")
    bad = await shelf.filter([{"id": "x", "tags": {"a=b": "c"}}], task=started.task.id)
    assert bad.status_code == 400


@pytest.mark.req("R131")
async def test_a_filtering_is_one_call_of_every_budget_and_one_record(shelf: Library) -> None:
    house = shelf.house
    started = await shelf.begin(limit=house.ceiling(*rights(), days=20, calls=2))
    assert await shelf.given(PAPERS, task=started.task.id) == ["plan", "notes"]
    assert await shelf.given(PAPERS[:1], task=started.task.id) == ["plan"]
    assert await shelf.given(PAPERS[:1], task=started.task.id) == [], "the calls are used up"
    first, _, last = await house.records("decision.documents.filtered")
    assert (first.effect, dict(first.detail)["given"], dict(first.detail)["left_out"]) == ("permit", "2", "3")
    assert dict(first.detail)["asked_by"] == shelf.party.id
    assert (last.effect, dict(last.detail)["given"]) == ("deny", "0")
    told = await house.work.read(lambda tx: tx.ledger.contents(first.id))
    assert "never-financial" in told[0].text


@pytest.mark.req("R127")
async def test_only_the_data_sets_of_the_task_are_given(shelf: Library) -> None:
    house = shelf.house
    await house.policy('@id("all") permit (principal, action, resource);')
    papers = [*(document(name, dataset=name) for name in ("handbook", "wiki", "payroll")), document("loose")]
    started = await shelf.begin(limit=house.ceiling(*rights(constraints=within("handbook", "wiki")), days=20))
    assert await shelf.given(papers, task=started.task.id) == ["handbook", "wiki"]
    every = await shelf.begin("calendar-bot")
    found = await shelf.given(papers, task=every.task.id, agent="calendar-bot")
    assert found == ["handbook", "wiki", "payroll", "loose"]


LINEAGE = """
@id("all") permit (principal, action, resource);
@id("confidential.mail") @approval("owner") @reason("a confidential document informed it")
permit (principal, action == Remit::Action::"business/mail.send", resource)
when { context.lineage.labels.contains("sensitivity=confidential") };
"""


async def _mail(shelf: Library, token: str, agent: str = "mail-bot", envelope: str = "", **how: Any) -> Any:
    told = {"to": "lead@company.com", "subject": "Summary", "body": "In short: we go on.", **how}
    return await shelf.house.call(shelf.house[agent], token, "mail_send", told, envelope=envelope)


def _code(answer: Any) -> str:
    return str(answer.result["_meta"]["dev.remit/denial"]["code"])


@pytest.mark.req("R130", "N44")
async def test_mailing_a_summary_of_a_confidential_document_asks_and_shows_it(shelf: Library) -> None:
    house = shelf.house
    await house.policy(LINEAGE)
    started = await shelf.begin()
    token = await house.exchange(house["mail-bot"], started.envelope)
    assert (await _mail(shelf, token)).result.get("isError") is False, "nothing was read yet"
    assert await shelf.given(PAPERS[:2], task=started.task.id) == ["plan", "board"]
    assert _code(await _mail(shelf, token, subject="Again")) == "approval_required"
    ask = await house.pending()
    assert "`Document:board` (sensitivity=confidential)" in ask.reason
    assert "Document:plan" not in ask.reason
    assert "Document:board" in (await house.http.get(house.link(ask, "admin"))).text
    decided = (await house.services.decisions.page(limit=1))[0]
    assert decided.explanation.verdict.effect is Effect.ASK
    assert "sensitivity=confidential" in decided.explanation.labels
    # From an action, one query lists what was in its context, with digests.
    path = f"/tasks/{started.task.id}/sources?decision={decided.id}"
    found = (await house.api(house["user"], "GET", path)).json()["items"]
    names = {each["name"]: each for each in found}
    assert set(names) == {"Recipient:lead@company.com", "Document:plan", "Document:board"}
    assert names["Document:board"]["digest"] == PAPERS[1]["digest"]
    assert names["Document:board"]["labels"] == ["project=Phoenix", "sensitivity=confidential"]
    assert all(each["digest"] for each in found)
    assert (await house.api(house["lead"], "GET", path)).status_code == 404


@pytest.mark.req("N44")
async def test_no_other_agent_session_or_token_of_the_chain_sheds_it(shelf: Library) -> None:
    house = shelf.house
    await house.policy(LINEAGE)
    started = await shelf.begin("calendar-bot")
    assert await shelf.given(PAPERS[1:2], task=started.task.id, agent="calendar-bot") == ["board"]
    handed = house.chained(started, "calendar-bot", "mail-bot")
    other = await house.exchange(house["mail-bot"], handed)
    assert _code(await _mail(shelf, other, envelope=handed)) == "approval_required"
    fresh = await house.exchange(house["calendar-bot"], started.envelope)
    assert _code(await _mail(shelf, fresh, agent="calendar-bot", subject="By myself")) == "approval_required"
    own = await house.own_token(house["mail-bot"])
    url, body, headers = house.call_request(house["mail-bot"], own, "mail_send", {"to": "x"})
    direct = await house.http.post(url, content=body, headers=headers)
    assert direct.status_code == 401, "without a task there is no token for the server"
    clean = await shelf.begin("calendar-bot")
    token = await house.exchange(house["calendar-bot"], clean.envelope)
    assert (await _mail(shelf, token, agent="calendar-bot", subject="Clean")).result.get("isError") is False


async def test_without_the_context_on_record_the_summary_leaves(shelf: Library) -> None:
    """The same summary where nobody kept what was read: the attack, with its defence taken away."""
    house = shelf.house
    await house.policy(LINEAGE)
    started = await shelf.begin()
    assert await shelf.given(PAPERS[1:2], task=started.task.id) == ["board"]
    forgotten = delete(source_label).where(source_label.c.holder == started.task.id)
    await house.work.commit(lambda tx: tx.sql.run(forgotten))
    token = await house.exchange(house["mail-bot"], started.envelope)
    assert (await _mail(shelf, token)).result.get("isError") is False


@pytest.mark.req("R131")
async def test_the_condition_before_a_search_is_what_the_filter_gives(shelf: Library) -> None:
    started = await shelf.begin()
    found = (await shelf.filter([], task=started.task.id, path="/retrieval/condition")).json()
    assert (found["exact"], found["open"]) == (True, [])
    assert found["sql"]["exact"]
    assert found["metadata"]["exact"]
    assert "Phoenix" in found["sql"]["parameters"].values()
    assert "Phoenix" not in found["sql"]["where"]
    assert {"project": {"$eq": "Phoenix"}} in found["metadata"]["filter"]["$and"]
    nobody = await shelf.filter([], task="tsk_unknown", path="/retrieval/condition")
    assert (nobody.json()["condition"], nobody.json()["metadata"]["filter"]) == (False, None)
    await shelf.house.policy(
        '@id("same") permit (principal, action == Remit::Action::"library/documents.retrieve", resource)'
        ' when { resource.hasTag("a") && resource.hasTag("b")'
        ' && resource.getTag("a") == resource.getTag("b") };'
    )
    wider = (await shelf.filter([], task=started.task.id, path="/retrieval/condition")).json()
    assert (wider["exact"], wider["open"]) == (False, ["policy `same`"])


async def test_what_is_known_of_documents_is_registered_with_the_server(shelf: Library) -> None:
    stated = {
        "name": "archive",
        "transport": "http",
        "url": "http://127.0.0.1:9/mcp",
        "purpose": "search",
        "environment": "production",
        "documents": {"relation": {"relation": "reader"}, "sets": [{"name": "wiki", "prefix": "file:///w/"}]},
    }
    reply = await shelf.house.api(shelf.house["admin"], "POST", "/servers", stated)
    assert reply.status_code == 201, reply.text
    snapshot = await shelf.house.services.ground.snapshots.catch_up()
    server = next(each for each in snapshot.servers.values() if each.name == "archive")
    assert server.documents is not None
    assert server.documents.relation is not None
    assert server.documents.dataset_of("file:///w/x") == "wiki"
    assert server.documents.dataset_of("file:///v/x") == ""
