"""Guards that guard nothing: `has` with a name that the schema does not have.

Cedar takes `context.arguments has amuont` for a plain `false`, and lets the policy pass. A forbid behind
such a guard would never apply, and nobody would be told (N7: a typing error fails validation).
"""

from collections.abc import Iterator

from cedarpy import pst

from remit.decision.policy.schema import NAMESPACE
from remit.decision.policy.tree import path_of, walk
from remit.kernel.canonical import Json, JsonObject


def misnamed(node: pst.Template, schema: JsonObject) -> Iterator[str]:
    """What a policy asks for with `has` and no action that it is about ever has."""
    for part in walk(node.clauses):
        if not isinstance(part, pst.HasAttr):
            continue
        path = path_of(part.base)
        if path is not None:
            wanted = (*path, *part.attrs)
            if not any(_is_there(context, wanted) for context in _contexts(node, schema)):
                yield f"`context.{'.'.join(wanted)}` is in no action that this policy is about"
        elif part.base == pst.Var("principal"):
            missing = [name for name in part.attrs[:1] if name not in _principal(schema)]
            yield from (f"`principal.{name}` is no attribute of any principal" for name in missing)


def _contexts(node: pst.Template, schema: JsonObject) -> Iterator[Json]:
    """The context types of the actions in a policy's scope; all of them where a group is named."""
    actions = _at(schema, NAMESPACE, "actions")
    named: list[str] = []
    match node.action:
        case pst.ActionEq(entity=entity):
            named = [entity.id]
        case pst.ActionIn(entities=entities):
            named = [entity.id for entity in entities]
        case _:
            pass
    if isinstance(actions, dict):
        grouped = any(_at(actions, name, "appliesTo") is None for name in named)
        for name in actions if grouped or not named else named:
            yield _at(actions, name, "appliesTo", "context")


def _is_there(context: Json, path: tuple[str, ...]) -> bool:
    for name in path:
        context = _at(context, "attributes", name)
    return context is not None


def _principal(schema: JsonObject) -> JsonObject:
    found = _at(schema, NAMESPACE, "entityTypes", "Agent", "shape", "attributes")
    return found if isinstance(found, dict) else {}


def _at(value: Json, *steps: str) -> Json:
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value
