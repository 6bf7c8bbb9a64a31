"""What can be done to Remit: one action for each operation of its API, filed under its noun."""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from remit.decision.policy.values import Entity, Uid

NAMESPACE: Final = "Remit"
PREFIX: Final = "admin/"
READS: Final = f"{PREFIX}reads"
"""Group of everything that changes nothing."""
CHANGES: Final = f"{PREFIX}changes"
_ACTION: Final = f"{NAMESPACE}::Action"
_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_MANY: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminAction:
    """One action: `admin/<noun>.<verb>`; `reads` if it changes nothing."""

    name: str
    reads: bool

    @property
    def noun(self) -> str:
        """What it is done to."""
        return self.name.removeprefix(PREFIX).partition(".")[0]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that a policy may name in its place."""
        return (f"{PREFIX}{self.noun}", READS if self.reads else CHANGES)

    @property
    def seeing(self) -> "AdminAction":
        """What seeing such things of others is called, for actions that change them."""
        return seen(self.noun)


@lru_cache(maxsize=_MANY)
def seen(noun: str) -> AdminAction:
    """To see things of that noun that are others'."""
    return AdminAction(name=f"{PREFIX}{noun}.see", reads=True)


@lru_cache(maxsize=_MANY)
def entity_of(action: AdminAction) -> Entity:
    """The action as policies meet it; the same object each time, so that what applies to it is found once."""
    ancestors = frozenset(Uid(_ACTION, group) for group in action.groups)
    return Entity(uid=Uid(_ACTION, action.name), ancestors=ancestors)


def named(operation: str, noun: str, *, reads: bool) -> AdminAction:
    """The action of an operation: `publishPolicy` of `policies` is `admin/policy.publish`.

    The noun's own words fall out of the name; where nothing is left, the noun itself is the verb.
    """
    single = singular(noun)
    words = [word.lower() for word in _WORDS.findall(operation)]
    own = {*single.split("_"), *noun.replace("-", "_").split("_")}
    for at, pair in enumerate(itertools.pairwise(words)):
        if "".join(pair) == single:
            words[at : at + 2] = [single]
            break
    verb = [word for word in words if word not in own]
    while verb and verb[-1] in {"of", "for"}:
        verb.pop()
    return AdminAction(name=f"{PREFIX}{single}.{'_'.join(verb or [single])}", reads=reads)


def singular(noun: str) -> str:
    """`policies` is `policy`, `service-accounts` is `service_account`."""
    text = noun.replace("-", "_")
    if text.endswith("ies"):
        return f"{text[:-3]}y"
    if text.endswith("ss") or not text.endswith("s"):
        return text
    return text[:-1]


def type_of(noun: str) -> str:
    """The type of a noun's things: `service_account` is `ServiceAccount`."""
    return "".join(part.capitalize() for part in noun.split("_"))


class Catalogue:
    """Every action that is there. What is not in it, nobody may do."""

    def __init__(self, actions: Iterable[AdminAction]) -> None:
        found = list(actions)
        seeing = [each.seeing for each in found]
        self._actions: Mapping[str, AdminAction] = {each.name: each for each in (*seeing, *found)}

    def find(self, name: str) -> AdminAction | None:
        """One by its name."""
        return self._actions.get(name)

    def all(self) -> list[AdminAction]:
        """All, by name."""
        return [self._actions[name] for name in sorted(self._actions)]

    @property
    def nouns(self) -> list[str]:
        """Everything that something can be done to."""
        return sorted({each.noun for each in self._actions.values()})
