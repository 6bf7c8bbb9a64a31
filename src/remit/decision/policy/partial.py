"""A policy evaluated on everything but the document: what is left is a condition on its id and tags.

Errors are part of it: in Cedar an expression holds, does not hold, or fails, and a policy that fails denies.
What has no form as a condition raises `Untranslatable`; whoever asks then takes the wider side and says so.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from cedarpy import pst

from remit.decision.answer.condition import (
    EVERY,
    NONE,
    Always,
    Condition,
    IdIn,
    TagIs,
    TagLike,
    TagThere,
    all_of,
    negation,
    size,
    some_of,
)
from remit.decision.policy.compile import Env, compile_expression
from remit.decision.policy.tree import path_of, takes_whole, walk
from remit.decision.policy.values import EvaluationFailed, Uid, Value

LIMIT: Final = 500
"""Parts of the condition of one policy."""
_RESOURCE: Final = pst.Var("resource")


class Untranslatable(Exception):
    """A construct that no condition can express."""


@dataclass(frozen=True, slots=True)
class Truth:
    """When an expression holds and when it fails; both at once is impossible."""

    holds: Condition
    fails: Condition = NONE

    @property
    def not_so(self) -> Condition:
        """When it neither holds nor fails."""
        return all_of((negation(self.holds), negation(self.fails)))


@dataclass(frozen=True, slots=True)
class _Given:
    """A value that hangs on no document."""

    value: Value


@dataclass(frozen=True, slots=True)
class _Tag:
    """The value of a tag; it fails where the tag is not there."""

    name: str


class _Document:
    """The document itself."""


class _Ident:
    """Its id."""


_Symbol: TypeAlias = Truth | _Given | _Tag | _Document | _Ident
_FAILS: Final = Truth(NONE, EVERY)


def condition_of(node: pst.Template, env: Env) -> Truth:
    """When a policy whose principal and action fit holds for a document, and when it fails."""
    found = Truth(_scope(node.resource, env))
    for clause in node.clauses:
        part = _truth(_symbol(clause.expr, env))
        found = _and(found, part if isinstance(clause, pst.When) else _negated(part))
    return found


def scope_of(node: pst.Template, env: Env) -> Condition:
    """The documents that the scope of a policy names."""
    return _scope(node.resource, env)


def _scope(limit: pst.PrincipalOrResourceConstraint, env: Env) -> Condition:
    match limit:
        case pst.ScopeAny():
            return EVERY
        case pst.ScopeIs(entity_type=kind):
            return Always(str(kind) == env.resource.type)
        case (
            pst.ScopeEq(entity=pst.EntityUid(type=kind, id=ident))
            | pst.ScopeIn(entity=pst.EntityUid(type=kind, id=ident))
        ):
            return _named(Uid(str(kind), ident), env)
        case pst.ScopeIsIn(entity_type=outer, entity=pst.EntityUid(type=kind, id=ident)):
            return _named(Uid(str(kind), ident), env) if str(outer) == env.resource.type else NONE
        case _:
            raise Untranslatable


def _named(uid: Uid, env: Env) -> Condition:
    """Documents are below nothing, so being in something is being it."""
    return IdIn(frozenset({uid.id})) if uid.type == env.resource.type else NONE


def _symbol(expression: pst.Expr, env: Env) -> _Symbol:  # noqa: PLR0911, PLR0912, C901 — one per kind of node
    if not _hangs(expression):
        try:
            return _Given(compile_expression(expression)(env))
        except EvaluationFailed:
            return _FAILS
    match expression:
        case pst.Var(name="resource"):
            return _Document()
        case pst.GetAttr() if path_of(expression) == ("resource", "id"):
            return _Ident()
        case pst.GetAttr() if path_of(expression) == ("resource", "type"):
            return _Given(env.resource.type.rpartition("::")[2])
        case pst.UnaryOp(op="not", arg=arg):
            return _negated(_truth(_symbol(arg, env)))
        case pst.BinaryOp(op="and", left=left, right=right):
            first = _truth(_symbol(left, env))
            # What stands behind something that never holds is never looked at.
            return first if first.holds == NONE else _and(first, _truth(_symbol(right, env)))
        case pst.BinaryOp(op="or", left=left, right=right):
            first = _negated(_truth(_symbol(left, env)))
            found = first if first.holds == NONE else _and(first, _negated(_truth(_symbol(right, env))))
            return _negated(found)
        case pst.BinaryOp(op=op, left=left, right=right):
            return _binary(op, _symbol(left, env), _symbol(right, env), env)
        case pst.Like(base=base, pattern=pattern):
            return _like(_symbol(base, env), pattern)
        case pst.Is(base=base, entity_type=kind, in_expr=within):
            return _is(_symbol(base, env), str(kind), within, env)
        case pst.IfThenElse(cond=cond, then_expr=then, else_expr=other):
            return _choice(
                _truth(_symbol(cond, env)), _truth(_symbol(then, env)), _truth(_symbol(other, env))
            )
        case _:
            raise Untranslatable


def _hangs(expression: pst.Expr) -> bool:
    """Whether anything in it hangs on the document."""
    return takes_whole(expression) or any(
        node == _RESOURCE or (isinstance(node, pst.GetAttr) and (path_of(node) or ("",))[0] == "resource")
        for node in walk(expression)
    )


def _truth(symbol: _Symbol) -> Truth:
    match symbol:
        case Truth():
            return symbol
        case _Given(value=bool() as value):
            return Truth(Always(value))
        case _:
            return _FAILS


def _bounded(found: Truth) -> Truth:
    """SAFETY: a condition repeats its parts, so a short policy could make a long one."""
    if size(found.holds) + size(found.fails) > LIMIT:
        raise Untranslatable
    return found


def _and(left: Truth, right: Truth) -> Truth:
    return _bounded(_both(left, right))


def _both(left: Truth, right: Truth) -> Truth:
    return Truth(all_of((left.holds, right.holds)), some_of((left.fails, all_of((left.holds, right.fails)))))


def _negated(part: Truth) -> Truth:
    return Truth(part.not_so, part.fails)


def _choice(cond: Truth, then: Truth, other: Truth) -> Truth:
    return _bounded(_either(cond, then, other))


def _either(cond: Truth, then: Truth, other: Truth) -> Truth:
    return Truth(
        some_of((all_of((cond.holds, then.holds)), all_of((cond.not_so, other.holds)))),
        some_of((cond.fails, all_of((cond.holds, then.fails)), all_of((cond.not_so, other.fails)))),
    )


def _binary(  # noqa: PLR0911, PLR0912, C901 — one per operator
    op: str, left: _Symbol, right: _Symbol, env: Env
) -> _Symbol:
    for side in (left, right):
        if isinstance(side, Truth):
            if side == _FAILS:
                return _FAILS
            raise Untranslatable
    match op, left, right:
        case "has_tag", _Document(), _Given(value=str() as name):
            return Truth(TagThere(name))
        case "get_tag", _Document(), _Given(value=str() as name):
            return _Tag(name)
        case "eq", _, _:
            return _same(left, right, env)
        case "not_eq", _, _:
            return _negated(_same(left, right, env))
        case "contains", _Given(value=frozenset() as members), _Tag(name=name):
            texts = [each for each in members if isinstance(each, str)]
            return Truth(some_of(TagIs(name, each) for each in sorted(texts)), negation(TagThere(name)))
        case "contains", _Given(value=frozenset() as members), _Document():
            uids = [each for each in members if isinstance(each, Uid)]
            return Truth(some_of(_named(each, env) for each in sorted(uids)))
        case "contains", _Given(value=frozenset() as members), _Ident():
            return Truth(_one_of(frozenset(each for each in members if isinstance(each, str))))
        case "in", _Document(), _Given(value=Uid() as uid):
            return Truth(_named(uid, env))
        case "in", _Document(), _Given(value=frozenset() as members) if all(
            isinstance(each, Uid) for each in members
        ):
            return Truth(some_of(_named(each, env) for each in members if isinstance(each, Uid)))
        case _:
            raise Untranslatable


def _one_of(ids: frozenset[str]) -> Condition:
    return IdIn(ids) if ids else NONE


def _same(left: _Symbol, right: _Symbol, env: Env) -> Truth:
    if isinstance(left, _Given):
        left, right = right, left
    match left, right:
        case _Tag(name=name), _Given(value=value):
            # Equality is never an error and false between types; only the tag itself can be missing.
            same = TagIs(name, value) if isinstance(value, str) and not isinstance(value, Uid) else NONE
            return Truth(same, negation(TagThere(name)))
        case _Document(), _Given(value=value):
            return Truth(_named(value, env) if isinstance(value, Uid) else NONE)
        case _Document(), _Document():
            return Truth(EVERY)
        case _Ident(), _Given(value=value):
            return Truth(_one_of(frozenset({value})) if isinstance(value, str) else NONE)
        case _:
            raise Untranslatable


def _like(base: _Symbol, pattern: tuple[pst.PatternElem, ...]) -> Truth:
    if not isinstance(base, _Tag):
        raise Untranslatable
    pieces = [""]
    for part in pattern:
        if isinstance(part, pst.Char):
            pieces[-1] += part.value
        else:
            pieces.append("")
    whole: Condition = TagIs(base.name, pieces[0]) if len(pieces) == 1 else TagLike(base.name, tuple(pieces))
    return Truth(whole, negation(TagThere(base.name)))


def _is(base: _Symbol, kind: str, within: pst.Expr | None, env: Env) -> Truth:
    if not isinstance(base, _Document):
        raise Untranslatable
    typed = Truth(Always(kind == env.resource.type))
    if within is None:
        return typed
    return _and(typed, _truth(_binary("in", base, _symbol(within, env), env)))
