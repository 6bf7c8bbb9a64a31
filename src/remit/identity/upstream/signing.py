"""Signing in, confirming, linking by an OpenID provider: out to it, and back (OpenID Connect Core §3.1)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from remit.identity.errors import CeremonyOver
from remit.identity.federation.trust import KeySet
from remit.identity.sessions import Session
from remit.identity.upstream.arrival import Arrival, Confirming
from remit.identity.upstream.arrivals import ArrivalService
from remit.identity.upstream.errors import ArrivalRefused, NotConfirmed, UnknownIdentityProvider
from remit.identity.upstream.id_token import Expected, IdToken, judge_id_token
from remit.identity.upstream.keys import ProviderKeys
from remit.identity.upstream.leaving import Aim, Leaving, LeavingBox, Returned, check_return
from remit.identity.upstream.links import LinkService, Proposal
from remit.identity.upstream.products import oidc_of
from remit.identity.upstream.provider import IdentityProvider, Standing
from remit.identity.upstream.reading import read_arrival
from remit.identity.upstream.repository import UpstreamTransaction
from remit.identity.upstream.secrets import open_secret
from remit.identity.upstream.speaker import Speaker
from remit.kernel.clock import Clock
from remit.kernel.sealing import Kek
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork

AT_ONCE: Final = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Somebody came back: their session, its cookie, and where they wanted to go."""

    session: Session
    secret: Secret
    onward: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSignIn:
    """Sends visitors to a provider, and believes what it says of them when they come back."""

    uow: UnitOfWork[UpstreamTransaction]
    box: LeavingBox
    speaker: Speaker
    keys: ProviderKeys
    arrivals: ArrivalService
    links: LinkService
    clock: Clock
    kek: Kek

    async def active(self) -> tuple[IdentityProvider, ...]:
        """Providers that people can come from now, by name."""
        found = await self.uow.read(lambda tx: tx.identity_providers.all())
        return tuple(each for each in found if each.standing is Standing.ACTIVE)

    async def leave(
        self, name: str, *, visit: str, onward: str, aim: Aim, session: Session | None = None
    ) -> str:
        """The address of the provider at which the visitor goes on; nothing is kept of them here.

        Raises `UnknownIdentityProvider`, `NotConfirmed` where a fresh proof is wanted and the provider gives
        none, `IdentityProviderUnavailable`.
        """
        provider, secret, at = *await self._named(name), self.clock.now()
        if aim is not Aim.SIGN_IN and not oidc_of(provider.product).asks_again:
            raise NotConfirmed(f"`{provider.name}` asks nobody again", next_step="use a passkey")
        leaving, state = self.box.leave(
            provider,
            aim=aim,
            visit=visit,
            onward=onward,
            max_age=self.arrivals.rule.lifetime if aim is Aim.SIGN_IN else AT_ONCE,
            at=at,
            session="" if session is None else session.id,
        )
        return await self.speaker.ask(provider, secret, leaving, state, at=at)

    async def come_back(
        self,
        name: str,
        returned: Returned,
        *,
        visit: str,
        session: Session | None,
        leaving_secret: Secret | None,
        client: str,
    ) -> SignedIn | Proposal:
        """Take a provider's answer, once.

        1 the request is this browser's own, and unanswered   2 to 5 `check_return`   6 the code is redeemed
        7 the ID token holds   8 so does what `userinfo` adds   9 `ArrivalService.arrive`, or, for a link,
        a proposal that the person has yet to accept. Raises `ArrivalRefused` and what arriving raises.
        """
        at = self.clock.now()
        request = await self._spent(returned.state, visit)
        provider, secret = await self._named(name)
        code = self._code(request, provider, returned)
        arrival = await self._arrival(provider, secret, request, code)
        if request.aim is Aim.LINK:
            return self.links.propose(arrival, self._own(request, session), at=at)
        confirming = None
        if request.aim is Aim.CONFIRM:
            confirming = Confirming(human=self._own(request, session).human, since=request.asked_at)
        opened, cookie = await self.arrivals.arrive(
            arrival, leaving=leaving_secret, client=client, confirming=confirming
        )
        return SignedIn(session=opened, secret=cookie, onward=request.onward)

    async def _spent(self, state: str, visit: str) -> Leaving:
        request = self.box.recognize(state, visit=visit, at=self.clock.now())

        def work(tx: UpstreamTransaction) -> None:
            if not tx.challenges.spend(request.digest, keep_until=request.keep_until):
                raise CeremonyOver("the provider's answer was taken before; sign in once more")

        await self.uow.commit(work)
        return request

    async def _named(self, name: str) -> tuple[IdentityProvider, Secret | None]:
        def work(tx: UpstreamTransaction) -> tuple[IdentityProvider, bytes | None]:
            found = tx.identity_providers.named(name)
            if found is None or found.standing is not Standing.ACTIVE or found.oidc is None:
                raise UnknownIdentityProvider(f"nobody can sign in with `{name[:64]}`", next_step="/sign-in")
            return found, tx.identity_providers.sealed(found.id)

        provider, sealed = await self.uow.read(work)
        return provider, open_secret(sealed, provider, kek=self.kek)

    async def _arrival(
        self, provider: IdentityProvider, secret: Secret | None, request: Leaving, code: str
    ) -> Arrival:
        at = self.clock.now()
        redeemed = await self.speaker.redeem(provider, secret, request, code, at=at)
        product = oidc_of(provider.product)
        expected = Expected(
            nonce=request.nonce,
            access_token=redeemed.access_token,
            max_age=request.max_age,
            says_when=product.asks_again,
        )
        keys = await self.keys.for_token(provider, redeemed.id_token, at=at)
        token = self._judge(redeemed.id_token, provider, keys, expected)
        described = {}
        if product.userinfo and provider.oidc is not None and provider.oidc.userinfo_endpoint:
            described = await self.speaker.userinfo(provider, redeemed.access_token, subject=token.subject)
        return read_arrival(provider, token, described, raw=redeemed.id_token)

    def _code(self, request: Leaving, provider: IdentityProvider, returned: Returned) -> str:
        return check_return(request, provider, returned)

    def _judge(self, text: str, provider: IdentityProvider, keys: KeySet, expected: Expected) -> IdToken:
        return judge_id_token(text, provider, keys, expected, at=self.clock.now())

    def _own(self, request: Leaving, session: Session | None) -> Session:
        """The session that began the request, still signed in at its end (OA-28)."""
        if session is None or session.id != request.session:
            raise ArrivalRefused(1, "other_session")
        return session
