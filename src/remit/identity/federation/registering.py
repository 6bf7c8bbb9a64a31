"""What must be true of an issuer before anybody is believed on its word."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remit.identity.federation.errors import IssuerAlike, IssuerUnfit
from remit.identity.federation.profiles import Profile, ProfileName, profile_of
from remit.identity.federation.trust import IssuerId, KeySource, TrustedIssuer, TrustState
from remit.identity.spiffe import check_name
from remit.kernel.ids import PrincipalId, TenantId

LONGEST_ADDRESS: Final = 2048
_ADDRESS: Final = re.compile(r"(https?)://[^/?#\\@\s]+(?:/[^?#\\\s]*)?(?:\?[^#\\\s]*)?")
_LEAST: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedIssuer:
    """An issuer as an administrator states it; what is left out follows from the profile.

    `keys` is a pinned JWK Set or bundle, `address` where one is fetched; with neither, discovery is used.
    """

    name: str
    profile: ProfileName
    issuer: str
    audience: str = ""
    address: str = ""
    keys: bytes = b""
    longest: timedelta | None = None
    repeatable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What we are called ourselves, and whether plain HTTP on this machine counts (development alone)."""

    issuer: str
    trust_domain: str
    plain_loopback: bool = False
    saml: bool = False
    """Whether SAML is spoken here."""

    @property
    def token_endpoint(self) -> str:
        """Where assertions are grants."""
        return f"{self.issuer}/token"


def draw_up(
    stated: StatedIssuer,
    *,
    ident: IssuerId,
    tenant: TenantId,
    by: PrincipalId,
    at: datetime,
    ours: Ours,
    known: Sequence[TrustedIssuer],
) -> TrustedIssuer:
    """Make the record of an issuer. Raises `IssuerUnfit`, `IssuerAlike`, or `MalformedName` for its name."""
    profile = profile_of(stated.profile)
    _check_address(stated, profile, ours)
    _check_alike(stated, known, ours)
    return TrustedIssuer(
        id=ident,
        tenant=tenant,
        name=check_name(stated.name),
        profile=profile.name,
        issuer=stated.issuer,
        audience=_audience(stated, profile, ours),
        source=_source(stated, profile),
        address=_keys_address(stated, profile, ours),
        longest=_longest(stated, profile),
        repeatable=_repeatable(stated, profile),
        state=TrustState.ACTIVE,
        created_by=by,
        created_at=at,
        recipient=ours.token_endpoint if profile.name is ProfileName.SAML else "",
    )


def check_transport(address: str, *, plain_loopback: bool) -> None:
    """Refuse an address that is no https URL; plain http is for this machine, and for development alone."""
    found = _ADDRESS.fullmatch(address) if len(address) <= LONGEST_ADDRESS else None
    if found is None:
        raise IssuerUnfit(f"`{address[:128]}` is no https address")
    if found[1] == "http" and not (plain_loopback and _is_loopback(address)):
        raise IssuerUnfit(
            f"`{address[:128]}` is plain http: keys that travel in clear prove nothing",
            next_step="set federation.unsafe_loopback_http for an issuer on this machine, in development",
        )


def look(issuer: str) -> str:
    """The form in which look-alikes are one: case, a trailing slash and the scheme do not tell them apart.

    Entities of SAML may be names without an address; those are compared whole.
    """
    name, mark, address = issuer.lower().partition("://")
    return (address if mark else name).rstrip("/")


def _check_address(stated: StatedIssuer, profile: Profile, ours: Ours) -> None:
    if profile.name is ProfileName.SAML and not ours.saml:
        raise IssuerUnfit("SAML is not spoken here", next_step="set federation.saml")
    if profile.name not in {ProfileName.SPIFFE, ProfileName.SAML}:  # names of theirs are no addresses
        check_transport(stated.issuer, plain_loopback=ours.plain_loopback)
    local = ours.plain_loopback and stated.issuer.startswith("http://")
    if not local and not profile.issuers.fullmatch(stated.issuer):
        raise IssuerUnfit(
            f"`{stated.issuer[:128]}` is no issuer of `{profile.name}`; one looks like "
            f"`{profile.issuer_example}`",
            next_step=f"remit issuer claims {profile.name}",
        )


def _check_alike(stated: StatedIssuer, known: Sequence[TrustedIssuer], ours: Ours) -> None:
    """We never redeem what we issued ourselves, and no second issuer looks like a first."""
    if look(stated.issuer) in {look(ours.issuer), ours.trust_domain.lower()}:
        raise IssuerAlike("this is our own issuer: what we issue is never an assertion here")
    for each in known:
        if each.state is TrustState.ACTIVE and look(each.issuer) == look(stated.issuer):
            raise IssuerAlike(
                f"`{stated.issuer}` looks like `{each.issuer}`, which is trusted as `{each.name}`",
                next_step=f"remit issuer show {each.name}",
            )


def _audience(stated: StatedIssuer, profile: Profile, ours: Ours) -> str:
    """RFC 10070: our issuer identifier is the sole audience, but where the platform can't be told so."""
    if stated.audience in {"", ours.issuer}:
        return ours.issuer
    if profile.name is ProfileName.SAML and stated.audience == ours.token_endpoint:
        return stated.audience  # RFC 7522 §3 (2): the one or the other, as it is set at the issuer
    if not profile.free_audience:
        raise IssuerUnfit(f"audience must be `{ours.issuer}`: an assertion for somebody else is not for us")
    if not stated.audience.isprintable() or len(stated.audience) > LONGEST_ADDRESS:
        raise IssuerUnfit("audience is not printable, or too long")
    return stated.audience


def _source(stated: StatedIssuer, profile: Profile) -> KeySource:
    if stated.keys and stated.address:
        raise IssuerUnfit("keys are either pinned or fetched from an address, not both")
    if stated.keys:
        return KeySource.PINNED
    if stated.address:
        return KeySource.ADDRESS
    if profile.name is ProfileName.SAML:
        raise IssuerUnfit(
            "a SAML issuer has no discovery: give its metadata or certificates, or the metadata's address",
            next_step="remit issuer trust NAME --profile saml --saml-metadata FILE",
        )
    if profile.name is ProfileName.SPIFFE:
        raise IssuerUnfit(
            "a trust domain has no discovery: give its bundle, or the address of its bundle endpoint",
            next_step="remit issuer trust NAME --profile spiffe --address https://…",
        )
    return KeySource.DISCOVERY


def _keys_address(stated: StatedIssuer, profile: Profile, ours: Ours) -> str:
    match _source(stated, profile):
        case KeySource.PINNED:
            return ""
        case KeySource.ADDRESS:
            check_transport(stated.address, plain_loopback=ours.plain_loopback)
            return stated.address
        case KeySource.DISCOVERY:
            # OpenID Connect Discovery §4: appended to the issuer, whatever its path.
            return f"{stated.issuer.rstrip('/')}/.well-known/openid-configuration"


def _longest(stated: StatedIssuer, profile: Profile) -> timedelta:
    wanted = profile.usual if stated.longest is None else stated.longest
    if not _LEAST <= wanted <= profile.longest:
        most = int(profile.longest.total_seconds())
        raise IssuerUnfit(f"the longest life lies between 60 s and {most} s for `{profile.name}`")
    return wanted


def _repeatable(stated: StatedIssuer, profile: Profile) -> bool:
    if profile.name is ProfileName.SPIFFE:
        return True  # agents of the Workload API hand one JWT-SVID out again and again
    if stated.repeatable and not profile.repeatable:
        raise IssuerUnfit(f"an assertion of `{profile.name}` is used once: each run gets its own")
    return stated.repeatable


def _is_loopback(address: str) -> bool:
    host = address.partition("://")[2].partition("/")[0].rpartition(":")[0] or address.partition("://")[2]
    return host in {"127.0.0.1", "localhost", "[::1]"}
