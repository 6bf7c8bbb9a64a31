"""A small office to decide about: one user, two agents, a business server with four tools; all in memory.

`office()` builds a snapshot, `call()` a proposed call; `install` writes the same office into a store.
"""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from immutables import Map

from remit.authority.alive import Tombstone
from remit.authority.consent import Grant, GrantState
from remit.authority.delegations import RecordedEnvelope, RecordedHop
from remit.authority.envelope import Delegation
from remit.authority.rights import ANY_PURPOSE, Any_, Caps, Ceiling, Constraint, Money, Right, Window
from remit.authority.tasks import Initiative, Mode, Task, TaskState
from remit.authority.tokens import Proof, VerifiedSubject
from remit.decision.budget.currency import minor_units
from remit.decision.call.request import ProposedCall, Resource
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.admission import admit, parse, version_of
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.monitors import marks_of, past_type
from remit.decision.policy.schema import build_schema
from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal
from remit.identity.tools import (
    MoneyMapping,
    Pin,
    ResourceMapping,
    Server,
    Tool,
    ToolMapping,
    Transport,
)
from remit.kernel.canonical import JsonObject, canonical_json, parse_object, sha256
from remit.kernel.ids import (
    AgentId,
    BlueprintId,
    CallId,
    EnvelopeId,
    GrantId,
    InstanceId,
    PrincipalId,
    ServerId,
    TaskId,
    TenantId,
    TokenId,
    ToolId,
    UserId,
)
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlTransaction
from support.clock import NOON

HOUR = timedelta(hours=1)
SERVER = ServerId("srv_business")
TASK = TaskId("tsk_1")
GRANT = GrantId("gra_1")
PERMIT_ALL = '@id("all") permit(principal, action, resource);'
POINTERS = {"rooms.book": "/room", "rooms.read": "/room", "refunds.create": "/order", "mail.send": "/to"}


def tool(
    name: str,
    kind: str,
    properties: dict[str, Any],
    *,
    required: tuple[str, ...] = (),
    consequential: bool = True,
    reversible: bool = False,
    money: bool = False,
    immaterial: tuple[str, ...] = (),
    tenant: TenantId = DEFAULT_TENANT,
) -> Tool:
    """A pinned tool whose first required argument names its resource."""
    schema = {"type": "object", "properties": properties, "required": list(required)}
    definition = canonical_json({"name": name, "inputSchema": schema}).decode()
    mapping = ToolMapping(
        action=name,
        resource=ResourceMapping(type=kind, pointer=POINTERS.get(name, "/id")),
        arguments=tuple(f"/{key}" for key in properties),
        immaterial=immaterial,
        money=MoneyMapping(amount="/amount", currency="/currency") if money else None,
        sentence=f"{name} {{{POINTERS.get(name, '/id')}}}",
    )
    return Tool(
        id=ToolId(f"tol_{name}"),
        tenant=tenant,
        server=SERVER,
        name=name,
        definition=definition,
        digest=sha256(definition.encode() + repr(mapping).encode()),
        pin=Pin.APPROVED,
        consequential=consequential,
        reversible=reversible,
        mapping=mapping,
        pinned_at=NOON - HOUR,
    )


TEXT = {"type": "string"}
TOOLS = (
    tool(
        "rooms.book",
        "Room",
        {
            "room": TEXT,
            "start": TEXT,
            "end": TEXT,
            "attendees": {"type": "integer"},
            "catering": {"type": "boolean"},
            "note": TEXT,
        },
        required=("room",),
        reversible=True,
        immaterial=("/note",),
    ),
    tool("rooms.read", "Room", {"room": TEXT}, required=("room",), consequential=False, reversible=True),
    tool(
        "refunds.create",
        "Order",
        {
            "order": TEXT,
            "amount": TEXT,
            "currency": TEXT,
            "priority": {"type": "number"},
            "tags": {"type": "array", "items": TEXT},
        },
        required=("order", "amount", "currency"),
        money=True,
    ),
    tool("mail.send", "Mailbox", {"to": TEXT, "subject": TEXT, "body": TEXT}, required=("to",)),
)
ACTIONS = tuple(
    (f"business/{entry.name}", entry.mapping.resource.type) for entry in TOOLS if entry.mapping is not None
)


def principal(ident: str, kind: Kind, name: str, **changes: Any) -> Principal:
    """An active entry of the directory."""
    entry = Principal(
        id=PrincipalId(ident),
        tenant=DEFAULT_TENANT,
        kind=kind,
        name=name,
        state=State.ACTIVE,
        owner=None if kind is Kind.HUMAN else PrincipalId("usr_owner"),
        purpose="office",
        environment=None if kind is Kind.HUMAN else Environment.PRODUCTION,
        created_at=NOON - HOUR,
        changed_at=NOON - HOUR,
    )
    return replace(entry, **changes)


def right(action: str, resources: Any_ | frozenset[str] = "any", *constraints: Constraint) -> Right:
    """A right on one action, whose resource type is that of the tool."""
    return Right(
        action=action, resource_type=dict(ACTIONS)[action], resources=resources, constraints=constraints
    )


def ceiling(*rights: Right, caps: Caps | None = None, purpose: str = ANY_PURPOSE, **changes: Any) -> Ceiling:
    """A ceiling; without rights it allows every action of the office."""
    entry = Ceiling(
        rights=frozenset(rights or [right(action) for action, _ in ACTIONS]),
        window=Window(start=NOON - 24 * HOUR, end=NOON + 24 * 400 * HOUR),
        caps=caps or Caps(),
        depth=3,
        purpose=purpose,
    )
    return replace(entry, **changes)


def server() -> Server:
    return Server(
        id=SERVER,
        tenant=DEFAULT_TENANT,
        name="business",
        transport=Transport.HTTP,
        url="http://127.0.0.1:9/mcp",
    )


def bundle(text: str, *, tools: tuple[Tool, ...] = TOOLS, number: int = 1) -> Bundle:
    """A text admitted against the office's own schema."""
    rules, _ = parse(text)
    zones = [zone for rule in rules.values() for zone in rule.zones]
    marks = marks_of(rules.values())
    schema = build_schema([server()], tools, zones, past_type(marks.values()) if marks else None)
    return admit(text, version=version_of(text, number), schema=schema)


def people() -> tuple[Principal, ...]:
    """Everybody in the office."""
    agents = {"calendar": "calendar-bot", "mail": "mail-bot"}
    return (
        principal("usr_ada", Kind.HUMAN, "ada", email="user@company.com", segments=frozenset({"sales"})),
        principal("usr_owner", Kind.HUMAN, "owner"),
        principal("blu_office", Kind.BLUEPRINT, "office"),
        *(
            principal(f"agt_{short}", Kind.AGENT, name, blueprint=BlueprintId("blu_office"))
            for short, name in agents.items()
        ),
        *(
            principal(f"ins_{short}", Kind.INSTANCE, f"{name}-1", parent=PrincipalId(f"agt_{short}"))
            for short, name in agents.items()
        ),
    )


def task(**changes: Any) -> Task:
    """Ada's running task for calendar-bot."""
    entry = Task(
        id=TASK,
        tenant=DEFAULT_TENANT,
        user=UserId("usr_ada"),
        agent=AgentId("agt_calendar"),
        grant=GRANT,
        goal="0" * 64,
        purpose="booking",
        mode=Mode.INTERACTIVE,
        initiative=Initiative.USER,
        ceiling=ceiling(purpose="booking"),
        root=EnvelopeId("env_root"),
        state=TaskState.RUNNING,
        started_at=NOON - HOUR,
        deadline=NOON + 24 * 400 * HOUR,
    )
    return replace(entry, **changes)


def grant(**changes: Any) -> Grant:
    """Ada's consent for calendar-bot."""
    entry = Grant(
        id=GRANT,
        tenant=DEFAULT_TENANT,
        user=UserId("usr_ada"),
        agent=AgentId("agt_calendar"),
        ceiling=ceiling(),
        text="calendar-bot may work for you",
        state=GrantState.GIVEN,
        given_at=NOON - HOUR,
    )
    return replace(entry, **changes)


def envelope(
    *limits: Ceiling, kind: Delegation = Delegation.ATTENUATE, expires_at: datetime = NOON + HOUR
) -> RecordedEnvelope:
    """calendar-bot hands on to mail-bot, within the ceilings given (one hop for each)."""
    hops = tuple(
        RecordedHop(
            by=InstanceId("ins_calendar"),
            to=AgentId("agt_mail"),
            kind=kind,
            ceiling=limit,
            expires_at=expires_at,
            prefix=f"{number:064x}",
        )
        for number, limit in enumerate(limits, start=1)
    )
    return RecordedEnvelope(
        id=EnvelopeId("env_hop"),
        tenant=DEFAULT_TENANT,
        task=TASK,
        digest="e" * 64,
        root="a" * 64,
        first=AgentId("agt_calendar"),
        holder=AgentId("agt_mail"),
        hops=hops,
        parents=(EnvelopeId("env_root"),),
        ceiling=limits[-1] if limits else ceiling(),
        expires_at=expires_at,
        recorded_at=NOON - HOUR,
    )


def office(policy: str = PERMIT_ALL, **changes: Any) -> Snapshot:
    """Everything a decision can see; every ceiling is wide open unless a test narrows it."""
    snapshot = Snapshot(
        tenant=DEFAULT_TENANT,
        revision=7,
        epoch=3,
        principals=Map({entry.id: entry for entry in people()}),
        servers=Map({SERVER: server()}),
        tools=Map({entry.id: entry for entry in TOOLS}),
        tasks=Map({TASK: task()}),
        grants=Map({GRANT: grant()}),
        ceilings=Map(
            {
                PrincipalId(name): ceiling()
                for name in ("agt_calendar", "agt_mail", "blu_office", "usr_ada", "usr_owner")
            }
        ),
        envelopes=Map(),
        tombstones=Map(),
        bundle=bundle(policy),
    )
    return replace(snapshot, **changes)


def buried(snapshot: Snapshot, ident: str, *, kind: str = "agent", cause: str = "kill") -> Snapshot:
    """The same office after something was stopped."""
    stone = Tombstone(kind=kind, ident=ident, epoch=snapshot.epoch + 1, cause=cause)
    return replace(snapshot, tombstones=snapshot.tombstones.set(ident, stone), epoch=snapshot.epoch + 1)


def subject(**changes: Any) -> VerifiedSubject:
    """calendar-bot for Ada, on a key-bound token."""
    entry = VerifiedSubject(
        tenant=DEFAULT_TENANT,
        token=TokenId("tok_1"),
        instance=InstanceId("ins_calendar"),
        agent=AgentId("agt_calendar"),
        user=UserId("usr_ada"),
        task=TASK,
        chain=(InstanceId("ins_calendar"),),
        envelope=None,
        ceiling=None,
        audience="https://remit.example/mcp/business",
        scopes=frozenset(),
        key="thumb",
        proof=None,
        issued_at=NOON - timedelta(seconds=60),
        expires_at=NOON + 24 * 400 * HOUR,
    )
    return replace(entry, **changes)


def delegated(**changes: Any) -> VerifiedSubject:
    """mail-bot, handed on to by calendar-bot."""
    return subject(
        instance=InstanceId("ins_mail"),
        agent=AgentId("agt_mail"),
        chain=(InstanceId("ins_calendar"), InstanceId("ins_mail")),
        envelope="e" * 64,
        **changes,
    )


def proof(jti: str = "jti_1") -> Proof:
    return Proof(key="thumb", jti=jti, keep_until=NOON + HOUR)


ARGUMENTS: dict[str, JsonObject] = {
    "rooms.book": {"room": "Room-401", "start": "14:00", "end": "15:00", "attendees": 4},
    "rooms.read": {"room": "Room-401"},
    "refunds.create": {"order": "8812", "amount": "480.00", "currency": "EUR"},
    "mail.send": {"to": "user@company.com", "subject": "hello", "body": "…"},
}


def call(
    name: str = "rooms.book",
    arguments: JsonObject | None = None,
    *,
    raw: bytes | None = None,
    snapshot: Snapshot | None = None,
    **changes: Any,
) -> ProposedCall:
    """A call of one of the office's tools, read as an enforcement point reads it."""
    tools = snapshot.tools if snapshot else Map({entry.id: entry for entry in TOOLS})
    entry = tools[ToolId(f"tol_{name}")]
    body = (
        raw if raw is not None else json.dumps(ARGUMENTS[name] if arguments is None else arguments).encode()
    )
    given = parse_object(body)
    mapping = entry.mapping
    pointer = mapping.resource.pointer.removeprefix("/") if mapping else ""
    currency = given.get("currency")
    minor = minor_units(given.get("amount"), str(currency)) if mapping and mapping.money else None
    proposed = ProposedCall(
        call=CallId("call_1"),
        subject=subject(),
        server=SERVER,
        method="tools/call",
        action=f"business/{name}",
        resource=Resource(
            type=mapping.resource.type if mapping else "Server", id=str(given.get(pointer, ""))
        ),
        tool=entry,
        arguments=given,
        raw_arguments=body,
        arguments_digest=sha256(body),
        money=Money(currency=str(currency), minor=minor) if minor is not None else None,
        consequential=entry.consequential,
        at=NOON,
    )
    return replace(proposed, **changes)


def discovery(method: str = "tools/list", **changes: Any) -> ProposedCall:
    """A request that only asks what there is."""
    proposed = replace(
        call(),
        method=method,
        action=f"business/{method.replace('/', '.')}",
        resource=Resource(type="Server", id="business"),
        tool=None,
        arguments={},
        raw_arguments=b"{}",
        arguments_digest=sha256(b"{}"),
        consequential=False,
    )
    return replace(proposed, **changes)


def at_most(pointer: str, limit: str) -> Constraint:
    return Constraint(pointer=pointer, at_most=Decimal(limit))


def install(tx: SqlTransaction, snapshot: Snapshot) -> None:
    """Write an office into a store, as the services would."""
    for entry in snapshot.principals.values():
        tx.principals.add(entry)
        tx.touch("principal", entry.id)
    for known in snapshot.servers.values():
        tx.servers.put(known)
        tx.touch("server", known.id)
    for pinned in snapshot.tools.values():
        tx.tools.put(pinned)
        tx.touch("tool", pinned.id)
    for run in snapshot.tasks.values():
        tx.tasks.add(run)
        tx.touch("task", run.id)
    for given in snapshot.grants.values():
        tx.grants.add(given)
        tx.touch("grant", given.id)
    for owner, limit in snapshot.ceilings.items():
        tx.ceilings.put(owner, limit, NOON)
        tx.touch("ceiling", owner)
    for chain in snapshot.envelopes.values():
        tx.envelopes.add(chain)
        tx.touch("envelope", chain.digest)
