"""R12 over every kind of issuer: a token without a stored secret, and each way to get one wrongly; AS-11."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.wire.errors import InvalidGrant
from remit.authority.oauth.workloads import Admitted, WorkloadDesk
from remit.identity.federation.admission import plan
from remit.identity.federation.assertion import VerifiedAssertion
from remit.identity.federation.profiles import ProfileName
from remit.kernel.canonical import b64u
from remit.kernel.jose.dpop import shown_key
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.federation import Federated, ForeignIssuer
from support.issuers import KINDS, Kind, aws
from support.oauth import ABSENT, claims_in

EVERY = pytest.mark.parametrize("profile", list(KINDS), ids=str)


class Trusting(Federated):
    """Trusts one issuer of a kind, whose one workload is calendar-bot."""

    profile: ProfileName
    them: ForeignIssuer

    async def over(self, profile: ProfileName) -> "Trusting":
        await self.populate()
        self.profile, kind = profile, KINDS[profile]
        self.them = kind.make("honest")
        stated = {"audience": kind.audience} if kind.audience else {}
        trusted = await self.trust(self.them, profile, **stated)
        await self.rule(trusted, **kind.rule)
        return self

    async def show(self, by: ForeignIssuer | None = None, **claims: Any) -> httpx2.Response:
        made = (by or self.them).assertion(self.now, **claims)
        return await (self.svid(made) if self.profile is ProfileName.SPIFFE else self.bearer(made))

    def refuses(self, answer: httpx2.Response) -> bool:
        """One error and one sentence, whatever was wrong."""
        spiffe = self.profile is ProfileName.SPIFFE
        body = answer.json()
        assert body["error_description"] == "the presented token or proof does not verify", body
        said = (answer.status_code, body["error"])
        return said == ((401, "invalid_client") if spiffe else (400, "invalid_grant"))


def test_the_matrix_holds_every_kind_of_issuer() -> None:
    assert set(KINDS) | {ProfileName.SAML} == set(ProfileName)  # SAML: `tests/conformance/rfc7522`


@pytest.mark.req("R12", "R44")
@EVERY
async def test_each_kind_gives_a_token_with_no_stored_secret(
    sqlite_uow: SqlUnitOfWork, profile: ProfileName
) -> None:
    here = await Trusting(sqlite_uow).over(profile)
    answer = await here.show()
    assert answer.status_code == 200, answer.text
    claims = claims_in(answer.json()["access_token"])
    assert claims["cnf"]["jkt"] == here.key().public.thumbprint
    assert claims["sub"].startswith("spiffe://remit.example/agent/calendar-bot/")
    keys = await sqlite_uow.read(lambda tx: tx.credentials.of(claims["client_id"]))
    assert [each.not_after is not None for each in keys] == [True]


@pytest.mark.req("R12")
@pytest.mark.attack("AS-10")
@EVERY
async def test_each_kind_refuses_what_is_not_quite_its_workload(
    sqlite_uow: SqlUnitOfWork, profile: ProfileName
) -> None:
    here = await Trusting(sqlite_uow).over(profile)
    kind, stranger = KINDS[profile], KINDS[profile].make("stranger")
    elsewhere = "spiffe://evil.example/ns/agents/sa/calendar"
    wrong: dict[str, Callable[[], Any]] = {
        "key of a stranger": lambda: here.show(stranger),
        "another issuer": lambda: here.show(**_named(kind, elsewhere)),
        "another audience": lambda: here.show(aud="https://other.example"),
        "two audiences": lambda: here.show(aud=["https://remit.example", "https://other.example"]),
        "no end": lambda: here.show(exp=None),
    }
    for name, ask in wrong.items():
        assert here.refuses(await ask()), name
    for claims in kind.others:
        assert here.refuses(await here.show(**claims)), claims
    assert not await here.world.records("identity.workload.enrolled")


def _named(kind: Kind, elsewhere: str) -> dict[str, Any]:
    """The claim that says whose assertion it is: of a trust domain it is the subject."""
    spiffe = str(kind.rule.get("sub", "")).startswith("spiffe://")
    return {"sub": elsewhere} if spiffe else {"iss": "https://evil.example"}


@pytest.mark.req("R44", "R165")
async def test_a_key_that_somebody_keeps_is_ended_and_a_proof_goes_on(uow: SqlUnitOfWork) -> None:
    here = await Trusting(uow).over(ProfileName.GENERIC_OIDC)
    credentials, agent = here.world.credentials, here.agent()
    assert (await here.show()).status_code == 200
    before = await credentials.survey()
    assert agent in [each.id for each in before.lasting]
    ended = await credentials.end_lasting(agent, by=here.ana, because="secretless now", at=here.now)
    assert [each.id for each in ended] == [here.world.actors["calendar-bot"].kid]
    answer = await here.world.ask("calendar-bot", grant_type="client_credentials")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert (await here.show()).status_code == 200
    after = await credentials.survey()
    assert (after.agents, after.secretless) == (before.agents, before.secretless + 1)
    assert agent not in [each.id for each in after.lasting]
    legacy: dict[str, Any] = {"exp": ABSENT, "aud": ABSENT, "iss": "kubernetes/serviceaccount"}
    for kept in (here.them.assertion(here.now, **legacy), "AKIAIOSFODNN7EXAMPLE"):
        assert here.refuses(await here.bearer(kept))


# -- AS-11: a signed request to AWS is no assertion here

AT_STS = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
STS_REQUEST = {
    "url": AT_STS,
    "method": "POST",
    "headers": {"authorization": "AWS4-HMAC-SHA256 Credential=AKIA/20260515/eu-west-1/sts/aws4_request"},
    "body": "Action=GetCallerIdentity&Version=2011-06-15",
}
PRESIGNED = f"{AT_STS}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00"
SIGNED_REQUESTS = {
    "a request as JSON": json.dumps(STS_REQUEST),
    "the same as one segment": b64u(json.dumps(STS_REQUEST).encode()),
    "a presigned address": PRESIGNED,
    "a token of EKS": f"k8s-aws-v1.{b64u(PRESIGNED.encode())}",
    "a JWT that names an address": "",
}


def signed_request(kind: str) -> str:
    """The last one is signed by nobody that we know, and has its request where a reader might look."""
    return SIGNED_REQUESTS[kind] or aws("stranger").signed(
        {"alg": "RS256", "kid": "k1", "typ": "JWT"},
        {"iss": "https://sts.amazonaws.com", "sub": PRESIGNED, "request": STS_REQUEST},
    )


@pytest.mark.attack("AS-11")
@pytest.mark.parametrize("kind", SIGNED_REQUESTS)
async def test_a_signed_request_to_aws_is_refused_and_sent_nowhere(
    sqlite_uow: SqlUnitOfWork, kind: str
) -> None:
    here = await Trusting(sqlite_uow).over(ProfileName.AWS)
    await here.show()
    asked = list(here.pages.asked)
    assert here.refuses(await here.bearer(signed_request(kind)))
    assert here.pages.asked == asked


class _Forwards(WorkloadDesk):
    """CVE-2020-16250: sends the caller's request where the caller says, and believes what comes back."""

    hosts: dict[str, dict[str, str]]

    def admit(self, tx: Any, request: Any) -> Admitted | None:
        told = self.hosts[str(urlsplit(json.loads(request.parameters.get("assertion"))["url"]).hostname)]
        issuer = tx.issuers.trusted(aws().issuer)
        believed = VerifiedAssertion(
            issuer=issuer,
            subject=told["Arn"],
            workload=told["Arn"],
            texts=(("sub", told["Arn"]), ("aws.account", told["Account"])),
            expires_at=request.at + issuer.longest,
            digest="0" * 64,
            jti="",
        )
        admission = plan(tx, believed, shown_key(request.proofs[0]), at=request.at, entropy=self._entropy)
        who = self._client(admission, InvalidGrant)
        return Admitted(who=who, admission=admission, refused=InvalidGrant, entropy=self._entropy)


@pytest.mark.twin("AS-11")
async def test_forwarded_the_answer_of_an_attackers_host_would_be_the_agent(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    def build(**parts: Any) -> OAuth:
        whole = OAuth.build(**parts)
        desk: Any = whole.token._workloads
        desk.__class__ = _Forwards
        desk.hosts = {"sts.evil.example": {"Arn": aws().claims["sub"], "Account": "123456789012"}}
        return whole

    here = await Trusting(sqlite_uow, build=build).over(ProfileName.AWS)
    forged = {**STS_REQUEST, "url": "https://sts.evil.example/?Action=GetCallerIdentity"}
    assert (await here.bearer(json.dumps(forged))).status_code == 200
