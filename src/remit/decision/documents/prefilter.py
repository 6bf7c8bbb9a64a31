"""Before the search: which documents could be given at all, as a condition on their ids and tags (R131).

INVARIANT: never narrower than what the sieve gives. Where something has no form as a condition, it is left
wider, `exact` is false and `open` says what narrows it afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from remit.authority.permission import applicable, suits
from remit.authority.rights import Constraint, Right
from remit.decision.answer.condition import (
    EVERY,
    NONE,
    Condition,
    IdIn,
    TagIs,
    TagThere,
    all_of,
    negation,
    size,
    some_of,
)
from remit.decision.answer.response import Effect, Mode
from remit.decision.call.company import as_each
from remit.decision.call.request import ActionRequest, Factor, ProposedCall
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.outward import known_of
from remit.decision.facts.rollout import facing
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.compile import Env
from remit.decision.policy.evaluate import needs_step_up
from remit.decision.policy.given import Unaskable, pose
from remit.decision.policy.partial import Truth, Untranslatable, condition_of, scope_of
from remit.decision.policy.parts import SCOPE, Part, probe_of
from remit.decision.policy.program import Program, compile_policy
from remit.decision.policy.rules import Rule
from remit.decision.sources.source import LEAVING, Gathered
from remit.decision.stages.lineage import lineage_stage
from remit.decision.stages.relation import related_ids
from remit.decision.stages.standing import alive_stage

LIMIT: Final = 5_000
"""Parts of a condition; what would be larger is left open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefilter:
    """What can be searched by; `open` names what is only decided by the filter afterwards."""

    condition: Condition
    open: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the filter will leave out nothing more, budgets aside."""
        return not self.open


def prefilter(call: ProposedCall, snapshot: Snapshot, gathered: Gathered | None) -> Prefilter:
    """The condition for a search: `call` is that of reading a document, without the document."""
    view = facing(snapshot, call.subject, call.at)
    request = assemble(call, view)
    if isinstance(request, Unassembled) or alive_stage(request, view).effect is not Effect.PERMIT:
        return Prefilter(condition=NONE)
    if gathered is not None:
        request = replace(request, known=known_of(gathered, request, view, None))
    bound = lineage_stage(request, view)
    if bound is not None and bound.effect is not Effect.PERMIT:
        return Prefilter(condition=NONE)
    left: list[str] = []
    found = all_of(
        [
            *(_of_factor(factor, request, left) for factor in request.factors or ()),
            NONE if not request.factors else EVERY,
            *(_of_policy(each, view.bundle, left) for each in as_each(request)),
            _of_relations(request, view, left),
        ]
    )
    if view.bundle.history is not None:
        left.append("what was done before")
    if size(found) > LIMIT:
        return Prefilter(condition=EVERY, open=("everything: the condition would be too large",))
    return Prefilter(condition=found, open=tuple(dict.fromkeys(left)))


def _of_factor(factor: Factor, request: ActionRequest, left: list[str]) -> Condition:
    ceiling, call = factor.ceiling, request.call
    if not ceiling.window.contains(call.at) or not suits(ceiling, request.purpose):
        return NONE
    rights = applicable(ceiling.rights, call.action, call.resource.type)
    return some_of(_of_right(right, factor.name, request, left) for right in rights)


def _of_right(right: Right, factor: str, request: ActionRequest, left: list[str]) -> Condition:
    named = EVERY if right.resources == "any" else IdIn(right.resources) if right.resources else NONE
    return all_of([named, *(_of_bound(each, factor, request, left) for each in right.constraints)])


def _of_bound(bound: Constraint, factor: str, request: ActionRequest, left: list[str]) -> Condition:
    """A bound on the data set; on anything else a document has no argument, and so breaks it."""
    if bound.pointer != "/dataset":
        return NONE
    documents = request.server.documents
    tag = documents.dataset_tag if documents is not None else "dataset"
    if bound.at_least is not None or bound.at_most is not None:
        left.append(f"bounds of the {factor}")
    if bound.one_of is not None:
        return some_of(TagIs(tag, value) for value in sorted(bound.one_of))
    return TagThere(tag)


def _of_policy(request: ActionRequest, bundle: Bundle, left: list[str]) -> Condition:
    """Some plain permit, no forbid, nothing that asks, nothing that fails."""
    if bundle.unproven or bundle.program is None:
        return NONE
    try:
        env = pose(request, bundle)
    except Unaskable:
        return NONE
    permits: list[Condition] = []
    against: list[Condition] = []
    for rule, truth in _truths(request, bundle, env, left):
        against.append(truth.fails)
        if rule.effect == "forbid" or _asks(rule, request.call):
            against.append(truth.holds)
        else:
            permits.append(truth.holds)
    return all_of([some_of(permits), *(negation(each) for each in against)])


def _truths(
    request: ActionRequest, bundle: Bundle, env: Env, left: list[str]
) -> Iterator[tuple[Rule, Truth]]:
    program, places = _probes(bundle)
    for number in program.held(env):
        rule, node = bundle.rules[places[number]], bundle.nodes[places[number]]
        try:
            yield rule, condition_of(node, env)
        except Untranslatable:
            left.append(f"policy `{rule.id}`")
            plain = rule.effect == "permit" and not _asks(rule, request.call)
            # The wider side: what may permit does, what may refuse does not.
            yield rule, Truth(scope_of(node, env) if plain else NONE)


def _asks(rule: Rule, call: ProposedCall) -> bool:
    """Whether a permit does not lead to a document being given: somebody is asked, or a duty is nobody's."""
    if rule.approval or any(duty.type not in LEAVING for duty in rule.obligations):
        return True
    return needs_step_up(rule, call)


@lru_cache(maxsize=16)
def _probes(bundle: Bundle) -> tuple[Program, tuple[str, ...]]:
    """A policy for each one in force that has its principal and action alone; found once per version."""
    places = tuple(place for place, rule in bundle.rules.items() if rule.mode is Mode.ENFORCE)
    probes = [
        probe_of(str(number), Part(place=place, name=SCOPE, expression=None), bundle.nodes[place])
        for number, place in enumerate(places)
    ]
    compiled = [
        compile_policy(number, bundle.rules[place], probe)
        for number, (place, probe) in enumerate(zip(places, probes, strict=True))
    ]
    return Program(zip(compiled, probes, strict=True)), places


def _of_relations(request: ActionRequest, view: Snapshot, left: list[str]) -> Condition:
    found = related_ids(request, view)
    if found is None:
        return EVERY
    if not found.complete:
        left.append("relations")
        return EVERY
    return IdIn(found.ids) if found.ids else NONE
