"""A statement is compiled once and takes exactly the values that it names."""

import re

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg

from remit.platform.storage.statements import STATEMENT_LIMIT, StatementMisused, Statements
from remit.platform.storage.tables import core

FIND = select(core.setting.c.body).where(
    core.setting.c.tenant == bindparam("this"), core.setting.c.name == "fixed"
)
ANY_OF = (
    update(core.job)
    .where(core.job.c.name.in_(["a", "b"]), core.job.c.fence == bindparam("this"))
    .values(due=0)
)


def statements() -> Statements:
    return Statements(sqlite.dialect(paramstyle="qmark"))


def test_values_are_put_in_the_order_of_the_text() -> None:
    prepared = statements().prepare(insert(core.setting))
    assert list(prepared.values({"body": "{}", "name": "n", "tenant": "t"})) == ["t", "n", "{}"]


def test_what_the_statement_fixes_is_filled_in() -> None:
    prepared = statements().prepare(FIND)
    assert list(prepared.values({"this": "t"})) == ["t", "fixed"]


def test_a_list_in_the_statement_becomes_one_mark_each() -> None:
    prepared = statements().prepare(ANY_OF)
    assert prepared.text.endswith("name IN (?, ?) AND job.fence = ?")
    assert list(prepared.values({"this": 7})) == [0, "a", "b", 7]


def test_on_postgres_each_value_is_where_its_number_says() -> None:
    dialect = asyncpg.dialect()  # type: ignore[no-untyped-call]  # untyped there
    prepared = Statements(dialect).prepare(ANY_OF)
    values = prepared.values({"this": 7})
    named = re.search(r"name IN \(\$(\d)::VARCHAR, \$(\d)::VARCHAR\) AND job.fence = \$(\d)", prepared.text)
    assert named is not None
    assert [values[int(number) - 1] for number in named.groups()] == ["a", "b", 7]


@pytest.mark.parametrize(
    "values", [{}, {"this": "t", "that": "x"}, {"that": "x"}, {"this": "t", "name_1": "other"}]
)
def test_a_value_missing_or_too_many_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(StatementMisused):
        statements().prepare(FIND).values(values)


def test_a_statement_is_compiled_once() -> None:
    kept = statements()
    assert kept.prepare(FIND) is kept.prepare(FIND)


def test_statements_built_per_call_do_not_pile_up() -> None:
    kept = statements()
    for _ in range(STATEMENT_LIMIT + 10):
        kept.prepare(select(core.setting.c.body))
    assert len(kept._kept) <= STATEMENT_LIMIT
