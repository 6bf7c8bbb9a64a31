"""One open transaction, as repositories see it: synchronous, the same on both engines."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

from sqlalchemy import Executable

from remit.kernel.ids import TenantId

Scalar: TypeAlias = str | int | bytes | None
"""All that a column holds: text, 64-bit integers (flags as 0 and 1, instants as microseconds UTC), bytes."""
Row: TypeAlias = Sequence[Any]


class Sql(Protocol):
    """Runs statements inside the open transaction of a unit of work.

    Statements are SQLAlchemy Core constructs with `bindparam`s, built once at module level: an engine
    compiles each on first use and keeps the text, keyed by the statement object. Values come in
    `parameters`, by name; never in the text.
    """

    is_sole: bool
    """Whether no other process writes this database: what was committed stays true until we change it."""

    is_hasty: bool
    """Whether what can't be undone spoils the batch, which then runs again with care (`queued`)."""

    def within(self, tenant: TenantId) -> AbstractContextManager[None]:
        """Have another tenant's rows in sight, and theirs alone, until the block ends.

        For what is about two tenants in one commit: the log of the installation, and the key over all seals.
        Nothing else may ask for it (docs/adr/0034).
        """

    def run(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> int:
        """Run and return how many rows it changed."""

    def run_many(self, statement: Executable, rows: Sequence[Mapping[str, Scalar]]) -> None:
        """Run once per row."""

    def later(self, statement: Executable, row: Mapping[str, Scalar], *, under: str = "") -> None:
        """Insert a row before the commit, together with others of its statement.

        Whatever asks for its table before that sees it. An error of the row is the error of its own work.
        Until then `waiting` tells it to whoever asks for what waits `under` that name.
        """

    def waiting(self, statement: Executable, *, under: str) -> Sequence[Mapping[str, Scalar]]:
        """The rows that this insert put under a name and that are not written yet."""

    def claim(self, statement: Executable, row: Mapping[str, Scalar], *, key: tuple[str, ...]) -> bool:
        """Insert a row unless its key is there (`ON CONFLICT DO NOTHING`); whether it went in.

        `key` are the values of its primary key.
        """

    def row(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> Row | None:
        """The first row, or None."""

    def row_apart(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> Row | None:
        """The first row of what is written; who asks adds what is `waiting`."""

    def rows(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> list[Row]:
        """All rows."""
