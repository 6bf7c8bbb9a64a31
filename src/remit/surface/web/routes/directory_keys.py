"""Public keys of the directory's entries, and instances, which come with one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from remit.authority.oauth.wire.scopes import Scope
from remit.identity.credential_service import CredentialService
from remit.identity.principals import Kind
from remit.identity.spiffe import spiffe_id
from remit.kernel.ids import InstanceId, KeyId, TaskId
from remit.surface.web.caller import require_admin
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.routes.entries import NOUNS, Entries, Noun
from remit.surface.web.schemas.identity import (
    Because,
    InstanceView,
    KeyView,
    NewInstance,
    NewKey,
    PrincipalView,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryKeys:
    """What keys need."""

    entries: Entries
    credentials: CredentialService
    trust_domain: str

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            *(each for noun in NOUNS for each in self._of(noun)),
            Operation(
                name="newInstance",
                summary="Make an instance with its own key",
                method=Method.POST,
                path="/agents/{ident}/instances",
                scopes=(Scope.WRITE,),
                handler=self._instantiate,
                body=NewInstance,
                query=Nothing,
                answer=InstanceView,
                status=201,
            ),
            Operation(
                name="rotateCredential",
                summary="Put a new key in the place of an old one; the old one is dead in the same commit",
                method=Method.POST,
                path="/credentials/{key}/rotate",
                scopes=(Scope.ADMIN,),
                handler=self._rotate,
                body=NewKey,
                query=Nothing,
                answer=KeyView,
            ),
            Operation(
                name="revokeCredential",
                summary="Revoke a key with all that it signed",
                method=Method.POST,
                path="/credentials/{key}/revoke",
                scopes=(Scope.ADMIN,),
                handler=self._revoke,
                body=Because,
                query=Nothing,
                answer=KeyView,
            ),
        ]

    def _of(self, noun: Noun) -> list[Operation[Any, Any]]:
        one, base = noun.one, f"/{noun.plural}"
        return [
            Operation(
                name=f"list{one}Keys",
                summary="Registered public keys",
                method=Method.GET,
                path=f"{base}/{{ident}}/keys",
                scopes=(Scope.READ,),
                handler=self._keys_of(noun),
                body=Nothing,
                query=Nothing,
                answer=list[KeyView],
            ),
            Operation(
                name=f"add{one}Key",
                summary="Register a public key; no two entries ever share one",
                method=Method.POST,
                path=f"{base}/{{ident}}/keys",
                scopes=(Scope.WRITE,),
                handler=self._key_adder(noun),
                body=NewKey,
                query=Nothing,
                answer=KeyView,
                verified=noun.kind is Kind.HUMAN,
                status=201,
            ),
        ]

    def _keys_of(self, noun: Noun) -> Callable[[Inbound[Nothing, Nothing]], Awaitable[list[KeyView]]]:
        async def handler(inbound: Inbound[Nothing, Nothing]) -> list[KeyView]:
            entry = await self.entries.seen(noun, inbound.path["ident"], inbound.caller)
            return [KeyView.of(each) for each in await self.credentials.of(entry.id)]

        return handler

    def _key_adder(self, noun: Noun) -> Callable[[Inbound[NewKey, Nothing]], Awaitable[KeyView]]:
        async def handler(inbound: Inbound[NewKey, Nothing]) -> KeyView:
            entry = await self.entries.mine(noun, inbound.path["ident"], inbound.caller)
            if noun.kind is Kind.HUMAN:
                require_admin(inbound.caller, what="give a person a key")
            key = await self.credentials.register(
                entry.id,
                inbound.body.jwk,
                by=inbound.caller.principal,
                at=inbound.at,
                not_after=inbound.body.not_after,
            )
            return KeyView.of(key)

        return handler

    async def _instantiate(self, inbound: Inbound[NewInstance, Nothing]) -> InstanceView:
        body, agent = inbound.body, await self.entries.mine(NOUNS[0], inbound.path["ident"], inbound.caller)
        if body.attributes:
            require_admin(inbound.caller, what="give an instance attributes")
        entry, key = await self.credentials.instantiate(
            agent.id,
            body.jwk,
            by=inbound.caller.principal,
            at=inbound.at,
            task=TaskId(body.task) if body.task else None,
            attributes=tuple(sorted(body.attributes.items())),
        )
        return InstanceView(
            instance=PrincipalView.of(entry),
            key=KeyView.of(key),
            spiffe_id=spiffe_id(self.trust_domain, agent.name, InstanceId(entry.id)),
        )

    async def _rotate(self, inbound: Inbound[NewKey, Nothing]) -> KeyView:
        require_admin(inbound.caller, what="rotate a key")
        key = await self.credentials.rotate(
            KeyId(inbound.path["key"]), inbound.body.jwk, by=inbound.caller.principal, at=inbound.at
        )
        return KeyView.of(key)

    async def _revoke(self, inbound: Inbound[Because, Nothing]) -> KeyView:
        require_admin(inbound.caller, what="revoke a key")
        key = await self.credentials.revoke(
            KeyId(inbound.path["key"]),
            by=inbound.caller.principal,
            because=inbound.body.reason,
            at=inbound.at,
        )
        return KeyView.of(key)
