"""Signing out across providers: theirs ends ours (Back-Channel Logout 1.0), and ours offers theirs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode, urlsplit

from remit.identity.session_service import end
from remit.identity.sessions import Session
from remit.identity.upstream import records
from remit.identity.upstream.errors import ArrivalRefused, UnknownIdentityProvider
from remit.identity.upstream.id_token import SKEW, LogoutToken, judge_logout_token
from remit.identity.upstream.keys import ProviderKeys
from remit.identity.upstream.provider import IdentityProvider, IdpId, Standing
from remit.identity.upstream.repository import UpstreamTransaction
from remit.identity.upstream.secrets import hint_place
from remit.kernel.clock import Clock
from remit.kernel.ids import Entropy, PrincipalId, SessionId, TenantId
from remit.kernel.sealing import Kek, unseal
from remit.kernel.uow import UnitOfWork

BECAUSE: Final = "signed out at the provider"
PAGE: Final = 200
"""Sessions that are looked at in one go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamLogout:
    """Ends sessions on a provider's word, and shows the way to sign out there."""

    uow: UnitOfWork[UpstreamTransaction]
    keys: ProviderKeys
    clock: Clock
    entropy: Entropy
    tenant: TenantId
    kek: Kek
    home: str
    """The address below which our pages are seen."""

    async def take(self, name: str, text: str) -> int:
        """Let a logout token count, once: every session that it names ends; how many.

        Raises `ArrivalRefused`, `UnknownIdentityProvider`, `IdentityProviderUnavailable`.
        """
        at = self.clock.now()
        provider = await self.uow.read(lambda tx: _known(tx, name))
        keys = await self.keys.for_token(provider, text, at=at)
        token = judge_logout_token(text, provider, keys, at=self.clock.now())

        def work(tx: UpstreamTransaction) -> int:
            # For as long as it would be believed, which is a little longer than it says (RT-11).
            if not tx.challenges.spend(token.digest, keep_until=token.expires_at + SKEW):
                raise ArrivalRefused(8, "replayed")
            found = _named(tx, provider, token)
            for session in found:
                end(tx, session, by=PrincipalId(provider.id), because=BECAUSE, at=at, entropy=self.entropy)
            detail = (("sessions", str(len(found))),)
            records.about_provider(
                tx,
                records.LOGGED_OUT,
                provider,
                by=PrincipalId(provider.id),
                at=at,
                entropy=self.entropy,
                detail=detail,
            )
            return len(found)

        return await self.uow.commit(work)

    async def way_out(self, session: Session) -> tuple[str, str]:
        """Name and address of the provider's own sign-out, for a session that came from it; else empty.

        RP-Initiated Logout §2: with the hint that the provider gave at sign-in, and back to our own page.
        """

        def work(tx: UpstreamTransaction) -> tuple[IdentityProvider | None, bytes | None]:
            if tx.upstream_sessions.get(session.id) is None:
                return None, None
            return tx.identity_providers.get(IdpId(session.means)), tx.upstream_sessions.hint(session.id)

        provider, sealed = await self.uow.read(work)
        if provider is None or provider.oidc is None or not provider.oidc.end_session_endpoint:
            return "", ""
        asked = {
            "client_id": provider.oidc.client_id,
            "post_logout_redirect_uri": f"{self.home}/sign-in",
        }
        if sealed is not None:
            hint = unseal(sealed, kek=self.kek, context=hint_place(self.tenant, session.id))
            asked["id_token_hint"] = hint.reveal().decode()
        joint = "&" if urlsplit(provider.oidc.end_session_endpoint).query else "?"
        return provider.name, f"{provider.oidc.end_session_endpoint}{joint}{urlencode(asked)}"


def end_all_of(
    tx: UpstreamTransaction,
    provider: IdentityProvider,
    *,
    by: PrincipalId,
    because: str,
    at: datetime,
    entropy: Entropy,
) -> int:
    """End every session that stands on a provider, inside an open transaction; how many were open."""
    count, after = 0, ""
    while page := tx.upstream_sessions.of_provider(provider.id, after=after, limit=PAGE):
        for session in open_among(tx, (each.session for each in page)):
            end(tx, session, by=by, because=because, at=at, entropy=entropy)
            count += 1
        after = page[-1].session
    return count


def _named(tx: UpstreamTransaction, provider: IdentityProvider, token: LogoutToken) -> Sequence[Session]:
    """Open sessions by the provider's session, else by person; where it names both, by both."""
    link = tx.linked_identities.of_subject(provider.issuer, token.subject) if token.subject else None
    if token.sid:
        found = open_among(tx, (each.session for each in tx.upstream_sessions.named(provider.id, token.sid)))
        return [each for each in found if link is None or each.human == link.human]
    if link is None:
        return []
    return [each for each in tx.sessions.of(link.human) if each.means == provider.id]


def open_among(tx: UpstreamTransaction, idents: Iterable[SessionId]) -> list[Session]:
    """Those of some sessions that are not ended."""
    found = [tx.sessions.get(ident) for ident in idents]
    return [each for each in found if each is not None and each.ended_at is None]


def _known(tx: UpstreamTransaction, name: str) -> IdentityProvider:
    """One that people come from, or came from until it was suspended: its word to end things still counts."""
    found = tx.identity_providers.named(name)
    if found is None or found.standing is Standing.RETIRED or found.oidc is None:
        raise UnknownIdentityProvider(f"no provider `{name[:64]}`")
    return found
