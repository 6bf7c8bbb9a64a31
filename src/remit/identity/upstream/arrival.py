"""Somebody at the door: what a provider said of them, judged by its protocol, and not yet believed here."""

from dataclasses import dataclass
from datetime import datetime

from remit.identity.upstream.provider import IdpId
from remit.kernel.ids import PrincipalId
from remit.kernel.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One sign-in at a provider; whoever makes it has verified all of it by the provider's keys.

    `issuer` is the provider's own, as verified. `acr`, `amr` are its words, `marks` ours for them, by its
    mapping. `authenticated_at` is when the person proved themselves *there*; the earliest that it can have
    been, where the provider leaves it open. `email` is empty unless the provider verified it. `facts` are
    the claims that conditions may name, each with every value that it has.
    """

    provider: IdpId
    issuer: str
    subject: str
    acr: str = ""
    amr: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    authenticated_at: datetime
    upstream_session: str = ""
    """The provider's own name for the session (`sid`, SessionIndex): what its logout names."""
    name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()
    facts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    hint: Secret | None = None
    """What the provider wants to see when the person signs out there (`id_token_hint`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirming:
    """That an arrival is to confirm who is signed in already: the same person, authenticated since then."""

    human: PrincipalId
    since: datetime
