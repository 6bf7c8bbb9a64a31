"""What an operator says of clients that nobody registered: whose documents count, who may register itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit


class DocumentPolicy(StrEnum):
    """Which metadata documents are believed."""

    OFF = "off"
    LISTED = "listed"
    ANY = "any"


class RegistrationMode(StrEnum):
    """Who may register a client by itself."""

    OFF = "off"
    TOKEN = "token"  # noqa: S105 — the name of a mode
    """Whoever shows an initial access token."""
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentClients:
    """Which hosts may name clients, and which agent each of their clients is an instance of."""

    policy: DocumentPolicy = DocumentPolicy.OFF
    agents: Mapping[str, str] = field(default_factory=dict)
    """Host → name of the agent."""
    others: str = ""
    """The agent of clients from any other host; only under `any`."""

    @property
    def served(self) -> bool:
        """Whether any document can be believed."""
        return self.policy is not DocumentPolicy.OFF

    def agent_for(self, client_id: str) -> str:
        """The agent's name; empty where the operator said nothing of that host."""
        if not self.served:
            return ""
        host = (urlsplit(client_id).hostname or "").lower()
        return self.agents.get(host, "") or (self.others if self.policy is DocumentPolicy.ANY else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicClients:
    """Who may register itself, how much of it there may be, and which agent those without a token are."""

    mode: RegistrationMode = RegistrationMode.OFF
    agent: str = ""
    per_minute: int = 10
    most: int = 1000
    """Live clients that registered themselves."""

    @property
    def served(self) -> bool:
        """Whether there is such an endpoint at all."""
        return self.mode is not RegistrationMode.OFF
