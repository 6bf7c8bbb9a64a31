"""What one step of an examination found."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from remit.identity.upstream.provider import IdentityProvider, Standing
from remit.kernel.errors import RemitError
from remit.kernel.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; `fix` says what mends it where `ok` is false."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


Steps: TypeAlias = AsyncIterator[Step]


class Way(Protocol):
    """The steps of one protocol, for a provider that speaks it."""

    def steps(self, provider: IdentityProvider, secret: Secret | None, *, at: datetime) -> Steps:
        """Each in turn; ends at the first one without which the next can't be asked."""


def well(name: str, detail: str) -> Step:
    """Nothing is wrong here."""
    return Step(name=name, ok=True, detail=detail)


def ill(name: str, detail: str, fix: str) -> Step:
    """This is wrong; say what mends it."""
    return Step(name=name, ok=False, detail=detail, fix=fix)


def either(name: str, *, ok: bool, well: str, ill: str, fix: str) -> Step:
    """One of two, whichever holds."""
    return Step(name=name, ok=ok, detail=well if ok else ill, fix="" if ok else fix)


def failed(name: str, because: RemitError, fix: str) -> Step:
    """A step that could not be taken."""
    return ill(name, because.hint, because.next_step or fix)


def standing(provider: IdentityProvider) -> Step:
    """Whether anybody can come from it at all."""
    return either(
        "connected",
        ok=provider.standing is Standing.ACTIVE,
        well=f"{provider.name}, {provider.product} by {provider.language}",
        ill=f"`{provider.name}` is {provider.standing}: nobody comes from it",
        fix=f"remit idp resume {provider.name}",
    )


def moved(provider: IdentityProvider) -> str:
    """What mends an address that is no longer the one on record (ADR 0027)."""
    return f"remit idp retire {provider.name}, then connect it anew; links of people stay"
