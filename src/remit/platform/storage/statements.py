"""Statements, compiled once for one engine: text, the order of its values, the tables that it touches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Final, TypeAlias

from sqlalchemy import Executable, Select, TableClause
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from remit.platform.storage.sql import Scalar

STATEMENT_LIMIT: Final = 4096
"""Statements kept per engine; ours number some hundreds, so reaching it means one is rebuilt per call."""
BULK_SIZES: Final = (64, 32, 16, 8, 4, 2, 1)
"""Rows of one insert: few sizes, so that each is compiled once and kept."""

Values: TypeAlias = tuple[Scalar, ...]
"""Values of one row or question, in the order of their marks."""


class StatementMisused(Exception):  # the guide names errors for what happened
    """A repository gave a statement other values than it names: a programming error, found on first use."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """SQL text, the order of its values, the values that the statement itself fixed, and what it touches."""

    text: str
    order: tuple[str, ...]
    required: frozenset[str]
    fixed: dict[str, Scalar] = field(default_factory=dict)
    tables: frozenset[str] = frozenset()
    """Names of the tables that the statement reads or writes."""
    reads_only: bool = False
    row_text: str = ""
    """The marks of one row of an insert that takes many; empty where none or no more can follow."""
    _texts: dict[int, str] = field(default_factory=dict, repr=False)
    _pick: Callable[[Mapping[str, Scalar]], Values] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pick", _picker(self.order))

    def values(self, parameters: Mapping[str, Scalar]) -> Values:
        """Put the values in order; raises `StatementMisused` for one missing or one too many."""
        # As many as are required, and none of those missing: then none is unknown either.
        if len(parameters) == len(self.required):
            try:
                return self._pick({**self.fixed, **parameters} if self.fixed else parameters)
            except KeyError:
                pass
        off = sorted(parameters.keys() ^ self.required)
        raise StatementMisused(f"values {off} are missing or unknown in: {self.text}")

    def in_bulk(self, rows: Sequence[Values]) -> Iterator[tuple[str, Values]]:
        """Statements that insert these rows in their order, with their values: as few as sizes allow."""
        place, left = 0, len(rows)
        for size in BULK_SIZES:
            while left >= size:
                yield self._text_of(size), tuple(chain.from_iterable(rows[place : place + size]))
                place, left = place + size, left - size

    def _text_of(self, size: int) -> str:
        text = self._texts.get(size)
        if text is None:
            text = self.text.replace(self.row_text, ", ".join([self.row_text] * size))
            self._texts[size] = text
        return text


def _picker(order: tuple[str, ...]) -> Callable[[Mapping[str, Scalar]], Values]:
    """What takes the values of these names out of a mapping (`itemgetter` alone gives no tuple of one)."""
    match order:
        case ():
            return lambda _: ()
        case (only,):
            return lambda parameters: (parameters[only],)
        case _:
            return itemgetter(*order)


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
            tables=frozenset(
                part.name for part in visitors.iterate(statement) if isinstance(part, TableClause)
            ),
            reads_only=isinstance(statement, Select),
            row_text=_row_text(state.statement, len(state.positiontup or ())) if compiled.isinsert else "",
        )


def _row_text(text: str, count: int) -> str:
    """The marks of the one row of an insert, where nothing else in it holds a mark (question marks only)."""
    row = f"({', '.join('?' * count)})"
    return row if count and text.count("?") == count and text.count(row) == 1 else ""
