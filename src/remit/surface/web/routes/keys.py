"""Our own signing keys: which there are, and the steps of rotation that are due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

import msgspec

from remit.authority.oauth.wire.scopes import Scope
from remit.kernel.errors import Invalid
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState
from remit.surface.web.caller import require_admin
from remit.surface.web.operation import Inbound, Method, Nothing, Operation


class KeyBox(Protocol):
    """The present key ring."""

    def records(self) -> Sequence[KeyRecord]:
        """Every key, whatever its state."""

    async def rotate(self, at: datetime) -> Sequence[KeyRecord]:
        """Take every step that is due; what changed."""

    async def force(
        self, key_class: KeyClass, *, compromised: bool, by: PrincipalId, at: datetime
    ) -> Sequence[KeyRecord]:
        """Change the key of a class now; what changed."""


class ForcedRotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the key of a class is changed before its time."""

    compromised: bool = False
    """Whether nothing that the class ever signed may be believed any more, from this moment."""


class NoSuchKeyClass(Invalid):
    """There is no class of keys by this name."""

    code = "key_class_unknown"


class SigningKeyView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One key of ours: never its private half."""

    kid: str
    purpose: KeyClass
    algorithm: str
    state: KeyState
    thumbprint: str
    not_before: datetime
    not_after: datetime | None = None

    @classmethod
    def of(cls, record: KeyRecord) -> Self:
        """From the key record."""
        return cls(
            kid=record.kid,
            purpose=record.key_class,
            algorithm=record.algorithm,
            state=record.state,
            thumbprint=record.public.thumbprint,
            not_before=record.not_before,
            not_after=record.not_after,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRoutes:
    """What the noun needs: the key ring."""

    box: KeyBox

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="listKeys",
                summary="Signing keys of this installation",
                method=Method.GET,
                path="/keys",
                scopes=(Scope.READ,),
                handler=self._all,
                body=Nothing,
                query=Nothing,
                answer=list[SigningKeyView],
            ),
            Operation(
                name="rotateKeys",
                summary="Take every step of rotation that is due; answers with what changed",
                method=Method.POST,
                path="/keys/rotate",
                scopes=(Scope.ADMIN,),
                handler=self._rotate,
                body=Nothing,
                query=Nothing,
                answer=list[SigningKeyView],
            ),
            Operation(
                name="forceRotation",
                summary="Change the key of one class now; a compromised one verifies nothing from then on",
                method=Method.POST,
                path="/keys/{purpose}/rotate",
                scopes=(Scope.ADMIN,),
                handler=self._force,
                body=ForcedRotation,
                query=Nothing,
                answer=list[SigningKeyView],
            ),
        ]

    async def _all(self, _: Inbound[Nothing, Nothing]) -> list[SigningKeyView]:
        return [SigningKeyView.of(each) for each in self.box.records()]

    async def _rotate(self, inbound: Inbound[Nothing, Nothing]) -> list[SigningKeyView]:
        require_admin(inbound.caller, what="rotate keys")
        return [SigningKeyView.of(each) for each in await self.box.rotate(inbound.at)]

    async def _force(self, inbound: Inbound[ForcedRotation, Nothing]) -> list[SigningKeyView]:
        require_admin(inbound.caller, what="change keys")
        changed = await self.box.force(
            _class_of(inbound.path["purpose"]),
            compromised=inbound.body.compromised,
            by=inbound.caller.principal,
            at=inbound.at,
        )
        return [SigningKeyView.of(each) for each in changed]


def _class_of(name: str) -> KeyClass:
    try:
        return KeyClass(name)
    except ValueError as unknown:
        raise NoSuchKeyClass(f"no class of keys is called `{name}`", next_step="remit key list") from unknown
