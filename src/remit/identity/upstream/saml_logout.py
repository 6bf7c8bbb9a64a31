"""Single logout with a SAML provider (Profiles §4.4): its word ends sessions here, and we tell it of ours."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.saml.assertion import NameId
from remit.identity.federation.saml.binding import REQUEST, RESPONSE, Message
from remit.identity.federation.saml.logout import LogoutAsked, judge_logout_request, judge_logout_response
from remit.identity.session_service import end
from remit.identity.sessions import Session
from remit.identity.upstream import records
from remit.identity.upstream.errors import ArrivalRefused, UnknownIdentityProvider
from remit.identity.upstream.logout import BECAUSE, PAGE, open_among
from remit.identity.upstream.provider import IdentityProvider, IdpId, SamlPeer, Standing
from remit.identity.upstream.reading import TEXT_LIMIT, mapping_of
from remit.identity.upstream.repository import UpstreamTransaction
from remit.identity.upstream.saml_farewell import Farewell, Sent
from remit.identity.upstream.saml_keys import SamlKeys
from remit.identity.upstream.saml_ours import Places
from remit.identity.upstream.saml_products import NAME_ID
from remit.identity.upstream.secrets import hint_place
from remit.kernel.canonical import framed_digest
from remit.kernel.clock import Clock
from remit.kernel.ids import Entropy, PrincipalId, TenantId
from remit.kernel.sealed import SealedBox
from remit.kernel.sealing import Kek, unseal
from remit.kernel.uow import UnitOfWork

LIFE: Final = timedelta(minutes=10)
"""How long a provider may take to answer a request of ours."""
_NAME: Final = msgspec.json.Decoder(NameId)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlLogout:
    """Takes both messages of logout, and sends both."""

    uow: UnitOfWork[UpstreamTransaction]
    keys: SamlKeys
    farewell: Farewell
    places: Places
    box: SealedBox
    clock: Clock
    entropy: Entropy
    tenant: TenantId
    kek: Kek

    async def take(self, name: str, message: Message) -> Sent:
        """Let a provider's `LogoutRequest` count, once: every session that it names ends; our answer to it.

        1 to 5 the message is signed by a certificate of that provider   6 `judge_logout_request`   7 it was
        never taken. Raises `ArrivalRefused`, `UnknownIdentityProvider`, `IdentityProviderUnavailable`.
        """
        at = self.clock.now()
        provider, peer = await self._named(name)
        if message.kind != REQUEST:
            raise ArrivalRefused(4, "wrong_type")
        certificates = await self.keys.current(provider, peer, at=at)
        try:
            asked = judge_logout_request(
                message.verified(certificates, at=at),
                issuer=provider.issuer,
                destination=self.places.logout(provider),
                at=at,
            )
        except AssertionRejected as rejected:
            raise ArrivalRefused(rejected.step, rejected.reason, debug=rejected.debug) from rejected
        await self._end(provider, asked, at)
        return await self.farewell.answer(provider, peer, to=asked.ident, relay=message.relay, at=at)

    async def returned(self, name: str, message: Message) -> bool:
        """Whether a provider says, in answer to us, that it signed somebody out. It changes nothing here."""
        at = self.clock.now()
        provider, peer = await self._named(name)
        certificates = await self.keys.current(provider, peer, at=at)
        try:
            done = judge_logout_response(
                message.verified(certificates, at=at),
                issuer=provider.issuer,
                destination=self.places.logout(provider),
                at=at,
            )
        except AssertionRejected as rejected:
            raise ArrivalRefused(rejected.step, rejected.reason, debug=rejected.debug) from rejected
        if message.kind != RESPONSE or not self._is_ours(provider, done.to, at):
            raise ArrivalRefused(6, "unsolicited")
        return done.well

    async def way_out(self, session: Session) -> tuple[str, str]:
        """Name of the provider and address of its own sign-out, for a session from it; else empty."""

        def work(tx: UpstreamTransaction) -> tuple[IdentityProvider | None, NameId | None, str]:
            standing = tx.upstream_sessions.get(session.id)
            found = tx.identity_providers.get(IdpId(session.means))
            if standing is None or found is None or found.saml is None:
                return None, None, ""
            return found, self._name_of(tx, session), standing.sid

        provider, who, sid = await self.uow.read(work)
        if provider is None or provider.saml is None or not provider.saml.sign_out or who is None:
            return "", ""
        at = self.clock.now()
        moment = int(at.timestamp()).to_bytes(8, "big")
        ident = f"_{self.box.seal(moment, context=self._context(provider))}"
        return provider.name, await self.farewell.ask(provider, provider.saml, who, sid, ident=ident, at=at)

    async def _end(self, provider: IdentityProvider, asked: LogoutAsked, at: datetime) -> None:
        shown = framed_digest("saml logout", [provider.id.encode(), asked.ident.encode()])

        def work(tx: UpstreamTransaction) -> None:
            if not tx.challenges.spend(shown, keep_until=asked.keep_until):
                raise ArrivalRefused(7, "replayed")
            found = [each for each in self._candidates(tx, provider, asked) if self._is(tx, each, asked.name)]
            for session in found:
                end(tx, session, by=PrincipalId(provider.id), because=BECAUSE, at=at, entropy=self.entropy)
            records.about_provider(
                tx,
                records.LOGGED_OUT,
                provider,
                by=PrincipalId(provider.id),
                at=at,
                entropy=self.entropy,
                detail=(("sessions", str(len(found))),),
            )

        await self.uow.commit(work)

    def _candidates(
        self, tx: UpstreamTransaction, provider: IdentityProvider, asked: LogoutAsked
    ) -> Iterable[Session]:
        """Open sessions that could be meant: by the provider's sessions, else by person, else every one."""
        if asked.sessions:
            for index in dict.fromkeys(each[:TEXT_LIMIT] for each in asked.sessions):
                yield from open_among(tx, (s.session for s in tx.upstream_sessions.named(provider.id, index)))
        elif mapping_of(provider).subject == NAME_ID:
            link = tx.linked_identities.of_subject(provider.issuer, asked.name.value)
            found = () if link is None else tx.sessions.of(link.human)
            yield from (each for each in found if each.means == provider.id and each.ended_at is None)
        else:
            after = ""
            while page := tx.upstream_sessions.of_provider(provider.id, after=after, limit=PAGE):
                yield from open_among(tx, (each.session for each in page))
                after = page[-1].session

    def _is(self, tx: UpstreamTransaction, session: Session, name: NameId) -> bool:
        """Whether a session is of whom the provider names, as it named them when they came."""
        came = self._name_of(tx, session)
        return came is not None and (came.value, came.format) == (name.value, name.format)

    def _name_of(self, tx: UpstreamTransaction, session: Session) -> NameId | None:
        sealed = tx.upstream_sessions.hint(session.id)
        if sealed is None:
            return None
        hint = unseal(sealed, kek=self.kek, context=hint_place(self.tenant, session.id))
        return _NAME.decode(hint.reveal())

    def _is_ours(self, provider: IdentityProvider, ident: str, at: datetime) -> bool:
        """Whether we made that id, for that provider, and just now."""
        raw = self.box.open(ident.removeprefix("_"), context=self._context(provider))
        return raw is not None and timedelta(0) <= at - _moment(raw, at) <= LIFE

    def _context(self, provider: IdentityProvider) -> list[bytes]:
        return [b"identity/upstream-saml-logout", self.tenant.encode(), provider.id.encode()]

    async def _named(self, name: str) -> tuple[IdentityProvider, SamlPeer]:
        """One that people come from, or came from until it was suspended: its word to end things counts."""
        found = await self.uow.read(lambda tx: tx.identity_providers.named(name))
        if found is None or found.standing is Standing.RETIRED or found.saml is None:
            raise UnknownIdentityProvider(f"no provider `{name[:64]}`", next_step="/sign-in")
        if not found.saml.sign_out:
            raise UnknownIdentityProvider(f"`{found.name}` has no single logout", next_step="/sign-out")
        return found, found.saml


def _moment(raw: bytes, at: datetime) -> datetime:
    return datetime.fromtimestamp(int.from_bytes(raw, "big"), tz=at.tzinfo)
