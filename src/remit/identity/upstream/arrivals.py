"""Arriving: from a provider's word to a session, for both protocols (R159; AS-12)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from remit.identity import events
from remit.identity.principals import Principal
from remit.identity.session_service import SIGNED_IN_ANEW, end, living_human
from remit.identity.sessions import (
    ACR_UPSTREAM,
    ACR_UPSTREAM_MFA,
    Proof,
    Session,
    SessionRule,
    begin,
    digest_of,
)
from remit.identity.upstream import records
from remit.identity.upstream.admission import admit
from remit.identity.upstream.arrival import Arrival, Confirming
from remit.identity.upstream.errors import (
    ArrivalRefused,
    ConditionUnmet,
    NotConfirmed,
    NotLinked,
    PersonStopped,
    UnknownIdentityProvider,
)
from remit.identity.upstream.linked import LinkedIdentity, LinkState, UpstreamSession
from remit.identity.upstream.mapping import MARKS, MFA
from remit.identity.upstream.provider import IdentityProvider, Provisioning, Standing
from remit.identity.upstream.repository import UpstreamTransaction
from remit.identity.upstream.secrets import hint_place
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.kernel.ids import Entropy, PrincipalId, TenantId
from remit.kernel.sealing import Kek, seal
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork

SKEW: Final = timedelta(seconds=60)
"""How far a provider's clock may be from ours."""
WORDS_LIMIT: Final = 16
WORD_LIMIT: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalService:
    """Lets in those whom a provider vouches for and whom the directory knows, or may come to know."""

    uow: UnitOfWork[UpstreamTransaction]
    clock: Clock
    entropy: Entropy
    tenant: TenantId
    rule: SessionRule
    kek: Kek

    async def arrive(
        self, arrival: Arrival, *, leaving: Secret | None, client: str, confirming: Confirming | None = None
    ) -> tuple[Session, Secret]:
        """Begin a session of whoever arrived, with a new secret; the one that they leave ends.

        1 the provider is active, and it is its own issuer that spoke   2 every condition of it is met
        3 somebody is linked to (issuer, subject), or is made as the provider's provisioning says
        4 that person lives here (N2)   5 if a fresh proof was wanted: it is, and it is the same person's.
        Raises `UnknownIdentityProvider`, `ArrivalRefused`, `ConditionUnmet`, `NotLinked`, `PersonStopped`,
        `NotConfirmed`; all but the first are on record.
        """
        at = self.clock.now()

        def work(tx: UpstreamTransaction) -> tuple[Session, Secret]:
            provider, link, human = self._known(tx, arrival, at)
            if confirming is not None:
                _check_fresh(arrival, human, confirming)
            self._remember(tx, link, arrival, at)
            if leaving is not None:
                self._leave(tx, leaving, by=human.id, at=at)
            return self._open(tx, provider, human, arrival, client=client, at=at)

        try:
            return await self.uow.commit(work)
        except (ArrivalRefused, ConditionUnmet, NotLinked, PersonStopped, NotConfirmed) as refused:
            await self._record(arrival, refused, at)
            raise

    def _known(
        self, tx: UpstreamTransaction, arrival: Arrival, at: datetime
    ) -> tuple[IdentityProvider, LinkedIdentity, Principal]:
        provider = spoken_for(tx, arrival)
        link = tx.linked_identities.of_subject(arrival.issuer, arrival.subject)
        if link is None:
            if provider.provisioning is not Provisioning.CREATE:
                raise NotLinked(
                    f"nobody here is linked to this account at `{provider.name}`",
                    next_step="sign in by passkey and link it under /me/sign-ins, or ask an administrator",
                )
            link = admit(tx, provider, arrival, at=at, entropy=self.entropy)
        if link.state is not LinkState.ACTIVE or link.language is not provider.language:
            raise NotLinked(
                f"this account at `{provider.name}` is no longer linked",
                next_step="ask an administrator",
            )
        human = living_human(tx, link.human)
        if human is None:
            raise PersonStopped("your account here is not active", next_step="ask an administrator")
        return provider, link, human

    def _remember(
        self, tx: UpstreamTransaction, link: LinkedIdentity, arrival: Arrival, at: datetime
    ) -> None:
        seen = replace(link, seen_at=at, groups=arrival.groups)
        if not tx.linked_identities.put(seen, was=link):
            raise ArrivalRefused(4, "link_changed")

    def _open(
        self,
        tx: UpstreamTransaction,
        provider: IdentityProvider,
        human: Principal,
        arrival: Arrival,
        *,
        client: str,
        at: datetime,
    ) -> tuple[Session, Secret]:
        proof = proof_of(arrival, at=at)
        session, secret = begin(
            human.id,
            tenant=self.tenant,
            proof=proof,
            rule=self.rule,
            entropy=self.entropy,
            client=client,
            at=at,
        )
        tx.sessions.add(session)
        standing = UpstreamSession(
            tenant=self.tenant,
            session=session.id,
            provider=provider.id,
            sid=arrival.upstream_session,
            expires_at=session.expires_at,
        )
        tx.upstream_sessions.add(standing, self._sealed(session, arrival.hint))
        detail = (
            ("session", session.id),
            ("acr", proof.acr),
            ("means", proof.means),
            ("marks", " ".join(proof.marks)),
        )
        events.state(tx, events.SESSION_BEGUN, human, by=human.id, at=at, entropy=self.entropy, detail=detail)
        return session, secret

    def _sealed(self, session: Session, hint: Secret | None) -> bytes | None:
        if hint is None:
            return None
        return seal(hint, kek=self.kek, context=hint_place(self.tenant, session.id), entropy=self.entropy)

    def _leave(self, tx: UpstreamTransaction, leaving: Secret, *, by: PrincipalId, at: datetime) -> None:
        session = tx.sessions.by_secret(digest_of(leaving))
        if session is not None and session.ended_at is None:
            end(tx, session, by=by, because=SIGNED_IN_ANEW, at=at, entropy=self.entropy)

    async def _record(self, arrival: Arrival, refused: RemitError, at: datetime) -> None:
        def work(tx: UpstreamTransaction) -> None:
            provider = tx.identity_providers.get(arrival.provider)
            if provider is not None:
                records.about_provider(
                    tx,
                    records.REFUSED,
                    provider,
                    by=PrincipalId(provider.id),
                    at=at,
                    entropy=self.entropy,
                    codes=(refused.code,),
                    digests=(("subject", records.subject_digest(arrival.issuer, arrival.subject)),),
                )

        await self.uow.commit(work)


def spoken_for(tx: UpstreamTransaction, arrival: Arrival) -> IdentityProvider:
    """The provider of an arrival, if it is active and every condition is met."""
    provider = tx.identity_providers.get(arrival.provider)
    if provider is None or provider.standing is not Standing.ACTIVE:
        raise UnknownIdentityProvider("this provider is not connected any more", next_step="/sign-in")
    if arrival.issuer != provider.issuer or not arrival.subject:
        raise ArrivalRefused(1, "other_issuer", debug=f"`{arrival.issuer}`")
    facts = dict(arrival.facts)
    for condition in provider.conditions:
        if not {*facts.get(condition.claim, ())} & {*condition.values}:
            raise ConditionUnmet(
                f"`{provider.name}` vouches for you, but not as somebody who may come in here",
                debug=f"`{condition.claim}`",
                next_step="ask an administrator",
            )
    return provider


def proof_of(arrival: Arrival, *, at: datetime) -> Proof:
    """What an arrival proves of a sign-in: never as much as a passkey of ours."""
    marks = tuple(sorted({*arrival.marks} & MARKS))
    return Proof(
        amr=words(arrival.amr),
        acr=ACR_UPSTREAM_MFA if MFA in marks else ACR_UPSTREAM,
        at=min(arrival.authenticated_at, at),
        means=arrival.provider,
        marks=marks,
    )


def words(found: Sequence[str]) -> tuple[str, ...]:
    """A provider's words as they may stand in our tokens: few, short and printable."""
    fit = [each for each in found if each.isprintable() and 0 < len(each) <= WORD_LIMIT]
    return tuple(fit[:WORDS_LIMIT])


def _check_fresh(arrival: Arrival, human: Principal, confirming: Confirming) -> None:
    if human.id != confirming.human:
        raise NotConfirmed("the provider vouched for somebody else than who is signed in here")
    if arrival.authenticated_at < confirming.since - SKEW:
        raise NotConfirmed(
            "the provider did not ask you again, or does not say that it did", next_step="use a passkey"
        )
