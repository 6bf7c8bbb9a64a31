"""The directory as a shelf: one kind at a time, searched, sorted, counted, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal
from remit.kernel.ids import PrincipalId
from remit.kernel.uow import Transaction

FACETS: Final = 20
"""Values that one facet names, the most frequent."""


class Sort(StrEnum):
    """What a shelf is sorted by; equal ones by id."""

    NAME = "name"
    CHANGED = "changed"
    ENTERED = "entered"
    """When it was registered: ids are ordered by time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries of one kind; what is None or empty does not narrow."""

    kind: Kind
    text: str = ""
    """Part of the name, without regard to the case of Latin letters; or the whole id."""
    state: State | None = None
    owner: PrincipalId | None = None
    blueprint: str = ""
    environment: Environment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page begins: behind the entry with this sorted value and id."""

    value: str
    """A name or an id; of `changed`, microseconds since 1970 in digits."""
    ident: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """One entry as a list shows it."""

    entry: Principal
    owner_name: str
    blueprint_name: str
    last_decided: datetime | None
    """When it was last decided about a call of this agent; None for what is no agent, or never acted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """How many entries have one value of one field; `name` is what a reader knows an id by."""

    field: str
    value: str
    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many there are, and the most frequent values of state, environment, owner and blueprint."""

    count: int
    facets: tuple[Facet, ...]


class Shelves(Protocol):
    """What storage offers for this."""

    def page(
        self, wanted: Wanted, *, sort: Sort, backwards: bool, after: Place | None, limit: int
    ) -> Sequence[Shelved]:
        """Entries in order, from behind a place on."""

    def tally(self, wanted: Wanted) -> Tally:
        """How many there are, and of which values; at most `FACETS` values of each field."""

    def beginning(self, text: str, *, owner: PrincipalId | None, limit: int) -> Sequence[Principal]:
        """Living entries of any kind whose name begins so, by name; of one owner alone where one is named."""


class ShelfTransaction(Transaction, Protocol):
    """The transaction that this needs."""

    @property
    def shelves(self) -> Shelves:
        """The directory as a shelf."""


def place_of(found: Shelved, sort: Sort, changed: int) -> Place:
    """Where the page behind an entry begins; `changed` is when it changed, in microseconds."""
    entry = found.entry
    values = {Sort.NAME: entry.name, Sort.CHANGED: str(changed), Sort.ENTERED: entry.id}
    return Place(value=values[sort], ident=entry.id)
