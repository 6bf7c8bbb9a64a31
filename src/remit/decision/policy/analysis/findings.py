"""What is wrong with a policy set; each finding with a request that shows it.

The solver proposes, the real evaluator confirms: what it does not confirm is not told as a finding.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import z3

from remit.decision.policy.analysis.bench import Bench, benches_of
from remit.decision.policy.analysis.outcome import DENY, outcome_of
from remit.decision.policy.analysis.report import PATIENCE, Class, Found, Patience, Report, report
from remit.decision.policy.analysis.symbols import Term, Unanalyzable
from remit.decision.policy.analysis.texts import Answer, Text
from remit.decision.policy.analysis.translate import translate_policy
from remit.decision.policy.analysis.witness import Witness
from remit.decision.policy.parts import parts_of, probe_of
from remit.decision.policy.rules import Rule
from remit.kernel.canonical import JsonObject


def analyze(text: str, schema: JsonObject, *, patience: Patience = PATIENCE) -> Report:
    """Look for rules that say nothing, or too much; raises `PolicyRefused`."""
    begun = time.monotonic()
    policies = Text.of(text)
    benches, undecided = benches_of([policies], schema, patience, begun)
    found: list[Found] = []
    for place in policies.nodes:
        found += _of_rule(policies, place, [bench for each in benches for bench in each], undecided)
    for (bench,) in benches:
        undecided += bench.undecided
    return report(found, undecided, len(benches), begun)


def _of_rule(policies: Text, place: str, benches: Sequence[Bench], undecided: list[str]) -> Iterator[Found]:
    """The one thing that is wrong with a rule, if anything."""
    rule = policies.rules[place]
    if not all(place in bench.held for bench in benches):
        return
    if _nothing(benches, rule.id, (bench.held[place].holds for bench in benches)):
        yield _never(policies, place, benches, undecided)
        return
    claims = _CLAIMS if rule.effect == "permit" else _CLAIMS[-1:]
    for is_so, found_of in claims:
        if is_so(policies, place, benches):
            shown = _shown(place, rule, benches)
            found = found_of(policies, place, shown) if shown else None
            if found is None:
                undecided.append(f"{rule.id}: the evaluator does not confirm what the solver says")
            else:
                yield found
            return


def _shown(place: str, rule: Rule, benches: Sequence[Bench]) -> Witness | None:
    """A request that the rule holds of, with money in it if there is one."""
    with_money = (
        bench.ask(rule.id, bench.held[place].holds, bench.scene.stage.context.each["money"][0])
        for bench in benches
    )
    return _first(with_money) or _first(bench.ask(rule.id, bench.held[place].holds) for bench in benches)


def _first(found: Iterable[Witness | None]) -> Witness | None:
    return next((each for each in found if each is not None), None)


def _nothing(benches: Sequence[Bench], what: str, wanted: Iterable[Term]) -> bool:
    """Whether no request of any kind is so; false also where that is not decided."""
    return all(bench.excludes(what, term) for bench, term in zip(benches, wanted, strict=True))


def _never(policies: Text, place: str, benches: Sequence[Bench], undecided: list[str]) -> Found:
    """Show a request that satisfies as much of the rule as any: all of it but one part, if there is one."""
    rule, node = policies.rules[place], policies.nodes[place]
    parts = list(parts_of(place, node))
    for left in parts:
        probes = [probe_of(place, part, node) for part in parts if part is not left]
        for bench in benches:
            try:
                held = [translate_policy(probe, bench.scene.stage).holds for probe in probes]
            except Unanalyzable:
                continue
            shown = bench.ask(rule.id, *held)
            if shown is not None and not policies.holds(place, shown.env):
                said = f"no request satisfies it; the one shown satisfies all of it but {_part(left.name)}"
                return _found(Class.NEVER_SATISFIED, rule, said, shown, policies.answer(shown.env))
    shown = _first(bench.ask(rule.id) for bench in benches)
    if shown is None:
        undecided.append(f"{rule.id}: there is no request at all")
        return Found(kind=Class.NEVER_SATISFIED, rule=rule.id, sentence="no request satisfies it")
    return _found(
        Class.NEVER_SATISFIED,
        rule,
        "no request satisfies it, or any part of it",
        shown,
        policies.answer(shown.env),
    )


def _part(name: str) -> str:
    return f"its {name}" if not name.isdigit() else f"condition {int(name) + 1}"


def _allows_all(policies: Text, place: str, benches: Sequence[Bench]) -> bool:
    rule = policies.rules[place]
    if rule.approval or rule.step_up:
        return False
    return _nothing(benches, rule.id, (z3.Not(bench.held[place].holds) for bench in benches))


def _told_all(policies: Text, place: str, shown: Witness) -> Found | None:
    if not policies.holds(place, shown.env):
        return None
    said = "it permits every request of everybody"
    return _found(Class.ALWAYS_ALLOWS, policies.rules[place], said, shown, policies.answer(shown.env))


def _shadowed(policies: Text, place: str, benches: Sequence[Bench]) -> bool:
    forbids = _forbids(policies)

    def alone(bench: Bench) -> Term:
        over = z3.Or([bench.held[other].holds for other in forbids if other in bench.held])
        return z3.And(bench.held[place].holds, z3.Not(over))

    return bool(forbids) and _nothing(benches, policies.rules[place].id, map(alone, benches))


def _told_shadowed(policies: Text, place: str, shown: Witness) -> Found | None:
    by = [policies.rules[other].id for other in _forbids(policies) if policies.holds(other, shown.env)]
    found = policies.answer(shown.env)
    if found.effect != DENY or not by or not policies.holds(place, shown.env):
        return None
    said = f"whenever it holds a forbid does too, as `{', '.join(by)}` for the request shown"
    return _found(Class.SHADOWED, policies.rules[place], said, shown, found)


def _forbids(policies: Text) -> list[str]:
    return [other for other, each in policies.rules.items() if each.effect == "forbid"]


def _ineffective(policies: Text, place: str, benches: Sequence[Bench]) -> bool:
    def matters(bench: Bench) -> Term:
        with_it = outcome_of([(policies.rules[each], held) for each, held in bench.held.items()])
        rest = [(policies.rules[each], held) for each, held in bench.held.items() if each != place]
        concerned = z3.Or(bench.held[place].holds, bench.held[place].fails)
        return z3.And(concerned, with_it.differs(outcome_of(rest)))

    # With a rule that has no form here nothing can be said of all of them together.
    if not all(len(bench.held) == len(policies.nodes) for bench in benches):
        return False
    return _nothing(benches, policies.rules[place].id, map(matters, benches))


def _told_ineffective(policies: Text, place: str, shown: Witness) -> Found | None:
    here, without = policies.answer(shown.env), policies.answer(shown.env, without=place)
    if not here.same(without) or not policies.holds(place, shown.env):
        return None
    said = f"without it every answer would be the same; to the request shown still {without.told()}"
    return _found(Class.INEFFECTIVE, policies.rules[place], said, shown, here)


_CLAIMS: Final = (
    (_allows_all, _told_all),
    (_shadowed, _told_shadowed),
    (_ineffective, _told_ineffective),
)
"""What can be wrong with a rule, gravest first: whether it is so of all requests, and how one shows it."""


def _found(kind: Class, rule: Rule, said: str, shown: Witness, answer: Answer) -> Found:
    return Found(kind=kind, rule=rule.id, sentence=said, request=shown.told(), answer=answer.told())
