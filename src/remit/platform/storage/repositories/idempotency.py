"""Keys of repeated requests: taken once, answered once, forgotten after a day.

SAFETY: an answer may repeat what was asked in clear, as a call's arguments: so it is sealed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.kernel.canonical import Digest
from remit.kernel.ids import TenantId
from remit.platform.storage.instants import micros
from remit.platform.storage.repositories.ledger_contents import KekSealer
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.core import idempotency as t

_THIS = (
    t.c.tenant == bindparam("this_tenant"),
    t.c.principal == bindparam("this_principal"),
    t.c.key == bindparam("this_key"),
)
_TAKE: Final = upsert(t).on_conflict_do_nothing()
_FIND: Final = select(t.c.request_hash, t.c.response).where(*_THIS)
_SETTLE: Final = update(t).where(*_THIS).values(response=bindparam("new_response"))
_RELEASE: Final = delete(t).where(*_THIS, t.c.response.is_(None))
_FORGET: Final = delete(t).where(t.c.tenant == bindparam("this_tenant"), t.c.at < bindparam("before"))

_STATUS_DIGITS: Final = 3
"""A stored answer is its status in three digits, then its body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRequest:
    """What is known of a key; `status` is 0 while its request has no answer."""

    request: Digest
    status: int
    body: bytes


class IdempotencyRepository:
    """The keys of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId, sealer: KekSealer) -> None:
        self._sql = sql
        self._tenant = tenant
        self._sealer = sealer

    def take(self, principal: str, key: str, *, request: Digest, at: datetime) -> bool:
        """Insert the key; False if it is there."""
        row: dict[str, Scalar] = {
            "tenant": self._tenant,
            "principal": principal,
            "key": key,
            "request_hash": request,
            "response": None,
            "at": micros(at),
        }
        return self._sql.run(_TAKE, row) == 1

    def find(self, principal: str, key: str) -> KeptRequest | None:
        """The row of a key."""
        row = self._sql.row(_FIND, self._place(principal, key))
        if row is None:
            return None
        request, response = row
        if response is None:
            return KeptRequest(request=request, status=0, body=b"")
        stored = self._sealer.open_alone(bytes(response), self._context(principal, key))
        return KeptRequest(request=request, status=int(stored[:_STATUS_DIGITS]), body=stored[_STATUS_DIGITS:])

    def settle(self, principal: str, key: str, *, status: int, body: bytes) -> None:
        """Store the answer."""
        answer = self._sealer.seal_alone(f"{status:03d}".encode() + body, self._context(principal, key))
        self._sql.run(_SETTLE, {**self._place(principal, key), "new_response": answer})

    def release(self, principal: str, key: str) -> None:
        """Remove a key whose operation had no effect; an answered one stays."""
        self._sql.run(_RELEASE, self._place(principal, key))

    def forget(self, before: datetime) -> int:
        """Remove what is older."""
        return self._sql.run(_FORGET, {"this_tenant": self._tenant, "before": micros(before)})

    def _context(self, principal: str, key: str) -> tuple[bytes, ...]:
        return (b"idempotency", self._tenant.encode(), principal.encode(), key.encode())

    def _place(self, principal: str, key: str) -> dict[str, Scalar]:
        return {"this_tenant": self._tenant, "this_principal": principal, "this_key": key}
