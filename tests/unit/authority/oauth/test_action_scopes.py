"""Scopes that name actions: what they leave of a ceiling, and what a renewal may carry."""

import pytest

from remit.authority.oauth.wire.action_scopes import broad, named_in, narrowed, renewed, scope_of, split
from remit.authority.oauth.wire.errors import InvalidScope
from remit.authority.oauth.wire.scopes import Scope
from remit.authority.rights import Right
from support.decisions import ceiling

READ, BOOK = "mcp:rooms.read", "mcp:rooms.book"
NONE: frozenset[Scope] = frozenset()


def of(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_names_of_actions_are_told_from_all_others() -> None:
    assert split(f"mcp {READ} remit.act") == ("mcp remit.act", of(READ))
    for odd in ("mcp:", "mcp:.x", "mcp:a/b", "MCP:a", "mcp:a\n", "mcp:" + "a" * 129):
        assert named_in([odd]) == of()
    assert scope_of("business/rooms.read") == READ
    with pytest.raises(InvalidScope):
        split(" ".join(f"mcp:a{number}" for number in range(65)))


def test_a_ceiling_keeps_what_is_named_and_nothing_else() -> None:
    rights = frozenset(
        Right(action=f"business/{name}", resource_type="Room", resources="any")
        for name in ("rooms.read", "rooms.book")
    )
    whole = ceiling(*rights)
    assert {right.action for right in narrowed(whole, of(READ), "business").rights} == {"business/rooms.read"}
    assert narrowed(whole, of(READ, "mcp"), "business") == whole
    assert narrowed(whole, of("mcp"), "business") == whole
    with pytest.raises(InvalidScope):
        narrowed(whole, of(READ, "mcp:rooms.burn"), "business")
    with pytest.raises(InvalidScope):
        narrowed(whole, of(READ), "mail")


@pytest.mark.attack("RT-03")
def test_a_renewal_carries_no_more_than_the_family_holds() -> None:
    mcp = frozenset({Scope.MCP})
    assert renewed(NONE, of(), of(READ, BOOK)) == of(READ, BOOK)
    assert renewed(NONE, of(READ), of(READ, BOOK)) == of(READ)
    assert renewed(NONE, of(READ), of("mcp")) == of(READ)
    assert renewed(mcp, of(READ), of("mcp")) == of("mcp")
    assert renewed(NONE, of(), of("mcp")) == of("mcp")
    for asked, named, held in (
        (mcp, of(), of(READ)),
        (NONE, of(BOOK), of(READ)),
        (frozenset({Scope.ACT}), of(READ), of("mcp")),
        (NONE, of(READ), of("remit.act")),
    ):
        with pytest.raises(InvalidScope):
            renewed(asked, named, held)


def test_by_their_kind_they_are_all_of_the_gateway() -> None:
    assert broad([READ, BOOK]) == {Scope.MCP}
    assert broad(["remit.act"]) == {Scope.ACT}
