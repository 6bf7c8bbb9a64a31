"""Every code that a decision can carry: its kind, its sentence, what to do about it.

The reference page of errors is generated from `TABLE`.
"""

from typing import Final

from remit.decision.answer.response import Reason
from remit.decision.codes.names import Code, Entry
from remit.decision.codes.rights import RIGHTS
from remit.decision.codes.rules import RULES

__all__ = ["TABLE", "Code", "Entry", "reason"]

TABLE: Final[dict[Code, Entry]] = {**RIGHTS, **RULES}


def reason(code: Code, *, rule: str = "", **places: object) -> Reason:
    """Fill in the sentence of a code."""
    entry = TABLE[code]
    return Reason(
        stage=entry.stage,
        effect=entry.effect,
        kind=entry.kind,
        code=code,
        sentence=entry.sentence.format(rule=rule, **places),
        rule=rule,
    )
