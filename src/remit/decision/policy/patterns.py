"""Cedar's `like`: `*` stands for any text. Linear in the text, whatever the pattern (PD-13)."""

from collections.abc import Callable

from cedarpy import pst


def compile_pattern(pattern: tuple[pst.PatternElem, ...]) -> Callable[[str], bool]:
    """A test of a whole text."""
    pieces: list[str] = [""]
    for part in pattern:
        if isinstance(part, pst.Char):
            pieces[-1] += part.value
        else:
            pieces.append("")
    if len(pieces) == 1:
        return pieces[0].__eq__
    first, *middle, last = pieces
    return _between(first, tuple(piece for piece in middle if piece), last)


def _between(first: str, middle: tuple[str, ...], last: str) -> Callable[[str], bool]:
    """The first place for each piece is the best: what is left for the others is then longest."""
    least = len(first) + len(last)

    def matches(text: str) -> bool:
        if len(text) < least or not (text.startswith(first) and text.endswith(last)):
            return False
        at, end = len(first), len(text) - len(last)
        for piece in middle:
            found = text.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True

    return matches
