"""Conditions: CEL expressions over typed parameters, compiled once, evaluated per tuple.

As in OpenFGA (`internal/condition`): the tuple's context wins over the request's, a declared parameter that
neither names is an error even if the expression would not have needed it, and an error is never a yes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Final

from remit.decision.relations.errors import ConditionFailed
from remit.decision.relations.model import ConditionDefinition
from remit.decision.relations.parameters import FUNCTIONS, Misfit, typed
from remit.kernel.canonical import Json

EXPRESSION_LENGTH: Final = 8_192
ITERATIONS: Final = 10_000
"""How many times the innermost part of nested comprehensions may be evaluated."""

_MACROS: Final = frozenset({"all", "exists", "exists_one", "map", "filter"})
_FUNCTIONS: Final = frozenset(
    (
        *(
            "size",
            "contains",
            "startsWith",
            "endsWith",
            "matches",
            "has",
            "dyn",
            "type",
            "in_cidr",
            "ipaddress",
        ),
        *("int", "uint", "double", "string", "bool", "bytes", "timestamp", "duration"),
        *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getMonth"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    )
)
_TYPES: Final = frozenset(
    ("int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type")
)
_LITERALS: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'(?:[^\\]|\\.)*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|//[^\n]*',
    re.DOTALL,
)
_WORDS: Final = re.compile(r"\.\s*(all|exists_one|exists|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,|[()]")


if TYPE_CHECKING:
    from cel import Program


def _cel() -> ModuleType:
    """The package; it loads its own command line, which a model without conditions need not pay for."""
    import cel  # noqa: PLC0415 - see above

    return cel


class Uncompilable(Exception):
    """An expression that is no condition; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition, ready to run."""

    definition: ConditionDefinition
    program: "Program"
    nesting: int

    def holds(self, tuple_context: Mapping[str, Json], request_context: Mapping[str, Json]) -> bool:
        """Whether it is met; raises `ConditionFailed` where it can't be said."""
        name = self.definition.name
        values: dict[str, object] = {}
        missing: list[str] = []
        for parameter in self.definition.parameters:
            context = tuple_context if parameter.name in tuple_context else request_context
            if parameter.name not in context:
                missing.append(parameter.name)
                continue
            try:
                values[parameter.name] = typed(parameter.type, context[parameter.name])
            except Misfit as error:
                raise ConditionFailed(f"condition `{name}`: parameter `{parameter.name}`: {error}") from error
        if missing:
            raise ConditionFailed(
                f"condition `{name}` is missing context parameters `{', '.join(sorted(missing))}`"
            )
        self._afford(values)
        return self._run(values)

    def _afford(self, values: Mapping[str, object]) -> None:
        if self.nesting < 1:
            return
        longest = max((_weight(value) for value in values.values()), default=0)
        if longest**self.nesting > ITERATIONS:
            times = f"{longest}^{self.nesting} times, of at most {ITERATIONS}"
            raise ConditionFailed(f"condition `{self.definition.name}` would be evaluated {times}")

    def _run(self, values: dict[str, object]) -> bool:
        name = self.definition.name
        try:
            result = self.program.execute(_cel().Context(values, FUNCTIONS))
        except (ValueError, TypeError, KeyError, RuntimeError, ArithmeticError, IndexError) as error:
            reason = str(error).partition(". ")[0]
            raise ConditionFailed(f"condition `{name}` failed: {reason}", debug=str(error)) from error
        if not isinstance(result, bool):
            raise ConditionFailed(f"condition `{name}` gave `{type(result).__name__}`, not a bool")
        return result


def compile_condition(definition: ConditionDefinition) -> Condition:
    """A condition from its definition; raises `Uncompilable`."""
    if len(definition.expression) > EXPRESSION_LENGTH:
        raise Uncompilable(
            f"the expression has {len(definition.expression)} characters, of at most {EXPRESSION_LENGTH}"
        )
    try:
        program: Program = _cel().compile(definition.expression)
    except ValueError as error:
        raise Uncompilable(_first_fault(str(error))) from error
    bound, nesting = _comprehensions(definition.expression)
    declared = {parameter.name for parameter in definition.parameters}
    for name in program.variables():
        if name not in declared | bound and name not in _TYPES:
            raise Uncompilable(f"undeclared parameter `{name}`")
    for name in program.functions():
        if name[0].isalpha() and name not in _FUNCTIONS | _MACROS:
            raise Uncompilable(f"unknown function `{name}`")
    return Condition(definition=definition, program=program, nesting=nesting)


def _first_fault(text: str) -> str:
    found = re.search(r"<input>:(\d+):(\d+): (.*)", text)
    return (
        f"line {found[1]}, column {found[2]} of the expression: {found[3]}"
        if found
        else text.splitlines()[0][:200]
    )


def _comprehensions(expression: str) -> tuple[set[str], int]:
    """The names that comprehensions bind, and how deep comprehensions are nested."""
    bound: set[str] = set()
    open_: list[bool] = []
    deepest = 0
    for found in _WORDS.finditer(_LITERALS.sub('""', expression)):
        if found[0] == ")":
            if open_:
                open_.pop()
            continue
        open_.append(found[1] is not None)
        if found[1]:
            bound.add(found[2])
            deepest = max(deepest, sum(open_))
    return bound, deepest


def _weight(value: object) -> int:
    if isinstance(value, list):
        return len(value) + max((_weight(item) for item in value), default=0)
    if isinstance(value, dict):
        return len(value) + max((_weight(item) for item in value.values()), default=0)
    return len(value) if isinstance(value, str) else 1
