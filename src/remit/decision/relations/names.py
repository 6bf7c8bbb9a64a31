"""The ids of one type as small integers."""

from typing import Final

LOCAL: Final = 1 << 40
"""From here on integers are known to one request alone."""


class Names:
    """Ids in the order of their coming; grows, never changes, so all versions of an index share it.

    A fork knows the names of its origin and keeps new ones to itself: what a request brings along leaves
    nothing behind.
    """

    __slots__ = ("_base", "_ids", "_names", "_origin")

    def __init__(self, origin: "Names | None" = None) -> None:
        self._origin = origin
        self._base = 0 if origin is None else LOCAL
        self._ids: dict[str, int] = {}
        self._names: list[str] = []

    def fork(self) -> "Names":
        """A child whose new names stay its own."""
        return Names(self)

    def find(self, name: str) -> int | None:
        """The integer of a name, if it has one."""
        found = self._ids.get(name)
        return self._origin.find(name) if found is None and self._origin is not None else found

    def intern(self, name: str) -> int:
        """The integer of a name, from now on."""
        found = self._ids.get(name)
        if found is not None:
            return found
        if self._origin is not None and (found := self._origin.find(name)) is not None:
            return found
        found = self._ids[name] = self._base + len(self._names)
        self._names.append(name)
        return found

    def name(self, ident: int) -> str:
        """The name of an integer that `intern` gave."""
        if ident < LOCAL and self._origin is not None:
            return self._origin.name(ident)
        return self._names[ident - self._base]

    def __contains__(self, ident: int) -> bool:
        """Whether an integer stands for a name here."""
        if ident < LOCAL and self._origin is not None:
            return ident in self._origin
        return self._base <= ident < self._base + len(self._names)
