"""What must hold before requests are sent here: the store answers, the keys sign, the snapshot is fresh."""

from dataclasses import dataclass

from remit.app.services import Services
from remit.kernel.jose.keys import KeyClass
from remit.surface.web.routes.meta import Probe


@dataclass(frozen=True, slots=True)
class StoreProbe:
    """The system of record answers a read."""

    services: Services
    name: str = "store"

    async def check(self) -> None:
        """Read the epoch."""
        await self.services.ground.work.read(lambda tx: tx.epoch())


@dataclass(frozen=True, slots=True)
class KeysProbe:
    """There is an active key for what is signed on each call."""

    services: Services
    name: str = "keys"

    async def check(self) -> None:
        """Raise `NoSigningKey` for the first class without one."""
        for key_class in (KeyClass.ACCESS_TOKEN, KeyClass.CAPABILITY, KeyClass.ENVELOPE, KeyClass.LEDGER):
            self.services.ground.keys.signer(key_class)


@dataclass(frozen=True, slots=True)
class SnapshotProbe:
    """Decisions can be made on a view of the present."""

    services: Services
    name: str = "snapshot"

    async def check(self) -> None:
        """Catch up with the head."""
        await self.services.ground.snapshots.catch_up()


def probes(services: Services) -> tuple[Probe, ...]:
    """Every probe of readiness."""
    return (StoreProbe(services), KeysProbe(services), SnapshotProbe(services))
