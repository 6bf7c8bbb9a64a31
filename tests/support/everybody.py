"""People in every shipped role, and every operation of an installation with something to send to it."""

import re
from dataclasses import fields
from typing import Any

from remit.surface.web.api_v1 import Nouns
from remit.surface.web.nouns_assembly import nouns
from remit.surface.web.operation import Operation
from support.clients import Party
from support.house import House

ROLES = ("admin", "security", "operator", "reader", "developer", "approver", "approver-only", "audit-only")
_PART = re.compile(r"\{(\w+)\}")


async def everybody(house: House) -> dict[str, Party]:
    """Somebody in each role, and `nobody` in none."""
    found = {role: await house.person(f"in-{role}@company.com", roles=role) for role in ROLES}
    return {**found, "nobody": await house.person("nobody@company.com")}


class _Unbuilt:
    """Stands where a service would: a description may name its methods, and nothing may call them."""

    def __getattr__(self, _name: str) -> Any:
        return self

    def __call__(self, *_: Any, **__: Any) -> "_Unbuilt":
        return self


def declared() -> list[Operation[Any, Any]]:
    """Every operation as it is declared; none of them can be called."""
    found = {}
    for noun in fields(Nouns):
        routes: Any = noun.type
        found[noun.name] = routes(**{part.name: _Unbuilt() for part in fields(routes)})
    return Nouns(**found).operations()


def operations(house: House) -> list[Operation[Any, Any]]:
    """All of them, by name."""
    return sorted(nouns(house.services).operations(), key=lambda each: each.name)


def address(operation: Operation[Any, Any], **parts: str) -> str:
    """The path, with ids of nothing where none is given."""
    return _PART.sub(lambda found: parts.get(found[1], "none"), operation.path)
