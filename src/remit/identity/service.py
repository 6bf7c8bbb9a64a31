"""Use cases of the directory: what enters, lives, changes and ends; each is one unit of work."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from remit.identity import endings, events
from remit.identity.blueprints import Drift, drift
from remit.identity.credentials import CredentialState
from remit.identity.errors import ActivationIncomplete, Changed, Killed, NameTaken, UnknownPrincipal
from remit.identity.lifecycle import State, advance
from remit.identity.ownership import Ownership, accountable
from remit.identity.principals import PREFIX, Environment, Kind, Principal
from remit.identity.registration import (
    PROVEN_BY,
    Registration,
    draft,
    missing_for_activation,
    refuse_deviation,
    renamed,
)
from remit.identity.repository import IdentityTransaction
from remit.kernel.ids import AgentId, Entropy, PrincipalId, TenantId, mint_id
from remit.kernel.uow import UnitOfWork

PAGE_LIMIT: Final = 200
_LISTED: Final = {
    Kind.AGENT: "remit agent list",
    Kind.BLUEPRINT: "remit blueprint list",
    Kind.HUMAN: "remit user list",
    Kind.MCP_SERVER: "remit server list",
}
"""Where a person finds the name that they meant."""


class Ends(Protocol):
    """Ends an entry for a while or for ever."""

    def __call__(
        self,
        tx: IdentityTransaction,
        principal: Principal,
        *,
        by: PrincipalId,
        because: str,
        at: datetime,
        entropy: Entropy,
    ) -> Principal:
        """The entry as it is then."""


class Keeps(Protocol):
    """Who sees to it that somebody administers; a higher wing knows who that is."""

    def counts(self, tx: IdentityTransaction, principal: Principal, *, at: datetime) -> bool:
        """Whether it is one of those of whom there must be one."""

    def require_left(self, tx: IdentityTransaction, changed: Principal, *, at: datetime) -> None:
        """Raise unless, after this change of one who counted, one is left."""


class IdentityService:
    """Registers, activates, suspends, resumes, retires and lists every kind of principal (R1)."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[IdentityTransaction],
        entropy: Entropy,
        tenant: TenantId,
        keeps: Keeps | None = None,
    ) -> None:
        self._uow = uow
        self._entropy = entropy
        self._tenant = tenant
        self._keeps = keeps

    async def register(self, stated: Registration, *, by: PrincipalId, at: datetime) -> Principal:
        """Put a new entry into the directory, in state `draft`. Raises `NameTaken`, or as `draft` does."""
        return await self._uow.commit(lambda tx: register(tx, stated, self._tenant, by, at, self._entropy))

    async def activate(self, ident: PrincipalId, *, by: PrincipalId, at: datetime) -> Principal:
        """Let a draft act. Raises `ActivationIncomplete` naming each missing field, or an owner's error."""
        return await self._uow.commit(lambda tx: activate(tx, ident, by, at, self._entropy))

    async def suspend(self, ident: PrincipalId, *, by: PrincipalId, because: str, at: datetime) -> Principal:
        """Stop an entry until it is resumed; what it held is dead at once."""
        return await self._end(endings.suspend, ident, by=by, because=because, at=at)

    async def resume(self, ident: PrincipalId, *, by: PrincipalId, at: datetime) -> Principal:
        """Let a suspended entry act again, if it still fulfils what activation asks."""

        def work(tx: IdentityTransaction) -> Principal:
            entry = known(tx, ident)
            _require_state(entry, State.SUSPENDED)
            return _enliven(tx, entry, events.RESUMED, by, at, self._entropy)

        return await self._uow.commit(work)

    async def retire(self, ident: PrincipalId, *, by: PrincipalId, because: str, at: datetime) -> Principal:
        """End an entry for ever, with its keys, tokens and all that lives only below it (R97)."""
        return await self._end(endings.retire, ident, by=by, because=because, at=at)

    async def _end(
        self, how: Ends, ident: PrincipalId, *, by: PrincipalId, because: str, at: datetime
    ) -> Principal:
        def work(tx: IdentityTransaction) -> Principal:
            present = known(tx, ident)
            counted = self._counts(tx, present, at)
            ended = how(tx, present, by=by, because=because, at=at, entropy=self._entropy)
            self._keep(tx, ended, at, counted=counted)
            return ended

        return await self._uow.commit(work)

    def _counts(self, tx: IdentityTransaction, present: Principal, at: datetime) -> bool:
        """INVARIANT: asked before the change and in its transaction: an end takes the keys along."""
        return self._keeps is not None and self._keeps.counts(tx, present, at=at)

    def _keep(self, tx: IdentityTransaction, after: Principal, at: datetime, *, counted: bool) -> None:
        if counted and self._keeps is not None:
            self._keeps.require_left(tx, after, at=at)

    async def change(
        self,
        ident: PrincipalId,
        *,
        by: PrincipalId,
        at: datetime,
        name: str | None = None,
        owner: PrincipalId | None = None,
        purpose: str | None = None,
        deputy: PrincipalId | None = None,
        segments: frozenset[str] | None = None,
        attributes: tuple[tuple[str, str], ...] | None = None,
        over: datetime | None = None,
    ) -> Principal:
        """Change what is stated; what is None stays. A deviation from the blueprint is refused.

        `over` is the `changed_at` that the change was made from. Raises `Changed` if it is another by now.
        """

        def work(tx: IdentityTransaction) -> Principal:
            present = known(tx, ident)
            if over is not None and present.changed_at != over:
                raise Changed(f"`{ident}` was changed by somebody else", next_step=f"remit user show {ident}")
            # Segments and attributes can take authority away, and policies read both; so can who answers.
            if any(each is not None for each in (segments, attributes, owner, deputy)):
                tx.advance_epoch(f"changed:{ident}")
            entry = replace(
                present if name is None else renamed(present, name),
                owner=present.owner if owner is None else owner,
                purpose=present.purpose if purpose is None else purpose,
                deputy=present.deputy if deputy is None else deputy,
                segments=present.segments if segments is None else segments,
                attributes=present.attributes if attributes is None else attributes,
                changed_at=at,
            )
            counted = self._counts(tx, present, at)
            changed = _change(tx, present, entry, by, at, self._entropy)
            self._keep(tx, changed, at, counted=counted)
            return changed

        return await self._uow.commit(work)

    async def get(self, ident: PrincipalId) -> Principal:
        """One entry, whatever its state. Raises `UnknownPrincipal`."""
        return await self._uow.read(lambda tx: known(tx, ident))

    async def find(self, kind: Kind, name: str) -> Principal:
        """The living entry of that kind and name. Raises `UnknownPrincipal`."""

        def work(tx: IdentityTransaction) -> Principal:
            entry = tx.principals.named(kind, name)
            if entry is None:
                raise UnknownPrincipal(f"no {kind} is named `{name[:64]}`", next_step=_LISTED.get(kind, ""))
            return entry

        return await self._uow.read(work)

    async def page(
        self,
        *,
        kind: Kind | None = None,
        state: State | None = None,
        owner: PrincipalId | None = None,
        environment: Environment | None = None,
        after: str = "",
        limit: int = PAGE_LIMIT,
    ) -> Sequence[Principal]:
        """Entries by id, filtered by any of R99's fields, at most 200 at a time."""
        return await self._uow.read(
            lambda tx: tx.principals.page(
                kind=kind,
                state=state,
                owner=owner,
                environment=environment,
                after=after,
                limit=min(limit, PAGE_LIMIT),
            )
        )

    async def owner_of(self, ident: PrincipalId) -> Ownership:
        """The chain of owners and the human at its end (R100)."""
        return await self._uow.read(lambda tx: accountable(known(tx, ident), tx.principals.get))

    async def drift_of(self, ident: PrincipalId) -> tuple[Drift, ...]:
        """Where an agent differs from its blueprint as that is now (R109)."""

        def work(tx: IdentityTransaction) -> tuple[Drift, ...]:
            agent = known(tx, ident)
            blueprint = None if agent.blueprint is None else tx.principals.get(PrincipalId(agent.blueprint))
            return () if blueprint is None else drift(agent, blueprint)

        return await self._uow.read(work)


def known(tx: IdentityTransaction, ident: PrincipalId) -> Principal:
    """One entry. Raises `UnknownPrincipal`."""
    entry = tx.principals.get(ident)
    if entry is None:
        raise UnknownPrincipal(f"no principal `{ident[:64]}`")
    return entry


def register(
    tx: IdentityTransaction,
    stated: Registration,
    tenant: TenantId,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
    *,
    ident: PrincipalId | None = None,
) -> Principal:
    """Register inside an open transaction; `ident` where the id exists already (a server, a tool)."""
    entry = draft(
        stated,
        ident=ident or PrincipalId(mint_id(PREFIX[stated.kind], at=at, entropy=entropy)),
        tenant=tenant,
        parent=None if stated.parent is None else tx.principals.get(stated.parent),
        blueprint=None if stated.blueprint is None else tx.principals.get(PrincipalId(stated.blueprint)),
        at=at,
    )
    if entry.owner is not None:
        accountable(entry, tx.principals.get)
    if not tx.principals.add(entry):
        raise NameTaken(f"a living {stated.kind} is named `{stated.name[:64]}` already")
    tx.touch("principal", entry.id)
    events.state(tx, events.REGISTERED, entry, by=by, at=at, entropy=entropy)
    return entry


def activate(
    tx: IdentityTransaction, ident: PrincipalId, by: PrincipalId, at: datetime, entropy: Entropy
) -> Principal:
    """Activate inside an open transaction."""
    entry = known(tx, ident)
    _require_state(entry, State.DRAFT)
    return _enliven(tx, entry, events.ACTIVATED, by, at, entropy)


def _require_state(entry: Principal, wanted: State) -> None:
    if entry.state is not wanted:
        # Says what would be lawful from where it is.
        advance(entry.state, State.DRAFT)


def _enliven(
    tx: IdentityTransaction, entry: Principal, fact: str, by: PrincipalId, at: datetime, entropy: Entropy
) -> Principal:
    if tx.lineage.buried(entry.id):
        # INVARIANT: no state of the directory says `active` of what every decision takes for dead (P12).
        raise Killed(
            f"`{entry.name}` ({entry.id}) was killed, and a kill is final: its id never acts again",
            next_step="remit kill --list; then retire it, and register a new one",
        )
    missing = missing_for_activation(entry, has_key=_has_key(tx, entry))
    if missing:
        raise ActivationIncomplete(missing)
    accountable(replace(entry, state=State.ACTIVE), tx.principals.get)
    changed = replace(entry, state=advance(entry.state, State.ACTIVE), changed_at=at)
    _save(tx, entry, changed)
    events.state(tx, fact, changed, by=by, at=at, entropy=entropy)
    return changed


def _has_key(tx: IdentityTransaction, entry: Principal) -> bool:
    """A living key of it, or for an agent of an instance; or a rule by which workloads prove to be it."""
    if entry.kind is Kind.AGENT and tx.trust_rules.of_agent(AgentId(entry.id)):
        return True
    holders = (entry, *(tx.principals.children(entry.id) if entry.kind is Kind.AGENT else ()))
    return any(
        holder.kind is Kind.INSTANCE and PROVEN_BY in dict(holder.attributes) for holder in holders
    ) or any(
        credential.state is CredentialState.ACTIVE
        for holder in holders
        for credential in tx.credentials.of(holder.id)
    )


def _change(
    tx: IdentityTransaction,
    present: Principal,
    entry: Principal,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
) -> Principal:
    if present.state is State.RETIRED:
        advance(present.state, State.ACTIVE)
    if entry.owner is not None:
        accountable(entry, tx.principals.get)
    above = entry.parent if entry.kind is Kind.INSTANCE else entry.blueprint
    refuse_deviation(entry, None if above is None else tx.principals.get(PrincipalId(above)))
    taken = tx.principals.named(entry.kind, entry.name)
    if taken is not None and taken.id != entry.id:
        raise NameTaken(f"a living {entry.kind} is named `{entry.name[:64]}` already")
    _save(tx, present, entry)
    fields = tuple(
        ("changed", field)
        for field in ("name", "owner", "purpose", "deputy", "segments", "attributes")
        if getattr(present, field) != getattr(entry, field)
    )
    events.state(tx, events.CHANGED, entry, by=by, at=at, entropy=entropy, detail=fields)
    return entry


def _save(tx: IdentityTransaction, present: Principal, changed: Principal) -> None:
    if not tx.principals.save(changed, was=present.state):
        raise Changed(f"`{present.id}` was changed by somebody else")
    tx.touch("principal", changed.id)
