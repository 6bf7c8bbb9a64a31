"""Decisions that break glass made a difference to: listed and told aloud in their own commit."""

from typing import Final

from remit.decision.repository import DecisionTransaction
from remit.decision.trail.trace import StoredDecision
from remit.kernel.events import Event
from remit.kernel.ids import Entropy, EventId, mint_id

GLASS_USED: Final = "oversight.breakglass.used"
"""The alarm of each call that break glass made a difference to."""


def note_use(tx: DecisionTransaction, stored: StoredDecision, entropy: Entropy) -> None:
    """Put a decision on the list of what somebody reviews, and raise the alarm."""
    told = stored.explanation
    for glass in told.glasses:
        tx.glasses.used(glass, decision=stored.id, effect=told.verdict.effect, at=told.at)
        tx.publish(
            Event(
                id=EventId(mint_id("evt", at=told.at, entropy=entropy)),
                at=told.at,
                tenant=told.tenant,
                name=GLASS_USED,
                actor=told.instance,
                subject=glass,
                detail=(("decision", stored.id), ("effect", told.verdict.effect)),
            )
        )
