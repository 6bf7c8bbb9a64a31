"""Least privilege from a noisy trace: exactly what is needed, nothing that was planted (N8)."""

import pytest

from remit.assurance.posture.doubt import Answers, Why
from remit.assurance.posture.drafting import drafted
from remit.assurance.posture.learning import Lesson, learn
from remit.decision.answer.response import Effect
from support.traces import AGENT, Trace, base, month

SUBJECT = f"agent:{AGENT}"
SEEDS = (1, 2, 3)


def lesson(trace: Trace, **answers: frozenset[str]) -> Lesson:
    return Lesson(subject=SUBJECT, profiles=trace.profiles(), answers=Answers(**answers))


@pytest.mark.req("N8")
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_needed_is_proposed_and_nothing_that_was_planted(seed: int) -> None:
    trace = month(seed)
    learned = learn(trace.uses, lesson(trace))
    held = {use.decision for use in trace.uses if any(need.holds(use) for need in learned.needs)}
    assert held & trace.planted == set()
    assert trace.needed - held == set()
    assert {need.action for need in learned.needs} == {
        "shop/mail.send", "shop/orders.read", "shop/queue.list", "shop/refunds.create",
    }  # fmt: skip


@pytest.mark.req("N8")
@pytest.mark.parametrize("seed", SEEDS)
def test_the_draft_as_it_is_decided_denies_exactly_the_planted_calls(seed: int) -> None:
    trace = month(seed)
    text = drafted(base(), [learn(trace.uses, lesson(trace))])
    before = dict(trace.answers(base()))
    for ident, after in trace.answers(text):
        if ident in trace.needed:
            assert after.effect is before[ident].effect, (ident, trace.calls[ident], after.reasons)
            assert after.approvers == before[ident].approvers
        else:
            assert after.effect is Effect.DENY, (ident, trace.calls[ident])


@pytest.mark.req("N8")
def test_every_planted_call_is_a_question_with_its_evidence() -> None:
    trace = month(1)
    learned = learn(trace.uses, lesson(trace))
    asked = {use.decision for each in learned.doubts if not each.taken for use in each.uses}
    assert asked == trace.planted
    whys = {each.why for each in learned.doubts if not each.taken}
    assert whys == {Why.RARE, Why.RARE_RESOURCE, Why.RARE_VALUE, Why.UNTRUSTED}
    assert all(each.evidence.examples for each in learned.doubts)
    assert len({each.id for each in learned.doubts}) == len(learned.doubts)


@pytest.mark.req("N8")
def test_a_draft_has_no_finding_that_was_not_there_and_only_narrows() -> None:
    analysis = pytest.importorskip("remit.decision.policy.analysis.findings", exc_type=ImportError)
    comparison = pytest.importorskip("remit.decision.policy.analysis.comparison", exc_type=ImportError)
    trace = month(1)
    text, schema = drafted(base(), [learn(trace.uses, lesson(trace))]), trace.cast.schema(())
    before, after = analysis.analyze(base(), schema), analysis.analyze(text, schema)
    assert {(each.kind, each.rule) for each in after.findings} <= {
        (each.kind, each.rule) for each in before.findings
    }
    assert not after.undecided
    assert {each.kind for each in comparison.compare(text, base(), schema).findings} == {"narrowed"}


def test_a_person_takes_in_and_leaves_out_and_ids_stay() -> None:
    trace = month(1)
    plain = learn(trace.uses, lesson(trace))
    asked = {
        each.why: each for each in plain.doubts if each.action in {"shop/keys.create", "shop/queue.list"}
    }
    wanted = asked[Why.RARE].id
    taken = learn(trace.uses, lesson(trace, take=frozenset({wanted}), leave=frozenset({"all"})))
    assert taken.open == ()
    assert {need.action for need in taken.needs} == {
        "shop/keys.create", "shop/mail.send", "shop/orders.read", "shop/queue.list",
    }, "what moves money was left out with all others"  # fmt: skip
    assert [each.id for each in taken.doubts if each.taken] == [wanted]
    keys = next(need for need in taken.needs if need.action == "shop/keys.create")
    assert keys.extent.names == {"backdoor"}, "of what is taken in, only what it names"
    assert {each.id for each in taken.doubts} <= {each.id for each in plain.doubts}
