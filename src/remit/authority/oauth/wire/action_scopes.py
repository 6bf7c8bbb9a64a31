"""Scopes that name one action of an MCP server (`mcp:rooms.book`): how clients ask for less by scopes alone.

`mcp` stands for all of them, and whoever has it is never asked for one. What such a scope gives is a ceiling
like any other: the agent's own at that server, narrowed to the actions that are named.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from remit.authority.oauth.wire.errors import InvalidScope
from remit.authority.oauth.wire.scopes import COUNT_LIMIT, Scope, narrow
from remit.authority.rights import Ceiling

PREFIX: Final = "mcp:"
_FORM: Final = re.compile(r"mcp:[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def split(text: str) -> tuple[str, frozenset[str]]:
    """A list of scopes without those that name actions, and those. Raises `InvalidScope` for too many."""
    names = text.split(" ") if text else []
    if len(names) > COUNT_LIMIT:
        raise InvalidScope(
            f"{len(names)} scopes were asked, the limit is {COUNT_LIMIT}", reason="scope_too_many"
        )
    named = named_in(names)
    return " ".join(name for name in names if name not in named), named


def named_in(scopes: Iterable[str]) -> frozenset[str]:
    """Those that name actions."""
    return frozenset(name for name in scopes if _FORM.fullmatch(name))


def scope_of(action: str) -> str:
    """The scope that names an action."""
    return PREFIX + action.partition("/")[2]


def narrowed(ceiling: Ceiling, scopes: Iterable[str], server: str) -> Ceiling:
    """A ceiling within what scopes name; unchanged if they name no action, or hold `mcp`.

    Raises `InvalidScope` rather than granting less than was asked in silence.
    """
    asked = frozenset(scopes)
    named = named_in(asked)
    if not named or Scope.MCP in asked:
        return ceiling
    wanted = {f"{server}/{name.removeprefix(PREFIX)}" for name in named}
    rights = frozenset(right for right in ceiling.rights if right.action in wanted)
    missing = wanted - {right.action for right in rights}
    if missing:
        raise InvalidScope(
            f"`{scope_of(min(missing))}` is nothing that can be had there", reason="scope_widened"
        )
    return replace(ceiling, rights=rights)


def renewed(asked: frozenset[Scope], named: frozenset[str], held: frozenset[str]) -> frozenset[str]:
    """What a token of a family carries: what was asked, within what the family holds.

    INVARIANT: never more than `held` stands for. Raises `InvalidScope`.
    """
    had = named_in(held)
    if had:
        if asked or not named <= had:
            raise InvalidScope("a scope is more than what was shown allows", reason="scope_widened")
        return named or had
    whole = frozenset(Scope(name) for name in held)
    if not named:
        return narrow(asked, whole)
    if Scope.MCP not in whole or not asked <= whole:
        raise InvalidScope("a scope is more than what was shown allows", reason="scope_widened")
    return frozenset({Scope.MCP}) if Scope.MCP in asked else named


def broad(scopes: Iterable[str]) -> frozenset[Scope]:
    """Scopes by their kind alone: what an action's scope allows stands in the token's rights."""
    return frozenset(Scope.MCP if _FORM.fullmatch(name) else Scope(name) for name in scopes)
