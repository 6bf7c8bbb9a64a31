"""Authorization code (RFC 6749 §4.1.3, OAuth 2.1 §4.1.3): a person's yes, redeemed once by its client.

1 the client is registered for codes   2 the code is its own   3 a code that was spent ends all that came of
it   4 redirect, verifier and key fit, in time   5 the person's session was not ended, and everything that
the token stands on is alive   6 resource and rights only narrow   7 it is spent where the token is issued
"""

from typing import Final

from remit.authority.oauth.asking import codes
from remit.authority.oauth.asking.codes import NO_GOOD, AuthorizationCode, Shown
from remit.authority.oauth.clients.registration import CODE, ClientRegistration
from remit.authority.oauth.issuing.client_sessions import SessionMint
from remit.authority.oauth.issuing.redeeming import SpendCode, family_of, registered_for, replayed
from remit.authority.oauth.proving.requests import Asking, Draft
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.errors import InvalidGrant
from remit.kernel.ids import Entropy


class AuthorizationCodeGrant:
    """Earns a client the first tokens of what a person allowed it."""

    type: Final = CODE

    def __init__(self, *, mint: SessionMint, entropy: Entropy) -> None:
        self._mint = mint
        self._entropy = entropy

    def draft(self, asking: Asking) -> Draft:
        """Judge the code; whether it was spent is judged once more where it is spent."""
        registration = registered_for(CODE, asking)
        # (2) to (4)
        code = self._code(asking, registration)
        family = family_of(code, registration, asking)
        # Steps 5 and 6 are the mint's.
        token = self._mint.token(asking, family)
        return Draft(
            token=token,
            spend=SpendCode(code=code, family=family, registration=registration, entropy=self._entropy),
            id_token=self._mint.id_token(asking, family, nonce=code.nonce),
        )

    def _code(self, asking: Asking, registration: ClientRegistration) -> AuthorizationCode:
        parameters = asking.request.parameters
        text = parameters.need("code")
        known = asking.tx.codes.get(opaque.digest_of(text)) if opaque.is_one(opaque.CODE, text) else None
        if known is None or known.client_id != registration.client_id:
            raise InvalidGrant(NO_GOOD, reason="code_unknown" if known is None else "code_other_client")
        if known.spent_at is not None:
            raise replayed(known)
        shown = Shown(
            client_id=registration.client_id,
            redirect_uri=parameters.get("redirect_uri"),
            verifier=parameters.get("code_verifier"),
            key="" if asking.proof is None else asking.proof.key,
        )
        codes.check(known, shown, at=asking.request.at)
        return known
