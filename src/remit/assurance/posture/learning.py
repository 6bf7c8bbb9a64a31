"""Least privilege from use: what an agent needs, as far as its habits show it (N8).

Nothing is proposed that was not permitted and carried out; what is rare or suspect is a question to a person.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from remit.assurance.posture.bounds import Bound, bounded
from remit.assurance.posture.doubt import OF_RULES, Answers, Doubt, Why, doubt, folded, of_standing
from remit.assurance.posture.evidence import Bar, Evidence, at_most, evidence_of
from remit.assurance.posture.extent import Extent, extent_of, outside
from remit.assurance.posture.profile import UNKNOWN, Profile
from remit.assurance.posture.use import SUSPECT, Standing, Use, left_out
from remit.authority.rights import Right

HEAD: Final = 0.8
"""Part of the tasks that the check forward learns from; the later ones are what it is tried on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One action that is needed: on which resources, within which bounds, and what that stands on."""

    action: str
    resource_type: str
    extent: Extent
    bounds: tuple[Bound, ...]
    evidence: Evidence

    def holds(self, use: Use) -> bool:
        """Whether a call is covered."""
        return (
            use.action == self.action
            and use.resource_type == self.resource_type
            and self.extent.holds(use.resource)
            and all(bound.holds(use) for bound in self.bounds)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Learned from the earlier tasks and tried on the later: how many would have been stopped.

    `at_most` is the upper bound of that rate with 95 % confidence (exact binomial, one-sided).
    """

    tasks: int
    stopped: int
    at_most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What one agent or blueprint needs."""

    subject: str
    """`agent:<name>` or `blueprint:<name>`."""
    calls: int
    needs: tuple[Need, ...]
    doubts: tuple[Doubt, ...]
    left_out: Mapping[Standing, int]
    forward: Forward
    periodic: tuple[Right, ...] = ()
    """Rights that stay without a use in the window: they are used regularly, at other times."""

    @property
    def open(self) -> tuple[Doubt, ...]:
        """Questions that nobody has answered."""
        return tuple(each for each in self.doubts if not each.settled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """How to learn: `fixed` stretches no set beyond what was seen, for whoever was narrowed before."""

    subject: str
    profiles: Mapping[str, Profile]
    bar: Bar = field(default_factory=Bar)
    answers: Answers = field(default_factory=Answers)
    fixed: bool = False


def learn(uses: Sequence[Use], lesson: Lesson) -> Learned:
    """Learn what a subject needs from all its decisions of a window."""
    needs, doubts = _needs(uses, lesson)
    return Learned(
        subject=lesson.subject,
        calls=len(uses),
        needs=tuple(needs),
        doubts=tuple(doubts),
        left_out=left_out(uses),
        forward=_forward(uses, lesson),
    )


def _needs(uses: Sequence[Use], lesson: Lesson) -> tuple[list[Need], list[Doubt]]:
    groups: dict[tuple[str, str], list[Use]] = defaultdict(list)
    for use in uses:
        if use.standing is Standing.GOOD or use.standing in SUSPECT:
            groups[use.action, use.resource_type].append(use)
    needs: list[Need] = []
    doubts: list[Doubt] = []
    for (action, kind), group in sorted(groups.items()):
        need, asked = _of_action(action, kind, group, lesson)
        needs += [need] if need is not None else []
        doubts += asked
    return needs, doubts


def _of_action(
    action: str, kind: str, group: Sequence[Use], lesson: Lesson
) -> tuple[Need | None, list[Doubt]]:
    """What is needed of one action, and what has to be asked about it."""
    doubts = list(_suspects(action, group, lesson))
    forced = {use.decision for each in doubts if each.taken for use in each.uses}
    good = [use for use in group if use.standing is Standing.GOOD or use.decision in forced]
    habit = [use for use in good if use.decision not in forced]
    if habit and not lesson.bar.passes(habit):
        rare = doubt(lesson.subject, action, Why.RARE, kind, habit, lesson.answers)
        doubts.append(rare)
        if rare.taken:
            forced |= {use.decision for use in habit}
        else:
            good = [use for use in good if use.decision in forced]
    if not good:
        return None, doubts
    need, asked = _narrowed(action, kind, good, lesson, forced)
    doubts += asked
    if need is None or any(map(_refused, asked)):
        return None, doubts
    return need, doubts


def _refused(asked: Doubt) -> bool:
    """Whether a person left out the action as such."""
    return asked.why in OF_RULES and not asked.taken


def _suspects(action: str, group: Iterable[Use], lesson: Lesson) -> Iterable[Doubt]:
    for standing in SUSPECT:
        found = [use for use in group if use.standing is standing]
        if found:
            yield doubt(lesson.subject, action, of_standing(standing), "", found, lesson.answers)


def _narrowed(
    action: str, kind: str, good: Sequence[Use], lesson: Lesson, forced: set[str]
) -> tuple[Need | None, list[Doubt]]:
    """Fit resources, then arguments; what was odd and is taken in is fitted again, as wanted."""
    subject, bar, answers = lesson.subject, lesson.bar, lesson.answers
    profile = lesson.profiles.get(action, UNKNOWN)
    samples = [(use.resource, use) for use in good]
    extent = extent_of(samples, bar, forced=forced, fixed=lesson.fixed)
    resources = folded(subject, action, Why.RARE_RESOURCE, outside(samples, extent), answers)
    wanted = forced | _taken(resources)
    extent = extent_of(samples, bar, forced=wanted, fixed=lesson.fixed)
    within = [use for use in good if extent.holds(use.resource)]
    if not within:
        return None, resources
    found = bounded(within, profile, bar, forced=wanted, fixed=lesson.fixed)
    values = folded(subject, action, Why.RARE_VALUE, found.odd, answers)
    wanted |= _taken(values)
    again = bounded(within, profile, bar, forced=wanted, fixed=lesson.fixed)
    kept = [use for use in within if all(bound.holds(use) for bound in again.bounds)]
    if not kept:
        return None, [*resources, *values]
    need = Need(
        action=action, resource_type=kind, extent=extent, bounds=again.bounds, evidence=evidence_of(kept)
    )
    return need, [*resources, *values, *_weighty(action, kept, profile, again.open, lesson)]


def _taken(doubts: Iterable[Doubt]) -> set[str]:
    return {use.decision for each in doubts if each.taken for use in each.uses}


def _weighty(
    action: str, kept: Sequence[Use], profile: Profile, left_open: tuple[str, ...], lesson: Lesson
) -> Iterable[Doubt]:
    """What is needed, and is so weighty that a person should say so."""
    if profile.money:
        yield doubt(lesson.subject, action, Why.MONEY, "", kept, lesson.answers)
    elif profile.consequential and not profile.reversible:
        yield doubt(lesson.subject, action, Why.IRREVERSIBLE, "", kept, lesson.answers)
    if left_open and profile.consequential:
        yield doubt(lesson.subject, action, Why.OPEN, ", ".join(left_open), kept, lesson.answers)


def _forward(uses: Sequence[Use], lesson: Lesson) -> Forward:
    """Learn from the earlier tasks alone, ask nobody, and count which later ones would be stopped."""
    good = sorted((use for use in uses if use.standing is Standing.GOOD), key=lambda use: use.at)
    runs = list(dict.fromkeys(use.run for use in good))
    head = set(runs[: int(len(runs) * HEAD)])
    early = [use for use in uses if use.run in head]
    later = [use for use in good if use.run not in head]
    plain = Lesson(subject=lesson.subject, profiles=lesson.profiles, bar=lesson.bar, fixed=lesson.fixed)
    needs, _ = _needs(early, plain)
    stopped = {use.run for use in later if not any(need.holds(use) for need in needs)}
    tasks = len(runs) - len(head)
    return Forward(tasks=tasks, stopped=len(stopped), at_most=at_most(len(stopped), tasks))
