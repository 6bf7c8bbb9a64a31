"""Does the policy permit it? Their answer becomes a finding that a person can read."""

from typing import Final

from msgspec import structs

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import (
    Disclose,
    Effect,
    Mode,
    NearestMiss,
    Obligation,
    Observation,
    Reason,
    Stage,
    StepUp,
)
from remit.decision.answer.terms import Silence, Terms
from remit.decision.call.company import as_each, of_all
from remit.decision.call.request import ActionRequest, Facts
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.snapshot import Snapshot
from remit.decision.plugin.known import missing
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.compile import Env
from remit.decision.policy.evaluate import (
    UNASKABLE,
    Answer,
    effect_of,
    is_headless,
    needs_step_up,
    settle,
    weigh,
)
from remit.decision.policy.given import Unaskable, pose
from remit.decision.policy.lineage import texts_of
from remit.decision.policy.nearest import escape, nearest_permit
from remit.decision.policy.program import Outcome
from remit.decision.policy.rules import Rule
from remit.decision.policy.shapes import Misfit
from remit.decision.policy.step_up import together

UNBOUND_APPROVERS = "owner"
"""Who is asked about a consequential call under a token that is bound to no key."""
HEADLESS_APPROVERS = "self"
"""Who is asked where a rule wants a fresh sign-in of somebody whom no sign-in brought."""


def policy_stage(request: ActionRequest, snapshot: Snapshot) -> Finding:
    """Some permit, no forbid, no error; then people, if the permit wants them. For each person of a run."""
    if request.companions:
        return of_all(request, [_for_one(each, snapshot) for each in as_each(request)])
    return _for_one(request, snapshot)


def unforbidden(request: ActionRequest, snapshot: Snapshot) -> Finding:
    """What the stage would say if no rule forbade it: asked where break glass lifts the forbids alone."""
    if request.companions:
        each = [_for_one(one, snapshot, forbids=False) for one in as_each(request)]
        return of_all(request, each)
    return _for_one(request, snapshot, forbids=False)


def _for_one(request: ActionRequest, snapshot: Snapshot, *, forbids: bool = True) -> Finding:
    bundle = snapshot.bundle
    if bundle.unproven:
        return _denied(reason(Code.POLICY_UNVERIFIED, because=bundle.unproven))
    if not bundle.rules:
        return _denied(reason(Code.NO_POLICIES))
    try:
        env = pose(request, bundle)
    except Unaskable:
        env = None
    except Misfit as misfit:
        said = reason(Code.ARGUMENT_TYPE, argument=misfit.pointer, expected=misfit.expected)
        # The type is what the tool declares; which value of it would pass is not known from here.
        return _denied(said, NearestMiss(never=True))
    finding = stated(request, bundle, env, forbids=forbids)
    return finding if bundle.rehearsal is None else _with_rehearsal(finding, request, bundle, env)


def policy_effect(request: ActionRequest, snapshot: Snapshot) -> Finding:
    """What `policy_stage` finds, without the words: its effect, the rules that decided, and the duties.

    For questions that come by the thousand and are answered by leaving out; no nearest miss is looked for.
    """
    people = as_each(request) if request.companions else (request,)
    found = [_effect_for_one(each, snapshot.bundle) for each in people]
    strongest = max(found, key=lambda each: each.effect.strength)
    if strongest.effect is not Effect.PERMIT:
        return strongest
    duties = dict.fromkeys(duty for each in found for duty in each.obligations)
    return structs.replace(strongest, obligations=tuple(duties))


def _effect_for_one(request: ActionRequest, bundle: Bundle) -> Finding:
    if bundle.unproven or bundle.program is None:
        return Finding(stage=Stage.POLICY, effect=Effect.DENY)
    try:
        env = pose(request, bundle)
    except (Unaskable, Misfit):
        return Finding(stage=Stage.POLICY, effect=Effect.DENY)
    outcome = bundle.program.run(env)
    plain = _plain(request, outcome)
    if plain is not None:
        return plain
    answer = weigh(outcome)
    effect = effect_of(answer, request.call)
    if effect is Effect.PERMIT and _needs_key(request):
        effect = Effect.ASK
    return Finding(
        stage=Stage.POLICY,
        effect=effect,
        obligations=_obligations(answer.rules) if answer.allowed else (),
        detail=tuple(rule.id for rule in answer.rules) or answer.failed,
    )


def stated(request: ActionRequest, bundle: Bundle, env: Env | None, *, forbids: bool = True) -> Finding:
    """What the rules in force say to a question as it was posed; what is only rehearsed is left aside."""
    if bundle.program is None:
        return _denied(reason(Code.NO_POLICIES))
    if env is None:
        return _erred(UNASKABLE)
    if bundle.looks and (unknown := _unknown(request, bundle, env)) is not None:
        return unknown
    outcome = bundle.program.run(env)
    if not forbids:
        outcome = (outcome[0], [], outcome[2])
    plain = _plain(request, outcome)
    return finding_of(request, bundle, env, weigh(outcome)) if plain is None else plain


def _unknown(request: ActionRequest, bundle: Bundle, env: Env) -> Finding | None:
    """A refusal where a rule that applies looks at a fact that no plugin gave: `has` would say `false`.

    INVARIANT: rules about the past are among them, so that none is judged without its facts (R65).
    """
    past = bundle.history
    programs = (bundle.program, past.remembering, past.forbidding) if past else (bundle.program,)
    for program in programs:
        for policy in program.applying(env) if program is not None else ():
            names = bundle.looks.get(policy.rule.id)
            if names and (absent := missing(names, request.facts or Facts())) is not None:
                name, why = absent
                return _denied(reason(Code.FACT_MISSING, rule=policy.rule.id, name=name, why=why))
    return None


_KEPT_LIMIT: Final = 4096
_kept: dict[tuple[int, ...], tuple[list[Rule], Finding]] = {}


def _plain(request: ActionRequest, outcome: Outcome) -> Finding | None:
    """What is found where all that hold are permits that ask for nothing: always the same, so it is kept.

    INVARIANT: an entry holds the rules whose addresses are its key, and such a finding hangs on nothing else.
    """
    permits, forbids, failed = outcome
    if failed or forbids or not permits or _needs_key(request):
        return None
    place = tuple(map(id, permits))
    kept = _kept.get(place)
    if kept is not None:
        return kept[1]
    if any(rule.approval or rule.step_up for rule in permits):
        return None
    if len(_kept) >= _KEPT_LIMIT:
        _kept.clear()
    found = Finding(
        stage=Stage.POLICY,
        effect=Effect.PERMIT,
        reasons=tuple(_reason(Code.PERMITTED, rule) for rule in permits),
        obligations=_obligations(tuple(permits)),
        detail=tuple(rule.id for rule in permits),
    )
    _kept[place] = (permits, found)
    return found


def finding_of(request: ActionRequest, bundle: Bundle, env: Env, answer: Answer) -> Finding:
    """An answer as the finding of this stage."""
    if answer.failed:
        return _erred(answer)
    if not answer.allowed:
        return _refused(request, bundle, env, answer)
    return _allowed(request, bundle, env, answer)


def _erred(answer: Answer) -> Finding:
    return _denied(*(reason(Code.POLICY_ERROR, rule=name or "policy set") for name in answer.failed[:1]))


def _refused(request: ActionRequest, bundle: Bundle, env: Env, answer: Answer) -> Finding:
    if answer.rules:
        return _forbidden(request, bundle, env, answer)
    near = nearest_permit(env, bundle, request)
    if near is None:
        call = request.call
        said = reason(
            Code.NO_PERMIT,
            action=call.action,
            resource=f"{call.resource.type}:{call.resource.id}",
            agent=request.principal.name,
        )
        return _denied(said, NearestMiss(never=True))
    said = _reason(Code.CONDITION_FAILED, near.rule, because=_because(near.rule))
    misses = near.misses or (NearestMiss(never=True, rule=near.rule.id),)
    return _denied(said, *misses, disclose=near.rule.disclose)


def _forbidden(request: ActionRequest, bundle: Bundle, env: Env, answer: Answer) -> Finding:
    reasons = tuple(
        _reason(Code.FORBIDDEN, rule, because=_because(rule) + _informed_by(rule, request, bundle))
        for rule in answer.rules
    )
    first = answer.rules[0]
    misses = escape(env, bundle, request, first) if len(answer.rules) == 1 else ()
    return Finding(
        stage=Stage.POLICY,
        effect=Effect.DENY,
        reasons=reasons,
        nearest_miss=misses or (NearestMiss(never=True, rule=first.id),),
        disclose=max((rule.disclose for rule in answer.rules), key=_SECRECY.index),
        detail=tuple(rule.id for rule in answer.rules),
    )


_SECRECY = (Disclose.FULL, Disclose.REMEDY, Disclose.CODE)


def _allowed(request: ActionRequest, bundle: Bundle, env: Env, answer: Answer) -> Finding:
    reasons = tuple(_said(rule, request, bundle) for rule in answer.rules)
    if _needs_key(request):
        reasons = (*reasons, reason(Code.KEY_NOT_BOUND, approvers=UNBOUND_APPROVERS))
    effect = max((said.effect for said in reasons), key=lambda found: found.strength)
    asking = next((rule for rule in answer.rules if rule.approval), None)
    return Finding(
        stage=Stage.POLICY,
        effect=effect,
        reasons=tuple(sorted(reasons, key=lambda said: -said.effect.strength)),
        nearest_miss=_instead(request, bundle, env, asking) if effect is Effect.ASK else (),
        obligations=_obligations(answer.rules),
        approvers=_approvers(asking, request) if effect is Effect.ASK else "",
        terms=_terms(request, answer) if effect is Effect.ASK else None,
        step_up=_demanded(request, answer) if effect is Effect.STEP_UP else None,
        detail=tuple(rule.id for rule in answer.rules),
    )


def _said(rule: Rule, request: ActionRequest, bundle: Bundle) -> Reason:
    if rule.approval:
        because = _because(rule) + _informed_by(rule, request, bundle)
        return _reason(Code.APPROVAL_REQUIRED, rule, approvers=rule.approval, because=because)
    if rule.step_up is None or not needs_step_up(rule, request.call):
        return _reason(Code.PERMITTED, rule)
    if is_headless(request.call):
        return _reason(Code.APPROVAL_REQUIRED, rule, approvers=HEADLESS_APPROVERS, because=_because(rule))
    return _reason(Code.STEP_UP_REQUIRED, rule, acr=rule.step_up.acr)


def _needs_key(request: ActionRequest) -> bool:
    """A plain Bearer token works for whoever holds it: what can do harm is then asked."""
    return request.call.consequential and not request.call.subject.key


def _approvers(asking: Rule | None, request: ActionRequest) -> str:
    if asking:
        return asking.approval
    return UNBOUND_APPROVERS if _needs_key(request) else HEADLESS_APPROVERS


def _terms(request: ActionRequest, answer: Answer) -> Terms | None:
    """What all that ask say together: a yes is as wide as the one rule that asks has it, else for once."""
    asking = [rule for rule in answer.rules if rule.approval]
    if not asking:
        return None
    said = {rule.silence for rule in asking if rule.silence is not None}
    alike = len(asking) == 1 and not _needs_key(request)
    sole = alike and not any(needs_step_up(rule, request.call) for rule in answer.rules)
    return Terms(
        silence=min(said, key=_STRICTNESS.index) if said else None,
        bound=asking[0].bound if sole else None,
        rules=tuple(rule.id for rule in asking),
    )


_STRICTNESS: Final = (Silence.DENY, Silence.READ_ONLY, Silence.ESCALATE, Silence.WAIT)


def _demanded(request: ActionRequest, answer: Answer) -> StepUp:
    """All that the rules demand of the sign-in, as one demand."""
    return together(
        [rule.step_up for rule in answer.rules if rule.step_up and needs_step_up(rule, request.call)]
    )


def _instead(
    request: ActionRequest, bundle: Bundle, env: Env, asking: Rule | None
) -> tuple[NearestMiss, ...]:
    """Either a yes, or what would need none."""
    yes = NearestMiss(
        approval_from=_approvers(asking, request),
        except_=(f"user:{request.user.name}",) if request.user else (),
        rule=asking.id if asking else "",
    )
    near = nearest_permit(env, bundle, request, plain=True) if asking else None
    return (*(near.misses if near else ()), yes)


def _obligations(rules: tuple[Rule, ...]) -> tuple[Obligation, ...]:
    """Those of every permit that decided, each once: one that is owed is not waived by another permit."""
    return tuple(dict.fromkeys(duty for rule in rules for duty in rule.obligations))


def _reason(code: Code, rule: Rule, **places: object) -> Reason:
    """A reason that a policy gives, with what the policy carries out and where it comes from (R61)."""
    said = reason(code, rule=rule.id, **places)
    if not rule.controls and not rule.source:
        return said
    return structs.replace(said, controls=rule.controls, source=rule.source)


def _because(rule: Rule) -> str:
    return f": {rule.reason}" if rule.reason else ""


_SOURCES: Final = 4


def _informed_by(rule: Rule, request: ActionRequest, bundle: Bundle) -> str:
    """Which data in the context the rule is about: the sources of the labels that it writes down (N44)."""
    known = request.known
    if known is None or not known.labels:
        return ""
    node = next((bundle.nodes[place] for place, each in bundle.rules.items() if each is rule), None)
    named = dict.fromkeys(text for text in texts_of(node) if text in known.labels) if node else {}
    told = [f"`{known.labels[label]}` ({label})" for label in named][:_SOURCES]
    return f"; in its context: {', '.join(told)}" if told else ""


def _denied(*reasons_and_misses: Reason | NearestMiss, disclose: Disclose = Disclose.FULL) -> Finding:
    misses = tuple(part for part in reasons_and_misses if isinstance(part, NearestMiss))
    return Finding(
        stage=Stage.POLICY,
        effect=Effect.DENY,
        reasons=tuple(part for part in reasons_and_misses if isinstance(part, Reason)),
        nearest_miss=misses or (NearestMiss(never=True),),
        disclose=disclose,
    )


def _with_rehearsal(finding: Finding, request: ActionRequest, bundle: Bundle, env: Env | None) -> Finding:
    """Note what the policies that are not in force would have changed; apply nothing of it (N7)."""
    if bundle.rehearsal is None:
        return finding
    answer = UNASKABLE if env is None else settle(env, bundle.rehearsal)
    would = effect_of(answer, request.call)
    if would is finding.effect:
        return finding
    known = {rule.id: rule for rule in bundle.rules.values()}
    shadows = [
        rule
        for rule in (*answer.rules, *(known[name] for name in answer.failed if name in known))
        if rule.mode is not Mode.ENFORCE
    ]
    observed = tuple(
        Observation(
            rule=rule.id,
            mode=rule.mode,
            effect=would,
            sentence=f"policy `{rule.id}` would turn `{finding.effect}` into `{would}`{_because(rule)}",
        )
        for rule in shadows
    )
    return structs.replace(finding, observed=observed)
