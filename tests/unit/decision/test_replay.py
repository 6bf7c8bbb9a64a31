"""A replay judges only what differs: held to the whole policy stage, candidate by candidate (N5)."""

from collections import Counter
from datetime import timedelta

import pytest
from msgspec import structs

from remit.decision.answer.response import Effect, Stage
from remit.decision.call.alike import TRIAL, Alike
from remit.decision.call.request import ActionRequest
from remit.decision.replaying.recorded import (
    RecordedDecision,
    RecordedFinding,
    RecordedReason,
    RecordedTrace,
    RecordedVerdict,
    Remembered,
)
from remit.decision.replaying.remaking import Lost
from remit.decision.replaying.replay import Replay, Replayer
from remit.decision.stages.policy import policy_stage
from remit.decision.trials.fixtures import empty
from remit.decision.trials.running import request_of
from remit.kernel.ids import DecisionId
from support.traces import BEGIN, READER, base, month

CANDIDATES = (
    "",
    '@id("no-odd") forbid (principal, action, resource) when { context.resource.id like "*7" };',
    '@id("big") forbid (principal, action, resource) when { context has money && context.money.minor > 90 };',
    '@id("q") @approval("owner") permit (principal, action, resource) when { context.tool.name like "q*" };',
    '@id("late") forbid (principal, action, resource) when { context.time >= datetime("2026-05-16") };',
    (
        '@id("fails") forbid (principal, action == Remit::Action::"shop/queue.list", resource) '
        "when { context.arguments.limit + 9223372036854775807 > 0 };"
    ),
    '@id("seen") @mode("observe") forbid (principal, action, resource);',
)
EDITED = (
    base(),
    base().replace("!context.tool.money", "true", 1),
    base().replace('@approval("owner")', '@approval("team:leads")', 1),
    base().split('@id("remit.ask-money")')[0],
)


def told(request: ActionRequest, number: int, found: RecordedFinding) -> Remembered:
    """The call as it would be on record."""
    call = request.call
    trace = RecordedTrace(
        at=call.at, tenant=call.subject.tenant, call=call.call, action=call.action,
        resource=f"{call.resource.type}:{call.resource.id}", agent=call.subject.agent,
        agent_name=request.principal.name, instance=call.subject.instance, chain=tuple(call.subject.chain),
        user=call.subject.user, task=call.subject.task, purpose=request.purpose,
        arguments=call.arguments_digest, token="tok_1",
        verdict=RecordedVerdict(effect=found.effect, policy_version="v1"), stages=(found,),
    )  # fmt: skip
    return Remembered(
        stored=RecordedDecision(id=DecisionId(f"dec_{number:05d}"), explanation=trace),
        arguments=call.raw_arguments.decode(), server=request.server, tool=request.tool, named_tool=True,
        agent=request.principal, blueprint=None, user=request.user, companions=(), task=request.task,
        key="key",
    )  # fmt: skip


@pytest.mark.req("N5")
def test_what_is_judged_by_differences_is_what_the_whole_stage_says() -> None:
    trace = month(1)
    then = trace.bundle(base())
    asked: list[tuple[ActionRequest, Remembered, Effect]] = []
    for number, when in enumerate(list(trace.calls.values())[::12]):
        at = (BEGIN + number * timedelta(hours=8)).isoformat()
        request = request_of(structs.replace(when, at=at), trace.cast, READER)
        said = policy_stage(request, empty(then))
        reasons = tuple(RecordedReason(code=each.code, rule=each.rule) for each in said.reasons)
        found = RecordedFinding(stage=Stage.POLICY, effect=said.effect, reasons=reasons)
        asked.append((request, told(request, number, found), said.effect))
    changes = 0
    for more in CANDIDATES:
        for text in EDITED:
            candidate = trace.bundle(text + more)
            wanted: Counter[tuple[Effect, Effect]] = Counter()
            for request, _, before in asked:
                after = policy_stage(request, empty(candidate)).effect
                if after is not before:
                    wanted[before, after] += 1
            into = Replay()
            Replayer(candidate, made_with=lambda _: then, reader=READER).replay(
                (each for _, each, _ in asked), into
            )
            got = {(before, after): each.count for (before, after, _), each in into.alterations.items()}
            assert got == wanted, (more, into.lost)
            assert not into.lost
            assert into.same == len(asked) - wanted.total()
            changes += wanted.total()
    assert changes > len(asked)


def test_a_decision_that_the_facts_do_not_explain_is_lost_and_not_guessed() -> None:
    trace = month(1)
    then = trace.bundle(base())
    request = request_of(next(iter(trace.calls.values())), trace.cast, READER)
    wrong = RecordedFinding(
        stage=Stage.POLICY, effect=Effect.PERMIT, reasons=(RecordedReason(code="permitted", rule="other"),)
    )
    into = Replay()
    Replayer(then, made_with=lambda _: then, reader=READER).replay([told(request, 1, wrong)], into)
    assert into.lost == {Lost.FACTS: 1}
    unknown = Replay()
    Replayer(then, made_with=lambda _: None, reader=READER).replay([told(request, 1, wrong)], unknown)
    assert unknown.lost == {Lost.FACTS: 1}


def test_what_does_not_pay_is_not_kept() -> None:
    kept: Alike[int, str] = Alike()
    for number in range(TRIAL):
        assert kept.get(number) is None
        kept.keep(number, "x")
    assert not kept.worth
    paying: Alike[int, str] = Alike()
    for number in range(3 * TRIAL):
        if paying.get(number % 100) is None:
            paying.keep(number % 100, "x")
    assert paying.worth
