"""From arguments to action, resource and money: what a call would really do (R128, N14).

Pointers are RFC 6901 and name literal members: no dots, no wildcards, no prototype. In a consequential
tool, an argument that the mapping does not know could change everything, so it refuses the call.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

from remit.authority.rights import Money
from remit.decision.call.actions import PROMPT_TYPE, RESOURCE_TYPE, SERVER_TYPE
from remit.decision.call.request import Resource
from remit.identity.tools import MoneyMapping, ResourceMapping, Server, Tool, ToolMapping
from remit.kernel.building import builder
from remit.kernel.canonical import Json, JsonObject
from remit.kernel.errors import Invalid


class ArgumentsUnmapped(Invalid):
    """The tool has no mapping, or its arguments do not say what the mapping needs."""

    code = "arguments_unmapped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a request asks for, in the words of policy."""

    action: str
    resource: Resource
    money: Money | None
    consequential: bool
    tool: Tool | None


_meaning, _resource_of = builder(Meaning), builder(Resource)
_ACTIONS: Final = {
    "resources/read": ("resources.read", RESOURCE_TYPE, "/uri"),
    "prompts/get": ("prompts.get", PROMPT_TYPE, "/name"),
}
_ABSENT: Final = object()
LONGEST_RESOURCE: Final = 2048
"""Characters of a resource's id: at the worst six bytes each, so that a capability can still name it."""


def meaning_of_method(server: Server, method: str, params: JsonObject) -> Meaning:
    """What a request other than `tools/call` asks for: `<server>/resources.read` on `Resource::<uri>`, …

    Where no member names anything, the resource is the server itself.
    """
    suffix, kind, pointer = _ACTIONS.get(method, (method.replace("/", "."), SERVER_TYPE, ""))
    resource = Resource(type=kind, id=_text(pointer, params) if pointer else server.name)
    if method == "completion/complete":
        resource = _completed(params)
    return Meaning(
        action=f"{server.name}/{suffix}", resource=resource, money=None, consequential=False, tool=None
    )


def meaning_of_tool(server: Server, tool: Tool, arguments: JsonObject) -> Meaning:
    """What a tool call asks for. Raises `ArgumentsUnmapped`."""
    if tool.mapping is None:
        return _unmapped(server, tool)
    mapping = tool.mapping
    if tool.consequential:
        _check_known(tool.name, mapping, arguments)
    return _meaning(
        action=f"{server.name}/{mapping.action}",
        resource=_resource(mapping.resource, arguments),
        money=None if mapping.money is None else _money(mapping.money, arguments),
        consequential=tool.consequential,
        tool=tool,
    )


def action_of_tool(server: Server, tool: Tool) -> str:
    """The action that a call of this tool would be, for lists."""
    return f"{server.name}/{tool.name if tool.mapping is None else tool.mapping.action}"


def resolve(pointer: str, document: Json) -> object:
    """Follow an RFC 6901 pointer; the private mark `_ABSENT` if it leads nowhere."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~") if "~" in step else step
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and _INDEX.fullmatch(name) and int(name) < len(document):
            document = document[int(name)]
        else:
            return _ABSENT
    return document


_INDEX = re.compile(r"0|[1-9][0-9]{0,5}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_NO_CENTS = {
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"),
    *("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
}
_MILLS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}


def _unmapped(server: Server, tool: Tool) -> Meaning:
    if tool.consequential:
        raise ArgumentsUnmapped(f"tool `{tool.name}` has consequences and no mapping, so it can't be called")
    return Meaning(
        action=action_of_tool(server, tool),
        resource=Resource(type="Tool", id=tool.name),
        money=None,
        consequential=False,
        tool=tool,
    )


def _check_known(name: str, mapping: ToolMapping, arguments: JsonObject) -> None:
    known = _top_names(mapping.arguments)
    for argument in arguments:
        if argument not in known:
            raise ArgumentsUnmapped(f"argument `/{argument}` of `{name}` is not in the tool's mapping")


@lru_cache(maxsize=4096)
def _top_names(pointers: tuple[str, ...]) -> frozenset[str]:
    """The top-level members that pointers lead into."""
    return frozenset(pointer.split("/")[1].replace("~1", "/").replace("~0", "~") for pointer in pointers)


def _resource(mapping: ResourceMapping, arguments: JsonObject) -> Resource:
    if not mapping.pointer:
        return Resource(type=mapping.type, id=mapping.fixed)
    return _resource_of(type=mapping.type, id=_text(mapping.pointer, arguments))


def _text(pointer: str, arguments: JsonObject) -> str:
    value = resolve(pointer, arguments)
    if isinstance(value, str) and value:
        return _storable(value, f"argument `{pointer}`")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ArgumentsUnmapped(f"argument `{pointer}` must name the resource, as a text or an integer")


def _storable(name: str, where: str) -> str:
    if len(name) > LONGEST_RESOURCE:
        raise ArgumentsUnmapped(
            f"{where} names a resource by {len(name)} characters, the limit is {LONGEST_RESOURCE}"
        )
    if "\0" in name:
        # PostgreSQL's text can't hold it, SQLite's can: refused here, the same for both.
        raise ArgumentsUnmapped(f"{where} names a resource by a NUL character")
    return name


def _completed(params: JsonObject) -> Resource:
    """Completion of a prompt's or a template's argument is judged as use of that prompt or template."""
    ref = params.get("ref")
    if isinstance(ref, dict):
        for kind, label, member in (
            ("ref/prompt", PROMPT_TYPE, "name"),
            ("ref/resource", RESOURCE_TYPE, "uri"),
        ):
            name = ref.get(member)
            if ref.get("type") == kind and isinstance(name, str):
                return Resource(type=label, id=_storable(name, "`ref`"))
    raise ArgumentsUnmapped("`ref` names neither a prompt nor a resource")


def _money(mapping: MoneyMapping, arguments: JsonObject) -> Money:
    currency = resolve(mapping.currency, arguments) if mapping.currency else mapping.fixed_currency
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise ArgumentsUnmapped("currency must be three capital letters (ISO 4217)")
    text = _amount_text(resolve(mapping.amount, arguments))
    if text is None:
        raise ArgumentsUnmapped(
            f"argument `{mapping.amount}` must be an amount of at most 12 digits, not negative"
        )
    exponent = 0 if currency in _NO_CENTS else 3 if currency in _MILLS else 2
    minor = Decimal(text).scaleb(exponent)
    if minor != minor.to_integral_value():
        raise ArgumentsUnmapped(f"`{text}` {currency} is no whole number of the smallest coin")
    return Money(currency=currency, minor=int(minor))


def _amount_text(value: object) -> str | None:
    """A decimal as written; a JSON number by its shortest form. Never negative, never an exponent."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        text = value if isinstance(value, str) else format(Decimal(str(value)), "f")
    except InvalidOperation:
        return None
    return text if _AMOUNT.fullmatch(text) else None
