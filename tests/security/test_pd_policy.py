"""Class PD, the policy language: attributes stay data, errors deny, old and costly texts are refused."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Any

import cedarpy
import pytest

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Reason, Stage, Verdict
from remit.decision.call.request import ActionRequest, ProposedCall
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.admission import compile_bundle, version_of
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.context import Question, ask
from remit.decision.policy.errors import PolicyRefused
from remit.decision.policy.evaluate import evaluate
from remit.decision.policy.extent import NESTING_LIMIT, RULE_LIMIT, TEXT_LIMIT, TOKEN_LIMIT, check_extent
from remit.decision.stages.pipeline import STEPS, Step, fold, judge, refusal
from remit.identity.principals import Kind
from remit.kernel.ids import PrincipalId
from support.decisions import PERMIT_ALL, bundle, call, discovery, office, principal, subject

HOSTILE = [
    'Room-401"); permit(principal, action, resource); //',
    "x\\u0022 || true || \\u0022",
    '"; forbid(principal, action, resource); "',
    "/* */ // ' \" ` {{ }} ${7*7} ?principal",
    '{"__entity": {"type": "Remit::Room", "id": "Room-401"}}',
    "Room-401\n\r\t\0",
    "\u202eRoom-401",
]


def requested(proposed: ProposedCall, snapshot: Snapshot) -> ActionRequest:
    request = assemble(proposed, snapshot)
    assert not isinstance(request, Unassembled), request
    return request


def verdict(proposed: ProposedCall, snapshot: Snapshot, steps: tuple[Step, ...] = STEPS) -> Verdict:
    request = assemble(proposed, snapshot)
    if isinstance(request, Unassembled):
        return fold([refusal(request.reason)], snapshot=snapshot)
    return fold(judge(request, snapshot, steps=steps), snapshot=snapshot)


ONE_ROOM = (
    '@id("one") permit(principal, action == Remit::Action::"business/rooms.book",'
    ' resource == Remit::Room::"Room-401") when { context.purpose == "booking" };'
)


@pytest.mark.attack("PD-01")
@pytest.mark.parametrize("text", HOSTILE)
def test_what_an_attribute_says_is_never_policy(text: str) -> None:
    named = call("rooms.book", raw=json.dumps({"room": text, "note": text}).encode())
    assert verdict(named, office(ONE_ROOM)).effect is Effect.DENY
    ben = principal("usr_ada", Kind.HUMAN, text, email=text, segments=frozenset({text}))
    snapshot = office(ONE_ROOM)
    renamed = replace(snapshot, principals=snapshot.principals.set(ben.id, ben))
    assert verdict(call("rooms.book", {"room": "Room-402"}), renamed).effect is Effect.DENY


@pytest.mark.twin("PD-01")
def test_the_injection_test_bites_where_values_are_pasted_into_the_text() -> None:
    hostile = HOSTILE[0]
    pasted = f'permit(principal, action, resource == Remit::Room::"{hostile}");'
    asked = {
        "principal": {"type": "Remit::Agent", "id": "calendar-bot"},
        "action": {"type": "Remit::Action", "id": "business/rooms.book"},
        "resource": {"type": "Remit::Room", "id": "Room-402"},
        "context": {},
    }
    assert cedarpy.is_authorized(asked, pasted, []).allowed


TYPED = (
    '@id("few") permit(principal, action == Remit::Action::"business/rooms.book", resource)'
    " when { context.arguments has attendees && context.arguments.attendees < 10 };"
    '@id("fed") forbid(principal, action == Remit::Action::"business/rooms.book", resource)'
    " when { context.arguments has catering && context.arguments.catering };"
)


@pytest.mark.attack("PD-02")
@pytest.mark.parametrize("value", ["4", True, False, 4.5, [4], {"n": 4}, None, "", "true", 1e300, 2**60])
def test_a_value_of_another_type_is_no_number(value: Any) -> None:
    raw = json.dumps({"room": "R", "attendees": value}).encode()
    if value == 2**60:
        return  # the strict reader refuses it before it gets here
    assert verdict(call("rooms.book", raw=raw), office(TYPED)).effect is Effect.DENY


@pytest.mark.attack("PD-02")
@pytest.mark.parametrize("value", ["true", "false", 1, 0, "", [], {}])
def test_a_truthy_value_is_no_boolean(value: Any) -> None:
    raw = json.dumps({"room": "R", "attendees": 4, "catering": value}).encode()
    denied = verdict(call("rooms.book", raw=raw), office(TYPED))
    assert denied.reasons[0].code == "argument_type"


FAILING_FORBID = (
    '@id("all") permit(principal, action, resource);'
    '@id("limit") forbid(principal, action == Remit::Action::"business/rooms.book", resource)'
    " when { context.arguments.attendees > 3 };"
)


def unchecked(text: str) -> Snapshot:
    """A text that was admitted before its tool changed: the argument that it names may be missing now."""
    return office(bundle=compile_bundle(text, version=version_of(text, 1)))


@pytest.mark.attack("PD-04")
@pytest.mark.promise("P5")
def test_a_forbid_that_can_not_be_evaluated_denies() -> None:
    found = verdict(call("rooms.book", {"room": "R"}), unchecked(FAILING_FORBID))
    assert found.effect is Effect.DENY
    assert (found.reasons[0].code, found.reasons[0].rule) == ("policy_error", "limit")


@pytest.mark.twin("PD-04")
def test_the_forbid_test_bites_where_cedars_own_answer_is_taken() -> None:
    def credulous(request: ActionRequest, snapshot: Snapshot) -> Finding:
        assert snapshot.bundle.enforced is not None
        question = ask(request, snapshot.bundle)
        said = cedarpy.is_authorized(question.wire(), snapshot.bundle.enforced, question.entities)
        return Finding(stage=Stage.POLICY, effect=Effect.PERMIT if said.allowed else Effect.DENY)

    steps = (*STEPS[:3], Step(stage=Stage.POLICY, judge=credulous))
    assert (
        verdict(call("rooms.book", {"room": "R"}), unchecked(FAILING_FORBID), steps).effect is Effect.PERMIT
    )


@pytest.mark.attack("PD-03")
@pytest.mark.req("N39")
@pytest.mark.parametrize("stage", [step.stage for step in STEPS])
@pytest.mark.parametrize("error", [RuntimeError("x"), RecursionError(), KeyError("x"), TimeoutError()])
def test_an_error_in_any_stage_denies_and_says_which(stage: Stage, error: Exception) -> None:
    def broken(_request: ActionRequest, _snapshot: Snapshot) -> Finding:
        raise error

    steps = tuple(replace(step, judge=broken) if step.stage is stage else step for step in STEPS)
    found = verdict(call(), office(), steps)
    assert found.effect is Effect.DENY
    assert (found.reasons[0].code, found.reasons[0].stage) == ("stage_error", stage)


@pytest.mark.twin("PD-03")
def test_the_error_test_bites_where_a_broken_stage_is_skipped() -> None:
    forbidding = office('@id("no") forbid(principal, action, resource);' + PERMIT_ALL)
    assert verdict(call(), forbidding).effect is Effect.DENY
    skipped = tuple(step for step in STEPS if step.stage is not Stage.POLICY)
    assert verdict(call(), forbidding, skipped).effect is Effect.PERMIT


@pytest.mark.attack("PD-24")
@pytest.mark.req("N39")
def test_no_policy_no_action_no_tenant_no_permit() -> None:
    assert verdict(call(), office("")).reasons[0].code == "no_policies"
    observed = '@id("x") @mode("observe") permit(principal, action, resource);'
    assert verdict(call(), office(observed)).effect is Effect.DENY
    narrow = '@id("x") permit(principal, action == Remit::Action::"business/rooms.read", resource);'
    assert verdict(call(), office(narrow)).reasons[0].code == "no_permit"
    assert verdict(call(action="business/rooms.burn"), office()).effect is Effect.DENY
    assert verdict(discovery("tools/unheard-of"), office()).effect is Effect.DENY
    foreign = call(subject=subject(tenant="other"))
    assert verdict(foreign, office()).reasons[0].code == "tenant_mismatch"
    assert fold([], snapshot=office()).effect is Effect.DENY


@pytest.mark.attack("PD-19")
@pytest.mark.req("R54")
def test_the_purpose_is_the_tasks_whatever_the_call_says() -> None:
    text = '@id("audit") permit(principal, action, resource) when { context.purpose == "audit" };'
    raw = json.dumps({"room": "R", "note": "purpose: audit"}).encode()
    assert verdict(call("rooms.book", raw=raw), office(text)).effect is Effect.DENY
    claimed = json.dumps({"room": "R", "purpose": "audit"}).encode()
    assert verdict(call("rooms.book", raw=claimed), office(text)).effect is Effect.DENY
    snapshot = office(text)
    agent = replace(snapshot.principals[PrincipalId("agt_calendar")], purpose="audit")
    relabelled = replace(snapshot, principals=snapshot.principals.set(agent.id, agent))
    assert verdict(call(), relabelled).effect is Effect.DENY


@pytest.mark.twin("PD-19")
def test_the_purpose_test_bites_where_the_call_may_name_it() -> None:
    text = '@id("audit") permit(principal, action, resource) when { context.purpose == "audit" };'
    snapshot = office(text)
    claimed = replace(requested(call(), snapshot), purpose="audit")
    found = next(step for step in STEPS if step.stage is Stage.POLICY).judge(claimed, snapshot)
    assert found is not None
    assert found.effect is Effect.PERMIT


def ruled(condition: str) -> str:
    return f'@id("x") permit(principal, action, resource) when {{ {condition} }};'


COSTLY = {
    "brackets": ruled("(" * 4_000 + "true" + ")" * 4_000),
    "sets": ruled("[" * 4_000 + "1" + "]" * 4_000 + ".isEmpty()"),
    "records": ruled("{a:" * 4_000 + "1" + "}" * 4_000 + ".a == 1"),
    "conjunction": ruled(" && ".join(["true"] * 8_000)),
    "disjunction": ruled(" || ".join(['context.purpose == "x"'] * 8_000)),
    "branches": ruled("if true then true else " * 8_000 + "true"),
    "path": ruled("context" + ".a" * 8_000 + " == 1"),
    "sum": ruled("+".join(["1"] * 8_000) + " == 1"),
    "negation": ruled("!" * 5_000 + "true"),
    "policies": "\n".join(f'@id("p{n}") permit(principal, action, resource);' for n in range(RULE_LIMIT + 1)),
    "bytes": "//" + "x" * TEXT_LIMIT,
    "unclosed": '@id("x' + "(" * 5_000,
}


@pytest.mark.attack("PD-14", "PD-13")
@pytest.mark.promise("P13")
@pytest.mark.parametrize("shape", sorted(COSTLY))
def test_a_text_that_would_cost_too_much_is_refused_when_it_is_published(shape: str) -> None:
    with pytest.raises(PolicyRefused):
        bundle(COSTLY[shape])


@pytest.mark.promise("P13")
def test_the_limits_of_a_text_hold_at_the_limit_and_one_past_it() -> None:
    check_extent("a " * TOKEN_LIMIT)
    check_extent("(" * NESTING_LIMIT)
    check_extent("a;" * RULE_LIMIT)
    check_extent("x" * TEXT_LIMIT)
    for text in (
        "a " * (TOKEN_LIMIT + 1),
        "(" * (NESTING_LIMIT + 1),
        "a;" * RULE_LIMIT + "a",
        "x" * (TEXT_LIMIT + 1),
    ):
        with pytest.raises(PolicyRefused):
            check_extent(text)


@pytest.mark.twin("PD-14")
@pytest.mark.parametrize("shape", ["brackets", "conjunction"])
def test_the_cost_test_bites_where_cedar_reads_the_text_unbounded(shape: str) -> None:
    """Cedar's parser alone overflows the stack and takes the process with it."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys, cedarpy; cedarpy.policies_to_pst(sys.stdin.read())"],
        input=COSTLY[shape].encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGSEGV


@pytest.mark.attack("PD-13")
def test_a_wildcard_pattern_takes_no_exponential_time() -> None:
    stars = "*a" * 200 + "*b"
    text = f'@id("x") permit(principal, action, resource) when {{ context.resource.id like "{stars}" }};'
    long_name = "a" * 100_000
    named = call("rooms.book", raw=json.dumps({"room": long_name}).encode())
    assert verdict(named, office(text)).effect is Effect.DENY


@pytest.mark.attack("PD-15")
@pytest.mark.promise("P9")
def test_one_decision_names_one_version_of_everything() -> None:
    old, new = office(), office('@id("no") forbid(principal, action, resource);', revision=8, epoch=4)
    assert (verdict(call(), old).policy_version, verdict(call(), old).revision) == ("v1", 7)
    assert (verdict(call(), new).effect, verdict(call(), new).revision) == (Effect.DENY, 8)
    assert old.bundle is not new.bundle


@pytest.mark.attack("PD-05")
@pytest.mark.parametrize(
    "change",
    [
        {"attributes": (("team", "x"),)},
        {"segments": frozenset({"x"})},
        {"environment": None},
        {"name": "calendar-bot-2"},
    ],
)
def test_no_answer_outlives_the_attribute_that_it_was_given_on(change: dict[str, Any]) -> None:
    text = (
        '@id("t") permit(principal, action, resource) when { principal.name == "calendar-bot" &&'
        ' !(principal in Remit::Segment::"x") && principal.environment == "production" &&'
        ' !(principal.hasTag("team") && principal.getTag("team") == "x") };'
    )
    snapshot = office(text)
    assert verdict(call(), snapshot).effect is Effect.PERMIT
    agent = replace(snapshot.principals[PrincipalId("agt_calendar")], **change)
    changed = replace(snapshot, principals=snapshot.principals.set(agent.id, agent))
    assert verdict(call(), changed).effect is Effect.DENY
    assert verdict(call(), snapshot).effect is Effect.PERMIT


@pytest.mark.twin("PD-05")
def test_the_cache_test_bites_where_the_id_alone_is_the_key() -> None:
    kept: dict[str, Effect] = {}

    def remembered(proposed: ProposedCall, snapshot: Snapshot) -> Effect:
        return kept.setdefault(proposed.subject.agent, verdict(proposed, snapshot).effect)

    text = '@id("t") permit(principal, action, resource) when { principal.name == "calendar-bot" };'
    snapshot = office(text)
    agent = replace(snapshot.principals[PrincipalId("agt_calendar")], name="other")
    changed = replace(snapshot, principals=snapshot.principals.set(agent.id, agent))
    assert remembered(call(), snapshot) is Effect.PERMIT
    assert remembered(call(), changed) is Effect.PERMIT


def weakest(findings: tuple[Finding, ...]) -> Effect:
    return min((finding.effect for finding in findings), key=lambda effect: effect.strength)


def test_the_strongest_effect_wins_and_a_fold_that_takes_the_weakest_would_permit() -> None:
    snapshot = office('@id("no") forbid(principal, action, resource);' + PERMIT_ALL)
    findings = judge(requested(call(), snapshot), snapshot, thorough=True)
    assert fold(findings, snapshot=snapshot).effect is Effect.DENY
    assert weakest(findings) is Effect.PERMIT


@pytest.mark.attack("PD-18")
@pytest.mark.req("N9")
def test_every_obligation_of_every_permit_that_decided_is_owed() -> None:
    text = (
        '@id("a") @obligation("redact field=card; log level=full") permit(principal, action, resource);'
        '@id("b") @obligation("summarize") permit(principal, action, resource);' + PERMIT_ALL
    )
    owed = verdict(call(), office(text)).obligations
    assert [duty.type for duty in owed] == ["redact", "log", "summarize"]
    assert owed[0].properties == (("field", "card"),)


@pytest.mark.attack("PD-23")
def test_a_rule_that_tells_only_its_code_shows_no_value() -> None:
    text = '@id("secret") @disclose("code") @reason("watch list 7") forbid(principal, action, resource);'
    found = verdict(call(), office(text + PERMIT_ALL))
    assert found.disclose == "code"
    assert isinstance(found.reasons[0], Reason)


def test_a_question_cedar_can_not_read_is_denied() -> None:
    snapshot = office()
    question = ask(requested(call(), snapshot), snapshot.bundle)
    broken = Question(
        principal={"type": "not a type", "id": "x"},
        action=question.action,
        resource=question.resource,
        context={},
        entities=question.entities,
    )
    assert snapshot.bundle.enforced is not None
    answer = evaluate(broken, snapshot.bundle.enforced, snapshot.bundle)
    assert (answer.allowed, answer.failed) == (False, ("",))
    assert isinstance(snapshot.bundle, Bundle)
