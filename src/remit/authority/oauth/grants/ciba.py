"""Client-initiated backchannel authentication (CIBA Core §10.1): the client asks until a person answered."""

from typing import Final

from remit.authority.oauth.asking.backchannel import BackchannelState
from remit.authority.oauth.asking.codes import AuthorizationCode
from remit.authority.oauth.asking.families import Family
from remit.authority.oauth.clients.registration import CIBA, Delivery
from remit.authority.oauth.issuing.polled_grant import BACKCHANNEL, Answer, Polled, PolledGrant
from remit.authority.oauth.issuing.redeeming import registered_for
from remit.authority.oauth.proving.requests import Asking, Draft
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire.errors import UnauthorizedClient
from remit.authority.oidc.id_token import IdToken
from remit.kernel.canonical import Digest

_ANSWERS: Final = {BackchannelState.APPROVED: Answer.YES, BackchannelState.DENIED: Answer.NO}


class PushedGrant(PolledGrant):
    """Earns what a person allowed a client, and says who that was; whoever comes for it."""

    type = CIBA
    words = BACKCHANNEL

    def find(self, tx: OAuthTransaction, ident: Digest) -> Polled | None:
        """The request of that `auth_req_id`."""
        asked = tx.backchannels.get(ident)
        if asked is None:
            return None
        return Polled(
            id=asked.id,
            client_id=asked.client_id,
            key=asked.request.key,
            answer=_ANSWERS.get(asked.state, Answer.NONE),
            cause=asked.cause,
            expires_at=asked.expires_at,
        )

    def identify(self, asking: Asking, family: Family, code: AuthorizationCode) -> IdToken | None:
        """CIBA Core §10.1.1: an ID token goes with them, `openid` being asked always."""
        return self._mint.id_token(asking, family, nonce=code.nonce)


class BackchannelGrant(PushedGrant):
    """The same at the token endpoint: who is pushed its tokens has nothing to fetch (CIBA Core §11)."""

    def draft(self, asking: Asking) -> Draft:
        """Judge what is shown, unless the client is one that is pushed to."""
        if registered_for(CIBA, asking).delivery is Delivery.PUSH:
            raise UnauthorizedClient("this client is pushed its tokens", reason="backchannel_pushed")
        return super().draft(asking)
