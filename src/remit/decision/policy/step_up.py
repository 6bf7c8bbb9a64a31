"""What a rule demands of how, and how lately, the person behind a call signed in (RFC 9470)."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from remit.authority.oidc.conditions import MEETS
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import StepUp

LEAST_AGE: Final = 60
"""Seconds. Less could have passed before the call comes: a person would sign in again without end (MC-30)."""
_FORM: Final = re.compile(r"([\x21-\x7e]{1,128})(?: max_age=([1-9][0-9]{0,8}))?")


def read_step_up(text: str) -> StepUp | None:
    """`<acr>` or `<acr> max_age=<seconds>`; None for what is neither."""
    parts = _FORM.fullmatch(text)
    if parts is None:
        return None
    found = StepUp(acr=parts[1], max_age=int(parts[2] or 0))
    return None if 0 < found.max_age < LEAST_AGE else found


def is_met(demand: StepUp, subject: VerifiedSubject, at: datetime) -> bool:
    """Whether the person's sign-in was of that class, or a stronger one, and not too long ago.

    RFC 9470 §3: it counts when they signed in, not when the token was issued.
    """
    if not meets(subject.acr, demand.acr):
        return False
    if not demand.max_age:
        return True
    signed_in = subject.signed_in_at
    return signed_in is not None and at - signed_in <= timedelta(seconds=demand.max_age)


def meets(acr: str, wanted: str) -> bool:
    """Whether a sign-in of that class is of the one that is wanted, or stronger."""
    return bool(acr) and (acr == wanted or acr in MEETS.get(wanted, frozenset()))


def together(demands: Sequence[StepUp]) -> StepUp:
    """One demand that meets all of them, so that a person signs in again once and not once for each."""
    ages = [demand.max_age for demand in demands if demand.max_age]
    acr = _strongest([demand.acr for demand in demands])
    return StepUp(acr=acr, max_age=min(ages, default=0), hopeless=acr not in MEETS)


def _strongest(wanted: Sequence[str]) -> str:
    """The first of these, else of all that there are, that meets every one; the first if none does."""
    every: Iterable[str] = (*wanted, *MEETS)
    return next((acr for acr in every if all(meets(acr, other) for other in wanted)), wanted[0])
