"""Needs as Cedar: a fence around one subject, which only takes away.

INVARIANT: every rule is a forbid. What the rest of the text permits, asks or obliges stays as it is within
the fence, so nothing that is learned can give a right, or spare anybody an approval.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from remit.assurance.posture.bounds import Among, Between, Bound, UpTo
from remit.assurance.posture.extent import Extent, Reach
from remit.assurance.posture.learning import Learned, Need
from remit.decision.policy.lexis import Word, pieces
from remit.kernel.canonical import sha256

PREFIX: Final = "learned."
_ID_LIMIT: Final = 64
_DIGEST: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """One learned rule: its `@id`, its Cedar text, and the needs that it keeps open."""

    id: str
    text: str
    needs: tuple[Need, ...]


def fences(learned: Learned) -> tuple[Fence, ...]:
    """The rules of one subject: what it may do at all, and for each action on what and within what."""
    by: dict[str, list[Need]] = defaultdict(list)
    for need in learned.needs:
        by[need.action].append(need)
    # What is used seldom but regularly has no bounds: too little was seen of it.
    seldom = {right.action for right in learned.periodic}
    each = [
        _of_action(learned.subject, action, needs)
        for action, needs in sorted(by.items())
        if action not in seldom
    ]
    return (_around(learned), *(fence for fence in each if fence is not None))


def drafted(base: str, learned: Sequence[Learned]) -> str:
    """The whole text: what is in force, without what was learned of them before, and their fences."""
    text = without(base, [each.subject for each in learned]).rstrip() + "\n"
    for each in learned:
        text += f"\n{_heading(each.subject)} ({each.calls} calls)\n"
        text += "\n".join(fence.text for fence in fences(each))
    return text


def without(text: str, subjects: Iterable[str]) -> str:
    """A text without the learned rules of these subjects."""
    known = [(rule_id(each, ""), _heading(each)) for each in subjects]
    kept, end = "", 0
    for piece in pieces(text):
        kept += text[end : piece[0].start]
        end = piece[-1].end
        if not any(_own_id(piece).startswith((stem + '"', stem + ".")) for stem, _ in known):
            kept += text[piece[0].start : end]
    headings = tuple(heading for _, heading in known)
    return "\n".join(line for line in (kept + text[end:]).split("\n") if not line.startswith(headings))


def _heading(subject: str) -> str:
    return f"// learned from use: {quoted(subject)}"


def rule_id(subject: str, action: str) -> str:
    """The `@id` of a learned rule; what does not fit is known by its digest."""
    kind, _, name = subject.partition(":")
    stem = f"{PREFIX}{kind}.{name}"
    full = f"{stem}.{action.replace('/', '.')}" if action else stem
    plain = all(sign.isalnum() or sign in "._-" for sign in full) and full.isascii()
    if plain and len(full) <= _ID_LIMIT:
        return full
    digest = sha256(full.encode())[:_DIGEST]
    return f"{PREFIX}{kind}.{sha256(name.encode())[:_DIGEST]}" + (f".{digest}" if action else "")


def _around(learned: Learned) -> Fence:
    actions = [_uid("Action", name) for name in _open(learned)]
    listed = ", ".join([*actions, 'Remit::Action::"discovery"'])
    text = (
        f'@id("{rule_id(learned.subject, "")}")\n'
        f'@reason("{_reason(learned.subject)} has never needed this")\n'
        f"forbid ({_principal(learned.subject)}, action, resource)\n"
        f"unless {{ action in [{listed}] }};\n"
    )
    return Fence(id=rule_id(learned.subject, ""), text=text, needs=learned.needs)


def _open(learned: Learned) -> list[str]:
    return sorted({*(need.action for need in learned.needs), *(right.action for right in learned.periodic)})


def _of_action(subject: str, action: str, needs: Sequence[Need]) -> Fence | None:
    """None where an action is needed without any bound: the fence around everything says enough."""
    ways = [_conditions(need) for need in needs]
    if not all(ways):
        return None
    choices = [" &&\n  ".join(way) for way in ways]
    body = choices[0] if len(choices) == 1 else " ||\n  ".join(f"({choice})" for choice in choices)
    text = (
        f'@id("{rule_id(subject, action)}")\n'
        f'@reason("{_reason(subject)} has never needed it like this")\n'
        f"forbid ({_principal(subject)}, action == {_uid('Action', action)}, resource)\n"
        f"unless {{\n  {body}\n}};\n"
    )
    return Fence(id=rule_id(subject, action), text=text, needs=tuple(needs))


def _conditions(need: Need) -> list[str]:
    found = [_resource(need)] if need.extent.reach is not Reach.ANY else []
    return [*found, *(_bound(bound) for bound in need.bounds)]


def _resource(need: Need) -> str:
    names = sorted(need.extent.names)
    if need.extent.reach is Reach.FEW:
        uids = [_uid(need.resource_type, name) for name in names]
        return f"resource == {uids[0]}" if len(uids) == 1 else f"resource in [{', '.join(uids)}]"
    return f"context.resource.id like {_pattern(need.extent)}"


def _bound(bound: Bound) -> str:
    match bound:
        case UpTo():
            ways = [
                f"(context.money.currency == {quoted(currency)} && context.money.minor <= {minor})"
                for currency, minor in bound.most
            ]
            return f"context has money && ({' || '.join(ways) or 'false'})"
        case Between():
            return _guarded(bound.name, _numbers(bound), absent=bound.absent)
        case Among():
            return _guarded(bound.name, _texts(bound), absent=bound.absent)


def _guarded(name: str, condition: str, *, absent: bool) -> str:
    """An argument that is not there fails the bound, or passes it if it was left out before."""
    if not condition:
        return f"!(context.arguments has {quoted(name)})"
    has = f"context.arguments has {quoted(name)}"
    return f"(!({has}) || {condition})" if absent else f"({has} && {condition})"


def _numbers(bound: Between) -> str:
    place = f"context.arguments[{quoted(bound.name)}]"
    if bound.whole:
        low = [] if bound.low is None else [f"{place} >= {int(bound.low)}"]
        return " && ".join([*low, f"{place} <= {int(bound.high)}"])
    low = [] if bound.low is None else [f"{place}.greaterThanOrEqual({_decimal(bound.low)})"]
    return " && ".join([*low, f"{place}.lessThanOrEqual({_decimal(bound.high)})"])


def _decimal(number: Decimal) -> str:
    return f'decimal("{number:.4f}")'


def _texts(bound: Among) -> str:
    place = f"context.arguments[{quoted(bound.name)}]"
    if bound.extent.reach is not Reach.FEW:
        return f"{place} like {_pattern(bound.extent)}"
    names = sorted(bound.extent.names)
    if not names:
        return ""
    if bound.flag:
        return "true" if len(names) > 1 else f"{place} == {names[0]}"
    return f"[{', '.join(map(quoted, names))}].contains({place})"


def _pattern(extent: Extent) -> str:
    fixed = quoted(extent.affix)[1:-1].replace("*", "\\*")
    return f'"{fixed}*"' if extent.reach is Reach.STARTING else f'"*{fixed}"'


def _principal(subject: str) -> str:
    kind, _, name = subject.partition(":")
    return (
        f"principal == {_uid('Agent', name)}"
        if kind == "agent"
        else f"principal in {_uid('Blueprint', name)}"
    )


def _reason(subject: str) -> str:
    return quoted(subject.partition(":")[2])[1:-1][:200]


def _uid(kind: str, name: str) -> str:
    return f"Remit::{kind}::{quoted(name)}"


def quoted(text: str) -> str:
    """A text as Cedar writes it; whatever could end it, or hide in it, is escaped."""
    return '"' + "".join(map(_sign, text)) + '"'


def _sign(sign: str) -> str:
    if sign in {'"', "\\"}:
        return f"\\{sign}"
    return sign if sign.isprintable() else f"\\u{{{ord(sign):x}}}"


def _own_id(piece: Sequence[Word]) -> str:
    """The value of `@id` with its closing quote; empty where there is none."""
    told = [word.text for word in piece]
    for at in range(len(told) - 3):
        if told[at : at + 3] == ["@", "id", "("]:
            return told[at + 3][1:]
    return ""
