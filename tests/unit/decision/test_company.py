"""What the rules say for each person of a run, as one finding."""

from dataclasses import replace

import pytest
from immutables import Map

from remit.authority.consent import GrantState
from remit.authority.tasks import Companion
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Stage
from remit.decision.call.request import ActionRequest
from remit.decision.facts.assembly import assemble
from remit.decision.facts.snapshot import Snapshot
from remit.decision.stages.pipeline import STEPS, Step, judge
from remit.decision.stages.policy import policy_stage
from remit.decision.stages.preview import visible
from remit.identity.principals import Kind
from remit.kernel.ids import GrantId, PrincipalId, ToolId, UserId
from support.clock import NOON
from support.decisions import (
    GRANT,
    TASK,
    TOOLS,
    call,
    ceiling,
    grant,
    office,
    people,
    principal,
    right,
    server,
    subject,
    task,
)

BEN = UserId("usr_ben")
BENS = GrantId("gra_2")
COMPANION = Companion(user=BEN, grant=BENS)
ALL = '@id("all") permit(principal, action, resource);'


def rule(ident: str, *notes: str, of: str = "", kind: str = "permit") -> str:
    """A rule about everything, of one person or of anybody."""
    when = f' when {{ context has user && context.user.name == "{of}" }}' if of else ""
    return f'@id("{ident}") {" ".join(notes)} {kind} (principal, action, resource){when};'


REDACT = rule("all", '@obligation("redact pointer=/card")', of="ada") + rule(
    "ben", '@obligation("redact pointer=/phone")', of="ben"
)


def two(policy: str = ALL, **limits: object) -> Snapshot:
    """The office with a task for Ada and Ben."""
    everybody = (*people(), principal("usr_ben", Kind.HUMAN, "ben"))
    theirs = replace(grant(**limits), id=BENS, user=BEN)
    return office(
        policy,
        principals=Map({entry.id: entry for entry in everybody}),
        tasks=Map({TASK: task(companions=(COMPANION,))}),
        grants=Map({GRANT: grant(), BENS: theirs}),
    )


def findings(snapshot: Snapshot, steps: tuple[Step, ...] = STEPS, **how: object) -> tuple[Finding, ...]:
    request = assemble(call("rooms.book", **how), snapshot)  # type: ignore[arg-type]  # passed on as they are
    assert isinstance(request, ActionRequest), request
    return judge(request, snapshot, steps=steps)


def last(snapshot: Snapshot, **how: object) -> Finding:
    return findings(snapshot, STEPS, **how)[-1]


FORBIDDEN = ALL + rule("not-ben", of="ben", kind="forbid")


@pytest.mark.req("R36")
def test_who_is_refused_refuses_for_all_and_is_named() -> None:
    found = last(two(FORBIDDEN))
    assert (found.effect, found.reasons[0].code) == (Effect.DENY, "forbidden")
    assert found.reasons[0].sentence.startswith("for ben: ")
    assert last(office(FORBIDDEN)).effect is Effect.PERMIT
    shown = visible(subject(), server(), TOOLS, snapshot=two(FORBIDDEN), at=NOON)
    assert shown == frozenset(), "and nothing is shown that would be refused"
    assert ToolId("tol_rooms.book") in visible(subject(), server(), TOOLS, snapshot=two(), at=NOON)


def for_the_first_alone(request: ActionRequest, snapshot: Snapshot) -> Finding:
    return policy_stage(replace(request, companions=()), snapshot)


@pytest.mark.twin("P6")
def test_rules_that_look_at_the_first_person_alone_let_it_pass() -> None:
    careless = (*STEPS[:3], Step(stage=Stage.POLICY, judge=for_the_first_alone))
    assert findings(two(FORBIDDEN), careless)[-1].effect is Effect.PERMIT


@pytest.mark.req("R36")
def test_duties_of_each_are_united() -> None:
    found = last(two(REDACT))
    assert found.effect is Effect.PERMIT
    assert [duty.type for duty in found.obligations] == ["redact", "redact"]
    assert len(set(found.obligations)) == 2


PLAIN = rule("plain")


def asking(who: str, of: str) -> str:
    return rule(f"ask-{of}", f'@approval("{who}")', of=of)


@pytest.mark.req("R36", "N16")
def test_one_question_is_put_for_both_and_never_two() -> None:
    found = last(two(PLAIN + asking("team:leads", "ben")))
    assert (found.effect, found.approvers) == (Effect.ASK, "team:leads")
    assert any(why.sentence.startswith("for ben: ") for why in found.reasons)
    differ = asking("team:leads", "ben") + asking("owner", "ada")
    found = last(two(differ))
    assert (found.effect, found.reasons[0].code) == (Effect.DENY, "approvers_differ")


STEP = '@id("step") @stepup("urn:remit:acr:passkey") permit(principal, action, resource);'


@pytest.mark.req("R36")
def test_nobody_answers_or_signs_in_for_another() -> None:
    found = last(two(PLAIN + asking("self", "ben")))
    assert (found.effect, found.reasons[0].code) == (Effect.DENY, "companion_absent")
    mine = last(two(PLAIN + asking("self", "ada")))
    assert (mine.effect, mine.approvers) == (Effect.ASK, "self")
    signed = replace(subject(), acr="urn:remit:acr:passkey", signed_in_at=NOON)
    alone = last(office(STEP), subject=signed)
    both = last(two(STEP), subject=signed)
    assert alone.effect is Effect.PERMIT
    assert (both.effect, both.reasons[0].code) == (Effect.DENY, "companion_absent")


@pytest.mark.req("R36")
@pytest.mark.parametrize("cause", ["gone", "anothers", "person"])
def test_what_is_no_consent_of_theirs_is_none(cause: str) -> None:
    snapshot = two()
    other = replace(snapshot.grants[BENS], user=UserId("usr_ada"))
    changed = {
        "gone": replace(snapshot, grants=snapshot.grants.delete(BENS)),
        "anothers": replace(snapshot, grants=snapshot.grants.set(BENS, other)),
        "person": replace(snapshot, principals=snapshot.principals.delete(PrincipalId(BEN))),
    }
    missing = assemble(call("rooms.book"), changed[cause])
    assert not isinstance(missing, ActionRequest)
    assert missing.reason.code == ("principal_unknown" if cause == "person" else "grant_unknown")


@pytest.mark.req("R36", "R29")
def test_what_was_taken_back_counts_no_more() -> None:
    found = last(two(state=GrantState.WITHDRAWN))
    assert (found.stage, found.reasons[0].code) == (Stage.ALIVE, "grant_withdrawn")


@pytest.mark.req("R36", "N10")
def test_the_second_persons_share_is_a_factor_by_name() -> None:
    narrow = two(ceiling=ceiling(right("business/rooms.book", frozenset({"Room-1"}))))
    found = last(narrow)
    assert (found.reasons[0].code, found.reasons[0].rule) == ("resource_outside", "with ben")
