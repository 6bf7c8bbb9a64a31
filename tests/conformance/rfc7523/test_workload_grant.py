"""The grant `jwt-bearer` for workloads of trusted issuers (RFC 7523 §2.1, §3.1; RFC 10070)."""

from datetime import timedelta

import pytest

from remit.identity.federation.profiles import ProfileName
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.federation import Federated, ForeignIssuer, github
from support.oauth import claims_in

SUBJECT = "repo:acme/deploy:environment:production"


async def governed(
    uow: SqlUnitOfWork, issuer: ForeignIssuer | None = None
) -> tuple[Federated, ForeignIssuer]:
    """One GitHub-like issuer, one rule for calendar-bot."""
    here = await Federated(uow).populate()
    them = issuer or github()
    trusted = await here.trust(them, ProfileName.GITHUB_ACTIONS)
    await here.rule(trusted, sub=SUBJECT)
    return here, them


@pytest.mark.req("R12", "R44")
@pytest.mark.spec("RFC 7523", "2.1")
async def test_a_pipeline_gets_a_token_with_no_stored_secret(uow: SqlUnitOfWork) -> None:
    here, them = await governed(uow)
    answer = await here.bearer(them.assertion(here.now))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    claims = claims_in(body["access_token"])
    assert body["token_type"] == "DPoP"
    assert "refresh_token" not in body
    assert claims["cnf"]["jkt"] == here.key().public.thumbprint
    assert claims["sub"] == f"spiffe://remit.example/agent/calendar-bot/{claims['client_id']}"
    (record,) = await here.world.records("identity.workload.enrolled")
    assert dict(record.detail)["workload"] == SUBJECT
    (issued,) = await here.world.records("authority.token.issued")
    assert issued.actor == claims["client_id"]
    assert issued.agent == here.agent()


@pytest.mark.req("R103")
async def test_the_instance_lives_as_long_as_its_proof(uow: SqlUnitOfWork) -> None:
    here, them = await governed(uow)
    them.life = timedelta(seconds=120)
    answer = await here.bearer(them.assertion(here.now))
    token = claims_in(answer.json()["access_token"])
    assert token["exp"] - token["iat"] == 120
    here.world.clock.advance(121)
    assert await here.service.end_due(by=here.ana, at=here.now, limit=10) == 1
    assert await here.service.end_due(by=here.ana, at=here.now, limit=10) == 0
    entry = await here.world.identities.get(token["client_id"])
    assert entry.state.value == "retired"
