"""Principals: every kind of identity in one directory (R1), each with an owner, a state and a history."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from remit.identity.lifecycle import State
from remit.kernel.ids import BlueprintId, PrincipalId, TaskId, TenantId


class Kind(StrEnum):
    """What a principal is; the word of the field for each."""

    HUMAN = "human"
    BUSINESS_UNIT = "business_unit"
    APPLICATION = "application"
    AGENT = "agent"
    INSTANCE = "instance"
    BLUEPRINT = "blueprint"
    TOOL = "tool"
    MCP_SERVER = "mcp_server"
    SERVICE_ACCOUNT = "service_account"
    SERVICE_PRINCIPAL = "service_principal"
    API_KEY = "api_key"
    OAUTH_TOKEN = "oauth_token"  # noqa: S105 — the name of a kind, not a token
    BOT = "bot"
    CI_PIPELINE = "ci_pipeline"
    EPHEMERAL_WORKLOAD = "ephemeral_workload"


class Tier(StrEnum):
    """The three tiers of identity (R4): people, workloads (NHI), agents."""

    HUMAN = "human"
    WORKLOAD = "workload"
    AGENTIC = "agentic"


PREFIX = {
    Kind.HUMAN: "usr",
    Kind.BUSINESS_UNIT: "bun",
    Kind.APPLICATION: "app",
    Kind.AGENT: "agt",
    Kind.INSTANCE: "ins",
    Kind.BLUEPRINT: "blu",
    Kind.TOOL: "tol",
    Kind.MCP_SERVER: "srv",
    Kind.SERVICE_ACCOUNT: "svc",
    Kind.SERVICE_PRINCIPAL: "spn",
    Kind.API_KEY: "key",
    Kind.OAUTH_TOKEN: "oat",
    Kind.BOT: "bot",
    Kind.CI_PIPELINE: "cip",
    Kind.EPHEMERAL_WORKLOAD: "wkl",
}
"""Id prefix of each kind: the id spaces of people and agents are disjoint."""

_HUMAN_TIER = {Kind.HUMAN, Kind.BUSINESS_UNIT, Kind.APPLICATION}
_AGENTIC_TIER = {Kind.AGENT, Kind.INSTANCE, Kind.BLUEPRINT}


def tier_of(kind: Kind) -> Tier:
    """Which tier a kind belongs to."""
    if kind in _HUMAN_TIER:
        return Tier.HUMAN
    return Tier.AGENTIC if kind in _AGENTIC_TIER else Tier.WORKLOAD


class Environment(StrEnum):
    """Where a principal may act; crossing from one to another is refused."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """One entry of the directory.

    `name` is unique per (tenant, kind) among what is not retired; `owner` is None only for a human.
    `parent` is the agent of an instance, the server of a tool, the workload of a key or token.
    """

    id: PrincipalId
    tenant: TenantId
    kind: Kind
    name: str
    state: State
    owner: PrincipalId | None
    purpose: str
    environment: Environment | None
    parent: PrincipalId | None = None
    blueprint: BlueprintId | None = None
    email: str | None = None
    """Humans only: display and approval routing, never an account key."""
    deputy: PrincipalId | None = None
    person: PrincipalId | None = None
    """Humans only: the one natural person behind several accounts (N16); None means this entry."""
    task: TaskId | None = None
    """Instances made for one task alone, and retired with it (R103)."""
    segments: frozenset[str] = frozenset()
    """Departments or projects it belongs to; a task is of one segment at most (R10)."""
    attributes: tuple[tuple[str, str], ...] = ()
    created_at: datetime
    changed_at: datetime

    @property
    def tier(self) -> Tier:
        """Human, workload or agentic."""
        return tier_of(self.kind)
