"""Who there is, in the order of ids: made once for as long as the directory of a view is the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from remit.decision.facts.snapshot import Snapshot
from remit.identity.principals import Kind, Tier
from remit.kernel.ids import PrincipalId


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """`others` are people and workloads; `instances` those of each agent. All are sorted."""

    others: Sequence[PrincipalId]
    instances: Mapping[PrincipalId | None, Sequence[PrincipalId]]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """From the directory of a view."""
        others: list[PrincipalId] = []
        instances: dict[PrincipalId | None, list[PrincipalId]] = {}
        for ident, entry in snapshot.principals.items():
            if entry.tier is not Tier.AGENTIC:
                others.append(PrincipalId(ident))
            elif entry.kind is Kind.INSTANCE:
                instances.setdefault(entry.parent, []).append(PrincipalId(ident))
        for each in (others, *instances.values()):
            each.sort()
        return cls(others=others, instances=instances)
