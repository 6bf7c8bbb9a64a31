"""People, agents, ceilings, tasks and envelopes for tests: in memory, and through the real services.

`ceiling()`, `right()`, `Cast` are pure. `World` registers everything in a real store.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from remit.authority.consent import Grant
from remit.authority.consent_service import ConsentService
from remit.authority.envelope import Delegation, Hop, Making, Root, issue_root, next_hop, sign_hop
from remit.authority.options import AuthorityOptions
from remit.authority.recorded_hop import record_hop
from remit.authority.rights import ANY_PURPOSE, Any_, Caps, Ceiling, Constraint, Money, Right, Window
from remit.authority.task_service import StartedTask, StartTask, TaskService
from remit.authority.verify import EnvelopeVerifier
from remit.identity.credential_service import CredentialService
from remit.identity.principals import Environment, Kind, Principal
from remit.identity.registration import Registration
from remit.identity.service import IdentityService
from remit.kernel.ids import (
    AgentId,
    BlueprintId,
    Entropy,
    InstanceId,
    KeyId,
    PrincipalId,
    TaskId,
    TenantId,
    UserId,
    system_entropy,
)
from remit.kernel.jose.keyring import Keyring
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState, PrivateKey, Signer
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON
from support.jose import ISSUER, Keys, Party, party, private_key

TRUST_DOMAIN = "remit.example"
HOUR = timedelta(hours=1)
BOOK = "business/rooms.book"
READ = "business/rooms.read"
GOAL_DIGEST = "0123456789abcdef" * 4
OPTIONS = AuthorityOptions(issuer=ISSUER, trust_domain=TRUST_DOMAIN)


def right(
    action: str = BOOK,
    resources: Iterable[str] | Any_ = "any",
    *constraints: Constraint,
    resource_type: str = "Room",
) -> Right:
    """One right; resources are named, or `"any"`."""
    named: frozenset[str] | Any_ = "any" if resources == "any" else frozenset(resources)
    return Right(action=action, resource_type=resource_type, resources=named, constraints=constraints)


def at_most(pointer: str, limit: str) -> Constraint:
    """An argument that is a number up to a limit."""
    return Constraint(pointer=pointer, at_most=Decimal(limit))


def one_of(pointer: str, *values: str) -> Constraint:
    """An argument that is one of these."""
    return Constraint(pointer=pointer, one_of=frozenset(values))


def ceiling(
    *rights: Right,
    start: datetime = NOON - HOUR,
    end: datetime = NOON + 8 * HOUR,
    calls: int | None = 100,
    money: tuple[Money, ...] = (),
    depth: int = 8,
    purpose: str = ANY_PURPOSE,
) -> Ceiling:
    """A ceiling; without rights it allows to book and to read any room."""
    return Ceiling(
        rights=frozenset(rights or (right(BOOK), right(READ))),
        window=Window(start=start, end=end),
        caps=Caps(calls=calls, money=money),
        depth=depth,
        purpose=purpose,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One agent with one instance and its key, in memory."""

    name: str
    agent: AgentId
    instance: InstanceId
    key: Party

    @property
    def signer(self) -> Signer:
        return self.key.signer


def actor(name: str, *, tenant: TenantId = DEFAULT_TENANT) -> Actor:
    """An actor whose ids and key follow from its name."""
    instance = InstanceId(f"ins_{name}")
    return Actor(
        name=name,
        agent=AgentId(f"agt_{name}"),
        instance=instance,
        key=party(KeyClass.HOP, issuer=instance, tenant=tenant),
    )


@dataclass
class Cast:
    """Everybody whom an envelope can name, as `Delegates` and as key lookups; tests may kill members."""

    actors: dict[str, Actor] = field(default_factory=dict)
    sources: set[str] = field(default_factory=lambda: {"usr_ada"})
    dead: set[InstanceId] = field(default_factory=set)
    revoked: set[KeyId] = field(default_factory=set)
    ours: Party = field(default_factory=lambda: party(KeyClass.ENVELOPE, issuer=ISSUER))

    @classmethod
    def of(cls, *names: str) -> "Cast":
        return cls(actors={name: actor(name) for name in names})

    def agent_of(self, instance: InstanceId) -> AgentId | None:
        for member in self.actors.values():
            if member.instance == instance and instance not in self.dead:
                return member.agent
        return None

    def holds_key(self, instance: InstanceId, thumbprint: str, at: datetime) -> bool:
        return any(
            member.instance == instance
            and member.key.record.public.thumbprint == thumbprint
            and member.key.record.kid not in self.revoked
            for member in self.actors.values()
        )

    def is_source(self, subject: str) -> bool:
        return subject in self.sources

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        """Keys of the actors, as a registry would answer."""
        if KeyId(kid) in self.revoked:
            return None
        return Keys(member.key.record for member in self.actors.values()).find(kid, key_class)

    def verifier(self, kind: type[EnvelopeVerifier] = EnvelopeVerifier) -> EnvelopeVerifier:
        return kind(trust_domain=TRUST_DOMAIN, roots=Keys([self.ours.record]), delegates=self, directory=self)

    def root(
        self,
        first: str,
        *,
        subject: str = "usr_ada",
        task: str = "tsk_1",
        limit: Ceiling | None = None,
        at: datetime = NOON,
        expires_at: datetime = NOON + 4 * HOUR,
    ) -> tuple[str, Ceiling]:
        """A signed root for the first agent, and its ceiling."""
        allowed = limit or ceiling(purpose="booking")
        root = Root(
            issuer=ISSUER,
            trust_domain=TRUST_DOMAIN,
            subject=subject,
            task=TaskId(task),
            purpose="booking",
            goal=GOAL_DIGEST,
            ceiling=allowed,
            may_act=self.actors[first].agent,
            scope="task",
            requester=subject,
            issued_at=at,
            expires_at=expires_at,
        )
        return issue_root(root, signer=self.ours.signer), allowed

    def hop(
        self,
        text: str,
        parent: Ceiling,
        giver: str,
        taker: str,
        *,
        wanted: Ceiling | None = None,
        kind: Delegation = Delegation.ATTENUATE,
        task: str = "tsk_1",
        at: datetime = NOON,
        expires_at: datetime = NOON + HOUR,
    ) -> tuple[str, Ceiling]:
        """The text extended by one hop, and the ceiling that it leaves."""
        built = next_hop(
            text,
            parent,
            by=self.actors[giver].instance,
            to=self.actors[taker].agent,
            kind=kind,
            wanted=wanted or parent,
            task=TaskId(task),
            at=at,
            expires_at=expires_at,
        )
        return sign_hop(text, built, signer=self.actors[giver].signer), built.ceiling

    def recorded(
        self, text: str, parent: Ceiling, giver: str, taker: str, **changes: Any
    ) -> tuple[str, Ceiling]:
        """The text extended by a hop that the giver asked us for; changes may be unlawful."""
        plain = next_hop(
            text,
            parent,
            by=self.actors[giver].instance,
            to=self.actors[taker].agent,
            kind=Delegation.ATTENUATE,
            wanted=parent,
            task=TaskId("tsk_1"),
            at=NOON,
            expires_at=NOON + HOUR,
        )
        stated: dict[str, Any] = {
            "made": Making.EXCHANGED,
            "recorder": ISSUER,
            "key": self.actors[giver].key.record.public.thumbprint,
            "scope": "mcp",
            **changes,
        }
        hop = replace(plain, **stated)
        return record_hop(text, hop, signer=self.ours.signer), hop.ceiling

    def sign(self, text: str, hop: Hop, *, giver: str) -> str:
        """Append any hop, lawful or not."""
        return sign_hop(text, hop, signer=self.actors[giver].signer)

    def chain(self, *names: str) -> str:
        """A valid envelope from the first to the last named actor."""
        text, allowed = self.root(names[0])
        for position in range(len(names) - 1):
            text, allowed = self.hop(
                text,
                allowed,
                names[position],
                names[position + 1],
                expires_at=NOON + HOUR - timedelta(minutes=position),
            )
        return text


def keyring(*, seed: str = "ours", at: datetime = NOON) -> Keyring:
    """Our own keys: one active key of each class that we sign."""
    classes = (
        KeyClass.ACCESS_TOKEN,
        KeyClass.ENVELOPE,
        KeyClass.CAPABILITY,
        KeyClass.LEDGER,
        KeyClass.RECEIPT,
        KeyClass.POLICY,
    )
    privates = {KeyId(f"key_{name}_{seed}"): private_key(f"{seed}/{name}") for name in classes}
    records = [
        KeyRecord(
            tenant=DEFAULT_TENANT,
            issuer=ISSUER,
            kid=kid,
            key_class=name,
            public=privates[kid].public,
            state=KeyState.ACTIVE,
            not_before=at - timedelta(days=1),
        )
        for name, kid in zip(classes, privates, strict=True)
    ]
    return Keyring.of(records, privates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """An agent with one live instance in a store, and the private half of its key."""

    agent: Principal
    instance: Principal
    kid: KeyId
    private: PrivateKey

    @property
    def id(self) -> AgentId:
        return AgentId(self.agent.id)

    @property
    def instance_id(self) -> InstanceId:
        return InstanceId(self.instance.id)

    @property
    def hop_signer(self) -> Signer:
        return Signer(kid=self.kid, key_class=KeyClass.HOP, private=self.private)


class World:
    """The real services over one store, and short ways to fill it; everything happens at `NOON`."""

    def __init__(
        self,
        uow: SqlUnitOfWork,
        *,
        ring: Keyring | None = None,
        entropy: Entropy = system_entropy,
        options: AuthorityOptions = OPTIONS,
    ) -> None:
        self.uow = uow
        self.ring = ring or keyring()
        self.options = options
        self.entropy = entropy
        self.identity = IdentityService(uow=uow, entropy=entropy, tenant=DEFAULT_TENANT)
        self.credentials = CredentialService(uow=uow, entropy=entropy, tenant=DEFAULT_TENANT)
        self.consents = ConsentService(uow=uow, entropy=entropy, tenant=DEFAULT_TENANT)
        self.tasks = TaskService(
            uow=uow, keys=self.ring, options=options, entropy=entropy, tenant=DEFAULT_TENANT
        )
        self.admin = PrincipalId("usr_bootstrap")
        self._count = 0

    async def human(
        self, name: str = "user@company.com", *, roles: str = "", active: bool = True
    ) -> Principal:
        """A person, active."""
        stated = Registration(
            kind=Kind.HUMAN, name=name, email=name, attributes=(("roles", roles),) if roles else ()
        )
        entry = await self.identity.register(stated, by=self.admin, at=NOON)
        return await self.identity.activate(entry.id, by=self.admin, at=NOON) if active else entry

    async def blueprint(
        self,
        owner: Principal,
        name: str = "office",
        *,
        limit: Ceiling | None = None,
        segments: frozenset[str] = frozenset(),
    ) -> Principal:
        """An active blueprint with a ceiling."""
        stated = Registration(
            kind=Kind.BLUEPRINT,
            name=name,
            owner=owner.id,
            purpose="office work",
            environment=Environment.PRODUCTION,
            segments=segments,
        )
        entry = await self.identity.register(stated, by=self.admin, at=NOON)
        await self.consents.set_ceiling(entry.id, limit or ceiling(), by=self.admin, at=NOON)
        return await self.identity.activate(entry.id, by=self.admin, at=NOON)

    async def bot(
        self,
        blueprint: Principal,
        owner: Principal,
        name: str = "calendar-bot",
        *,
        limit: Ceiling | None = None,
        attributes: tuple[tuple[str, str], ...] = (),
        segments: frozenset[str] | None = None,
    ) -> Bot:
        """An active agent with one instance, its key and a ceiling."""
        stated = Registration(
            kind=Kind.AGENT,
            name=name,
            owner=owner.id,
            blueprint=BlueprintId(blueprint.id),
            attributes=attributes,
            segments=segments,
        )
        entry = await self.identity.register(stated, by=self.admin, at=NOON)
        await self.consents.set_ceiling(entry.id, limit or ceiling(), by=self.admin, at=NOON)
        private = self.fresh_key(name)
        instance, credential = await self.credentials.instantiate(
            entry.id, private.public.jwk(), by=self.admin, at=NOON
        )
        agent = await self.identity.activate(entry.id, by=self.admin, at=NOON)
        return Bot(agent=agent, instance=instance, kid=credential.id, private=private)

    async def consent(
        self, user: Principal, bot: Bot, limit: Ceiling | None = None, *, at: datetime = NOON
    ) -> Grant:
        """The user lets the agent act; the newest consent counts, so a second one comes later."""
        return await self.consents.give(
            user=UserId(user.id),
            agent=bot.id,
            ceiling=limit or ceiling(),
            text=f"{bot.agent.name} may book rooms for you",
            by=user.id,
            at=at,
        )

    async def task(
        self,
        user: Principal,
        bot: Bot,
        *,
        limit: Ceiling | None = None,
        purpose: str = "booking",
        goal: str = "book a room for the review",
        at: datetime = NOON,
    ) -> StartedTask:
        """A running task, due in an hour."""
        wanted = StartTask(
            user=UserId(user.id),
            agent=bot.id,
            goal=goal,
            purpose=purpose,
            ceiling=limit,
            deadline=at + HOUR,
        )
        return await self.tasks.start(wanted, by=user.id, at=at)

    def hop(
        self,
        text: str,
        parent: Ceiling,
        giver: Bot,
        taker: Bot,
        *,
        task: TaskId,
        wanted: Ceiling | None = None,
        kind: Delegation = Delegation.ATTENUATE,
        at: datetime = NOON,
        expires_at: datetime = NOON + HOUR / 2,
    ) -> str:
        """What the giver hands to the taker."""
        built = next_hop(
            text,
            parent,
            by=giver.instance_id,
            to=taker.id,
            kind=kind,
            wanted=wanted or parent,
            task=task,
            at=at,
            expires_at=expires_at,
        )
        return sign_hop(text, built, signer=giver.hop_signer)

    def fresh_key(self, name: str = "key") -> PrivateKey:
        """A key that no one has yet."""
        self._count += 1
        return private_key(f"{name}/{self._count}")
