"""Use cases of keys and instances: one key has one holder for ever (R2, R7, R103)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from remit.identity import endings, events
from remit.identity.credentials import Credential, CredentialState
from remit.identity.errors import SharedCredential, UnknownCredential
from remit.identity.lifecycle import State, advance
from remit.identity.principals import PREFIX, Kind, Principal
from remit.identity.registration import Registration
from remit.identity.repository import IdentityTransaction
from remit.identity.service import activate, known, register
from remit.kernel.canonical import JsonObject, canonical_json
from remit.kernel.ids import Entropy, KeyId, PrincipalId, TaskId, TenantId, mint_id
from remit.kernel.jose.jwk import parse_jwk
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """How many active agents there are, and which of them still have a key that ends with nothing."""

    agents: int
    lasting: tuple[Principal, ...]

    @property
    def secretless(self) -> int:
        """Those whose every key ends with a proof of their platform, or that have none."""
        return self.agents - len(self.lasting)


class CredentialService:
    """Registers, rotates and revokes public keys, and makes instances with theirs."""

    def __init__(self, *, uow: UnitOfWork[IdentityTransaction], entropy: Entropy, tenant: TenantId) -> None:
        self._uow = uow
        self._entropy = entropy
        self._tenant = tenant

    async def register(
        self,
        principal: PrincipalId,
        jwk: JsonObject,
        *,
        by: PrincipalId,
        at: datetime,
        not_after: datetime | None = None,
    ) -> Credential:
        """Register a public key. Raises `SharedCredential` if any entry ever had it, and records that."""
        return _unless_shared(
            await self._uow.commit(
                lambda tx: add_key(tx, known(tx, principal), jwk, by, at, self._entropy, not_after=not_after)
            )
        )

    async def rotate(self, old: KeyId, jwk: JsonObject, *, by: PrincipalId, at: datetime) -> Credential:
        """Put a new key in the place of an old one; the old one is dead in the same commit."""

        def work(tx: IdentityTransaction) -> Credential | SharedCredential:
            present = _credential(tx, old)
            new = add_key(tx, known(tx, present.principal), jwk, by, at, self._entropy)
            if isinstance(new, Credential):
                self._revoke(tx, present, by, "rotated", at)
            return new

        return _unless_shared(await self._uow.commit(work))

    async def revoke(self, ident: KeyId, *, by: PrincipalId, because: str, at: datetime) -> Credential:
        """Revoke a key: what it signed, and what is bound to it, is dead at once."""

        def work(tx: IdentityTransaction) -> Credential:
            present = _credential(tx, ident)
            self._revoke(tx, present, by, because, at)
            return _credential(tx, ident)

        return await self._uow.commit(work)

    async def of(self, principal: PrincipalId) -> Sequence[Credential]:
        """All keys of an entry, newest first."""
        return await self._uow.read(lambda tx: tx.credentials.of(principal))

    async def instantiate(
        self,
        agent: PrincipalId,
        jwk: JsonObject,
        *,
        by: PrincipalId,
        at: datetime,
        task: TaskId | None = None,
        attributes: tuple[tuple[str, str], ...] = (),
    ) -> tuple[Principal, Credential]:
        """Make an active instance with its own key; one made for a task is retired with it (R103)."""

        def work(tx: IdentityTransaction) -> tuple[Principal, Credential | SharedCredential]:
            return instantiate(
                tx, agent, jwk, self._tenant, by, at, self._entropy, task=task, attributes=attributes
            )

        instance, credential = await self._uow.commit(work)
        return instance, _unless_shared(credential)

    async def survey(self) -> Survey:
        """Look for secrets that somebody keeps (R44)."""
        return await self._uow.read(survey)

    async def end_lasting(
        self, agent: PrincipalId, *, by: PrincipalId, because: str, at: datetime
    ) -> Sequence[Credential]:
        """Revoke every key of an agent's instances that has no end; those of a proof go on (R165)."""

        def work(tx: IdentityTransaction) -> Sequence[Credential]:
            found = [
                key
                for instance in tx.principals.children(agent)
                for key in tx.credentials.of(instance.id)
                if key.state is CredentialState.ACTIVE and key.not_after is None
            ]
            for key in found:
                self._revoke(tx, key, by, because, at)
            return [_credential(tx, key.id) for key in found]

        return await self._uow.commit(work)

    def _revoke(
        self, tx: IdentityTransaction, present: Credential, by: PrincipalId, because: str, at: datetime
    ) -> None:
        if not tx.credentials.revoke(present.id):
            raise UnknownCredential(f"key `{present.id}` is revoked already")
        epoch = tx.advance_epoch(f"revoked:{present.id}")
        endings.bury_key(tx, present.id, present.thumbprint, cause=because, epoch=epoch, at=at)
        events.state(
            tx,
            events.KEY_REVOKED,
            known(tx, present.principal),
            by=by,
            at=at,
            entropy=self._entropy,
            detail=(("credential", present.id), ("because", because)),
        )


def survey(tx: IdentityTransaction) -> Survey:
    """The survey, inside an open transaction."""
    found = (tx.principals.get(each) for each in tx.credentials.lasting())
    return Survey(
        agents=tx.principals.count(Kind.AGENT, State.ACTIVE),
        lasting=tuple(each for each in found if each is not None and each.state is State.ACTIVE),
    )


def instantiate(
    tx: IdentityTransaction,
    agent: PrincipalId,
    jwk: JsonObject,
    tenant: TenantId,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
    *,
    task: TaskId | None = None,
    attributes: tuple[tuple[str, str], ...] = (),
) -> tuple[Principal, Credential | SharedCredential]:
    """Make an instance inside an open transaction; a shared key leaves its record and a retired draft."""
    ident = PrincipalId(mint_id(PREFIX[Kind.INSTANCE], at=at, entropy=entropy))
    stated = Registration(kind=Kind.INSTANCE, name=ident, parent=agent, task=task, attributes=attributes)
    instance = register(tx, stated, tenant, by, at, entropy, ident=ident)
    credential = add_key(tx, instance, jwk, by, at, entropy)
    if isinstance(credential, SharedCredential):
        return endings.retire(
            tx, instance, by=by, because=credential.code, at=at, entropy=entropy
        ), credential
    return activate(tx, ident, by, at, entropy), credential


def add_key(
    tx: IdentityTransaction,
    holder: Principal,
    jwk: JsonObject,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
    *,
    not_after: datetime | None = None,
    ident: KeyId | None = None,
) -> Credential | SharedCredential:
    """Register a key inside an open transaction; `ident` where its id was said already.

    A refused key is returned, not raised, so that the record of the attempt commits (R7).
    """
    if holder.state is State.RETIRED:
        advance(holder.state, State.ACTIVE)
    public = parse_jwk(jwk)
    credential = Credential(
        id=ident or KeyId(mint_id("crd", at=at, entropy=entropy)),
        tenant=holder.tenant,
        principal=holder.id,
        thumbprint=public.thumbprint,
        algorithm=public.algorithm,
        jwk=canonical_json(public.jwk()).decode(),
        state=CredentialState.ACTIVE,
        created_at=at,
        not_after=not_after,
    )
    detail = (("credential", credential.id),)
    if not tx.credentials.add(credential):
        refused = SharedCredential("this key belongs, or belonged, to an entry of the directory already")
        events.state(tx, events.KEY_REFUSED, holder, by=by, at=at, entropy=entropy, codes=(refused.code,))
        return refused
    tx.touch("credential", credential.id)
    events.state(tx, events.KEY_REGISTERED, holder, by=by, at=at, entropy=entropy, detail=detail)
    return credential


def _credential(tx: IdentityTransaction, ident: KeyId) -> Credential:
    found = tx.credentials.get(ident)
    if found is None:
        raise UnknownCredential(f"no key `{ident[:64]}`")
    return found


def _unless_shared(outcome: Credential | SharedCredential) -> Credential:
    if isinstance(outcome, SharedCredential):
        raise outcome
    return outcome
