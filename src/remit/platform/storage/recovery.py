"""What a start must settle before it serves: each wing registers its sweep (P15, crash-only start)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Settles what a crash left half done; idempotent, and safe beside living nodes.

    `settle` returns how many things it changed.
    """

    name: str
    settle: Callable[[SqlTransaction, datetime], int]


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did."""

    name: str
    settled: int


async def recover(uow: SqlUnitOfWork, sweeps: tuple[Sweep, ...], *, at: datetime) -> tuple[Swept, ...]:
    """Run every sweep, each in a unit of work of its own, in order; the first failure stops the start.

    CRASH: between two sweeps the next start runs all of them again.
    """
    done: list[Swept] = []
    for sweep in sweeps:
        settled = await uow.commit(lambda tx, sweep=sweep: sweep.settle(tx, at))  # type: ignore[misc]  # bound now
        done.append(Swept(sweep.name, settled))
    return tuple(done)
