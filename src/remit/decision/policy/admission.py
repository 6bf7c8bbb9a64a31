"""What a policy text must pass before it may decide anything: parse, annotate, validate, compile."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cedarpy import Schema, policies_to_pst, pst, validate_policies

from remit.decision.answer.response import Mode
from remit.decision.policy.bundle import Bundle, PolicyVersion, policy_set
from remit.decision.policy.compile import Uncompilable
from remit.decision.policy.errors import Fault, PolicyRefused
from remit.decision.policy.extent import RULE_LIMIT, check_extent
from remit.decision.policy.guards import misnamed
from remit.decision.policy.lineage import looked_at
from remit.decision.policy.monitors import faults_of, looks_back, marks_of, monitors
from remit.decision.policy.outside import facts_in
from remit.decision.policy.pointing import Pointer, names_in, syntax_fault
from remit.decision.policy.program import Compiled, Program, compile_policy
from remit.decision.policy.rules import Rule, read_rule
from remit.decision.policy.schema import compile_schema
from remit.decision.policy.templates import expand, numbered
from remit.decision.policy.tree import walk
from remit.kernel.canonical import JsonObject, sha256

_LITERALS: Final = (pst.BoolLit, pst.LongLit, pst.StringLit, pst.EntityLit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A text as read: rules and syntax trees by place, and where in the text each place is from."""

    rules: dict[str, Rule]
    nodes: dict[str, pst.Template]
    origins: dict[str, str]
    """Cedar's own place name in the text; another one where templates stand before."""
    linked: frozenset[str]
    """Places that are links of templates."""


def read(text: str) -> Parsed:
    """Read the text and its annotations, templates linked; raises `PolicyRefused` with every fault."""
    check_extent(text)
    try:
        nodes = policies_to_pst(text)
    except ValueError as broken:
        raise PolicyRefused((syntax_fault(text, _first_line(broken), _complaint),)) from broken
    listed, wrong = expand(nodes)
    placed = numbered(listed)
    if len(placed) > RULE_LIMIT:
        raise PolicyRefused(
            (Fault(policy="", sentence=f"its links make {len(placed)} policies, the limit is {RULE_LIMIT}"),)
        )
    trees = {place: each.node for place, each in placed.items()}
    origins = {place: each.origin for place, each in placed.items()}
    rules, faults = _rules(trees)
    pointer = Pointer(text)
    found = [
        *(pointer.pointed(_number_of(origin), fault) for origin, fault in wrong),
        *(pointer.pointed(_number_of(origins.get(place)), fault) for place, fault in faults),
    ]
    if found:
        raise PolicyRefused(tuple(dict.fromkeys(found)))
    linked = frozenset(place for place, each in placed.items() if each.linked)
    return Parsed(rules=rules, nodes=trees, origins=origins, linked=linked)


def parse(text: str) -> tuple[dict[str, Rule], dict[str, pst.Template]]:
    """Rules and syntax trees of a text by place; raises `PolicyRefused` with every fault."""
    parsed = read(text)
    return parsed.rules, parsed.nodes


def admit(text: str, *, version: PolicyVersion, schema: JsonObject) -> Bundle:
    """Take a text that parses, is annotated and fits the schema; raises `PolicyRefused` with every fault."""
    parsed = read(text)
    bundle = _bundle(parsed, text, version)
    faults = tuple(dict.fromkeys(_misfits(parsed, text, schema)))
    if faults:
        raise PolicyRefused(faults)
    return bundle


def compile_bundle(text: str, *, version: PolicyVersion) -> Bundle:
    """Prepare a text that was admitted before; validation against a later schema is not repeated.

    A tool may have changed since: a policy that names what is no longer there then fails when it is
    evaluated, and an error denies.
    """
    return _bundle(read(text), text, version)


def _bundle(parsed: Parsed, text: str, version: PolicyVersion) -> Bundle:
    compiled = _compiled(parsed.rules, parsed.nodes)
    nodes = {
        place: node
        for place, node in parsed.nodes.items()
        if parsed.rules[place].remember is None and not looks_back(node)
    }
    rules = {place: parsed.rules[place] for place in nodes}
    enforced = {place: node for place, node in nodes.items() if rules[place].mode is Mode.ENFORCE}
    all_in_force = len(enforced) == len(nodes)
    return Bundle(
        version=version,
        text=text,
        rules=rules,
        nodes=nodes,
        program=Program((compiled[place], node) for place, node in enforced.items()) if enforced else None,
        rehearsal=None if all_in_force else Program((compiled[place], nodes[place]) for place in nodes),
        zones=tuple(sorted({zone for rule in parsed.rules.values() for zone in rule.zones})),
        named=_named(parsed.nodes.values()),
        history=monitors(parsed.rules, parsed.nodes, compiled),
        lineage=looked_at(parsed.rules, parsed.nodes),
        looks={
            parsed.rules[place].id: found for place, node in parsed.nodes.items() if (found := facts_in(node))
        },
    )


def _misfits(parsed: Parsed, text: str, schema: JsonObject) -> Iterator[Fault]:
    """Everything in which a text does not fit the schema, links of templates by themselves too."""
    compiled, pointer = compile_schema(schema), Pointer(text, names_in(schema))
    ids = {origin: parsed.rules[place].id for place, origin in parsed.origins.items()}

    def fault_at(place: str, said: str) -> Fault:
        fault = Fault(policy=parsed.rules[place].id, sentence=said)
        return pointer.pointed(_number_of(parsed.origins[place]), fault)

    passed, errors = _validated(text, compiled)
    for policy, said in errors:
        yield pointer.pointed(_number_of(policy), Fault(policy=ids.get(policy, policy), sentence=said))
    if passed:
        yield from (fault_at(place, said) for place, said in _bad_links(parsed, compiled))
    for place, node in parsed.nodes.items():
        yield from (fault_at(place, sentence) for sentence in misnamed(node, schema))
    if not passed and not errors:
        yield Fault(policy="", sentence="the text does not fit the schema")


def _bad_links(parsed: Parsed, schema: Schema) -> Iterator[tuple[str, str]]:
    """Links that the schema does not allow, of templates that it does."""
    places = [place for place in parsed.nodes if place in parsed.linked]
    if not places:
        return
    passed, errors = _validated(
        "\n".join(str(policy_set({each: parsed.nodes[each]})) for each in places), schema
    )
    for policy, said in errors:
        yield places[int(policy.removeprefix("policy"))], said
    if not passed and not errors:
        yield places[0], "a link does not fit the schema"


def _validated(text: str, schema: Schema) -> tuple[bool, list[tuple[str, str]]]:
    """Whether Cedar finds it valid, and what it says, once for all the actions that it says it of."""
    found = validate_policies(text, schema, release_gil=True)
    told: dict[tuple[str, str], list[str]] = {}
    for error in found.errors:
        said = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
        attribute = _IN_ACTION.fullmatch(said)
        key = (error.policy_id, attribute[1] if attribute else said)
        told.setdefault(key, []).extend([attribute[2]] if attribute else [])
    return found.validation_passed, [
        (policy, _of_actions(said, sorted(of))) for (policy, said), of in told.items()
    ]


_IN_ACTION: Final = re.compile(r"(attribute `.+`) in context for (.+) not found", re.DOTALL)


def _of_actions(said: str, actions: list[str]) -> str:
    if not actions:
        return said
    more = f" and {len(actions) - 1} more" if len(actions) > 1 else ""
    return f"{said} in context for `{actions[0]}`{more} not found"


def _number_of(origin: str | None) -> int | None:
    number = origin.removeprefix("policy") if origin else ""
    return int(number) if number.isdecimal() else None


def _complaint(text: str) -> str:
    try:
        policies_to_pst(text)
    except ValueError as broken:
        return _first_line(broken)
    return ""


def version_of(text: str, number: int) -> PolicyVersion:
    """Name a text by its place in the order and by its bytes."""
    return PolicyVersion(number=number, digest=sha256(text.encode(errors="surrogatepass")))


def _rules(nodes: Mapping[str, pst.Template]) -> tuple[dict[str, Rule], list[tuple[str, Fault]]]:
    """The rules that can be read, and what is wrong with the others by place."""
    rules: dict[str, Rule] = {}
    faults: list[tuple[str, Fault]] = []
    for place, node in nodes.items():
        read = read_rule(place, node.effect, node.annotations, looks_back=looks_back(node))
        if isinstance(read, Rule):
            rules[place] = read
        else:
            faults += [(place, fault) for fault in read]
    times = Counter(rule.id for rule in rules.values())
    twice = {rule.id: place for place, rule in rules.items() if times[rule.id] > 1}
    faults += [(twice[name], Fault(policy=name, sentence="`@id` is used twice")) for name in sorted(twice)]
    about_the_past = faults_of(rules, nodes, marks_of(rules.values()))
    faults += [(place, Fault(policy=rules[place].id, sentence=said)) for place, said in about_the_past]
    return rules, faults


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


def _first_line(broken: ValueError) -> str:
    return str(broken).splitlines()[0] if str(broken) else "it does not parse"
