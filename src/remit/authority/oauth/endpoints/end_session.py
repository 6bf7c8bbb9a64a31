"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): a client sends a person to sign out.

What it says is verified here; whether the person is asked is decided by the page, which knows their session.
Nobody is sent to an address that the client has not registered, byte for byte (§2, §3).
"""

from dataclasses import dataclass
from datetime import datetime

from remit.authority.oauth.clients import redirects
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire.errors import InvalidRequest
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.oidc import id_token
from remit.authority.oidc.id_token import IdToken
from remit.identity.sessions import Session
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyLookup
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A request to sign out, verified. `back` is where to go on to afterwards, or empty."""

    registration: ClientRegistration | None
    hint: IdToken | None
    back: str
    state: str

    def proves(self, session: Session) -> bool:
        """Whether its hint is of this very session: then nobody need be asked (§2)."""
        hint = self.hint
        return hint is not None and hint.session == session.id and str(hint.subject) == str(session.human)

    @property
    def onward(self) -> str:
        """The whole address to go on to; empty if there is none."""
        if not self.back or not self.state:
            return self.back
        return redirects.answer_to(self.back, [("state", self.state)])


class EndSessionEndpoint:
    """Verifies requests to sign out."""

    def __init__(self, *, uow: UnitOfWork[OAuthTransaction], keys: KeyLookup) -> None:
        self._uow = uow
        self._keys = keys

    async def read(self, parameters: Parameters, *, at: datetime) -> Leaving:
        """What was asked. Raises `InvalidRequest`, for a page of ours: nobody is sent anywhere."""
        return await self._uow.read(lambda tx: self._read(tx, parameters, at))

    def _read(self, tx: OAuthTransaction, parameters: Parameters, at: datetime) -> Leaving:
        hint = self._hint(parameters.get("id_token_hint"), at)
        client_id = parameters.get("client_id") or ("" if hint is None else hint.audience)
        if hint is not None and hint.audience != client_id:
            raise InvalidRequest("`client_id` and `id_token_hint` name two clients", reason="hint_other")
        registration = tx.registrations.get(client_id) if client_id else None
        if client_id and (registration is None or not registration.live):
            raise InvalidRequest("`client_id` is not registered here", reason="client_unknown")
        back = parameters.get("post_logout_redirect_uri")
        if back and (registration is None or back not in registration.post_logout_redirect_uris):
            raise InvalidRequest(
                "`post_logout_redirect_uri` is not registered for this client", reason="redirect_unknown"
            )
        return Leaving(registration=registration, hint=hint, back=back, state=parameters.get("state"))

    def _hint(self, text: str, at: datetime) -> IdToken | None:
        if not text:
            return None
        try:
            audience = id_token.audience_of(text)
            return id_token.read(text, keys=self._keys, audience=audience, at=at, expired=True)
        except TokenRejected as rejected:
            raise InvalidRequest(
                "`id_token_hint` is no ID token from here", reason="hint_rejected", debug=rejected.debug
            ) from rejected
