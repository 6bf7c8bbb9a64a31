"""Small values that outlive a start, each a JSON text under a name."""

from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.kernel.ids import TenantId
from remit.platform.storage.sql import Sql
from remit.platform.storage.tables.core import setting

_new = upsert(setting)
_PUT: Final = _new.on_conflict_do_update(
    index_elements=[setting.c.tenant, setting.c.name], set_={"body": _new.excluded.body}
)
_GET: Final = select(setting.c.body).where(
    setting.c.tenant == bindparam("this_tenant"), setting.c.name == bindparam("this_name")
)


class SettingsRepository:
    """Named values of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def get(self, name: str) -> str | None:
        """The value of a name."""
        row = self._sql.row(_GET, {"this_tenant": self._tenant, "this_name": name})
        return None if row is None else str(row[0])

    def put(self, name: str, body: str) -> None:
        """Set the value of a name."""
        self._sql.run(_PUT, {"tenant": self._tenant, "name": name, "body": body})
