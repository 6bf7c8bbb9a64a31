"""Every table, known to `metadata` once this module is imported. One line per wing."""

from remit.platform.storage.tables import (
    authority,
    authorization,
    backchannel,
    clients,
    core,
    decision,
    devices,
    domains,
    federation,
    identity,
    ledger,
    oversight,
    people,
    sign_ons,
    tenants,
    upstream,
    vault,
)
from remit.platform.storage.tables.metadata import metadata

__all__ = [
    "authority",
    "authorization",
    "backchannel",
    "clients",
    "core",
    "decision",
    "devices",
    "domains",
    "federation",
    "identity",
    "ledger",
    "metadata",
    "oversight",
    "people",
    "sign_ons",
    "tenants",
    "upstream",
    "vault",
]
