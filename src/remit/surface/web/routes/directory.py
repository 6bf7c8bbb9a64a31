"""Entries of the directory by noun: agents, blueprints, users, workloads; all of them live alike."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from remit.authority.consent_service import ConsentService
from remit.authority.oauth.wire.scopes import Scope
from remit.identity.credential_service import CredentialService
from remit.identity.principals import Kind, Principal
from remit.identity.registration import Registration
from remit.identity.service import IdentityService
from remit.kernel.ids import BlueprintId, PrincipalId
from remit.surface.web.caller import Caller, require_admin
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.paging import Page, page_of
from remit.surface.web.routes.directory_ceilings import DirectoryCeilings
from remit.surface.web.routes.directory_keys import DirectoryKeys
from remit.surface.web.routes.entries import NOUNS, Entries, Noun
from remit.surface.web.routes.secretless import SecretlessRoutes
from remit.surface.web.schemas.identity import (
    Because,
    DriftView,
    NewPrincipal,
    OwnershipView,
    PrincipalChange,
    PrincipalQuery,
    PrincipalView,
)


class Ending(Protocol):
    """A use case that takes an entry out of use."""

    def __call__(
        self, ident: PrincipalId, *, by: PrincipalId, because: str, at: datetime
    ) -> Awaitable[Principal]:
        """Do it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryRoutes:
    """What the directory's nouns need."""

    identity: IdentityService
    credentials: CredentialService
    consent: ConsentService
    trust_domain: str

    @property
    def entries(self) -> Entries:
        """How one of them is found."""
        return Entries(identity=self.identity)

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served, of their lives, their keys and the most that they may do."""
        find, credentials = self.entries, self.credentials
        parts = (
            DirectoryKeys(entries=find, credentials=credentials, trust_domain=self.trust_domain),
            DirectoryCeilings(entries=find, consent=self.consent),
            SecretlessRoutes(credentials=credentials, agent=partial(find.find, NOUNS[0])),
        )
        return [
            *(each for noun in NOUNS for each in self._of(noun)),
            *self._agents(),
            *(each for part in parts for each in part.operations()),
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
        ]

    def _agents(self) -> list[Operation[Any, Any]]:
        agent = NOUNS[0]
        return [
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

    def _ending(self, noun: Noun, verb: str, summary: str, use_case: Ending) -> Operation[Because, Nothing]:
        async def handler(inbound: Inbound[Because, Nothing]) -> PrincipalView:
            entry = await self.entries.mine(noun, inbound.path["ident"], inbound.caller)
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
            return PrincipalView.of(await self.entries.seen(noun, inbound.path["ident"], inbound.caller))

        return handler

    def _owner(self, noun: Noun) -> Callable[[Inbound[Nothing, Nothing]], Awaitable[OwnershipView]]:
        async def handler(inbound: Inbound[Nothing, Nothing]) -> OwnershipView:
            entry = await self.entries.seen(noun, inbound.path["ident"], inbound.caller)
            return OwnershipView.of(await self.identity.owner_of(entry.id))

        return handler

    def _drift(self, noun: Noun) -> Callable[[Inbound[Nothing, Nothing]], Awaitable[list[DriftView]]]:
        async def handler(inbound: Inbound[Nothing, Nothing]) -> list[DriftView]:
            entry = await self.entries.seen(noun, inbound.path["ident"], inbound.caller)
            return [DriftView.of(each) for each in await self.identity.drift_of(entry.id)]

        return handler

    def _registrar(self, noun: Noun) -> Callable[[Inbound[NewPrincipal, Nothing]], Awaitable[PrincipalView]]:
        async def handler(inbound: Inbound[NewPrincipal, Nothing]) -> PrincipalView:
            stated = await self._stated(noun, inbound.body, inbound.caller)
            entry = await self.identity.register(stated, by=inbound.caller.principal, at=inbound.at)
            return PrincipalView.of(entry)

        return handler

    async def _stated(self, noun: Noun, body: NewPrincipal, caller: Caller) -> Registration:
        owner = await self.entries.person(body.owner) if body.owner else caller.principal
        if not noun.anybody or owner != caller.principal or body.attributes:
            require_admin(caller, what=f"register {noun.plural} like this")
        human = noun.kind is Kind.HUMAN
        blueprint = await self.entries.find(NOUNS[1], body.blueprint) if body.blueprint else None
        return Registration(
            kind=noun.kind,
            name=body.name,
            owner=None if human else owner,
            purpose=body.purpose,
            environment=body.environment,
            blueprint=BlueprintId(blueprint.id) if blueprint else None,
            email=body.email,
            deputy=await self.entries.person(body.deputy) if body.deputy else None,
            person=await self.entries.person(body.person) if body.person else None,
            segments=None if body.segments is None else frozenset(body.segments),
            attributes=tuple(sorted(body.attributes.items())),
        )

    def _changer(self, noun: Noun) -> Callable[[Inbound[PrincipalChange, Nothing]], Awaitable[PrincipalView]]:
        async def handler(inbound: Inbound[PrincipalChange, Nothing]) -> PrincipalView:
            body, caller = inbound.body, inbound.caller
            entry = await self.entries.mine(noun, inbound.path["ident"], caller)
            if body.attributes is not None or body.segments is not None or noun.kind is Kind.HUMAN:
                require_admin(caller, what="change attributes, segments or people")
            changed = await self.identity.change(
                entry.id,
                by=caller.principal,
                at=inbound.at,
                name=body.name,
                owner=await self.entries.person(body.owner) if body.owner else None,
                purpose=body.purpose,
                deputy=await self.entries.person(body.deputy) if body.deputy else None,
                segments=None if body.segments is None else frozenset(body.segments),
                attributes=None if body.attributes is None else tuple(sorted(body.attributes.items())),
            )
            return PrincipalView.of(changed)

        return handler

    def _activator(self, noun: Noun) -> Callable[[Inbound[Nothing, Nothing]], Awaitable[PrincipalView]]:
        async def handler(inbound: Inbound[Nothing, Nothing]) -> PrincipalView:
            entry = await self.entries.mine(noun, inbound.path["ident"], inbound.caller)
            active = await self.identity.activate(entry.id, by=inbound.caller.principal, at=inbound.at)
            return PrincipalView.of(active)

        return handler
