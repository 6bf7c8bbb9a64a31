"""Whether a tuple fits a model: what OpenFGA asks of a tuple before it is written (`internal/validation`)."""

import msgspec

from remit.decision.relations.conditions import Condition
from remit.decision.relations.errors import (
    ConditionInvalid,
    RelationUnknown,
    RequestInvalid,
    TupleInvalid,
    TypeUnknown,
)
from remit.decision.relations.model import UserType
from remit.decision.relations.parameters import Misfit, typed
from remit.decision.relations.tuples import (
    CONTEXT_BYTES,
    RelationTuple,
    User,
    is_object,
    is_relation,
    is_user,
    malformed,
    split_object,
    split_user,
)
from remit.decision.relations.typesystem import TypeSystem
from remit.kernel.canonical import Json


def admit(system: TypeSystem, found: RelationTuple) -> None:
    """Nothing, if a request may bring the tuple along; raises `TupleInvalid` or `ConditionInvalid`."""
    if fault := malformed(found):
        raise TupleInvalid(f"tuple `{found}`: {fault}")
    user = split_user(found.user)
    kind, _ = split_object(found.object)
    try:
        _known_user(system, user)
        relation = system.relation(kind, found.relation)
    except (TypeUnknown, RelationUnknown) as error:
        raise TupleInvalid(f"tuple `{found}`: {error.hint}") from error
    if not relation.user_types:
        raise TupleInvalid(
            f"tuple `{found}`: `{kind}#{found.relation}` is not assignable, it follows from others"
        )
    shaped = [it for it in relation.user_types if _shape(it) == shape_of(user)]
    if not shaped:
        allowed = ", ".join(f"`{it}`" for it in relation.user_types)
        raise TupleInvalid(
            f"tuple `{found}`: its user is not one of {allowed} that `{kind}#{found.relation}` takes"
        )
    _condition(system, found, shaped)


def admit_write(system: TypeSystem, found: RelationTuple) -> None:
    """Nothing, if the tuple may be written; besides what `admit` refuses, one that holds of itself."""
    try:
        admit(system, found)
    except TupleInvalid as error:
        # What a request brings along is an `invalid_tuple` for OpenFGA, what it writes a `validation_error`.
        raise RequestInvalid(error.hint) from error
    if found.user == f"{found.object}#{found.relation}":
        raise RequestInvalid(f"tuple `{found}` is implicit: a userset has the relation that it is")


def fits(system: TypeSystem, found: RelationTuple) -> bool:
    """Whether a stored tuple still counts under this model; one that does not is as if it were not there."""
    try:
        admit(system, found)
    except (TupleInvalid, ConditionInvalid):
        return False
    return True


def admit_question(system: TypeSystem, *, user: str, relation: str, object_: str) -> None:
    """Nothing, if the three can be asked about; raises `RequestInvalid`."""
    if not is_user(user):
        raise RequestInvalid(f"user `{user[:80]}` is no object, userset or typed wildcard")
    if not is_object(object_) or object_.endswith(":*"):
        raise RequestInvalid(f"object `{object_[:80]}` has not the form `type:id`")
    if not is_relation(relation):
        raise RequestInvalid(f"relation `{relation[:80]}` is malformed")
    try:
        _known_user(system, split_user(user))
        system.relation(split_object(object_)[0], relation)
    except (TypeUnknown, RelationUnknown) as error:
        raise RequestInvalid(error.hint) from error


def _known_user(system: TypeSystem, user: User) -> None:
    system.relations(user.type)
    if user.relation:
        system.relation(user.type, user.relation)


def shape_of(user: User) -> tuple[str, str, bool]:
    """What type restrictions look at: type, relation of a userset, and whether it is everyone."""
    return (user.type, user.relation, user.wildcard)


def _shape(user: UserType) -> tuple[str, str, bool]:
    return (user.type, user.relation, user.wildcard)


def _condition(system: TypeSystem, found: RelationTuple, shaped: list[UserType]) -> None:
    allowed = {it.condition for it in shaped}
    given = found.condition
    if given is None or not given.name:
        if "" not in allowed:
            raise ConditionInvalid(f"tuple `{found}`: condition is missing")
        return
    condition = system.conditions.get(given.name)
    if condition is None:
        raise ConditionInvalid(f"tuple `{found}`: undefined condition `{given.name[:80]}`")
    if given.name not in allowed:
        raise ConditionInvalid(f"tuple `{found}`: invalid condition `{given.name}` for type restriction")
    _context(condition, found, dict(given.context))


def _context(condition: Condition, found: RelationTuple, context: dict[str, Json]) -> None:
    size = len(msgspec.json.encode(context))
    if size > CONTEXT_BYTES:
        raise ConditionInvalid(f"tuple `{found}`: its context has {size} bytes, of at most {CONTEXT_BYTES}")
    kinds = {parameter.name: parameter.type for parameter in condition.definition.parameters}
    for name, value in context.items():
        if name not in kinds:
            raise ConditionInvalid(f"tuple `{found}`: found invalid context parameter `{name[:80]}`")
        try:
            typed(kinds[name], value)
        except Misfit as error:
            raise ConditionInvalid(f"tuple `{found}`: context parameter `{name}`: {error}") from error
