"""MCP servers and tools as the API shows them."""

from datetime import datetime
from typing import Annotated, Self

import msgspec

from remit.enforcement.mcp.discovery import Found, ToolStanding
from remit.identity.metering import MOST_TIMES, Meter, MeterMapping
from remit.identity.principals import Environment
from remit.identity.tool_service import Definition
from remit.identity.tools import (
    DataSet,
    DocumentMapping,
    MoneyMapping,
    Pin,
    Related,
    RelationMapping,
    ResourceMapping,
    Sensitivity,
    Server,
    ServerStanding,
    Tool,
    ToolMapping,
    Transport,
)
from remit.kernel.canonical import JsonObject, parse_object, sha256
from remit.kernel.ids import ServerId, TenantId
from remit.surface.web.schemas.words import Count, Ident, Line, Name

Pointer = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^((/([^~/]|~[01])*)+)?$")]
Phrase = Annotated[str, msgspec.Meta(max_length=1024)]
_HOST = r"([A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
_PORT = r"(:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?"
Url = Annotated[str, msgspec.Meta(max_length=2048, pattern=rf"^(https?://{_HOST}{_PORT}([/?][!-\"$-~]*)?)?$")]
"""Empty, or a plain address: no user, no fragment, ASCII alone."""
_SCHEME = r"([a-z][a-z0-9+.-]{0,20}://)?"
_BELOW = r"(\*\.)?([a-z0-9_][a-z0-9._-]{0,252}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?"
HostPattern = Annotated[str, msgspec.Meta(max_length=300, pattern=rf"^{_SCHEME}{_BELOW}$")]
"""A host, `*.` and a host for all below it, or an address; with a port that alone."""
Argument = Annotated[str, msgspec.Meta(max_length=4096)]


class RelationMappingBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The relation that a tool demands to the resource."""

    relation: Line
    whom: Related = Related.USER
    type: Phrase = ""

    def relation_mapping(self) -> RelationMapping:
        """As the domain says it."""
        return RelationMapping(relation=self.relation, whom=self.whom, type=self.type)


class DataSetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Resources that belong together: those whose address begins so."""

    name: Name
    prefix: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class DocumentsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be known of a server's documents: relation, tag of the data set, data sets of resources."""

    relation: RelationMappingBody | None = None
    dataset_tag: Line = "dataset"
    sets: Annotated[list[DataSetBody], msgspec.Meta(max_length=256)] = []

    def documents(self) -> DocumentMapping:
        """As the domain says it."""
        return DocumentMapping(
            relation=None if self.relation is None else self.relation.relation_mapping(),
            dataset_tag=self.dataset_tag,
            sets=tuple(DataSet(name=each.name, prefix=each.prefix) for each in self.sets),
        )


class NewServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An MCP server to put behind the gateway, reached at `/mcp/<name>`."""

    name: Name
    transport: Transport
    purpose: Line
    environment: Environment
    owner: Ident | None = None
    url: Url = ""
    argv: Annotated[list[Argument], msgspec.Meta(max_length=64)] = []
    env: Annotated[dict[Ident, Argument], msgspec.Meta(max_length=64)] = {}
    allow_legacy: bool = False
    instructions: Phrase = ""
    standing: ServerStanding = ServerStanding.MIXED
    documents: DocumentsBody | None = None

    def server(self, *, ident: ServerId, tenant: TenantId) -> Server:
        """As the domain says it."""
        return Server(
            id=ident,
            tenant=tenant,
            name=self.name,
            transport=self.transport,
            url=self.url,
            argv=tuple(self.argv),
            environment=tuple(sorted(self.env.items())),
            allow_legacy=self.allow_legacy,
            instructions=self.instructions,
            standing=self.standing,
            documents=None if self.documents is None else self.documents.documents(),
        )


class ServerBelief(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far what a server answers is believed by itself, and why."""

    standing: ServerStanding
    reason: Line


class ServerView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A server; values of its environment are never shown."""

    id: str
    name: str
    transport: Transport
    url: str = ""
    argv: list[str] = []
    env: list[str] = []
    allow_legacy: bool = False
    instructions: str = ""
    standing: ServerStanding

    @classmethod
    def of(cls, server: Server) -> Self:
        """From the domain."""
        return cls(
            id=server.id,
            name=server.name,
            transport=server.transport,
            url=server.url,
            argv=list(server.argv),
            env=[name for name, _ in server.environment],
            allow_legacy=server.allow_legacy,
            instructions=server.instructions,
            standing=server.standing,
        )


class ResourceMappingBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which argument names the resource."""

    type: Line
    pointer: Pointer = ""
    fixed: Phrase = ""
    sensitivity: Sensitivity = Sensitivity.UNLABELLED


class MoneyMappingBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which arguments are money."""

    amount: Pointer
    currency: Pointer = ""
    fixed_currency: Phrase = ""


class MeterBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a call and its result say how much of one thing is used."""

    meter: Meter
    arguments: Annotated[list[Pointer], msgspec.Meta(max_length=16)] = []
    estimate: Count | None = None
    times: Annotated[int, msgspec.Meta(ge=1, le=MOST_TIMES)] = 1
    result: Pointer = ""
    measured: bool = False


class MappingBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a tool's arguments become action and resource."""

    action: Line
    resource: ResourceMappingBody
    arguments: Annotated[list[Pointer], msgspec.Meta(max_length=256)] = []
    immaterial: Annotated[list[Pointer], msgspec.Meta(max_length=256)] = []
    money: MoneyMappingBody | None = None
    sentence: Phrase = ""
    effect: Phrase = ""
    relation: RelationMappingBody | None = None
    meters: Annotated[list[MeterBody], msgspec.Meta(max_length=len(Meter))] = []
    hosts: Annotated[list[HostPattern], msgspec.Meta(max_length=64)] = []
    beneficiary: Pointer = ""
    imperative: Phrase = ""

    def mapping(self) -> ToolMapping:
        """As the domain says it."""
        return ToolMapping(
            action=self.action,
            resource=ResourceMapping(
                type=self.resource.type,
                pointer=self.resource.pointer,
                fixed=self.resource.fixed,
                sensitivity=self.resource.sensitivity,
            ),
            arguments=tuple(self.arguments),
            immaterial=tuple(self.immaterial),
            money=None
            if self.money is None
            else MoneyMapping(
                amount=self.money.amount,
                currency=self.money.currency,
                fixed_currency=self.money.fixed_currency,
            ),
            sentence=self.sentence,
            effect=self.effect,
            hosts=tuple(self.hosts),
            beneficiary=self.beneficiary,
            imperative=self.imperative,
            relation=None if self.relation is None else self.relation.relation_mapping(),
            meters=tuple(
                MeterMapping(
                    meter=each.meter,
                    arguments=tuple(each.arguments),
                    estimate=each.estimate,
                    times=each.times,
                    result=each.result,
                    measured=each.measured,
                )
                for each in self.meters
            ),
        )

    @classmethod
    def of(cls, mapping: ToolMapping) -> Self:
        """From the domain."""
        return msgspec.convert(msgspec.to_builtins(mapping), cls)


class ToolPin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tool to pin: the definition that was read (absent: as the server sent it last), and its mapping."""

    name: Line
    definition: dict[str, object] | None = None
    mapping: MappingBody | None = None
    consequential: bool = True
    reversible: bool = False

    def stated(self, definition: JsonObject) -> Definition:
        """As the domain says it."""
        return Definition(
            name=self.name,
            definition=definition,
            mapping=None if self.mapping is None else self.mapping.mapping(),
            consequential=self.consequential,
            reversible=self.reversible,
        )


class ToolPins(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tools of one server, pinned together."""

    tools: Annotated[list[ToolPin], msgspec.Meta(min_length=1, max_length=1000)]


class FoundTool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One tool as its server lists it now. Without `tool` it was not recorded: it is listed no more."""

    name: str
    standing: ToolStanding
    cause: str = ""
    tool: "ToolView | None" = None

    @classmethod
    def of(cls, found: Found, tool: Tool | None) -> Self:
        """From the domain: `tool` is the record as it is after the list was read."""
        view = None if tool is None else ToolView.of(tool)
        return cls(name=found.name, standing=found.standing, cause=found.cause, tool=view)


class ToolApproval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lift a quarantine for exactly the definition that was shown."""

    definition: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class ToolView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tool as it is pinned; `seen` is what the server sent last, if that is something else."""

    id: str
    server: str
    name: str
    pin: Pin
    consequential: bool
    reversible: bool
    digest: str
    definition_digest: str
    """SHA-256 of the newest definition: what an approval names."""
    definition: dict[str, object]
    seen: dict[str, object] | None = None
    mapping: MappingBody | None = None
    pinned_at: datetime

    @classmethod
    def of(cls, tool: Tool) -> Self:
        """From the domain."""
        newest = tool.seen_definition or tool.definition
        return cls(
            id=tool.id,
            server=tool.server,
            name=tool.name,
            pin=tool.pin,
            consequential=tool.consequential,
            reversible=tool.reversible,
            digest=tool.digest,
            definition_digest=sha256(newest.encode()),
            definition=dict(parse_object(tool.definition.encode())),
            seen=dict(parse_object(tool.seen_definition.encode())) if tool.seen_definition else None,
            mapping=None if tool.mapping is None else MappingBody.of(tool.mapping),
            pinned_at=tool.pinned_at,
        )
