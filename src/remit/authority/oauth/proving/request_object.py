"""Request objects (RFC 9101): a request that its client signed, which then is the whole request.

1 no reference beside it; a JWT, `typ` `oauth-authz-req+jwt` alone (§10.8): nothing else that a client signs
is taken for one   2 the key is registered for this very client, the signature holds; no `alg` `none`, no
encryption   3 `iss` is the client, `aud` we   4 it lives, and no longer than ten minutes   5 its `client_id`
is the one outside (§5.2.3, §6.3)   6 it holds no other request, and no `sub` (§10.8: it is no assertion)
7 its members, and nothing that stands beside it, are the parameters (§6.3)
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from remit.authority.oauth.clients.client import client_of
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.proving.client_auth import ClientKeys
from remit.authority.oauth.repository import View
from remit.authority.oauth.wire.errors import (
    UNVERIFIED,
    InvalidRequest,
    InvalidRequestObject,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.parameters import COUNT_LIMIT, REPEATABLE, Parameters
from remit.kernel.canonical import Json, canonical_json
from remit.kernel.jose import jwt
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.jwt import VerifiedJwt
from remit.kernel.jose.profiles import PEER_LEEWAY, TokenType

NAME: Final = "request"
REFERENCE: Final = "request_uri"
LIFE: Final = timedelta(minutes=10)
"""How far ahead a request object may expire: it is made for one request, now."""
_OF_THE_JWT: Final = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"})
"""Members that are about the object, and no parameters (§4)."""
_NEVER_INSIDE: Final = (NAME, REFERENCE, "sub")


class RequestObjects:
    """Opens request objects; whether the client lives is not asked here."""

    def __init__(self, *, options: OAuthOptions) -> None:
        self._options = options

    def parameters_of(
        self, parameters: Parameters, registration: ClientRegistration, *, view: View, at: datetime
    ) -> Parameters:
        """The parameters of a request: those of its object, or its own if it has none.

        Raises `InvalidRequestObject`, with one hint for steps 1 to 5; nothing in the object is believed then.
        """
        text = parameters.get(NAME)
        if not text:
            if registration.signed_requests:
                raise InvalidRequest(
                    "this client signs its requests (RFC 9101 §10.5)", reason="request_object_required"
                )
            return parameters
        if parameters.get(REFERENCE):
            raise InvalidRequest("`request` and `request_uri` exclude each other", reason="request_twice")
        try:
            verified = self._verify(text, registration, view, at)
        except TokenRejected as rejected:
            raise InvalidRequestObject(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        return _read(verified.claims.members)

    def _verify(self, text: str, registration: ClientRegistration, view: View, at: datetime) -> VerifiedJwt:
        keys = self._keys(registration, view)
        # (1) to (4)
        verified = jwt.verify(
            text,
            as_type=TokenType.REQUEST_OBJECT,
            keys=keys,
            at=at,
            audience=self._options.issuer,
            unnamed=keys.all(),
        )
        if verified.claims.expires_at - at > LIFE + PEER_LEEWAY:
            raise TokenRejected(6, "lives_too_long")
        # (5) Nobody's request in the name of another.
        if verified.claims.members.get("client_id") != registration.client_id:
            raise TokenRejected(6, "client_id_differs")
        return verified

    def _keys(self, registration: ClientRegistration, view: View) -> ClientKeys:
        """The keys of this client, and of no other. A client without keys signs nothing."""
        principal = view.principal(registration.principal)
        if principal is None:
            raise TokenRejected(3, "client_unknown")
        client = client_of(
            principal,
            agent=None if principal.parent is None else view.principal(principal.parent),
            credentials=tuple(view.credentials_of(principal.id)),
            trust_domain=self._options.trust_domain,
            registration=registration,
        )
        if client is None:
            raise TokenRejected(3, "client_kind")
        return ClientKeys(client)


def _read(members: Mapping[str, Json]) -> Parameters:
    # (6) A request within a request would be read by some and not by others.
    inside = next((name for name in _NEVER_INSIDE if name in members), "")
    if inside:
        raise InvalidRequestObject(f"`{inside}` has no place in a request object", reason="request_nested")
    stated = {name: value for name, value in members.items() if name not in _OF_THE_JWT}
    if len(stated) > COUNT_LIMIT:
        raise InvalidRequestObject(
            f"the request object has more than {COUNT_LIMIT} parameters", reason="request_too_many"
        )
    # (7) What stands beside the object is not looked at again.
    return Parameters(values={name: _values(name, value) for name, value in stated.items()})


def _values(name: str, value: Json) -> tuple[str, ...]:
    """A member as the parameter of that name would be written (§4): JSON stays JSON."""
    if name in REPEATABLE and isinstance(value, list):
        return tuple(_value(name, each) for each in value)
    text = _value(name, value)
    return (text,) if text else ()


def _value(name: str, value: Json) -> str:
    if isinstance(value, bool) or value is None:
        raise InvalidRequestObject(f"`{name}` is no value of a parameter", reason="request_malformed")
    text = value if isinstance(value, str) else canonical_json(value).decode()
    if any(ord(char) < 0x20 or char == "\x7f" for char in text):  # noqa: PLR2004 — first printable character
        raise InvalidRequestObject(f"`{name}` holds a control character", reason="request_malformed")
    return text
