"""The snapshot that decisions are made on: loaded once, then carried along by the change feed.

INVARIANT: each snapshot is read in one consistent view with its revision and epoch; a decision made on it
is only recorded while that epoch is still in force.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec
import structlog
from immutables import Map
from sqlalchemy import Select, bindparam, select

from remit.authority.alive import Tombstone
from remit.authority.consent import Grant
from remit.authority.delegations import RecordedEnvelope
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.rights import Ceiling
from remit.authority.tasks import Task
from remit.decision.facts.glass import Glass
from remit.decision.facts.signals import Signal
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.admission import compile_bundle
from remit.decision.policy.bundle import Bundle, PolicyVersion
from remit.decision.policy.rollout import Rollout
from remit.decision.policy.seal import (
    Canary,
    PolicyKeys,
    PublishedPolicy,
    Seal,
    SealBroken,
    follow,
    prove,
    stated,
)
from remit.decision.relations.held import HeldRelations
from remit.identity.credentials import Credential, CredentialState
from remit.identity.principals import Principal
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import JsonObject, sha256
from remit.kernel.errors import Unavailable
from remit.kernel.ids import BreakGlassId, KeyId, PrincipalId, TenantId
from remit.kernel.uow import UnitOfWork
from remit.oversight.breakglass.glass import BreakGlass
from remit.platform.storage.relation_view import KIND as RELATIONS
from remit.platform.storage.relation_view import RelationSteps, carried, read_on, read_whole
from remit.platform.storage.revision import ChangesForgotten
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables import authority, clients, core, decision, identity, oversight
from remit.platform.storage.unit_of_work import SqlTransaction

_log = structlog.stdlib.get_logger("remit.snapshot")
POLL_S: Final = 0.5
"""How often the feed is asked without a hint; bounds how old a snapshot may grow on a silent bus."""
PATIENCE_S: Final = 2.0
"""How long a demanded revision is waited for."""


class SnapshotBehind(Unavailable):
    """The demanded revision was not seen in time."""

    code = "snapshot_behind"


def _of(statement: Select[Any], kind: type[object]) -> Callable[[Sql, TenantId], list[tuple[str, Any]]]:
    """Read (key, body) rows of one table."""
    decoder = msgspec.json.Decoder(kind)

    def load(sql: Sql, tenant: TenantId) -> list[tuple[str, Any]]:
        return [(row[0], decoder.decode(row[1])) for row in sql.rows(statement, {"tenant": tenant})]

    return load


def _by_owner(statement: Select[Any], kind: type[object]) -> Callable[[Sql, TenantId], list[tuple[str, Any]]]:
    """Read (principal, body) rows of one table: each principal with all of its own."""
    load_each = _of(statement, kind)

    def load(sql: Sql, tenant: TenantId) -> list[tuple[str, Any]]:
        found: dict[str, list[Any]] = {}
        for owner, body in load_each(sql, tenant):
            found.setdefault(owner, []).append(body)
        return [(owner, tuple(bodies)) for owner, bodies in found.items()]

    return load


def _glasses(sql: Sql, tenant: TenantId) -> list[tuple[str, Any]]:
    """Break glass that nobody has ended."""
    rows = sql.rows(_OPEN_GLASS, {"tenant": tenant})
    found = (_GLASS.decode(row[0]).as_decided_on() for row in rows)
    return [(each.id, each) for each in found if each is not None]


_B = oversight.breakglass
_GLASS: Final = msgspec.json.Decoder(BreakGlass)
_OPEN_GLASS: Final = select(_B.c.body).where(_B.c.tenant == bindparam("tenant"), _B.c.state == "open")
_P, _S, _T = identity.principal, identity.server, identity.tool
_Q, _R, _W = identity.credential, clients.client, decision.risk_signal
_K, _G, _C, _E = authority.task, authority.consent, authority.ceiling, authority.envelope
_RUNNING = select(_K.c.id).where(_K.c.tenant == bindparam("tenant"), _K.c.state == "running")
_LOADS: Final = {
    "principals": _of(
        select(_P.c.id, _P.c.body).where(_P.c.tenant == bindparam("tenant"), _P.c.state != "retired"),
        Principal,
    ),
    "servers": _of(select(_S.c.id, _S.c.body).where(_S.c.tenant == bindparam("tenant")), Server),
    "tools": _of(select(_T.c.id, _T.c.body).where(_T.c.tenant == bindparam("tenant")), Tool),
    "tasks": _of(
        select(_K.c.id, _K.c.body).where(_K.c.tenant == bindparam("tenant"), _K.c.state == "running"), Task
    ),
    "grants": _of(select(_G.c.id, _G.c.body).where(_G.c.tenant == bindparam("tenant")), Grant),
    "ceilings": _of(select(_C.c.principal, _C.c.body).where(_C.c.tenant == bindparam("tenant")), Ceiling),
    "envelopes": _of(
        select(_E.c.digest, _E.c.body).where(_E.c.tenant == bindparam("tenant"), _E.c.task.in_(_RUNNING)),
        RecordedEnvelope,
    ),
    "glasses": _glasses,
    "credentials": _by_owner(
        select(_Q.c.principal, _Q.c.body)
        .where(_Q.c.tenant == bindparam("tenant"), _Q.c.state == "active")
        .order_by(_Q.c.created_at.desc(), _Q.c.id.desc()),
        Credential,
    ),
    "registrations": _by_owner(
        select(_R.c.principal, _R.c.body).where(_R.c.tenant == bindparam("tenant")).order_by(_R.c.id),
        ClientRegistration,
    ),
    "signals": _by_owner(
        select(_W.c.subject, _W.c.body).where(_W.c.tenant == bindparam("tenant")).order_by(_W.c.kind), Signal
    ),
}
"""How each member of the snapshot is read whole."""
_ALL_TOMBSTONES = (
    select(core.tombstone.c.kind, core.tombstone.c.ident, core.tombstone.c.epoch, core.tombstone.c.cause)
    .where(core.tombstone.c.tenant == bindparam("tenant"))
    .order_by(core.tombstone.c.epoch.desc())
)


@dataclass(frozen=True, slots=True)
class _Policies:
    """What there is of policy, nothing of it proven yet."""

    newest: PublishedPolicy | None
    base: PublishedPolicy | None
    """What the newest says that it is tried beside; None where it is for all."""
    seals: Sequence[tuple[int, str]]
    """Of the versions that this node has not followed yet, oldest first."""


@dataclass(frozen=True, slots=True)
class _Followed:
    """How far this node has followed the versions: no older one is believed again (PD-26)."""

    number: int = 0
    seal: str = ""


@dataclass(frozen=True, slots=True)
class _Tables:
    """What was read in one view; None for a table that was not asked for."""

    position: int
    """Number of the last change of any tenant: where the next reading goes on."""
    revision: int
    """How many changes the tenant itself has had."""
    epoch: int
    policy: "_Policies | None"
    whole: Mapping[str, dict[str, Any]]
    """Whole tables, by name of the snapshot's member."""
    things: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Single things that changed; None for one that is gone."""
    relations: HeldRelations | RelationSteps | None = None
    """Every store whole, or how those that changed go on; None where none did."""


class SnapshotKeeper:
    """Keeps the newest snapshot of one tenant in memory. OWNED BY: the event loop that starts it."""

    def __init__(
        self,
        uow: UnitOfWork[SqlTransaction],
        *,
        tenant: TenantId,
        keys: PolicyKeys,
        facts: Mapping[str, JsonObject] | None = None,
    ) -> None:
        self._uow = uow
        self._keys = keys
        self._facts = facts or {}
        self._followed = _Followed()
        self._tenant = tenant
        self._present: Snapshot | None = None
        self._position = 0
        """Where reading goes on. SAFETY: it counts over all tenants, so no snapshot shows it (MT-06)."""
        self._next: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._hint = asyncio.Event()

    def current(self) -> Snapshot:
        """The newest snapshot that this node holds; raises `Unavailable` before the first load."""
        if self._present is None:
            raise SnapshotBehind("no snapshot is loaded yet")
        return self._present

    async def catch_up(self, at_least: int | None = None) -> Snapshot:
        """A snapshot of a view that was opened after this was called."""
        await self._refreshed()
        if at_least is not None and self.current().revision < at_least:
            await self._wait_for(at_least)
        return self.current()

    def hint(self, _revision: int = 0) -> None:
        """Something was committed; only saves the wait for the next poll. Call from the event loop."""
        self._hint.set()

    async def follow(self) -> None:
        """Carry the snapshot along until cancelled: a hint wakes it, polling is the truth."""
        while True:
            self._hint.clear()
            await self._refreshed()
            # Not `wait_for`: in Python 3.11 it loses a cancellation that meets a hint, and nothing stops us.
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._hint.wait()

    async def _wait_for(self, revision: int) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while self.current().revision < revision:
            if asyncio.get_running_loop().time() > deadline:
                raise SnapshotBehind(f"revision {self.current().revision} is here, {revision} was asked for")
            await asyncio.sleep(PATIENCE_S / 100)
            await self._refreshed()

    async def _refreshed(self) -> None:
        """Join the next reading; who comes while one is under way waits for another."""
        if self._next is None:
            self._next = asyncio.create_task(self._refresh())
        await asyncio.shield(self._next)

    async def _refresh(self) -> None:
        async with self._turn:
            self._next = None
            known = self._present
            read = await self._uow.read(lambda tx: _read(tx, known, self._position, self._followed.number))
            sides = None if read.policy is None else self._believed(read.policy)
            if known is None or read.whole:
                self._present = replace(
                    _load(self._tenant, read, sides or (_bundle(None), None)), fact_types=self._facts
                )
            else:
                self._present = _carry(known, read, sides)
            self._position = read.position

    def _believed(self, read: _Policies) -> tuple[Bundle, Rollout | None]:
        """What is in force, proven; else a version without rules, which permits nothing (ADR 0049)."""
        newest = read.newest
        if newest is None:
            if self._followed.number:
                return _unproven(
                    PolicyVersion(number=0, digest=sha256(b"")), "every version that this node knew is gone"
                ), None
            return _bundle(None), None
        try:
            return self._proven(newest, read)
        except SealBroken as broken:
            if self._present is None or self._present.bundle.unproven != broken.hint:
                _log.error("policy.unverified", version=str(newest.version), why=broken.hint)
            return _unproven(newest.version, broken.hint), None

    def _proven(self, newest: PublishedPolicy, read: _Policies) -> tuple[Bundle, Rollout | None]:
        followed = self._followed
        if newest.version.number < followed.number or (
            newest.version.number == followed.number and newest.seal != followed.seal
        ):
            raise SealBroken(f"version `{newest.version}` stands where `v{followed.number}` was")
        seal = prove(newest, tenant=self._tenant, keys=self._keys)
        if newest.version.number > followed.number:
            follow(read.seals, newest=seal, after=followed.seal)
        found = self._split(newest, seal.canary, read.base) if seal.canary else (_bundle(newest), None)
        self._followed = _Followed(newest.version.number, newest.seal)
        return found

    def _split(
        self, newest: PublishedPolicy, canary: Canary, base: PublishedPolicy | None
    ) -> tuple[Bundle, Rollout | None]:
        if base is None or base.version.number != canary.base:
            raise SealBroken(f"version `v{canary.base}`, which `{newest.version}` is tried beside, is gone")
        stays: Seal = prove(base, tenant=self._tenant, keys=self._keys)
        if stays.canary is not None:
            raise SealBroken(f"version `{base.version}` was never in force for all")
        rollout = Rollout(
            bundle=_bundle(newest),
            percent=canary.percent,
            agents=frozenset(canary.agents),
            until=canary.until,
        )
        return _bundle(base), rollout


def _read(tx: SqlTransaction, known: Snapshot | None, position: int, followed: int) -> _Tables:
    """Everything that differs from the known snapshot, all from one view."""
    if known is None:
        return _read_all(tx, followed)
    try:
        changes = tx.changes.since(position)
    except ChangesForgotten:
        return _read_all(tx, followed)
    things: dict[str, dict[str, Any]] = {}
    for kind, ident in changes.things:
        read = _ONE.get(kind)
        if read is not None:
            member, get = read
            key = _owner(tx, ident) if kind == "credential" else ident
            things.setdefault(member, {})[key] = get(tx, key)
    # What could not be proven is looked at again: the key may have come since.
    moved = known.bundle.unproven or any(kind == "policy" for kind, _ in changes.things)
    policy = _policies(tx, followed) if moved else None
    own = tx.changes.own() if changes.things else known.revision
    stores = [ident for kind, ident in changes.things if kind == RELATIONS]
    relations = read_on(tx.sql, tx.tenant, known.stores, stores) if stores else None
    return _Tables(changes.revision, own, tx.epoch(), policy, {}, things, relations)


def _policies(tx: SqlTransaction, followed: int) -> _Policies:
    newest = tx.policies.newest()
    # Nothing is believed of it here: it only says what else to read.
    said = None if newest is None else stated(newest.seal)
    base = tx.policies.get(said.canary.base) if said is not None and said.canary is not None else None
    return _Policies(newest, base, tx.policies.seals(after=followed))


def _read_all(tx: SqlTransaction, followed: int) -> _Tables:
    whole = {name: dict(load(tx.sql, tx.tenant)) for name, load in _LOADS.items()}
    values: dict[str, Scalar] = {"tenant": tx.tenant}
    # Oldest last, so that of several stones of one id the first one stays.
    whole["tombstones"] = {
        row[1]: Tombstone(kind=row[0], ident=row[1], epoch=row[2], cause=row[3])
        for row in tx.sql.rows(_ALL_TOMBSTONES, values)
    }
    changes = tx.changes
    policies, relations = _policies(tx, followed), read_whole(tx.sql, tx.tenant)
    return _Tables(changes.revision(), changes.own(), tx.epoch(), policies, whole, relations=relations)


def _open_glass(tx: SqlTransaction, ident: str) -> Glass | None:
    found = tx.glasses.get(BreakGlassId(ident))
    return None if found is None else found.as_decided_on()


_ONE: Final[dict[str, tuple[str, Callable[[SqlTransaction, Any], Any]]]] = {
    "principal": ("principals", lambda tx, ident: tx.principals.get(ident)),
    "server": ("servers", lambda tx, ident: tx.servers.get(ident)),
    "tool": ("tools", lambda tx, ident: tx.tools.get(ident)),
    "task": ("tasks", lambda tx, ident: tx.tasks.get(ident)),
    "grant": ("grants", lambda tx, ident: tx.grants.get(ident)),
    "ceiling": ("ceilings", lambda tx, ident: tx.ceilings.get(PrincipalId(ident))),
    "envelope": ("envelopes", lambda tx, ident: tx.envelopes.by_digest(ident)),
    "breakglass": ("glasses", _open_glass),
    "tombstone": ("tombstones", lambda tx, ident: tx.lineage.tombstone(ident)),
    "credential": ("credentials", lambda tx, owner: _active(tx.credentials.of(PrincipalId(owner)))),
    "registration": ("registrations", lambda tx, owner: tuple(tx.registrations.of(PrincipalId(owner)))),
    "risk_signal": ("signals", lambda tx, owner: tuple(tx.signals.of(PrincipalId(owner)))),
}
"""What each kind of change reloads; a kind that is not here is nothing that decisions see."""


def _owner(tx: SqlTransaction, key: str) -> str:
    """Whose key it is; keys are kept by their owner. No principal has the id of a key."""
    found = tx.credentials.get(KeyId(key))
    return key if found is None else found.principal


def _active(known: Iterable[Credential]) -> tuple[Credential, ...]:
    return tuple(each for each in known if each.state is CredentialState.ACTIVE)


def _load(tenant: TenantId, read: _Tables, sides: tuple[Bundle, Rollout | None]) -> Snapshot:
    held = read.relations if isinstance(read.relations, HeldRelations) else HeldRelations()
    maps: dict[str, Any] = {name: Map(rows) for name, rows in read.whole.items()}
    return Snapshot(
        tenant=tenant,
        revision=read.revision,
        epoch=read.epoch,
        bundle=sides[0],
        rollout=sides[1],
        stores=held,
        relations=held.in_force,
        **maps,
    )


def _carry(known: Snapshot, read: _Tables, sides: tuple[Bundle, Rollout | None] | None) -> Snapshot:
    if (
        not read.things
        and (read.policy is None or _same(known, sides))
        and read.relations is None
        and (read.revision, read.epoch) == (known.revision, known.epoch)
    ):
        return known  # the very same: what was derived from it holds on
    changed: dict[str, Any] = {
        name: _changed(getattr(known, name), rows.items()) for name, rows in read.things.items()
    }
    if isinstance(read.relations, RelationSteps):
        held = carried(known.stores, read.relations)
        changed |= {"stores": held, "relations": held.in_force}
    bundle, rollout = (known.bundle, known.rollout) if sides is None else sides
    return replace(known, revision=read.revision, epoch=read.epoch, bundle=bundle, rollout=rollout, **changed)


def _same(known: Snapshot, sides: tuple[Bundle, Rollout | None] | None) -> bool:
    """Still unproven, for the same reason."""
    return sides is not None and bool(sides[0].unproven) and sides[0].unproven == known.bundle.unproven


def _changed(before: Map[Any, Any], rows: Iterable[tuple[str, Any]]) -> Map[Any, Any]:
    draft = before.mutate()
    for ident, body in rows:
        if body is not None:
            draft[ident] = body
        elif ident in draft:
            del draft[ident]
    return draft.finish()


def _unproven(version: PolicyVersion, why: str) -> Bundle:
    return replace(compile_bundle("", version=version), unproven=why)


def _bundle(policy: PublishedPolicy | None) -> Bundle:
    if policy is None:
        return compile_bundle("", version=PolicyVersion(number=0, digest=sha256(b"")))
    return compile_bundle(policy.text, version=policy.version)
