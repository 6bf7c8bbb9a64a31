"""Identifiers: prefixed, ordered by time, impossible to guess, never reused."""

import secrets
from collections.abc import Callable
from datetime import datetime
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

Entropy = Callable[[int], bytes]
"""Gives that many random bytes; `secrets.token_bytes` outside tests."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_TIME_DIGITS = 10  # 50 bits of milliseconds: until the year 37648
_RANDOM_DIGITS = 26  # 130 bits: more than the 128 that an unguessable name needs

system_entropy: Entropy = secrets.token_bytes


def mint_id(prefix: str, *, at: datetime, entropy: Entropy) -> str:
    """Make `prefix_` + 36 Crockford digits: 50 bits of milliseconds, then 130 random bits."""
    moment = int(at.timestamp() * 1000)
    chance = int.from_bytes(entropy(17), "big") >> 6
    return f"{prefix}_{_digits(moment, _TIME_DIGITS)}{_digits(chance, _RANDOM_DIGITS)}"


def _digits(number: int, count: int) -> str:
    """An even count of digits, two at a time: every call, decision and record is named by this."""
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range((count - 2) * 5, -1, -10)])
