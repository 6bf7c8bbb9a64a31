"""Judge a request by the policies, and believe a yes only if nothing went wrong (PD-03, PD-04).

Cedar skips a policy that fails to evaluate, also a forbid. Here any error among the policies that apply
denies, whatever the others say. `settle` runs the compiled policies; `evaluate` asks Cedar itself: no
decision is made with it, it is what `settle` is held to.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import cedarpy

from remit.decision.answer.response import Effect
from remit.decision.call.request import ProposedCall
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.compile import Env
from remit.decision.policy.context import Question
from remit.decision.policy.program import Outcome, Program
from remit.decision.policy.rules import Rule
from remit.decision.policy.step_up import is_met

_BROKEN = re.compile(r"policy `([^`]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a set of policies says. `rules` are those that decided, in the order of the text.

    `allowed` is true only if some permit holds, no forbid does, and nothing failed.
    """

    allowed: bool
    rules: tuple[Rule, ...] = ()
    failed: tuple[str, ...] = ()
    """Ids of policies that could not be evaluated; `""` where Cedar refused the question itself."""
    debug: tuple[str, ...] = field(default=(), repr=False)


def settle(env: Env, program: Program) -> Answer:
    """Run the compiled policies; the same answer as `evaluate` for the same request."""
    return weigh(program.run(env))


def weigh(outcome: Outcome) -> Answer:
    """What the policies that apply say together."""
    permits, forbids, failed = outcome
    if failed:
        return Answer(
            allowed=False,
            failed=tuple(rule.id for rule, _ in failed),
            debug=tuple(f"policy `{rule.id}`: {why}" for rule, why in failed),
        )
    if forbids:
        return Answer(allowed=False, rules=tuple(forbids))
    return Answer(allowed=bool(permits), rules=tuple(permits))


UNASKABLE: Final = Answer(allowed=False, failed=("",))
"""For a request that Cedar has no words for."""


def evaluate(question: Question, policies: cedarpy.PolicySet, bundle: Bundle) -> Answer:
    """Ask once; every policy sees the same facts."""
    said = cedarpy.is_authorized(question.wire(), policies, question.entities)
    errors = tuple(said.diagnostics.errors)
    rules = tuple(bundle.rules[place] for place in _ordered(said.diagnostics.reasons))
    failed = tuple(_blamed(error, bundle) for error in errors)
    return Answer(
        allowed=said.decision is cedarpy.Decision.Allow and not errors and bool(rules),
        rules=() if errors else rules,
        failed=failed,
        debug=errors,
    )


def effect_of(answer: Answer, call: ProposedCall) -> Effect:
    """What an answer amounts to: a rule that needs a person beats any plain permit."""
    if not answer.allowed:
        return Effect.DENY
    asked = [needs_step_up(rule, call) for rule in answer.rules]
    if any(rule.approval for rule in answer.rules) or (any(asked) and is_headless(call)):
        return Effect.ASK
    return Effect.STEP_UP if any(asked) else Effect.PERMIT


def needs_step_up(rule: Rule, call: ProposedCall) -> bool:
    """Whether the user must sign in again: in the way that the rule names, or more lately."""
    return rule.step_up is not None and not is_met(rule.step_up, call.subject, call.at)


def is_headless(call: ProposedCall) -> bool:
    """Whether somebody is behind the call whom no sign-in brought: nobody can be sent to sign in again."""
    return call.subject.user is not None and call.subject.signed_in_at is None


def _ordered(places: Iterable[str]) -> list[str]:
    """Cedar's place names in the order of the text: `policy2` before `policy10`."""
    return sorted(places, key=lambda place: (len(place), place))


def _blamed(error: str, bundle: Bundle) -> str:
    found = _BROKEN.search(error)
    rule = bundle.rules.get(found.group(1)) if found else None
    return rule.id if rule else ""
