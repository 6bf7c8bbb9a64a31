"""Registrations of OAuth clients as tests want them."""

from datetime import UTC, datetime
from typing import Any

from remit.authority.oauth.clients.registration import (
    ApplicationType,
    AuthMethod,
    ClientRegistration,
    RegistrationKind,
    digest_of,
)
from remit.kernel.ids import PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT

AT = datetime(2026, 5, 15, 12, 0, tzinfo=UTC)


def registration(**stated: Any) -> ClientRegistration:
    """A native public client named Notes; whatever is stated differs."""
    members: dict[str, Any] = {
        "client_id": "cli_notes",
        "tenant": DEFAULT_TENANT,
        "principal": PrincipalId("ins_notes"),
        "kind": RegistrationKind.PRE_REGISTERED,
        "name": "Notes",
        "redirect_uris": ("http://127.0.0.1/callback",),
        "application_type": ApplicationType.NATIVE,
        "auth_method": AuthMethod.NONE,
        "created_at": AT,
        "changed_at": AT,
        **stated,
    }
    covered = ("name", "redirect_uris", "auth_method", "jwks", "jwks_uri", "certificate")
    digest = digest_of(**{name: members.get(name) for name in covered})  # type: ignore[arg-type]  # as stated
    return ClientRegistration(**{"digest": digest, **members})
