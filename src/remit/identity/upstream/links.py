"""Linking: a person says, by a fresh passkey, who they are at a provider; or an administrator does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from remit.identity.errors import CeremonyOver, NotFresh, UnknownPrincipal
from remit.identity.passkey_service import require_fresh
from remit.identity.principals import Principal
from remit.identity.session_service import end, living_human, standing
from remit.identity.sessions import Session, SessionRule
from remit.identity.upstream import records
from remit.identity.upstream.arrival import Arrival
from remit.identity.upstream.arrivals import spoken_for
from remit.identity.upstream.errors import LinkTaken, UnknownLink
from remit.identity.upstream.linked import LinkedBy, LinkedIdentity, LinkId, LinkState
from remit.identity.upstream.provider import IdentityProvider, IdpId
from remit.identity.upstream.repository import UpstreamTransaction
from remit.kernel.canonical import b64u, sha256
from remit.kernel.clock import Clock
from remit.kernel.ids import Entropy, PrincipalId, TenantId, mint_id
from remit.kernel.sealed import SealedBox
from remit.kernel.uow import UnitOfWork

LIFE: Final = timedelta(minutes=5)
LINKS_LIMIT: Final = 20
"""Links of one person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Who came back, shown to the person before anything is linked; `ticket` brings it back."""

    provider: IdpId
    issuer: str
    subject: str
    name: str
    email: str
    ticket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proposed:
    """What a ticket holds. `nonce` names it, for its one use."""

    arrival: tuple[str, str, str]
    nonce: str
    asked_at: datetime
    facts: tuple[tuple[str, tuple[str, ...]], ...]


_BODY: Final = msgspec.json.Decoder(_Proposed)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkService:
    """Makes, lists and ends links."""

    uow: UnitOfWork[UpstreamTransaction]
    box: SealedBox
    clock: Clock
    entropy: Entropy
    tenant: TenantId
    rule: SessionRule

    def propose(self, arrival: Arrival, session: Session, *, at: datetime) -> Proposal:
        """Show whom the provider vouched for. SAFETY: it may be somebody else's account there, into which
        somebody had signed this browser in; so the person says yes to what they see, and not before.
        """
        proposed = _Proposed(
            arrival=(arrival.provider, arrival.issuer, arrival.subject),
            nonce=b64u(self.entropy(16)),
            asked_at=at,
            facts=arrival.facts,
        )
        ticket = self.box.seal(msgspec.json.encode(proposed), context=self._context(session))
        return Proposal(
            provider=arrival.provider,
            issuer=arrival.issuer,
            subject=arrival.subject,
            name=arrival.name,
            email=arrival.email,
            ticket=ticket,
        )

    async def accept(self, ticket: str, *, session: Session) -> LinkedIdentity:
        """Link what was proposed to this very session, whose person was verified by a passkey just now.

        Raises `NotFresh`, `CeremonyOver`, `LinkTaken`, `ConditionUnmet`, `UnknownIdentityProvider`.
        """
        at = self.clock.now()
        require_fresh(session, at=at)
        proposed = self._read(ticket, session, at)

        def work(tx: UpstreamTransaction) -> LinkedIdentity:
            if standing(tx, tx.sessions.get(session.id), self.rule, at) is None:
                raise NotFresh("the session has ended; sign in again")
            if not tx.challenges.spend(sha256(proposed.nonce.encode()), keep_until=proposed.asked_at + LIFE):
                raise CeremonyOver("the page was answered before; open it again")
            idp, issuer, subject = proposed.arrival
            arrival = Arrival(
                provider=IdpId(idp), issuer=issuer, subject=subject, authenticated_at=at, facts=proposed.facts
            )
            provider = spoken_for(tx, arrival)
            return self._link(tx, provider, subject, session.human, LinkedBy.PASSKEY, session.human, at)

        return await self.uow.commit(work)

    async def assign(
        self, provider: IdentityProvider, subject: str, human: PrincipalId, *, by: PrincipalId
    ) -> LinkedIdentity:
        """Link on an administrator's word. Raises `LinkTaken`, or `UnknownPrincipal` for nobody alive."""
        at = self.clock.now()
        return await self.uow.commit(
            lambda tx: self._link(tx, provider, subject, human, LinkedBy.ADMINISTRATOR, by, at)
        )

    async def of(self, human: PrincipalId) -> Sequence[LinkedIdentity]:
        """The links of a person that count, oldest first."""
        found = await self.uow.read(lambda tx: tx.linked_identities.of(human))
        return [each for each in found if each.state is LinkState.ACTIVE]

    async def get(self, ident: LinkId) -> LinkedIdentity:
        """One link that counts. Raises `UnknownLink`."""
        return await self.uow.read(lambda tx: _counting(tx, ident))

    async def end(self, ident: LinkId, *, of: PrincipalId, by: PrincipalId, because: str) -> LinkedIdentity:
        """End a link, with the sessions that stand on it. Raises `UnknownLink`, also for somebody else's."""
        at = self.clock.now()

        def work(tx: UpstreamTransaction) -> LinkedIdentity:
            link = _counting(tx, ident)
            if link.human != of:
                raise UnknownLink(f"no link `{ident[:64]}`")
            ended = replace(link, state=LinkState.ENDED)
            if not tx.linked_identities.put(ended, was=link):
                raise UnknownLink(f"link `{ident[:64]}` changed meanwhile")
            for session in tx.sessions.of(link.human):
                if session.means == link.provider:
                    end(tx, session, by=by, because=because, at=at, entropy=self.entropy)
            human = tx.principals.get(link.human)
            if human is not None:
                self._record(tx, records.UNLINKED, ended, human, by=by, at=at)
            return ended

        return await self.uow.commit(work)

    def _link(
        self,
        tx: UpstreamTransaction,
        provider: IdentityProvider,
        subject: str,
        human: PrincipalId,
        how: LinkedBy,
        by: PrincipalId,
        at: datetime,
    ) -> LinkedIdentity:
        """INVARIANT: an identity there is nobody else's here, ever: its own link may be taken up again."""
        person = living_human(tx, human)
        if person is None:
            raise UnknownPrincipal(f"no living person `{human[:64]}`", next_step="remit user list")
        if sum(each.state is LinkState.ACTIVE for each in tx.linked_identities.of(human)) >= LINKS_LIMIT:
            raise LinkTaken(f"{LINKS_LIMIT} accounts are linked, the limit is {LINKS_LIMIT}")
        link = LinkedIdentity(
            id=LinkId(mint_id("lnk", at=at, entropy=self.entropy)),
            tenant=self.tenant,
            provider=provider.id,
            language=provider.language,
            issuer=provider.issuer,
            subject=subject,
            human=human,
            state=LinkState.ACTIVE,
            by=how,
            linked_by=by,
            linked_at=at,
        )
        present = tx.linked_identities.of_subject(provider.issuer, subject)
        if present is not None:
            if present.human != human or present.state is LinkState.ACTIVE:
                raise LinkTaken(f"this account at `{provider.name}` is, or was, linked already")
            link = replace(link, id=present.id)
            stored = tx.linked_identities.put(link, was=present)
        else:
            stored = tx.linked_identities.add(link)
        if not stored:
            raise LinkTaken(f"this account at `{provider.name}` was linked meanwhile")
        self._record(tx, records.LINKED, link, person, by=by, at=at)
        return link

    def _record(
        self,
        tx: UpstreamTransaction,
        fact: str,
        link: LinkedIdentity,
        human: Principal,
        *,
        by: PrincipalId,
        at: datetime,
    ) -> None:
        records.about_link(tx, fact, link, human, by=by, at=at, entropy=self.entropy)

    def _read(self, ticket: str, session: Session, at: datetime) -> _Proposed:
        raw = self.box.open(ticket, context=self._context(session))
        proposed = None if raw is None else _BODY.decode(raw)
        if proposed is None or not timedelta(0) <= at - proposed.asked_at <= LIFE:
            raise CeremonyOver("the page is too old, or not this session's; link once more")
        return proposed

    def _context(self, session: Session) -> list[bytes]:
        return [b"identity/upstream-link", self.tenant.encode(), session.id.encode()]


def _counting(tx: UpstreamTransaction, ident: LinkId) -> LinkedIdentity:
    link = tx.linked_identities.get(ident)
    if link is None or link.state is not LinkState.ACTIVE:
        raise UnknownLink(f"no link `{ident[:64]}`")
    return link
