"""How the kinds of entries are spoken of, and who may see or change one of them."""

from dataclasses import dataclass
from typing import Final

from remit.identity.principals import PREFIX, Kind, Principal
from remit.identity.service import IdentityService
from remit.kernel.ids import PrincipalId
from remit.surface.web.caller import Caller, require_admin, require_own


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """How one kind is spoken of: `agent`, `/agents`; whether anybody may register one as its owner."""

    kind: Kind
    singular: str
    plural: str
    anybody: bool = False

    @property
    def one(self) -> str:
        """Name of operations on one."""
        return self.singular[0].upper() + self.singular[1:]


NOUNS: Final = (
    Noun(kind=Kind.AGENT, singular="agent", plural="agents", anybody=True),
    Noun(kind=Kind.BLUEPRINT, singular="blueprint", plural="blueprints"),
    Noun(kind=Kind.HUMAN, singular="user", plural="users"),
    Noun(kind=Kind.INSTANCE, singular="instance", plural="instances"),
    Noun(kind=Kind.SERVICE_ACCOUNT, singular="serviceAccount", plural="service-accounts"),
    Noun(kind=Kind.APPLICATION, singular="application", plural="applications"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """Entries of the directory, by noun, as far as a caller may reach them."""

    identity: IdentityService

    async def find(self, noun: Noun, ident: str) -> Principal:
        """One entry by id or name; another kind's id names nothing here."""
        if not ident.startswith(f"{PREFIX[noun.kind]}_"):
            return await self.identity.find(noun.kind, ident)
        entry = await self.identity.get(PrincipalId(ident))
        return entry if entry.kind is noun.kind else await self.identity.find(noun.kind, ident)

    async def person(self, ident: str) -> PrincipalId:
        """The id of a person, by id or name."""
        return (await self.find(NOUNS[2], ident)).id

    async def seen(self, noun: Noun, ident: str, caller: Caller) -> Principal:
        """One entry that the caller may see: people are seen by all, others by their owners and readers."""
        entry = await self.find(noun, ident)
        if noun.kind is not Kind.HUMAN:
            require_own(caller, entry.id, entry.owner, what=noun.singular)
        return entry

    async def mine(self, noun: Noun, ident: str, caller: Caller) -> Principal:
        """One entry that the caller owns or administers; a reader sees it and changes nothing."""
        entry = await self.seen(noun, ident, caller)
        if entry.owner != caller.principal:
            require_admin(caller, what=f"change somebody else's {noun.singular}")
        return entry
