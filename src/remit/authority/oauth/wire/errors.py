"""Every OAuth error name, in the one place that knows them.

An error carries what its sender may read (`hint`), a stable code of ours (`reason`) for the ledger, and the
name of the standard (`error`). Which status and challenge it becomes is `surface.web.routes.oauth`'s.
All failures of JOSE share one hint: a forger learns nothing about which check stopped him.
"""

from enum import StrEnum
from typing import ClassVar, Final

from remit.kernel.errors import RemitError


class ErrorName(StrEnum):
    """Names of the standards.

    RFC 6749 §4.1.2.1, §5.2, 6750 §3.1, 7009 §2.2.1, 8628 §3.5, 8693 §2.2.2, 8707 §2, 9101 §7, 9396 §5, 9449,
    9470; OpenID Connect Core §3.1.2.6; CIBA Core §11, §13.
    """

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_TOKEN_TYPE = "unsupported_token_type"  # noqa: S105 — an error name
    INVALID_SCOPE = "invalid_scope"
    INVALID_TARGET = "invalid_target"
    INVALID_AUTHORIZATION_DETAILS = "invalid_authorization_details"
    INVALID_DPOP_PROOF = "invalid_dpop_proof"
    USE_DPOP_NONCE = "use_dpop_nonce"
    ACCESS_DENIED = "access_denied"
    INVALID_REDIRECT_URI = "invalid_redirect_uri"
    INVALID_CLIENT_METADATA = "invalid_client_metadata"
    INVALID_SOFTWARE_STATEMENT = "invalid_software_statement"
    UNAPPROVED_SOFTWARE_STATEMENT = "unapproved_software_statement"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 — an error name
    INSUFFICIENT_SCOPE = "insufficient_scope"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    LOGIN_REQUIRED = "login_required"
    CONSENT_REQUIRED = "consent_required"
    INVALID_REQUEST_OBJECT = "invalid_request_object"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    INVALID_REQUEST_URI = "invalid_request_uri"
    INSUFFICIENT_USER_AUTHENTICATION = "insufficient_user_authentication"
    UNMET_AUTHENTICATION_REQUIREMENTS = "unmet_authentication_requirements"
    AUTHORIZATION_PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 — an error name
    UNKNOWN_USER_ID = "unknown_user_id"
    INVALID_BINDING_MESSAGE = "invalid_binding_message"


UNVERIFIED: Final = "the presented token or proof does not verify"
"""The one sentence for every failure of JOSE."""


class OAuthError(RemitError):
    """What a client of the authorization server is told. `reason` is stable, documented and recorded."""

    error: ClassVar[ErrorName]

    def __init__(self, hint: str, *, reason: str = "", debug: str = "", next_step: str = "") -> None:
        super().__init__(hint, debug=debug, next_step=next_step)
        self.reason = reason or self.code


class InvalidRequest(OAuthError):
    """A parameter is missing, repeated, malformed, or a presented token is unusable (RFC 8693 §2.2.2)."""

    code = "oauth_invalid_request"
    kind = "invalid"
    error = ErrorName.INVALID_REQUEST


class InvalidClient(OAuthError):
    """The client did not prove who it is (RFC 6749 §5.2)."""

    code = "oauth_invalid_client"
    kind = "unauthenticated"
    error = ErrorName.INVALID_CLIENT


class InvalidGrant(OAuthError):
    """What was presented to earn a token is no longer good."""

    code = "oauth_invalid_grant"
    kind = "invalid"
    error = ErrorName.INVALID_GRANT


class UnauthorizedClient(OAuthError):
    """This client may not use this grant."""

    code = "oauth_unauthorized_client"
    kind = "forbidden"
    error = ErrorName.UNAUTHORIZED_CLIENT


class UnsupportedGrantType(OAuthError):
    """The grant type is not served here."""

    code = "oauth_unsupported_grant_type"
    kind = "invalid"
    error = ErrorName.UNSUPPORTED_GRANT_TYPE


class UnsupportedTokenType(OAuthError):
    """Tokens of this type can't be revoked here (RFC 7009 §2.2.1)."""

    code = "oauth_unsupported_token_type"
    kind = "invalid"
    error = ErrorName.UNSUPPORTED_TOKEN_TYPE


class InvalidScope(OAuthError):
    """A scope is unknown, malformed, or more than the client may have."""

    code = "oauth_invalid_scope"
    kind = "invalid"
    error = ErrorName.INVALID_SCOPE


class InvalidTarget(OAuthError):
    """The resource is unknown here, or no token for it can be had with what was shown (RFC 8707 §2)."""

    code = "oauth_invalid_target"
    kind = "invalid"
    error = ErrorName.INVALID_TARGET


class InvalidAuthorizationDetails(OAuthError):
    """Unknown type or member, malformed, or wider than what was shown (RFC 9396 §5)."""

    code = "oauth_invalid_authorization_details"
    kind = "invalid"
    error = ErrorName.INVALID_AUTHORIZATION_DETAILS


class InvalidDpopProof(OAuthError):
    """The proof of possession does not hold, or was used before (RFC 9449 §5, §7.1)."""

    code = "oauth_invalid_dpop_proof"
    kind = "invalid"
    error = ErrorName.INVALID_DPOP_PROOF


class UseDpopNonce(OAuthError):
    """The proof must carry the nonce sent along (RFC 9449 §8, §9)."""

    code = "oauth_use_dpop_nonce"
    kind = "invalid"
    error = ErrorName.USE_DPOP_NONCE

    def __init__(self, hint: str, *, nonce: str, reason: str = "", debug: str = "") -> None:
        super().__init__(hint, reason=reason, debug=debug)
        self.nonce = nonce


class AccessDenied(OAuthError):
    """The client is who it says, and still may not: dead, not named by `may_act`, no task, no consent."""

    code = "oauth_access_denied"
    kind = "forbidden"
    error = ErrorName.ACCESS_DENIED


class InvalidRedirectUri(OAuthError):
    """A redirect URI that a client asks for is none that anybody may be sent to (RFC 7591 §3.2.2)."""

    code = "oauth_invalid_redirect_uri"
    kind = "invalid"
    error = ErrorName.INVALID_REDIRECT_URI


class InvalidClientMetadata(OAuthError):
    """A member of a client's metadata is malformed, or asks for what is not served (RFC 7591 §3.2.2)."""

    code = "oauth_invalid_client_metadata"
    kind = "invalid"
    error = ErrorName.INVALID_CLIENT_METADATA


class InvalidSoftwareStatement(OAuthError):
    """A software statement is no signed JWT (RFC 7591 §3.2.2)."""

    code = "oauth_invalid_software_statement"
    kind = "invalid"
    error = ErrorName.INVALID_SOFTWARE_STATEMENT


class UnapprovedSoftwareStatement(OAuthError):
    """Nobody's software statements are believed here (RFC 7591 §3.2.2)."""

    code = "oauth_unapproved_software_statement"
    kind = "invalid"
    error = ErrorName.UNAPPROVED_SOFTWARE_STATEMENT


class InvalidToken(OAuthError):
    """The access token is expired, revoked, malformed, or for another resource (RFC 6750 §3.1)."""

    code = "oauth_invalid_token"
    kind = "unauthenticated"
    error = ErrorName.INVALID_TOKEN


class LifelessToken(InvalidToken):
    """What the token stands on does not live, as far as the view of the present goes that was asked."""


class MissingToken(OAuthError):
    """The request carries no credentials at all: it is told how to get some, not what it did wrong."""

    code = "oauth_missing_token"
    kind = "unauthenticated"
    error = ErrorName.INVALID_TOKEN


class ProofRefused(OAuthError):
    """At a resource: the proof does not hold, is missing, or is of another key (RFC 9449 §7.1)."""

    code = "invalid_dpop_proof"
    kind = "unauthenticated"
    error = ErrorName.INVALID_DPOP_PROOF


class InsufficientScope(OAuthError):
    """The token is good but lacks a scope (RFC 6750 §3.1)."""

    code = "insufficient_scope"
    kind = "forbidden"
    error = ErrorName.INSUFFICIENT_SCOPE

    def __init__(self, hint: str, *, scopes: frozenset[str]) -> None:
        super().__init__(hint)
        self.scopes = scopes


class InsufficientAuthentication(OAuthError):
    """At a resource: the person must sign in again, in another way (RFC 9470 §3)."""

    code = "insufficient_user_authentication"
    kind = "unauthenticated"
    error = ErrorName.INSUFFICIENT_USER_AUTHENTICATION

    def __init__(self, hint: str, *, acr_values: tuple[str, ...]) -> None:
        super().__init__(hint)
        self.acr_values = acr_values


class TemporarilyUnavailable(OAuthError):
    """State is moving under the request, or storage can't be reached; nothing was issued."""

    code = "oauth_temporarily_unavailable"
    kind = "unavailable"
    error = ErrorName.TEMPORARILY_UNAVAILABLE


class UnsupportedResponseType(OAuthError):
    """Only codes are given here; no token ever passes through a browser (OAuth 2.1 §10.1)."""

    code = "oauth_unsupported_response_type"
    kind = "invalid"
    error = ErrorName.UNSUPPORTED_RESPONSE_TYPE


class LoginRequired(OAuthError):
    """The client wants no page, and nobody is signed in, or not recently enough (OIDC Core §3.1.2.6)."""

    code = "oauth_login_required"
    kind = "invalid"
    error = ErrorName.LOGIN_REQUIRED


class ConsentRequired(OAuthError):
    """The client wants no page, and the person must be asked (OIDC Core §3.1.2.6)."""

    code = "oauth_consent_required"
    kind = "invalid"
    error = ErrorName.CONSENT_REQUIRED


class InvalidRequestObject(OAuthError):
    """The request object was not signed by its client for us, now, or holds what it may not (RFC 9101 §7)."""

    code = "oauth_invalid_request_object"
    kind = "invalid"
    error = ErrorName.INVALID_REQUEST_OBJECT


class RequestUriNotSupported(OAuthError):
    """No request is ever fetched from an address; push it (RFC 9101 §7, RFC 9126)."""

    code = "oauth_request_uri_not_supported"
    kind = "invalid"
    error = ErrorName.REQUEST_URI_NOT_SUPPORTED


class InvalidRequestUri(OAuthError):
    """The `request_uri` is none of ours, another client's, used, or has run out (RFC 9101 §7)."""

    code = "oauth_invalid_request_uri"
    kind = "invalid"
    error = ErrorName.INVALID_REQUEST_URI


class UnmetAuthentication(OAuthError):
    """The person can't sign in as strongly as the client demands (RFC 9470 §5)."""

    code = "oauth_unmet_authentication_requirements"
    kind = "invalid"
    error = ErrorName.UNMET_AUTHENTICATION_REQUIREMENTS


class AuthorizationPending(OAuthError):
    """Nobody has answered yet (RFC 8628 §3.5, CIBA §11); `asked` is the digest of what is polled.

    `backchannel`: whether a client polls that asks behind the scenes, and not a device.
    """

    code = "oauth_authorization_pending"
    kind = "invalid"
    error = ErrorName.AUTHORIZATION_PENDING

    def __init__(self, hint: str, *, asked: str, backchannel: bool = False) -> None:
        super().__init__(hint)
        self.asked = asked
        self.backchannel = backchannel


class SlowDown(OAuthError):
    """The client polls too fast: this and all later polls are 5 s slower (RFC 8628 §3.5, CIBA §11)."""

    code = "oauth_slow_down"
    kind = "invalid"
    error = ErrorName.SLOW_DOWN


class ExpiredToken(OAuthError):
    """What is polled has run out before anybody answered, or before it was fetched (RFC 8628 §3.5)."""

    code = "oauth_expired_token"
    kind = "invalid"
    error = ErrorName.EXPIRED_TOKEN


class UnknownUser(OAuthError):
    """A hint names nobody who could be asked, and needs no guessing to be tried (CIBA Core §13)."""

    code = "oauth_unknown_user_id"
    kind = "invalid"
    error = ErrorName.UNKNOWN_USER_ID


class InvalidBindingMessage(OAuthError):
    """What a person should be shown is too long, or can't be read as it is written (CIBA Core §13)."""

    code = "oauth_invalid_binding_message"
    kind = "invalid"
    error = ErrorName.INVALID_BINDING_MESSAGE
