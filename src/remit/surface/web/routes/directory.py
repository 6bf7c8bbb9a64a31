"""Entries of the directory by noun: agents, blueprints, users, workloads; all of them live alike."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol

from remit.authority.consent_service import ConsentService
from remit.authority.oauth.scopes import Scope
from remit.identity.credential_service import CredentialService
from remit.identity.principals import PREFIX, Kind, Principal
from remit.identity.registration import Registration
from remit.identity.service import IdentityService
from remit.identity.spiffe import spiffe_id
from remit.kernel.ids import BlueprintId, InstanceId, KeyId, PrincipalId, TaskId
from remit.surface.web.caller import Caller, require_admin, require_own
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.paging import Page, page_of
from remit.surface.web.routes.secretless import SecretlessRoutes
from remit.surface.web.schemas.identity import (
    Because,
    DriftView,
    InstanceView,
    KeyView,
    NewInstance,
    NewKey,
    NewPrincipal,
    OwnershipView,
    PrincipalChange,
    PrincipalQuery,
    PrincipalView,
)
from remit.surface.web.schemas.rights import CeilingBody, CeilingView, ceiling_of, ceiling_view


class Ending(Protocol):
    """A use case that takes an entry out of use."""

    def __call__(
        self, ident: PrincipalId, *, by: PrincipalId, because: str, at: datetime
    ) -> Awaitable[Principal]:
        """Do it."""


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
class DirectoryRoutes:
    """What the directory's nouns need."""

    identity: IdentityService
    credentials: CredentialService
    consent: ConsentService
    trust_domain: str

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        secretless = SecretlessRoutes(credentials=self.credentials, agent=partial(self.find, NOUNS[0]))
        return [
            *(each for noun in NOUNS for each in self._of(noun)),
            *self._agents(),
            *self._keys(),
            *secretless.operations(),
        ]

    def _of(self, noun: Noun) -> list[Operation[Any, Any]]:
        one, base = noun.one, f"/{noun.plural}"
        found: list[Operation[Any, Any]] = [
            Operation(
                name=f"list{one}s",
                summary=f"Entries of kind `{noun.kind}`, by id",
                method=Method.GET,
                path=base,
                scopes=(Scope.READ,),
                handler=self._lister(noun),
                body=Nothing,
                query=PrincipalQuery,
                answer=Page[PrincipalView],
            ),
            Operation(
                name=f"get{one}",
                summary="One entry, by id or name",
                method=Method.GET,
                path=f"{base}/{{ident}}",
                scopes=(Scope.READ,),
                handler=self._getter(noun),
                body=Nothing,
                query=Nothing,
                answer=PrincipalView,
            ),
            Operation(
                name=f"change{one}",
                summary="Change what is stated",
                method=Method.PUT,
                path=f"{base}/{{ident}}",
                scopes=(Scope.WRITE,),
                handler=self._changer(noun),
                body=PrincipalChange,
                query=Nothing,
                answer=PrincipalView,
            ),
            self._ending(noun, "suspend", "Stop it until it is resumed", self.identity.suspend),
            self._ending(noun, "resume", "Let it act again", self._resume),
            self._ending(noun, "retire", "End it for ever", self.identity.retire),
            Operation(
                name=f"own{one}",
                summary="Who answers for it",
                method=Method.GET,
                path=f"{base}/{{ident}}/owner",
                scopes=(Scope.READ,),
                handler=self._owner(noun),
                body=Nothing,
                query=Nothing,
                answer=OwnershipView,
            ),
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
                status=201,
            ),
        ]
        if noun.kind is not Kind.INSTANCE:
            found += self._entering(noun)
        return found

    def _entering(self, noun: Noun) -> list[Operation[Any, Any]]:
        one, base = noun.one, f"/{noun.plural}"
        return [
            Operation(
                name=f"new{one}",
                summary="Register, in state `draft`",
                method=Method.POST,
                path=base,
                scopes=(Scope.WRITE,),
                handler=self._registrar(noun),
                body=NewPrincipal,
                query=Nothing,
                answer=PrincipalView,
                status=201,
            ),
            Operation(
                name=f"activate{one}",
                summary="Let a draft act; refused without owner, purpose and key",
                method=Method.POST,
                path=f"{base}/{{ident}}/activate",
                scopes=(Scope.WRITE,),
                handler=self._activator(noun),
                body=Nothing,
                query=Nothing,
                answer=PrincipalView,
            ),
            Operation(
                name=f"ceilingOf{one}",
                summary="The most that it may do; absent means nothing at all",
                method=Method.GET,
                path=f"{base}/{{ident}}/ceiling",
                scopes=(Scope.READ,),
                handler=self._ceiling(noun),
                body=Nothing,
                query=Nothing,
                answer=CeilingView,
            ),
            Operation(
                name=f"limit{one}",
                summary="Set the most that it may do",
                method=Method.PUT,
                path=f"{base}/{{ident}}/ceiling",
                scopes=(Scope.ADMIN,),
                handler=self._limiter(noun),
                body=CeilingBody,
                query=Nothing,
                answer=PrincipalView,
            ),
        ]

    def _agents(self) -> list[Operation[Any, Any]]:
        agent = NOUNS[0]
        return [
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
                name="agentDrift",
                summary="Where it differs from its blueprint",
                method=Method.GET,
                path="/agents/{ident}/drift",
                scopes=(Scope.READ,),
                handler=self._drift(agent),
                body=Nothing,
                query=Nothing,
                answer=list[DriftView],
            ),
        ]

    def _keys(self) -> list[Operation[Any, Any]]:
        return [
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

    def _ending(self, noun: Noun, verb: str, summary: str, use_case: Ending) -> Operation[Because, Nothing]:
        async def handler(inbound: Inbound[Because, Nothing]) -> PrincipalView:
            entry = await self._mine(noun, inbound.path["ident"], inbound.caller)
            ended = await use_case(
                entry.id, by=inbound.caller.principal, because=inbound.body.reason, at=inbound.at
            )
            return PrincipalView.of(ended)

        return Operation(
            name=f"{verb}{noun.one}",
            summary=summary,
            method=Method.POST,
            path=f"/{noun.plural}/{{ident}}/{verb}",
            scopes=(Scope.WRITE,),
            handler=handler,
            body=Because,
            query=Nothing,
            answer=PrincipalView,
        )

    async def _resume(
        self,
        ident: PrincipalId,
        *,
        by: PrincipalId,
        because: str,  # noqa: ARG002 — resuming has no reason on record; the shape is `Ending`'s
        at: datetime,
    ) -> Principal:
        return await self.identity.resume(ident, by=by, at=at)

    def _lister(
        self, noun: Noun
    ) -> Callable[[Inbound[Nothing, PrincipalQuery]], Awaitable[Page[PrincipalView]]]:
        async def handler(inbound: Inbound[Nothing, PrincipalQuery]) -> Page[PrincipalView]:
            query, caller = inbound.query, inbound.caller
            owner = PrincipalId(query.owner) if query.owner else None
            if not caller.sees_all and noun.kind is not Kind.HUMAN:
                owner = caller.principal
            found = await self.identity.page(
                kind=noun.kind,
                state=query.state,
                owner=owner,
                environment=query.environment,
                after=query.cursor,
                limit=query.limit,
            )
            return page_of(
                found, limit=query.limit, key=lambda each: each.id, view=PrincipalView.of, full_is_more=True
            )

        return handler

    def _getter(self, noun: Noun) -> Callable[[Inbound[Nothing, Nothing]], Awaitable[PrincipalView]]:
        async def handler(inbound: Inbound[Nothing, Nothing]) -> PrincipalView:
            return PrincipalView.of(await self._seen(noun, inbound.path["ident"], inbound.caller))

        return handler

    def _owner(self, noun: Noun) -> Callable[[Inbound[Nothing, Nothing]], Awaitable[OwnershipView]]:
        async def handler(inbound: Inbound[Nothing, Nothing]) -> OwnershipView:
            entry = await self._seen(noun, inbound.path["ident"], inbound.caller)
            return OwnershipView.of(await self.identity.owner_of(entry.id))

        return handler

    def _drift(self, noun: Noun) -> Callable[[Inbound[Nothing, Nothing]], Awaitable[list[DriftView]]]:
        async def handler(inbound: Inbound[Nothing, Nothing]) -> list[DriftView]:
            entry = await self._seen(noun, inbound.path["ident"], inbound.caller)
            return [DriftView.of(each) for each in await self.identity.drift_of(entry.id)]

        return handler

    def _registrar(self, noun: Noun) -> Callable[[Inbound[NewPrincipal, Nothing]], Awaitable[PrincipalView]]:
        async def handler(inbound: Inbound[NewPrincipal, Nothing]) -> PrincipalView:
            stated = await self._stated(noun, inbound.body, inbound.caller)
            entry = await self.identity.register(stated, by=inbound.caller.principal, at=inbound.at)
            return PrincipalView.of(entry)

        return handler

    async def _stated(self, noun: Noun, body: NewPrincipal, caller: Caller) -> Registration:
        owner = await self._person(body.owner) if body.owner else caller.principal
        if not noun.anybody or owner != caller.principal or body.attributes:
            require_admin(caller, what=f"register {noun.plural} like this")
        human = noun.kind is Kind.HUMAN
        blueprint = await self.find(NOUNS[1], body.blueprint) if body.blueprint else None
        return Registration(
            kind=noun.kind,
            name=body.name,
            owner=None if human else owner,
            purpose=body.purpose,
            environment=body.environment,
            blueprint=BlueprintId(blueprint.id) if blueprint else None,
            email=body.email,
            deputy=await self._person(body.deputy) if body.deputy else None,
            person=await self._person(body.person) if body.person else None,
            segments=None if body.segments is None else frozenset(body.segments),
            attributes=tuple(sorted(body.attributes.items())),
        )

    def _changer(self, noun: Noun) -> Callable[[Inbound[PrincipalChange, Nothing]], Awaitable[PrincipalView]]:
        async def handler(inbound: Inbound[PrincipalChange, Nothing]) -> PrincipalView:
            body, caller = inbound.body, inbound.caller
            entry = await self._mine(noun, inbound.path["ident"], caller)
            if body.attributes is not None or body.segments is not None or noun.kind is Kind.HUMAN:
                require_admin(caller, what="change attributes, segments or people")
            changed = await self.identity.change(
                entry.id,
                by=caller.principal,
                at=inbound.at,
                name=body.name,
                owner=await self._person(body.owner) if body.owner else None,
                purpose=body.purpose,
                deputy=await self._person(body.deputy) if body.deputy else None,
                segments=None if body.segments is None else frozenset(body.segments),
                attributes=None if body.attributes is None else tuple(sorted(body.attributes.items())),
            )
            return PrincipalView.of(changed)

        return handler

    def _activator(self, noun: Noun) -> Callable[[Inbound[Nothing, Nothing]], Awaitable[PrincipalView]]:
        async def handler(inbound: Inbound[Nothing, Nothing]) -> PrincipalView:
            entry = await self._mine(noun, inbound.path["ident"], inbound.caller)
            active = await self.identity.activate(entry.id, by=inbound.caller.principal, at=inbound.at)
            return PrincipalView.of(active)

        return handler

    def _limiter(self, noun: Noun) -> Callable[[Inbound[CeilingBody, Nothing]], Awaitable[PrincipalView]]:
        async def handler(inbound: Inbound[CeilingBody, Nothing]) -> PrincipalView:
            require_admin(inbound.caller, what="set a ceiling")
            entry = await self.find(noun, inbound.path["ident"])
            await self.consent.set_ceiling(
                entry.id, ceiling_of(inbound.body), by=inbound.caller.principal, at=inbound.at
            )
            return PrincipalView.of(entry)

        return handler

    def _ceiling(self, noun: Noun) -> Callable[[Inbound[Nothing, Nothing]], Awaitable[CeilingView]]:
        async def handler(inbound: Inbound[Nothing, Nothing]) -> CeilingView:
            entry = await self._seen(noun, inbound.path["ident"], inbound.caller)
            found = await self.consent.ceiling_of(entry.id)
            return CeilingView(ceiling=None if found is None else ceiling_view(found))

        return handler

    def _keys_of(self, noun: Noun) -> Callable[[Inbound[Nothing, Nothing]], Awaitable[list[KeyView]]]:
        async def handler(inbound: Inbound[Nothing, Nothing]) -> list[KeyView]:
            entry = await self._seen(noun, inbound.path["ident"], inbound.caller)
            return [KeyView.of(each) for each in await self.credentials.of(entry.id)]

        return handler

    def _key_adder(self, noun: Noun) -> Callable[[Inbound[NewKey, Nothing]], Awaitable[KeyView]]:
        async def handler(inbound: Inbound[NewKey, Nothing]) -> KeyView:
            entry = await self._mine(noun, inbound.path["ident"], inbound.caller)
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
        body, agent = inbound.body, await self._mine(NOUNS[0], inbound.path["ident"], inbound.caller)
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

    async def find(self, noun: Noun, ident: str) -> Principal:
        """One entry by id or name; another kind's id names nothing here."""
        if not ident.startswith(f"{PREFIX[noun.kind]}_"):
            return await self.identity.find(noun.kind, ident)
        entry = await self.identity.get(PrincipalId(ident))
        return entry if entry.kind is noun.kind else await self.identity.find(noun.kind, ident)

    async def _person(self, ident: str) -> PrincipalId:
        return (await self.find(NOUNS[2], ident)).id

    async def _seen(self, noun: Noun, ident: str, caller: Caller) -> Principal:
        entry = await self.find(noun, ident)
        if noun.kind is not Kind.HUMAN:
            require_own(caller, entry.id, entry.owner, what=noun.singular)
        return entry

    async def _mine(self, noun: Noun, ident: str, caller: Caller) -> Principal:
        """One entry that the caller owns or administers; a reader sees it and changes nothing."""
        entry = await self._seen(noun, ident, caller)
        if entry.owner != caller.principal:
            require_admin(caller, what=f"change somebody else's {noun.singular}")
        return entry
