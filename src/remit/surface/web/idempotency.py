"""The same request twice has one effect: `Idempotency-Key`, unique on (tenant, principal, key).

INVARIANT: a key is taken before the operation starts and given back only if it certainly had no effect.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from remit.kernel.canonical import Digest
from remit.kernel.errors import Conflict, Invalid, RemitError
from remit.kernel.ids import PrincipalId, TenantId
from remit.kernel.uow import Transaction, UnitOfWork

KEPT_FOR: Final = timedelta(hours=24)
"""How long a key is remembered."""
PENDING: Final = 0
"""Status of a key whose operation has not answered yet."""
_MAX_KEY: Final = 128


class IdempotencyMismatch(Invalid):
    """The key was used for another request (another operation or other bytes)."""

    code = "idempotency_mismatch"


class IdempotencyPending(Conflict):
    """The first request with this key has not answered; its effect is not known yet."""

    code = "idempotency_pending"


class AlreadyDone(Conflict):
    """The first request with this key succeeded; its answer is not kept and not shown twice."""

    code = "already_done"


class BadIdempotencyKey(Invalid):
    """The key is empty, too long, or not printable ASCII."""

    code = "bad_idempotency_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer as it was first given."""

    status: int
    body: bytes
    media: str = "application/json"


class KeptRow(Protocol):
    """What the store knows of a key."""

    @property
    def request(self) -> Digest:
        """Digest of operation and body."""

    @property
    def status(self) -> int:
        """Status of the answer; `PENDING` while there is none."""

    @property
    def body(self) -> bytes:
        """The answer."""


class Keys(Protocol):
    """The rows of all keys, inside one transaction."""

    def take(self, principal: str, key: str, *, request: Digest, at: datetime) -> bool:
        """Insert the key; False if it is there."""

    def find(self, principal: str, key: str) -> KeptRow | None:
        """The row of a key."""

    def settle(self, principal: str, key: str, *, status: int, body: bytes) -> None:
        """Store the answer."""

    def release(self, principal: str, key: str) -> None:
        """Remove a key whose operation had no effect."""

    def forget(self, before: datetime) -> int:
        """Remove what is older."""


class KeysTransaction(Transaction, Protocol):
    """The transaction that this needs."""

    @property
    def idempotency(self) -> Keys:
        """The keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request with a key."""

    tenant: TenantId
    principal: PrincipalId
    key: str
    request: Digest
    at: datetime
    keep_answer: bool


class Idempotency:
    """Runs an operation once per key."""

    def __init__(self, *, uow: UnitOfWork[KeysTransaction]) -> None:
        self._uow = uow

    async def once(self, attempt: Attempt, run: Callable[[], Awaitable[Kept]]) -> Kept:
        """Run it, or give the first answer again.

        CRASH: between effect and answer the key stays pending; a repeat is told so and never runs twice.
        """
        kept = await self._uow.commit(lambda tx: _take(tx, attempt))
        if kept is not None:
            return kept
        try:
            answer = await run()
        except RemitError as refused:
            if refused.kind not in {"internal", "unavailable"}:
                await self._uow.commit(lambda tx: tx.idempotency.release(attempt.principal, attempt.key))
            raise
        body = answer.body if attempt.keep_answer else b""
        await self._uow.commit(
            lambda tx: tx.idempotency.settle(attempt.principal, attempt.key, status=answer.status, body=body)
        )
        return answer

    async def sweep(self, at: datetime) -> int:
        """Forget keys older than `KEPT_FOR`; returns how many."""
        return await self._uow.commit(lambda tx: tx.idempotency.forget(at - KEPT_FOR))


def check_key(key: str) -> str:
    """Give the key back if it can be one."""
    if not 0 < len(key) <= _MAX_KEY or not key.isascii() or not key.isprintable():
        raise BadIdempotencyKey(f"`idempotency-key` must be 1 to {_MAX_KEY} printable characters")
    return key


def _take(tx: KeysTransaction, attempt: Attempt) -> Kept | None:
    if tx.idempotency.take(attempt.principal, attempt.key, request=attempt.request, at=attempt.at):
        return None
    row = tx.idempotency.find(attempt.principal, attempt.key)
    if row is None or row.status == PENDING:
        raise IdempotencyPending(
            "the first request with this key has not answered", next_step="look before repeating"
        )
    if row.request != attempt.request:
        raise IdempotencyMismatch("this key was used for another request", next_step="use a new key")
    if not attempt.keep_answer:
        raise AlreadyDone("the first request with this key succeeded; its answer is not shown twice")
    return Kept(status=row.status, body=row.body)
