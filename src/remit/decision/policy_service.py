"""Publish policy: admitted against the present directory, numbered, sealed, in force once committed.

Every change of what is in force is a new version: a trial on a part, its end, an older text again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.decision.policy.admission import admit, parse, version_of
from remit.decision.policy.bundle import Bundle, PolicyVersion
from remit.decision.policy.errors import Fault, PolicyOutdated, PolicyRefused
from remit.decision.policy.monitors import marks_of, past_type
from remit.decision.policy.schema import build_schema
from remit.decision.policy.seal import (
    Canary,
    PolicyKeys,
    PublishedPolicy,
    SealBroken,
    follow,
    prove,
    sealed,
    stated,
)
from remit.decision.repository import DecisionTransaction
from remit.kernel.canonical import JsonObject
from remit.kernel.errors import Conflict, NotFound
from remit.kernel.ids import Entropy, PrincipalId, RecordId, TenantId, mint_id
from remit.kernel.jose.keys import KeyClass
from remit.kernel.uow import UnitOfWork
from remit.ledger.record import Content, Record

_LAST: Final = (1 << 62) - 1
_SYSTEM: Final = PrincipalId("system")
LONGEST_TRIAL: Final = timedelta(days=30)
"""A version that nobody puts in force or takes back within a month is not being tried, but forgotten."""


class NoSuchPolicy(NotFound):
    """No policy was published, or none of that number."""

    code = "policy_not_found"


class NothingTried(Conflict):
    """There is nothing to put in force, to try beside, or to go back to."""

    code = "policy_nothing_tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Who a version is tried on: a percentage of tasks, agents by name, or both; for how long."""

    percent: int
    agents: tuple[str, ...]
    life: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a person means by publishing; `of` is the version whose text it is, 0 for a new text."""

    act: str = "publish"
    of: int = 0
    number: int | None = None
    share: Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """One version, and why it is not what was signed; empty if it is."""

    number: int
    fault: str


class PolicyService:
    """The policy texts of one tenant."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[DecisionTransaction],
        snapshots: Snapshots,
        entropy: Entropy,
        tenant: TenantId,
        keys: PolicyKeys,
    ) -> None:
        self._uow = uow
        self._snapshots = snapshots
        self._entropy = entropy
        self._tenant = tenant
        self._keys = keys

    async def publish(
        self,
        text: str,
        *,
        by: PrincipalId,
        at: datetime,
        number: int | None = None,
        share: Share | None = None,
    ) -> PolicyVersion:
        """Put a text in force; when this returns, every decision from now on is made with it (R58).

        `number` is the version that the publisher means to make; without one it is the next. With a `share`
        it is tried on a part first, beside what is in force for all. Raises `PolicyRefused` with every fault,
        `PolicyOutdated` for a number that is not new (PD-26), `NothingTried` for a share beside nothing.
        """
        return await self._put(text, Intent(number=number, share=share), by=by, at=at)

    async def enforce(self, number: int | None, *, by: PrincipalId, at: datetime) -> PolicyVersion:
        """Put a version's text in force for all, as a new version; without a number, that of the last trial.

        Raises `NothingTried`, `NoSuchPolicy`, and what `publish` raises.
        """
        newest = await self.newest()
        if number is None and (newest is None or trial_of(newest) is None):
            raise NothingTried("no version is tried on a part", next_step="remit policy enforce VERSION")
        chosen = newest if number is None else await self.get(number)
        return await self._again(chosen, newest, "enforce", by=by, at=at)

    async def rollback(self, to: int | None, *, by: PrincipalId, at: datetime) -> PolicyVersion:
        """Put an older text in force for all, as a new version, by a person and on record.

        Without a number it is what is in force beside a trial; else the last other text that was for all.
        Raises `NothingTried`, `NoSuchPolicy`, and what `publish` raises.
        """
        newest = await self.newest()
        chosen = await (self._uow.read(lambda tx: _before(tx, at)) if to is None else self.get(to))
        if to is None and chosen is None:
            raise NothingTried("there is no other text to go back to", next_step="remit policy list")
        return await self._again(chosen, newest, "rollback", by=by, at=at)

    async def _again(
        self,
        chosen: PublishedPolicy | None,
        newest: PublishedPolicy | None,
        act: str,
        *,
        by: PrincipalId,
        at: datetime,
    ) -> PolicyVersion:
        if chosen is None or newest is None:
            raise NoSuchPolicy("no such policy is published", next_step="remit policy list")
        # An older text comes back only if it is what was signed then.
        prove(chosen, tenant=self._tenant, keys=self._keys)
        # What the person saw is what they change: if somebody published meanwhile, the number is not new.
        intent = Intent(act=act, of=chosen.version.number, number=newest.version.number + 1)
        return await self._put(chosen.text, intent, by=by, at=at)

    async def _put(self, text: str, intent: Intent, *, by: PrincipalId, at: datetime) -> PolicyVersion:
        snapshot = await self._snapshots.catch_up()
        await _admitted(text, intent.number or 0, snapshot)
        version = await self._uow.commit(lambda tx: self._store(tx, text, intent, by=by, at=at))
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
        """The last that was published, also if it is tried on a part."""
        return await self._uow.read(lambda tx: tx.policies.newest())

    async def in_force(self) -> PublishedPolicy | None:
        """What is in force for all, but for those that a newer version is tried on."""
        return await self._uow.read(_stable)

    async def verify(self) -> tuple[Proven, ...]:
        """Prove every version and the chain from the first sealed one to the last, oldest first."""
        found = await self._uow.read(_everything)
        faults: list[Proven] = []
        before = ""
        for policy in found:
            fault = ""
            try:
                seal = prove(policy, tenant=self._tenant, keys=self._keys)
                follow([(policy.version.number, policy.seal)], newest=seal, after=before)
            except SealBroken as broken:
                fault = broken.hint
            before = policy.seal
            faults.append(Proven(number=policy.version.number, fault=fault))
        return tuple(faults)

    async def get(self, number: int) -> PublishedPolicy | None:
        """One version."""
        return await self._uow.read(lambda tx: tx.policies.get(number))

    async def page(self, *, before: int = _LAST, limit: int = 50) -> Sequence[PublishedPolicy]:
        """Versions, newest first."""
        return await self._uow.read(lambda tx: tx.policies.page(before=before, limit=limit))

    def _store(
        self, tx: DecisionTransaction, text: str, intent: Intent, *, by: PrincipalId, at: datetime
    ) -> PolicyVersion:
        newest = tx.policies.newest()
        present = newest.version.number if newest else 0
        version = version_of(text, present + 1 if intent.number is None else intent.number)
        canary = None if intent.share is None else _beside(tx, intent.share, at)
        policy = sealed(
            PublishedPolicy(version=version, text=text, published_by=by, published_at=at),
            tenant=self._tenant,
            previous=newest.seal if newest else "",
            canary=canary,
            signer=self._keys.signer(KeyClass.POLICY),
        )
        # PD-26: an older text comes back only as a new version, by a person who publishes it again.
        if version.number <= present or not tx.policies.add(policy):
            raise PolicyOutdated(
                f"version `{version.number}` is not newer than `{present}`, which is in force"
            )
        tx.touch("policy", str(version.number))
        tx.advance_epoch("policy")
        # CRASH: text, seal, epoch and record are one commit: a version is in force with all of them or not.
        ident = RecordId(mint_id("rec", at=at, entropy=self._entropy))
        said = _record(ident, self._tenant, version, by, at, _told(intent, canary))
        tx.ledger.append(said, (_content(text, by),))
        return version


def end_trial(tx: DecisionTransaction, *, tenant: TenantId, at: datetime, entropy: Entropy) -> bool:
    """Put on record, once, that a trial on a part has ended by itself; decisions need no record for it."""
    newest = tx.policies.newest()
    trial = None if newest is None else trial_of(newest)
    if (
        newest is None
        or trial is None
        or at < trial.until
        or not tx.policies.close(newest.version.number, at)
    ):
        return False
    detail = (("base", f"v{trial.base}"), ("until", trial.until.isoformat()))
    ident = RecordId(mint_id("rec", at=at, entropy=entropy))
    said = _record(ident, tenant, newest.version, _SYSTEM, at, detail)
    tx.ledger.append(structs.replace(said, kind="decision.policy.trial_ended"))
    return True


def _record(
    ident: RecordId,
    tenant: TenantId,
    version: PolicyVersion,
    by: PrincipalId,
    at: datetime,
    detail: tuple[tuple[str, str], ...],
) -> Record:
    return Record(
        id=ident,
        at=at,
        tenant=tenant,
        kind="decision.policy.published",
        actor=by,
        subject=str(version),
        policy_version=str(version),
        digests=(("policy", version.digest),),
        detail=detail,
    )


def trial_of(policy: PublishedPolicy) -> Canary | None:
    """Who a version is tried on, as its seal says without proof; None for one that is for all."""
    said = stated(policy.seal)
    return None if said is None else said.canary


def _stable(tx: DecisionTransaction) -> PublishedPolicy | None:
    newest = tx.policies.newest()
    trial = None if newest is None else trial_of(newest)
    return newest if trial is None else tx.policies.get(trial.base)


def _before(tx: DecisionTransaction, at: datetime) -> PublishedPolicy | None:
    """What a rollback goes back to: the other side of a trial that runs, else the last other text for all."""
    newest, stable = tx.policies.newest(), _stable(tx)
    if newest is None or stable is None:
        return None
    trial = trial_of(newest)
    if trial is not None and at < trial.until:
        return stable
    older = tx.policies.page(before=stable.version.number, limit=_LOOKED_AT)
    return next(
        (each for each in older if trial_of(each) is None and each.version.digest != stable.version.digest),
        None,
    )


_LOOKED_AT: Final = 1000
"""Versions that a rollback without a number looks through."""


def _beside(tx: DecisionTransaction, share: Share, at: datetime) -> Canary:
    """The trial that a person means, beside what is in force for all."""
    base = _stable(tx)
    if base is None:
        raise NothingTried(
            "nothing is in force that a version could be tried beside", next_step="remit policy publish FILE"
        )
    return Canary(
        base=base.version.number,
        percent=share.percent,
        agents=share.agents,
        until=at + min(share.life, LONGEST_TRIAL),
    )


def _told(intent: Intent, canary: Canary | None) -> tuple[tuple[str, str], ...]:
    """What the record says beside the version."""
    found = [("act", intent.act)]
    if intent.of:
        found.append(("of", f"v{intent.of}"))
    if canary is not None:
        found += [
            ("base", f"v{canary.base}"),
            ("percent", str(canary.percent)),
            ("agents", " ".join(canary.agents)),
            ("until", canary.until.isoformat()),
        ]
    return tuple(found)


def _everything(tx: DecisionTransaction) -> list[PublishedPolicy]:
    return [found for number, _ in tx.policies.seals() if (found := tx.policies.get(number)) is not None]


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
    return build_schema(snapshot.servers.values(), snapshot.tools.values(), zones, past, snapshot.fact_types)


def _content(text: str, by: PrincipalId) -> Content:
    return Content(name="policy", subject=by, text=text)
