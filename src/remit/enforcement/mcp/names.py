"""Names that look alike: another case, another separator, a digit for a letter (MC-06).

Other alphabets need no table: a tool name outside ASCII is refused with its definition.
"""

from collections.abc import Collection, Iterable
from typing import Final

_READ_AS: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "_": None, "-": None, ".": None, "/": None})


def skeleton(name: str) -> str:
    """What a hurried reader sees: no case, no separators, one letter for those that look alike."""
    return name.lower().translate(_READ_AS).replace("rn", "m").replace("vv", "w")


def ambiguous(names: Iterable[str], *, trusted: Collection[str]) -> frozenset[str]:
    """Names that can be taken for another one; those a person has approved keep theirs."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(skeleton(name), []).append(name)
    return frozenset(
        name for group in groups.values() if len(group) > 1 for name in group if name not in trusted
    )
