"""The Cedar schema of administration: people, their roles, what there is to administer, and how they call."""

from typing import Final

from remit.decision.administration.actions import (
    CHANGES,
    NAMESPACE,
    PREFIX,
    READS,
    AdminAction,
    Catalogue,
    type_of,
)
from remit.kernel.canonical import Json, JsonObject

PRINCIPAL: Final = "User"
ROLE: Final = "Role"
WHOLE: Final = "Tenant"
"""The resource of an action that is about no single thing."""
_STRING: Final[JsonObject] = {"type": "String"}


def build_admin_schema(catalogue: Catalogue) -> JsonObject:
    """Lay out the schema, in Cedar's JSON format."""
    things = {type_of(noun) for noun in catalogue.nouns} | {WHOLE}
    person: JsonObject = {
        "memberOfTypes": [ROLE],
        "shape": {"type": "Record", "attributes": {"id": _STRING, "name": _STRING}},
    }
    groups: JsonObject = {
        name: {} for name in (READS, CHANGES, *(f"{PREFIX}{noun}" for noun in catalogue.nouns))
    }
    return {
        NAMESPACE: {
            "entityTypes": {**{name: {} for name in sorted(things)}, ROLE: {}, PRINCIPAL: person},
            "actions": {
                **groups,
                **{
                    each.name: {
                        "memberOf": _groups(each),
                        "appliesTo": {
                            "principalTypes": [PRINCIPAL],
                            "resourceTypes": _types(each),
                            "context": {"type": "Record", "attributes": _context()},
                        },
                    }
                    for each in catalogue.all()
                },
            },
        }
    }


def _groups(action: AdminAction) -> list[Json]:
    return [{"id": group} for group in action.groups]


def _types(action: AdminAction) -> list[Json]:
    return [*sorted({type_of(action.noun), WHOLE})]


def _context() -> JsonObject:
    optional: JsonObject = {"required": False}
    return {
        "own": {"type": "Boolean"},
        "channel": _STRING,
        "acr": {**_STRING, **optional},
        "auth_age": {"type": "Long", **optional},
        "network": {"type": "Extension", "name": "ipaddr", **optional},
        "time": {"type": "Extension", "name": "datetime"},
    }
