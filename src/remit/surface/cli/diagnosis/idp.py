"""`remit doctor idp`: whether people can sign in through a provider (OpenID Discovery 1.0, SAML Metadata)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from remit.kernel.errors import RemitError
from remit.surface.cli.diagnosis import issuer
from remit.surface.cli.diagnosis.finding import Finding, either, ill, well
from remit.surface.cli.diagnosis.reach import ask, document, is_protected

_SKEW: Final = 60.0
"""Seconds by which a provider's clock may differ; the tolerance of every token check."""


def connected(name: str) -> Iterator[Finding]:
    """What the server itself meets on the way to a connected provider: its keys, its exits, its clock."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as everywhere in the command line

    with Client.open() as client:
        found = client.post(f"/identity-providers/{name}/examine")
    for each in found:
        yield Finding(step=each["step"], ok=each["ok"], detail=each["detail"], fix=each["fix"])


def steps(name: str, *, at: datetime) -> Iterator[Finding]:
    """Stops at the first step without which the next can't be asked."""
    yield either(
        "address",
        ok=is_protected(name) and not name.endswith("/"),
        well=name,
        ill=f"`{name}` {'ends in a slash' if name.endswith('/') else 'is not https'}",
        fix=f"use `{name.rstrip('/')}` if the provider's metadata says so; RFC 8414 §2 wants https",
    )
    address = f"{name.rstrip('/')}/.well-known/openid-configuration"
    try:
        metadata = document(address)
    except RemitError as failed:
        yield ill("discovery", failed.hint, failed.next_step or "check the issuer in the provider's console")
        return
    yield well("discovery", address)
    yield issuer.same_issuer(metadata, name)
    yield from issuer.authorize(metadata)
    yield issuer.client_authentication(metadata)
    yield issuer.signing(metadata, "id_token_signing_alg_values_supported", "ID token")
    yield issuer.keys(metadata)
    yield _scopes(metadata)
    yield _logout(metadata)
    yield _clock(address, at)


def _scopes(metadata: dict[str, Any]) -> Finding:
    """OpenID Connect Core §3.1.2.1; a provider that lists scopes must list `openid`."""
    named = issuer.texts(metadata.get("scopes_supported"))
    return either(
        "scopes",
        ok=not named or "openid" in named,
        well=", ".join(named) or "not listed",
        ill="`scopes_supported` lacks `openid`",
        fix="register an OpenID Connect application, not plain OAuth",
    )


def _logout(metadata: dict[str, Any]) -> Finding:
    """Without it a leaver is known here only when a session is refreshed; said, no fault."""
    told = metadata.get("backchannel_logout_supported") is True
    return well("logout", "back-channel" if told else "not announced; sessions end by their own limits")


def _clock(address: str, at: datetime) -> Finding:
    """The provider's clock by its `Date` header (RFC 9110 §6.6.1)."""
    try:
        told = parsedate_to_datetime(ask(address).headers.get("date", ""))
    except (RemitError, ValueError):
        return well("clock", "the provider does not say")
    skew = abs((told.astimezone(UTC) - at).total_seconds())
    return either(
        "clock",
        ok=skew <= _SKEW,
        well=f"{skew:.0f} s apart",
        ill=f"{skew:.0f} s apart, {_SKEW:.0f} s are tolerated",
        fix="set both clocks by NTP",
    )
