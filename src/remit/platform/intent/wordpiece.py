"""Cut text into the pieces that a BERT model knows (uncased WordPiece), as its authors' tokenizer does."""

import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from remit.platform.intent.faults import ModelInvalid

PIECES_LIMIT: Final = 128
"""Pieces of one text, its two ends among them: what the model was trained on. What is beyond is not read."""
TEXT_LIMIT: Final = 4_096
"""Characters of one text that are looked at; nearly always far more than `PIECES_LIMIT` pieces."""
WORD_LIMIT: Final = 100
"""Characters of one word; a longer one is unknown as a whole."""
VOCABULARY_LIMIT: Final = 1 << 20
_BEGIN: Final = "[CLS]"
_END: Final = "[SEP]"
_UNKNOWN: Final = "[UNK]"
_MORE: Final = "##"
_BREAKS: Final = "\t\n\r"
_IDEOGRAPHS: Final = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class WordPiece:
    """The tokenizer of one vocabulary."""

    __slots__ = ("_begin", "_end", "_known", "_unknown")

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        missing = [each for each in (_BEGIN, _END, _UNKNOWN) if each not in vocabulary]
        if missing:
            raise ModelInvalid(f"the vocabulary lacks `{missing[0]}`")
        self._known = vocabulary
        self._begin, self._end, self._unknown = (vocabulary[each] for each in (_BEGIN, _END, _UNKNOWN))

    def __len__(self) -> int:
        """How many numbers there are, from 0."""
        return max(self._known.values()) + 1

    @classmethod
    def of_file(cls, path: Path) -> "WordPiece":
        """Read `vocab.txt`: one piece a line, its number is its place. Raises `OSError`, `ModelInvalid`."""
        lines = path.read_text(encoding="utf-8").split("\n")
        if len(lines) > VOCABULARY_LIMIT:
            raise ModelInvalid(f"`{path.name}` has {len(lines)} lines, at most {VOCABULARY_LIMIT} are read")
        return cls({line.rstrip("\r"): number for number, line in enumerate(lines) if line.rstrip("\r")})

    def numbers(self, text: str) -> list[int]:
        """The numbers of a text's pieces, between those of beginning and end; at most `PIECES_LIMIT`."""
        found = [self._begin]
        for word in words(text[:TEXT_LIMIT]):
            found += self._pieces(word)
            if len(found) >= PIECES_LIMIT - 1:
                break
        return [*found[: PIECES_LIMIT - 1], self._end]

    def _pieces(self, word: str) -> list[int]:
        """The longest known beginning, then the longest known rest; with an unknown piece, all unknown."""
        if len(word) > WORD_LIMIT:
            return [self._unknown]
        found, start = list[int](), 0
        while start < len(word):
            mark = _MORE if start else ""
            for end in range(len(word), start, -1):
                if (number := self._known.get(mark + word[start:end])) is not None:
                    found.append(number)
                    start = end
                    break
            else:
                return [self._unknown]
        return found


def words(text: str) -> Iterator[str]:
    """Small letters without accents; each punctuation mark and ideograph is a word of its own."""
    folded = unicodedata.normalize("NFD", "".join(map(_plain, text)))
    bare = "".join(each for each in folded if unicodedata.category(each) != "Mn").lower()
    for run in bare.split():
        yield from _parted(run)


def _plain(each: str) -> str:
    """A character as it is read: what can't be seen is gone, any space is a space."""
    if each in _BREAKS or each.isspace():
        return " "
    if each == "\ufffd" or unicodedata.category(each).startswith("C"):
        return ""
    code = ord(each)
    return f" {each} " if any(low <= code <= high for low, high in _IDEOGRAPHS) else each


def _parted(run: str) -> Iterator[str]:
    held = ""
    for each in run:
        if not _is_mark(each):
            held += each
            continue
        if held:
            yield held
        yield each
        held = ""
    if held:
        yield held


def _is_mark(each: str) -> bool:
    """Punctuation of any script; of ASCII, whatever is neither letter, digit nor space."""
    return unicodedata.category(each).startswith("P") or (each.isascii() and not each.isalnum())
