"""Judges, lists, publishers and accounts of the decision that lack one rule each."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import cedarpy
from msgspec import structs

from remit.decision.answer.denial import Denial
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Disclose, Effect, Stage
from remit.decision.budget.cost import Line
from remit.decision.call.request import ActionRequest
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.admission import version_of
from remit.decision.policy.context import ask
from remit.decision.policy.seal import PublishedPolicy, sealed
from remit.decision.policy_service import Intent, PolicyService
from remit.decision.repository import DecisionTransaction
from remit.decision.service import DecisionService
from remit.decision.stages.pipeline import STEPS, Judge, Step
from remit.identity.principals import Principal
from remit.kernel.canonical import JsonObject
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.keys import KeyClass
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork


def with_step(stage: Stage, judge: Judge) -> tuple[Step, ...]:
    """The pipeline with another judge at one stage."""
    return tuple(replace(step, judge=judge) if step.stage is stage else step for step in STEPS)


def unprojected(request: ActionRequest, snapshot: Snapshot) -> Finding:
    """PD-02: arguments go to the evaluator as they came, and its own answer is taken."""
    assert snapshot.bundle.enforced is not None
    harmless: JsonObject = {"room": "R", "attendees": 4}
    question = ask(replace(request, call=replace(request.call, arguments=harmless)), snapshot.bundle)
    raw = replace(question, context={**question.context, "arguments": dict(request.call.arguments)})
    said = cedarpy.is_authorized(raw.wire(), snapshot.bundle.enforced, raw.entities)
    return Finding(stage=Stage.POLICY, effect=Effect.PERMIT if said.allowed else Effect.DENY)


def nobody_objects(request: ActionRequest, snapshot: Snapshot) -> Finding | None:
    """PD-24: what no rule forbids is permitted, also where there is no rule."""
    bundle = snapshot.bundle
    if bundle.enforced is None or not bundle.rules:
        return Finding(stage=Stage.POLICY, effect=Effect.PERMIT)
    return next(step for step in STEPS if step.stage is Stage.POLICY).judge(request, snapshot)


def wildcard_first(request: ActionRequest, snapshot: Snapshot) -> Finding | None:
    """PD-11: a right on any resource is enough; what it asks of the arguments is not read."""
    held = [right for factor in request.factors for right in factor.ceiling.rights]
    if any(right.action == request.call.action and right.resources == "any" for right in held):
        return Finding(stage=Stage.AUTHORITY, effect=Effect.PERMIT)
    return next(step for step in STEPS if step.stage is Stage.AUTHORITY).judge(request, snapshot)


def tells_all(denial: Denial) -> JsonObject:
    """PD-23: whoever asks for the whole reason gets it."""
    return replace(denial, disclose=Disclose.FULL).to_json(Disclose.FULL)


def backtracking(pattern: str, text: str) -> bool:
    """PD-13: an engine that tries every way to match."""
    return re.fullmatch(pattern, text) is not None


class TakesOldVersions(PolicyService):
    """PD-26: a text that was published once is good for ever."""

    def _store(
        self,
        tx: DecisionTransaction,
        text: str,
        intent: Intent,
        *,
        by: PrincipalId,
        at: datetime,
    ) -> Any:
        newest = tx.policies.newest()
        version = version_of(text, (newest.version.number if newest else 0) + 1)
        policy = PublishedPolicy(version=version, text=text, published_by=by, published_at=at)
        signer = self._keys.signer(KeyClass.POLICY)
        previous = newest.seal if newest else ""
        tx.policies.add(sealed(policy, tenant=self._tenant, previous=previous, canary=None, signer=signer))
        tx.touch("policy", str(version.number))
        tx.advance_epoch("policy")
        return version


class IgnoresTheMark(DecisionService):
    """PD-09: whatever revision the caller has seen, the view at hand is good enough."""

    async def _snapshot(self, at_least: int | None) -> Snapshot:
        return self._snapshots.current()


def owner_by_recursion(entry: Principal, find: Callable[[PrincipalId], Principal | None]) -> Principal:
    """PD-10: follow the owners, however many there are."""
    above = find(entry.owner) if entry.owner is not None else None
    return entry if above is None else owner_by_recursion(above, find)


class Hurried:
    """DE-16: a unit of work whose accounts were read before anybody's charge, and are written blindly."""

    def __init__(self, uow: SqlUnitOfWork) -> None:
        self._uow = uow
        self._seen: dict[str, int] = {}

    async def commit(self, work: Callable[[Any], Any], **options: Any) -> Any:
        return await self._uow.commit(lambda tx: work(_Hurried(tx, self._seen)), **options)

    async def read(self, work: Callable[[Any], Any]) -> Any:
        return await self._uow.read(work)


class _Hurried(SqlTransaction):
    def __init__(self, tx: SqlTransaction, seen: dict[str, int]) -> None:
        super().__init__(tx._batch, tx.tenant)
        self._seen = seen

    @property
    def budgets(self) -> Any:
        return _ReadBefore(super().budgets, self._seen)


class _ReadBefore:
    def __init__(self, store: Any, seen: dict[str, int]) -> None:
        self._store, self._seen = store, seen

    def reserve(self, line: Line) -> bool:
        known = self._seen.setdefault(line.id, self._store.spent(line))
        if known + line.cost > line.cap:
            return False
        return bool(self._store.reserve(structs.replace(line, cap=1 << 40)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def ids(found: Iterable[Any]) -> set[str]:
    return {str(each) for each in found}
