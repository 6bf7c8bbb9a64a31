"""The directory that scenarios take place in: what the book gives, over what an installation has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from immutables import Map

from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.monitors import marks_of, past_type
from remit.decision.policy.pointing import meant
from remit.decision.policy.rules import Rule
from remit.decision.policy.schema import build_schema
from remit.decision.trials.book import AgentGiven, Given, ToolGiven, UserGiven
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.identity.tools import MoneyMapping, Pin, ResourceMapping, Server, Tool, ToolMapping, Transport
from remit.kernel.canonical import JsonObject, canonical_json, sha256
from remit.kernel.errors import Invalid
from remit.kernel.ids import BlueprintId, PrincipalId, ServerId, ToolId
from remit.kernel.tenancy import DEFAULT_TENANT

BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
_TYPES: Final = frozenset({"string", "integer", "number", "boolean"})


class NotGiven(Invalid):
    """A scenario names somebody or something that is given nowhere."""

    code = "scenario_unknown_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who and what there is, by the names that policies use."""

    agents: Mapping[str, Principal] = field(default_factory=dict)
    users: Mapping[str, Principal] = field(default_factory=dict)
    blueprints: Mapping[PrincipalId, Principal] = field(default_factory=dict)
    servers: Mapping[str, Server] = field(default_factory=dict)
    tools: Mapping[str, Tool] = field(default_factory=dict)
    """By `server/tool`."""
    facts: Mapping[str, JsonObject] = field(default_factory=dict)
    """Types of what plugins say."""

    def schema(self, rules: Iterable[Rule]) -> JsonObject:
        """What policies can name here, with the zones and the marks of these rules."""
        every = tuple(rules)
        zones = {zone for rule in every for zone in rule.zones}
        marks = marks_of(every)
        past = past_type(marks.values()) if marks else None
        return build_schema(self.servers.values(), self.tools.values(), zones, past, self.facts)


def cast_of(given: Given) -> Cast:
    """What a book gives; raises `NotGiven` for a tool that no server could have."""
    servers = {name.partition("/")[0]: _server(name) for name in given.tools}
    names = {agent.blueprint for agent in given.agents.values() if agent.blueprint}
    return Cast(
        agents={name: _agent(name, agent) for name, agent in given.agents.items()},
        users={name: _user(name, user) for name, user in given.users.items()},
        blueprints={
            PrincipalId(f"blu_{name}"): _principal(f"blu_{name}", Kind.BLUEPRINT, name) for name in names
        },
        servers=servers,
        tools={
            name: _tool(name, servers[name.partition("/")[0]], tool) for name, tool in given.tools.items()
        },
    )


def cast_on(snapshot: Snapshot) -> Cast:
    """What an installation has."""
    every = snapshot.principals.values()
    servers = {server.id: server for server in snapshot.servers.values()}
    return Cast(
        agents={each.name: each for each in every if each.kind is Kind.AGENT},
        users={each.name: each for each in every if each.kind is Kind.HUMAN},
        blueprints={each.id: each for each in every if each.kind is Kind.BLUEPRINT},
        servers={server.name: server for server in servers.values()},
        tools={
            f"{servers[tool.server].name}/{tool.name}": tool
            for tool in snapshot.tools.values()
            if tool.server in servers
        },
        facts=snapshot.fact_types,
    )


def together(below: Cast, above: Cast) -> Cast:
    """Both; where both know a name, `above` is meant."""
    return Cast(
        agents={**below.agents, **above.agents},
        users={**below.users, **above.users},
        blueprints={**below.blueprints, **above.blueprints},
        servers={**above.servers, **below.servers},
        tools={**below.tools, **above.tools},
        facts={**below.facts, **above.facts},
    )


def empty(bundle: Bundle) -> Snapshot:
    """A view of nothing but policies."""
    return Snapshot(
        tenant=DEFAULT_TENANT, revision=0, epoch=0, principals=Map(), servers=Map(), tools=Map(), tasks=Map(),
        grants=Map(), ceilings=Map(), envelopes=Map(), tombstones=Map(), bundle=bundle,
    )  # fmt: skip


def named(kind: str, name: str, known: Mapping[str, Any]) -> Any:
    """One of what there is; raises `NotGiven` with the name that was probably meant."""
    if name in known:
        return known[name]
    near = meant(name, known)
    hint = f", did you mean `{near}`?" if near else ""
    raise NotGiven(f"{kind} `{name}` is given nowhere{hint}")


def _principal(ident: str, kind: Kind, name: str, **more: Any) -> Principal:
    return Principal(
        id=PrincipalId(ident), tenant=DEFAULT_TENANT, kind=kind, name=name, state=State.ACTIVE,
        created_at=BEGINNING, changed_at=BEGINNING,
        **{"owner": None, "purpose": "", "environment": None, **more},
    )  # fmt: skip


def _agent(name: str, given: AgentGiven) -> Principal:
    return _principal(
        f"agt_{name}",
        Kind.AGENT,
        name,
        owner=PrincipalId(given.owner),
        purpose=given.purpose,
        environment=given.environment,
        blueprint=BlueprintId(f"blu_{given.blueprint}") if given.blueprint else None,
        segments=frozenset(given.segments),
        attributes=tuple(sorted(given.attributes.items())),
    )


def _user(name: str, given: UserGiven) -> Principal:
    return _principal(
        given.id or f"usr_{name}",
        Kind.HUMAN,
        name,
        segments=frozenset(given.segments),
        attributes=tuple(sorted(given.attributes.items())),
    )


def _server(name: str) -> Server:
    server, slash, tool = name.partition("/")
    if not slash or not server or not tool:
        raise NotGiven(f"tool `{name}` is not `server/tool`")
    return Server(
        id=ServerId(f"srv_{server}"),
        tenant=DEFAULT_TENANT,
        name=server,
        transport=Transport.HTTP,
        url=f"https://{server}.invalid/mcp",
    )


def _tool(name: str, server: Server, given: ToolGiven) -> Tool:
    own = name.partition("/")[2]
    schema = given.schema or _schema(name, given.arguments)
    definition = canonical_json({"name": own, "inputSchema": schema}).decode()
    properties = schema.get("properties")
    mapping = ToolMapping(
        action=given.action or own,
        resource=ResourceMapping(**_set(given.resource))
        if given.resource
        else ResourceMapping(type="Server", fixed=server.name),
        arguments=tuple(f"/{_escaped(each)}" for each in properties) if isinstance(properties, dict) else (),
        money=MoneyMapping(**_set(given.money)) if given.money else None,
    )
    return Tool(
        id=ToolId(f"tol_{name}"),
        tenant=DEFAULT_TENANT,
        server=server.id,
        name=own,
        definition=definition,
        digest=sha256(definition.encode()),
        pin=Pin.APPROVED,
        consequential=given.consequential,
        reversible=given.reversible,
        mapping=mapping,
        pinned_at=BEGINNING,
    )


def _set(entry: Any) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__struct_fields__}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _schema(tool: str, arguments: Mapping[str, Any]) -> JsonObject:
    """A JSON Schema from names and types, `name?: integer`, `tags?: [string]`."""
    properties = {name.removesuffix("?"): _typed(tool, kind) for name, kind in arguments.items()}
    return {
        "type": "object",
        "properties": {**properties},
        "required": [name for name in arguments if not name.endswith("?")],
    }


def _typed(tool: str, kind: Any) -> JsonObject:
    match kind:
        case str() if kind in _TYPES:
            return {"type": kind}
        case [str() as inner] if inner in _TYPES:
            return {"type": "array", "items": {"type": inner}}
        case dict():
            return _schema(tool, kind)
        case _:
            raise NotGiven(
                f"`{tool}` has an argument of type `{kind}`, types are {', '.join(sorted(_TYPES))}, `[type]`"
            )
