"""The five words by which others call what was decided (N9), one table for every place that says them.

| word | here |
|---|---|
| ALLOW | a permit without duties |
| MODIFY | a permit with duties: what comes back is changed, or the enforcement point has more to do |
| STEP_UP | the person signs in again, more strongly or more lately |
| DEFER | a question to a person: nothing happens until it is answered |
| DENY | no |
"""

from enum import StrEnum
from typing import Final

from remit.ledger.query import DECIDED
from remit.ledger.record import Record

_DUTY: Final = "obligation."
"""How the names of details begin that tell a permit's duties."""


class Word(StrEnum):
    """What a decision comes to, in the field's words."""

    ALLOW = "ALLOW"
    MODIFY = "MODIFY"
    STEP_UP = "STEP_UP"
    DEFER = "DEFER"
    DENY = "DENY"


_OF: Final = {"permit": Word.ALLOW, "step_up": Word.STEP_UP, "ask": Word.DEFER, "deny": Word.DENY}


def word_of(effect: str, *, obliged: bool) -> Word:
    """The word for an effect; whatever is unknown is a no."""
    found = _OF.get(effect, Word.DENY)
    return Word.MODIFY if found is Word.ALLOW and obliged else found


def word_of_record(record: Record) -> Word | None:
    """The word of a decision on record, from what is signed of it alone; None for any other record."""
    if record.kind != DECIDED:
        return None
    return word_of(record.effect, obliged=any(name.startswith(_DUTY) for name, _ in record.detail))
