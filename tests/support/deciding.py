"""A decision service over a real store, with an office in it and a snapshot that follows the store."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from remit.authority.capability import Minted, Order, mint
from remit.authority.lifetimes import CAPABILITY_CEILING
from remit.decision.call.request import ActionRequest, ProposedCall
from remit.decision.facts.snapshot import Snapshot
from remit.decision.making.beforehand import Lookout
from remit.decision.policy_service import PolicyService
from remit.decision.service import DecisionService
from remit.decision.stages.pipeline import STEPS, Step
from remit.kernel.ids import CallId, DecisionId, PrincipalId
from remit.kernel.jose.keys import KeyClass
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.builders import keyring
from support.clock import NOON
from support.decisions import PERMIT_ALL, call, install, office
from support.jose import ISSUER

ADMIN = PrincipalId("usr_owner")
POLICY_KEYS = keyring()


@dataclass
class Minter:
    """Signs capabilities with a fixed key."""

    made: list[Minted] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signer = keyring().signer(KeyClass.CAPABILITY)

    def mint(self, request: ActionRequest, *, decision: DecisionId, at: datetime) -> Minted:
        call = request.call
        minted = mint(
            Order(
                tenant=call.subject.tenant,
                audience=call.subject.audience,
                subject="spiffe://remit.example/agent/x",
                instance=call.subject.instance,
                action=call.action,
                resource_type=call.resource.type,
                resource=call.resource.id,
                arguments=call.arguments_digest,
                tool=request.tool.digest if request.tool else "",
                decision=decision,
                task=call.subject.task,
                envelope=call.subject.envelope,
                key=call.subject.key,
            ),
            issuer=ISSUER,
            signer=self.signer,
            lifetime=CAPABILITY_CEILING,
            at=at,
            entropy=secrets.token_bytes,
        )
        self.made.append(minted)
        return minted


@dataclass
class Desk:
    """Everything a test about the service asks for."""

    uow: SqlUnitOfWork
    keeper: SnapshotKeeper
    service: DecisionService
    policies: PolicyService
    minter: Minter

    async def publish(self, text: str) -> None:
        await self.policies.publish(text, by=ADMIN, at=NOON)


async def desk(
    uow: SqlUnitOfWork,
    *,
    policy: str | None = PERMIT_ALL,
    snapshot: Snapshot | None = None,
    steps: tuple[Step, ...] = STEPS,
    lookout: Lookout = Lookout(),  # noqa: B008 — frozen
) -> Desk:
    """An office in a store, its snapshot and the service that decides about it."""
    await uow.commit(lambda tx: install(tx, snapshot or office()))
    keeper = SnapshotKeeper(uow, tenant=DEFAULT_TENANT, keys=POLICY_KEYS, facts=lookout.plugins.types())
    await keeper.catch_up()
    minter = Minter()
    made = Desk(
        uow=uow,
        keeper=keeper,
        service=DecisionService(
            uow=uow,
            snapshots=keeper,
            capabilities=minter,
            entropy=secrets.token_bytes,
            node="nod_test",
            steps=steps,
            lookout=lookout,
        ),
        policies=PolicyService(
            uow=uow, snapshots=keeper, entropy=secrets.token_bytes, tenant=DEFAULT_TENANT, keys=POLICY_KEYS
        ),
        minter=minter,
    )
    if policy is not None:
        await made.publish(policy)
    return made


def numbered(name: str, number: int, **changes: object) -> ProposedCall:
    """The same call again, under another id."""
    return call(name, call=CallId(f"call_{number}"), **changes)  # type: ignore[arg-type]  # passed on as they are
