"""What each product's tokens come to here: shapes as their own documents print them, signed by the test."""

from datetime import timedelta
from typing import Any

import pytest

from remit.identity.sessions import ACR_UPSTREAM, ACR_UPSTREAM_MFA
from remit.identity.upstream.errors import ArrivalRefused, IdentityProviderUnfit
from remit.identity.upstream.leaving import Returned
from remit.identity.upstream.mapping import MANAGED_DEVICE, MarkRule
from remit.identity.upstream.products import oidc_of
from remit.identity.upstream.provider import Condition, Product, Proves
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.companies import Company, Visitors, pkce_holds
from support.oauth import ABSENT

HOME = "0f8fad5b-d9cb-469f-a165-70867728950e"
OKTA = {"sub": "00u1ana", "name": "Ana", "email": "ana@company.com", "email_verified": True,
        "amr": ["mfa", "otp", "pwd"], "idp": "00o1", "ver": 1, "at_hash": ABSENT}  # fmt: skip
AUTH0 = {"sub": "auth0|5f7c8ec7", "name": "Ana", "nickname": "ana", "email": "ana@company.com",
         "email_verified": True, "amr": ["mfa"], "sid": "s-auth0"}  # fmt: skip
ENTRA = {"sub": "AAAApairwise", "oid": "0000-oid-ana", "tid": HOME, "name": "Ana", "ver": "2.0",
         "preferred_username": "ana@company.com", "email": "ana@company.com", "xms_edov": True,
         "acrs": ["c1"], "rh": "0.A", "uti": "x"}  # fmt: skip
PING = {"sub": "a1b2-ping", "name": "Ana", "email": "ana@company.com", "acr": "Single_Factor",
        "env": "e1", "org": "o1", "sid": "s-ping"}  # fmt: skip
ONELOGIN = {"sub": "12345678", "name": "Ana", "email": "ana@company.com", "groups": ["staff"], "ver": "1"}
KEYCLOAK = {"sub": "9d2f-keycloak", "name": "Ana", "email": "ana@company.com", "email_verified": True,
            "preferred_username": "ana", "acr": "1", "sid": "s-kc", "typ": "ID",
            "azp": "remit-at-company"}  # fmt: skip
GOOGLE = {"sub": "110169484474386276334", "hd": "company.com", "email": "ana@company.com",
          "email_verified": True, "name": "Ana", "azp": "remit-at-company"}  # fmt: skip

ROWS: dict[Product, tuple[str, dict[str, Any], str, str, str]] = {
    Product.OKTA: ("https://company.okta.com", OKTA, "00u1ana", "ana@company.com", ACR_UPSTREAM_MFA),
    Product.AUTH0: ("https://company.eu.auth0.com/", AUTH0, "auth0|5f7c8ec7", "ana@company.com",
                    ACR_UPSTREAM_MFA),
    Product.ENTRA: (f"https://login.microsoftonline.com/{HOME}/v2.0", ENTRA, "0000-oid-ana",
                    "ana@company.com", ACR_UPSTREAM),
    Product.PING: ("https://auth.pingone.eu/e1/as", PING, "a1b2-ping", "", ACR_UPSTREAM),
    Product.ONELOGIN: ("https://company.onelogin.com/oidc/2", ONELOGIN, "12345678", "", ACR_UPSTREAM),
    Product.KEYCLOAK: ("https://login.company.com/realms/staff", KEYCLOAK, "9d2f-keycloak",
                       "ana@company.com", ACR_UPSTREAM),
    Product.GOOGLE: ("https://accounts.google.com", GOOGLE, "110169484474386276334",
                     "ana@company.com", ACR_UPSTREAM),
}  # fmt: skip


def company_of(product: Product) -> Company:
    issuer, claims, *_ = ROWS[product]
    return Company(issuer=issuer, claims=claims, promises_iss=False)


@pytest.mark.req("R159")
@pytest.mark.parametrize("product", list(ROWS))
async def test_a_token_of_each_product_is_read_by_its_own_row(
    product: Product, sqlite_uow: SqlUnitOfWork
) -> None:
    _, _, subject, email, acr = ROWS[product]
    company, row = company_of(product), oidc_of(product)
    visitors = Visitors(sqlite_uow, company)
    needs = (Condition(claim=row.create_needs, values=("company.com",)),) if row.create_needs else ()
    await visitors.connect(company, product=product, proves=row.proves, conditions=needs)
    asked = await visitors.leave()
    assert ("max_age" in asked, "claims" in asked) == (row.asks_again, bool(row.asked_claims))
    came = await visitors.sign_in(company)
    (link,) = await visitors.links.of(came.session.human)
    human = await sqlite_uow.read(lambda tx: tx.principals.get(came.session.human))
    assert human is not None
    assert (link.subject, human.email or "", came.session.acr) == (subject, email, acr)
    redeemed = next(each for each in reversed(company.asked) if each.method == "POST")
    sent = redeemed.body.decode()
    assert ("client_assertion=" in sent) is (row.proves is Proves.KEY)
    assert ("client_secret=" in sent) is (row.proves is Proves.POST)
    assert ("Authorization" in redeemed.headers) is (row.proves is Proves.BASIC)


async def test_entra_speaks_for_its_own_tenant_alone(sqlite_uow: SqlUnitOfWork) -> None:
    company = company_of(Product.ENTRA)
    visitors = Visitors(sqlite_uow, company)
    rule = MarkRule(mark=MANAGED_DEVICE, claim="acrs", values=("c1",))
    await visitors.connect(company, product=Product.ENTRA, proves=Proves.POST, marks=(rule,))
    assert (await visitors.sign_in(company)).session.marks == (MANAGED_DEVICE,)
    for other in (ABSENT, "9188040d-6c67-4c5b-b112-36a304b66dad"):
        with pytest.raises(ArrivalRefused):
            await visitors.sign_in(company, tid=other)
    shared = Company(issuer="https://login.microsoftonline.com/common/v2.0")
    with pytest.raises(IdentityProviderUnfit):
        await Visitors(sqlite_uow, shared).connect(
            shared, "shared", product=Product.ENTRA, proves=Proves.POST
        )


async def test_the_whole_world_is_not_let_in(sqlite_uow: SqlUnitOfWork) -> None:
    company = company_of(Product.GOOGLE)
    with pytest.raises(IdentityProviderUnfit, match="`hd`"):
        await Visitors(sqlite_uow, company).connect(company, product=Product.GOOGLE, proves=Proves.POST)


@pytest.mark.spec("OpenID Connect Core", "3.1.3.7")
async def test_each_claim_of_a_token_is_held_against_the_request(sqlite_uow: SqlUnitOfWork) -> None:
    company = Company()
    visitors = Visitors(sqlite_uow, company)
    await visitors.connect(company)
    now = int(visitors.now.timestamp())
    odd_ones: list[tuple[int, dict[str, Any]]] = [
        (3, {"kid": "k2"}), (4, {"typ": "at+jwt"}), (4, {"typ": "logout+jwt"}),
        (6, {"iss": "https://login.other.example"}), (6, {"iss": f"{company.issuer}/"}),
        (6, {"aud": "another"}), (6, {"aud": ["remit-at-company", "another"]}), (6, {"azp": "another"}),
        (6, {"exp": now - 61}),
        (6, {"iat": now + 120}), (6, {"exp": ABSENT}), (6, {"sub": ABSENT}), (6, {"sub": ""}),
        (7, {"nonce": ABSENT}), (7, {"nonce": 7}), (8, {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
        (9, {"auth_time": ABSENT}), (9, {"auth_time": now - 13 * 3600}), (9, {"auth_time": -1}),
    ]  # fmt: skip
    for step, odd in odd_ones:
        with pytest.raises(ArrivalRefused) as refused:
            await visitors.sign_in(company, **odd)
        assert refused.value.step == step, odd
    own, company.key = company.key, Company().key
    asked = await visitors.leave()
    code, company.key = visitors.code(company, asked), own
    with pytest.raises(ArrivalRefused) as refused:
        await visitors.back("company", _returned(asked, code, company))
    assert refused.value.step == 5
    assert (await visitors.sign_in(company, aud=["remit-at-company"])).session.human


async def test_a_verifier_fits_its_challenge_and_userinfo_its_subject(sqlite_uow: SqlUnitOfWork) -> None:
    company = Company(userinfo={"sub": "somebody-else", "name": "Eve"})
    visitors = Visitors(sqlite_uow, company)
    await visitors.connect(company)
    with pytest.raises(ArrivalRefused) as refused:
        await visitors.sign_in(company)
    assert refused.value.reason == "userinfo_of_another"
    company.userinfo = {"sub": "ana-1", "name": "Ana of Userinfo", "acr": "high", "amr": ["mfa"]}
    company.claims = {"sub": "ana-1"}
    asked = await visitors.leave()
    code = visitors.code(company, asked)
    found = await visitors.back("company", _returned(asked, code, company))
    redeemed = next(each for each in reversed(company.asked) if each.method == "POST")
    assert pkce_holds(asked, redeemed)
    human = await sqlite_uow.read(lambda tx: tx.principals.get(found.session.human))  # type: ignore[union-attr]  # nobody linked
    assert human is not None
    assert human.name == "Ana of Userinfo"
    # How somebody proved themselves comes of the signed token alone.
    assert found.session.acr == ACR_UPSTREAM  # type: ignore[union-attr]  # nobody linked


async def test_keys_are_asked_for_once_a_minute_and_the_last_good_set_stays(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    company = Company()
    visitors = Visitors(sqlite_uow, company)
    await visitors.connect(company)

    def asked() -> int:
        return sum(each.url.endswith("/keys") for each in company.asked)

    visitors.later(timedelta(minutes=2))
    for _ in range(3):
        with pytest.raises(ArrivalRefused):
            await visitors.sign_in(company, kid="never-seen")
    assert asked() == 2
    company.document = {"broken": True}
    visitors.later(timedelta(hours=2))
    assert (await visitors.sign_in(company)).session.human


def _returned(asked: dict[str, str], code: str, company: Company) -> Returned:
    return Returned(state=asked["state"], code=code, iss=company.issuer)
