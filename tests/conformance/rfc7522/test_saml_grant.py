"""The grant `saml2-bearer` for workloads of trusted SAML issuers (RFC 7521 §4.1, RFC 7522 §2.1, §3)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lxml import etree

from remit.authority.oauth.metadata import server_metadata
from remit.identity.federation.assertion import Form
from remit.identity.federation.errors import IssuerUnfit, KeysUnfit, RuleProvesNothing
from remit.identity.federation.registering import Ours
from remit.identity.federation.saml import names
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.federation import OURS, Federated, github
from support.oauth import ISSUER, OPTIONS, TRUST_DOMAIN, claims_in
from support.saml import ABSENT, SamlProvider, as_grant, certificate, ec_key, stamp
from support.saml_grants import SAML2_BEARER, SamlFederated, governed

MINUTE = timedelta(minutes=1)


def refused(answer: Any) -> bool:
    body = answer.json()
    assert body["error_description"] == "the presented token or proof does not verify", body
    return bool((answer.status_code, body["error"]) == (400, "invalid_grant"))


async def why(here: SamlFederated, text: str) -> str:
    return (await here.service.attempt(text, at=here.now, form=Form.SAML)).reason


@pytest.mark.req("R27", "R12")
@pytest.mark.spec("RFC 7522", "2.1")
@pytest.mark.spec("RFC 7521", "4.1")
async def test_a_signed_assertion_gets_a_workload_its_token(uow: SqlUnitOfWork) -> None:
    here, them = await governed(uow)
    answer = await here.saml(them.grant(here.now))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    claims = claims_in(body["access_token"])
    assert body["token_type"] == "DPoP"
    assert "refresh_token" not in body
    assert claims["sub"] == f"spiffe://remit.example/agent/calendar-bot/{claims['client_id']}"
    (record,) = await here.world.records("identity.workload.enrolled")
    assert dict(record.detail)["workload"] == them.subject


@pytest.mark.req("R27")
async def test_an_ecdsa_key_and_a_rule_over_an_attribute_do_as_well(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = SamlFederated(sqlite_uow), SamlProvider(key=ec_key("saml"))
    await here.populate()
    await here.rule(await here.believe(them), attribute__department="operations")
    assert (await here.saml(them.grant(here.now))).status_code == 200
    assert refused(await here.saml(them.grant(here.now, attributes={"department": "sales"})))
    # Two values are no one value.
    several = them.grant(here.now, attributes={"department": ["operations", "sales"]})
    assert refused(await here.saml(several))


@pytest.mark.req("R27")
@pytest.mark.attack("AS-01")
async def test_an_assertion_is_used_once_on_every_node(uow: SqlUnitOfWork) -> None:
    here, them = await governed(uow)
    element = them.signed(here.now)
    assert (await here.saml(as_grant(element))).status_code == 200
    assert refused(await here.saml(as_grant(element)))
    # Another spelling of what is not signed is the same assertion; so is its number under another signature.
    assert refused(await here.saml(as_grant(etree.tostring(element) + b"\n")))
    assert refused(await here.saml(them.grant(here.now, id=element.get("ID"), session_index="s2")))
    assert (await here.saml(them.grant(here.now))).status_code == 200


NOT_FOR_US: tuple[tuple[dict[str, Any], str], ...] = (
    ({"issuer": "https://other.example"}, "issuer_unknown"),
    ({"audience": "https://other.example"}, "wrong_audience"),
    ({"audience": f"{ISSUER}/"}, "wrong_audience"),
    ({"audience": f"{ISSUER}/token"}, "wrong_audience"),
    ({"audience": [ISSUER, "https://other.example"]}, "wrong_audience"),
    ({"audience": ABSENT}, "wrong_audience"),
    ({"recipient": f"{ISSUER}/token/"}, "wrong_recipient"),
    ({"recipient": "https://other.example/token"}, "wrong_recipient"),
    ({"recipient": ABSENT}, "wrong_recipient"),
    ({"confirmed_until": ABSENT}, "confirmation_malformed"),
    ({"confirmed_from": "2026-01-01T00:00:00Z"}, "confirmation_malformed"),
    ({"method": "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"}, "confirmation_missing"),
    ({"method": "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"}, "confirmation_missing"),
    ({"subject": "urn:workload:other"}, "no_rule"),
    ({"name": ""}, "claim_missing"),
    ({"format": names.TRANSIENT}, "subject_transient"),
    ({"name_attributes": ' NameQualifier="https://other.example"'}, "subject_foreign"),
    ({"name_attributes": ' SPNameQualifier="https://other.example"'}, "subject_foreign"),
    ({"conditions": '<saml:Condition xsi:type="Odd"/>'}, "condition_unknown"),
    ({"version": "1.1"}, "wrong_type"),
    ({"until": "2026-05-15"}, "claim_malformed"),
    ({"until": "2099-01-01T00:00:00Z", "confirmed_until": "2099-01-01T00:00:00Z"}, "lives_too_long"),
    ({"until": "9999-12-31T23:59:60Z"}, "claim_malformed"),
    ({"id": ""}, "reference_foreign"),
)


@pytest.mark.req("R27")
@pytest.mark.spec("RFC 7522", "3")
async def test_what_is_not_for_us_is_refused(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await governed(sqlite_uow)
    for changes, reason in NOT_FOR_US:
        made = them.assertion(here.now, **changes)
        text = as_grant(them.sign(made, reference=f"#{changes.get('id', made.get('ID'))}"))
        assert await why(here, text) == reason, changes
        assert refused(await here.saml(text)), changes
    assert (await here.saml(them.grant(here.now))).status_code == 200


@pytest.mark.req("R27")
@pytest.mark.spec("RFC 7522", "3")
async def test_an_assertion_counts_from_half_a_minute_before_its_window_to_its_end(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    here, them = await governed(sqlite_uow)
    ages = ((-31, 400), (-30, 200), (0, 200), (299, 200), (301, 400), (7200, 400))
    for seconds, answer in ages:
        text = them.grant(here.now - timedelta(seconds=seconds))
        key = here.key(f"{seconds}")
        assert (await here.saml(text, key=key)).status_code == answer, seconds


async def test_a_session_that_is_over_proves_nothing(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await governed(sqlite_uow)
    text = them.grant(here.now, session_until=stamp(here.now - 2 * MINUTE))
    assert await why(here, text) == "expired"


@pytest.mark.spec("RFC 7522", "2.1")
async def test_what_is_no_assertion_is_refused_in_the_same_words(sqlite_uow: SqlUnitOfWork) -> None:
    here, _ = await governed(sqlite_uow)
    for text in ("PHg-", "not base64!", "PD94bWw", "eyJhbGciOiJub25lIn0.e30.", "a" * (49 << 10)):
        assert refused(await here.saml(text))
    assert (await here.saml("")).json()["error"] == "invalid_request"


@pytest.mark.req("R27")
async def test_each_kind_of_assertion_comes_by_its_own_way(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await governed(sqlite_uow)
    text, jwt = them.grant(here.now), github().assertion(here.now)
    assert refused(await here.bearer(text))
    assert refused(await here.saml(jwt))
    both = await here.saml(text, client_assertion=jwt, client_assertion_type="x")
    assert both.json()["error"] == "invalid_request"
    assert (await here.saml(text)).status_code == 200


async def test_saml_is_off_until_it_is_chosen(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await Federated(sqlite_uow).populate(), SamlProvider()
    with pytest.raises(IssuerUnfit, match="not spoken"):
        await SamlFederated.believe(here, them)  # type: ignore[arg-type]  # the plain one, on purpose
    answer = await SamlFederated.saml(here, them.grant(here.now))  # type: ignore[arg-type]  # as above
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] in {"unsupported_grant_type", "invalid_client"}
    on = replace(OPTIONS, workloads=True, saml=True)
    assert SAML2_BEARER in server_metadata(on)["grant_types_supported"]  # type: ignore[operator]  # a list
    assert SAML2_BEARER not in server_metadata(OPTIONS)["grant_types_supported"]  # type: ignore[operator]  # a list


async def test_the_token_endpoint_may_be_the_audience_where_it_is_set_so(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = SamlFederated(sqlite_uow), SamlProvider(audience=f"{ISSUER}/token")
    await here.populate()
    await here.rule(await here.believe(them, audience=f"{ISSUER}/token"), sub=them.subject)
    assert (await here.saml(them.grant(here.now))).status_code == 200
    assert refused(await here.saml(them.grant(here.now, audience=ISSUER)))
    with pytest.raises(IssuerUnfit, match="audience"):
        await here.believe(
            SamlProvider(entity="https://two.example"), name="two", audience="https://x.example"
        )


async def test_a_rule_must_pin_a_subject_or_an_attribute(sqlite_uow: SqlUnitOfWork) -> None:
    here, _ = await governed(sqlite_uow)
    issuer, _, _ = await here.service.get("them")
    for conditions in ({"authn_context": "x"}, {"name_format": "x"}):
        with pytest.raises(RuleProvesNothing):
            await here.rule(issuer, **conditions)


async def test_metadata_that_says_nothing_is_refused(sqlite_uow: SqlUnitOfWork) -> None:
    here = SamlFederated(sqlite_uow)
    await here.populate()
    odd = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    for raw in (b"", b"<x/>", odd, b"\xff\xfe<"):
        with pytest.raises((KeysUnfit, IssuerUnfit)):
            await here.believe(SamlProvider(), keys=raw)


async def test_certificates_rotate_by_metadata_and_end_with_it(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = SamlFederated(sqlite_uow), SamlProvider()
    await here.populate()
    address = "https://idp.example/metadata"
    here.pages.pages[address] = them.metadata()
    await here.rule(await here.believe(them, address=address), sub=them.subject)
    assert (await here.saml(them.grant(here.now))).status_code == 200
    new = SamlProvider(key=ec_key("rotated"), count=50)
    here.pages.pages[address] = new.metadata()
    assert refused(await here.saml(new.grant(here.now)))
    here.world.clock.advance(3601)
    assert (await here.saml(new.grant(here.now), key=here.key("second"))).status_code == 200
    assert refused(await here.saml(them.grant(here.now)))
    assert [page for page in here.pages.asked if page != address] == []
    # Metadata of another entity at the same address is not this issuer's.
    here.pages.pages[address] = SamlProvider(entity="https://other.example").metadata()
    here.world.clock.advance(3601)
    still = await here.saml(new.grant(here.now), key=here.key("third"))
    assert still.status_code == 200, "the last good set stays"


async def test_a_certificate_counts_while_it_is_valid(sqlite_uow: SqlUnitOfWork) -> None:
    here = SamlFederated(sqlite_uow)
    await here.populate()
    them = SamlProvider()
    them.pem = certificate(them.key, begins=here.now - 2 * MINUTE, life=MINUTE)
    await here.rule(await here.believe(them), sub=them.subject)
    assert await why(here, them.grant(here.now)) == "key_unknown"
    await here.service.pin("them", certificate(them.key), by=here.ana, at=here.now)
    assert (await here.saml(them.grant(here.now))).status_code == 200


def test_what_is_ours_is_named_once() -> None:
    assert Ours(issuer=ISSUER, trust_domain=TRUST_DOMAIN).token_endpoint == f"{ISSUER}/token"
    assert OURS.saml is False
