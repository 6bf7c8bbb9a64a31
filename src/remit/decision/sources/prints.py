"""Whether a text repeats another word for word: keyed digests of runs of words, winnowed.

Any `WORDS + WINDOW - 1` words in a row that stand in both are found, however they are set, cased or
punctuated. A retelling is not, and is not meant to be: what may not leave at all is `no_export`.
"""

import hashlib
import re
from typing import Final

WORDS: Final = 6
WINDOW: Final = 3
_SIZE: Final = 8
LIMIT: Final = 20_000
"""Words of one text that are looked at for prints to keep; what a call carries is looked at whole."""
_WORD: Final = re.compile(r"[^\W_]+")


def kept(text: str, key: bytes) -> frozenset[bytes]:
    """The prints of a text to remember it by: the least of each window, so about a half of all."""
    every = _prints(text, key, LIMIT)
    if len(every) <= WINDOW:
        return frozenset(every)
    return frozenset(min(every[start : start + WINDOW]) for start in range(len(every) - WINDOW + 1))


def repeats(text: str, known: frozenset[bytes], key: bytes) -> bool:
    """Whether a text holds a run of words that is remembered."""
    return not known.isdisjoint(_prints(text, key, None))


def _prints(text: str, key: bytes, limit: int | None) -> list[bytes]:
    words = _WORD.findall(text.casefold())[:limit]
    return [
        hashlib.blake2b(" ".join(words[start : start + WORDS]).encode(), key=key, digest_size=_SIZE).digest()
        for start in range(len(words) - WORDS + 1)
    ]
