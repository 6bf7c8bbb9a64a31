"""Cedar's expressions as terms: for each its value, and whether it has none.

The order of evaluation is Cedar's: what is behind a false conjunct is not looked at, and cannot fail.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import z3
from cedarpy import pst

from remit.decision.policy.analysis.symbols import (
    FALSE,
    NUMBERS,
    TRUE,
    Many,
    Members,
    Names,
    Nothing,
    Scalar,
    Someone,
    Symbol,
    Term,
    Unanalyzable,
    holds,
    includes,
    lift,
    meets,
    read_text,
    same,
    spelled,
    text,
)
from remit.decision.policy.compile import NOBODY, compile_expression, uid_of
from remit.decision.policy.extensions import DAY, GREATEST_LONG, HOUR, LEAST_LONG, MINUTE, SECOND
from remit.decision.policy.tree import walk
from remit.decision.policy.values import EvaluationFailed, Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One kind of request: a known action and type of resource, and everything else not known."""

    names: Names
    action: Uid
    groups: frozenset[Uid]
    principal: Someone
    attributes: Members
    tags: Callable[[str], tuple[Term, Scalar]]
    ancestors: Callable[[Someone], Term]
    """Whether the principal is below an entity."""
    resource: Someone
    context: Members


@dataclass(frozen=True, slots=True)
class Found:
    """A value, and whether there is none."""

    value: Symbol
    fails: Term = FALSE

    @property
    def true(self) -> Term:
        """Its term as a boolean; raises `Unanalyzable` for another type."""
        return _scalar(self.value, "bool").term


@dataclass(frozen=True, slots=True)
class Held:
    """Whether a policy applies and holds, and whether it applies and is in error."""

    holds: Term
    fails: Term


def translate_policy(node: pst.Template, stage: Stage) -> Held:
    """A policy on a stage; raises `Unanalyzable`."""
    standing = z3.And(
        _scope(node.principal, stage.principal, stage),
        _scope(node.action, spelled(stage.action, stage.names), stage),
        _scope(node.resource, stage.resource, stage),
    )
    fails = FALSE
    if z3.is_false(z3.simplify(standing)):
        return Held(FALSE, FALSE)
    for clause in node.clauses:
        found = translate(clause.expr, stage)
        fails = z3.Or(fails, z3.And(standing, found.fails))
        wanted = found.true if isinstance(clause, pst.When) else z3.Not(found.true)
        standing = z3.And(standing, z3.Not(found.fails), wanted)
    return Held(z3.simplify(standing), z3.simplify(fails))


def _scope(
    limit: pst.PrincipalOrResourceConstraint | pst.ActionConstraint, who: Someone, stage: Stage
) -> Term:
    match limit:
        case pst.ScopeAny():
            return TRUE
        case pst.ScopeEq(entity=entity) | pst.ActionEq(entity=entity):
            return same(who, spelled(uid_of(entity), stage.names))
        case pst.ScopeIn(entity=entity):
            return _within(who, spelled(uid_of(entity), stage.names), stage)
        case pst.ActionIn(entities=entities):
            return z3.Or([_within(who, spelled(uid_of(each), stage.names), stage) for each in entities])
        case pst.ScopeIs(entity_type=kind):
            return who.type == stage.names.type_of(str(kind))
        case pst.ScopeIsIn(entity_type=kind, entity=entity):
            inside = _within(who, spelled(uid_of(entity), stage.names), stage)
            return z3.And(who.type == stage.names.type_of(str(kind)), inside)
        case _:
            raise Unanalyzable(f"scope `{type(limit).__name__}`")


def _within(who: Someone, above: Someone, stage: Stage) -> Term:
    """Itself, or an ancestor. Of all entities the store holds the principal and the action alone."""
    deed = spelled(stage.action, stage.names)
    grouped = z3.Or([same(above, spelled(group, stage.names)) for group in stage.groups])
    return z3.Or(
        same(who, above),
        z3.And(same(who, stage.principal), stage.ancestors(above)),
        z3.And(same(who, deed), grouped),
    )


def translate(expression: pst.Expr, stage: Stage) -> Found:  # noqa: PLR0911, PLR0912, C901 — one per kind of node
    """One expression; raises `Unanalyzable`."""
    if _is_constant(expression):
        return _constant(expression)
    match expression:
        case pst.EntityLit(value=uid):
            return Found(spelled(uid_of(uid), stage.names))
        case pst.Var(name=name):
            return Found(_variable(name, stage))
        case pst.UnaryOp(op=op, arg=arg):
            return _unary(op, translate(arg, stage))
        case pst.BinaryOp(op="and" | "or" as op, left=left, right=right):
            return _logic(op, translate(left, stage), translate(right, stage))
        case pst.BinaryOp(op=op, left=left, right=right):
            return _binary(op, translate(left, stage), translate(right, stage), stage)
        case pst.GetAttr(base=base, attr=attr):
            return _attribute(translate(base, stage), attr, stage)
        case pst.HasAttr(base=base, attrs=attrs):
            return _has(translate(base, stage), attrs, stage)
        case pst.Like(base=base, pattern=pattern):
            found = translate(base, stage)
            return Found(_truth(_like(_scalar(found.value, "string").term, pattern)), found.fails)
        case pst.Is(base=base, entity_type=kind, in_expr=within):
            return _is(translate(base, stage), str(kind), within, stage)
        case pst.IfThenElse(cond=cond, then_expr=then, else_expr=other):
            return _choice(translate(cond, stage), translate(then, stage), translate(other, stage))
        case pst.Set(elements=elements):
            parts = [translate(each, stage) for each in elements]
            return Found(Many(tuple((TRUE, each.value) for each in parts)), _any(parts))
        case pst.Record(fields=fields):
            each = {name: translate(value, stage) for name, value in fields.items()}
            return Found(
                Members({name: (TRUE, part.value) for name, part in each.items()}), _any(each.values())
            )
        case _:
            raise Unanalyzable(f"`{type(expression).__name__}`")


def _is_constant(expression: pst.Expr) -> bool:
    return not any(isinstance(part, pst.Var | pst.EntityLit) for part in walk(expression))


def _constant(expression: pst.Expr) -> Found:
    """What hangs on no request is what the real evaluator makes of it."""
    try:
        return Found(lift(compile_expression(expression)(NOBODY)))
    except EvaluationFailed:
        return Found(Nothing(), TRUE)


def _variable(name: str, stage: Stage) -> Symbol:
    match name:
        case "principal":
            return stage.principal
        case "action":
            return spelled(stage.action, stage.names)
        case "resource":
            return stage.resource
        case _:
            return stage.context


def _any(parts: Iterable[Found]) -> Term:
    return z3.Or([part.fails for part in parts])


def _truth(term: Term) -> Scalar:
    return Scalar("bool", term)


def _scalar(value: Symbol, kind: str) -> Scalar:
    if isinstance(value, Scalar) and value.kind == kind:
        return value
    if isinstance(value, Nothing):
        return Scalar(kind, _ANY[kind])
    raise Unanalyzable(f"a {kind} that is none")


_ANY: Final[dict[str, Term]] = {"bool": FALSE, "string": text(""), **dict.fromkeys(NUMBERS, z3.IntVal(0))}
"""What stands where a value can't be: the expression fails, so nothing hangs on it."""


def _many(value: Symbol) -> Many:
    if isinstance(value, Many):
        return value
    if isinstance(value, Nothing):
        return Many(())
    raise Unanalyzable("a set that is none")


def _someone(value: Symbol) -> Someone:
    if isinstance(value, Someone):
        return value
    if isinstance(value, Nothing):
        return Someone(z3.IntVal(-1), text(""))
    raise Unanalyzable("an entity that is none")


def _bounded(kind: str, term: Term, fails: Term) -> Found:
    return Found(Scalar(kind, term), z3.Or(fails, term < LEAST_LONG, term > GREATEST_LONG))


_SPANS: Final = {
    "to_milliseconds": 1,
    "to_seconds": SECOND,
    "to_minutes": MINUTE,
    "to_hours": HOUR,
    "to_days": DAY,
}


def _unary(op: str, arg: Found) -> Found:
    match op:
        case "not":
            return Found(_truth(z3.Not(arg.true)), arg.fails)
        case "neg":
            return _bounded("long", -_scalar(arg.value, "long").term, arg.fails)
        case "is_empty":
            empty = z3.Not(z3.Or([taken for taken, _ in _many(arg.value).places]))
            return Found(_truth(empty), arg.fails)
        case "to_date":
            # The solver divides as Cedar rounds: towards the past.
            return _bounded("datetime", _scalar(arg.value, "datetime").term / DAY * DAY, arg.fails)
        case "to_time":
            return Found(Scalar("duration", _scalar(arg.value, "datetime").term % DAY), arg.fails)
        case _ if op in _SPANS:
            span, unit = _scalar(arg.value, "duration").term, _SPANS[op]
            return Found(Scalar("long", z3.If(span >= 0, span / unit, -(-span / unit))), arg.fails)
        case _:
            raise Unanalyzable(f"operator `{op}`")


def _logic(op: str, left: Found, right: Found) -> Found:
    if op == "and":
        return Found(_truth(z3.And(left.true, right.true)), z3.Or(left.fails, z3.And(left.true, right.fails)))
    skipped = z3.Not(left.true)
    return Found(_truth(z3.Or(left.true, right.true)), z3.Or(left.fails, z3.And(skipped, right.fails)))


_ORDERED: Final[dict[str, Callable[[Term, Term], Term]]] = {
    "less": lambda one, other: one < other,
    "less_eq": lambda one, other: one <= other,
    "greater": lambda one, other: one > other,
    "greater_eq": lambda one, other: one >= other,
    "decimal_less_than": lambda one, other: one < other,
    "decimal_less_eq": lambda one, other: one <= other,
    "decimal_greater": lambda one, other: one > other,
    "decimal_greater_eq": lambda one, other: one >= other,
}
_SUMS: Final[dict[str, Callable[[Term, Term], Term]]] = {
    "add": lambda one, other: one + other,
    "sub": lambda one, other: one - other,
    "mul": lambda one, other: one * other,
}
_SETS: Final[dict[str, Callable[[Many, Many], Term]]] = {"contains_all": includes, "contains_any": meets}


def _binary(op: str, left: Found, right: Found, stage: Stage) -> Found:  # noqa: PLR0911, C901 — one per kind of operator
    fails = z3.Or(left.fails, right.fails)
    match op:
        case "eq":
            return Found(_truth(same(left.value, right.value)), fails)
        case "not_eq":
            return Found(_truth(z3.Not(same(left.value, right.value))), fails)
        case "contains":
            return Found(_truth(holds(_many(left.value), right.value)), fails)
        case "in":
            return Found(_truth(_is_in(_someone(left.value), right.value, stage)), fails)
        case "has_tag" | "get_tag":
            return _tag(op, left, right, stage)
        case "offset":
            total = _scalar(left.value, "datetime").term + _scalar(right.value, "duration").term
            return _bounded("datetime", total, fails)
        case "duration_since":
            gone = _scalar(left.value, "datetime").term - _scalar(right.value, "datetime").term
            return _bounded("duration", gone, fails)
        case _ if op in _SETS:
            return Found(_truth(_SETS[op](_many(left.value), _many(right.value))), fails)
        case _ if op in _SUMS:
            one, other = (_scalar(part.value, "long").term for part in (left, right))
            return _bounded("long", _SUMS[op](one, other), fails)
        case _ if op in _ORDERED:
            return Found(_truth(_ORDERED[op](*_pair(left.value, right.value))), fails)
        case _:
            raise Unanalyzable(f"operator `{op}`")


def _pair(one: Symbol, other: Symbol) -> tuple[Term, Term]:
    if (
        isinstance(one, Scalar)
        and isinstance(other, Scalar)
        and one.kind == other.kind
        and one.kind in NUMBERS
    ):
        return one.term, other.term
    if isinstance(one, Nothing) or isinstance(other, Nothing):
        return z3.IntVal(0), z3.IntVal(0)
    raise Unanalyzable("an order of values that have none")


def _is_in(who: Someone, above: Symbol, stage: Stage) -> Term:
    if isinstance(above, Many):
        return z3.Or([z3.And(taken, _within(who, _someone(each), stage)) for taken, each in above.places])
    return _within(who, _someone(above), stage)


def _tag(op: str, owner: Found, name: Found, stage: Stage) -> Found:
    key = _scalar(name.value, "string").term
    if not z3.is_string_value(key):
        raise Unanalyzable("a tag whose name is not written down")
    if _someone(owner.value) is stage.resource:
        raise Unanalyzable("a tag of the resource")
    there, value = stage.tags(read_text(key))
    known = z3.And(there, same(_someone(owner.value), stage.principal))
    fails = z3.Or(owner.fails, name.fails)
    if op == "has_tag":
        return Found(_truth(known), fails)
    return Found(value, z3.Or(fails, z3.Not(known)))


def _attribute(base: Found, attr: str, stage: Stage) -> Found:
    owner, missing = _owner(base.value, stage)
    known = owner.each.get(attr)
    if known is None:
        return Found(Nothing(), TRUE)
    return Found(known[1], z3.Or(base.fails, missing, z3.Not(known[0])))


def _owner(value: Symbol, stage: Stage) -> tuple[Members, Term]:
    """The members of a record or an entity, and whether they are not there."""
    match value:
        case Members():
            return value, FALSE
        case Nothing():
            return Members({}), FALSE
        case Someone():
            return stage.attributes, z3.Not(same(value, stage.principal))
        case _:
            raise Unanalyzable("members of what has none")


def _has(base: Found, attrs: tuple[str, ...], stage: Stage) -> Found:
    there, value = TRUE, base.value
    for attr in attrs:
        owner, missing = _owner(value, stage)
        known = owner.each.get(attr)
        if known is None:
            return Found(_truth(FALSE), base.fails)
        there = z3.And(there, z3.Not(missing), known[0])
        value = known[1]
    return Found(_truth(there), base.fails)


def _is(base: Found, kind: str, within: pst.Expr | None, stage: Stage) -> Found:
    who = _someone(base.value)
    right_type = Found(_truth(who.type == stage.names.type_of(kind)), base.fails)
    if within is None:
        return right_type
    above = translate(within, stage)
    return _logic("and", right_type, Found(_truth(_is_in(who, above.value, stage)), above.fails))


def _choice(cond: Found, then: Found, other: Found) -> Found:
    one, two = then.value, other.value
    if isinstance(one, Nothing) or isinstance(two, Nothing):
        kept = two if isinstance(one, Nothing) else one
        return Found(kept, z3.Or(cond.fails, z3.If(cond.true, then.fails, other.fails)))
    if not (isinstance(one, Scalar) and isinstance(two, Scalar) and one.kind == two.kind):
        raise Unanalyzable("a choice between values that are not plain")
    value = Scalar(one.kind, z3.If(cond.true, one.term, two.term))
    return Found(value, z3.Or(cond.fails, z3.If(cond.true, then.fails, other.fails)))


def _like(term: Term, pattern: tuple[pst.PatternElem, ...]) -> Term:
    """Whether a text is of a pattern. The solver is quick with parts of texts, and slow with expressions."""
    pieces = "".join(each.value if isinstance(each, pst.Char) else _ANYTHING for each in pattern).split(
        _ANYTHING
    )
    match pieces:
        case [whole]:
            return term == text(whole)
        case ["", part, ""]:
            return z3.Contains(term, text(part))
        case [first, last]:
            long_enough = z3.Length(term) >= len(first) + len(last)
            return z3.And(z3.PrefixOf(text(first), term), z3.SuffixOf(text(last), term), long_enough)
        case _:
            return z3.InRe(term, _expression(pieces))


_ANYTHING: Final = "\udfff"
"""Half of a surrogate pair, which no text of Cedar's has."""


def _expression(pieces: list[str]) -> Term:
    anything = z3.Full(z3.ReSort(z3.StringSort()))
    parts = [z3.Re(text(pieces[0]))]
    for piece in pieces[1:]:
        parts += [anything, z3.Re(text(piece))]
    return z3.Concat(*parts)
