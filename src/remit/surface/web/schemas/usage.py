"""What programs use of models, and what is left of a task's budget, as the API shows them."""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec

from remit.app.bindings.usage import Reserved, Standing
from remit.authority.limits import MOST, Dimension, Per
from remit.surface.web.schemas.capability import AskView
from remit.surface.web.schemas.words import Amounts, Ident

Digested = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^([0-9a-f]{64})?$")]


class NewUsage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the caller is about to use; the same `key` with the same amounts holds them once."""

    key: Ident
    reserve: Amounts
    envelope: Digested = ""
    """Digest of the delegation that the caller acts by (`dev.remit` `env` of its token); empty for none."""


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`permit` holds the amounts; `ask` and `deny` hold nothing and say why and what is left."""

    effect: str
    decision: str
    key: str
    denial: dict[str, Any] | None = None
    approval: AskView | None = None

    @classmethod
    def of(cls, reserved: Reserved) -> Self:
        """From what was decided."""
        return cls(
            effect=reserved.decision.verdict.effect.value,
            decision=reserved.decision.id,
            key=reserved.key,
            denial=dict(reserved.denial) if reserved.denial is not None else None,
            approval=AskView.of(reserved.ask) if reserved.ask is not None else None,
        )


class UsageOutcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was used; a meter that is not named stays as it was reserved."""

    used: Amounts


class UsageView(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record now."""

    decision: str
    key: str
    used: dict[str, int]


class BudgetView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One limit: of whom, of what, how much of it is used; `most` and `ask_above` where there is one."""

    factor: str
    of: Dimension
    per: Per
    currency: str = ""
    used: int
    most: int | None = None
    ask_above: int | None = None
    again: datetime | None = None
    """When the span of the clock ends that counts now; none for the whole life."""

    @classmethod
    def of_standing(cls, standing: Standing) -> Self:
        """From the counters."""
        line = standing.line
        return cls(
            factor=line.factor,
            of=Dimension.CALLS if line.dimension is Dimension.RATE else line.dimension,
            per=Per.MINUTE if line.dimension is Dimension.RATE else line.per,
            currency=line.currency,
            used=standing.spent,
            most=None if line.cap == MOST else line.cap,
            ask_above=line.ask_above,
            again=line.ends,
        )
