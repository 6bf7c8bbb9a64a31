"""Use cases of consent and of standing ceilings: what people give, see and take back (R28, R29, R35)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from remit.authority import events
from remit.authority.attenuation import covers, normal
from remit.authority.consent import Grant, GrantState
from remit.authority.errors import NoConsent, NotYours, Widened
from remit.authority.repository import AuthorityTransaction
from remit.authority.rights import Ceiling, MalformedCeiling
from remit.authority.task_service import withdraw_tasks
from remit.authority.tasks import Task
from remit.identity.principals import Kind
from remit.kernel.ids import AgentId, Entropy, GrantId, PrincipalId, TenantId, UserId, mint_id
from remit.kernel.uow import UnitOfWork
from remit.ledger.record import Content

TEXT_LIMIT: Final = 8 << 10
GRANTS_SHOWN: Final = 500


class ConsentService:
    """Gives, shows and withdraws consent; sets the ceilings of agents and blueprints."""

    def __init__(self, *, uow: UnitOfWork[AuthorityTransaction], entropy: Entropy, tenant: TenantId) -> None:
        self._uow = uow
        self._entropy = entropy
        self._tenant = tenant

    async def give(
        self,
        *,
        user: UserId,
        agent: AgentId,
        ceiling: Ceiling,
        text: str,
        by: PrincipalId,
        at: datetime,
    ) -> Grant:
        """Let an agent act within a ceiling; `text` is the exact sentence that the user saw.

        Only the user gives it, and an empty ceiling is refused: empty never means all.
        """
        return await self._uow.commit(
            lambda tx: self.give_in(tx, user=user, agent=agent, ceiling=ceiling, text=text, by=by, at=at)
        )

    def give_in(
        self,
        tx: AuthorityTransaction,
        *,
        user: UserId,
        agent: AgentId,
        ceiling: Ceiling,
        text: str,
        by: PrincipalId,
        at: datetime,
    ) -> Grant:
        """Let an agent act within a ceiling, in an open transaction."""
        _check(user, ceiling, text, by)
        _living(tx, PrincipalId(user), Kind.HUMAN)
        _living(tx, PrincipalId(agent), Kind.AGENT)
        grant = Grant(
            id=GrantId(mint_id("gra", at=at, entropy=self._entropy)),
            tenant=self._tenant,
            user=user,
            agent=agent,
            ceiling=normal(ceiling),
            text=text,
            state=GrantState.GIVEN,
            given_at=at,
        )
        tx.grants.add(grant)
        tx.touch("grant", grant.id)
        self._record(tx, events.GRANT_GIVEN, grant, by, at)
        return grant

    async def withdraw(self, ident: GrantId, *, by: PrincipalId, at: datetime) -> Grant:
        """Take a consent back: every task on it ends now, and nothing else of the user's does (R29)."""

        def work(tx: AuthorityTransaction) -> Grant:
            grant = tx.grants.get(ident)
            if grant is None or PrincipalId(grant.user) != by:
                raise NotYours(f"no consent `{ident[:64]}` of yours")
            if not tx.grants.withdraw(ident, at):
                return grant
            epoch = tx.advance_epoch(f"withdrawn:{ident}")
            withdraw_tasks(tx, ident, by=by, at=at, entropy=self._entropy)
            tx.lineage.bury("grant", ident, cause="consent_withdrawn", epoch=epoch, at=at)
            tx.touch("tombstone", ident)
            tx.touch("grant", ident)
            taken = replace(grant, state=GrantState.WITHDRAWN, withdrawn_at=at)
            self._record(tx, events.GRANT_WITHDRAWN, taken, by, at)
            return taken

        return await self._uow.commit(work)

    async def of_user(self, user: UserId) -> Sequence[Grant]:
        """Every consent of a user with its text, newest first, withdrawn ones too (R35)."""
        return await self._uow.read(lambda tx: tx.grants.of_user(user, GRANTS_SHOWN))

    async def in_use(self, user: UserId) -> Sequence[Task]:
        """What runs now for a user, alone or among others, on a consent of theirs."""
        return await self._uow.read(lambda tx: tx.tasks.running(user=user, limit=GRANTS_SHOWN))

    async def set_ceiling(
        self, principal: PrincipalId, ceiling: Ceiling, *, by: PrincipalId, at: datetime
    ) -> Ceiling:
        """Set the most that an agent, a blueprint or a workload may ever do.

        An agent's lies inside its blueprint's. Raises `Widened` if not, `NotYours` for no such entry.
        """
        tidy = normal(ceiling)

        def work(tx: AuthorityTransaction) -> Ceiling:
            entry = tx.principals.get(principal)
            if entry is None:
                raise NotYours(f"no principal `{principal[:64]}`")
            if entry.kind is Kind.AGENT and entry.blueprint is not None:
                outer = tx.ceilings.get(PrincipalId(entry.blueprint))
                if outer is None or not covers(outer, tidy):
                    raise Widened("the agent's ceiling goes beyond that of its blueprint")
            # It may shrink what is running: whoever decided on the old one decides again.
            tx.advance_epoch(f"ceiling:{principal}")
            tx.ceilings.put(principal, tidy, at)
            tx.touch("ceiling", principal)
            events.state(
                tx,
                events.CEILING_CHANGED,
                tenant=self._tenant,
                actor=by,
                agent=principal if entry.kind is Kind.AGENT else "",
                at=at,
                entropy=self._entropy,
                ceiling=tidy,
                subject=principal,
            )
            return tidy

        return await self._uow.commit(work)

    async def ceiling_of(self, principal: PrincipalId) -> Ceiling | None:
        """The standing ceiling; None: the principal may do nothing."""
        return await self._uow.read(lambda tx: tx.ceilings.get(principal))

    def _record(
        self, tx: AuthorityTransaction, fact: str, grant: Grant, by: PrincipalId, at: datetime
    ) -> None:
        events.state(
            tx,
            fact,
            tenant=self._tenant,
            actor=by,
            agent=grant.agent,
            at=at,
            entropy=self._entropy,
            ceiling=grant.ceiling,
            user=grant.user,
            grant=grant.id,
            subject=grant.id,
            contents=(Content(name="consent", subject=grant.user, text=grant.text),),
        )


def _check(user: UserId, ceiling: Ceiling, text: str, by: PrincipalId) -> None:
    if by != PrincipalId(user):
        raise NoConsent("consent is given by the user alone")
    tidy = normal(ceiling)
    if not tidy.rights or not tidy.purpose or tidy.window.start >= tidy.window.end:
        raise MalformedCeiling("a consent names at least one right, a purpose and a window")
    if not text.strip() or len(text) > TEXT_LIMIT:
        raise MalformedCeiling(f"`text` is empty or longer than {TEXT_LIMIT} characters")


def _living(tx: AuthorityTransaction, ident: PrincipalId, kind: Kind) -> None:
    entry = tx.principals.get(ident)
    if entry is None or entry.kind is not kind:
        raise NotYours(f"no {kind} `{ident[:64]}`")
