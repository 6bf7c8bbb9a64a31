"""Tables of the authorization server: clients, sessions, codes, trusted issuers, downstream credentials."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what people, other issuers and upstream providers need."""
