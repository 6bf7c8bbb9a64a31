"""A value that must not be shown."""

from typing import Final


class Secret:
    """Bytes that no log, error, trace or `repr` can show; `reveal` is the one door.

    Compare with `canonical.same_bytes`, never with `==`.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value: Final = value

    def reveal(self) -> bytes:
        """Give the bytes to the one line that needs them."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is never pickled")
