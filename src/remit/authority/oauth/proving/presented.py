"""Access tokens that a client presents to us as evidence: subject, actor, or to be looked at."""

from datetime import datetime

from remit.authority.oauth.repository import View
from remit.authority.oauth.tokens.access import AccessToken, UnreadableToken, token_of
from remit.authority.oauth.wire.errors import InvalidTarget
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.resources import target_of
from remit.kernel.ids import KeyId
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.claims import unverified_members
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyLookup
from remit.kernel.jose.profiles import TokenType


def read_access_token(
    text: str, *, keys: KeyLookup, audience: str, at: datetime
) -> tuple[AccessToken, KeyId]:
    """Verify form, key, type, signature, issuer, audience and times of a token; give its signing key too.

    Whether it lives is `lineage.why_dead`'s. Raises `TokenRejected`.
    """
    verified = jwt.verify(text, as_type=TokenType.ACCESS_TOKEN, keys=keys, at=at, audience=audience)
    try:
        token = token_of(verified.claims.members, tenant=verified.record.tenant)
    except UnreadableToken as odd:
        raise TokenRejected(6, "claims_malformed") from odd
    return token, verified.record.kid


def read_presented(
    text: str, *, keys: KeyLookup, options: OAuthOptions, view: View, at: datetime
) -> AccessToken | None:
    """Read a token whose resource may be any of ours; None for whatever does not verify."""
    try:
        return read_access_token(text, keys=keys, audience=audience_of(text, options, view), at=at)[0]
    except TokenRejected:
        return None


def audience_of(text: str, options: OAuthOptions, view: View) -> str:
    """Which of our resources an unverified token is made out to: it is then verified as exactly that.

    Raises `TokenRejected` if none that exists.
    """
    audience = unverified_members(jws.take_apart(text).payload).get("aud")
    if not isinstance(audience, str):
        raise TokenRejected(6, "audience_malformed")
    if audience == options.userinfo:
        return audience
    try:
        target = target_of(audience, options)
    except InvalidTarget as foreign:
        raise TokenRejected(6, "wrong_audience") from foreign
    if target.resource != audience or (target.server and view.server_named(target.server) is None):
        raise TokenRejected(6, "wrong_audience")
    return audience
