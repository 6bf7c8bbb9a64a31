"""Identifiers: prefixed, ordered by time, impossible to guess, never reused."""

import os
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import NewType

TenantId = NewType("TenantId", str)
UserId = NewType("UserId", str)
AgentId = NewType("AgentId", str)
InstanceId = NewType("InstanceId", str)
BlueprintId = NewType("BlueprintId", str)
PrincipalId = NewType("PrincipalId", str)
ServerId = NewType("ServerId", str)
ToolId = NewType("ToolId", str)
TaskId = NewType("TaskId", str)
GrantId = NewType("GrantId", str)
TokenId = NewType("TokenId", str)
KeyId = NewType("KeyId", str)
EnvelopeId = NewType("EnvelopeId", str)
CapabilityId = NewType("CapabilityId", str)
CallId = NewType("CallId", str)
DecisionId = NewType("DecisionId", str)
ApprovalId = NewType("ApprovalId", str)
BudgetId = NewType("BudgetId", str)
KillId = NewType("KillId", str)
RecordId = NewType("RecordId", str)
EventId = NewType("EventId", str)
SessionId = NewType("SessionId", str)
PasskeyId = NewType("PasskeyId", str)
EnrolmentId = NewType("EnrolmentId", str)

Entropy = Callable[[int], bytes]
"""Gives that many random bytes; `system_entropy` outside tests."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)

system_entropy: Entropy = os.urandom


def mint_id(prefix: str, *, at: datetime, entropy: Entropy) -> str:
    """Make `prefix_` + 36 Crockford digits: 50 bits of milliseconds, then 130 random bits.

    So many milliseconds last until the year 37648; 128 bits are what an unguessable name needs.
    """
    n, pairs = int.from_bytes(entropy(17), "big") >> 6, _PAIRS
    # Two digits at a time, without a loop: every call, decision and record is named by this.
    return (
        f"{prefix}_{_moment(int(at.timestamp() * 1000))}"
        f"{pairs[n >> 120]}{pairs[n >> 110 & 1023]}{pairs[n >> 100 & 1023]}{pairs[n >> 90 & 1023]}"
        f"{pairs[n >> 80 & 1023]}{pairs[n >> 70 & 1023]}{pairs[n >> 60 & 1023]}{pairs[n >> 50 & 1023]}"
        f"{pairs[n >> 40 & 1023]}{pairs[n >> 30 & 1023]}{pairs[n >> 20 & 1023]}{pairs[n >> 10 & 1023]}"
        f"{pairs[n & 1023]}"
    )


@lru_cache(maxsize=64)
def _moment(milliseconds: int) -> str:
    """Ten digits; what is named in one millisecond shares them."""
    return "".join([_PAIRS[milliseconds >> shift & 1023] for shift in (40, 30, 20, 10, 0)])
