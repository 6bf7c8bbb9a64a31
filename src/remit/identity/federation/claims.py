"""Claims of foreign assertions: what each one is called, where it stands, and what it is good for."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from remit.identity.federation.errors import AssertionRejected
from remit.kernel.canonical import Json, JsonObject


class Need(StrEnum):
    """What an assertion without the claim, and a rule that names it, are worth."""

    REQUIRED = "required"
    """An assertion without it is refused; rules may name it."""
    OPTIONAL = "optional"
    """Rules may name it; then an assertion must have it."""
    IGNORED = "ignored"
    """Whoever runs the workload chooses it, or it changes under the same identity: no rule may name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One row of a profile's claims table.

    `path` is where it stands, member by member; a rule calls it `name`. `shapes` are the patterns with a
    wildcard that it admits (see `conditions`): without one, only whole values are compared.
    """

    name: str
    need: Need
    path: tuple[str, ...]
    shapes: tuple[str, ...] = ()


def claim(name: str, need: Need, *, path: tuple[str, ...] = (), shapes: tuple[str, ...] = ()) -> Claim:
    """Make a row; without `path` the claim stands at the top under its own name."""
    return Claim(name=name, need=need, path=path or (name,), shapes=shapes)


def text_of(members: JsonObject, row: Claim) -> str:
    """Give a claim as the text that rules compare; empty if it is absent.

    Whole numbers are written in decimal, flags as `true` and `false`; another type is refused, as no two
    readers would compare it alike.
    """
    found: Json = members
    for step in row.path:
        found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int):
        return str(found)
    if found is None:
        return ""
    if isinstance(found, str) and found.isprintable():
        return found
    raise AssertionRejected(6, "claim_malformed", debug=f"`{row.name}` is not printable text")
