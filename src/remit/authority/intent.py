"""What the person asked, once: a salted digest that travels, and the text that stays sealed (R38)."""

import hashlib
from dataclasses import dataclass
from typing import Final

from remit.kernel.canonical import Digest, same_bytes
from remit.kernel.errors import Invalid, TooLarge
from remit.kernel.ids import Entropy

_SALT_BYTES: Final = 16
GOAL_LIMIT: Final = 8 << 10
"""Bytes of a goal, as an audit field has them (security section 3)."""


class NoGoal(Invalid):
    """A task without a goal has no intent that could be enforced."""

    code = "no_goal"


class GoalTooLong(TooLarge):
    """The goal is over its limit of bytes."""

    code = "goal_too_long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A goal as it goes on: `digest` into the envelope, `salt` and `text` into sealed contents.

    The text is data wherever it appears: it is never read for rights, rules or instructions (DE-18).
    """

    digest: Digest
    salt: bytes
    text: str


def seal_goal(text: str, *, entropy: Entropy) -> Intent:
    """Bind a goal to a digest that says nothing about a short text: `SHA-256(salt || text)`."""
    raw = text.encode("utf-8", errors="strict") if text.strip() else b""
    if not raw:
        raise NoGoal("`goal` is empty")
    if len(raw) > GOAL_LIMIT:
        raise GoalTooLong(f"`goal` has {len(raw)} bytes, the limit is {GOAL_LIMIT}")
    salt = entropy(_SALT_BYTES)
    return Intent(digest=goal_digest(salt, text), salt=salt, text=text)


def goal_digest(salt: bytes, text: str) -> Digest:
    """The digest that the envelope carries."""
    return hashlib.sha256(salt + text.encode()).hexdigest()


def is_goal(text: str, *, salt: bytes, digest: Digest) -> bool:
    """Whether an opened text is the one that the digest was made of."""
    return same_bytes(goal_digest(salt, text).encode(), digest.encode())
