"""Alike asks on one card, and what stands out from them beside it (N19, CB-17).

Two asks are alike if one agent wants one action of one tool definition on one type of resource, under one
rule, asked of the same people, with arguments of one shape. What can't be undone is like nothing. Every item
of a card is listed whole; an answer to it names the digest of each.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from statistics import median, median_low
from typing import Final

from remit.decision.provenance.normal import Shape, Value, host_of, values_in
from remit.kernel.canonical import Digest, Json, canonical_json, framed_digest, parse_object
from remit.kernel.ids import ApprovalId
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.approvals.visible import show

ITEMS: Final = 50
"""The most that one card holds: a longer list is not read."""
_FEW: Final = 5
"""Below this many numbers a spread says nothing, and a factor is used instead."""
_FACTOR: Final = 2
_MADS: Final = Decimal("3.5")
_NORMAL: Final = Decimal("1.4826")
"""What makes the median of deviations comparable to a standard deviation."""
_SLACK: Final = Decimal("0.25")
"""Differences below this share of the median are never far, however close the others are together."""
_DIGITS: Final = 18
_PLACES: Final = frozenset({Shape.MAIL, Shape.URL, Shape.HOST, Shape.IBAN, Shape.PHONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One card: an ask by itself, or several that are alike. `apart` says why one is not with its like."""

    items: tuple[Approval, ...]
    alike: Digest | None = None
    apart: str = ""
    varying: tuple[str, ...] = ()
    """JSON pointers of the arguments in which the items differ."""

    @property
    def digest(self) -> Digest:
        """What one answer to the whole card is given to."""
        return fold_digest(self.items)

    @property
    def expires_at(self) -> datetime:
        """When the first of them is over."""
        return min(each.expires_at for each in self.items)

    @property
    def rank(self) -> int:
        """How much is at stake: 0 can't be undone, 1 stands out or moves money, 2 the rest."""
        return min(rank_of(each) for each in self.items) if not self.apart else min(1, rank_of(self.items[0]))


@dataclass(frozen=True, slots=True)
class _Leaves:
    """An ask and its arguments, taken apart."""

    ask: Approval
    values: Mapping[str, Json]
    places: frozenset[str] = field(default_factory=frozenset)


def fold_digest(asks: Iterable[Approval]) -> Digest:
    """Name exactly these asks, in whatever order they are listed."""
    return framed_digest("remit/fold/v1", sorted(each.digest.encode() for each in asks))


def rank_of(ask: Approval) -> int:
    """How much is at stake with one ask; lower comes first."""
    if not ask.reversible or ask.passkey or ask.quorum > 1:
        return 0
    return 1 if ask.amount is not None else 2


def alike_key(ask: Approval) -> Digest | None:
    """What an ask shares with those that are like it; None for one that is like nothing."""
    if not ask.reversible or ask.passkey:
        return None
    shape = sorted(leaves_of(ask))
    parts = (
        ask.tenant,
        ask.agent,
        ask.server,
        ask.action,
        ask.tool_digest,
        ask.resource.partition(":")[0],
        ask.rule,
        ask.policy_version,
        ask.approvers,
        ask.currency,
        canonical_json(list[Json](shape)).decode(),
    )
    return framed_digest("remit/alike/v1", [part.encode() for part in parts])


def lay(asks: Sequence[Approval], known: Mapping[Digest, frozenset[str]]) -> tuple[Bundle, ...]:
    """Lay asks out on cards: those at stake first, then those that end first.

    `known` holds, by what asks are alike in, the places and resources that a person has said yes to before.
    """
    groups: dict[Digest, list[Approval]] = {}
    cards = []
    for ask in sorted(asks, key=lambda each: each.id):
        key = alike_key(ask)
        if key is None:
            cards.append(Bundle(items=(ask,)))
        else:
            groups.setdefault(key, []).append(ask)
    for key, members in groups.items():
        cards += _cards(key, members, known.get(key, frozenset()))
    return tuple(sorted(cards, key=lambda card: (card.rank, card.expires_at, card.items[0].id)))


def outliers(asks: Sequence[Approval], known: frozenset[str]) -> dict[ApprovalId, str]:
    """Which of alike asks stand out, and why; none of them goes on a card with others.

    1 text that hides something   2 a number or amount far from the others'
    3 a value written otherwise than the others'
    4 a host, account or number that is neither most others' nor known
    5 a resource that is new where most are not.
    """
    found: dict[ApprovalId, str] = {}
    taken = [_taken_apart(each) for each in asks]
    for each in taken:
        if any(_hides(value) for value in each.values.values()):
            found[each.ask.id] = "it holds text that may hide something"
    plain = [each for each in taken if each.ask.id not in found]
    for pointer in sorted({pointer for each in plain for pointer in each.values}):
        found |= _far(plain, pointer)
    found |= _far_amounts(plain)
    found |= _strange_places(plain, known)
    return found | _new_resources(plain, known)


def marks_of(ask: Approval) -> frozenset[str]:
    """What a yes to an ask makes known: its resource, and the places that its arguments name."""
    return _taken_apart(ask).places | {ask.resource}


def leaves_of(ask: Approval) -> dict[str, Json]:
    """Every argument by its JSON pointer."""
    return dict(_leaves(parse_object(ask.arguments.encode()), ""))


def may_fold(asks: Sequence[Approval], known: frozenset[str]) -> str:
    """Why these can't be answered as one; empty if they can. Judged by us, whatever a client lists."""
    if not asks:
        return "it names nothing"
    if len(asks) == 1:
        return "" if asks[0].state is ApprovalState.PENDING else "it is over"
    if len({each.id for each in asks}) != len(asks) or len(asks) > ITEMS:
        return f"it names one twice, or more than {ITEMS}"
    keys = {alike_key(each) for each in asks}
    if None in keys:
        return "what can't be undone is answered by itself"
    if len(keys) > 1:
        return "they are not alike"
    odd = outliers(asks, known)
    return f"`{next(iter(odd))}` stands out: {next(iter(odd.values()))}" if odd else ""


def _cards(key: Digest, members: list[Approval], known: frozenset[str]) -> list[Bundle]:
    odd = outliers(members, known) if len(members) > 1 else {}
    cards = [Bundle(items=(each,), alike=key, apart=odd[each.id]) for each in members if each.id in odd]
    rest = [each for each in members if each.id not in odd]
    for start in range(0, len(rest), ITEMS):
        part = tuple(rest[start : start + ITEMS])
        cards.append(Bundle(items=part, alike=key, varying=_varying(part)))
    return cards


def _varying(asks: Sequence[Approval]) -> tuple[str, ...]:
    taken = [leaves_of(each) for each in asks]
    return tuple(
        pointer for pointer in sorted(taken[0]) if len({canonical_json(each[pointer]) for each in taken}) > 1
    )


def _taken_apart(ask: Approval) -> _Leaves:
    values = leaves_of(ask)
    places = {place for value in values.values() if isinstance(value, str) for place in _places(value)}
    return _Leaves(ask, values, frozenset(places))


def _leaves(value: Json, pointer: str) -> Iterable[tuple[str, Json]]:
    if isinstance(value, dict) and value:
        steps = [(name.replace("~", "~0").replace("/", "~1"), member) for name, member in value.items()]
    elif isinstance(value, list) and value:
        steps = [(str(index), member) for index, member in enumerate(value)]
    else:
        yield pointer or "/", value
        return
    for step, member in steps:
        yield from _leaves(member, f"{pointer}/{step}")


def _hides(value: Json) -> bool:
    return isinstance(value, str) and bool(show(value).warnings)


def _places(text: str) -> set[str]:
    """Hosts, accounts and numbers that a text names, wherever it names them."""
    return {_place(value) for value in values_in(text) if value.shape in _PLACES}


def _place(value: Value) -> str:
    match value.shape:
        case Shape.MAIL:
            return value.text.rpartition("@")[2].lower()
        case Shape.URL | Shape.HOST:
            return host_of(value.text) or value.text
        case _:
            return value.text


def _number(value: Json, ask: Approval) -> Decimal | None:
    """A value as a number; the name of the resource is none, whatever it looks like."""
    if isinstance(value, bool) or value is None or isinstance(value, (dict, list)):
        return None
    text = str(value)
    if text == ask.resource.partition(":")[2] or len(text) > _DIGITS:
        return None
    whole, _, rest = text.lstrip("-").partition(".")
    return Decimal(text) if whole.isascii() and whole.isdigit() and (not rest or rest.isdigit()) else None


def _far(taken: Sequence[_Leaves], pointer: str) -> dict[ApprovalId, str]:
    numbers = {each.ask.id: _number(each.values[pointer], each.ask) for each in taken}
    written = {ident: number for ident, number in numbers.items() if number is not None}
    if 2 * len(written) <= len(numbers):
        return {}
    strange = {
        ident: f"`{pointer}` is not written as the others'" for ident in numbers if ident not in written
    }
    far = far_from_the_rest(tuple(written.values()))
    return strange | {
        ident: f"`{pointer}` is {number}, far from the others'"
        for ident, number in written.items()
        if number in far
    }


def _far_amounts(taken: Sequence[_Leaves]) -> dict[ApprovalId, str]:
    amounts = {each.ask.id: Decimal(each.ask.amount) for each in taken if each.ask.amount is not None}
    far = far_from_the_rest(tuple(amounts.values()))
    return {ident: "its amount is far from the others'" for ident, amount in amounts.items() if amount in far}


def far_from_the_rest(numbers: Sequence[Decimal]) -> frozenset[Decimal]:
    """The numbers that stand out: by their distance from the median in median absolute deviations.

    Of fewer than five, those beyond twice, or below half, the lower median. Neither is moved by a few large
    ones, as a mean and a standard deviation are.
    """
    if len(numbers) < 2:  # noqa: PLR2004 — one stands out from nothing
        return frozenset()
    if len(numbers) < _FEW:
        low = median_low(numbers)
        return frozenset(
            each for each in numbers if abs(each) > abs(low) * _FACTOR or abs(each) * _FACTOR < abs(low)
        )
    middle = median(numbers)
    spread = median(abs(each - middle) for each in numbers)
    reach = max(_MADS * _NORMAL * spread, _SLACK * abs(middle))
    return frozenset(each for each in numbers if abs(each - middle) > reach)


def _strange_places(taken: Sequence[_Leaves], known: frozenset[str]) -> dict[ApprovalId, str]:
    counted = Counter(place for each in taken for place in each.places)
    usual = {place for place, count in counted.items() if 2 * count > len(taken)} | known
    found = {}
    for each in taken:
        strange = sorted(each.places - usual)
        if strange:
            found[each.ask.id] = f"`{show(strange[0]).text}` is new here"
    return found


def _new_resources(taken: Sequence[_Leaves], known: frozenset[str]) -> dict[ApprovalId, str]:
    new = [each.ask for each in taken if each.ask.resource not in known]
    if 2 * len(new) >= len(taken):
        return {}
    return {ask.id: "its resource is new here, the others' are not" for ask in new}
