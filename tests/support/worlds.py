"""Random offices, told twice: as the snapshot that the product decides on, and as facts for the oracle.

Everything may have ended, be missing, narrow or odd; most of it is in order, so that permits are frequent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from random import Random
from typing import Any

from immutables import Map

from oracle.standing import Facts
from oracle.texts import is_seen, rules_of
from remit.authority.alive import Tombstone
from remit.authority.consent import Grant, GrantState
from remit.authority.delegations import RecordedEnvelope, RecordedHop
from remit.authority.envelope import Delegation
from remit.authority.rights import Caps, Ceiling, Constraint, Money, Window
from remit.authority.tasks import Companion, Task, TaskState
from remit.authority.tokens import VerifiedSubject
from remit.decision.call.request import ProposedCall, Resource
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.admission import compile_bundle, version_of
from remit.decision.policy.bundle import Bundle
from remit.decision.relations.dsl import read_dsl
from remit.decision.relations.graph import Graph
from remit.decision.relations.index import Index
from remit.decision.relations.plan import Plan
from remit.decision.relations.tuples import RelationTuple
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.identity.tools import Pin, Related, RelationMapping
from remit.kernel.canonical import canonical_json
from remit.kernel.ids import (
    AgentId,
    CallId,
    EnvelopeId,
    GrantId,
    InstanceId,
    PrincipalId,
    TaskId,
    TokenId,
    ToolId,
    UserId,
)
from remit.kernel.tenancy import DEFAULT_TENANT
from support.clock import NOON
from support.decisions import TOOLS, call, ceiling, discovery, grant, people, principal, right, server, task
from support.relations import tuples_of

MINUTE = timedelta(minutes=1)
BOOK = "business/rooms.book"
SCOPES = [
    "principal, action, resource", "principal, action, resource",
    f'principal, action == Remit::Action::"{BOOK}", resource',
    'principal, action in Remit::Action::"server:business", resource',
    'principal, action in Remit::Action::"discovery", resource',
    'principal == Remit::Agent::"calendar-bot", action, resource',
    "principal is Remit::Agent, action, resource", "principal is Remit::Workload, action, resource",
    "principal is Remit::Human, action, resource",
    'principal in Remit::Blueprint::"office", action, resource is Remit::Room',
    'principal, action, resource == Remit::Room::"Room-401"',
    'principal is Remit::Agent in Remit::Segment::"sales", action, resource',
]  # fmt: skip
CONDITIONS = [
    'context.purpose == "booking"', "context.depth == 0", "context.bound", "context has user",
    'context has user && context.user.segments.contains("sales")', 'context.user.name == "ada"',
    "context.tool.consequential && !context.tool.reversible", 'context.resource.id like "Room-*"',
    "context.arguments has attendees && context.arguments.attendees <= 10", "context.arguments.attendees > 3",
    "context.arguments has catering && context.arguments.catering",
    "context.arguments.room == context.resource.id", 'context.arguments.tags.contains("a")',
    "context has money && context.money.minor <= 20000", 'context.task.mode == "interactive"',
    'context.time < datetime("2026-05-15T12:20:00Z")', 'context.local["Europe/Berlin"].minute < 860',
    'principal.environment == "production"', 'principal.segments.contains("sales")', "context.nothing",
    'principal.hasTag("team") && principal.getTag("team") == "x"', "context.tool.money",
    'context.arguments.priority.lessThan(decimal("2.5"))', 'principal.blueprint == "office"',
]  # fmt: skip
PASSKEY = "urn:remit:acr:passkey"
NOTES = [
    *[""] * 5, '@mode("observe") ', '@mode("warn") ', '@approval("owner") ', '@approval("team:leads") ',
    '@approval("self") ', f'@stepup("{PASSKEY}") ', f'@stepup("{PASSKEY} max_age=600") ',
    '@obligation("redact field=x") ',
]  # fmt: skip
_BOOK = f'action == Remit::Action::"{BOOK}"'
_READ = 'action == Remit::Action::"business/rooms.read"'
_MAIL = 'action == Remit::Action::"business/mail.send"'
HISTORY = [
    f"""
@id("h1") @remember("read by=user,task") permit(principal, {_READ}, resource);
@id("h2") forbid(principal, {_MAIL}, resource) when {{ context.past.read.user.count > 0 }};
""",
    f"""
@id("h3") @remember("booked by=department,chain for=1h of=resource") permit(principal, {_BOOK}, resource);
@id("h4") @approval("owner") forbid(principal, {_BOOK}, resource) when {{
  context.past.booked.chain.count >= 2 && context.past.booked.department.values.contains("Room-401") }};
""",
    f"""
@id("h5") @remember("seats by=agent,resource for=16m of=/attendees") permit(principal, {_BOOK}, resource)
unless {{ context.arguments has catering && context.arguments.catering }};
@id("h6") forbid(principal, {_BOOK}, resource is Remit::Room) when {{
  context.past.seats.resource.values.contains("4") && context.past.seats.agent.count > 1 }};
@id("h7") @mode("observe") forbid(principal, action, resource) when {{ context.past.seats.agent.count > 0 }};
""",
]
MODEL = """model
  schema 1.1
type user
type agent
type team
  relations
    define member: [user, team#member]
type room
  relations
    define owner: [user, agent]
    define barred: [user, team#member]
    define viewer: ([user, user:*, user with early, team#member] or owner) but not barred
condition early(attendees: int) {
  attendees < 9
}
"""
TUPLES = (
    "room:Room-401#viewer@user:ada", "room:Room-402#viewer@user:*", "room:Room-401#owner@agent:calendar-bot",
    "room:Room-402#barred@team:red#member", "team:red#member@team:blue#member", "team:blue#member@user:bo",
    "team:blue#member@team:red#member", "room:Room-401#viewer@team:blue#member",
    "room:Room-401#viewer@user:bo if early", "room:Room-402#owner@user:ada", "team:red#member@user:ada",
)  # fmt: skip
ACRS = ("", "", "urn:remit:acr:passkey", "urn:remit:acr:passkey-uv", "urn:remit:acr:upstream")


@cache
def system() -> Any:
    return read_dsl(MODEL)


@cache
def plan() -> Plan:
    return Plan(system())


@lru_cache(maxsize=64)
def _read(text: str) -> Any:
    rules = rules_of(text)
    return rules, is_seen(rules)


def facts_of(snapshot: Snapshot, tuples: Sequence[RelationTuple], model: Any = None) -> Facts:
    """What a snapshot holds, as the oracle is told: the things themselves, nothing that was derived."""
    rules, seen = _read(snapshot.bundle.text)
    return Facts(
        tenant=snapshot.tenant, principals=dict(snapshot.principals), servers=dict(snapshot.servers),
        tools=dict(snapshot.tools), tasks=dict(snapshot.tasks), grants=dict(snapshot.grants),
        ceilings=dict(snapshot.ceilings), envelopes=dict(snapshot.envelopes),
        stopped=frozenset(snapshot.tombstones), version=snapshot.bundle.version.number, rules=rules,
        seen=seen, graph=(model or system(), list(tuples)),
    )  # fmt: skip


@dataclass
class Office:
    """One random office; `change` makes it another one. Choices come from `random` alone."""

    random: Random
    revision: int = 7
    epoch: int = 3
    people: dict[Any, Principal] = field(default_factory=dict)
    tools: dict[Any, Any] = field(default_factory=dict)
    tasks: dict[Any, Task] = field(default_factory=dict)
    grants: dict[Any, Grant] = field(default_factory=dict)
    ceilings: dict[Any, Ceiling] = field(default_factory=dict)
    envelopes: dict[Any, RecordedEnvelope] = field(default_factory=dict)
    stopped: frozenset[str] = frozenset()
    bundle: Bundle = field(init=False)
    tuples: list[RelationTuple] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._people()
        self.tools = {each.id: self._tool(each) for each in TOOLS}
        self._consents()
        owners = ["agt_calendar", "agt_mail", "blu_office", "usr_ada", "usr_bo", "svc_pay"]
        self.ceilings = {PrincipalId(each): self.ceiling() for each in owners if not self.chance(0.01)}
        self._envelopes()
        self.tuples = tuples_of(*(each for each in TUPLES if self.chance(0.6)))
        self.bundle = self.policy(1)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, choices: Sequence[Any]) -> Any:
        return self.random.choice(choices)

    # -- what is there

    def _people(self) -> None:
        unit = PrincipalId("bun_sales")
        more = [
            principal("usr_bo", Kind.HUMAN, "bo", segments=frozenset({"legal"})),
            principal("usr_cy", Kind.HUMAN, "cy"),
            principal("bun_sales", Kind.BUSINESS_UNIT, "sales", owner=PrincipalId("usr_owner")),
            principal("svc_pay", Kind.SERVICE_ACCOUNT, "pay", purpose="booking"),
            principal("ins_mail2", Kind.INSTANCE, "mail-bot-2", parent=PrincipalId("agt_mail")),
        ]
        for each in (*people(), *more):
            changes: dict[str, Any] = {}
            if each.kind is Kind.AGENT:
                changes = {
                    "segments": self.pick([frozenset(), frozenset({"sales", "x"})]),
                    "attributes": self.pick([(), (("team", "x"),)]),
                    "owner": self.pick([each.owner, each.owner, unit]),
                    "blueprint": self.pick([each.blueprint, None]),
                }
            if self.chance(0.01):
                changes["state"] = self.pick(list(State))
            if each.id == "usr_owner":
                changes |= {"deputy": self.pick([None, PrincipalId("usr_cy")])}
                changes |= {"state": State.SUSPENDED} if self.chance(0.05) else {}
            if not self.chance(0.004):
                self.people[each.id] = replace(each, **changes)

    def _tool(self, entry: Any) -> Any:
        mapping, demand = entry.mapping, None
        if entry.name in {"rooms.book", "rooms.read"} and self.chance(0.3):
            whom = self.pick([Related.USER, Related.USER, Related.AGENT])
            demand = RelationMapping(
                relation=self.pick(["viewer", "viewer", "owner", "guest"]), whom=whom, type="room"
            )
        changed = replace(
            entry, mapping=replace(mapping, relation=demand), digest=f"{self.random.getrandbits(256):064x}"
        )
        odd = self.pick(
            [{"pin": Pin.QUARANTINED}, {"mapping": None}, {"consequential": not entry.consequential}]
        )
        return replace(changed, **odd) if self.chance(0.05) else changed

    def _consents(self) -> None:
        for number, (user, agent) in enumerate(
            [("ada", "calendar"), ("bo", "mail"), ("bo", "calendar"), ("ada", "mail")], start=1
        ):
            state = GrantState.WITHDRAWN if self.chance(0.02) else GrantState.GIVEN
            made = grant(
                id=GrantId(f"gra_{number}"), user=UserId(f"usr_{user}"), agent=AgentId(f"agt_{agent}"),
                ceiling=self.ceiling(), state=state,
            )  # fmt: skip
            self.grants[made.id] = made
        beside = Companion(user=UserId("usr_bo"), grant=GrantId("gra_3"))
        runs: list[dict[str, Any]] = [
            {"grant": GrantId("gra_1")},
            {"grant": GrantId("gra_2"), "user": UserId("usr_bo"), "agent": AgentId("agt_mail")},
            {"grant": GrantId("gra_1"), "companions": (beside,)},
            {"grant": None, "user": None, "trigger": "nightly"},
        ]
        for number, changes in enumerate(runs, start=1):
            running = TaskState.ENDED if self.chance(0.02) else TaskState.RUNNING
            deadline = NOON + MINUTE * self.pick([4, *[500] * 11])
            made_task = task(
                id=TaskId(f"tsk_{number}"),
                ceiling=self.ceiling(),
                state=running,
                deadline=deadline,
                **changes,
            )
            self.tasks[made_task.id] = made_task

    def ceiling(self) -> Ceiling:
        """Wide open mostly."""
        rights: Any = self.pick(
            [
                *[()] * 24, (right(BOOK),), (right(BOOK, frozenset({"Room-401"})),),
                (
                    right(BOOK, frozenset({"Room-402"})),
                    right(BOOK, "any", Constraint(pointer="/attendees", at_most=Decimal(10))),
                    right("business/rooms.read"),
                ),
                (
                    right(BOOK, "any", Constraint(pointer="/note", one_of=frozenset({"a"}))),
                    right("business/mail.send"),
                ),
                (replace(right(BOOK), resource_type="Hall"), right("business/rooms.read")),
            ]
        )  # fmt: skip
        purpose = self.pick(["any"] * 40 + ["booking", "booking", "audit", ""])
        caps = Caps()
        if self.chance(0.15):
            caps = self.pick(
                [
                    Caps(calls=3), Caps(per_minute=2), Caps(calls=9, per_minute=4),
                    Caps(money=(Money(currency="EUR", minor=50_000),)),
                ]
            )  # fmt: skip
        made = ceiling(*rights, purpose=purpose, caps=caps)
        if self.chance(0.03):
            made = replace(made, window=Window(start=NOON, end=NOON + self.pick([0, 7, 30]) * MINUTE))
        return replace(made, rights=frozenset()) if self.chance(0.01) else made

    def _envelopes(self) -> None:
        mail, calendar = AgentId("agt_mail"), AgentId("agt_calendar")
        ways = [[("ins_calendar", mail)], [("ins_calendar", mail), ("ins_mail", calendar)]]
        for number, way in enumerate(ways):
            for run in (TaskId("tsk_1"), TaskId("tsk_3"), TaskId("tsk_4")):
                ident = f"{run}{number}"
                hops = tuple(
                    RecordedHop(
                        by=InstanceId(by), to=to, kind=self.pick(list(Delegation)), ceiling=self.ceiling(),
                        expires_at=NOON + MINUTE * self.pick([3, *[60] * 6]), prefix=f"{ident}-{place}",
                    )
                    for place, (by, to) in enumerate(way)
                )  # fmt: skip
                self.envelopes[f"dig-{ident}"] = RecordedEnvelope(
                    id=EnvelopeId(f"env_{ident}"), tenant=DEFAULT_TENANT, task=run, digest=f"dig-{ident}",
                    root=f"root-{run}", first=calendar, holder=way[-1][1], hops=hops,
                    parents=(EnvelopeId(f"env_root_{run}"),), ceiling=hops[-1].ceiling,
                    expires_at=NOON + 60 * MINUTE, recorded_at=NOON,
                )  # fmt: skip

    def policy(self, number: int) -> Bundle:
        texts = []
        for place in range(self.random.randrange(1, 8)):
            effect, note = self.pick(["permit", "permit", "permit", "forbid"]), self.pick(NOTES)
            if effect == "forbid" and "mode" not in note:
                note = ""
            clauses = [
                self.pick(CONDITIONS)
                for _ in range(self.pick([0, 0, 1, 1, 2] if effect == "permit" else [1, 2]))
            ]
            zone = '@zone("Europe/Berlin") ' if any("local" in each for each in clauses) else ""
            body = "".join(f" {self.pick(['when', 'when', 'unless'])} {{ {each} }}" for each in clauses)
            texts.append(f'@id("r{place}") {note}{zone}{effect} ({self.pick(SCOPES)}){body};')
        if self.chance(0.7):
            texts.append('@id("all") permit (principal, action, resource);')
        texts += [each for each in HISTORY if self.chance(0.4)]
        text = "\n".join(texts)
        return compile_bundle(text, version=version_of(text, number))

    # -- what is asked

    def subject(self) -> VerifiedSubject:
        calendar, mail, ada, bo = "ins_calendar", "ins_mail", "usr_ada", "usr_bo"
        chain = (InstanceId(calendar), InstanceId(mail))
        by_mail = {"instance": mail, "agent": "agt_mail", "chain": chain}
        own = {"user": None, "task": None, "chain": ()}
        second = "ins_mail2"
        forms: list[dict[str, Any]] = [
            {}, {}, {},
            {**by_mail, "user": bo, "task": "tsk_2", "chain": (mail,)},
            {**by_mail, "instance": second, "user": bo, "task": "tsk_2", "chain": (second,)},
            {"task": "tsk_3"},
            {"task": "tsk_4", "user": None},
            {**by_mail, "envelope": "dig-tsk_10"},
            {**by_mail, "task": "tsk_3", "envelope": "dig-tsk_30"},
            {**by_mail, "task": "tsk_4", "user": None, "envelope": "dig-tsk_40"},
            {"chain": (*chain, InstanceId(calendar)), "envelope": "dig-tsk_11"},
            {**own, "instance": "svc_pay", "agent": "svc_pay"},
            {**own, "instance": ada, "agent": ada},
            {**own, "instance": bo, "agent": bo, "user": bo},
        ]  # fmt: skip
        odd: list[dict[str, Any]] = [
            {"task": None}, {"task": "tsk_9"}, {"user": bo}, {"agent": "agt_mail"}, {"chain": chain},
            {"envelope": "dig-none"}, {"instance": "ins_none", "chain": ("ins_none",)}, {"tenant": "other"},
        ]  # fmt: skip
        made = {**self.pick(forms), **(self.pick(odd) if self.chance(0.06) else {})}
        base: dict[str, Any] = {
            "tenant": DEFAULT_TENANT, "token": TokenId(self.pick(["tok_1", "tok_2"])), "instance": calendar,
            "agent": "agt_calendar", "user": ada, "task": "tsk_1", "chain": (calendar,), "envelope": None,
            "ceiling": self.ceiling() if self.chance(0.15) else None,
            "audience": "https://remit.example/mcp/business", "scopes": frozenset(), "proof": None,
            "key": "" if self.chance(0.1) else "thumb", "issued_at": NOON,
            "expires_at": NOON + MINUTE * self.pick([5, *[600] * 14]),
            "acr": self.pick(ACRS), "signed_in_at": self.pick([None, NOON, NOON - 20 * MINUTE]),
        }  # fmt: skip
        return VerifiedSubject(**{**base, **made})

    def call(self, number: int, who: Sequence[VerifiedSubject], at: datetime) -> ProposedCall:
        """One call by one of them."""
        name = self.pick(["rooms.book"] * 4 + ["rooms.read", "rooms.read", "mail.send", "refunds.create"])
        arguments = self.arguments(name)
        snapshot: Any = _Tools(self.tools)
        made = call(
            name, raw=canonical_json(arguments), snapshot=snapshot, subject=self.pick(who), at=at,
            call=CallId(f"call_{number}"),
        )  # fmt: skip
        if not self.chance(0.08):
            return made
        odd: list[dict[str, Any]] = [
            {"tool": None}, {"action": "business/other"}, {"resource": Resource(type="Hall", id="Room-401")},
            {"resource": Resource(type="a b", id="1")}, {"money": None},
            {"consequential": not made.consequential},
            {"server": "srv_none"}, {"tool": replace(made.tool, digest="0" * 64)} if made.tool else {},
        ]  # fmt: skip
        if self.chance(0.5):
            return discovery(self.pick(["tools/list", "ping"]), subject=made.subject, at=at, call=made.call)
        return replace(made, **self.pick(odd))

    def arguments(self, name: str) -> dict[str, Any]:
        room, more = self.pick(["Room-401", "Room-402", "Room-403"]), dict[str, Any]()
        match name:
            case "rooms.read":
                return {"room": room}
            case "mail.send":
                return {"to": "user@company.com", "subject": self.pick(["a", "b"])}
            case "rooms.book":
                pass
            case _:
                more = {
                    "tags": self.pick([["a"], ["b", "a"], [], ["a", 1]]),
                    "priority": self.pick([1, 2.5, 1.00001]),
                }
                currency = self.pick(["EUR", "EUR", "EUR", "USD"])
                amount = self.pick(["480.00", "9.99", "100.00", "-1"])
                return {
                    "order": "8812",
                    "amount": amount,
                    "currency": currency,
                    **(more if self.chance(0.5) else {}),
                }
        for key, values in (
            ("attendees", [4, 8, 12, 4, 4.5, True, "4"]), ("catering", [True, False, False, "true"]),
            ("note", ["a", "b"]), ("secret", [1]),
        ):  # fmt: skip
            if self.chance({"attendees": 0.6, "secret": 0.02}.get(key, 0.3)):
                more[key] = self.pick(values if self.chance(0.1) else values[:2])
        return {"room": room, **more}

    # -- told twice

    def snapshot(self) -> Snapshot:
        """As the product holds it."""
        stones = {each: Tombstone(kind="x", ident=each, epoch=1, cause="kill") for each in self.stopped}
        return Snapshot(
            tenant=DEFAULT_TENANT, revision=self.revision, epoch=self.epoch, principals=Map(self.people),
            servers=Map({server().id: server()}), tools=Map(self.tools), tasks=Map(self.tasks),
            grants=Map(self.grants), ceilings=Map(self.ceilings), envelopes=Map(self.envelopes),
            tombstones=Map(stones), bundle=self.bundle, relations=Graph(plan(), Index.of(self.tuples)),
        )  # fmt: skip

    def facts(self) -> Facts:
        """As the oracle is told."""
        return facts_of(self.snapshot(), self.tuples)

    def change(self) -> None:
        """Something happens: it ends, narrows, is put back, is published, is related."""
        self.revision += 1
        self.epoch += 1
        match self.random.randrange(8):
            case 0:
                ident = self.pick(sorted(self.people))
                states = [State.ACTIVE] * 4 + [State.SUSPENDED]
                self.people[ident] = replace(self.people[ident], state=self.pick(states))
            case 1:
                self.ceilings[self.pick(sorted(self.ceilings))] = self.ceiling()
            case 2 if self.chance(0.2):
                names = [*self.people, *self.tasks, *self.grants, "tok_1", "thumb", "env_root_tsk_1"]
                self.stopped |= {self.pick(sorted(map(str, names)))}
            case 3:
                ident = self.pick(sorted(self.grants))
                self.grants[ident] = replace(self.grants[ident], ceiling=self.ceiling())
            case 4:
                fresh = tuples_of(self.pick(TUPLES))
                gone = [each for each in self.tuples if self.chance(0.2) or each.key == fresh[0].key]
                self.tuples = [each for each in self.tuples if each not in gone] + fresh
            case 5 | 6:
                self.bundle = self.policy(self.bundle.version.number + 1)
            case _:
                ident = self.pick(sorted(self.tools))
                self.tools[ident] = self._tool(next(each for each in TOOLS if each.id == ident))


@dataclass
class _Tools:
    """As much of a snapshot as `support.decisions.call` reads."""

    tools: Mapping[ToolId, Any]
