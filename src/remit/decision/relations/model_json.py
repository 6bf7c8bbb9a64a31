"""Models in OpenFGA's JSON, read strictly and written as OpenFGA writes them."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from remit.decision.relations.errors import ModelFault, ModelRefused
from remit.decision.relations.model import (
    AuthorizationModel,
    ComputedUserset,
    ConditionDefinition,
    Difference,
    Intersection,
    Parameter,
    ParameterKind,
    ParameterType,
    RelationDefinition,
    Rewrite,
    This,
    TupleToUserset,
    TypeDefinition,
    Union,
    UserType,
)
from remit.kernel.canonical import Json, JsonObject

DEPTH: Final = 32
_PREFIX: Final = "TYPE_NAME_"
_Object: TypeAlias = Mapping[str, Json]
_IGNORED: Final = frozenset({"id", "metadata", "source_info", "module"})


def read_model(data: Json) -> AuthorizationModel:
    """A model from its JSON; raises `ModelRefused`. Whether it makes sense is not looked at here."""
    whole = _object(data, "the model")
    _known(whole, "the model", {"schema_version", "type_definitions", "conditions"})
    return AuthorizationModel(
        schema_version=_text(whole, "schema_version", "the model"),
        types=tuple(_type(item) for item in _list(whole, "type_definitions", "the model")),
        conditions=tuple(
            _condition(name, item) for name, item in _members(whole, "conditions", "the model").items()
        ),
    )


def _type(data: Json) -> TypeDefinition:
    found = _object(data, "a type definition")
    name = _text(found, "type", "a type definition")
    place = f"type `{name}`"
    _known(found, place, {"type", "relations"})
    about = _members(_members(found, "metadata", place), "relations", f"metadata of {place}")
    relations = _members(found, "relations", place)
    for extra in about:
        if extra not in relations:
            raise _refused(f"metadata of {place} names relation `{extra}`, which it has not")
    return TypeDefinition(
        name=name,
        relations=tuple(_relation(name, key, item, about.get(key)) for key, item in relations.items()),
    )


def _relation(kind: str, name: str, data: Json, about: Json) -> RelationDefinition:
    place = f"relation `{kind}#{name}`"
    users = [] if about is None else _list(_object(about, place), "directly_related_user_types", place)
    return RelationDefinition(
        name=name,
        rewrite=_rewrite(data, place, DEPTH),
        user_types=tuple(_user_type(item, place) for item in users),
    )


def _user_type(data: Json, place: str) -> UserType:
    found = _object(data, f"a user type of {place}")
    _known(found, f"a user type of {place}", {"type", "relation", "wildcard", "condition"})
    if found.get("relation") == "":
        raise _refused(f"a user type of {place} has an empty relation reference")
    return UserType(
        type=_text(found, "type", f"a user type of {place}"),
        relation=_text(found, "relation", place, default=""),
        wildcard=found.get("wildcard") is not None,
        condition=_text(found, "condition", place, default=""),
    )


def _rewrite(data: Json, place: str, depth: int) -> Rewrite:
    if depth == 0:
        raise _refused(f"{place} is nested deeper than {DEPTH}")
    found = {key: value for key, value in _object(data, place).items() if value is not None}
    if len(found) != 1:
        raise _refused(f"{place} must be defined by exactly one rewrite, not {len(found)}")
    ((word, body),) = found.items()
    match word:
        case "this":
            return This()
        case "computedUserset" | "computed_userset":
            return ComputedUserset(relation=_text(_object(body, place), "relation", place))
        case "tupleToUserset" | "tuple_to_userset":
            return _through(_object(body, place), place)
        case "union":
            return Union(children=_children(body, place, depth))
        case "intersection":
            return Intersection(children=_children(body, place, depth))
        case "difference":
            both = _object(body, place)
            return Difference(
                base=_rewrite(both.get("base"), place, depth - 1),
                subtract=_rewrite(both.get("subtract"), place, depth - 1),
            )
        case _:
            raise _refused(f"{place} has an unknown rewrite `{word[:80]}`")


def _through(body: _Object, place: str) -> TupleToUserset:
    computed = body.get("computedUserset", body.get("computed_userset"))
    return TupleToUserset(
        tupleset=_text(_object(body.get("tupleset"), place), "relation", place),
        computed=_text(_object(computed, place), "relation", place),
    )


def _children(body: Json, place: str, depth: int) -> tuple[Rewrite, ...]:
    return tuple(_rewrite(child, place, depth - 1) for child in _list(_object(body, place), "child", place))


def _condition(name: str, data: Json) -> ConditionDefinition:
    place = f"condition `{name}`"
    found = _object(data, place)
    _known(found, place, {"name", "expression", "parameters"})
    if _text(found, "name", place) != name:
        raise _refused(f"condition key `{name}` does not match condition name `{found.get('name')}`")
    parameters = _members(found, "parameters", place)
    return ConditionDefinition(
        name=name,
        expression=_text(found, "expression", place),
        parameters=tuple(
            Parameter(name=key, type=_kind(item, place, DEPTH)) for key, item in parameters.items()
        ),
    )


def _kind(data: Json, place: str, depth: int) -> ParameterType:
    found = _object(data, place)
    text = _text(found, "type_name", place)
    word = text.removeprefix(_PREFIX).lower()
    if depth == 0 or not text.startswith(_PREFIX) or word not in set(ParameterKind):
        raise _refused(f"{place} has a parameter of the unknown type `{text[:80]}`")
    kind = ParameterKind(word)
    inner = _list(found, "generic_types", place)
    if len(inner) != (1 if kind.generic else 0):
        raise _refused(f"{place}: a parameter of type `{word}` holds {len(inner)} types")
    return ParameterType(kind=kind, of=_kind(inner[0], place, depth - 1) if inner else None)


def _refused(sentence: str) -> ModelRefused:
    return ModelRefused((ModelFault(sentence=sentence),))


def _object(data: Json, place: str) -> _Object:
    if not isinstance(data, dict):
        raise _refused(f"{place} must be a JSON object")
    return data


def _known(found: _Object, place: str, members: set[str]) -> None:
    for key in found:
        if key not in members | _IGNORED:
            raise _refused(f"{place} has an unknown member `{key[:80]}`")


def _text(found: _Object, key: str, place: str, default: str | None = None) -> str:
    value = found.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise _refused(f"{place}: `{key}` must be a string")
    return value


def _list(found: _Object, key: str, place: str) -> list[Json]:
    value = found.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _refused(f"{place}: `{key}` must be a list")
    return value


def _members(found: _Object, key: str, place: str) -> _Object:
    value = found.get(key)
    return {} if value is None else _object(value, f"`{key}` of {place}")


def write_model(model: AuthorizationModel) -> JsonObject:
    """A model as OpenFGA's JSON, without its id."""
    return {
        "schema_version": model.schema_version,
        "type_definitions": [_type_json(kind) for kind in model.types],
        "conditions": {found.name: _condition_json(found) for found in model.conditions},
    }


def _type_json(kind: TypeDefinition) -> JsonObject:
    about: JsonObject = {
        found.name: {"directly_related_user_types": [_user_type_json(user) for user in found.user_types]}
        for found in kind.relations
    }
    return {
        "type": kind.name,
        "relations": {found.name: rewrite_json(found.rewrite) for found in kind.relations},
        "metadata": {"relations": about} if about else None,
    }


def _user_type_json(user: UserType) -> JsonObject:
    said: JsonObject = {"type": user.type}
    if user.relation:
        said["relation"] = user.relation
    if user.wildcard:
        said["wildcard"] = {}
    if user.condition:
        said["condition"] = user.condition
    return said


def rewrite_json(part: Rewrite) -> JsonObject:
    """One rewrite as OpenFGA's JSON."""
    match part:
        case This():
            return {"this": {}}
        case ComputedUserset():
            return {"computedUserset": {"relation": part.relation}}
        case TupleToUserset():
            return {
                "tupleToUserset": {
                    "tupleset": {"relation": part.tupleset},
                    "computedUserset": {"relation": part.computed},
                }
            }
        case Union():
            return {"union": {"child": [rewrite_json(child) for child in part.children]}}
        case Intersection():
            return {"intersection": {"child": [rewrite_json(child) for child in part.children]}}
        case Difference():
            return {"difference": {"base": rewrite_json(part.base), "subtract": rewrite_json(part.subtract)}}


def _condition_json(found: ConditionDefinition) -> JsonObject:
    return {
        "name": found.name,
        "expression": found.expression,
        "parameters": {parameter.name: _kind_json(parameter.type) for parameter in found.parameters},
    }


def _kind_json(kind: ParameterType) -> JsonObject:
    said: JsonObject = {"type_name": _PREFIX + kind.kind.name}
    if kind.of is not None:
        said["generic_types"] = [_kind_json(kind.of)]
    return said
