"""The register of tenants, and the end of everything that one has stored."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, insert, select, update

from remit.identity.tenants import Tenant
from remit.kernel.ids import TenantId
from remit.platform.storage.sql import Sql
from remit.platform.storage.tables import core, ledger
from remit.platform.storage.tables.schema import metadata
from remit.platform.storage.tables.tenants import tenant as t

_decode = msgspec.json.Decoder(Tenant).decode
_ADD: Final = insert(t)
_PUT: Final = (
    update(t)
    .where(t.c.tenant == bindparam("this"))
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)
_GET: Final = select(t.c.body).where(t.c.tenant == bindparam("this"))
_ALL: Final = select(t.c.body).order_by(t.c.tenant)
_STATE: Final = select(t.c.state).where(t.c.tenant == bindparam("this"))
KEPT: Final = frozenset({
    t.name,
    core.tenant_epoch.name,
    core.tenant_revision.name,
    core.tombstone.name,
    core.signing_key.name,
    *(each.name for each in (
        ledger.ledger_shard,
        ledger.ledger_entries,
        ledger.ledger_tile,
        ledger.ledger_mention,
        ledger.ledger_checkpoint,
    )),
})  # fmt: skip
"""What outlives a tenant: name, numbers, what was stopped, its log, and the public keys that verify it."""
_DELETED: Final = tuple(
    table for name, table in sorted(metadata.tables.items()) if "tenant" in table.c and name not in KEPT
)
_DELETE: Final = tuple(delete(table).where(table.c.tenant == bindparam("this")) for table in _DELETED)
_SHRED_KEYS: Final = (
    update(core.signing_key).where(core.signing_key.c.tenant == bindparam("this")).values(sealed=b"")
)


class TenantRepository:
    """The register of the installation; `shred` is about the tenant of the transaction alone."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def get(self, name: TenantId) -> Tenant | None:
        """One tenant, whatever its state."""
        row = self._sql.row(_GET, {"this": name})
        return None if row is None else _decode(row[0])

    def state(self) -> str | None:
        """State of the transaction's own tenant; None for one that was never entered."""
        row = self._sql.row(_STATE, {"this": self._tenant})
        return None if row is None else str(row[0])

    def all(self) -> Sequence[Tenant]:
        """All, by name."""
        return [_decode(row[0]) for row in self._sql.rows(_ALL)]

    def add(self, tenant: Tenant) -> None:
        """A new one."""
        self._sql.run(_ADD, {"tenant": tenant.name, "state": tenant.state.value, "body": _text(tenant)})

    def put(self, tenant: Tenant) -> None:
        """Its new state."""
        self._sql.run(_PUT, {"this": tenant.name, "new_state": tenant.state.value, "new_body": _text(tenant)})

    def shred(self) -> int:
        """Delete the tenant's rows; private keys and keys of texts go, public keys and the log stay.

        Nothing sealed is left that the key-encryption key could open. Copies made before, as backups, are
        out of its reach.
        """
        self._sql.run(_SHRED_KEYS, {"this": self._tenant})
        return sum(self._sql.run(statement, {"this": self._tenant}) for statement in _DELETE)


def _text(tenant: Tenant) -> str:
    return msgspec.json.encode(tenant).decode()
