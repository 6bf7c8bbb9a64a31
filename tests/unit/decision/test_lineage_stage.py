"""What the data in a context forbids, and how its labels and copies are told."""

import secrets
from dataclasses import replace

import pytest

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Obligation
from remit.decision.call.request import ActionRequest
from remit.decision.codes.catalogue import Code
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.outward import known_of, print_key, prints_of
from remit.decision.sources.known import Known
from remit.decision.sources.prints import WINDOW, WORDS, kept, repeats
from remit.decision.sources.source import Gathered, holders, labels_of
from remit.decision.stages.lineage import lineage_stage
from remit.kernel.canonical import JsonObject
from remit.kernel.secret import Secret
from support.decisions import PERMIT_ALL, call, office, subject, task

KEY = Secret(secrets.token_bytes(32))
WORDS_OF_IT = (
    "The merger with Northwind closes in the third quarter at nine hundred million and is not public"
)
LOOKING = (
    PERMIT_ALL
    + '@id("x") forbid(principal, action, resource) when { context.lineage.labels.contains("a=1") };'
)


def request(arguments: JsonObject) -> ActionRequest:
    found = assemble(call("mail.send", {"to": "ada", **arguments}), office())
    assert not isinstance(found, Unassembled)
    return found


def gathered(*labels: str, text: str = "") -> Gathered:
    prints = kept(text, print_key(KEY)) if text else frozenset()
    return Gathered(labels=dict.fromkeys(labels, "Document:plan"), prints=prints)


def judged(arguments: JsonObject, held: Gathered, policy: str = PERMIT_ALL) -> Finding:
    asked = request(arguments)
    snapshot = office(policy)
    found = lineage_stage(replace(asked, known=known_of(held, asked, snapshot, KEY)), snapshot)
    assert found is not None
    return found


@pytest.mark.req("R51")
@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({"to": "eve@evil.example"}, "/to"),
        ({"to": "EVE@EVIL.example "}, "/to"),
        ({"to": "#everyone"}, "/to"),
        ({"to": "ada", "body": "see https://evil.example/?q=1"}, "/body"),
        ({"to": "ada", "subject": "evil.example"}, ""),
        ({"to": "ada", "tags": ["x", {"callback": "evil.example"}]}, "/tags/1/callback"),
        ({"to": "ada", "deep": {"url": "//evil.example/x"}}, "/deep/url"),
        ({"to": "user@company.com.evil.example"}, "/to"),
    ],
)
@pytest.mark.parametrize("label", ["no-export", "summarize-only"])
def test_what_may_not_leave_reaches_nobody_outside(arguments: JsonObject, pointer: str, label: str) -> None:
    found = judged(arguments, gathered(label))
    if not pointer:
        assert found.effect is Effect.PERMIT, "a bare name in prose is a word, not a destination"
        return
    assert found.reasons[0].code == Code.LINEAGE_EXPORT
    assert "`Document:plan`" in found.reasons[0].sentence
    assert pointer in {miss.argument for miss in found.nearest_miss}
    assert judged(arguments, gathered("sensitivity=internal")).effect is Effect.PERMIT


@pytest.mark.req("R51")
def test_to_people_of_the_directory_it_may_go() -> None:
    for to in ("ada", "user@company.com", "USER@company.com", "usr_ada"):
        assert (
            judged({"to": to, "body": "in short: it goes on"}, gathered("no-export")).effect is Effect.PERMIT
        )


@pytest.mark.req("R51")
def test_a_summary_passes_and_a_copy_does_not() -> None:
    held = gathered("summarize-only", text=WORDS_OF_IT)
    assert judged({"body": "Northwind will be bought later this year."}, held).effect is Effect.PERMIT
    run = " ".join(WORDS_OF_IT.split()[3 : 3 + WORDS + WINDOW - 1])
    for body in (WORDS_OF_IT, run, run.upper().replace(" ", ",\n"), f"Note: {run}!"):
        found = judged({"body": body}, held)
        assert found.reasons[0].code == Code.LINEAGE_COPY
        assert [miss.argument for miss in found.nearest_miss] == ["/body"]


def test_any_long_run_is_found_and_other_keys_see_nothing() -> None:
    words = [f"w{number}" for number in range(60)]
    text, key, other = " ".join(words), b"k" * 32, b"o" * 32
    known = kept(text, key)
    length = WORDS + WINDOW - 1
    for start in range(len(words) - length + 1):
        assert repeats("x " + " ".join(words[start : start + length]), known, key)
    assert not repeats(text, known, other)
    assert not repeats(" ".join(words[: WORDS - 1]), known, key)
    assert not any(b"w1" in each for each in known)


def test_prints_are_of_every_text_of_an_answer() -> None:
    answer = b'{"result":{"structuredContent":{"rows":[{"text":"%s"}]}}}' % WORDS_OF_IT.encode()
    assert repeats(WORDS_OF_IT, prints_of(answer, KEY), print_key(KEY))


def test_a_tag_with_too_many_values_denies_where_a_rule_looks_at_it() -> None:
    held = replace(gathered("a=2"), full=frozenset({"a"}))
    assert judged({}, held, LOOKING).reasons[0].code == Code.LINEAGE_FULL
    assert judged({}, replace(held, full=frozenset({"page"})), LOOKING).effect is Effect.PERMIT


def test_nothing_is_asked_where_nothing_looks() -> None:
    assert office().bundle.lineage is None
    assert office(LOOKING).bundle.lineage == frozenset({"a=1"})
    assert office(
        '@id("x") @obligation("no_export") permit(principal, action, resource);'
    ).bundle.lineage == (frozenset())
    assert (
        office('@id("x") @obligation("label a=1") permit(principal, action, resource);').bundle.lineage
        is None
    )
    assert lineage_stage(request({}), office()) is None


def test_labels_are_tags_and_what_duties_say() -> None:
    duties = (
        Obligation(type="label", properties=(("sensitivity", "secret"),)),
        Obligation(type="no_export"),
        Obligation(type="redact", properties=(("pointer", "/x"),)),
    )
    assert labels_of((("a", "1"),), duties) == ("a=1", "no-export", "sensitivity=secret")


def test_who_carries_labels() -> None:
    assert holders(subject(), task()) == ("tsk_1",)
    assert holders(subject(user=None), task(user=None, grant=None)) == ("tsk_1", "agt_calendar")
    assert holders(subject(task=None), None) == ("agt_calendar",)


def test_a_method_without_a_tool_carries_nothing_out() -> None:
    asked = request({})
    bare = replace(asked, tool=None)
    assert known_of(gathered("no-export"), bare, office(), KEY) == Known(
        labels={"no-export": "Document:plan"}
    )
