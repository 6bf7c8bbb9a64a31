"""What one policy text lets through or holds back against another, each with a request that shows it."""

import time
from collections.abc import Iterator
from typing import Final

import z3

from remit.decision.policy.analysis.bench import Bench, benches_of
from remit.decision.policy.analysis.outcome import outcome_of
from remit.decision.policy.analysis.report import (
    PATIENCE,
    Class,
    Found,
    Patience,
    Report,
    Unconfirmed,
    report,
)
from remit.decision.policy.analysis.symbols import Term
from remit.decision.policy.analysis.texts import Text
from remit.decision.policy.analysis.witness import Witness
from remit.kernel.canonical import JsonObject


def compare(text: str, against: str, schema: JsonObject, *, patience: Patience = PATIENCE) -> Report:
    """Say what publishing `text` over `against` lets through or holds back; raises `PolicyRefused`."""
    begun = time.monotonic()
    new, old = Text.of(text), Text.of(against)
    benches, undecided = benches_of([new, old], schema, patience, begun)
    found: dict[tuple[Class, str], Found] = {}
    for mine, theirs in benches:
        for each in _differences(new, old, mine, theirs):
            found.setdefault((each.kind, each.rule), each)
    for mine, theirs in benches:
        undecided += [*mine.undecided, *theirs.undecided]
    if new.marking != old.marking:
        undecided.append("what is remembered is not the same, and what follows of it is not compared")
    if not found and not undecided:
        same = Found(kind=Class.EQUIVALENT, rule="", sentence="both texts answer every request alike")
        found[Class.EQUIVALENT, ""] = same
    return report(found.values(), undecided, len(benches), begun)


def _differences(new: Text, old: Text, mine: Bench, theirs: Bench) -> Iterator[Found]:
    """What one kind of request shows, rule by rule of the text that lets it through."""
    now = outcome_of([(new.rules[place], held) for place, held in mine.held.items()])
    then = outcome_of([(old.rules[place], held) for place, held in theirs.held.items()])
    yield from _each(Class.WIDENED, new, mine, now.looser(then), new, old)
    yield from _each(Class.NARROWED, old, theirs, then.looser(now), new, old)
    other = z3.And(now.differs(then), z3.Not(now.looser(then)), z3.Not(then.looser(now)))
    shown = mine.ask("both texts", other)
    if shown is not None:
        yield _compared(Class.CHANGED, "", shown, new, old)


def _each(kind: Class, text: Text, bench: Bench, differs: Term, new: Text, old: Text) -> Iterator[Found]:
    for place, held in bench.held.items():
        rule = text.rules[place]
        if rule.effect == "permit":
            shown = bench.ask(rule.id, differs, held.holds)
            if shown is not None and text.holds(place, shown.env):
                yield _compared(kind, rule.id, shown, new, old)


_SAID: Final = {
    Class.WIDENED: "it lets through what was not let through, or with less",
    Class.NARROWED: "what it let through is no longer let through, or only with more",
    Class.CHANGED: "somebody else is asked, or something else is owed",
}


def _compared(kind: Class, rule: str, shown: Witness, new: Text, old: Text) -> Found:
    now, then = new.answer(shown.env), old.answer(shown.env)
    sentence = _SAID[kind]
    if now.same(then):
        raise Unconfirmed(f"`{rule}` was found {kind}, and the evaluator answers both alike")
    return Found(
        kind=kind, rule=rule, sentence=sentence, request=shown.told(), answer=now.told(), before=then.told()
    )
