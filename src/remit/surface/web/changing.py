"""High-risk operations: proposed where two are needed, done for their proposer once another confirmed them.

INVARIANT: what is done is what was confirmed: the operation, path and body that the digest covers, by the
right of who proposed it as that is when it is done. Nothing of a request but these is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

from remit.authority.oauth.wire.scopes import scopes_of_roles
from remit.authority.tokens import VerifiedSubject
from remit.decision.administration.current import in_force
from remit.decision.administration.guard import roles_of
from remit.decision.administration.judging import AdminPolicy
from remit.decision.administration.repository import ReadsRoles
from remit.identity.principals import Kind, Principal
from remit.kernel.canonical import parse_object
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.kernel.ids import AgentId, ChangeId, InstanceId, PrincipalId, TokenId, UserId
from remit.kernel.uow import UnitOfWork
from remit.oversight.changes.change import Change, ChangeState, ChangeWanted
from remit.oversight.changes.errors import ChangeOutdated, ChangeOver, NoSuchChange
from remit.oversight.changes.service import ChangeService
from remit.surface.web.caller import Caller
from remit.surface.web.governing import judged
from remit.surface.web.operation import Inbound, Nothing, Operation, Second


class Directory(Protocol):
    """Who people are."""

    def get(self, ident: PrincipalId) -> Principal | None:
        """One principal."""


class ProposerTransaction(ReadsRoles, Protocol):
    """The transaction in which the proposer is looked up."""

    @property
    def principals(self) -> Directory:
        """The directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changing:
    """The two ends of a change: where it is proposed, and where it is done."""

    service: ChangeService
    operations: Callable[[], Sequence[Operation[Any, Any]]]
    uow: UnitOfWork[ProposerTransaction]
    clock: Clock
    issuer: str

    async def propose(
        self, operation: Operation[Any, Any], inbound: Inbound[Any, Any], raw: bytes
    ) -> Change | None:
        """The change, if it has to wait; None if the operation goes on now."""
        second = operation.second
        if second is None or not inbound.caller.person or not await second.when(inbound):
            return None
        wanted = ChangeWanted(
            operation=operation.name,
            action=operation.action.name,
            path=tuple(sorted(inbound.path.items())),
            body=raw.decode(),
            says=second.says(inbound),
            basis=await second.basis(inbound),
        )
        return await self.service.propose(wanted, by=inbound.caller.principal)

    async def confirm(self, ident: ChangeId, *, by: PrincipalId, passkey: str) -> Change:
        """Confirm it as another person, and do it. Raises what `ChangeService.confirm` raises.

        CRASH: between the confirmation and its outcome a change stays `confirmed`; it is never done again.
        """
        waiting = await self.service.get(ident)
        operation, second = self._known(waiting)
        inbound = await self._inbound(operation, waiting)
        change = await self.service.confirm(ident, by=by, passkey=passkey, basis=await second.basis(inbound))
        if change.state is ChangeState.CANCELLED:
            raise ChangeOutdated(
                "what this stood on has changed since; it is cancelled",
                next_step="look, then propose it anew",
            )
        if change.state is ChangeState.EXPIRED:
            raise ChangeOver("its time was over", next_step="propose it anew")
        try:
            await operation.handler(inbound)
        except RemitError as failed:
            return await self.service.finish(change, code=failed.code)
        return await self.service.finish(change, code="")

    def _known(self, change: Change) -> tuple[Operation[Any, Any], Second]:
        for each in self.operations():
            if each.name == change.wanted.operation and each.second is not None:
                return each, each.second
        raise NoSuchChange("this release has no such operation", next_step=f"remit change refuse {change.id}")

    async def _inbound(self, operation: Operation[Any, Any], change: Change) -> Inbound[Any, Any]:
        """The request anew: the stored bytes, and who proposed it with their rights as of now."""
        at = self.clock.now()
        person, policy = await self.uow.read(lambda tx: (tx.principals.get(change.by), in_force(tx)))
        if person is None or person.kind is not Kind.HUMAN:
            raise NoSuchChange("nobody proposed it", next_step="remit change list")
        caller = judged(self._caller(person, policy, at), operation, at=at)
        body = (
            msgspec.convert(parse_object(change.wanted.body.encode()), operation.body)
            if operation.reads_body
            else Nothing()
        )
        return Inbound(caller=caller, body=body, query=Nothing(), path=dict(change.wanted.path), at=at)

    def _caller(self, person: Principal, policy: AdminPolicy, at: datetime) -> Caller:
        roles = roles_of(person)
        scopes = frozenset(map(str, scopes_of_roles(" ".join(roles))))
        subject = VerifiedSubject(
            tenant=person.tenant,
            token=TokenId(""),
            instance=InstanceId(person.id),
            agent=AgentId(person.id),
            user=UserId(person.id),
            task=None,
            chain=(),
            envelope=None,
            ceiling=None,
            audience=f"{self.issuer}/api",
            scopes=scopes,
            key="",
            proof=None,
            issued_at=at,
            expires_at=at,
            client=person.id,
        )
        return Caller(
            tenant=person.tenant,
            principal=person.id,
            person=True,
            roles=roles,
            scopes=scopes,
            subject=subject,
            policy=policy,
            name=person.name,
        )
