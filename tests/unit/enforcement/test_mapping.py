from typing import Any

import pytest

from remit.authority.rights import Money
from remit.enforcement.mcp.mapping import (
    LONGEST_RESOURCE,
    ArgumentsUnmapped,
    meaning_of_method,
    meaning_of_tool,
    resolve,
)
from remit.identity.tools import (
    MoneyMapping,
    Pin,
    ResourceMapping,
    Server,
    Tool,
    ToolMapping,
    Transport,
)
from remit.kernel.canonical import Json
from remit.kernel.ids import ServerId, TenantId, ToolId
from support.clock import NOON

SERVER = Server(id=ServerId("srv_1"), tenant=TenantId("default"), name="shop", transport=Transport.HTTP)


def tool(mapping: ToolMapping | None, *, consequential: bool = True) -> Tool:
    return Tool(
        id=ToolId("tol_1"),
        tenant=TenantId("default"),
        server=SERVER.id,
        name="refund",
        definition="{}",
        digest="",
        pin=Pin.APPROVED,
        consequential=consequential,
        mapping=mapping,
        pinned_at=NOON,
    )


def refund(**changes: Any) -> ToolMapping:
    plain: dict[str, Any] = {
        "action": "refunds.create",
        "resource": ResourceMapping(type="Order", pointer="/order"),
        "arguments": ("/order", "/amount", "/currency", "/a~1b"),
        "money": MoneyMapping(amount="/amount", currency="/currency"),
    }
    return ToolMapping(**{**plain, **changes})


def meaning(**arguments: Any) -> Any:
    return meaning_of_tool(SERVER, tool(refund()), arguments)


@pytest.mark.req("N14")
def test_arguments_name_action_resource_and_money() -> None:
    found = meaning(order="8812", amount="480.00", currency="EUR")
    assert (found.action, found.resource.type, found.resource.id) == ("shop/refunds.create", "Order", "8812")
    assert found.money == Money(currency="EUR", minor=48_000)
    assert meaning(order=8812, amount=480, currency="EUR").resource.id == "8812"


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("0.01", "EUR", 1),
        (0.1, "EUR", 10),
        (35, "JPY", 35),
        ("1.234", "KWD", 1234),
        ("999999999999", "EUR", 99_999_999_999_900),
        (1e3, "EUR", 100_000),
    ],
)
def test_money_is_whole_in_the_smallest_coin(amount: Any, currency: str, minor: int) -> None:
    assert meaning(order="1", amount=amount, currency=currency).money == Money(currency=currency, minor=minor)


@pytest.mark.attack("CA-19")
@pytest.mark.parametrize(
    "amount",
    [
        "-1",
        -1,
        "1e9",
        "NaN",
        "Infinity",
        "",
        " 1",
        "1 ",
        "+1",
        "0x10",
        "1.005",
        "१",
        True,
        None,
        [],
        {},
        "1,5",
        "9999999999999",
        1e30,
    ],
)
def test_an_amount_that_could_be_read_in_two_ways_is_refused(amount: Any) -> None:
    with pytest.raises(ArgumentsUnmapped):
        meaning(order="1", amount=amount, currency="EUR")


@pytest.mark.parametrize("currency", ["eur", "EURO", "", None, 978, "EU\u0420"])
def test_a_currency_is_three_capital_letters(currency: Any) -> None:
    with pytest.raises(ArgumentsUnmapped):
        meaning(order="1", amount="1", currency=currency)


@pytest.mark.req("N14")
@pytest.mark.parametrize("order", [None, "", True, 1.5, [], {}, ["8812"]])
def test_a_resource_must_be_named_by_text_or_integer(order: Any) -> None:
    with pytest.raises(ArgumentsUnmapped):
        meaning(order=order, amount="1", currency="EUR")


@pytest.mark.req("N14")
@pytest.mark.attack("CA-09")
@pytest.mark.attack("AU-08")
@pytest.mark.promise("P13")
def test_a_resource_is_named_by_so_many_characters_at_most() -> None:
    for char in ("x", "\x01", "\U0001f511"):
        longest = char * LONGEST_RESOURCE
        assert meaning(order=longest, amount="1", currency="EUR").resource.id == longest
        with pytest.raises(ArgumentsUnmapped, match="2049 characters, the limit is 2048"):
            meaning(order=longest + char, amount="1", currency="EUR")
        with pytest.raises(ArgumentsUnmapped):
            meaning_of_method(SERVER, "resources/read", {"uri": longest + char})
        ref: Json = {"type": "ref/prompt", "name": longest + char}
        with pytest.raises(ArgumentsUnmapped):
            meaning_of_method(SERVER, "completion/complete", {"ref": ref})


@pytest.mark.attack("AU-08")
def test_a_resource_that_one_store_could_not_name_is_refused_for_both() -> None:
    with pytest.raises(ArgumentsUnmapped, match="NUL"):
        meaning(order="a\0b", amount="1", currency="EUR")


def test_an_argument_outside_the_mapping_refuses_a_consequential_tool_only() -> None:
    money = {"amount": "1", "currency": "EUR"}
    for name in ("notify", "__proto__", "order.id", "/order", "Order", "a~1b"):
        with pytest.raises(ArgumentsUnmapped):
            meaning(order="1", **money, **{name: "x"})
    assert meaning(order="1", **money, **{"a/b": "x"})
    harmless = tool(refund(money=None), consequential=False)
    assert meaning_of_tool(SERVER, harmless, {"order": "1", "notify": "x"}).resource.id == "1"


def test_a_tool_without_mapping_is_itself_the_resource_unless_it_has_consequences() -> None:
    found = meaning_of_tool(SERVER, tool(None, consequential=False), {})
    assert (found.action, found.resource.type, found.resource.id) == ("shop/refund", "Tool", "refund")
    with pytest.raises(ArgumentsUnmapped):
        meaning_of_tool(SERVER, tool(None), {})


@pytest.mark.attack("CA-09")
@pytest.mark.spec("RFC 6901", "4")
def test_pointers_name_literal_members() -> None:
    document: Any = {"a.b": 1, "a": {"b": 2, "": 3}, "m~n": 4, "k/l": 5, "list": [6, 7], "01": 8}
    assert [resolve(p, document) for p in ("/a.b", "/a/b", "/a/", "/m~0n", "/k~1l", "/list/1", "/01")] == [
        *(1, 2, 3, 4, 5, 7, 8)
    ]
    absent = resolve("/nothing", document)
    for pointer in ("/list/01", "/list/-1", "/list/2", "/list/-", "/a/b/c", "/A", "/constructor"):
        assert resolve(pointer, document) is absent


@pytest.mark.req("R128")
def test_completion_is_judged_as_use_of_what_it_completes() -> None:
    found = meaning_of_method(
        SERVER, "completion/complete", {"ref": {"type": "ref/resource", "uri": "doc://{x}"}}
    )
    assert (found.action, found.resource.type, found.resource.id) == (
        "shop/completion.complete",
        "Resource",
        "doc://{x}",
    )
    refs: list[Json] = [None, {}, {"type": "ref/tool", "name": "x"}, {"type": "ref/prompt", "name": 1}]
    for ref in refs:
        with pytest.raises(ArgumentsUnmapped):
            meaning_of_method(SERVER, "completion/complete", {"ref": ref})
    with pytest.raises(ArgumentsUnmapped):
        meaning_of_method(SERVER, "resources/read", {})
