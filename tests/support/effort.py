"""How often a search tries: enough at the gate to catch its own planted bug, more in the long run."""

import os

LONG = os.environ.get("REMIT_HYPOTHESIS") == "long"


def rounds(gate: int, *, long: int) -> int:
    """`gate` in `make test`, `long` under `REMIT_HYPOTHESIS=long`."""
    return long if LONG else gate
