"""The tenant that a thing belongs to: the owner of the verifying key, never what a claim says.

A tenant's id is its name: it is never given again, and says in every row and log whose it is. Each tenant
is an authorization server of its own: issuer, keys and trust domain are its alone (standards 0.2).
"""

import re
from typing import Final

from remit.kernel.errors import Invalid
from remit.kernel.ids import TenantId

DEFAULT_TENANT: Final = TenantId("default")
"""The tenant of an installation that never made a second one; its issuer is the bare base address."""
TENANT_PATH: Final = "/t/"
"""What stands before a further tenant's name in addresses."""
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LONGEST: Final = 32


class MalformedTenant(Invalid):
    """A text can't be the name of a further tenant."""

    code = "malformed_tenant"


def check_tenant(name: str) -> TenantId:
    """Give back the name of a further tenant: a label of an address, of a domain and of a log at once.

    Lower case letters, digits and single hyphens, a letter first, 2 to 32 long, not `default`. Raises
    `MalformedTenant`.
    """
    if not 2 <= len(name) <= _LONGEST or not _NAME.fullmatch(name) or name == DEFAULT_TENANT:  # noqa: PLR2004 — said above
        raise MalformedTenant(
            f"`{name[:_LONGEST]}` can't be a tenant's name: 2 to {_LONGEST} of a-z, 0-9 and single hyphens, "
            f"a letter first, and not `{DEFAULT_TENANT}`",
            next_step="choose another name, as in remit tenant new acme",
        )
    return TenantId(name)


def tenant_path(tenant: TenantId) -> str:
    """Below which path a tenant is served: nothing for the default one, else `/t/NAME`."""
    return "" if tenant == DEFAULT_TENANT else f"{TENANT_PATH}{tenant}"


def issuer_of(base: str, tenant: TenantId) -> str:
    """A tenant's issuer, byte for byte: `base` is the installation's address, never a request's."""
    return f"{base}{tenant_path(tenant)}"


def trust_domain_of(base: str, tenant: TenantId) -> str:
    """A tenant's SPIFFE trust domain.

    A domain of its own, since a bundle is believed for its whole domain (SPIFFE-ID §2.1): with one domain
    for all, the key of one tenant could sign names of another.
    """
    return base if tenant == DEFAULT_TENANT else f"{tenant}.{base}"


def origin_of(url: str) -> str:
    """Scheme and authority of an address of ours, without its path: what browsers and proofs begin with."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.partition('/')[0]}"


def path_of(url: str) -> str:
    """The path of an address of ours: empty, or from its slash on."""
    _, slash, path = url.partition("://")[2].partition("/")
    return f"{slash}{path}"
