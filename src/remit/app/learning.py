"""Least privilege from use: learned from decisions on record, shown, and put in force by a person."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from remit.app.bindings.evidence import Evidence, Window, profiles
from remit.app.ground import Ground
from remit.assurance.posture.access import RightUse, access, periodic
from remit.assurance.posture.doubt import Answers, Doubt
from remit.assurance.posture.drafting import drafted, rule_id
from remit.assurance.posture.evidence import Bar
from remit.assurance.posture.learning import Learned, Lesson, learn
from remit.assurance.posture.narrowing import narrowed
from remit.assurance.posture.use import Use
from remit.authority.attenuation import normal
from remit.authority.consent_service import ConsentService
from remit.authority.rights import Ceiling
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.bundle import PolicyVersion
from remit.decision.policy_service import NoSuchPolicy, PolicyService, Share
from remit.identity.principals import Kind, Principal
from remit.kernel.canonical import Digest, sha256
from remit.kernel.errors import Conflict, Invalid, NotFound
from remit.kernel.ids import PrincipalId, RecordId, mint_id
from remit.ledger.record import Record
from remit.platform.storage.unit_of_work import SqlTransaction

SUBJECTS: Final = 200
"""Agents or blueprints of one lesson."""
LOOKED_BACK: Final = timedelta(days=800)
"""How far back a right that is used seldom is looked for: two years and a little."""
_ACCEPTED: Final = "assurance.policy.accepted"
_NAMED: Final = 64
"""Ids of answers that a record names; of more it says how many."""


class NobodyToLearn(NotFound):
    """There is no such agent or blueprint, or none of them did anything."""

    code = "nobody_to_learn"


class LearnedOtherwise(Conflict):
    """What would be put in force is not what the person saw."""

    code = "learned_otherwise"


class Unsettled(Invalid):
    """Questions are open that a person has to answer first."""

    code = "learned_unsettled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to learn: agents and blueprints by name, every agent if none; of which time, how strictly."""

    agents: tuple[str, ...] = ()
    blueprints: tuple[str, ...] = ()
    since: datetime
    until: datetime
    bar: Bar
    answers: Answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """The ceiling of one subject as it is, and as use supports it; `after` is None where nothing changes."""

    subject: str
    principal: PrincipalId
    before: Ceiling
    after: Ceiling | None
    rights: tuple[RightUse, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """All that was learned: by subject, as text, as ceilings; `text` is empty where nobody needs anything."""

    wish: Wish
    learned: tuple[Learned, ...]
    idle: tuple[str, ...]
    """Subjects without a single need: nothing is drafted for them."""
    text: str
    digest: Digest
    narrowings: tuple[Narrowing, ...]
    more: bool

    @property
    def open(self) -> tuple[Doubt, ...]:
        """Questions that nobody has answered."""
        return tuple(each for one in self.learned for each in one.open)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What came of accepting: the version, and whose ceilings were narrowed."""

    version: PolicyVersion
    narrowed: tuple[str, ...]


class LearningService:
    """Learns, and puts in force what a person has seen and accepted."""

    def __init__(self, ground: Ground, policies: PolicyService, consent: ConsentService) -> None:
        self._ground = ground
        self._policies = policies
        self._consent = consent
        self._evidence = Evidence(ground.work)

    async def learn(self, wish: Wish) -> Lessons:
        """Learn from the decisions of a time; nothing is stored or recorded. Raises `NobodyToLearn`."""
        snapshot = await self._ground.snapshots.catch_up()
        present = await self._policies.in_force()
        if present is None:
            raise NoSuchPolicy("no policy is published", next_step="remit policy publish FILE")
        subjects = _subjects(wish, snapshot)
        alone = wish.agents[0] if len(wish.agents) == 1 and not wish.blueprints else ""
        agent = next(iter(subjects.values()))[0].id if alone else ""
        window = Window(agent=agent, since=wish.since, until=wish.until)
        trace = await self._evidence.read(window, snapshot, opened=True)
        long = Window(agent=agent, since=wish.until - LOOKED_BACK, until=wish.until)
        older = await self._evidence.read(long, snapshot, opened=False)
        return await asyncio.to_thread(
            self._lessons, wish, snapshot, present.text, subjects, (trace.uses, older.uses), more=trace.more
        )

    async def accept(
        self, wish: Wish, digest: Digest, *, share: Share | None, by: PrincipalId, at: datetime
    ) -> Accepted:
        """Put in force what the person saw, whose text has that digest; narrow ceilings unless it is a trial.

        Raises `LearnedOtherwise`, `Unsettled`, and what publishing raises.
        """
        lessons = await self.learn(wish)
        if lessons.open:
            raise Unsettled(
                f"{len(lessons.open)} questions are open: {', '.join(each.id for each in lessons.open[:8])}",
                next_step="answer each with --take ID or --leave ID",
            )
        if not lessons.text or sha256(lessons.text.encode()) != digest:
            raise LearnedOtherwise("the draft is not the one that you saw", next_step="remit policy learn")
        newest = await self._policies.newest()
        number = None if newest is None else newest.version.number + 1
        version = await self._policies.publish(lessons.text, by=by, at=at, number=number, share=share)
        changed = [each for each in lessons.narrowings if each.after is not None and share is None]
        for each in changed:
            if each.after is not None:
                await self._consent.set_ceiling(each.principal, each.after, by=by, at=at)
        names = tuple(each.subject for each in changed)
        await self._ground.work.commit(lambda tx: self._record(tx, lessons, version, names, by=by, at=at))
        return Accepted(version=version, narrowed=names)

    async def access(self, agent: Principal, *, at: datetime, window: timedelta) -> tuple[RightUse, ...]:
        """Each right of an agent's ceiling with its use; nothing sealed is opened."""
        snapshot = await self._ground.snapshots.catch_up()
        ceiling = snapshot.ceilings.get(agent.id)
        long = Window(agent=agent.id, since=at - LOOKED_BACK, until=at)
        trace = await self._evidence.read(long, snapshot, opened=False)
        return () if ceiling is None else access(normal(ceiling), trace.uses, at=at, window=window)

    def _lessons(
        self,
        wish: Wish,
        snapshot: Snapshot,
        base: str,
        subjects: dict[str, tuple[Principal, frozenset[str]]],
        traces: tuple[Sequence[Use], Sequence[Use]],
        *,
        more: bool,
    ) -> Lessons:
        learned: list[Learned] = []
        idle: list[str] = []
        narrowings: list[Narrowing] = []
        for subject, (principal, agents) in subjects.items():
            recent, older = ([use for use in uses if use.agent in agents] for uses in traces)
            found = learn(recent, _lesson(subject, recent, snapshot, base, wish))
            if not found.needs:
                idle.append(subject)
                learned += [found] if found.doubts else []
                continue
            ceiling = snapshot.ceilings.get(principal.id)
            if ceiling is not None:
                span = wish.until - wish.since
                rights = access(normal(ceiling), older, at=wish.until, window=span)
                found = replace(found, periodic=periodic(rights))
                narrowings.append(_narrowing(subject, principal.id, normal(ceiling), found, rights))
            learned.append(found)
        ready = [each for each in learned if each.needs]
        text = drafted(base, ready) if ready else ""
        return Lessons(
            wish=wish, learned=tuple(learned), idle=tuple(idle), text=text, digest=sha256(text.encode()),
            narrowings=tuple(narrowings), more=more,
        )  # fmt: skip

    def _record(
        self,
        tx: SqlTransaction,
        lessons: Lessons,
        version: PolicyVersion,
        names: tuple[str, ...],
        *,
        by: PrincipalId,
        at: datetime,
    ) -> None:
        """Who accepted what, on how much evidence, and what they said to each question."""
        doubts = [each for one in lessons.learned for each in one.doubts]
        detail = (
            ("subjects", _listed([each.subject for each in lessons.learned if each.needs])),
            ("since", lessons.wish.since.isoformat()),
            ("until", lessons.wish.until.isoformat()),
            ("calls", str(sum(each.calls for each in lessons.learned))),
            ("taken", _listed([each.id for each in doubts if each.taken])),
            ("left", _listed([each.id for each in doubts if not each.taken])),
            ("ceilings", _listed(names)),
        )
        ident = RecordId(mint_id("rec", at=at, entropy=self._ground.entropy))
        tx.ledger.append(
            Record(
                id=ident, at=at, tenant=self._ground.tenant, kind=_ACCEPTED, actor=by, subject=str(version),
                policy_version=str(version), digests=(("policy", version.digest),), detail=detail,
            )
        )  # fmt: skip


def _subjects(wish: Wish, snapshot: Snapshot) -> dict[str, tuple[Principal, frozenset[str]]]:
    """By name as rules know it: who it is, and the ids of the agents whose use counts."""
    agents = {each.name: each for each in snapshot.principals.values() if each.kind is Kind.AGENT}
    blueprints = {each.name: each for each in snapshot.principals.values() if each.kind is Kind.BLUEPRINT}
    found: dict[str, tuple[Principal, frozenset[str]]] = {}
    everyone = () if wish.agents or wish.blueprints else sorted(agents)
    for name in (*wish.agents, *everyone):
        agent = agents.get(name)
        if agent is None:
            raise NobodyToLearn(f"no agent `{name[:64]}`", next_step="remit agent list")
        found[f"agent:{name}"] = (agent, frozenset({agent.id}))
    for name in wish.blueprints:
        blueprint = blueprints.get(name)
        if blueprint is None:
            raise NobodyToLearn(f"no blueprint `{name[:64]}`", next_step="remit blueprint list")
        made = frozenset(agent.id for agent in agents.values() if agent.blueprint == str(blueprint.id))
        found[f"blueprint:{name}"] = (blueprint, made)
    if not found or len(found) > SUBJECTS:
        raise NobodyToLearn(
            f"there are {len(found)} agents, a lesson takes 1 to {SUBJECTS}",
            next_step="remit policy learn --agent NAME",
        )
    return found


def _lesson(subject: str, uses: Sequence[Use], snapshot: Snapshot, base: str, wish: Wish) -> Lesson:
    return Lesson(
        subject=subject,
        profiles=profiles(snapshot, [use.action for use in uses]),
        bar=wish.bar,
        answers=wish.answers,
        # Who was fenced in before is not let out by stretching: only what was done within the fence counts.
        fixed=f'@id("{rule_id(subject, "")}")' in base,
    )


def _narrowing(
    subject: str, principal: PrincipalId, before: Ceiling, found: Learned, rights: tuple[RightUse, ...]
) -> Narrowing:
    after = narrowed(before, found)
    changed = after.rights and after != before
    return Narrowing(
        subject=subject,
        principal=principal,
        before=before,
        after=after if changed else None,
        rights=rights,
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return " ".join(names[:_NAMED]) + more
