"""What the authorization server and each protected resource publish (RFC 8414 §2, RFC 9728 §2).

Advertises only what is on.
"""

from typing import Final

from remit.authority.oauth.clients.registration import CIBA, CODE, DEVICE, REFRESH, Delivery
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.pkce import METHOD
from remit.authority.oauth.wire.rar import TYPE
from remit.authority.oauth.wire.resources import Target
from remit.authority.oauth.wire.scopes import AGENT_AT_API, AT_MCP, AT_USERINFO, Scope
from remit.authority.oidc.conditions import MEETS
from remit.authority.oidc.disclosure import CLAIMS
from remit.authority.oidc.id_token import SIGNED_BY
from remit.kernel.canonical import Json, JsonObject
from remit.kernel.jose import dpop
from remit.kernel.jose.algorithms import Algorithm

GRANT_CLIENT_CREDENTIALS: Final = "client_credentials"
GRANT_TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 — a name
GRANT_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANT_SAML2_BEARER: Final = "urn:ietf:params:oauth:grant-type:saml2-bearer"
ID_JAG_PROFILE: Final = "urn:ietf:params:oauth:grant-profile:id-jag"
CHAINED_TYPES: Final = (
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id-jag",
)
"""What can be asked for another domain (draft-ietf-oauth-identity-chaining-17)."""
OF_AN_INSTANCE: Final = frozenset({GRANT_CLIENT_CREDENTIALS, GRANT_TOKEN_EXCHANGE})
"""Grants that an instance uses without a person in front of it."""
OF_A_KEY: Final = OF_AN_INSTANCE | {GRANT_JWT_BEARER}
"""Grants of a client that proves itself by a key of its own."""
ALGORITHMS: Final[tuple[str, ...]] = tuple(sorted(Algorithm))
"""What clients may sign assertions with."""
PROOF_ALGORITHMS: Final[tuple[str, ...]] = tuple(sorted(set(dpop.ALGORITHMS.values())))
"""What clients may sign DPoP proofs with."""
_AUTH_METHODS: Final[tuple[str, ...]] = ("private_key_jwt",)


def server_metadata(options: OAuthOptions, *, codes: bool = False) -> JsonObject:
    """Describe the authorization server (RFC 8414 §2); empty arrays are left out, except one.

    `codes`: whether a person can be asked here, by the authorization endpoint.

    RFC 8414 §2 requires `response_types_supported`; without an authorization endpoint it is empty.
    """
    issuer = options.issuer
    return {
        "issuer": issuer,
        "token_endpoint": options.token_endpoint,
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "jwks_uri": f"{issuer}/jwks",
        **_of_clients(options),
        "response_types_supported": [],
        "grant_types_supported": [*_grants(options)],
        **(_of_codes(options) if codes else {}),
        "scopes_supported": _sorted(Scope),
        "token_endpoint_auth_methods_supported": [*auth_methods(options)],
        "token_endpoint_auth_signing_alg_values_supported": [*ALGORITHMS],
        "introspection_endpoint_auth_methods_supported": [*_AUTH_METHODS],
        "introspection_endpoint_auth_signing_alg_values_supported": [*ALGORITHMS],
        "revocation_endpoint_auth_methods_supported": [*_AUTH_METHODS],
        "revocation_endpoint_auth_signing_alg_values_supported": [*ALGORITHMS],
        "dpop_signing_alg_values_supported": [*PROOF_ALGORITHMS],
        "authorization_details_types_supported": [TYPE],
    }


def _grants(options: OAuthOptions) -> tuple[str, ...]:
    return (
        GRANT_CLIENT_CREDENTIALS,
        GRANT_TOKEN_EXCHANGE,
        *assertion_grants(options),
    )


def assertion_grants(options: OAuthOptions) -> tuple[str, ...]:
    """The grants for workloads of trusted issuers that are served here."""
    if not options.workloads:
        return (GRANT_JWT_BEARER,) if options.domains else ()
    return (GRANT_JWT_BEARER, *((GRANT_SAML2_BEARER,) if options.saml else ()))


def _of_codes(options: OAuthOptions) -> JsonObject:
    """The code flow: RFC 8414 §2, RFC 7636 §6.2, RFC 9126 §5, RFC 9207 §3."""
    issuer = options.issuer
    return {
        "authorization_endpoint": f"{issuer}/authorize",
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "require_pushed_authorization_requests": False,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            *_grants(options),
            CODE,
            REFRESH,
            CIBA,
            *([DEVICE] if options.devices else []),
        ],
        **({"device_authorization_endpoint": f"{issuer}/device_authorization"} if options.devices else {}),
        "code_challenge_methods_supported": [METHOD],
        "authorization_response_iss_parameter_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": False,
        "request_object_signing_alg_values_supported": [*ALGORITHMS],
        "require_signed_request_object": False,
        **_of_people(issuer),
        **_of_the_backchannel(issuer),
    }


def _of_the_backchannel(issuer: str) -> JsonObject:
    """CIBA Core §4."""
    return {
        "backchannel_authentication_endpoint": f"{issuer}/bc-authorize",
        "backchannel_token_delivery_modes_supported": [*map(str, Delivery)],
        "backchannel_authentication_request_signing_alg_values_supported": [*ALGORITHMS],
        "backchannel_user_code_parameter_supported": False,
    }


def _of_people(issuer: str) -> JsonObject:
    """OpenID Connect Discovery §3, RP-Initiated Logout §2.1, Back-Channel Logout §2.1."""
    return {
        "userinfo_endpoint": f"{issuer}/userinfo",
        "end_session_endpoint": f"{issuer}/end_session",
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [*map(str, SIGNED_BY)],
        "claims_supported": [*CLAIMS],
        "claims_parameter_supported": True,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "acr_values_supported": [*MEETS],
    }


def auth_methods(options: OAuthOptions) -> tuple[str, ...]:
    """How a client may prove itself at the token endpoint here."""
    certificates = ("self_signed_tls_client_auth",) if options.certificates else ()
    named = ("tls_client_auth",) if options.certificates and options.authorities else ()
    svids = ("spiffe_jwt",) if options.workloads else ()
    chains = ("spiffe_x509",) if options.workloads and options.certificates else ()
    return (*_AUTH_METHODS, "none", *certificates, *named, *svids, *chains)


def _of_clients(options: OAuthOptions) -> JsonObject:
    """What only an installation says that serves it."""
    said: JsonObject = {
        "introspection_signing_alg_values_supported": [str(Algorithm.ED25519)],
    }
    if options.dynamic.served:
        said["registration_endpoint"] = f"{options.issuer}/register"
    if options.documents.served:
        said["client_id_metadata_document_supported"] = True
    if options.certificates:
        said["tls_client_certificate_bound_access_tokens"] = True
    if options.domains:
        # That such grants are taken, and not whose (standards 16).
        said["authorization_grant_profiles_supported"] = [ID_JAG_PROFILE]
        said["identity_chaining_requested_token_types_supported"] = [*CHAINED_TYPES]
    return said


def resource_metadata(target: Target, options: OAuthOptions, *, bearer: bool) -> JsonObject:
    """Describe one protected resource (RFC 9728 §2); `resource` is the URL that its clients call.

    `bearer`: whether some registered client may come without a key-bound token.
    """
    scopes = AT_MCP if target.server else AGENT_AT_API | {Scope.READ, Scope.WRITE}
    if target.resource == options.userinfo:
        scopes = AT_USERINFO
    return {
        "resource": target.resource,
        "resource_name": _name(target, options),
        "authorization_servers": [options.issuer],
        "scopes_supported": _sorted(scopes),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": [*PROOF_ALGORITHMS],
        "dpop_bound_access_tokens_required": not bearer,
        "authorization_details_types_supported": [TYPE],
    }


def _name(target: Target, options: OAuthOptions) -> str:
    if target.resource == options.userinfo:
        return "Remit, about people"
    return f"Remit gateway: {target.server}" if target.server else "Remit API"


def well_known(name: str, url: str) -> str:
    """Insert the well-known name between host and path (RFC 8414 §3.1, RFC 9728 §3.1)."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}/.well-known/{name}{slash}{path}"


def _sorted(scopes: "frozenset[Scope] | type[Scope]") -> list[Json]:
    return [str(scope) for scope in sorted(scopes)]
