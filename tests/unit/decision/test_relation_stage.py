"""A tool may demand a relation to what it touches: of whom the run is for, or of the agent."""

from dataclasses import replace
from typing import Any

from remit.decision.answer.response import Effect, NearestMiss, Stage, Verdict
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.snapshot import Snapshot
from remit.decision.stages.pipeline import fold, judge
from remit.decision.stages.relation import relation_stage
from remit.identity.principals import Kind
from remit.identity.tool_service import tool_digest
from remit.identity.tools import Related, RelationMapping, Tool
from remit.kernel.ids import ToolId
from support.decisions import TOOLS, call, office, principal
from support.relations import graph_of

ROOMS = """
model
  schema 1.1
type user
type agent
type team
  relations
    define member: [user, agent]
type room
  relations
    define viewer: [user, agent, team#member, user with early, user with small]
condition early(current_time: timestamp) {
  current_time < timestamp('2000-01-01T00:00:00Z')
}
condition small(attendees: int) {
  attendees < 5
}
"""
BOOKED = ToolId("tol_rooms.book")


def demanding(*tuples: str, model: str = ROOMS, **changes: Any) -> Snapshot:
    snapshot = office(relations=graph_of(model, *tuples) if model else None)
    tool = snapshot.tools[BOOKED]
    assert tool.mapping is not None
    relation = RelationMapping(**{"relation": "viewer", "type": "room", **changes})
    return replace(
        snapshot,
        tools=snapshot.tools.set(BOOKED, replace(tool, mapping=replace(tool.mapping, relation=relation))),
    )


def verdict(snapshot: Snapshot, **changes: Any) -> Verdict:
    request = assemble(call(), snapshot)
    assert not isinstance(request, Unassembled)
    return fold(judge(replace(request, **changes), snapshot), snapshot=snapshot)


def code(found: Verdict) -> str:
    return "" if found.effect is Effect.PERMIT else found.reasons[0].code


def test_the_person_must_be_related_and_the_answer_names_what_is_missing() -> None:
    assert verdict(demanding("room:Room-401#viewer@user:ada")).effect is Effect.PERMIT
    by_team = demanding("room:Room-401#viewer@team:eng#member", "team:eng#member@user:ada")
    assert verdict(by_team).effect is Effect.PERMIT
    refused = verdict(demanding("room:Room-402#viewer@user:ada"))
    said = refused.reasons[0]
    assert (said.code, said.stage, said.kind) == ("relation_missing", Stage.RELATIONS, "relation_missing")
    assert said.sentence == "`user:ada` is not `viewer` of `room:Room-401`"
    assert refused.nearest_miss == (NearestMiss(relation="room:Room-401#viewer@user:ada"),)
    # Following the nearest miss succeeds.
    assert verdict(demanding(refused.nearest_miss[0].relation)).effect is Effect.PERMIT


def test_a_permit_says_through_which_tuples() -> None:
    snapshot = demanding("room:Room-401#viewer@team:eng#member", "team:eng#member@user:ada")
    request = assemble(call(), snapshot)
    assert not isinstance(request, Unassembled)
    found = relation_stage(request, snapshot)
    assert found is not None
    assert found.detail == ("room:Room-401#viewer@user:ada",)
    assert found.paths == ("user:ada —member→ team:eng —viewer→ room:Room-401",)


def test_a_long_path_is_told_by_its_ends() -> None:
    nested = ROOMS.replace("define member: [user, agent]", "define member: [user, agent, team#member]")
    teams = [f"team:t{number}#member@team:t{number + 1}#member" for number in range(18)]
    tuples = ("room:Room-401#viewer@team:t0#member", *teams, "team:t18#member@user:ada")
    snapshot = demanding(*tuples, model=nested)
    request = assemble(call(), snapshot)
    assert not isinstance(request, Unassembled)
    found = relation_stage(request, snapshot)
    assert found is not None
    (told,) = found.paths
    assert told.startswith("user:ada —member→ team:t18")
    assert " … 8 more … " in told
    assert told.endswith("—viewer→ room:Room-401")


def test_the_agent_may_be_asked_for_instead() -> None:
    tuples = ("room:Room-401#viewer@user:ada",)
    assert code(verdict(demanding(*tuples, whom=Related.AGENT))) == "relation_missing"
    agents = ("room:Room-401#viewer@agent:calendar-bot",)
    assert verdict(demanding(*agents, whom=Related.AGENT)).effect is Effect.PERMIT
    assert code(verdict(demanding(*agents))) == "relation_missing"


def test_everyone_whom_the_run_is_for_must_be_related() -> None:
    ben = principal("usr_ben", Kind.HUMAN, "ben")
    one = demanding("room:Room-401#viewer@user:ada")
    both = demanding("room:Room-401#viewer@user:ada", "room:Room-401#viewer@user:ben")
    assert verdict(one, companions=(ben,)).reasons[0].sentence.startswith("`user:ben`")
    assert verdict(both, companions=(ben,)).effect is Effect.PERMIT


def test_where_nobody_is_behind_the_call_nobody_is_related() -> None:
    refused = verdict(demanding("room:Room-401#viewer@user:ada"), user=None)
    assert code(refused) == "relation_missing"
    assert refused.nearest_miss[0].never


def test_what_can_not_be_answered_is_denied_and_is_not_a_no() -> None:
    for snapshot, why in (
        (demanding(model=""), "no authorization model is in force"),
        (demanding(relation="owner"), "relation `room#owner` not found"),
        (demanding(type=""), "type `Room` not found; did you mean `room`?"),
    ):
        refused = verdict(snapshot)
        assert code(refused) == "relation_unanswered"
        assert why in refused.reasons[0].sentence


def test_conditions_see_the_arguments_and_the_moment_of_the_call() -> None:
    assert verdict(demanding("room:Room-401#viewer@user:ada if small")).effect is Effect.PERMIT
    assert code(verdict(demanding("room:Room-401#viewer@user:ada if early"))) == "relation_missing"


def test_no_argument_takes_the_place_of_the_moment() -> None:
    snapshot = demanding("room:Room-401#viewer@user:ada if early")
    request = assemble(call(), snapshot)
    assert not isinstance(request, Unassembled)
    forged = replace(
        request.call, arguments={**request.call.arguments, "current_time": "1999-01-01T00:00:00Z"}
    )
    found = relation_stage(replace(request, call=forged), snapshot)
    assert found is not None
    assert (found.effect, found.reasons[0].code) == (Effect.DENY, "relation_missing")


def test_a_tool_that_demands_nothing_keeps_its_digest_and_is_not_asked() -> None:
    assert verdict(office()).effect is Effect.PERMIT
    tool = next(it for it in TOOLS if it.name == "rooms.book")
    assert tool.mapping is not None
    changed = replace(tool, mapping=replace(tool.mapping, relation=RelationMapping(relation="viewer")))
    assert digest(changed) != digest(tool)


def digest(tool: Tool) -> str:
    return tool_digest(tool.definition, tool.mapping, consequential=tool.consequential)
