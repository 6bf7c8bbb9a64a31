"""Capabilities for tests: one order, each way in which another call differs, a scene with a real agent."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from remit.authority.capability import Capability, Minted, Order, Use, mint
from remit.authority.capability_service import CapabilityMint, CapabilityService
from remit.authority.lineage import lineage_of
from remit.authority.tasks import Lineage, Task
from remit.kernel.canonical import sha256
from remit.kernel.ids import CallId, CapabilityId, DecisionId, InstanceId, PrincipalId, TaskId, TenantId
from remit.kernel.jose.keys import KeyClass
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.builders import BOOK, OPTIONS, Bot, World, keyring
from support.clock import NOON
from support.jose import ISSUER, entropy_of

SERVER = f"{ISSUER}/mcp/business"
ARGUMENTS = b'{"room":"401","amount":"480.00"}'
RING = keyring()
ORDER = Order(
    tenant=DEFAULT_TENANT,
    audience=SERVER,
    subject="spiffe://remit.example/agent/calendar-bot/ins_1",
    instance=InstanceId("ins_1"),
    action=BOOK,
    resource_type="Room",
    resource="401",
    arguments=sha256(ARGUMENTS),
    tool="a" * 64,
    decision=DecisionId("dec_1"),
    task=TaskId("tsk_1"),
    envelope="b" * 64,
    key="thumb",
)


def minted(
    order: Order = ORDER, *, at: datetime = NOON, lifetime: timedelta = timedelta(seconds=90)
) -> Minted:
    return mint(
        order,
        issuer=ISSUER,
        signer=RING.signer(KeyClass.CAPABILITY),
        lifetime=lifetime,
        at=at,
        entropy=entropy_of("cap"),
    )


def use_of(capability: Capability, call: str = "cal_1") -> Use:
    return Use(
        capability=capability.id,
        tenant=capability.tenant,
        call=CallId(call),
        audience=capability.audience,
        instance=capability.instance,
        action=capability.action,
        resource_type=capability.resource_type,
        resource=capability.resource,
        arguments=capability.arguments,
        tool=capability.tool,
        task=capability.task,
        key=capability.key,
    )


OTHERS: dict[str, Callable[[Use], Use]] = {
    "tool": lambda use: replace(use, tool="c" * 64),
    "action": lambda use: replace(use, action="business/rooms.cancel"),
    "resource": lambda use: replace(use, resource="402"),
    "resource type": lambda use: replace(use, resource_type="Customer"),
    "server": lambda use: replace(use, audience=f"{ISSUER}/mcp/git"),
    "tenant": lambda use: replace(use, tenant=TenantId("other")),
    "instance": lambda use: replace(use, instance=InstanceId("ins_2")),
    "task": lambda use: replace(use, task=TaskId("tsk_2")),
    "no task": lambda use: replace(use, task=None),
    "key": lambda use: replace(use, key="other"),
    "no key": lambda use: replace(use, key=""),
    "id": lambda use: replace(use, capability=CapabilityId("cap_0")),
}
ARGUMENT_TWINS = {
    "value": b'{"room":"401","amount":"480.01"}',
    "added key": b'{"room":"401","amount":"480.00","note":""}',
    "removed": b'{"room":"401"}',
    "default filled": b'{"room":"401","amount":"480.00","currency":"EUR"}',
    "order": b'{"amount":"480.00","room":"401"}',
    "space": b'{"room": "401","amount":"480.00"}',
    "number twin": b'{"room":401,"amount":"480.00"}',
    "escape": b'{"room":"\\u0034\\u0030\\u0031","amount":"480.00"}',
    "base64": b'{"room":"NDAx","amount":"480.00"}',
    "url": b'{"room":"%34%30%31","amount":"480.00"}',
    "prefix": ARGUMENTS[:-1],
    "tail": ARGUMENTS + b"\n",
}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A running task of a real agent, and everything that uses its capabilities."""

    world: World
    bot: Bot
    task: Task
    mint: CapabilityMint
    service: CapabilityService
    lineage: Lineage

    def order(self) -> Order:
        return replace(ORDER, instance=self.bot.instance_id, task=self.task.id)

    async def live(self) -> Capability:
        made = await self.service.mint(self.order(), self.lineage, at=NOON)
        return made.capability


async def scene(uow: SqlUnitOfWork) -> Scene:
    world = World(uow, ring=RING)
    owner = await world.human()
    bot = await world.bot(await world.blueprint(owner), owner)
    await world.consent(owner, bot)
    started = await world.task(owner, bot)
    lineage = await uow.read(
        lambda tx: lineage_of(
            (PrincipalId(bot.instance.id),),
            tx.principals.get,
            tenant=DEFAULT_TENANT,
            task=started.task,
            envelope=started.task.root,
        )
    )
    minter = CapabilityMint(keys=RING, options=OPTIONS, entropy=world.entropy)
    service = CapabilityService(uow=uow, minter=minter, tenant=DEFAULT_TENANT)
    return Scene(world=world, bot=bot, task=started.task, mint=minter, service=service, lineage=lineage)
