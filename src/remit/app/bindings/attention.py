"""Attention bound to the one transaction that all wings share."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from remit.identity.principals import Principal
from remit.kernel.ids import Entropy
from remit.oversight.approvals.approval import Approval
from remit.oversight.approvals.repository import ApprovalTransaction
from remit.oversight.attention.budget import ApproverBudget
from remit.oversight.attention.desk import AttentionDesk
from remit.oversight.attention.repository import AttentionTransaction
from remit.oversight.attention.share import Attention
from remit.platform.settings.options import ApprovalChoices


def attention_desk(chosen: ApprovalChoices, *, entropy: Entropy) -> "BoundAttention":
    """The desk of one tenant, with the limits that the operator chose."""
    limits = Attention(
        per_user_per_minute=chosen.per_user_per_minute,
        pending_per_agent=chosen.pending_per_agent,
        denials_in_a_row=chosen.denials_in_a_row,
    )
    default = ApproverBudget(
        per_hour=chosen.per_approver_per_hour,
        per_day=chosen.per_approver_per_day,
        per_agent_per_day=chosen.per_approver_and_agent_per_day,
    )
    return BoundAttention(AttentionDesk(limits=limits, default=default, entropy=entropy))


class BoundAttention:
    """What asks and answers take of attention: `Attendance`, and a `Consequence` of every outcome."""

    def __init__(self, desk: AttentionDesk) -> None:
        self.desk = desk

    def admit(
        self, tx: ApprovalTransaction, draft: Approval, people: Sequence[Principal], *, at: datetime
    ) -> Sequence[Principal]:
        """Whom of those who may answer to ask now."""
        return self.desk.admit(_whole(tx), draft, people, at=at)

    def addressed(self, tx: ApprovalTransaction, ask: Approval, *, at: datetime) -> None:
        """Somebody has been asked."""
        self.desk.addressed(_whole(tx), ask, at=at)

    def exhausted(self, tx: ApprovalTransaction, settled: Approval) -> bool:
        """Whether an agent keeps asking for what people refuse."""
        return self.desk.exhausted(_whole(tx), settled)

    def settled(self, tx: ApprovalTransaction, approval: Approval, *, at: datetime) -> None:
        """An ask has its terminal state."""
        self.desk.settled(_whole(tx), approval, at=at)


def _whole(tx: ApprovalTransaction) -> AttentionTransaction:
    """The same transaction, with what attention keeps in it: there is one for all wings."""
    return cast("AttentionTransaction", tx)
