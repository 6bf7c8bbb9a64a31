"""What a call's arguments do with the data in its context: whom they reach outside, what they repeat.

Whoever is in the directory is inside; every other mail address, link and host is not. Reading where a call
goes needs no guess about what its texts mean.
"""

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from remit.decision.call.request import ActionRequest
from remit.decision.facts.snapshot import Snapshot
from remit.decision.provenance.normal import Shape, values_in
from remit.decision.provenance.sensitive import Kind, kind_of
from remit.decision.provenance.watch import answer_of
from remit.decision.sources.known import SUMMARIZE_ONLY, Known
from remit.decision.sources.prints import kept, repeats
from remit.decision.sources.source import Gathered
from remit.identity.principals import Kind as Who
from remit.identity.principals import Principal
from remit.kernel.canonical import Json, JsonObject
from remit.kernel.ids import PrincipalId
from remit.kernel.secret import Secret

_FAR: Final = frozenset({Shape.MAIL, Shape.URL, Shape.HOST})
_DEPTH: Final = 32
_STEERING: Final = frozenset({Kind.RECIPIENT, Kind.HOST})


def known_of(gathered: Gathered, request: ActionRequest, snapshot: Snapshot, key: Secret | None) -> Known:
    """What a decision is to know of the context, with what the arguments would do with it."""
    if request.tool is None:
        return Known(labels=gathered.labels, full=gathered.full)
    texts = tuple(_texts(request.call.arguments))
    return Known(
        labels=gathered.labels,
        full=gathered.full,
        outward=tuple(_outward(texts, snapshot)),
        copied=tuple(_copied(texts, gathered, key)),
    )


def print_key(key: Secret) -> bytes:
    """The key of the prints: derived from the tenant's, used for nothing else."""
    return hashlib.blake2b(b"remit/prints/v1", key=key.reveal()[:64], digest_size=32).digest()


def prints_of(result: bytes, key: Secret) -> frozenset[bytes]:
    """The prints of every text in an answer, to know it again by."""
    own = print_key(key)
    return frozenset(mark for text in strings_in(answer_of(result)) for mark in kept(text, own))


def strings_in(value: Json) -> Iterator[str]:
    """Every text in a value; iterative, so its depth is no limit."""
    waiting: list[Json] = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case list() as members:
                waiting.extend(members)
            case dict() as members:
                waiting.extend(members.values())
            case _:
                pass


def _copied(
    texts: tuple[tuple[str, Kind, str], ...], gathered: Gathered, key: Secret | None
) -> Iterator[str]:
    if SUMMARIZE_ONLY not in gathered.labels or key is None:
        return
    own = print_key(key)
    yield from (pointer for pointer, _, text in texts if repeats(text, gathered.prints, own))


def _outward(texts: tuple[tuple[str, Kind, str], ...], snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    house = _house(snapshot)
    for pointer, kind, text in texts:
        # In prose the name of a host is a word; anywhere else it is where something goes.
        shapes = _FAR - {Shape.HOST} if kind is Kind.CONTENT else _FAR
        far = [each for each in values_in(text) if each.shape in shapes]
        if not far and kind in _STEERING and text.strip().casefold() not in house:
            # Whom a recipient's other name means is not known here, so it is taken for somebody outside.
            yield pointer, text.strip()[:256]
        for each in sorted(far, key=lambda value: value.text):
            if not _inside(each.shape, each.text, house):
                yield pointer, each.text[:256]


def _inside(shape: Shape, text: str, house: frozenset[str]) -> bool:
    plain = text.casefold()
    if shape is Shape.MAIL:
        return plain in house
    if shape is Shape.HOST and plain in house:
        return True
    return (urlsplit(plain if "://" in plain else f"//{plain}").hostname or "") in _hosts_of(house)


@lru_cache(maxsize=8)
def _hosts_of(house: frozenset[str]) -> frozenset[str]:
    """Domains at which people of the directory have their mail: a value found as a host is part of one."""
    return frozenset(each.partition("@")[2] for each in house if "@" in each)


_kept: dict[int, tuple[Mapping[PrincipalId, Principal], frozenset[str]]] = {}


def _house(snapshot: Snapshot) -> frozenset[str]:
    """Names and addresses of the directory's people; kept while it is the very same directory."""
    people = snapshot.principals
    found = _kept.get(id(people))
    if found is not None and found[0] is people:
        return found[1]
    if len(_kept) >= 16:  # noqa: PLR2004 — tenants that alternate on one node
        _kept.clear()
    named = {
        name.casefold()
        for each in people.values()
        if each.kind is Who.HUMAN
        for name in (each.name, each.email or "", each.id)
        if name
    }
    _kept[id(people)] = (people, frozenset(named))
    return _kept[id(people)][1]


def _texts(arguments: JsonObject) -> Iterator[tuple[str, Kind, str]]:
    for name, value in arguments.items():
        yield from _walk(f"/{_escaped(name)}", kind_of(name, {}), value, 0)


def _walk(pointer: str, kind: Kind, value: Json, depth: int) -> Iterator[tuple[str, Kind, str]]:
    if isinstance(value, str):
        if value.strip():
            yield pointer, kind, value
    elif depth > _DEPTH:
        # SAFETY: what is too deep to be looked at counts as a destination of unknown meaning.
        yield pointer, Kind.RECIPIENT, "too deep to be read"
    elif isinstance(value, list):
        for place, member in enumerate(value):
            yield from _walk(f"{pointer}/{place}", kind, member, depth + 1)
    elif isinstance(value, dict):
        for name, member in value.items():
            own = kind_of(name, {})
            yield from _walk(
                f"{pointer}/{_escaped(name)}", kind if own is Kind.PLAIN else own, member, depth + 1
            )


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
