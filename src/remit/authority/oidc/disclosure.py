"""What a client learns of a person: by scope (OpenID Connect Core §5.4), said in full before it is given."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from remit.identity.principals import Principal
from remit.kernel.canonical import JsonObject

OPENID: Final = "openid"
PROFILE: Final = "profile"
EMAIL: Final = "email"
GROUPS: Final = "groups"
BY_SCOPE: Final[Mapping[str, tuple[str, ...]]] = {
    OPENID: ("sub",),
    PROFILE: ("name", "preferred_username"),
    EMAIL: ("email",),
    GROUPS: ("groups",),
}
"""Claims by the scope that opens them."""
SCOPES: Final = frozenset(BY_SCOPE)
CLAIMS: Final = tuple(sorted(name for names in BY_SCOPE.values() for name in names))
"""Every claim about a person that can be had (`claims_supported`)."""
TEAMS: Final = "teams"
"""Attribute of a person: the teams that an administrator put them into, separated by spaces."""
_SENTENCES: Final[Mapping[str, str]] = {
    OPENID: "See that it is you, by a number that stands for you here, and how and when you signed in.",
    PROFILE: "See your name.",
    EMAIL: "See your e-mail address.",
    GROUPS: "See which teams you are in.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """What one client was told it may learn. `in_token` are claims that it wants in the ID token itself.

    A claim counts only if its scope was granted, so that the sentences of the scopes are the whole truth.
    """

    scopes: frozenset[str] = frozenset()
    in_token: frozenset[str] = frozenset()

    @property
    def identifies(self) -> bool:
        """Whether there is an ID token at all."""
        return OPENID in self.scopes

    def covers(self, other: "Disclosure") -> bool:
        """Whether whoever learns this learns all that the other one says."""
        return other.scopes <= self.scopes


NOTHING: Final = Disclosure()


def sentences(disclosure: Disclosure) -> tuple[str, ...]:
    """What the client learns, in the words of a page."""
    return tuple(_SENTENCES[scope] for scope in BY_SCOPE if scope in disclosure.scopes)


def scopes_for(claims: Iterable[str]) -> frozenset[str]:
    """The scopes that open these claims; one that is not ours opens nothing (Core §5.5: it is left out)."""
    wanted = frozenset(claims)
    return frozenset(scope for scope, names in BY_SCOPE.items() if wanted.intersection(names))


def told(person: Principal, scopes: frozenset[str]) -> JsonObject:
    """The claims of a person that these scopes open; what is not known is left out (Core §5.3.2)."""
    known: JsonObject = {"sub": str(person.id), "name": person.name, "preferred_username": person.name}
    if person.email:
        # Nobody here has seen whether it is theirs: `email_verified` is left out, not guessed.
        known["email"] = person.email
    teams = dict(person.attributes).get(TEAMS, "").split()
    known["groups"] = [*sorted(set(teams))]
    opened = {name for scope in scopes & SCOPES for name in BY_SCOPE[scope]}
    return {name: value for name, value in known.items() if name in opened}
