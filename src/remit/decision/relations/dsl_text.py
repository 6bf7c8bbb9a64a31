"""A model written in OpenFGA's DSL, schema 1.1: what `dsl` reads back as the same model."""

import re
from typing import Final

from remit.decision.relations.errors import ModelFault, ModelRefused
from remit.decision.relations.model import (
    AuthorizationModel,
    ComputedUserset,
    ConditionDefinition,
    Difference,
    Intersection,
    Rewrite,
    This,
    TupleToUserset,
    TypeDefinition,
    Union,
    UserType,
)

_WORDS: Final = {Union: " or ", Intersection: " and ", Difference: " but not "}
_WRITABLE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-/.]*")


def write_dsl(model: AuthorizationModel) -> str:
    """A model as DSL; raises `ModelRefused` for a name that the DSL can't spell."""
    blocks = [f"model\n  schema {model.schema_version}"]
    blocks += [_type_text(kind) for kind in model.types]
    blocks += [_condition_text(found) for found in model.conditions]
    return "\n\n".join(blocks) + "\n"


def _spelled(name: str) -> str:
    if not _WRITABLE.fullmatch(name):
        raise ModelRefused((ModelFault(sentence=f"the DSL can't spell the name `{name}`"),))
    return name


def _type_text(kind: TypeDefinition) -> str:
    lines = [f"type {_spelled(kind.name)}"]
    if kind.relations:
        lines.append("  relations")
    for found in kind.relations:
        users = ", ".join(_user_type_text(user) for user in found.user_types)
        lines.append(
            f"    define {_spelled(found.name)}: {_rewrite_text(found.rewrite, f'[{users}]', bare=True)}"
        )
    return "\n".join(lines)


def _user_type_text(user: UserType) -> str:
    for name in (user.type, user.relation, user.condition):
        if name:
            _spelled(name)
    return str(user)


def _rewrite_text(part: Rewrite, direct: str, *, bare: bool = False) -> str:
    if isinstance(part, This):
        return direct
    if isinstance(part, ComputedUserset):
        return _spelled(part.relation)
    if isinstance(part, TupleToUserset):
        return f"{_spelled(part.computed)} from {_spelled(part.tupleset)}"
    word = _WORDS[type(part)]
    children = (part.base, part.subtract) if isinstance(part, Difference) else part.children
    text = word.join(_rewrite_text(child, direct) for child in children)
    return text if bare else f"({text})"


def _condition_text(found: ConditionDefinition) -> str:
    parameters = ", ".join(f"{_spelled(parameter.name)}: {parameter.type}" for parameter in found.parameters)
    return f"condition {_spelled(found.name)}({parameters}) {{\n  {found.expression}\n}}"
