"""MCP servers and their tools: what is pinned, and how a tool's arguments map to action and resource."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from remit.identity.metering import MalformedMeter, MeterMapping
from remit.kernel.canonical import Digest
from remit.kernel.ids import ServerId, TenantId, ToolId


class Transport(StrEnum):
    """How the gateway reaches a server."""

    HTTP = "http"
    STDIO = "stdio"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialNeed:
    """Which downstream credential a server's calls carry: the provider's id, and exactly these scopes."""

    provider: str
    scopes: tuple[str, ...]


class ServerStanding(StrEnum):
    """How far what a server answers is believed by itself (N13); administrators say so, never the server."""

    OUTSIDE = "outside"
    """Strangers write what it answers, its fields too: search of the web, public forums."""
    MIXED = "mixed"
    """Its records are its own, what stands in them may be anybody's. So is what nobody declared."""
    MEMBERS = "members"
    """As `mixed`; and whom it names by a handle is one of the house: reaching them is no way out."""
    RECORDS = "records"
    """No outsider can write its records: a directory of colleagues, a register. Their fields are verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """Resources of a server that belong together: those whose address begins so."""

    name: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentMapping:
    """What is to be known of a server's documents besides what it says of each.

    A right on `<server>/documents.retrieve` or `<server>/resources.read` bounds data sets by its constraint
    on `/dataset`: for documents that is the tag `dataset_tag`, for resources the longest of `sets` that fits.
    """

    relation: "RelationMapping | None" = None
    """The relation without which no document is given; None where none is demanded."""
    dataset_tag: str = "dataset"
    sets: tuple[DataSet, ...] = ()

    def dataset_of(self, address: str) -> str:
        """The data set of a resource; empty where it is in none."""
        fitting = [each for each in self.sets if address.startswith(each.prefix)]
        return max(fitting, key=lambda each: len(each.prefix)).name if fitting else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An MCP server behind the gateway, reached at `/mcp/<name>`.

    `url` for HTTP, `argv` for stdio (never a shell; a clean environment of `environment` alone).
    """

    id: ServerId
    tenant: TenantId
    name: str
    transport: Transport
    url: str = ""
    argv: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    allow_legacy: bool = False
    """Whether clients of MCP 2025-11-25 and older are served (off by default)."""
    instructions: str = ""
    credential: CredentialNeed | None = None
    """None where the capability, or nothing, is all that a call shows."""
    standing: ServerStanding = ServerStanding.MIXED
    """How far what it answers is believed."""
    documents: DocumentMapping | None = None
    """None where there is nothing to know of its documents."""


class Pin(StrEnum):
    """How far a tool's present definition is trusted."""

    APPROVED = "approved"
    QUARANTINED = "quarantined"
    """Its definition changed or was never approved; calls are refused until a person approves it."""


class Sensitivity(StrEnum):
    """How much harm lies in what a tool touches, least first; policies and risk look at it."""

    UNLABELLED = "unlabelled"
    """Nobody has said; it weighs as `internal` does."""
    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceMapping:
    """Which argument names the resource: `type` and a JSON pointer (RFC 6901) into the arguments.

    `fixed` names one resource when no argument does. Exactly one of `pointer` and `fixed` is set.
    """

    type: str
    pointer: str = ""
    fixed: str = ""
    sensitivity: Sensitivity = Sensitivity.UNLABELLED


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyMapping:
    """Which arguments are money: pointers to the amount (a decimal string or number) and the currency."""

    amount: str
    currency: str = ""
    fixed_currency: str = ""


class Related(StrEnum):
    """Who must be related to what a tool touches."""

    USER = "user"
    """The person behind the call, and everyone else that the run is for."""
    AGENT = "agent"
    """Who acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationMapping:
    """The relation that a tool demands to the resource that its arguments name.

    In the authorization model people are `user:<name>`, agents `agent:<name>`, and the resource is
    `<type>:<id>`; `type` is the model's, and the resource's own where it is empty.
    """

    relation: str
    whom: Related = Related.USER
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolMapping:
    """How a tool's arguments become action and resource; part of the tool's hash.

    Unmapped arguments of a consequential tool are refused in strict mode: `arguments` lists the pointers
    of every top-level argument that the tool may be called with. `immaterial` ones stay out of the
    approval digest. `sentence` is the past-tense phrase of R39 with `{/pointer}` places, as in
    ``reserved {/room} for {/start}-{/end}``.
    """

    action: str
    resource: ResourceMapping
    arguments: tuple[str, ...] = ()
    immaterial: tuple[str, ...] = ()
    money: MoneyMapping | None = None
    sentence: str = ""
    effect: str = ""
    """What a yes causes, in plain words, for the approval card: `money leaves`."""
    relation: RelationMapping | None = None
    """The relation without which no call is permitted; None where none is demanded."""
    meters: tuple[MeterMapping, ...] = ()
    """What a call uses up besides calls and money, each meter once."""
    hosts: tuple[str, ...] = ()
    """Where addresses in its arguments may lead: `api.example.com`, `*.example.com`, `10.0.0.5:8080`.

    None listed: anywhere on the public network, as far as policy and provenance let it (R133).
    """
    beneficiary: str = ""
    """Pointer to who gains by a call: nobody confirms what they gain by themselves (N20)."""
    imperative: str = ""
    """What a call would do, as the headline of its card: `refund {/amount} EUR of order {/order}`."""

    def __post_init__(self) -> None:
        if len({each.meter for each in self.meters}) != len(self.meters):
            raise MalformedMeter("a mapping names a meter twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool of one server, as it was pinned.

    `definition` is the canonical JSON (RFC 8785) of name, title, description, input and output schema and
    annotations; `digest` covers definition and mapping. A consequential tool without mapping is denied.
    """

    id: ToolId
    tenant: TenantId
    server: ServerId
    name: str
    definition: str
    digest: Digest
    pin: Pin
    consequential: bool = True
    reversible: bool = False
    mapping: ToolMapping | None = None
    pinned_at: datetime
    seen_definition: str = ""
    """The definition that the server sent last, when it differs from the pinned one: shown as a diff."""
