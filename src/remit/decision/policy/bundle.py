"""A published policy text, parsed once: what every decision of a version is made with."""

from collections.abc import Mapping
from dataclasses import dataclass

from cedarpy import PolicySet, pst

from remit.decision.policy.program import Program
from remit.decision.policy.rules import Rule
from remit.kernel.canonical import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """Which text is in force. Numbers only grow; 0 is "nothing was ever published"."""

    number: int
    digest: Digest

    def __str__(self) -> str:
        return f"v{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """One version, ready to evaluate; compared by identity, so that what is derived from it can be kept.

    `rules` is keyed by Cedar's own place names (`policy0`, …), which answers use. `enforced` is None if no
    policy is in force; `rehearsed` holds all policies and is None unless some are in observe or warn mode.
    `program` and `rehearsal` are the same two sets compiled: decisions are made with these, and Cedar's own
    are the measure that they are held to, and what explains a refusal.
    """

    version: PolicyVersion
    text: str
    rules: Mapping[str, Rule]
    nodes: Mapping[str, pst.Template]
    enforced: PolicySet | None
    rehearsed: PolicySet | None
    program: Program | None
    rehearsal: Program | None
    zones: tuple[str, ...]
    named: frozenset[str] | None
    """Names of arguments that any policy looks at; None if a policy compares whole records."""
