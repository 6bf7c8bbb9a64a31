"""Answers about relations as OpenFGA writes them."""

from datetime import datetime
from typing import Final

from remit.decision.relation_repository import (
    DatedChange,
    RelationStore,
    StoredModel,
    StoredTuple,
)
from remit.decision.relations.errors import FgaCode, RelationError
from remit.decision.relations.query import (
    AllOf,
    AnyOf,
    ButNot,
    Computed,
    Expansion,
    Listing,
    Through,
    Users,
)
from remit.decision.relations.tuples import RelationTuple, split_user
from remit.kernel.canonical import Json, JsonObject
from remit.kernel.errors import RemitError
from remit.surface.web.errors import status_of

_AUTHENTICATION: Final = {
    "oauth_missing_token": "bearer_token_missing",
    "oauth_invalid_token": "auth_failed_invalid_bearer_token",
}


def refusal(error: RemitError) -> tuple[int, JsonObject]:
    """Status and body of a refusal: OpenFGA's code where it has one for it."""
    if isinstance(error, RelationError):
        return error.fga.status, {"code": error.fga.value, "message": error.hint}
    status = status_of(error)
    if error.kind == "unauthenticated":
        return status, {"code": _AUTHENTICATION.get(error.code, "unauthenticated"), "message": error.hint}
    if error.kind == "forbidden":
        return status, {"code": "forbidden", "message": error.hint}
    if error.kind in {"invalid", "conflict"}:
        return 400, {"code": FgaCode.VALIDATION_ERROR.value, "message": error.hint}
    if error.kind == "internal":
        return status, {"code": "internal_error", "message": "the request failed here"}
    return status, {"code": error.code, "message": error.hint}


def instant(at: datetime) -> str:
    """RFC 3339, in UTC."""
    return at.isoformat().replace("+00:00", "Z")


def store(found: RelationStore) -> JsonObject:
    """One store."""
    return {
        "id": found.id,
        "name": found.name,
        "created_at": instant(found.created_at),
        "updated_at": instant(found.updated_at),
    }


def model(found: StoredModel) -> JsonObject:
    """One model."""
    return {"id": found.id, **found.body}


def tuple_key(found: RelationTuple) -> JsonObject:
    """One tuple."""
    key: JsonObject = {"user": found.user, "relation": found.relation, "object": found.object}
    if found.condition is not None:
        key["condition"] = {"name": found.condition.name, "context": dict(found.condition.context)}
    return key


def stored(found: StoredTuple) -> JsonObject:
    """One tuple, with when it was written."""
    return {"key": tuple_key(found.tuple), "timestamp": instant(found.at)}


def change(found: DatedChange) -> JsonObject:
    """One change."""
    made = found.change
    operation = "TUPLE_OPERATION_WRITE" if made.written else "TUPLE_OPERATION_DELETE"
    return {"tuple_key": tuple_key(made.tuple), "operation": operation, "timestamp": instant(found.at)}


def objects(found: Listing) -> JsonObject:
    """A list of objects; what may lack something says so, beyond what OpenFGA says."""
    return {"objects": list(found.items), **_partial(found)}


def users(found: Listing) -> JsonObject:
    """A list of users."""
    return {"users": [_user(each) for each in found.items], **_partial(found)}


def _partial(found: Listing) -> JsonObject:
    return {} if found.complete else {"complete": False}


def _user(text: str) -> JsonObject:
    user = split_user(text)
    if user.wildcard:
        return {"wildcard": {"type": user.type}}
    if user.relation:
        return {"userset": {"type": user.type, "id": user.id, "relation": user.relation}}
    return {"object": {"type": user.type, "id": user.id}}


def tree(found: Expansion) -> JsonObject:
    """A node of the tree that Expand answers with."""
    match found:
        case Users():
            return _leaf(found.name, {"users": {"users": list(found.users)}})
        case Computed():
            return _leaf(found.name, {"computed": {"userset": found.userset}})
        case Through():
            reached: list[Json] = [{"userset": each} for each in found.computed]
            return _leaf(found.name, {"tupleToUserset": {"tupleset": found.tupleset, "computed": reached}})
        case AnyOf():
            return {"name": found.name, "union": {"nodes": [tree(each) for each in found.nodes]}}
        case AllOf():
            return {"name": found.name, "intersection": {"nodes": [tree(each) for each in found.nodes]}}
        case ButNot():
            both: JsonObject = {"base": tree(found.base), "subtract": tree(found.subtract)}
            return {"name": found.name, "difference": both}


def _leaf(name: str, what: JsonObject) -> JsonObject:
    return {"name": name, "leaf": what}
