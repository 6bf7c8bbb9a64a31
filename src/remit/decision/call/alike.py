"""What was found for alike things, kept while it pays: calls that are all different are not slowed by it."""

from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
LIMIT: Final = 8192
TRIAL: Final = 2048
"""Questions after which it is seen whether keeping pays."""
_PART: Final = 8
"""It pays if one question in so many was answered."""


class Alike(Generic[K, V]):
    """Values by key, at most `LIMIT`; `worth` turns false for good once it has not paid."""

    __slots__ = ("_asked", "_found", "_known", "worth")

    def __init__(self) -> None:
        self._known: dict[K, V] = {}
        self._asked = self._found = 0
        self.worth = True

    def get(self, key: K) -> V | None:
        """What is kept; counted."""
        value = self._known.get(key)
        self._asked += 1
        if value is not None:
            self._found += 1
        if self._asked >= TRIAL:
            self.worth = self._found * _PART >= self._asked
            self._asked = self._found = 0
        return value

    def keep(self, key: K, value: V) -> V:
        """Keep a value, and give it back."""
        if len(self._known) >= LIMIT or not self.worth:
            self._known.clear()
        if self.worth:
            self._known[key] = value
        return value
