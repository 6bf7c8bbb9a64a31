"""Document lists in results: read out, and written back with what may be seen.

INVARIANT: an item that can't be read as a document is not given, and a text that can't be read as the list is
withheld whole; how many were left out is told nowhere.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from remit.decision.answer.response import Obligation
from remit.enforcement.pep.obligations import DROP_DOCUMENTS, HIDDEN
from remit.enforcement.retrieval.shelf import Offered
from remit.kernel.canonical import sha256

LIMIT: Final = 1_000
"""Documents of one result; further ones are not given."""
TAGS: Final = 32
LONGEST: Final = 256
_COUNTS: Final = frozenset({"total", "count", "totalCount", "total_count", "hits", "numFound", "size"})
"""Members beside a list that would tell how many there were."""
_LISTS: Final[Mapping[str, tuple[str, str]]] = {
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Where in a result the documents are: pointers (RFC 6901), `id` and `tags` within each."""

    list: str
    id: str
    tags: str


def shape_of(obligations: Iterable[Obligation]) -> Shape | None:
    """What `drop_documents` says; None where nothing does."""
    duty = next((each for each in obligations if each.type == DROP_DOCUMENTS), None)
    return None if duty is None else Shape(**dict(duty.properties))


def offered(result: Mapping[str, Any], shape: Shape) -> tuple[Offered | None, ...]:
    """Every item of the list; None for one that can't be read as a document."""
    items = _at(_structured(result), shape.list)
    if not isinstance(items, list):
        return ()
    return tuple(_offered(each, shape) for each in items[:LIMIT])


def kept(result: Mapping[str, Any], shape: Shape, given: Sequence[bool]) -> dict[str, Any]:
    """The result with the given items alone; every text is written anew from what is left."""
    value = _structured(result)
    items = _at(value, shape.list)
    if not isinstance(items, list):
        return {**result, "content": [_text(HIDDEN)], **_instead(result, HIDDEN)}
    left = [each for each, stays in zip(items, given, strict=False) if stays]
    written = _written(value, _steps(shape.list), left)
    return {
        **result,
        "content": [_text(json.dumps(written, ensure_ascii=False))],
        **_instead(result, written),
    }


def addresses(method: str, result: Mapping[str, Any]) -> tuple[str, ...]:
    """Addresses of the resources that a list names, in their order; empty for any other result."""
    if method not in _LISTS:
        return ()
    member, name = _LISTS[method]
    items = result.get(member)
    return tuple(_address(each, name) for each in items) if isinstance(items, list) else ()


def listed(method: str, result: dict[str, Any], shown: Sequence[bool]) -> dict[str, Any]:
    """A list of resources with those that may be seen."""
    member = _LISTS[method][0]
    items = result.get(member)
    if not isinstance(items, list):
        return result
    return {**result, member: [each for each, seen in zip(items, shown, strict=True) if seen]}


def _address(item: Any, name: str) -> str:
    found = item.get(name) if isinstance(item, dict) else None
    return found if isinstance(found, str) else ""


def _offered(item: Any, shape: Shape) -> Offered | None:
    ident, tags = _at(item, shape.id), _at(item, shape.tags)
    if isinstance(ident, bool) or not isinstance(ident, str | int) or not isinstance(tags, dict):
        return None
    read = _tags(tags)
    if read is None or not 0 < len(str(ident)) <= LONGEST:
        return None
    return Offered(id=str(ident), tags=read, digest=sha256(json.dumps(item, sort_keys=True).encode()))


def _tags(tags: Mapping[str, Any]) -> tuple[tuple[str, str], ...] | None:
    """Names and values as texts, sorted; None where one has no plain value."""
    found = {}
    for name, value in tags.items():
        text = _plain(value)
        if text is None or not 0 < len(name) <= LONGEST or "=" in name or len(text) > LONGEST:
            return None
        found[name] = text
    return tuple(sorted(found.items())) if len(found) <= TAGS else None


def _plain(value: Any) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int():
            return str(value)
        case _:
            return None


def _structured(result: Mapping[str, Any]) -> Any:
    """Structured content; else the one text, if it is JSON."""
    if "structuredContent" in result:
        return result["structuredContent"]
    blocks = result.get("content")
    texts = (
        [each.get("text") for each in blocks if isinstance(each, dict)] if isinstance(blocks, list) else []
    )
    if len(texts) != 1 or not isinstance(texts[0], str):
        return None
    try:
        return json.loads(texts[0])
    except (ValueError, RecursionError):
        return None


def _instead(result: Mapping[str, Any], value: Any) -> dict[str, Any]:
    return {"structuredContent": value} if "structuredContent" in result and isinstance(value, dict) else {}


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _at(value: Any, pointer: str) -> Any:
    for step in _steps(pointer):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _written(value: Any, steps: list[str], left: list[Any]) -> Any:
    """The value with another list, and without members beside it that count the old one."""
    if not steps:
        return left
    beside = {name: each for name, each in value.items() if not (len(steps) == 1 and name in _COUNTS)}
    return {**beside, steps[0]: _written(value[steps[0]], steps[1:], left)}
