"""What each product calls things in SAML, and what of it counts: one row per product."""

import re
from dataclasses import dataclass
from typing import Final

from remit.identity.federation.saml import names
from remit.identity.upstream.mapping import MFA, Mapping, MarkRule
from remit.identity.upstream.provider import Product

NAME_ID: Final = "name_id"
"""The claim that stands for the subject's `NameID`."""
CONTEXT: Final = "authn_context"
"""The claim that stands for `AuthnContextClassRef`."""

_CLAIMS: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_MICROSOFT: Final = "http://schemas.microsoft.com/identity/claims/"
_TWO_FACTORS: Final = MarkRule(
    mark=MFA,
    claim=CONTEXT,
    values=(
        "https://refeds.org/profile/mfa",
        # SAML Authn Context §3.4.7: two factors by its own definition, and the only such class there.
        "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlProduct:
    """How one product speaks SAML.

    `name_format` is the one format whose names are somebody's for ever there. `asks_again`: it takes
    `ForceAuthn`. `entities`: what its entity ids look like; the group `tenant`, if there is one, is what the
    attribute `home` must be.
    """

    mapping: Mapping
    name_format: str = names.PERSISTENT
    asks_again: bool = True
    entities: re.Pattern[str] = re.compile(r"[!-~]{1,1024}")
    example: str = "https://idp.example.com/entity"
    home: str = ""


def saml_of(product: Product) -> SamlProduct:
    """How that product speaks SAML."""
    return _SAML[product]


def _named(name: str = "name", email: str = "email", groups: str = "groups", *marks: MarkRule) -> Mapping:
    return Mapping(
        subject=NAME_ID,
        name=name,
        email=email,
        email_verified="",
        groups=groups,
        marks=(_TWO_FACTORS, *marks),
    )


_SAML: Final = {
    Product.GENERIC: SamlProduct(mapping=_named()),
    Product.OKTA: SamlProduct(
        # Attributes are what the administrator of Okta calls them; `amr` is the one from `session.amr`.
        mapping=_named("name", "email", "groups", MarkRule(mark=MFA, claim="amr", values=("mfa",))),
        entities=re.compile(r"http://www\.okta\.com/[A-Za-z0-9]+"),
        example="http://www.okta.com/exk1a2b3c4d5e6f7g8h9",
    ),
    Product.AUTH0: SamlProduct(
        # `NameID` is the `user_id`, in the format `unspecified`.
        mapping=_named(f"{_CLAIMS}name", f"{_CLAIMS}emailaddress", ""),
        name_format=names.UNSPECIFIED,
        entities=re.compile(r"urn:[A-Za-z0-9.-]+"),
        example="urn:example.eu.auth0.com",
    ),
    Product.ENTRA: SamlProduct(
        # The object id is the person in every application and for ever; `NameID` may be an address.
        mapping=Mapping(
            subject=f"{_MICROSOFT}objectidentifier",
            name=f"{_MICROSOFT}displayname",
            email=f"{_CLAIMS}emailaddress",
            email_verified="",
            groups="http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
            marks=(
                MarkRule(
                    mark=MFA,
                    claim="http://schemas.microsoft.com/claims/authnmethodsreferences",
                    values=("http://schemas.microsoft.com/claims/multipleauthn",),
                ),
            ),
        ),
        name_format="",
        entities=re.compile(
            r"https://sts\.windows\.net/(?P<tenant>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/"
        ),
        example="https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
        home=f"{_MICROSOFT}tenantid",
    ),
    Product.PING: SamlProduct(
        mapping=_named(), example="https://auth.pingone.eu/00000000-0000-0000-0000-000000000000"
    ),
    Product.ONELOGIN: SamlProduct(
        mapping=_named("User.name", "User.email", "memberOf"),
        entities=re.compile(r"https://app\.onelogin\.com/saml/metadata/[0-9a-f-]+"),
        example="https://app.onelogin.com/saml/metadata/00000000-0000-0000-0000-000000000000",
    ),
    Product.KEYCLOAK: SamlProduct(
        mapping=_named(),
        entities=re.compile(r"https?://[!-~]+/realms/[^/?#]+"),
        example="https://login.example.com/realms/staff",
    ),
    Product.GOOGLE: SamlProduct(
        mapping=_named(),
        asks_again=False,
        entities=re.compile(r"https://accounts\.google\.com/o/saml2\?idpid=[A-Za-z0-9]+"),
        example="https://accounts.google.com/o/saml2?idpid=C01abc234",
    ),
}
