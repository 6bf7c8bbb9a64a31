"""What is known of an action before it is used: its arguments, what they steer, what it can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from remit.decision.policy.schema import tool_shape
from remit.decision.policy.shapes import Fields, Shape, common
from remit.decision.provenance.sensitive import Kind, kind_of
from remit.identity.tools import Tool
from remit.kernel.canonical import JsonObject, parse_object

_PROSE: Final = frozenset({Kind.CONTENT, Kind.CREDENTIAL})
"""Never bounded: prose has no bounds, and no secret may stand in a policy."""
SENSITIVE: Final = frozenset(
    {Kind.RECIPIENT, Kind.ACCOUNT, Kind.HOST, Kind.PATH, Kind.CODE, Kind.PERMISSION, Kind.AMOUNT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A top-level argument that may be bounded."""

    name: str
    pointer: str
    shape: Shape
    kind: Kind
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What an action is, whichever tools carry it out."""

    arguments: tuple[Argument, ...] = ()
    consequential: bool = True
    reversible: bool = False
    money: tuple[str, ...] = ()
    """Pointers of the arguments that are money, amounts and currencies."""
    amount: str = ""
    """The one pointer of the amount, if there is one."""


UNKNOWN: Final = Profile()
"""Of an action whose tool is gone: nothing to bound, and the worst is assumed."""


def profile_of(tools: Sequence[Tool]) -> Profile:
    """The profile of an action from the tools that carry it out, as they are pinned now."""
    if not tools:
        return UNKNOWN
    shape = reduce(common, (tool_shape(tool.digest, tool.definition) for tool in tools))
    mapped = [tool.mapping for tool in tools if tool.mapping is not None]
    taken = {mapping.resource.pointer for mapping in mapped}
    money = {
        pointer
        for each in mapped
        if each.money is not None
        for pointer in (each.money.amount, each.money.currency)
        if pointer
    }
    amounts = {each.money.amount for each in mapped if each.money is not None}
    return Profile(
        arguments=tuple(each for each in _arguments(shape, tools[0]) if each.pointer not in taken),
        consequential=any(tool.consequential for tool in tools),
        reversible=all(tool.reversible for tool in tools),
        money=tuple(sorted(money)),
        amount=amounts.pop() if len(amounts) == 1 else "",
    )


def _arguments(shape: Fields, tool: Tool) -> Sequence[Argument]:
    schemas = _properties(tool)
    found = (
        Argument(
            name=member.name,
            pointer="/" + member.name.replace("~", "~0").replace("/", "~1"),
            shape=member.shape,
            required=member.required,
            kind=kind_of(member.name, schemas.get(member.name, {})),
        )
        for member in shape.members
    )
    return [each for each in found if each.kind not in _PROSE]


def _properties(tool: Tool) -> dict[str, JsonObject]:
    schema = parse_object(tool.definition.encode()).get("inputSchema")
    members = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(members, dict):
        return {}
    return {name: each for name, each in members.items() if isinstance(each, dict)}
