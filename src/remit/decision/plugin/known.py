"""What plugins said of one call, and where a rule looks at what none of them said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from remit.decision.call.request import Facts, ProposedCall
from remit.decision.policy.outside import EVERY
from remit.kernel.canonical import JsonObject


class FactSource(Protocol):
    """Asks plugins; the platform fulfils it."""

    def types(self) -> Mapping[str, JsonObject]:
        """The Cedar type of each fact that can be had, by name."""

    async def ask(self, call: ProposedCall, names: Iterable[str], about: "About") -> Facts:
        """What is known; never raises for what a plugin does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Names that plugins are told in place of ids."""

    agent: str = ""
    user: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nowhere:
    """No plugins."""

    none: Mapping[str, JsonObject] = field(default_factory=dict)

    def types(self) -> Mapping[str, JsonObject]:
        """None."""
        return self.none

    async def ask(self, _call: ProposedCall, names: Iterable[str], _about: About) -> Facts:
        """Nothing is known."""
        return Facts(unknown={name: "no such plugin is installed" for name in names if name != EVERY})


def missing(names: frozenset[str], facts: Facts) -> tuple[str, str] | None:
    """The first fact that is looked at and not known, and why."""
    for name in sorted(names):
        if name == EVERY:
            if facts.unknown:
                return next(iter(sorted(facts.unknown.items())))
        elif name not in facts.known:
            return name, facts.unknown.get(name, "nobody was asked")
    return None
