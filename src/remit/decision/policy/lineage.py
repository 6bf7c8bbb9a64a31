"""Whether policies look at the data in a context, or bind what is read: else nobody fetches its labels."""

from collections.abc import Iterator, Mapping

from cedarpy import pst

from remit.decision.policy.rules import Rule
from remit.decision.policy.tree import takes_whole, walk
from remit.decision.sources.source import BINDING

_ATTRIBUTE = "lineage"


def looked_at(rules: Mapping[str, Rule], nodes: Mapping[str, pst.Template]) -> frozenset[str] | None:
    """The texts of every policy that looks at `context.lineage`; None where none does, and nothing binds."""
    looking = [
        node
        for node in nodes.values()
        if any(map(_is_lineage, walk(node.clauses))) or takes_whole(node.clauses)
    ]
    binding = any(duty.type in BINDING for rule in rules.values() for duty in rule.obligations)
    if not looking and not binding:
        return None
    return frozenset(text for node in looking for text in texts_of(node))


def texts_of(node: pst.Template) -> Iterator[str]:
    """Every text that a policy writes down in its conditions."""
    return (part.value for part in walk(node.clauses) if isinstance(part, pst.StringLit))


def _is_lineage(node: object) -> bool:
    """The attribute itself, or a question whether it is there."""
    match node:
        case pst.GetAttr(base=pst.Var(name="context"), attr=attr):
            return attr == _ATTRIBUTE
        case pst.HasAttr(base=pst.Var(name="context"), attrs=attrs):
            return attrs[:1] == (_ATTRIBUTE,)
        case _:
            return False
