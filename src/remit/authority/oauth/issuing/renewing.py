"""Refresh tokens that are looked at, not used: by their own client, to know of them or to take them back."""

from dataclasses import dataclass

from remit.authority.oauth.asking.families import Family, RefreshToken
from remit.authority.oauth.clients.client import Client
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.scopes import render
from remit.kernel.canonical import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """A refresh token of ours, and what it renews."""

    token: RefreshToken
    family: Family

    def described(self, *, issuer: str) -> JsonObject:
        """What introspection says of a live one (RFC 7662 §2.2); it is no token of any resource."""
        end = min(self.family.ends_at, self.family.used_at + self.family.idle)
        return {
            "active": True,
            "iss": issuer,
            "client_id": self.family.client_id,
            "sub": self.family.user,
            "scope": render(self.family.scopes),
            "iat": int(self.token.issued_at.timestamp()),
            "exp": int(end.timestamp()),
        }


def refresh_of(tx: OAuthTransaction, text: str, client: Client) -> Refresh | None:
    """The client's own refresh token of that text; None for another's, and for what is none of ours."""
    if not opaque.is_one(opaque.REFRESH, text):
        return None
    token = tx.families.token(opaque.digest_of(text))
    family = None if token is None else tx.families.get(token.family)
    if token is None or family is None or family.client_id != client.client_id:
        return None
    return Refresh(token=token, family=family)
