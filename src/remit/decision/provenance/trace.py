"""A call's arguments, each traced to where its value came from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from remit.decision.provenance.intent import content_words
from remit.decision.provenance.labels import BELIEVED, Label
from remit.decision.provenance.look import RUNGS, paid, rung
from remit.decision.provenance.normal import (
    Shape,
    Value,
    decoded,
    host_of,
    links_of,
    number,
    phrase,
    reaches,
    twin_of,
    values_in,
)
from remit.decision.provenance.seen import UNSEEN, Seen, Sighting
from remit.decision.provenance.sensitive import Kind, harmless_permission, kind_of
from remit.kernel.canonical import Json, JsonObject

_REACHED: Final = frozenset({Shape.MAIL, Shape.IBAN, Shape.URL, Shape.PHONE})
"""Shapes that are a destination wherever they stand."""
_SHAPED: Final = {Shape.MAIL: Kind.RECIPIENT, Shape.IBAN: Kind.ACCOUNT, Shape.URL: Kind.HOST}
_UNTRACED: Final = frozenset({Kind.CONTENT, Kind.PLAIN, Kind.FILTER})
_EXACT: Final = frozenset({Kind.CREDENTIAL, Kind.CODE, Kind.PATH})
"""What must be given as it stands: of its words alone nothing follows."""
_SHORT: Final = 512
_DEPTH: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """One value of one argument: what it steers, and its ground."""

    argument: str
    """JSON pointer (RFC 6901)."""
    kind: Kind
    text: str
    ground: Sighting
    imitates: bool = False
    """Whether look-alike letters make it read like a value that is believed."""

    @property
    def believed(self) -> bool:
        """Whether the value may steer an effect by itself."""
        return sound(self.ground)


def sound(ground: Sighting) -> bool:
    """Whether a ground is believed: by its label, or as a field of a record that the user's words select."""
    return ground.label in BELIEVED or (ground.label is Label.TOOL and ground.anchored)


def kinds_of(schema: JsonObject, declared: Mapping[str, Kind] | None = None) -> dict[str, Kind]:
    """Kinds of a tool's top-level arguments: as declared by name, else by its input schema."""
    members = schema.get("properties")
    known = declared or {}
    if not isinstance(members, dict):
        return dict(known)
    judged = {name: kind_of(name, part if isinstance(part, dict) else {}) for name, part in members.items()}
    return {**judged, **known}


def trace(seen: Seen, arguments: JsonObject, kinds: Mapping[str, Kind]) -> tuple[Traced, ...]:
    """Trace every value of a call."""
    leaves = leaves_of(arguments, kinds)
    parties = [text for _, kind, text in leaves if kind in {Kind.ACCOUNT, Kind.RECIPIENT, Kind.OBJECT}]
    return tuple(
        Traced(
            argument=pointer,
            kind=kind,
            text=text,
            ground=_amount(seen, text, parties) if kind is Kind.AMOUNT else ground_of(seen, text, kind),
            imitates=_imitates(seen, text, kind),
        )
        if kind not in _UNTRACED
        else Traced(argument=pointer, kind=kind, text=text, ground=UNSEEN)
        for pointer, kind, text in leaves
    )


def leaves_of(arguments: JsonObject, kinds: Mapping[str, Kind]) -> list[tuple[str, Kind, str]]:
    """Every value of a call: JSON pointer, what it steers, its text."""
    return [
        (pointer, _by_shape(kind, text), text)
        for name, value in arguments.items()
        for pointer, kind, text in _walk(name, value, kinds, 0, "")
    ]


def _by_shape(kind: Kind, text: str) -> Kind:
    """An argument of which nothing is known is what its value looks like."""
    if kind is not Kind.PLAIN or len(text) > _SHORT:
        return kind
    shape = reaches(text)
    return kind if shape is None else _SHAPED[shape]


def ground_of(seen: Seen, text: str, kind: Kind) -> Sighting:
    """The ground of one value: what it is as a whole, else the weakest of the values in it."""
    if kind is Kind.PERMISSION and harmless_permission(text):
        return Sighting(label=Label.POLICY, source="least permission")
    if kind is Kind.HOST:
        return _host(seen, text)
    whole = _whole(seen, text, exact=kind in _EXACT)
    if sound(whole):
        return whole
    inside = sorted((v for v in values_in(text) if v.shape in _REACHED), key=str)
    if inside:
        grounds = [seen.sighting(value) for value in inside]
        return next((ground for ground in grounds if not sound(ground)), grounds[0])
    return whole if whole is not UNSEEN else _hidden(seen, text)


def links_in(seen: Seen, text: str) -> Sighting | None:
    """The ground of the least believed link in outgoing prose; None if there is none."""
    grounds = [_host(seen, link.text) for link in links_of(text)]
    return next((ground for ground in grounds if not sound(ground)), None)


def _whole(seen: Seen, text: str, *, exact: bool = False) -> Sighting:
    best = UNSEEN
    for value in (Value(Shape.PHRASE, phrase(text)), Value(Shape.TOKEN, text.strip())):
        found = seen.sighting(value)
        if found.above(best):
            best = found
    if sound(best) or exact:
        return best
    words = content_words(text)
    if (
        words
        and not text.strip().isdigit()
        and "@" not in text
        and all(seen.has_word(word) for word in words)
    ):
        return Sighting(label=Label.USER, source="goal")
    return best


def _host(seen: Seen, text: str) -> Sighting:
    """A link is as good as its host; one that the user or a record gave whole brings its host with it."""
    exact = ground_exact(seen, Shape.URL, text)
    if sound(exact):
        return exact
    host = host_of(text)
    return seen.sighting(Value(Shape.HOST, host)) if host else _whole(seen, text)


def ground_exact(seen: Seen, shape: Shape, text: str) -> Sighting:
    """The ground of the value of one shape that a text holds; `UNSEEN` if there is none."""
    return next((seen.sighting(value) for value in values_in(text) if value.shape is shape), UNSEEN)


def _amount(seen: Seen, text: str, parties: list[str]) -> Sighting:
    """An amount that was given, or at most a quarter above what the same party's record held before."""
    try:
        stated = seen.sighting(Value(Shape.NUMBER, number(text)))
        height = rung(abs(Decimal(text)))
    except (ValueError, InvalidOperation):
        return UNSEEN
    if stated.label in {*BELIEVED, Label.TOOL}:
        return Sighting(label=stated.label, source=stated.source, anchored=True)
    named = [word for party in parties for word in content_words(party)]
    for party in dict.fromkeys([*parties, *named]):
        for step in range(max(0, height - 1), RUNGS + 1):
            found = seen.sighting(paid(phrase(party), step))
            if found.label in {*BELIEVED, Label.TOOL}:
                return Sighting(label=found.label, source=found.source, anchored=True)
    return stated


def _hidden(seen: Seen, text: str) -> Sighting:
    """Where an encoded value was seen in the clear: told to the person, believed no more for it."""
    for plain in decoded(text):
        for value in (*values_in(plain), Value(Shape.PHRASE, phrase(plain))):
            found = seen.sighting(value)
            if found is not UNSEEN:
                return Sighting(label=Label.TEXT, source=found.source)
    return UNSEEN


def _imitates(seen: Seen, text: str, kind: Kind) -> bool:
    plain = twin_of(text)
    return plain != text and not sound(ground_of(seen, text, kind)) and sound(ground_of(seen, plain, kind))


def _walk(
    name: str, node: Json, kinds: Mapping[str, Kind], depth: int, above: str
) -> Iterator[tuple[str, Kind, str]]:
    pointer = f"{above}/{name.replace('~', '~0').replace('/', '~1')}"
    kind = kinds[name] if name in kinds and not above else kind_of(name, {})
    yield from _values(pointer, kind, node, kinds, depth)


def _values(
    pointer: str, kind: Kind, node: Json, kinds: Mapping[str, Kind], depth: int
) -> Iterator[tuple[str, Kind, str]]:
    match node:
        case _ if depth > _DEPTH:
            yield pointer, kind, ""
        case None | bool():
            return
        case str():
            if node.strip():
                yield pointer, kind, node
        case dict():
            for name, member in node.items():
                yield from _walk(name, member, kinds, depth + 1, pointer)
        case list():
            for place, member in enumerate(node):
                yield from _values(f"{pointer}/{place}", kind, member, kinds, depth + 1)
        case _:
            yield pointer, kind, str(node)
