"""Would this complete a forbidden combination? Prepared on the snapshot, answered inside the transaction."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Final

from msgspec import structs

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Mode, NearestMiss, Observation, Reason, Stage
from remit.decision.answer.terms import Terms
from remit.decision.call.company import as_each
from remit.decision.call.request import ActionRequest
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.snapshot import Snapshot
from remit.decision.history.past import (
    NOTHING,
    Footprint,
    HistoryStore,
    Memories,
    Question,
    Unmemorable,
    footprints,
    holders,
    told,
)
from remit.decision.policy.compile import Context, Env
from remit.decision.policy.given import Unaskable, pose
from remit.decision.policy.marks import Mark, Reading
from remit.decision.policy.monitors import Monitors
from remit.decision.policy.program import Outcome, Program
from remit.decision.policy.rules import Rule
from remit.decision.policy.shapes import Misfit
from remit.decision.policy.values import Value

_HELD: Final[Outcome] = ([], [], [])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """What the transaction has to ask and to leave for one call; `refused` where that can't be said."""

    request: ActionRequest
    monitors: Monitors
    envs: tuple[Env, ...] = ()
    """The question as each person's whom the run is for, who started it first; empty where none was posed."""
    footprints: tuple[Footprint, ...] = ()
    asked: tuple[tuple[Reading, tuple[Question, ...]], ...] = ()
    refused: Finding | None = None
    quiet: bool = False
    """Whether nothing is to be asked: the finding is known, only marks are left."""

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Every mark on every holder that is looked at or left, in the one order in which they are locked."""
        looked = {(one.mark, one.holder) for _, questions in self.asked for one in questions}
        return tuple(sorted(looked | {(print_.mark, print_.holder) for print_ in self.footprints}))


def recollect(request: ActionRequest, snapshot: Snapshot) -> Recollection | None:
    """Find which rules about the past concern a call; None where the policy has none."""
    monitors = snapshot.bundle.history
    if monitors is None:
        return None
    try:
        people = as_each(request) if request.companions else (request,)
        envs = tuple(pose(each, snapshot.bundle) for each in people)
        left = dict.fromkeys(chain.from_iterable(_left(request, snapshot, monitors, env) for env in envs))
        wanted = frozenset(chain.from_iterable(_wanted(monitors, env) for env in envs))
        asked = _asked(request, snapshot, monitors, wanted)
    except (Unaskable, Misfit, Unmemorable) as unfit:
        return Recollection(request=request, monitors=monitors, refused=_erred(str(unfit)))
    return Recollection(
        request=request, monitors=monitors, envs=envs, footprints=tuple(left), asked=asked, quiet=not asked
    )


def recalled(store: HistoryStore, recollection: Recollection, *, hold: bool) -> Finding:
    """What the past says to a call; with `hold` nobody changes that past until the transaction ends."""
    if recollection.refused is not None:
        return recollection.refused
    if hold and recollection.places:
        store.hold(recollection.places, recollection.request.call.at)
    if recollection.quiet:
        return nothing_against(recollection)
    try:
        memories = {
            (one.mark, one.holder): store.look(one)
            for _, questions in recollection.asked
            for one in questions
        }
    except Unmemorable as unfit:
        return _erred(str(unfit))
    return judged(recollection, memories)


def nothing_against(recollection: Recollection) -> Finding:
    """No rule about the past is against the call."""
    looked = {f"{mark} by {whose}" for (mark, whose), _ in recollection.asked}
    return Finding(stage=Stage.HISTORY, effect=Effect.PERMIT, detail=tuple(sorted(looked)))


def judged(recollection: Recollection, memories: Memories) -> Finding:
    """Run the rules that look back, on what was found."""
    monitors, envs = recollection.monitors, _with_past(recollection, memories)
    forbids, failed = _run(monitors.forbidding, envs)
    if failed:
        found = _erred(f"policy `{failed[0].id}` can't be evaluated")
    elif forbids:
        found = _forbidden(recollection, forbids, memories)
    else:
        found = nothing_against(recollection)
    return _rehearsed(found, monitors, envs)


def _run(program: Program | None, envs: Iterable[Env]) -> tuple[list[Rule], list[Rule]]:
    """The rules that forbid, and those that failed, for any of the people; each once."""
    forbids: dict[str, Rule] = {}
    failed: dict[str, Rule] = {}
    for env in envs:
        _, held, broken = program.run(env) if program is not None else _HELD
        forbids |= {rule.id: rule for rule in held}
        failed |= {rule.id: rule for rule, _ in broken}
    return list(forbids.values()), list(failed.values())


def _left(request: ActionRequest, snapshot: Snapshot, monitors: Monitors, env: Env) -> Iterator[Footprint]:
    if monitors.remembering is None:
        return
    held, _, failed = monitors.remembering.run(env)
    if failed:
        raise Unmemorable(f"policy `{failed[0][0].id}` can't be evaluated")
    # One mark is left once, however many rules say so.
    for mark in {monitors.made[rule.id].name: monitors.made[rule.id] for rule in held}.values():
        yield from footprints(mark, request, snapshot.principals.get)


def _wanted(monitors: Monitors, env: Env) -> Iterator[Reading]:
    looking = monitors.rehearsal or monitors.forbidding
    for policy in looking.applying(env) if looking is not None else ():
        yield from monitors.reads[policy.rule.id]


def _asked(
    request: ActionRequest, snapshot: Snapshot, monitors: Monitors, wanted: frozenset[Reading]
) -> tuple[tuple[Reading, tuple[Question, ...]], ...]:
    return tuple(
        (reading, _questions(reading, request, snapshot, monitors.marks[reading[0]]))
        for reading in sorted(wanted)
    )


def _questions(
    reading: Reading, request: ActionRequest, snapshot: Snapshot, mark: Mark
) -> tuple[Question, ...]:
    since = mark.since(request.call.at)
    return tuple(
        Question(mark=mark.name, holder=holder, since=since)
        for holder in holders(request, reading[1], snapshot.principals.get)
    )


class _Recalling:
    """The context of a call with its past."""

    __slots__ = ("_past", "_rest")

    def __init__(self, rest: Context, past: Value) -> None:
        self._rest = rest
        self._past = past

    def at(self, name: str) -> Value | None:
        """One attribute, None if there is none."""
        return self._past if name == "past" else self._rest.at(name)

    def whole(self) -> dict[str, Value]:
        """All of it."""
        return {**self._rest.whole(), "past": self._past}


def _with_past(recollection: Recollection, memories: Memories) -> tuple[Env, ...]:
    if not recollection.envs:
        raise Unmemorable("nothing was posed")
    past: dict[str, dict[str, Value]] = {}
    for (mark, whose), questions in recollection.asked:
        found = (memories.get((one.mark, one.holder), NOTHING) for one in questions)
        past.setdefault(mark, {})[str(whose)] = told(found)
    known: dict[str, Value] = {mark: dict(by) for mark, by in past.items()}
    return tuple(replace(env, context=_Recalling(env.context, known)) for env in recollection.envs)


def _forbidden(recollection: Recollection, forbids: list[Rule], memories: Memories) -> Finding:
    """Denied, or asked where every rule that holds says who may allow it."""
    asking = all(rule.approval for rule in forbids)
    said = tuple(_said(rule, asking=asking) for rule in forbids)
    first = forbids[0]
    return Finding(
        stage=Stage.HISTORY,
        effect=Effect.ASK if asking else Effect.DENY,
        reasons=said,
        nearest_miss=(_yes(recollection, first) if asking else _over(recollection, first, memories),),
        approvers=first.approval if asking else "",
        terms=Terms(silence=first.silence, rules=tuple(rule.id for rule in forbids)) if asking else None,
        disclose=first.disclose,
        detail=tuple(rule.id for rule in forbids),
    )


def _said(rule: Rule, *, asking: bool) -> Reason:
    because = f": {rule.reason}" if rule.reason else ""
    if asking:
        return reason(Code.HISTORY_ASKS, rule=rule.id, approvers=rule.approval, because=because)
    return reason(Code.HISTORY_FORBIDS, rule=rule.id, because=because)


def _yes(recollection: Recollection, rule: Rule) -> NearestMiss:
    user = recollection.request.user
    return NearestMiss(
        approval_from=rule.approval, except_=(f"user:{user.name}",) if user else (), rule=rule.id
    )


def _over(recollection: Recollection, rule: Rule, memories: Memories) -> NearestMiss:
    """When all that the rule looks at will be forgotten; never, where something of it never is."""
    ends = [
        _end(recollection.monitors.marks[one.mark], memories[one.mark, one.holder].last)
        for reading, questions in recollection.asked
        if reading in recollection.monitors.reads[rule.id]
        for one in questions
        if memories[one.mark, one.holder].last is not None
    ]
    if not ends or None in ends:
        return NearestMiss(never=True, rule=rule.id)
    return NearestMiss(at=max(end for end in ends if end is not None), rule=rule.id)


def _end(mark: Mark, last: datetime | None) -> datetime | None:
    return None if last is None or mark.lasts is None else last + mark.lasts


def _rehearsed(finding: Finding, monitors: Monitors, envs: tuple[Env, ...]) -> Finding:
    """Note what rules that are not in force would have said; apply nothing of it (N7)."""
    if monitors.rehearsal is None:
        return finding
    forbids, failed = _run(monitors.rehearsal, envs)
    held = (*forbids, *failed)
    shadows = (_observation(rule, finding) for rule in held if rule.mode is not Mode.ENFORCE)
    stronger = (seen for seen in shadows if seen.effect.strength > finding.effect.strength)
    return structs.replace(finding, observed=tuple(stronger))


def _observation(rule: Rule, finding: Finding) -> Observation:
    would = Effect.ASK if rule.approval else Effect.DENY
    return Observation(
        rule=rule.id,
        mode=rule.mode,
        effect=would,
        sentence=f"policy `{rule.id}` would turn `{finding.effect}` into `{would}`",
    )


def _erred(why: str) -> Finding:
    return Finding(
        stage=Stage.HISTORY,
        effect=Effect.DENY,
        reasons=(reason(Code.HISTORY_ERROR, why=why),),
        nearest_miss=(NearestMiss(never=True),),
    )
