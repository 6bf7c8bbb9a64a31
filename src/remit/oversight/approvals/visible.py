"""Text from agents and tools, shown so that it can't deceive (CB-02, CB-15): what is unseen is named."""

import base64
import binascii
import unicodedata
from dataclasses import dataclass

_LONG_LINE = 512
_BASE64_MINIMUM = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A value as a person may see it: `text` is inert and whole, `warnings` say what to look at twice."""

    text: str
    length: int
    warnings: tuple[str, ...]


def show(value: str) -> Shown:
    """Make every invisible, directional or control character visible as `⟨U+XXXX⟩`; never shorten."""
    text = "".join(char if _is_plain(char) else f"⟨U+{ord(char):04X}⟩" for char in value)
    return Shown(text=text, length=len(value), warnings=tuple(_warnings(value)))


def _is_plain(char: str) -> bool:
    if char == "\n":
        return True
    category = unicodedata.category(char)
    return not (category.startswith("C") or category in {"Zl", "Zp"} or (category == "Zs" and char != " "))


def _warnings(value: str) -> list[str]:
    found = []
    if any(not _is_plain(char) for char in value):
        found.append("holds invisible or control characters")
    if _mixes_scripts(value):
        found.append("mixes letters of several scripts that look alike")
    if any(len(line) > _LONG_LINE for line in value.splitlines()):
        found.append(f"holds a line of more than {_LONG_LINE} characters")
    if _is_encoded(value):
        found.append("looks encoded: cannot be inspected")
    if value.lstrip()[:1] in {"{", "["}:
        found.append("looks like a document inside a text")
    return found


def _mixes_scripts(value: str) -> bool:
    """Whether one word mixes Latin with Greek or Cyrillic letters, as look-alike domains do."""
    for word in value.split():
        scripts = {unicodedata.name(char, "").split(" ")[0] for char in word if char.isalpha()}
        if "LATIN" in scripts and scripts & {"GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE"}:
            return True
    return False


def _is_encoded(value: str) -> bool:
    packed = value.strip()
    if len(packed) < _BASE64_MINIMUM or len(packed) % 4 or not any(c.isdigit() for c in packed):
        return False
    try:
        base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
