"""What each product calls things, and what of it counts: one row per product, from its own documents."""

import re
from dataclasses import dataclass
from typing import Final

from remit.identity.upstream.mapping import MFA, Mapping, MarkRule
from remit.identity.upstream.provider import Product, Proves

_MFA_BY_AMR: Final = (MarkRule(mark=MFA, claim="amr", values=("mfa",)),)
"""RFC 8176 §2: `mfa`, and nothing that merely could have been a second factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcProduct:
    """How one product speaks OpenID Connect.

    `userinfo`: name, address and groups are asked there, as its ID tokens are thin. `asks_again`: it takes
    `prompt=login` and `max_age`, and says when the person authenticated. `issuers`: what its issuers look
    like; the group `tenant`, if there is one, is what the claim `tid` must be.
    """

    mapping: Mapping
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    proves: Proves = Proves.KEY
    userinfo: bool = True
    asks_again: bool = True
    issuers: re.Pattern[str] = re.compile(r".+")
    example: str = "https://login.example.com"
    create_needs: str = ""
    """The claim that a condition must name before strangers are let in; empty: none must."""
    asked_claims: str = ""
    """What the request says in `claims` (OpenID Connect Core §5.5), where `max_age` alone does not do."""


def oidc_of(product: Product) -> OidcProduct:
    """How that product speaks OpenID Connect."""
    return _OIDC[product]


_OIDC: Final = {
    Product.GENERIC: OidcProduct(mapping=Mapping(marks=_MFA_BY_AMR)),
    Product.OKTA: OidcProduct(
        mapping=Mapping(marks=_MFA_BY_AMR),
        scopes=("openid", "profile", "email", "groups"),
        example="https://example.okta.com",
    ),
    Product.AUTH0: OidcProduct(
        mapping=Mapping(groups="", marks=_MFA_BY_AMR),
        userinfo=False,
        # Auth0's issuers end in a slash.
        issuers=re.compile(r"https://[^/]+/"),
        example="https://example.eu.auth0.com/",
    ),
    Product.ENTRA: OidcProduct(
        # `oid` within `tid` is the person in every application and for ever; `sub` differs per application.
        mapping=Mapping(subject="oid", email_verified="xms_edov", marks=_MFA_BY_AMR),
        proves=Proves.POST,
        userinfo=False,
        issuers=re.compile(
            r"https://login\.microsoftonline\.com/"
            r"(?P<tenant>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/v2\.0"
        ),
        example="https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/v2.0",
    ),
    Product.PING: OidcProduct(
        mapping=Mapping(marks=_MFA_BY_AMR),
        example="https://auth.pingone.eu/00000000-0000-0000-0000-000000000000/as",
    ),
    Product.ONELOGIN: OidcProduct(
        mapping=Mapping(email_verified="", marks=_MFA_BY_AMR),
        scopes=("openid", "profile", "email", "groups"),
        proves=Proves.BASIC,
        example="https://example.onelogin.com/oidc/2",
    ),
    Product.KEYCLOAK: OidcProduct(
        mapping=Mapping(marks=_MFA_BY_AMR),
        userinfo=False,
        issuers=re.compile(r".+/realms/[^/]+"),
        example="https://login.example.com/realms/staff",
    ),
    Product.GOOGLE: OidcProduct(
        mapping=Mapping(groups="", marks=()),
        proves=Proves.POST,
        userinfo=False,
        asks_again=False,
        issuers=re.compile(r"https://accounts\.google\.com"),
        example="https://accounts.google.com",
        create_needs="hd",
        asked_claims='{"id_token":{"auth_time":{"essential":true}}}',
    ),
}
