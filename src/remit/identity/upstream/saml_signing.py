"""Signing in by a SAML provider: out to it by redirect, and back by POST (SAML Profiles §4.1).

A provider's answer comes as a form from its own site, and with such a form no `SameSite` cookie comes along.
So it is judged without knowing whose browser brought it, and what it says travels on, sealed, in one step of
our own site; there the browser shows that it is the one that asked.
"""

import base64
import binascii
import zlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit
from xml.sax.saxutils import escape, quoteattr

import msgspec

from remit.identity.errors import CeremonyOver
from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.saml import names
from remit.identity.federation.saml.assertion import NameId
from remit.identity.federation.saml.binding import deflated
from remit.identity.federation.saml.judge import Expected, Judge, Judged
from remit.identity.sessions import Session
from remit.identity.upstream.arrival import Arrival, Confirming
from remit.identity.upstream.arrivals import ArrivalService
from remit.identity.upstream.errors import ArrivalRefused, NotConfirmed, UnknownIdentityProvider
from remit.identity.upstream.id_token import SKEW
from remit.identity.upstream.leaving import Aim, Leaving, LeavingBox
from remit.identity.upstream.links import LinkService, Proposal
from remit.identity.upstream.provider import IdentityProvider, SamlPeer, Standing
from remit.identity.upstream.repository import UpstreamTransaction
from remit.identity.upstream.saml_keys import SamlKeys
from remit.identity.upstream.saml_ours import OurMetadata
from remit.identity.upstream.saml_products import saml_of
from remit.identity.upstream.saml_reading import read_saml_arrival
from remit.identity.upstream.saml_requests import RequestSigner
from remit.identity.upstream.signing import AT_ONCE, SignedIn
from remit.kernel.canonical import framed_digest
from remit.kernel.clock import Clock
from remit.kernel.ids import TenantId
from remit.kernel.sealed import SealedBox
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork

LANDING: Final = timedelta(minutes=2)
"""How long the step from the provider's form to our own site may take."""
LONGEST: Final = timedelta(minutes=90)
"""How far ahead a provider's assertion may end."""
LARGEST_SAID: Final = 6000
"""Characters of what travels on: it stands in an address."""
LARGEST_FORM: Final = 360 << 10
"""Bytes of a provider's form: a response of 256 KiB in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A judged answer on its way to whoever asked. `to` is the id of the request that it answers."""

    arrival: Arrival
    to: str
    judged_at: datetime
    name: NameId | None = None
    """What to call them when they sign out there."""


_SAID: Final = msgspec.json.Decoder(Said)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlSignIn:
    """Sends visitors to a SAML provider, and believes what it says of them when they come back."""

    uow: UnitOfWork[UpstreamTransaction]
    leavings: LeavingBox
    box: SealedBox
    keys: SamlKeys
    arrivals: ArrivalService
    links: LinkService
    clock: Clock
    tenant: TenantId
    ours: OurMetadata
    judge: Judge
    requests: RequestSigner

    async def leave(
        self, name: str, *, visit: str, onward: str, aim: Aim, session: Session | None = None
    ) -> tuple[str, str]:
        """Where the visitor goes on, and the `state` that their browser keeps meanwhile.

        Raises `UnknownIdentityProvider`, and `NotConfirmed` where the provider asks nobody again.
        """
        (provider, peer), at = await self._named(name), self.clock.now()
        if aim is not Aim.SIGN_IN and not saml_of(provider.product).asks_again:
            raise NotConfirmed(f"`{provider.name}` asks nobody again", next_step="use a passkey")
        leaving, state = self.leavings.leave(
            provider,
            aim=aim,
            visit=visit,
            onward=onward,
            max_age=self.arrivals.rule.lifetime if aim is Aim.SIGN_IN else AT_ONCE,
            at=at,
            session="" if session is None else session.id,
        )
        return await self._address(provider, peer, leaving, at), state

    async def probe(self, provider: IdentityProvider) -> str:
        """The address of a request that no browser holds: whatever comes of it lets nobody in."""
        (provider, peer), at = await self._named(provider.name), self.clock.now()
        leaving, _ = self.leavings.leave(
            provider, aim=Aim.SIGN_IN, visit="examination", onward="", max_age=LANDING, at=at
        )
        return await self._address(provider, peer, leaving, at)

    async def _address(
        self, provider: IdentityProvider, peer: SamlPeer, leaving: Leaving, at: datetime
    ) -> str:
        asked = {"SAMLRequest": deflated(self._request(provider, peer, leaving))}
        joint = "&" if urlsplit(peer.sign_in).query else "?"
        query = await self.requests.signed(asked, at=at) if peer.signed else urlencode(asked)
        return f"{peer.sign_in}{joint}{query}"

    async def take(self, name: str, response: str) -> str:
        """Judge what a provider posted, once; what goes on to `land`, sealed.

        1 base64 of XML   2 the provider is connected   3 to 6 `Judge`: by its certificates, for us, to this
        address, in answer to something   7 this assertion was never shown here. Raises `ArrivalRefused`.
        """
        at, raw = self.clock.now(), _bytes(response)
        provider, peer = await self._named(name)
        certificates = await self.keys.current(provider, peer, at=at)
        judged = await self._judged(raw, provider, peer, certificates, at)
        said = Said(
            arrival=read_saml_arrival(provider, peer, judged),
            to=judged.in_response_to,
            judged_at=at,
            name=judged.name,
        )
        await self._burn(provider, judged)
        packed = zlib.compress(msgspec.json.encode(said))
        sealed = self.box.seal(packed, context=self._context(provider))
        if len(sealed) > LARGEST_SAID:
            raise ArrivalRefused(7, "too_much_said", debug=f"{len(sealed)} characters: fewer groups would do")
        return sealed

    async def land(
        self,
        name: str,
        said: str,
        *,
        state: str,
        visit: str,
        session: Session | None,
        leaving_secret: Secret | None,
        client: str,
    ) -> SignedIn | Proposal:
        """Let in whom the provider named, if this browser asked for it, once (AS-13, OA-13).

        1 the request is this browser's own, and to this provider   2 the answer is to that very request
        3 it was given just now   4 the person authenticated recently enough   5 the request is unanswered
        6 `ArrivalService.arrive`, or a proposal. Raises `ArrivalRefused` and what arriving raises.
        """
        at = self.clock.now()
        request = self.leavings.recognize(state, visit=visit, at=at)
        provider, _ = await self._named(name)
        found = self._opened(said, provider)
        if request.provider != provider.id or found is None or found.to != request_id(request):
            raise ArrivalRefused(2, "unsolicited")
        if not timedelta(0) <= at - found.judged_at <= LANDING:
            raise ArrivalRefused(3, "answer_old")
        if found.arrival.authenticated_at < request.asked_at - request.max_age - SKEW:
            raise ArrivalRefused(4, "authenticated_long_ago")
        await self._spend(request)
        hint = None if found.name is None else Secret(msgspec.json.encode(found.name))
        arrival = replace(found.arrival, hint=hint)
        return await self._arrived(request, arrival, session, leaving_secret, client)

    async def metadata(self, name: str) -> str:
        """Our own metadata for one provider."""
        provider, peer = await self._named(name)
        return await self.ours.written(provider, peer, at=self.clock.now())

    def _request(self, provider: IdentityProvider, peer: SamlPeer, leaving: Leaving) -> str:
        """An `AuthnRequest` (Core §3.4.1); its id is the request's own, which only this browser holds."""
        again = ' ForceAuthn="true"' if leaving.aim is not Aim.SIGN_IN else ""
        policy = f'<samlp:NameIDPolicy Format={quoteattr(peer.name_format)} AllowCreate="true"/>'
        return (
            f'<samlp:AuthnRequest xmlns:samlp="{names.PROTOCOL_NS}" xmlns:saml="{names.ASSERTION_NS}"'
            f' ID="{request_id(leaving)}" Version="2.0" IssueInstant="{leaving.asked_at:%Y-%m-%dT%H:%M:%SZ}"'
            f' Destination={quoteattr(peer.sign_in)} ProtocolBinding="{names.POST}"{again}'
            f" AssertionConsumerServiceURL={quoteattr(self.ours.places.consumer(provider))}>"
            f"<saml:Issuer>{escape(self.ours.places.entity(provider))}</saml:Issuer>"
            f"{policy if peer.name_format else ''}</samlp:AuthnRequest>"
        )

    async def _judged(
        self,
        raw: bytes,
        provider: IdentityProvider,
        peer: SamlPeer,
        certificates: tuple[str, ...],
        at: datetime,
    ) -> Judged:
        expected = Expected(
            issuer=provider.issuer,
            audience=self.ours.places.entity(provider),
            recipient=self.ours.places.consumer(provider),
            certificates=certificates,
            longest=LONGEST,
            response=True,
            unseal=await self.requests.unsealing(at=at) if peer.encrypted else None,
        )
        try:
            return self.judge.judge(raw, expected, at=at)
        except AssertionRejected as rejected:
            raise ArrivalRefused(rejected.step, rejected.reason, debug=rejected.debug) from rejected

    async def _burn(self, provider: IdentityProvider, judged: Judged) -> None:
        shown = framed_digest("saml assertion", [provider.id.encode(), judged.ident.encode()])

        def work(tx: UpstreamTransaction) -> None:
            if not tx.challenges.spend(shown, keep_until=judged.expires_at + SKEW):
                raise CeremonyOver("the provider's answer was taken before; sign in once more")

        await self.uow.commit(work)

    async def _spend(self, request: Leaving) -> None:
        def work(tx: UpstreamTransaction) -> None:
            if not tx.challenges.spend(request.digest, keep_until=request.keep_until):
                raise CeremonyOver("the provider's answer was taken before; sign in once more")

        await self.uow.commit(work)

    async def _arrived(
        self,
        request: Leaving,
        arrival: Arrival,
        session: Session | None,
        leaving_secret: Secret | None,
        client: str,
    ) -> SignedIn | Proposal:
        if request.aim is not Aim.SIGN_IN and (session is None or session.id != request.session):
            raise ArrivalRefused(1, "other_session")
        if request.aim is Aim.LINK and session is not None:
            return self.links.propose(arrival, session, at=self.clock.now())
        confirming = None
        if request.aim is Aim.CONFIRM and session is not None:
            confirming = Confirming(human=session.human, since=request.asked_at)
        opened, cookie = await self.arrivals.arrive(
            arrival, leaving=leaving_secret, client=client, confirming=confirming
        )
        return SignedIn(session=opened, secret=cookie, onward=request.onward)

    async def _named(self, name: str) -> tuple[IdentityProvider, SamlPeer]:
        found = await self.uow.read(lambda tx: tx.identity_providers.named(name))
        if found is None or found.standing is not Standing.ACTIVE or found.saml is None:
            raise UnknownIdentityProvider(f"nobody can sign in with `{name[:64]}`", next_step="/sign-in")
        return found, found.saml

    def _opened(self, said: str, provider: IdentityProvider) -> Said | None:
        raw = self.box.open(said, context=self._context(provider)) if len(said) <= LARGEST_SAID else None
        return None if raw is None else _SAID.decode(zlib.decompress(raw))

    def _context(self, provider: IdentityProvider) -> list[bytes]:
        return [b"identity/upstream-saml", self.tenant.encode(), provider.id.encode()]


def request_id(leaving: Leaving) -> str:
    """The id of a request: a name as XML has it, with 256 random bits."""
    return f"_{leaving.nonce}"


def _bytes(response: str) -> bytes:
    """Undo the POST binding's base64 (Bindings §3.5.4), whose lines may be broken."""
    if not response or len(response) > LARGEST_FORM:
        raise ArrivalRefused(1, "response_missing" if not response else "response_too_large")
    try:
        return base64.b64decode("".join(response.split()), validate=True)
    except (binascii.Error, ValueError) as broken:
        raise ArrivalRefused(1, "response_malformed") from broken
