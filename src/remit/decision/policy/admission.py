"""What a policy text must pass before it may decide anything: parse, annotate, validate, compile."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from cedarpy import policies_to_pst, pst, validate_policies

from remit.decision.policy.bundle import Bundle, PolicyVersion
from remit.decision.policy.compile import Uncompilable
from remit.decision.policy.errors import Fault, PolicyRefused
from remit.decision.policy.extent import check_extent
from remit.decision.policy.guards import misnamed
from remit.decision.policy.program import Compiled, Program, compile_policy
from remit.decision.policy.rules import Rule, read_rule
from remit.decision.policy.schema import compile_schema
from remit.decision.policy.tree import walk
from remit.decision.response import Mode
from remit.kernel.canonical import JsonObject, sha256

_LITERALS: Final = (pst.BoolLit, pst.LongLit, pst.StringLit, pst.EntityLit)


def parse(text: str) -> tuple[dict[str, Rule], dict[str, pst.Template]]:
    """Read the text and its annotations, by Cedar's place names; raises `PolicyRefused` with every fault."""
    check_extent(text)
    try:
        nodes = policies_to_pst(text)
    except ValueError as broken:
        raise PolicyRefused((Fault(policy="", sentence=f"not Cedar: {_first_line(broken)}"),)) from broken
    if nodes.templates:
        raise PolicyRefused(
            (Fault(policy="", sentence="templates (`?principal`, `?resource`) are not taken"),)
        )
    rules = _rules(nodes.static_policies)
    return rules, dict(nodes.static_policies)


def admit(text: str, *, version: PolicyVersion, schema: JsonObject) -> Bundle:
    """Take a text that parses, is annotated and fits the schema; raises `PolicyRefused` with every fault."""
    bundle = compile_bundle(text, version=version)
    found = validate_policies(text, compile_schema(schema))
    faults = [
        Fault(policy=_name(bundle.rules, error.policy_id), sentence=error.error) for error in found.errors
    ]
    for place, node in bundle.nodes.items():
        faults += [
            Fault(policy=bundle.rules[place].id, sentence=sentence) for sentence in misnamed(node, schema)
        ]
    if not found.validation_passed and not faults:
        faults.append(Fault(policy="", sentence="the text does not fit the schema"))
    if faults:
        raise PolicyRefused(tuple(faults))
    return bundle


def compile_bundle(text: str, *, version: PolicyVersion) -> Bundle:
    """Prepare a text that was admitted before; validation against a later schema is not repeated.

    A tool may have changed since: a policy that names what is no longer there then fails when it is
    evaluated, and an error denies.
    """
    rules, nodes = parse(text)
    compiled = _compiled(rules, nodes)
    enforced = {place: node for place, node in nodes.items() if rules[place].mode is Mode.ENFORCE}
    all_in_force = len(enforced) == len(nodes)
    return Bundle(
        version=version,
        text=text,
        rules=rules,
        nodes=nodes,
        program=Program((compiled[place], node) for place, node in enforced.items()) if enforced else None,
        rehearsal=None if all_in_force else Program((compiled[place], nodes[place]) for place in nodes),
        zones=tuple(sorted({zone for rule in rules.values() for zone in rule.zones})),
        named=_named(nodes.values()),
    )


def version_of(text: str, number: int) -> PolicyVersion:
    """Name a text by its place in the order and by its bytes."""
    return PolicyVersion(number=number, digest=sha256(text.encode(errors="surrogatepass")))


def _rules(nodes: Mapping[str, pst.Template]) -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    faults: list[Fault] = []
    for place, node in nodes.items():
        read = read_rule(place, node.effect, node.annotations)
        if isinstance(read, Rule):
            rules[place] = read
        else:
            faults.extend(read)
    twice = [name for name, times in Counter(rule.id for rule in rules.values()).items() if times > 1]
    faults.extend(Fault(policy=name, sentence="`@id` is used twice") for name in sorted(twice))
    if faults:
        raise PolicyRefused(tuple(faults))
    return rules


def _compiled(rules: Mapping[str, Rule], nodes: Mapping[str, pst.Template]) -> dict[str, Compiled]:
    """Every policy as it is run; what can't be compiled is refused, never left out."""
    made: dict[str, Compiled] = {}
    faults: list[Fault] = []
    for order, place in enumerate(sorted(nodes, key=lambda name: (len(name), name))):
        try:
            made[place] = compile_policy(order, rules[place], nodes[place])
        except Uncompilable as unknown:
            faults.append(Fault(policy=rules[place].id, sentence=str(unknown)))
    if faults:
        raise PolicyRefused(tuple(faults))
    return made


def _named(nodes: Iterator[pst.Template] | object) -> frozenset[str] | None:
    """Every attribute name in the policies; None where a record could be compared as a whole."""
    names: set[str] = set()
    for part in walk(tuple(nodes) if not isinstance(nodes, tuple) else nodes):  # type: ignore[arg-type]  # values view
        match part:
            case pst.GetAttr(attr=name):
                names.add(name)
            case pst.HasAttr(attrs=found):
                names.update(found)
            case pst.Record():
                return None
            case pst.BinaryOp(left=left, right=right) if part.op in _COMPARING and not (
                isinstance(left, _LITERALS) or isinstance(right, _LITERALS) or _literal_set(left)
            ):
                return None
            case _:
                pass
    return frozenset(names)


_COMPARING: Final = frozenset({"eq", "not_eq", "contains", "contains_all", "contains_any"})


def _literal_set(node: object) -> bool:
    return isinstance(node, pst.Set) and all(isinstance(part, _LITERALS) for part in node.elements)


def _name(rules: Mapping[str, Rule], place: str) -> str:
    return rules[place].id if place in rules else place


def _first_line(broken: ValueError) -> str:
    return str(broken).splitlines()[0] if str(broken) else "it does not parse"
