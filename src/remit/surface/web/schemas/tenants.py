"""Tenants, as the API shows them to an operator: never what is in them."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from remit.identity.tenants import TenantState

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Address = Annotated[str, msgspec.Meta(min_length=1, max_length=254)]


class NewAdministrator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whoever administers the tenant: a person who is new there, and the public half of their device key."""

    admin: _Address
    jwk: dict[str, Any] | None = None


class NewTenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant, with who administers it first."""

    name: _Name
    admin: _Address
    jwk: dict[str, Any] | None = None


class TenantView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One tenant: where it is, and in which state; `by` is the operator who put it there."""

    name: str
    state: TenantState
    issuer: str
    trust_domain: str
    created_at: datetime
    changed_at: datetime
    by: str
    because: str = ""


class AdministratorView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An administrator of a tenant. `link` is told once: hand it to them alone."""

    tenant: str
    user: str
    key: str = ""
    link: str = ""
    expires_at: datetime | None = None


class OpenedView(msgspec.Struct, frozen=True, kw_only=True):
    """A new tenant and its first administrator."""

    tenant: TenantView
    administrator: AdministratorView
