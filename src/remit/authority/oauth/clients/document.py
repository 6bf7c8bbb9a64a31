"""A registration, written by the names of RFC 7591 §2 and §3.2.1: what its client is told of itself."""

from remit.authority.oauth.clients.registration import CIBA, ClientRegistration
from remit.kernel.canonical import Json, JsonObject, parse_object


def metadata_of(registration: ClientRegistration) -> JsonObject:
    """Everything that is on record of a client and is its own to know; no member without a value."""
    stated: dict[str, Json] = {
        "client_id": registration.client_id,
        "client_id_issued_at": int(registration.created_at.timestamp()),
        "client_name": registration.name,
        "redirect_uris": [*registration.redirect_uris],
        "grant_types": [*sorted(registration.grant_types)],
        "response_types": ["code"],
        "application_type": str(registration.application_type),
        "token_endpoint_auth_method": str(registration.auth_method),
        "scope": registration.scope,
        "dpop_bound_access_tokens": registration.dpop_bound,
        "tls_client_certificate_bound_access_tokens": registration.certificate_bound,
        "require_pushed_authorization_requests": registration.require_par,
        "require_signed_request_object": registration.signed_requests,
        "id_token_signed_response_alg": str(registration.id_token_alg),
        "post_logout_redirect_uris": [*registration.post_logout_redirect_uris],
        "backchannel_logout_uri": registration.backchannel_logout_uri,
        "backchannel_token_delivery_mode": str(registration.delivery)
        if CIBA in registration.grant_types
        else None,
        "backchannel_client_notification_endpoint": registration.notification_endpoint,
        "jwks_uri": registration.jwks_uri,
        "jwks": None
        if registration.jwks is None or registration.jwks_uri
        else parse_object(registration.jwks.encode()),
    }
    if registration.certificate is not None:
        name, value = registration.certificate
        stated[f"tls_client_auth_{name}"] = value
    return {name: value for name, value in stated.items() if value not in (None, "", [])}
