"""What an application demands of a sign-in before anybody is let in, and at each refresh (R21).

Judged by how the session was made (`acr`) and by what the provider that made it vouches for (`marks`), never
by what a client says.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from remit.identity.sessions import ACR_PASSKEY, ACR_PASSKEY_UV, ACR_UPSTREAM, ACR_UPSTREAM_MFA

_PASSKEYS: Final = frozenset({ACR_PASSKEY, ACR_PASSKEY_UV})
MEETS: Final = {
    ACR_PASSKEY: _PASSKEYS,
    ACR_PASSKEY_UV: frozenset({ACR_PASSKEY_UV}),
    ACR_UPSTREAM: frozenset({ACR_UPSTREAM, ACR_UPSTREAM_MFA, *_PASSKEYS}),
    ACR_UPSTREAM_MFA: frozenset({ACR_UPSTREAM_MFA, ACR_PASSKEY_UV}),
}
"""Which ways to sign in meet a demand (RFC 9470 §4); a word that is not ours is met by none."""


class Condition(StrEnum):
    """One demand."""

    MFA = "mfa"
    """Two factors: a passkey that verified the person, or a provider's word for it."""
    MANAGED_DEVICE = "managed_device"
    """A device that the person's provider manages, by its word alone."""
    PASSKEY = "passkey"
    """A passkey of this installation."""


BY_PASSKEY: Final = frozenset({Condition.MFA, Condition.PASSKEY})
"""What the person can still meet by proving a passkey here."""
_MFA: Final = frozenset({ACR_PASSKEY_UV, ACR_UPSTREAM_MFA})


def unmet(requires: Iterable[str], *, acr: str, marks: Iterable[str]) -> frozenset[Condition]:
    """Which of the demands this sign-in does not meet."""
    vouched = frozenset(marks)
    met = {
        Condition.MFA: acr in _MFA or Condition.MFA in vouched,
        Condition.MANAGED_DEVICE: Condition.MANAGED_DEVICE in vouched,
        Condition.PASSKEY: acr in _PASSKEYS,
    }
    return frozenset(condition for each in requires if not met[condition := Condition(each)])


def wanted_acr(conditions: Iterable[Condition]) -> tuple[str, ...]:
    """The `acr_values` that would meet them, where any would (RFC 9470 §3)."""
    return (ACR_PASSKEY_UV,) if BY_PASSKEY.issuperset(conditions) else ()


def sentence(conditions: Iterable[Condition]) -> str:
    """What is missing, in words."""
    words = {
        Condition.MFA: "a second factor",
        Condition.MANAGED_DEVICE: "a device that your company manages",
        Condition.PASSKEY: "a passkey",
    }
    return f"this application demands {' and '.join(words[each] for each in sorted(conditions))}"
