"""The words of a policy text with their places, read before Cedar's parser and after it has refused.

Cedar's parser, as it is reached from here, says what is wrong and not where.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""//[^\n]*            # a comment counts for nothing
      | \s+
      | "(?:[^"\\]|\\.)*"   # a string is one token
      | [A-Za-z_0-9]+
      | ::|&&|\|\||[=!<>]=
      | .""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Word:
    """One word, literal or sign."""

    text: str
    start: int
    """Offset of its first character."""

    @property
    def end(self) -> int:
        """Offset behind its last character."""
        return self.start + len(self.text)


def words(text: str) -> Iterator[Word]:
    """Everything but space and comments."""
    for found in _TOKEN.finditer(text):
        word = found[0]
        if not word.isspace() and not word.startswith("//"):
            yield Word(word, found.start())


def pieces(text: str) -> list[list[Word]]:
    """The words of each policy, its `;` included; Cedar numbers policies in this order."""
    found: list[list[Word]] = [[]]
    for word in words(text):
        found[-1].append(word)
        if word.text == ";":
            found.append([])
    return [piece for piece in found if piece]


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Both counted from 1, the column in characters."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
