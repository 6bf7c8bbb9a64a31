"""What other wings need of the ledger inside their transaction."""

from collections.abc import Sequence
from typing import Protocol

from remit.ledger.record import Content, Record


class Recorder(Protocol):
    """Appends within the open transaction: the record exists exactly if its change does."""

    def append(self, record: Record, contents: Sequence[Content] = ()) -> None:
        """Give the record the next place in the shard; contents are sealed beside the tree."""
