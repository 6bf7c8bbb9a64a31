"""Client-initiated backchannel authentication (CIBA Core §10.1): the client asks until a person answered."""

from typing import Final

from remit.authority.oauth.backchannel import BackchannelState
from remit.authority.oauth.codes import AuthorizationCode
from remit.authority.oauth.families import Family
from remit.authority.oauth.polled_grant import BACKCHANNEL, Answer, Polled, PolledGrant
from remit.authority.oauth.registration import CIBA
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.requests import Asking
from remit.authority.oidc.id_token import IdToken
from remit.kernel.canonical import Digest

_ANSWERS: Final = {BackchannelState.APPROVED: Answer.YES, BackchannelState.DENIED: Answer.NO}


class BackchannelGrant(PolledGrant):
    """Earns a client the tokens of what a person allowed it, and says who that was."""

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
