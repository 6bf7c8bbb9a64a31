"""Goal 2: the policy decision in process beside Cedar itself, with 10 to 10,000 policies.

Both judge the same call by the same policies: eight of an office (`policies.cedar`), the others about other
agents, rooms and teams. Cedar's policies and entities are parsed beforehand; what it says is a decision with
the ids of the policies that decided. Ours ends in a finding: effect, reasons in sentences, obligations.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import cedarpy
from bench.figures import Goal, Report, said, spread
from cedarpy import policies_to_pst
from immutables import Map

from remit.authority.rights import ANY_PURPOSE, Caps, Ceiling, Window
from remit.authority.tasks import Initiative, Lineage, Mode, Task, TaskState
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Effect
from remit.decision.call.request import ActionRequest, ProposedCall, Resource
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.admission import compile_bundle, version_of
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.context import ask
from remit.decision.policy.program import Program, compile_policy
from remit.decision.policy.rules import Rule, read_rule
from remit.decision.stages.policy import policy_stage
from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal
from remit.identity.tools import Pin, ResourceMapping, Server, Tool, ToolMapping, Transport
from remit.kernel.canonical import JsonObject, canonical_json, sha256
from remit.kernel.ids import (
    AgentId,
    BlueprintId,
    CallId,
    EnvelopeId,
    GrantId,
    InstanceId,
    PrincipalId,
    ServerId,
    TaskId,
    TokenId,
    ToolId,
    UserId,
)
from remit.kernel.tenancy import DEFAULT_TENANT

_AT: Final = datetime(2026, 5, 15, 14, tzinfo=UTC)
_OFFICE: Final = (Path(__file__).parent / "policies.cedar").read_text(encoding="utf-8")
_OTHERS: Final = """
permit (principal == Remit::Agent::"agent-{n}", action == Remit::Action::"business/rooms.book", resource)
when {{ context.purpose == "scheduling" }};

permit (principal, action == Remit::Action::"business/rooms.book", resource == Remit::Room::"Desk-{n}")
when {{ context.depth < 3 }};

permit (principal in Remit::Blueprint::"team-{n}", action in Remit::Action::"server:business", resource)
when {{ context.purpose == "support" }};

forbid (principal == Remit::Agent::"agent-{n}", action, resource is Remit::Room)
unless {{ context.bound }};
""".strip().split("\n\n")
_SIZES: Final = (10, 100, 1_000, 10_000)
_WANTED: Final[Mapping[int, float]] = {10: 10, 100: 30, 1_000: 250}
_FLAT: Final = 1.5


def measure(*, tiny: bool) -> Report:
    """Each number of policies in turn, both judges by turns in each round."""
    counts, rounds, calls = (_SIZES[:2], 2, 5) if tiny else (_SIZES, 9, 2_000)
    found = {count: _both(count, rounds=rounds, calls=calls) for count in counts}
    rows = [
        {
            "policies": f"{count:,}", "cedarpy µs": said(pair["cedarpy"]), "Remit µs": said(pair["remit"]),
            "cedarpy / Remit": said(pair["ratio"]),
        }
        for count, pair in found.items()
    ]  # fmt: skip
    return Report(
        name="goal2_policy",
        command="python -m bench --only goal2" + (" --tiny" if tiny else ""),
        sizes={"policies": list(counts), "rounds": rounds, "calls": calls},
        rows=rows,
        figures={str(count): pair for count, pair in found.items()},
        goals=[*_faster(found), _flat(found)],
        notes=[
            "CPU time of the thread; the policy stage alone, whole decisions are in `starts`",
            "a published text holds at most 1,000 policies; 10,000 are compiled here from ten texts",
        ],
    )


_Found = dict[int, dict[str, dict[str, float]]]


def _faster(found: _Found) -> list[Goal]:
    return [
        Goal(
            name=f"goal 2, {count:,} policies", wanted=f">= {_WANTED[count]:g}x cedarpy",
            found=f"{pair['ratio']['median']}x", met=pair["ratio"]["median"] >= _WANTED[count],
        )
        for count, pair in found.items()
        if count in _WANTED
    ]  # fmt: skip


def _flat(found: _Found) -> Goal:
    few, most = min(found), max(found)
    growth = found[most]["remit"]["median"] / found[few]["remit"]["median"]
    return Goal(
        name=f"goal 2, {few:,} to {most:,} policies", wanted=f"<= {_FLAT}x", found=f"{growth:.2f}x",
        met=growth <= _FLAT if most == _SIZES[-1] else None,
    )  # fmt: skip


def _both(count: int, *, rounds: int, calls: int) -> dict[str, dict[str, float]]:
    bundle = _bundle(count)
    snapshot, request = _snapshot(bundle), _request()
    question = ask(request, bundle)
    policies = bundle.enforced
    if policies is None:
        raise RuntimeError("no policy is in force")

    def cedars() -> bool:
        return cedarpy.is_authorized(question.wire(), policies, question.entities).allowed

    def ours() -> bool:
        return policy_stage(request, snapshot).effect is Effect.PERMIT

    few = max(5, min(calls, calls * 10 // count))
    timed = [(_micros(cedars, few), _micros(ours, calls)) for _ in range(rounds)]
    return {
        "cedarpy": spread([cedar for cedar, _ in timed]),
        "remit": spread([mine for _, mine in timed]),
        "ratio": spread([cedar / mine for cedar, mine in timed], digits=1),
    }


def _micros(work: Callable[[], bool], calls: int) -> float:
    """CPU of one call; each must be permitted."""
    begun = time.thread_time()
    good = all(work() for _ in range(calls))
    took = time.thread_time() - begun
    if not good:
        raise RuntimeError("a call that is measured must be permitted")
    return took / calls * 1e6


def _bundle(count: int) -> Bundle:
    """So many policies; read in texts of no more than a text may hold."""
    others = [f'@id("other-{n}") {_OTHERS[n % len(_OTHERS)].format(n=n)}' for n in range(count)]
    texts = [_OFFICE, *("\n".join(others[at : at + 1_000]) for at in range(0, count, 1_000))]
    found = [node for text in texts for node in policies_to_pst(text).static_policies.values()][:count]
    nodes = {f"policy{place}": replace(node, id=f"policy{place}") for place, node in enumerate(found)}
    rules = {
        place: rule
        for place, node in nodes.items()
        if isinstance(rule := read_rule(place, node.effect, node.annotations), Rule)
    }
    compiled = [
        (compile_policy(order, rules[place], node), node) for order, (place, node) in enumerate(nodes.items())
    ]
    office = compile_bundle(_OFFICE, version=version_of(_OFFICE, 1))
    return replace(office, rules=rules, nodes=nodes, program=Program(compiled))


def _principal(ident: str, kind: Kind, name: str, **more: Any) -> Principal:
    return Principal(
        id=PrincipalId(ident),
        tenant=DEFAULT_TENANT,
        kind=kind,
        name=name,
        state=State.ACTIVE,
        owner=None if kind is Kind.HUMAN else PrincipalId("usr_ada"),
        purpose="office",
        environment=None if kind is Kind.HUMAN else Environment.PRODUCTION,
        created_at=_AT,
        changed_at=_AT,
        **more,
    )


def _snapshot(bundle: Bundle) -> Snapshot:
    return Snapshot(
        tenant=DEFAULT_TENANT,
        revision=1,
        epoch=1,
        principals=Map(),
        servers=Map(),
        tools=Map(),
        tasks=Map(),
        grants=Map(),
        ceilings=Map(),
        envelopes=Map(),
        tombstones=Map(),
        bundle=bundle,
    )


def _tool(server: Server) -> Tool:
    text = {"type": "string"}
    schema = {
        "type": "object",
        "properties": {"room": text, "start": text, "end": text},
        "required": ["room"],
    }
    definition = canonical_json({"name": "rooms.book", "inputSchema": schema}).decode()
    mapping = ToolMapping(
        action="rooms.book",
        resource=ResourceMapping(type="Room", pointer="/room"),
        arguments=("/room", "/start", "/end"),
        immaterial=(),
        money=None,
        sentence="rooms.book {/room}",
    )
    return Tool(
        id=ToolId("tol_book"),
        tenant=DEFAULT_TENANT,
        server=server.id,
        name="rooms.book",
        definition=definition,
        digest=sha256(definition.encode()),
        pin=Pin.APPROVED,
        consequential=True,
        reversible=True,
        mapping=mapping,
        pinned_at=_AT,
    )


def _request() -> ActionRequest:
    """calendar-bot books a room for Ada, on a key-bound token."""
    server = Server(
        id=ServerId("srv_business"),
        tenant=DEFAULT_TENANT,
        name="business",
        transport=Transport.HTTP,
        url="http://127.0.0.1:9/mcp",
    )
    arguments: JsonObject = {"room": "Room-401", "start": "14:00", "end": "15:00"}
    tool = _tool(server)
    raw = canonical_json(arguments)
    call = ProposedCall(
        call=CallId("call_1"), subject=_subject(), server=server.id, method="tools/call",
        action="business/rooms.book", resource=Resource(type="Room", id="Room-401"), tool=tool,
        arguments=arguments, raw_arguments=raw, arguments_digest=sha256(raw), money=None, consequential=True,
        at=_AT,
    )  # fmt: skip
    agent = _principal("agt_calendar", Kind.AGENT, "calendar-bot", blueprint=BlueprintId("blu_office"))
    return ActionRequest(
        call=call,
        principal=agent,
        instance=_principal("ins_1", Kind.INSTANCE, "calendar-bot-1"),
        blueprint=_principal("blu_office", Kind.BLUEPRINT, "office"),
        user=_principal("usr_ada", Kind.HUMAN, "ada"),
        task=_task(),
        server=server,
        tool=tool,
        lineage=_LINEAGE,
        factors=(),
        purpose="scheduling",
    )


def _subject() -> VerifiedSubject:
    return VerifiedSubject(
        tenant=DEFAULT_TENANT,
        token=TokenId("tok_1"),
        instance=InstanceId("ins_1"),
        agent=AgentId("agt_calendar"),
        user=UserId("usr_ada"),
        task=TaskId("tsk_1"),
        chain=(InstanceId("ins_1"),),
        envelope=None,
        ceiling=None,
        audience="https://remit.example/mcp/business",
        scopes=frozenset(),
        key="thumb",
        proof=None,
        issued_at=_AT,
        expires_at=_AT + timedelta(minutes=5),
    )


def _task() -> Task:
    window = Window(start=_AT, end=_AT + timedelta(hours=1))
    return Task(
        id=TaskId("tsk_1"),
        tenant=DEFAULT_TENANT,
        user=UserId("usr_ada"),
        agent=AgentId("agt_calendar"),
        grant=GrantId("gra_1"),
        goal="0" * 64,
        purpose="scheduling",
        mode=Mode.INTERACTIVE,
        initiative=Initiative.USER,
        root=EnvelopeId("env_1"),
        state=TaskState.RUNNING,
        started_at=_AT,
        deadline=_AT + timedelta(hours=1),
        ceiling=Ceiling(rights=frozenset(), window=window, caps=Caps(), depth=3, purpose=ANY_PURPOSE),
    )


_LINEAGE: Final = Lineage(
    tenant=DEFAULT_TENANT, user=UserId("usr_ada"), task=TaskId("tsk_1"), grant=GrantId("gra_1"),
    chain=(PrincipalId("ins_1"),), principals=frozenset(), envelope=None,
)  # fmt: skip
