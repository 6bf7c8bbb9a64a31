"""Authorization API 1.0 (AuthZEN) at a real port: one question, many, searches, metadata, refusals."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.app.access import search
from remit.app.access.desk import AccessDesk
from remit.app.access.question import Asked, Entity
from remit.authority.rights import Right
from remit.kernel.ids import DecisionId, PrincipalId
from remit.oversight.containment.kill import TargetKind
from support.clients import Refused
from support.composed import populated
from support.house import BOOKING, REFUND, right
from support.peps import BOOK, Pep, pep_of, registered

RULES = (
    '@id("agents") permit (principal is Remit::Agent, action, resource);'
    '@id("people") permit (principal is Remit::Human, action, resource)'
    ' when { context.resource.id like "Room-*" };'
    '@id("accounts") permit (principal is Remit::Workload, action, resource);'
    '@id("no-cellar") forbid (principal, action, resource == Remit::Room::"Cellar");'
)


@pytest.fixture
async def pep(tmp_path: Path) -> AsyncIterator[Pep]:
    async with populated(tmp_path / "data") as house:
        await house.policy(RULES)
        yield await pep_of(house)


@pytest.mark.req("R59")
@pytest.mark.spec("AuthZEN", "6")
async def test_an_agent_a_person_and_a_workload_are_judged_through_one_door(pep: Pep) -> None:
    house = pep.house
    yes = await pep.says(pep.agent(arguments=BOOKING))
    assert yes["decision"] is True
    stored = await house.services.decisions.why(DecisionId(yes["context"]["evaluation_id"]))
    assert stored.explanation.asked_by == pep.party.id
    assert stored.explanation.instance == house["calendar-bot"].id
    assert stored.outcome == "spent"
    assert stored.capability is None
    # What the directory says counts, never what the enforcement point says of anybody.
    for name, kind in (("user", "user"), ("payments-gateway", "workload")):
        who = {"type": kind, "id": house[name].id, "properties": {"roles": "admin", "segments": ["all"]}}
        question = {"subject": who, "action": {"name": BOOK}, "resource": {"type": "Room", "id": "Room-401"}}
        assert (await pep.says(question))["context"]["dev.remit/denial"]["code"] == "ceiling_missing"
        admin = PrincipalId(house["admin"].id)
        await house.services.consent.set_ceiling(
            PrincipalId(house[name].id), house.ceiling(right(BOOK)), by=admin, at=house.now()
        )
        said = await pep.says(question)
        assert said["decision"] is True, json.dumps(said)
        other = {
            **question,
            "action": {"name": "business/refunds.create"},
            "resource": {"type": "Order", "id": "1"},
        }
        assert (await pep.says(other))["decision"] is False


@pytest.mark.spec("AuthZEN", "6.2")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"subject": {"type": "agent", "id": "ins_nobody"}}, "principal_unknown"),
        ({"subject": {"type": "robot", "id": "r2"}}, "principal_unknown"),
        ({"context": {}}, "task_unknown"),
        ({"context": {"task": "tsk_none"}}, "task_unknown"),
        ({"action": {"name": "business/rooms.sell"}}, "tool_unknown"),
        ({"action": {"name": "nowhere/rooms.book"}}, "server_unknown"),
        ({"resource": {"type": "Room", "id": "Cellar"}}, "forbidden"),
        ({"resource": {"type": "Order", "id": "Room-401"}}, "arguments_unread"),
    ],
)
async def test_a_no_is_an_answer_with_its_reason_and_stands_on_record(
    pep: Pep, changes: dict[str, Any], code: str
) -> None:
    said = await pep.says({**pep.agent(), **changes})
    assert said["decision"] is False
    denial = said["context"]["dev.remit/denial"]
    assert denial["code"] == code
    assert denial["remedy"]
    stored = await pep.house.services.decisions.why(DecisionId(said["context"]["evaluation_id"]))
    assert stored.explanation.verdict.reasons[0].code == code


@pytest.mark.attack("PD-22")
async def test_an_id_of_another_type_is_nobody_in_a_question_as_in_a_search(pep: Pep) -> None:
    """Found by `oracle.decision`: the type chose who is listed, and not who is judged."""
    house = pep.house
    admin = PrincipalId(house["admin"].id)
    for name in ("payments-gateway", "user"):
        await house.services.consent.set_ceiling(
            PrincipalId(house[name].id), house.ceiling(right(BOOK)), by=admin, at=house.now()
        )
    question = {"action": {"name": BOOK}, "resource": {"type": "Room", "id": "Room-401"}}
    agent = {"context": {"task": pep.started.task.id}}
    for kind, ident, more in (
        ("robot", pep.party.id, {}),
        ("user", pep.party.id, {}),
        ("workload", house["user"].id, {}),
        ("agent", house["calendar-bot"].agent, agent),
    ):
        said = await pep.says({**question, **more, "subject": {"type": kind, "id": ident}})
        assert said["context"]["dev.remit/denial"]["code"] == "principal_unknown", (kind, ident)


@pytest.mark.attack("PD-25")
async def test_arguments_that_mean_another_resource_are_refused(pep: Pep) -> None:
    said = await pep.says(pep.agent(ident="Room-402", arguments=BOOKING))
    assert said["context"]["dev.remit/denial"]["code"] == "arguments_unread"
    assert "Room-401" in said["context"]["dev.remit/denial"]["message"]


async def test_a_killed_agent_is_refused_with_the_next_question(pep: Pep) -> None:
    assert (await pep.says(pep.agent()))["decision"] is True
    await pep.house.kill(TargetKind.AGENT, pep.house["calendar-bot"].agent)
    assert (await pep.says(pep.agent()))["context"]["dev.remit/denial"]["code"] in {"killed", "revoked"}


@pytest.mark.attack("PD-25")
@pytest.mark.spec("AuthZEN", "7.1.1", "7.1.2.1")
async def test_each_of_a_batch_is_answered_by_itself_in_three_ways(pep: Pep) -> None:
    base = pep.agent()
    items = [
        {"resource": {"type": "Room", "id": "Cellar"}},
        {},
        {"subject": {"type": "agent", "id": pep.house["mail-bot"].id}},  # whose task this is not
        {"action": {}},
        {"context": {}},  # replaces the whole default: there is no task in it
        "not an evaluation",
    ]
    whole = (await pep.ask("/evaluations", {**base, "evaluations": items})).json()["evaluations"]
    assert [each["decision"] for each in whole] == [False, True, False, False, False, False]
    assert [each["context"].get("error", {}).get("status") for each in whole] == [None] * 3 + [400, None, 400]

    async def stopping(way: str, order: list[Any]) -> list[bool]:
        asked = {**base, "evaluations": order, "options": {"evaluations_semantic": way}}
        return [each["decision"] for each in (await pep.ask("/evaluations", asked)).json()["evaluations"]]

    assert await stopping("deny_on_first_deny", [{}, items[0], {}]) == [True, False]
    assert await stopping("permit_on_first_permit", [items[0], items[3], {}, {}]) == [False, False, True]
    assert await stopping("execute_all", [{}, items[0], {}]) == [True, False, True]
    alone = (await pep.ask("/evaluations", {**base, "evaluations": []})).json()
    assert alone["decision"] is True


class AllAlike(AccessDesk):
    """Answers a batch by its first question."""

    async def evaluate_all(self, asked: Any, *, by: PrincipalId) -> Any:
        return tuple([(await super().evaluate_all(asked[:1], by=by))[0]] * len(asked))


@pytest.mark.twin("PD-25")
async def test_a_batch_judged_by_its_first_question_lets_the_others_through(pep: Pep) -> None:
    services = pep.house.services
    ground = services.ground
    desk = AllAlike(
        judge=services.decisions,
        snapshots=ground.snapshots,
        issuer=ground.issuer,
        clock=ground.clock,
        entropy=ground.entropy,
    )
    good = asked_about(pep, "Room-401")
    by = PrincipalId(pep.party.id)
    found = await desk.evaluate_all([good, asked_about(pep, "Cellar")], by=by)
    assert [each.verdict.effect for each in found] == ["permit", "permit"]


def asked_about(pep: Pep, room: str) -> Asked:
    return Asked(
        subject=Entity(type="agent", id=pep.house["calendar-bot"].id),
        action=BOOK,
        resource=Entity(type="Room", id=room),
        task=pep.started.task.id,
    )


@pytest.mark.spec("AuthZEN", "10.1.2")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"subject": {"type": "agent"}}', 400),
        (b'{"subject": 1, "action": {"name": "a"}, "resource": {"type": "b", "id": "c"}}', 400),
        (b'{"subject": {"type": "a", "id": "b"}, "subject": {"type": "a", "id": "c"}}', 400),
        (b"[]", 400),
    ],
)
async def test_what_is_no_question_is_400(pep: Pep, body: bytes, status: int) -> None:
    reply = await pep.ask("/evaluation", body, **{"X-Request-ID": "mine-7"})
    assert reply.status_code == status, reply.text
    assert reply.headers["x-request-id"] == "mine-7"


@pytest.mark.spec("AuthZEN", "10.1.2")
@pytest.mark.parametrize("name", ["task", "envelope"])
async def test_a_name_that_nothing_has_goes_on_no_record(pep: Pep, name: str) -> None:
    assert (await pep.ask("/evaluation", pep.agent(**{name: "x" * 128}))).status_code == 200
    reply = await pep.ask("/evaluation", pep.agent(**{name: "x" * 129}))
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_body")


@pytest.mark.spec("AuthZEN", "10.1.2", "10.1.3")
async def test_who_may_ask(pep: Pep) -> None:
    house, url = pep.house, f"{pep.house.issuer}/access/v1/evaluation"
    bare = await house.http.post(url, json=pep.agent(), headers={"X-Request-ID": "bad id"})
    assert bare.status_code == 401
    assert "x-request-id" not in bare.headers
    plain = await registered(house, "somebody", roles="")
    for party in (plain, house["calendar-bot"], house["user"]):
        token = await house.own_token(party)
        headers = {"Authorization": f"DPoP {token}", "DPoP": party.proof("POST", url, token)}
        assert (await house.http.post(url, json=pep.agent(), headers=headers)).status_code == 403
    # No agent gets the scope by an attribute: it is a workload's.
    with pytest.raises(Refused):
        await house.ask_token(
            plain, grant_type="client_credentials", resource=f"{house.issuer}/api", scope="remit.decide"
        )
    ok = await pep.ask("/evaluation", {**pep.agent(), "surprise": 1}, **{"X-Request-ID": "mine-8"})
    assert (ok.status_code, ok.headers["x-request-id"]) == (200, "mine-8")


@pytest.mark.spec("AuthZEN", "9.1", "9.2")
async def test_metadata_names_every_door(pep: Pep) -> None:
    house = pep.house
    reply = await house.http.get(f"{house.issuer}/.well-known/authzen-configuration")
    found = reply.json()
    assert found.pop("policy_decision_point") == house.issuer
    assert len(found) == 5
    for name, url in found.items():
        assert name.endswith("_endpoint")
        assert (await house.http.post(url, json={})).status_code == 401, url


@pytest.mark.req("N37")
@pytest.mark.attack("PD-22")
@pytest.mark.spec("AuthZEN", "8.4", "8.5", "8.6")
async def test_a_list_holds_exactly_what_would_be_permitted(pep: Pep) -> None:
    house = pep.house
    base = pep.agent()
    actions = await pep.ask(
        "/search/action", {name: base[name] for name in ("subject", "resource", "context")}
    )
    assert [each["name"] for each in actions.json()["results"]] == [BOOK]
    assert actions.json()["page"] == {"next_token": ""}
    who = await pep.ask("/search/subject", {**base, "subject": {"type": "agent", "id": "ignored"}})
    assert who.json()["results"] == [base["subject"]]
    assert (await pep.ask("/search/subject", {**base, "subject": {"type": "robot"}})).json()["results"] == []
    # A right for any room names none, and the answer does not pretend otherwise.
    open_ended = (await pep.ask("/search/resource", {**base, "resource": {"type": "Room"}})).json()
    assert open_ended["results"] == []
    assert open_ended["context"]["dev.remit"]["complete"] is False
    rooms = frozenset({"Room-401", "Cellar", *(f"Room-{number}" for number in range(5))})
    narrow = Right(action=BOOK, resource_type="Room", resources=rooms, constraints=())
    started = await house.task("mail-bot", limit=house.ceiling(narrow, days=20))
    base["subject"]["id"], base["context"]["task"] = house["mail-bot"].id, started.task.id
    pages: list[str] = []
    token = ""
    while True:
        asked = {**base, "resource": {"type": "Room"}, "page": {"token": token, "limit": 2}}
        reply = (await pep.ask("/search/resource", asked)).json()
        pages += [each["id"] for each in reply["results"]]
        token = reply["page"]["next_token"]
        if not token:
            break
    assert pages == sorted(rooms - {"Cellar"})
    for room in rooms:
        alone = await pep.says({**base, "resource": {"type": "Room", "id": room}})
        assert alone["decision"] is (room in pages)
    other = {**base, "resource": {"type": "Room"}, "page": {"token": "0" * 32 + ".Room-1"}}
    assert (await pep.ask("/search/resource", other)).status_code == 400


@pytest.mark.twin("PD-22")
async def test_a_list_of_all_that_rights_name_says_too_much(pep: Pep) -> None:
    rooms = frozenset({"Room-401", "Cellar"})
    narrow = Right(action=BOOK, resource_type="Room", resources=rooms, constraints=())
    started = await pep.house.task("mail-bot", limit=pep.house.ceiling(narrow, days=20))
    snapshot = await pep.house.services.ground.snapshots.catch_up()
    asked = Asked(
        subject=Entity(type="agent", id=pep.house["mail-bot"].id),
        action=BOOK,
        resource=Entity(type="Room", id=""),
        task=started.task.id,
    )
    named, _ = search._resources(BOOK, "Room", asked, snapshot)
    assert "Cellar" in named


async def test_obligations_and_freshness_come_with_the_answer(pep: Pep) -> None:
    await pep.house.policy(RULES.replace('@id("agents")', '@id("agents") @obligation("mask pointer=/title")'))
    said = await pep.says(pep.agent(revision=1))
    (duty,) = said["context"]["obligations"]
    assert (duty["type"], duty["properties"]) == ("mask", {"pointer": "/title"})
    assert said["context"]["dev.remit"]["revision"] >= 1


async def test_money_is_reserved_once_and_counts(pep: Pep) -> None:
    """A permit that is told is a permit that counts: the second refund is over the day's."""
    from remit.authority.rights import Money

    house = pep.house
    limit = house.ceiling(
        right("business/refunds.create"), money=(Money(currency="EUR", minor=50_000),), days=20
    )
    started = await house.task("support-bot", limit=limit)
    question = {
        "subject": {"type": "agent", "id": house["support-bot"].id},
        "action": {"name": "business/refunds.create"},
        "resource": {"type": "Order", "id": "8812"},
        "context": {"task": started.task.id, "arguments": REFUND},
    }
    assert [(await pep.says(question))["decision"] for _ in range(2)] == [True, False]
