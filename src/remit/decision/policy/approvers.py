"""Who is asked, in the words of `@approval`: a chain of seats, each with how many different people it takes.

``owner``, ``2 of team:finance``, ``self > owner > oncall:payments > team:support-leads``.
"""

import re
from dataclasses import dataclass
from typing import Final

CHAIN_LIMIT: Final = 6
MOST_NEEDED: Final = 9
SELF: Final = frozenset({"self", "requester"})
"""Two words for the person on whose behalf it is done: who confirms, and does not oversee."""
_SEAT: Final = re.compile(r"(?:([1-9]) of )?(owner|self|requester|(?:team|user|role|oncall):[^\s:>]{1,128})")
_MANY: Final = re.compile(r"(team|role):")
"""Only a group can be short of people: one person is one person."""
GRAMMAR: Final = (
    "`team:<name>`, `role:<name>`, `oncall:<roster>`, `user:<id>`, `owner` or `self`; "
    "`2 of team:<name>` for two people; several by ` > `, asked one after another"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One link of the chain: who, and how many different people of them must say yes."""

    who: str
    need: int = 1

    @property
    def is_self(self) -> bool:
        """Whether the person confirms their own action."""
        return self.who in SELF


def read_chain(text: str) -> tuple[Seat, ...] | None:
    """Read the words of a rule; None where they are none."""
    seats = [_seat(part) for part in text.split(" > ")]
    chain = tuple(seat for seat in seats if seat is not None)
    if len(chain) != len(seats) or len(chain) > CHAIN_LIMIT or len({seat.who for seat in chain}) < len(chain):
        return None
    return chain


def _seat(part: str) -> Seat | None:
    found = _SEAT.fullmatch(part)
    if found is None:
        return None
    need = int(found[1] or 1)
    return None if need > 1 and not _MANY.match(found[2]) else Seat(who=found[2], need=need)
