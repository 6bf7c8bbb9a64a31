"""Cedar's templates: a policy with holes, filled in where the text itself says so.

Cedar links templates through its API; a text that says everything would not then be all that is in force. So
the links stand beside the template, in `@link`, and publishing makes each of them a policy of its own.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote

from cedarpy import pst

from remit.decision.policy.errors import Fault
from remit.decision.policy.extent import RULE_LIMIT
from remit.decision.policy.schema import NAMESPACE

LINK: Final = "link"
_FORM: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9_-]{0,31})"
    r"(?P<values>( (principal|resource)=[A-Z][A-Za-z0-9]{0,63}:[^\s]{1,512}){1,2})"
)
_SAID: Final = "`<name> principal=<Type>:<id> resource=<Type>:<id>`, several by `;`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One policy to run: as Cedar placed it in the text, or a link of a template that stands there."""

    origin: str
    """Cedar's place name of the policy or template in the text."""
    node: pst.Template
    linked: bool


def expand(nodes: pst.PolicySet) -> tuple[list[Placed], list[tuple[str, Fault]]]:
    """Every policy of a text in its order, each link as a policy of its own; and what is wrong where."""
    every = {**nodes.static_policies, **nodes.templates}
    placed: list[Placed] = []
    faults: list[tuple[str, Fault]] = []
    for origin in sorted(every, key=lambda name: (len(name), name)):
        for found in _instances(origin, every[origin], template=origin in nodes.templates):
            if isinstance(found, Placed):
                placed.append(found)
            else:
                faults.append((origin, found))
    return placed, faults


def slots_of(node: pst.Template) -> frozenset[str]:
    """Names of the holes in the scope of a template; there are none elsewhere (Cedar refuses them)."""
    limits = (node.principal, node.resource)
    entities = (getattr(limit, "entity", None) for limit in limits)
    return frozenset(entity.name for entity in entities if isinstance(entity, pst.Slot))


def _instances(origin: str, node: pst.Template, *, template: bool) -> Iterator[Placed | Fault]:
    name = node.annotations.get("id") or origin
    links = node.annotations.get(LINK)
    if not template:
        if links is None:
            yield Placed(origin=origin, node=node, linked=False)
        else:
            yield Fault(
                policy=name, sentence="`@link` belongs to a template, this policy has no slot to fill"
            )
        return
    found = [text for text in map(str.strip, (links or "").split(";")) if text]
    if not found:
        yield Fault(policy=name, sentence=f"it is a template, so it needs `@link`: {_SAID}")
        return
    if len(found) > RULE_LIMIT:
        yield Fault(
            policy=name, sentence=f"it has {len(found)} links, a text has at most {RULE_LIMIT} policies"
        )
        return
    for text in found:
        yield _linked(origin, node, name, text)


def _linked(origin: str, node: pst.Template, name: str, text: str) -> Placed | Fault:
    form = _FORM.fullmatch(text)
    if form is None:
        return Fault(policy=name, sentence=f"`@link` holds `{text}`, it is {_SAID}")
    values = dict(pair.split("=", 1) for pair in form["values"].split())
    wanted = slots_of(node)
    if wanted != values.keys():
        told = ", ".join(sorted(f"?{slot}" for slot in wanted))
        return Fault(policy=name, sentence=f"link `{form['name']}` must fill {told}, each once and no other")
    uids = {slot: _uid(value) for slot, value in values.items()}
    notes = {key: value for key, value in node.annotations.items() if key != LINK}
    notes["id"] = f"{node.annotations.get('id', '')}.{form['name']}"
    return Placed(origin=origin, node=filled(node, uids, notes), linked=True)


def filled(node: pst.Template, uids: dict[str, pst.EntityUid], notes: dict[str, str]) -> pst.Template:
    """A template with an entity in each of its slots, under annotations of its own."""
    return replace(
        node,
        principal=_fill(node.principal, uids),
        resource=_fill(node.resource, uids),
        annotations=pst.FrozenMap(notes),
    )


def _fill(
    limit: pst.PrincipalOrResourceConstraint, uids: dict[str, pst.EntityUid]
) -> pst.PrincipalOrResourceConstraint:
    match limit:
        case pst.ScopeEq(entity=pst.Slot(name=slot)) | pst.ScopeIn(entity=pst.Slot(name=slot)):
            return replace(limit, entity=uids[slot])
        case pst.ScopeIsIn(entity=pst.Slot(name=slot)):
            return replace(limit, entity=uids[slot])
        case _:
            return limit


def _uid(text: str) -> pst.EntityUid:
    kind, _, ident = text.partition(":")
    return pst.EntityUid(pst.EntityType(kind, (NAMESPACE,)), unquote(ident))


def numbered(placed: Iterable[Placed]) -> dict[str, Placed]:
    """Place names in the order of the text; those of Cedar where there are no templates."""
    return {
        f"policy{number}": replace(each, node=replace(each.node, id=f"policy{number}"))
        for number, each in enumerate(placed)
    }
