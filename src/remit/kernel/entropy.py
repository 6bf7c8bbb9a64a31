"""Random bytes of the operating system; those of names are fetched a block at a time.

Each system call lets other threads take the interpreter, which costs the caller more than the bytes do, and
a decision is named five times over.
"""

import os
from typing import Final

NAME_BYTES: Final = 26
"""What a name takes. SAFETY: keys, secrets, salts and nonces are of other sizes, and always fetched fresh."""
BLOCK: Final = 128
"""How many names' bytes are fetched at once."""


class SystemEntropy:
    """`os.urandom`, quicker for names. INVARIANT: nothing is given twice.

    Taking from a list is one step of the interpreter, so no two threads get the same; a forked child forgets
    what its parent holds.
    """

    def __init__(self) -> None:
        self._names: list[bytes] = []
        os.register_at_fork(after_in_child=self._names.clear)

    def __call__(self, size: int) -> bytes:
        """That many bytes."""
        if size != NAME_BYTES:
            return os.urandom(size)
        try:
            return self._names.pop()
        except IndexError:
            return self._refill()

    def _refill(self) -> bytes:
        block = os.urandom(NAME_BYTES * BLOCK)
        self._names += [block[at : at + NAME_BYTES] for at in range(NAME_BYTES, len(block), NAME_BYTES)]
        return block[:NAME_BYTES]
