"""XML read as data and as nothing else: no DTD, no entities, no network, bounded in every direction (DS-13).

What no honest provider sends, and what has fooled readers before, is refused and not repaired: a second
encoding, instructions, and comments, which cut a text in two for one reader and not for another.
"""

import re
from typing import Final, TypeAlias

from lxml import etree
from lxml.etree import _Element

from remit.identity.federation.errors import AssertionRejected

Element: TypeAlias = _Element

LARGEST: Final = 256 << 10
"""Bytes of a document."""
DEEPEST: Final = 32
MOST_ELEMENTS: Final = 4096
LONGEST_TEXT: Final = 4096
"""Characters of a value that we read."""
_PROLOG: Final = re.compile(
    rb"""\s*<\?xml\s+version=(["'])1\.0\1(?:\s+encoding=(["'])[uU][tT][fF]-8\2)?"""
    rb"""(?:\s+standalone=(["'])(?:yes|no)\3)?\s*\?>"""
)
_DECLARATION: Final = re.compile(rb"<!(?!\[CDATA\[|--)")
_INSTRUCTION: Final = b"<?"
_COMMENT: Final = b"<!--"


def read_document(raw: bytes, *, largest: int = LARGEST, comments: bool = False) -> Element:
    """Parse a document. Raises `AssertionRejected` at step 1.

    `comments` lets them stand, and drops them: for what an administrator gave us, never for an assertion.
    """
    if len(raw) > largest:
        raise malformed("xml_too_large", f"{len(raw)} bytes, the limit is {largest}")
    _check_bytes(raw, comments=comments)
    try:
        root = etree.fromstring(raw, parser=strict_parser(comments=comments))
    except (etree.XMLSyntaxError, ValueError) as broken:
        raise malformed("xml_malformed", str(broken)[:200]) from broken
    _check_tree(root)
    return root


def strict_parser(*, comments: bool = False) -> "etree.XMLParser[Element]":
    """A parser that expands nothing, fetches nothing and mends nothing."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=comments,
        remove_pis=False,
        encoding="utf-8",
    )


def text_of(element: Element) -> str:
    """The text of an element that holds nothing else; refused if it is empty, long or not printable."""
    text = element.text or ""
    if len(element) or not text or len(text) > LONGEST_TEXT or not text.isprintable():
        raise AssertionRejected(6, "claim_malformed", debug=f"`{local(element)}` is not plain text")
    return text


def attribute_of(element: Element, name: str) -> str:
    """An attribute without namespace; empty if it is absent."""
    value = element.get(name, "")
    if len(value) > LONGEST_TEXT or not value.isprintable():
        raise AssertionRejected(6, "claim_malformed", debug=f"`{name}` of `{local(element)}`")
    return value


def only(element: Element, tag: str) -> Element | None:
    """The one child of a name; None if there is none. Two are refused: no two readers choose alike."""
    found = element.findall(tag)
    if len(found) > 1:
        raise AssertionRejected(6, "claim_repeated", debug=f"`{local(found[0])}`")
    return found[0] if found else None


def need(element: Element, tag: str) -> Element:
    """The one child of a name, which must be there."""
    found = only(element, tag)
    if found is None:
        raise AssertionRejected(6, "claim_missing", debug=f"`{tag.rpartition('}')[2]}`")
    return found


def local(element: Element) -> str:
    """The name of an element without its namespace, to say it."""
    return str(element.tag).rpartition("}")[2][:64]


def malformed(reason: str, debug: str = "") -> AssertionRejected:
    """What is no document of ours at all."""
    return AssertionRejected(1, reason, debug=debug)


def _check_bytes(raw: bytes, *, comments: bool) -> None:
    """Before any parser sees it: UTF-8, no DOCTYPE, no entity, no instruction."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as broken:
        raise malformed("xml_encoding", "not UTF-8") from broken
    found = _PROLOG.match(raw)
    rest = raw[found.end() :] if found else raw
    if _DECLARATION.search(rest):
        raise malformed("xml_declaration", "document type or entity")
    if _INSTRUCTION in rest:
        raise malformed("xml_instruction")
    if not comments and _COMMENT in rest:
        raise malformed("xml_comment")


def _check_tree(root: Element) -> None:
    if root.getroottree().docinfo.doctype:
        raise malformed("xml_declaration")
    count = 0
    for event, node in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event == "start":
            count += 1
            if count > MOST_ELEMENTS or _depth(node) > DEEPEST:
                raise malformed("xml_too_deep", f"limits are {DEEPEST} levels, {MOST_ELEMENTS} elements")
        elif event != "end":
            raise malformed(f"xml_{event}")
    if any(True for _ in root.iter(etree.Entity)):
        raise malformed("xml_entity")


def _depth(node: Element) -> int:
    return sum(1 for _ in node.iterancestors())
