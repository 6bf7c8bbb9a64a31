"""Identifiers: prefixed, ordered by time, impossible to guess, never reused."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import NewType

from remit.kernel.entropy import NAME_BYTES, SystemEntropy

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
ShiftId = NewType("ShiftId", str)
BudgetId = NewType("BudgetId", str)
KillId = NewType("KillId", str)
BreakGlassId = NewType("BreakGlassId", str)
CaseId = NewType("CaseId", str)
ChangeId = NewType("ChangeId", str)
RecordId = NewType("RecordId", str)
EventId = NewType("EventId", str)
SessionId = NewType("SessionId", str)
PasskeyId = NewType("PasskeyId", str)
EnrolmentId = NewType("EnrolmentId", str)
MessageId = NewType("MessageId", str)
PushDeviceId = NewType("PushDeviceId", str)

Entropy = Callable[[int], bytes]
"""Gives that many random bytes; `system_entropy` outside tests."""

_ALPHABET = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
_DIGIT = _ALPHABET * 8
"""For each byte the digit of its last five bits: all digits are equally likely."""
_PAIRS = tuple(bytes([high, low]).decode() for high in _ALPHABET for low in _ALPHABET)
system_entropy: Entropy = SystemEntropy()


def mint_id(prefix: str, *, at: datetime, entropy: Entropy) -> str:
    """Make `prefix_` + 36 Crockford digits: 50 bits of milliseconds, then 130 random bits.

    So many milliseconds last until the year 37648; 128 bits are what an unguessable name needs. Each digit
    of chance is made of a byte of its own.
    """
    # Without a loop: every call, decision and record is named by this.
    return f"{prefix}_{_moment(at)}{entropy(NAME_BYTES).translate(_DIGIT).decode()}"


def first_id(prefix: str, *, at: datetime) -> str:
    """No id that was minted at this moment or later comes before this; all of an earlier millisecond do."""
    return f"{prefix}_{_moment(at)}"


@lru_cache(maxsize=64)
def _moment(at: datetime) -> str:
    """Ten digits; what is named at one moment shares them. Pure: equal moments are the same milliseconds."""
    n, pairs = int(at.timestamp() * 1000), _PAIRS
    return (
        f"{pairs[n >> 40 & 1023]}{pairs[n >> 30 & 1023]}{pairs[n >> 20 & 1023]}{pairs[n >> 10 & 1023]}"
        f"{pairs[n & 1023]}"
    )
