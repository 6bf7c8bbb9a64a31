"""Publish policy: admitted against the present directory, numbered, in force everywhere once committed."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from remit.decision.facts import Snapshot, Snapshots
from remit.decision.policy.admission import admit, parse, version_of
from remit.decision.policy.bundle import Bundle, PolicyVersion
from remit.decision.policy.errors import Fault, PolicyOutdated, PolicyRefused
from remit.decision.policy.monitors import marks_of, past_type
from remit.decision.policy.schema import build_schema
from remit.decision.repository import DecisionTransaction, PublishedPolicy
from remit.kernel.canonical import JsonObject
from remit.kernel.ids import Entropy, PrincipalId, RecordId, TenantId, mint_id
from remit.kernel.uow import UnitOfWork
from remit.ledger.record import Content, Record

_LAST: Final = (1 << 62) - 1


class PolicyService:
    """The policy texts of one tenant."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[DecisionTransaction],
        snapshots: Snapshots,
        entropy: Entropy,
        tenant: TenantId,
    ) -> None:
        self._uow = uow
        self._snapshots = snapshots
        self._entropy = entropy
        self._tenant = tenant

    async def publish(
        self, text: str, *, by: PrincipalId, at: datetime, number: int | None = None
    ) -> PolicyVersion:
        """Put a text in force; when this returns, every decision from now on is made with it (R58).

        `number` is the version that the publisher means to make; without one it is the next. Raises
        `PolicyRefused` with every fault, `PolicyOutdated` for a number that is not new (PD-26).
        """
        snapshot = await self._snapshots.catch_up()
        await _admitted(text, number or 0, snapshot)
        version = await self._uow.commit(lambda tx: self._store(tx, text, by=by, at=at, number=number))
        await self._snapshots.catch_up()
        return version

    async def check(self, text: str) -> tuple[Fault, ...]:
        """Everything that `publish` would find wrong with a text now; nothing is stored."""
        try:
            await self.draft(text)
        except PolicyRefused as refused:
            return refused.faults
        return ()

    async def draft(self, text: str) -> Bundle:
        """A text ready to be tried out, never in force; raises `PolicyRefused`."""
        snapshot = await self._snapshots.catch_up()
        return await _admitted(text, 0, snapshot)

    async def schema(self, text: str = "") -> JsonObject:
        """The schema that a text is validated against, in Cedar's JSON format."""
        return schema_of(text, await self._snapshots.catch_up())

    async def newest(self) -> PublishedPolicy | None:
        """What is in force."""
        return await self._uow.read(lambda tx: tx.policies.newest())

    async def get(self, number: int) -> PublishedPolicy | None:
        """One version."""
        return await self._uow.read(lambda tx: tx.policies.get(number))

    async def page(self, *, before: int = _LAST, limit: int = 50) -> Sequence[PublishedPolicy]:
        """Versions, newest first."""
        return await self._uow.read(lambda tx: tx.policies.page(before=before, limit=limit))

    def _store(
        self, tx: DecisionTransaction, text: str, *, by: PrincipalId, at: datetime, number: int | None
    ) -> PolicyVersion:
        newest = tx.policies.newest()
        present = newest.version.number if newest else 0
        version = version_of(text, present + 1 if number is None else number)
        policy = PublishedPolicy(version=version, text=text, published_by=by, published_at=at)
        # PD-26: an older text comes back only as a new version, by a person who publishes it again.
        if version.number <= present or not tx.policies.add(policy):
            raise PolicyOutdated(
                f"version `{version.number}` is not newer than `{present}`, which is in force"
            )
        tx.touch("policy", str(version.number))
        tx.advance_epoch("policy")
        tx.ledger.append(self._record(version, by, at), (_content(text, by),))
        return version

    def _record(self, version: PolicyVersion, by: PrincipalId, at: datetime) -> Record:
        return Record(
            id=RecordId(mint_id("rec", at=at, entropy=self._entropy)),
            at=at,
            tenant=self._tenant,
            kind="decision.policy.published",
            actor=by,
            subject=str(version),
            policy_version=str(version),
            digests=(("policy", version.digest),),
        )


async def _admitted(text: str, number: int, snapshot: Snapshot) -> Bundle:
    """Judge a text beside the loop: over a large directory Cedar takes seconds for a thousand rules."""

    def judge() -> Bundle:
        return admit(text, version=version_of(text, number), schema=schema_of(text, snapshot))

    return await asyncio.to_thread(judge)


def schema_of(text: str, snapshot: Snapshot) -> JsonObject:
    """The schema of the present directory, with the time zones and the marks that the text names."""
    rules, _ = parse(text)
    zones = (zone for rule in rules.values() for zone in rule.zones)
    marks = marks_of(rules.values())
    past = past_type(marks.values()) if marks else None
    return build_schema(snapshot.servers.values(), snapshot.tools.values(), zones, past)


def _content(text: str, by: PrincipalId) -> Content:
    return Content(name="policy", subject=by, text=text)
