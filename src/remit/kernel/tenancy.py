"""The tenant that a thing belongs to: the owner of the verifying key, never what a claim says."""

from typing import Final

from remit.kernel.ids import TenantId

DEFAULT_TENANT: Final = TenantId("default")
"""The tenant of an installation that never made a second one; its issuer is the bare base address."""
