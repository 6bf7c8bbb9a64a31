"""Statements, compiled once for one engine: text and the order of its values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Executable
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from remit.platform.storage.sql import Scalar

STATEMENT_LIMIT: Final = 4096
"""Statements kept per engine; ours number some hundreds, so reaching it means one is rebuilt per call."""


class StatementMisused(Exception):  # the guide names errors for what happened
    """A repository gave a statement other values than it names: a programming error, found on first use."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """SQL text, the order of its values, and the values that the statement itself fixed."""

    text: str
    order: tuple[str, ...]
    required: frozenset[str]
    fixed: dict[str, Scalar] = field(default_factory=dict)

    def values(self, parameters: Mapping[str, Scalar]) -> list[Scalar]:
        """Put the values in order; raises `StatementMisused` for one missing or one too many."""
        if parameters.keys() != self.required:
            off = sorted(parameters.keys() ^ self.required)
            raise StatementMisused(f"values {off} are missing or unknown in: {self.text}")
        if self.fixed:
            given = {**self.fixed, **parameters}
            return [given[name] for name in self.order]
        return [parameters[name] for name in self.order]


class Statements:
    """Compiles for one dialect and keeps the result, keyed by the statement object itself."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._kept: dict[Executable, Prepared] = {}

    def prepare(self, statement: Executable) -> Prepared:
        """Text and order of a statement; compiled on first sight."""
        found = self._kept.get(statement)
        if found is None:
            found = self._compile(statement)
            if len(self._kept) >= STATEMENT_LIMIT:
                self._kept.clear()
            self._kept[statement] = found
        return found

    def _compile(self, statement: Executable) -> Prepared:
        if not isinstance(statement, ClauseElement):
            raise StatementMisused(f"not a Core construct: {statement!r}")
        compiled = statement.compile(dialect=self._dialect)
        if not isinstance(compiled, SQLCompiler):
            raise StatementMisused(f"not a statement with values: {compiled}")
        required = frozenset(name for name, bind in compiled.binds.items() if bind.required)
        state = compiled.construct_expanded_state(dict.fromkeys(required))
        return Prepared(
            text=state.statement,
            order=tuple(state.positiontup or ()),
            required=required,
            fixed={name: value for name, value in state.parameters.items() if name not in required},
        )
