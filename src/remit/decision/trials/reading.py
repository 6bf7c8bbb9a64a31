"""A book of scenarios read from YAML 1.2 as people write it, and nothing more of YAML.

No tags, no aliases (a few lines of them make gigabytes), no member twice, no dates: values are what JSON has.
"""

import re
from difflib import get_close_matches
from typing import Any, Final

import msgspec
import yaml

from remit.decision.trials.book import Book
from remit.kernel.errors import Invalid

TEXT_LIMIT: Final = 256 << 10
"""Bytes of a book."""
DEPTH_LIMIT: Final = 32
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+?)`")
_PATH: Final = re.compile(r" - at `(.+)`$")
_STEP: Final = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+|\.\.\.)\]")


class BookRefused(Invalid):
    """The file is no book of scenarios."""

    code = "scenarios_refused"

    def __init__(self, sentence: str, *, line: int = 0, column: int = 0) -> None:
        at = f" (line {line}, column {column})" if line else ""
        super().__init__(f"{sentence}{at}", next_step="remit policy test --help")
        self.sentence, self.line, self.column = sentence, line, column


def read_book(text: str) -> tuple[Book, tuple[int, ...]]:
    """A book, and the line that each of its scenarios begins in; raises `BookRefused`."""
    if len(text.encode(errors="surrogatepass")) > TEXT_LIMIT:
        raise BookRefused(f"the file is longer than {TEXT_LIMIT} bytes")
    root = _composed(text)
    try:
        book = msgspec.convert(_plain(root), type=Book, strict=True)
    except msgspec.ValidationError as broken:
        raise _misfit(str(broken), root) from broken
    return book, tuple(node.start_mark.line + 1 for node in _stories(root))


def _composed(text: str) -> yaml.Node:
    try:
        _check_events(text)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as broken:
        said = f"not YAML: {broken.problem or broken.context}"
        raise (_at(broken.problem_mark, said) if broken.problem_mark else BookRefused(said)) from broken
    except (yaml.YAMLError, RecursionError, ValueError) as broken:
        raise BookRefused("not YAML") from broken
    if root is None:
        raise BookRefused("the file is empty")
    return root


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C where it is there: ten times as fast, the same language."""


def _check_events(text: str) -> None:
    """SAFETY: what composes recurses, and expands aliases; this does neither and sees the file before it."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _at(event.start_mark, "anchors and aliases are not taken")
        if (tag := getattr(event, "tag", None)) is not None:
            raise _at(event.start_mark, f"tag `{tag}` is not taken")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_LIMIT:
            raise _at(event.start_mark, f"it nests deeper than {DEPTH_LIMIT}")


def _plain(node: yaml.Node) -> Any:
    """A node as JSON has it."""
    match node:
        case yaml.MappingNode():
            return _members(node)
        case yaml.SequenceNode():
            return [_plain(each) for each in node.value]
        case _:
            return _scalar(node)


def _members(node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _at(key.start_mark, "a name is a text")
        if key.value in found:
            raise _at(key.start_mark, f"`{key.value}` is there twice")
        found[key.value] = _plain(value)
    return found


_WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,15})")
_BROKEN: Final = re.compile(r"-?(0|[1-9][0-9]{0,15})\.[0-9]{1,15}")


def _scalar(node: yaml.Node) -> Any:
    """Of plain words only JSON's own mean something else than themselves: `no` and `12:30` are texts."""
    text: str = node.value
    if getattr(node, "style", None):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _BROKEN.fullmatch(text) else text


def _stories(root: yaml.Node) -> list[yaml.Node]:
    found = _member(root, "scenarios")
    return list(found.value) if isinstance(found, yaml.SequenceNode) else []


def _member(node: yaml.Node | None, name: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == name), None)


def _misfit(said: str, root: yaml.Node) -> BookRefused:
    """The complaint of the reader, with the place that it is about."""
    found = _PATH.search(said)
    sentence = said[: found.start()] if found else said
    node = _walked(root, found[1] if found else "$")
    unknown = _UNKNOWN.search(sentence)
    if unknown and isinstance(node, yaml.MappingNode):
        node = next((key for key, _ in node.value if key.value == unknown[1]), node)
        sentence = f"`{unknown[1]}` is no member here{_meant(unknown[1])}"
    return _at(node.start_mark, sentence[:1].lower() + sentence[1:])


def _walked(root: yaml.Node, path: str) -> yaml.Node:
    node = root
    for name, place in _STEP.findall(path):
        if name:
            inner = _member(node, name)
        elif place == "...":
            inner = None
        else:
            inner = node.value[int(place)] if isinstance(node, yaml.SequenceNode) else None
        if inner is None:
            return node
        node = inner
    return node


_NAMES: Final = (
    "policies", "given", "scenarios", "agents", "users", "tools", "name", "when", "then", "also", "change",
    "agent", "user", "tool", "arguments", "purpose", "mode", "initiative", "segment", "depth", "bound", "acr",
    "at", "risk", "sensitivity", "effect", "rules", "codes", "approvers", "obligations", "environment",
    "owner", "blueprint", "segments", "attributes", "resource", "schema", "consequential", "reversible",
    "money", "action", "type", "pointer", "fixed", "amount", "currency", "fixed_currency",
)  # fmt: skip


def _meant(name: str) -> str:
    near = get_close_matches(name, _NAMES, n=1)
    return f", did you mean `{near[0]}`?" if near else ""


def _at(mark: Any, sentence: str) -> BookRefused:
    return BookRefused(sentence, line=mark.line + 1, column=mark.column + 1)
