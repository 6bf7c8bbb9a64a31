"""Use cases: read and publish the administrative policy, give and take roles, ask who may do what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.decision.administration.actions import AdminAction, Catalogue
from remit.decision.administration.current import in_force
from remit.decision.administration.errors import (
    AdminPolicyOutdated,
    NoSuchAction,
    NoSuchAdminPolicy,
    NoSuchRole,
)
from remit.decision.administration.guard import people, require_somebody, roles_of
from remit.decision.administration.judging import AdminAnswer, AdminPolicy, Channel, Standing
from remit.decision.administration.repository import AdministrationTransaction, PublishedRoles
from remit.decision.administration.texts import admitted
from remit.decision.policy.errors import Fault, PolicyRefused
from remit.identity.principals import Kind, Principal
from remit.identity.service import IdentityService
from remit.identity.sessions import ACR_PASSKEY_UV
from remit.kernel.ids import Entropy, PrincipalId, TenantId
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Content, Record

_BEFORE_ALL: Final = (1 << 62) - 1
HOLDERS: Final = 1000
"""As many people with a role as are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One role: the rules that name it, with why, and who holds it."""

    name: str
    rules: tuple[tuple[str, str], ...]
    holders: tuple[Principal, ...]


class AdministrationService:
    """Who may administer one tenant."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[AdministrationTransaction],
        identity: IdentityService,
        catalogue: Callable[[], Catalogue],
        entropy: Entropy,
        tenant: TenantId,
    ) -> None:
        self._uow = uow
        self._identity = identity
        self._catalogue = catalogue
        self._entropy = entropy
        self._tenant = tenant

    async def current(self) -> AdminPolicy:
        """What is in force."""
        return await self._uow.read(in_force)

    async def version(self, number: int) -> PublishedRoles:
        """One published version. Raises `NoSuchAdminPolicy`."""
        found = await self._uow.read(lambda tx: tx.administration.get(number))
        if found is None:
            raise NoSuchAdminPolicy(f"no version `{number}`", next_step="remit role history")
        return found

    async def page(self, *, before: int = _BEFORE_ALL, limit: int = 50) -> Sequence[PublishedRoles]:
        """Published versions, newest first."""
        return await self._uow.read(lambda tx: tx.administration.page(before=before, limit=limit))

    def check(self, text: str) -> tuple[Fault, ...]:
        """What is wrong with a text; whether it would lock everybody out is seen when it is published."""
        try:
            admitted(text, number=1, catalogue=self._catalogue())
        except PolicyRefused as refused:
            return refused.faults
        return ()

    async def publish(self, text: str, *, over: int, by: PrincipalId, at: datetime) -> PublishedRoles:
        """Put a text in force in the place of version `over`.

        Raises `PolicyRefused` with every fault, `AdminPolicyOutdated` if another version came meanwhile, and
        `NobodyLeft` if nobody could publish or give roles under it.
        """
        policy = admitted(text, number=over + 1, catalogue=self._catalogue())
        version = PublishedRoles(
            number=over + 1,
            digest=policy.bundle.version.digest,
            text=text,
            published_by=by,
            published_at=at,
        )

        def work(tx: AdministrationTransaction) -> PublishedRoles:
            present = in_force(tx).number
            if present != over or not tx.administration.add(version):
                raise AdminPolicyOutdated(
                    f"version `{present}` is in force, not `{over}`", next_step="remit role text"
                )
            # SAFETY: judged in the transaction that commits it, over everybody who is alive in it.
            require_somebody(tx, policy, at=at)
            tx.advance_epoch("administration")
            tx.touch("administration", str(version.number))
            self._record(tx, version)
            return version

        return await self._uow.commit(work)

    async def roles(self) -> list[Role]:
        """Every role that a rule names or that somebody holds."""
        policy, held = await self._uow.read(lambda tx: (in_force(tx), _held(tx)))
        why = {rule.id: rule.reason for rule in policy.bundle.rules.values()}
        names = sorted({*policy.roles, *held})
        return [
            Role(
                name=name,
                rules=tuple((rule, why[rule]) for rule in policy.roles.get(name, ())),
                holders=tuple(held.get(name, ())[:HOLDERS]),
            )
            for name in names
        ]

    async def grant(self, role: str, to: PrincipalId, *, by: PrincipalId, at: datetime) -> Principal:
        """Give a person a role that some rule names. Raises `NoSuchRole`; two who race are told so."""
        policy = await self.current()
        if role not in {*policy.roles, *_BEYOND}:
            raise NoSuchRole(f"no rule names a role `{role[:64]}`", next_step="remit role list")
        return await self._set(to, lambda roles: roles | {role}, by=by, at=at)

    async def revoke(self, role: str, of: PrincipalId, *, by: PrincipalId, at: datetime) -> Principal:
        """Take a role from a person. Raises `NobodyLeft` if it was the last that administers."""
        return await self._set(of, lambda roles: roles - {role}, by=by, at=at)

    async def may(
        self, who: PrincipalId, action: str, *, at: datetime, channel: Channel = Channel.SESSION
    ) -> tuple[Principal, AdminAction, AdminAnswer, AdminAnswer]:
        """Whether a person may do something, to whatever there is and to what is their own.

        Asked as if they had just proven who they are by passkey, or came with a key. Raises `NoSuchAction`.
        """
        deed = self._catalogue().find(action)
        if deed is None:
            raise NoSuchAction(f"nothing here is called `{action[:100]}`", next_step="remit role actions")
        person = await self._identity.get(who)
        policy = await self.current()
        session = channel is Channel.SESSION
        standing = Standing(
            tenant=self._tenant,
            ident=person.id,
            name=person.name,
            roles=roles_of(person),
            channel=channel,
            acr=ACR_PASSKEY_UV if session else "",
            signed_in_at=at if session else None,
        )
        whole = policy.judge(standing, deed, own=False, at=at)
        return person, deed, whole, policy.judge(standing, deed, own=True, at=at)

    def actions(self) -> list[AdminAction]:
        """Everything that can be done here, by name."""
        return self._catalogue().all()

    async def _set(
        self,
        ident: PrincipalId,
        change: Callable[[frozenset[str]], frozenset[str]],
        *,
        by: PrincipalId,
        at: datetime,
    ) -> Principal:
        person = await self._identity.get(ident)
        if person.kind is not Kind.HUMAN:
            raise NoSuchRole(
                f"`{ident[:64]}` is no person; only people hold these", next_step="remit user list"
            )
        others = tuple((name, value) for name, value in person.attributes if name != "roles")
        roles = " ".join(sorted(change(roles_of(person))))
        stated = (*others, *([("roles", roles)] if roles else []))
        return await self._identity.change(ident, by=by, at=at, attributes=stated, over=person.changed_at)

    def _record(self, tx: AdministrationTransaction, version: PublishedRoles) -> None:
        record = Record(
            id=facts.record_id(version.published_at, self._entropy),
            at=version.published_at,
            tenant=self._tenant,
            kind="decision.administration.published",
            actor=version.published_by,
            subject=str(version.number),
            digests=(("text", version.digest),),
            detail=(("version", str(version.number)),),
        )
        tx.ledger.append(record, (Content(name="text", subject=version.published_by, text=version.text),))


_BEYOND: Final = frozenset({"approver", "operator"})
"""Roles that mean something beside the rules: who is asked, and who opens tenants."""


def _held(tx: AdministrationTransaction) -> dict[str, list[Principal]]:
    found: dict[str, list[Principal]] = {}
    for person in people(tx):
        for role in sorted(roles_of(person)):
            found.setdefault(role, []).append(person)
    return found
