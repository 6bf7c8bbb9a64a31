"""A published policy text, parsed once: what every decision of a version is made with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cedarpy import PolicySet, pst

from remit.decision.answer.response import Mode
from remit.decision.policy.monitors import Monitors
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

    `rules` is keyed by Cedar's own place names (`policy0`, …), which answers use. `program` is None if no
    policy is in force; `rehearsal` holds all policies and is None unless some are in observe or warn mode.
    """

    version: PolicyVersion
    text: str
    rules: Mapping[str, Rule]
    nodes: Mapping[str, pst.Template]
    program: Program | None
    rehearsal: Program | None
    zones: tuple[str, ...]
    named: frozenset[str] | None
    """Names of arguments that any policy looks at; None if a policy compares whole records."""
    history: Monitors | None = None
    """What is remembered and forbidden over time; those policies are in no other member."""
    lineage: frozenset[str] | None = None
    """Texts in the policies that look at `context.lineage` or bind what is read; None where none does."""
    looks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The facts of plugins that rules look at, by the rule's id; rules that look at none are not here."""
    unproven: str = ""
    """Why the version is not believed; then it has no rules, and nothing is permitted."""

    @property
    def facts(self) -> frozenset[str]:
        """Every fact of a plugin that some rule looks at."""
        return frozenset[str]().union(*self.looks.values()) if self.looks else frozenset()

    @property
    def enforced(self) -> PolicySet | None:
        """What is in force as Cedar itself evaluates it, made anew: `program` is held to it in tests."""
        nodes = {place: node for place, node in self.nodes.items() if self.rules[place].mode is Mode.ENFORCE}
        return policy_set(nodes) if nodes else None


def policy_set(nodes: Mapping[str, pst.Template]) -> PolicySet:
    """Hand syntax trees back to Cedar, under the same place names."""
    return PolicySet.from_pst(
        pst.PolicySet(templates=pst.FrozenMap(), static_policies=pst.FrozenMap(nodes), template_links=())
    )
