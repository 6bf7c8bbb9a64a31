"""Cedar's typed syntax tree compiled into closures, once per published version.

Each closure does what Cedar's evaluator does with the node that it stands for: the same value or an error,
in the same order, stopping short where Cedar stops. There is no default: what is not known here is refused
when the text is admitted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from cedarpy import pst

from remit.decision.policy.operators import BINARY, UNARY, entity, members, refuse, text, truth
from remit.decision.policy.patterns import compile_pattern
from remit.decision.policy.values import Entities, Entity, EvaluationFailed, Uid, Value, key


class Context(Protocol):
    """The record `context`; an attribute is made when a policy looks at it."""

    def at(self, name: str) -> Value | None:
        """One attribute, None if there is none."""

    def whole(self) -> dict[str, Value]:
        """All of it, for a policy that takes it as a value."""


@dataclass(slots=True)
class Env:
    """What the variables of a policy stand for in one request."""

    principal: Uid
    action: Uid
    resource: Uid
    context: Context
    entities: Entities


Evaluated: TypeAlias = Callable[[Env], Value]


class Uncompilable(Exception):
    """A construct of the language that is not known here."""


def compile_condition(expression: pst.Expr, *, wanted: bool) -> tuple[Evaluated, ...]:
    """The conjuncts of a clause; each must be true, in order, for the clause to hold."""
    if not wanted:
        return (_negated(compile_expression(expression)),)
    return tuple(compile_expression(part) for part in _chain(expression, "and"))


def compile_expression(expression: pst.Expr) -> Evaluated:  # noqa: PLR0911, PLR0912, C901 — one per kind of node
    """One expression; raises `Uncompilable`."""
    match expression:
        case pst.BoolLit(value=value) | pst.LongLit(value=value) | pst.StringLit(value=value):
            return _constant(value)
        case pst.EntityLit(value=uid):
            return _constant(uid_of(uid))
        case pst.Var(name=name):
            return _VARIABLES[name]
        case pst.UnaryOp(op=op, arg=arg):
            return _unary(op, arg)
        case pst.BinaryOp(op=op, left=left, right=right):
            return _binary(op, left, right)
        case pst.GetAttr(base=base, attr=attr):
            return _from_context(attr) if base == _CONTEXT else _attribute(compile_expression(base), attr)
        case pst.HasAttr(base=base, attrs=attrs):
            return _has_path(base, attrs)
        case pst.Like(base=base, pattern=pattern):
            return _like(compile_expression(base), compile_pattern(pattern))
        case pst.Is(base=base, entity_type=kind, in_expr=within):
            return _is(compile_expression(base), str(kind), within)
        case pst.IfThenElse(cond=cond, then_expr=then, else_expr=other):
            return _choice(compile_expression(cond), compile_expression(then), compile_expression(other))
        case pst.Set(elements=elements):
            return _set(tuple(compile_expression(element) for element in elements))
        case pst.Record(fields=fields):
            return _record({name: compile_expression(value) for name, value in fields.items()})
        case _:
            raise Uncompilable(f"`{type(expression).__name__}` is not taken")


def uid_of(uid: object) -> Uid:
    """An entity that a policy names; raises `Uncompilable` for the slot of a template."""
    if not isinstance(uid, pst.EntityUid):
        raise Uncompilable("templates (`?principal`, `?resource`) are not taken")
    return Uid(str(uid.type), uid.id)


_CONTEXT: Final = pst.Var("context")
_VARIABLES: Final[dict[str, Evaluated]] = {
    "principal": lambda env: env.principal,
    "action": lambda env: env.action,
    "resource": lambda env: env.resource,
    "context": lambda env: env.context.whole(),
}


class _Constant:
    """A closure whose value is known, so that what is built of constants is built once."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __call__(self, _env: Env) -> Value:
        return self.value


def _constant(value: Value) -> Evaluated:
    return _Constant(value)


def _folded(made: Evaluated, *parts: Evaluated) -> Evaluated:
    """The value itself if nothing in it hangs on the request; an error stays an error of each evaluation."""
    if not all(isinstance(part, _Constant) for part in parts):
        return made
    try:
        return _Constant(made(NOBODY))
    except EvaluationFailed:
        return made


class _Void:
    """The context of no request."""

    def at(self, _name: str) -> None:
        return None

    def whole(self) -> dict[str, Value]:
        return {}


NOBODY: Final = Env(Uid("", ""), Uid("", ""), Uid("", ""), _Void(), {})


def _unary(op: str, arg: pst.Expr) -> Evaluated:
    inner = compile_expression(arg)
    if op == "not":
        return _negated(inner)
    if op not in UNARY:
        raise Uncompilable(f"operator `{op}` is not taken")
    apply = UNARY[op]
    return _folded(lambda env: apply(inner(env)), inner)


def _negated(inner: Evaluated) -> Evaluated:
    return lambda env: not truth(inner(env))


def _binary(op: str, left: pst.Expr, right: pst.Expr) -> Evaluated:  # noqa: PLR0911 — one per kind of operator
    match op:
        case "and" | "or":
            parts = [compile_expression(part) for part in (*_chain(left, op), *_chain(right, op))]
            return _all(tuple(parts)) if op == "and" else _any(tuple(parts))
        case "in":
            return _within(compile_expression(left), compile_expression(right))
        case "get_tag":
            return _tag(compile_expression(left), compile_expression(right))
        case "has_tag":
            return _has_tag(compile_expression(left), compile_expression(right))
        case "eq" | "not_eq" if isinstance(right, _PLAIN):
            return _same(compile_expression(left), right.value, wanted=op == "eq")
        case "eq" | "not_eq" if isinstance(left, _PLAIN):
            return _same(compile_expression(right), left.value, wanted=op == "eq")
        case _ if op in BINARY:
            return _strict(op, compile_expression(left), compile_expression(right))
        case _:
            raise Uncompilable(f"operator `{op}` is not taken")


_PLAIN: Final = (pst.StringLit, pst.LongLit, pst.BoolLit)


def _strict(op: str, left: Evaluated, right: Evaluated) -> Evaluated:
    apply = BINARY[op]
    return _folded(lambda env: apply(left(env), right(env)), left, right)


def _same(inner: Evaluated, wanted_value: Value, *, wanted: bool) -> Evaluated:
    """Comparison with a literal of one of the plain types."""
    kind = type(wanted_value)

    def same(env: Env) -> bool:
        value = inner(env)
        return (type(value) is kind and value == wanted_value) is wanted

    return same


def _chain(expression: pst.Expr, op: str) -> list[pst.Expr]:
    """The operands of a chain of `&&` or of `||`, however they are grouped: both are associative."""
    stack, found = [expression], []
    while stack:
        part = stack.pop()
        if isinstance(part, pst.BinaryOp) and part.op == op:
            stack += [part.right, part.left]
        else:
            found.append(part)
    return found


def _all(parts: tuple[Evaluated, ...]) -> Evaluated:
    def every(env: Env) -> bool:
        for part in parts:
            value = part(env)
            if value is not True:
                return truth(value)
        return True

    return every


def _any(parts: tuple[Evaluated, ...]) -> Evaluated:
    def some(env: Env) -> bool:
        for part in parts:
            value = part(env)
            if value is not False:
                return truth(value)
        return False

    return some


def _choice(cond: Evaluated, then: Evaluated, other: Evaluated) -> Evaluated:
    return lambda env: then(env) if truth(cond(env)) else other(env)


def _set(parts: tuple[Evaluated, ...]) -> Evaluated:
    return _folded(lambda env: frozenset([key(part(env)) for part in parts]), *parts)


def _record(parts: dict[str, Evaluated]) -> Evaluated:
    made = tuple(parts.items())
    return _folded(lambda env: {name: part(env) for name, part in made}, *parts.values())


def _like(inner: Evaluated, matches: Callable[[str], bool]) -> Evaluated:
    return lambda env: matches(text(inner(env)))


def _from_context(name: str) -> Evaluated:
    def attribute(env: Env) -> Value:
        value = env.context.at(name)
        return _missing(name) if value is None else value

    return attribute


def _attribute(base: Evaluated, name: str) -> Evaluated:
    def attribute(env: Env) -> Value:
        owner = base(env)
        value = owner.get(name) if type(owner) is dict else _known(env, owner).attributes.get(name)
        return _missing(name) if value is None else value

    return attribute


def _missing(name: str) -> Value:
    raise EvaluationFailed(f"no attribute or tag `{name}`")


def _known(env: Env, owner: Value) -> Entity:
    if type(owner) is not Uid:
        return refuse("record or entity")
    found = env.entities.get(owner)
    if found is None:
        raise EvaluationFailed("the entity does not exist")
    return found


def _has_path(base: pst.Expr, names: tuple[str, ...]) -> Evaluated:
    """`has a.b.c` is `has a`, then `a has b`, then `a.b has c`."""
    parts, inner = [], base
    for name in names:
        parts.append(_has_in_context(name) if inner == _CONTEXT else _has(compile_expression(inner), name))
        inner = pst.GetAttr(base=inner, attr=name)
    return parts[0] if len(parts) == 1 else _all(tuple(parts))


def _has_in_context(name: str) -> Evaluated:
    return lambda env: env.context.at(name) is not None


def _has(base: Evaluated, name: str) -> Evaluated:
    def has(env: Env) -> bool:
        owner = base(env)
        if type(owner) is dict:
            return name in owner
        if type(owner) is not Uid:
            refuse("record or entity")
        found = env.entities.get(owner)
        return found is not None and name in found.attributes

    return has


def _tag(base: Evaluated, name: Evaluated) -> Evaluated:
    def tag(env: Env) -> Value:
        owner, wanted = entity(base(env)), text(name(env))
        value = _known(env, owner).tags.get(wanted)
        return _missing(wanted) if value is None else value

    return tag


def _has_tag(base: Evaluated, name: Evaluated) -> Evaluated:
    def has(env: Env) -> bool:
        owner, wanted = entity(base(env)), text(name(env))
        found = env.entities.get(owner)
        return found is not None and wanted in found.tags

    return has


def _is(base: Evaluated, kind: str, within: pst.Expr | None) -> Evaluated:
    def typed(env: Env) -> bool:
        return entity(base(env)).type == kind

    return typed if within is None else _all((typed, _within(base, compile_expression(within))))


def _within(base: Evaluated, group: Evaluated) -> Evaluated:
    fixed = group.value if isinstance(group, _Constant) else None
    if type(fixed) is Uid:
        return _below(base, fixed)

    def within(env: Env) -> bool:
        one, groups = entity(base(env)), group(env)
        wanted = {groups} if type(groups) is Uid else {entity(each) for each in members(groups)}
        return one in wanted or not _above(env, one).isdisjoint(wanted)

    return within


def _below(base: Evaluated, group: Uid) -> Evaluated:
    def below(env: Env) -> bool:
        one = entity(base(env))
        return one == group or group in _above(env, one)

    return below


def _above(env: Env, uid: Uid) -> frozenset[Uid]:
    found = env.entities.get(uid)
    return frozenset() if found is None else found.ancestors
