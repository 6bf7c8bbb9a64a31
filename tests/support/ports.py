"""Ports for servers that are told theirs by number, as a child process is."""

import itertools
import os
import socket
from typing import Final

_FIRST: Final = 10_000
_COUNT: Final = 20_000
"""Below 32768: from there on the kernel lends ports to connections, and one could be gone before its use."""
_STEP: Final = 101
"""Workers that were started one after the other begin this far apart."""
_turns = itertools.count()


def free_port() -> int:
    """A port that nobody listens on, and that this process gives out once."""
    for turn in _turns:
        port = _FIRST + (os.getpid() * _STEP + turn) % _COUNT
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("a count has no end")
