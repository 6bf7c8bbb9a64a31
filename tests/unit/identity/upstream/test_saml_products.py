"""What each product's SAML means here: who it names, and what it vouches for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.identity.federation.saml import names
from remit.identity.federation.saml.assertion import Authentication, NameId
from remit.identity.federation.saml.judge import Judged
from remit.identity.upstream.errors import ArrivalRefused
from remit.identity.upstream.mapping import MARKS, MFA
from remit.identity.upstream.provider import (
    Condition,
    IdentityProvider,
    IdpId,
    Language,
    Product,
    Provisioning,
    SamlPeer,
    Standing,
)
from remit.identity.upstream.saml_products import saml_of
from remit.identity.upstream.saml_reading import read_saml_arrival
from remit.kernel.ids import PrincipalId, TenantId
from support.clock import NOON

CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
MICROSOFT = "http://schemas.microsoft.com/identity/claims/"
HOME = "11111111-2222-3333-4444-555555555555"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
REFEDS = "https://refeds.org/profile/mfa"

SAID: dict[Product, tuple[dict[str, tuple[str, ...]], str]] = {
    Product.GENERIC: ({"name": ("Ana",), "email": ("ana@company.com",), "groups": ("a", "b")}, REFEDS),
    Product.OKTA: (
        {"name": ("Ana",), "email": ("ana@company.com",), "groups": ("a", "b"), "amr": ("pwd", "mfa")},
        PASSWORD,
    ),
    Product.AUTH0: ({f"{CLAIMS}name": ("Ana",), f"{CLAIMS}emailaddress": ("ana@company.com",)}, REFEDS),
    Product.ENTRA: (
        {
            f"{MICROSOFT}objectidentifier": ("ana-1",),
            f"{MICROSOFT}tenantid": (HOME,),
            f"{MICROSOFT}displayname": ("Ana",),
            f"{CLAIMS}emailaddress": ("ana@company.com",),
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups": ("a", "b"),
            "http://schemas.microsoft.com/claims/authnmethodsreferences": (
                "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password",
                "http://schemas.microsoft.com/claims/multipleauthn",
            ),
        },
        PASSWORD,
    ),
    Product.PING: ({"name": ("Ana",), "email": ("ana@company.com",), "groups": ("a", "b")}, REFEDS),
    Product.ONELOGIN: (
        {"User.name": ("Ana",), "User.email": ("ana@company.com",), "memberOf": ("a", "b")},
        REFEDS,
    ),
    Product.KEYCLOAK: ({"name": ("Ana",), "email": ("ana@company.com",), "groups": ("a", "b")}, REFEDS),
    Product.GOOGLE: ({"name": ("Ana",), "email": ("ana@company.com",), "groups": ("a", "b")}, REFEDS),
}


def provider(product: Product, **changes: Any) -> IdentityProvider:
    example = saml_of(product).example.replace("00000000-0000-0000-0000-000000000000", HOME)
    made = IdentityProvider(
        id=IdpId("idp_1"),
        tenant=TenantId("default"),
        name="company",
        product=product,
        language=Language.SAML,
        issuer=example,
        standing=Standing.ACTIVE,
        provisioning=Provisioning.CREATE,
        mapping=replace(saml_of(product).mapping, email_trusted=True),
        saml=SamlPeer(sign_in="https://idp.example/sso", name_format=saml_of(product).name_format),
        created_by=PrincipalId("usr_1"),
        created_at=NOON,
        changed_at=NOON,
    )
    return replace(made, **changes)


def judged(given: IdentityProvider, **changes: Any) -> Judged:
    attributes, context = SAID[given.product]
    assert given.saml is not None
    made = Judged(
        ident="_1",
        issuer=given.issuer,
        name=NameId(value="ana-1", format=given.saml.name_format or names.TRANSIENT),
        attributes=tuple(attributes.items()),
        authentication=Authentication(at=NOON, session_index="s1", session_ends_at=None, class_ref=context),
        expires_at=NOON + timedelta(minutes=5),
        digest="0" * 64,
        in_response_to="_r",
    )
    return replace(made, **changes)


@pytest.mark.req("R159")
@pytest.mark.parametrize("product", list(Product))
def test_a_person_of_each_product_is_named_for_ever(product: Product) -> None:
    ours = provider(product)
    assert ours.saml is not None
    found = read_saml_arrival(ours, ours.saml, judged(ours))
    assert (found.issuer, found.subject, found.name) == (ours.issuer, "ana-1", "Ana")
    assert found.email == "ana@company.com"
    assert found.marks == (MFA,)
    assert found.groups == (() if product is Product.AUTH0 else ("a", "b"))
    assert (found.authenticated_at, found.upstream_session) == (NOON, "s1")
    assert saml_of(product).entities.fullmatch(ours.issuer)
    assert {rule.mark for rule in saml_of(product).mapping.marks} <= MARKS


@pytest.mark.attack("AS-12")
@pytest.mark.parametrize("product", list(Product))
def test_an_address_is_nobody_and_a_password_no_second_factor(product: Product) -> None:
    ours = provider(product, mapping=saml_of(product).mapping)
    assert ours.saml is not None
    single = Authentication(at=NOON, session_index="", session_ends_at=None, class_ref=PASSWORD)
    kept = {"tenantid": (HOME,), "objectidentifier": ("ana-1",)}
    attributes = tuple((f"{MICROSOFT}{name}", value) for name, value in kept.items())
    found = read_saml_arrival(ours, ours.saml, judged(ours, authentication=single, attributes=attributes))
    assert found.marks == ()
    plain = read_saml_arrival(ours, ours.saml, judged(ours))
    assert plain.email == "", "an address counts only if the administrator says so"
    for form in (names.EMAIL, names.TRANSIENT):
        named = NameId(value="ana@company.com", format=form)
        if ours.saml.name_format:
            with pytest.raises(ArrivalRefused):
                read_saml_arrival(ours, ours.saml, judged(ours, name=named))
        else:
            assert read_saml_arrival(ours, ours.saml, judged(ours, name=named)).subject == "ana-1"


@pytest.mark.attack("AS-12")
def test_a_tenant_speaks_for_its_own_people() -> None:
    ours = provider(Product.ENTRA)
    assert ours.saml is not None
    attributes = dict(judged(ours).attributes)
    for home in ((), ("99999999-2222-3333-4444-555555555555",), (HOME, "other")):
        other = {**attributes, f"{MICROSOFT}tenantid": home}
        with pytest.raises(ArrivalRefused) as refused:
            read_saml_arrival(ours, ours.saml, judged(ours, attributes=tuple(other.items())))
        assert refused.value.reason == "other_home"
    two = {**attributes, f"{MICROSOFT}objectidentifier": ("ana-1", "eve-1")}
    with pytest.raises(ArrivalRefused):
        read_saml_arrival(ours, ours.saml, judged(ours, attributes=tuple(two.items())))


def test_conditions_may_name_attributes_the_name_and_the_context() -> None:
    wanted = tuple(
        Condition(claim=claim, values=("x",)) for claim in ("groups", "name_id", "authn_context", "absent")
    )
    ours = provider(Product.GENERIC, conditions=wanted)
    assert ours.saml is not None
    found = dict(read_saml_arrival(ours, ours.saml, judged(ours)).facts)
    assert found == {
        "groups": ("a", "b"), "name_id": ("ana-1",), "authn_context": (REFEDS,), "absent": (),
    }  # fmt: skip
