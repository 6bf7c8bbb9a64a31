"""A candidate policy on decisions that were made: what it would have answered, from what is on record (N5).

Only policy is asked again, with its rules about the past; what the other stages found then stays. A decision
counts only if the version that made it, asked again with the same facts, gives the recorded answer: else the
facts are not those of then, and it is counted as not made again, with why, never guessed.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from remit.authority.rights import Money
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Mode, Stage
from remit.decision.call.alike import Alike
from remit.decision.call.request import ActionRequest
from remit.decision.codes.names import Code
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.given import Unaskable, pose
from remit.decision.policy.program import Program, compile_policy
from remit.decision.policy.shapes import Misfit
from remit.decision.replaying.past import Pasts, of_the_past, recorded_past
from remit.decision.replaying.recorded import RecordedFinding, RecordedTrace, Remembered
from remit.decision.replaying.remaking import Lost, Remaker
from remit.decision.sources.known import Known
from remit.decision.stages.policy import HEADLESS_APPROVERS, policy_stage, stated
from remit.decision.trials.fixtures import empty
from remit.decision.trials.running import Reader

_ASIDE: Final = frozenset({Stage.POLICY, Stage.OVERSIGHT})
_FIRST: Final = frozenset({Stage.ALIVE, Stage.AUTHORITY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A decision that the candidate answers otherwise."""

    decision: str
    agent: str
    action: str
    resource: str
    before: Effect
    after: Effect
    rule: str
    """What of the candidate decides."""
    money: Money | None


@dataclass(slots=True)
class Alteration:
    """Changes of one kind for one agent: how many, and the one that moves most money, else the first."""

    count: int
    largest: Change


@dataclass(slots=True)
class Replay:
    """What came of it. Its size is bounded by agents, however many decisions there were."""

    total: int = 0
    same: int = 0
    changed: int = 0
    lost: Counter[Lost] = field(default_factory=Counter)
    alterations: dict[tuple[Effect, Effect, str], Alteration] = field(default_factory=dict)
    """By effect before and after, and name of the agent."""

    def add(self, found: Change | Lost | None) -> None:
        """Count one decision."""
        self.total += 1
        if found is None:
            self.same += 1
        elif isinstance(found, Lost):
            self.lost[found] += 1
        else:
            self._alter(found)

    def join(self, later: "Replay") -> None:
        """Count what came of later decisions too; of equally large changes the first one stays."""
        self.total += later.total
        self.same += later.same
        self.changed += later.changed
        self.lost += later.lost
        for place, alteration in later.alterations.items():
            known = self.alterations.get(place)
            if known is None:
                self.alterations[place] = alteration
                continue
            known.count += alteration.count
            if _minor(alteration.largest) > _minor(known.largest):
                known.largest = alteration.largest

    def _alter(self, found: Change) -> None:
        self.changed += 1
        known = self.alterations.setdefault(
            (found.before, found.after, found.agent), Alteration(count=0, largest=found)
        )
        known.count += 1
        if _minor(found) > _minor(known.largest):
            known.largest = found


def _minor(change: Change) -> int:
    return change.money.minor if change.money else -1


class Replayer:
    """Makes decisions again, oldest first; it remembers both pasts from one to the next.

    `made_with` gives the version of a name, proven; None for one that is not believed.
    """

    def __init__(
        self,
        candidate: Bundle,
        *,
        made_with: Callable[[str], Bundle | None],
        reader: Reader,
        snapshot: Snapshot | None = None,
    ) -> None:
        self._candidate = candidate
        self._made_with = made_with
        self._maker = Remaker(reader)
        self._pasts = Pasts(snapshot or empty(candidate), candidate)
        self._pairs: dict[str, _Pair] = {}

    def replay(self, remembered: Iterable[Remembered], into: Replay) -> None:
        """Make each decision again."""
        for each in remembered:
            found = self._again(each)
            if each.stored.footprints:
                self._pasts.passed(each.stored, lost=isinstance(found, Lost))
            into.add(found)

    def _again(self, told: Remembered) -> Change | Lost | None:  # noqa: PLR0911 — each way out has its own reason
        """What the candidate changes about one decision; None if nothing."""
        found = told.stored.explanation
        recorded = _by_policy(found)
        # It was refused before policy was asked: no policy changes that.
        if recorded is None:
            return None
        if found.glasses:
            return Lost.GLASS
        request = self._maker.request(told)
        if isinstance(request, Lost):
            return request
        pair = self._pair(found.verdict.policy_version)
        if pair is None:
            return Lost.FACTS
        if pair.unlooked:
            return Lost.LINEAGE
        control, fresh = pair.answers(request)
        if _signed_in(control) or (fresh is not control and _signed_in(fresh)):
            return Lost.SIGN_IN
        if not _agrees(control, recorded):
            return Lost.FACTS
        return self._compared(told, request, pair, control, fresh)

    def _compared(
        self, told: Remembered, request: ActionRequest, pair: "_Pair", control: Finding, fresh: Finding
    ) -> Change | Lost | None:
        """Both answers with what the other stages said, and with what either past says."""
        others = _others(told.stored.explanation)
        before, after, rule = control.effect, fresh.effect, fresh
        if pair.looks_back:
            was = self._was(told, request, pair.then, refused=Effect.DENY in {before, others})
            if isinstance(was, Lost):
                return was
            carried = told.stored.explanation.verdict.effect is Effect.PERMIT
            new = self._pasts.now(request, carried=carried, policy=after, others=others)
            before = _stronger(before, was)
            if new is not None and new.effect.strength > after.strength:
                after, rule = new.effect, new
        before, after = _stronger(before, others), _stronger(after, others)
        return None if before is after else _change(told, request, rule, before, after)

    def _was(self, told: Remembered, request: ActionRequest, then: Bundle, *, refused: bool) -> Effect | Lost:
        """What the past said then, if the rebuilt one says the same; who was refused before is not asked."""
        if refused and recorded_past(told.stored.explanation.stages) is None:
            return Effect.PERMIT
        past = self._pasts.then(request, then)
        if not _remembers(past, told):
            return Lost.PAST
        return Effect.PERMIT if past is None else past.effect

    def _pair(self, version: str) -> "_Pair | None":
        pair = self._pairs.get(version)
        if pair is None:
            then = self._made_with(version)
            if then is None:
                return None
            pair = self._pairs[version] = _Pair(then, self._candidate)
        return pair


class _Pair:
    """A version and the candidate, with what only one of them has: most calls meet none of that.

    INVARIANT: where no rule that differs holds or fails, both find the same rules, so the same answer.
    """

    def __init__(self, then: Bundle, candidate: Bundle) -> None:
        self.then = then
        self.candidate = candidate
        self.looks_back = then.history is not None or candidate.history is not None
        self.unlooked = candidate.lineage is not None and then.lineage is None
        self._whole = {id(bundle): empty(bundle) for bundle in (then, candidate)}
        self._alike = then.named == candidate.named and then.zones == candidate.zones
        self._gone = _only_in(then, candidate)
        self._new = _only_in(candidate, then)
        self._timed = any(map(_timed, (then, candidate)))
        self._known: Alike[tuple[object, ...], tuple[Finding, Finding, ActionRequest]] = Alike()
        self._plain = all(not each.unproven and each.program is not None for each in (then, candidate))

    def answers(self, request: ActionRequest) -> tuple[Finding, Finding]:
        """What each of them says; the very same object where nothing that differs has a part in it."""
        if request.companions or not self._plain:
            return self._asked(request)
        if self._timed or not self._known.worth:
            return self._run(request)
        place = _place(request)
        known = self._known.get(place) or self._known.keep(place, (*self._run(request), request))
        return known[0], known[1]

    def _run(self, request: ActionRequest) -> tuple[Finding, Finding]:
        if self.then.looks or self.candidate.looks:
            # What a plugin did not say then refuses before any rule is run.
            return self._asked(request)
        try:
            env = pose(request, self.then)
            other = env if self._alike else pose(request, self.candidate)
        except (Unaskable, Misfit):
            return self._asked(request)
        control = stated(request, self.then, env)
        for program, seen in ((self._gone, env), (self._new, other)):
            if program is not None and any(program.run(seen)):
                return control, stated(request, self.candidate, other)
        return control, control

    def _asked(self, request: ActionRequest) -> tuple[Finding, Finding]:
        return (
            policy_stage(request, self._whole[id(self.then)]),
            policy_stage(request, self._whole[id(self.candidate)]),
        )


def _place(request: ActionRequest) -> tuple[object, ...]:
    """All that rules can see of a call but the time. Its objects are kept with what was found, so no other
    object has their addresses; alike arguments are the very same object, as they were read once.
    """
    call, task = request.call, request.task
    return (
        id(call.arguments), call.action, call.resource.type, call.resource.id, id(request.principal),
        id(request.blueprint), id(request.user), id(task) if task is not None else None, request.purpose,
        id(request.server), id(request.tool), len(call.subject.chain), call.subject.key, _seen(request.known),
        request.risk, None if request.facts is None else repr(sorted(request.facts.known.items())),
    )  # fmt: skip


def _seen(known: Known | None) -> tuple[object, ...]:
    """What was in the agent's context, as far as rules look at it."""
    return () if known is None else (tuple(known.labels), known.outward)


def _timed(bundle: Bundle) -> bool:
    """Whether some rule looks at the clock, or at more than can be told from its text."""
    return bundle.named is None or not bundle.named.isdisjoint({"time", "local"})


def _only_in(one: Bundle, other: Bundle) -> Program | None:
    """The rules in force of one that the other has not, or not like this."""
    known = {
        rule.id: (rule, other.nodes[place])
        for place, rule in other.rules.items()
        if rule.mode is Mode.ENFORCE
    }
    chosen = [
        (compile_policy(order, rule, one.nodes[place]), one.nodes[place])
        for order, (place, rule) in enumerate(one.rules.items())
        if rule.mode is Mode.ENFORCE and known.get(rule.id) != (rule, one.nodes[place])
    ]
    return Program(chosen) if chosen else None


def _by_policy(found: RecordedTrace) -> RecordedFinding | None:
    """What policy said then; None where it was not asked, or where nothing hung on it."""
    recorded = None
    for each in found.stages:
        if each.stage is Stage.POLICY:
            recorded = each
        elif each.effect is Effect.DENY and each.stage in _FIRST:
            return None
    return recorded


def _agrees(control: Finding, recorded: RecordedFinding) -> bool:
    """Whether the same rules gave the same answer for the same codes."""
    if recorded.effect is Effect.PERMIT and not recorded.reasons:
        # A yes lifted it: what is left on record of the question is that there was one.
        return control.effect is Effect.ASK
    if control.effect is not recorded.effect or len(control.reasons) != len(recorded.reasons):
        return False
    for said, then in zip(control.reasons, recorded.reasons, strict=True):
        if said.code != then.code or said.rule != then.rule:
            return False
    return True


def _remembers(past: Finding | None, told: Remembered) -> bool:
    """Whether the rebuilt past gives the recorded answer."""
    recorded = recorded_past(told.stored.explanation.stages)
    if past is None or recorded is None:
        return past is None and recorded is None
    if past.effect is Effect.ASK and recorded.effect is Effect.PERMIT:
        return told.stored.approval is not None
    return _agrees(past, recorded) if recorded.reasons or past.reasons else past.effect is recorded.effect


def _signed_in(found: Finding) -> bool:
    """Whether it hangs on how the person had signed in."""
    if found.effect is Effect.PERMIT:
        return False
    return any(said.code == Code.STEP_UP_REQUIRED for said in found.reasons) or (
        found.effect is Effect.ASK and found.approvers == HEADLESS_APPROVERS
    )


def _others(found: RecordedTrace) -> Effect:
    """What the other stages said then; whether a person said yes is left aside."""
    strongest = Effect.PERMIT
    for each in found.stages:
        if each.effect is not Effect.PERMIT and each.stage not in _ASIDE and not of_the_past(each):
            strongest = _stronger(strongest, each.effect)
    return strongest


def _stronger(one: Effect, other: Effect) -> Effect:
    return other if other.strength > one.strength else one


def _change(told: Remembered, request: ActionRequest, rule: Finding, before: Effect, after: Effect) -> Change:
    found = told.stored.explanation
    return Change(
        decision=told.stored.id,
        agent=found.agent_name,
        action=found.action,
        resource=found.resource,
        before=before,
        after=after,
        rule=next((said.rule for said in rule.reasons if said.rule), ""),
        money=request.call.money,
    )
