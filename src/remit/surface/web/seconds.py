"""Which operations take a second person, in one table: what they are in words, and what each stands on.

SAFETY: what takes authority away is not in it, nor a key that is known to be compromised: that never waits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from remit.app.services import Services
from remit.decision.administration.guard import roles_of
from remit.decision.administration.service import AdministrationService
from remit.decision.policy_service import PolicyService
from remit.identity.principals import Kind, Principal
from remit.kernel.canonical import sha256
from remit.kernel.errors import NotFound
from remit.kernel.ids import PrincipalId
from remit.surface.web.operation import Inbound, Operation, Second

_ANY = Inbound[Any, Any]
NAMES: Final = frozenset(
    {
        "publishPolicy", "enforcePolicy", "rollbackPolicy", "acceptLearned", "rotateKeys", "forceRotation",
        "publishAdministration", "grantRole", "newUser", "changeUser",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """What the table needs to know of the present."""

    services: Services
    policies: PolicyService
    administration: AdministrationService

    def attach(self, operations: Sequence[Operation[Any, Any]]) -> list[Operation[Any, Any]]:
        """The operations, those of the table with what their second person has to know."""
        table = self._table()
        return [replace(each, second=table.get(each.name)) for each in operations]

    def _table(self) -> dict[str, Second]:
        policy, key, roles = self._policy, self._keys, self._roles
        return {
            "publishPolicy": Second(says=_publishes, basis=policy),
            "enforcePolicy": Second(says=_numbered("puts in force the policy text", "version"), basis=policy),
            "rollbackPolicy": Second(says=_numbered("goes back to an older policy text", "to"), basis=policy),
            "acceptLearned": Second(says=_plain("puts learned policy in force"), basis=policy),
            "rotateKeys": Second(says=_plain("takes every step of key rotation that is due"), basis=key),
            "forceRotation": Second(says=_rotates, basis=key, when=_is_no_emergency),
            "publishAdministration": Second(says=_rules, basis=roles),
            "grantRole": Second(says=_grants, basis=self._person),
            "newUser": Second(says=_registers, basis=roles, when=_gives_roles),
            "changeUser": Second(says=_changes, basis=self._person, when=self._adds_roles),
        }

    async def _policy(self, _: _ANY) -> str:
        newest = await self.policies.newest()
        return "" if newest is None else str(newest.version)

    async def _roles(self, _: _ANY) -> str:
        return str((await self.administration.current()).number)

    async def _keys(self, _: _ANY) -> str:
        return sha256(
            " ".join(sorted(f"{k.kid}:{k.state}" for k in self.services.ground.keys.records())).encode()
        )

    async def _person(self, inbound: _ANY) -> str:
        """The person as they are, and the rules: what a role means may have changed."""
        person = await self._found(inbound)
        changed = "" if person is None else person.changed_at.isoformat()
        return f"{changed} {await self._roles(inbound)}"

    async def _adds_roles(self, inbound: _ANY) -> bool:
        """Whether somebody gets a role that they do not hold."""
        stated = inbound.body.attributes
        if stated is None:
            return False
        person = await self._found(inbound)
        held = frozenset[str]() if person is None else roles_of(person)
        return not set(stated.get("roles", "").split()) <= held

    async def _found(self, inbound: _ANY) -> Principal | None:
        named = inbound.path.get("ident") or inbound.body.user
        try:
            if named.startswith("usr_"):
                return await self.services.identity.get(PrincipalId(named))
            return await self.services.identity.find(Kind.HUMAN, named)
        except NotFound:
            return None  # the operation itself says that nobody is called so


async def _gives_roles(inbound: _ANY) -> bool:
    return bool(inbound.body.attributes.get("roles", "").split())


async def _is_no_emergency(inbound: _ANY) -> bool:
    return not inbound.body.compromised


def _publishes(inbound: _ANY) -> str:
    text = inbound.body.text
    share = ", on a part" if inbound.body.canary is not None else ""
    return f"puts a policy text in force{share}: {len(text)} characters, SHA-256 {sha256(text.encode())}"


def _rules(inbound: _ANY) -> str:
    text = inbound.body.text
    return (
        f"puts an administrative policy in the place of version {inbound.body.over}: {len(text)} characters,"
        f" SHA-256 {sha256(text.encode())}"
    )


def _rotates(inbound: _ANY) -> str:
    return f"changes the signing key of `{inbound.path['purpose']}` before its time"


def _grants(inbound: _ANY) -> str:
    return f"gives the role `{inbound.path['role']}` to `{inbound.body.user}`"


def _registers(inbound: _ANY) -> str:
    return f"registers `{inbound.body.name}` with the roles `{inbound.body.attributes['roles']}`"


def _changes(inbound: _ANY) -> str:
    return f"gives `{inbound.path['ident']}` the roles `{inbound.body.attributes.get('roles', '')}`"


def _plain(words: str) -> Callable[[_ANY], str]:
    return lambda _: words


def _numbered(words: str, member: str) -> Callable[[_ANY], str]:
    def says(inbound: _ANY) -> str:
        number = getattr(inbound.body, member)
        return words if number is None else f"{words} of version {number}"

    return says
