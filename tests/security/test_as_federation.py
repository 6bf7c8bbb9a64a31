"""AS: assertions of workloads, every one of them refused that an attacker could get or change."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.authority.oauth.provider import OAuth
from remit.identity.federation import admission, keysets, refresh, service
from remit.identity.federation.conditions import Condition
from remit.identity.federation.errors import KeysUnfit
from remit.identity.federation.profiles import ProfileName
from remit.identity.federation.refresh import KeyRefresher
from remit.kernel.ids import TenantId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import OpenStore
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.blindness import VeiledWork
from support.federation import (
    CLUSTER,
    GITHUB,
    JWT_BEARER,
    OURS,
    Federated,
    ForeignIssuer,
    bundle,
    cluster,
    domain,
    github,
)
from support.oauth import ABSENT, ACCESS_TOKEN, EXCHANGE, ISSUER, TXN_TOKEN, Forgetful, claims_in

SUBJECT = "repo:acme/deploy:environment:production"
ACCOUNT = "system:serviceaccount:agents:calendar"


async def pipelines(uow: SqlUnitOfWork, **conditions: str) -> tuple[Federated, ForeignIssuer]:
    here, them = await Federated(uow).populate(), github()
    trusted = await here.trust(them, ProfileName.GITHUB_ACTIONS)
    await here.rule(trusted, **(conditions or {"sub": SUBJECT}))
    return here, them


async def pods(uow: SqlUnitOfWork, **stated: Any) -> tuple[Federated, ForeignIssuer]:
    here, them = await Federated(uow).populate(), cluster()
    trusted = await here.trust(them, ProfileName.KUBERNETES, **stated)
    await here.rule(trusted, sub=ACCOUNT, kubernetes__serviceaccount__uid="sa-uid-1")
    return here, them


async def workloads(uow: SqlUnitOfWork) -> tuple[Federated, ForeignIssuer]:
    here, them = await Federated(uow).populate(), domain()
    trusted = await here.trust(them, ProfileName.SPIFFE)
    await here.rule(trusted, sub=them.claims["sub"])
    return here, them


def refused(answer: Any, error: str = "invalid_grant", status: int = 400) -> bool:
    body = answer.json()
    assert body["error_description"] == "the presented token or proof does not verify", body
    return bool((answer.status_code, body["error"]) == (status, error))


# -- AS-01, AS-04: shown again, and for too long


@pytest.mark.attack("AS-01")
async def test_an_assertion_is_used_once_on_every_node(uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(uow)
    text = them.assertion(here.now)
    assert (await here.bearer(text)).status_code == 200
    assert refused(await here.bearer(text))
    assert refused(await here.bearer(text, key=here.key("thief")))
    again = them.assertion(here.now, jti="github-again")
    assert (await here.bearer(again)).status_code == 200
    # The same number under another signature is the same assertion to whoever counts numbers.
    assert refused(await here.bearer(them.assertion(here.now, jti="github-again", run_id="6")))


@pytest.mark.twin("AS-01")
async def test_without_its_memory_it_would_be_used_twice(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(sqlite_uow)
    here.world.oauth.token._uow = Forgetful(sqlite_uow)
    text = them.assertion(here.now)
    assert (await here.bearer(text)).status_code == 200
    assert (await here.bearer(text)).status_code == 200


@pytest.mark.attack("AS-04")
@pytest.mark.parametrize(
    "changes",
    [
        {"exp": ABSENT},
        {"iat": ABSENT},
        {"exp": "later"},
        {"life": timedelta(minutes=16)},
        {"life": timedelta(days=365)},
        {"life": timedelta(seconds=0)},
        {"life": timedelta(seconds=-1)},
        {"ahead": timedelta(seconds=31)},
        {"nbf": 4_000_000_000},
    ],
)
async def test_an_assertion_without_end_or_with_a_far_one_is_refused(
    sqlite_uow: SqlUnitOfWork, changes: dict[str, Any]
) -> None:
    here, them = await pipelines(sqlite_uow)
    them.life = changes.pop("life", them.life)
    at = here.now + changes.pop("ahead", timedelta(0))
    assert refused(await here.bearer(them.assertion(at, **changes)))


# -- AS-02: for somebody else


@pytest.mark.attack("AS-02", "AS-09", "JW-15")
@pytest.mark.spec("RFC 10070", "4")
@pytest.mark.parametrize(
    "audience",
    [
        f"{ISSUER}/token",
        f"{ISSUER}/",
        ISSUER.upper(),
        "https://kubernetes.default.svc",
        "sts.amazonaws.com",
        [ISSUER, "https://other.example"],
        [ISSUER, ISSUER],
        [],
        "",
        ABSENT,
        None,
    ],
)
async def test_an_assertion_for_another_audience_is_refused(sqlite_uow: SqlUnitOfWork, audience: Any) -> None:
    here, them = await pods(sqlite_uow)
    assert refused(await here.bearer(them.assertion(here.now, aud=audience)))
    assert (await here.bearer(them.assertion(here.now, aud=[ISSUER]))).status_code == 200


# -- AS-05: by another way than its own


@pytest.mark.attack("AS-05", "JW-24")
async def test_each_kind_of_assertion_comes_by_its_own_way(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(sqlite_uow)
    svids = domain()
    trusted = await here.trust(svids, ProfileName.SPIFFE, name="mesh")
    await here.rule(trusted, sub=svids.claims["sub"])
    own, world = await here.world.own_token("calendar-bot"), here.world
    # An SVID, a client's assertion, our own tokens: none is a grant.
    for text in (
        svids.assertion(here.now),
        world.assertion("calendar-bot"),
        own,
        world.envelope.split("~")[0],
    ):
        assert refused(await here.bearer(text))
    # A pipeline's assertion is no client's proof, neither as an SVID nor as `private_key_jwt`.
    text = them.assertion(here.now)
    assert refused(await here.svid(text), "invalid_client", 401)
    answer = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=text)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    # And no subject of an exchange.
    for kind in (ACCESS_TOKEN, TXN_TOKEN):
        answer = await world.exchange("calendar-bot", subject_token=text, subject_token_type=kind)
        assert answer.json()["error"] == "invalid_request"
    assert EXCHANGE != JWT_BEARER


@pytest.mark.attack("AS-05")
async def test_two_proofs_at_once_are_none(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(sqlite_uow)
    both = here.world.form("calendar-bot")
    for more in (both, {"client_secret": "s"}):
        answer = await here.bearer(them.assertion(here.now), **more)
        assert answer.json()["error"] == "invalid_request"
    answer = await here.bearer(them.assertion(here.now), headers=[("authorization", "Basic YTpi")])
    assert answer.json()["error"] == "invalid_request"


# -- AS-08: a bundle from before


@pytest.mark.attack("AS-08")
@pytest.mark.parametrize("sequence", [4, 0, None])
async def test_an_older_bundle_never_comes_back(uow: SqlUnitOfWork, sequence: int | None) -> None:
    here, them = await workloads(uow)
    fresh = domain("rotated")
    await here.service.pin("them", bundle(fresh, sequence=5), by=here.ana, at=here.now)
    with pytest.raises(KeysUnfit):
        await here.service.pin("them", bundle(them, sequence=sequence), by=here.ana, at=here.now)
    assert refused(await here.svid(them.assertion(here.now)), "invalid_client", 401)
    assert (await here.svid(fresh.assertion(here.now))).status_code == 200


@pytest.mark.attack("AS-08")
async def test_the_store_itself_keeps_the_newest(uow: SqlUnitOfWork) -> None:
    here, them = await workloads(uow)
    issuer, _, _ = await here.service.get("them")
    new, old = (
        keysets.read_keys(bundle(them, sequence=each), issuer.kind, issuer=issuer.id, at=here.now)
        for each in (9, 8)
    )
    assert await uow.commit(lambda tx: tx.issuer_keys.put(new))
    assert not await uow.commit(lambda tx: tx.issuer_keys.put(old))


class Unnumbered:
    """Keys of issuers, as a store would keep them that looks at no sequence."""

    def __init__(self, tx: Any) -> None:
        self._inner = tx.issuer_keys

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get(self, ident: Any) -> Any:
        found = self._inner.get(ident)
        return None if found is None else replace(found, sequence=None)

    def put(self, new: Any) -> bool:
        present = self._inner.get(new.issuer)
        return bool(self._inner.put(replace(new, sequence=(present.sequence or 0) + 1)))


@pytest.mark.twin("AS-08")
async def test_without_the_comparison_a_revoked_key_would_be_back(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await workloads(sqlite_uow)
    await here.service.pin("them", bundle(domain("rotated"), sequence=5), by=here.ana, at=here.now)
    assert refused(await here.svid(them.assertion(here.now)), "invalid_client", 401)
    careless = VeiledWork(sqlite_uow, issuer_keys=Unnumbered)
    here.service = service.FederationService(
        uow=careless, entropy=here.world.entropy, tenant=DEFAULT_TENANT, ours=OURS
    )
    await here.service.pin("them", bundle(them, sequence=4), by=here.ana, at=here.now)
    assert (await here.svid(them.assertion(here.now))).status_code == 200


@pytest.mark.spec("SPIFFE-Bundle", "4")
async def test_an_empty_bundle_revokes_everything(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await workloads(sqlite_uow)
    await here.service.pin("them", bundle(sequence=2), by=here.ana, at=here.now)
    assert refused(await here.svid(them.assertion(here.now)), "invalid_client", 401)


# -- AS-09: a cluster's tokens


@pytest.mark.attack("AS-09")
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "kubernetes/serviceaccount", "exp": ABSENT},
        {"exp": ABSENT},
        {"sub": "system:serviceaccount:agents:other"},
        {"sub": "system:serviceaccount:evil:calendar"},
        {"sub": "system:serviceaccount:agents:calendar:x"},
        {"kubernetes.io": ABSENT},
        {"kubernetes.io": {"namespace": "agents"}},
        {"kubernetes.io": {"namespace": "agents", "serviceaccount": {"name": "calendar", "uid": "sa-uid-2"}}},
        {
            "kubernetes.io": {
                "namespace": ["agents"],
                "serviceaccount": {"name": "calendar", "uid": "sa-uid-1"},
            }
        },
    ],
)
async def test_a_token_of_another_account_is_refused(
    sqlite_uow: SqlUnitOfWork, changes: dict[str, Any]
) -> None:
    here, them = await pods(sqlite_uow)
    assert refused(await here.bearer(them.assertion(here.now, **changes)))


@pytest.mark.attack("AS-09", "JW-21")
async def test_another_cluster_is_another_issuer(sqlite_uow: SqlUnitOfWork) -> None:
    here, _ = await pods(sqlite_uow)
    other = cluster("other cluster")
    assert refused(await here.bearer(other.assertion(here.now)))  # its keys, our issuer
    other.issuer = f"{CLUSTER[:-1]}0"
    assert refused(await here.bearer(other.assertion(here.now)))
    trusted = await here.trust(other, ProfileName.KUBERNETES, name="second")
    await here.rule(trusted, "mail-bot", sub=ACCOUNT)
    token = claims_in((await here.bearer(other.assertion(here.now))).json()["access_token"])
    assert token["dev.remit"]["agent"] == here.agent("mail-bot")


@pytest.mark.req("R2")
async def test_two_pods_of_one_account_are_two_instances(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await pods(sqlite_uow)
    subjects = set()
    for pod in ("pod-1", "pod-2"):
        inside = {**them.claims["kubernetes.io"], "pod": {"name": pod, "uid": pod}}
        answer = await here.bearer(them.assertion(here.now, **{"kubernetes.io": inside}), key=here.key(pod))
        subjects.add(claims_in(answer.json()["access_token"])["sub"])
    assert len(subjects) == 2


async def test_a_platforms_cached_token_may_be_shown_again_if_an_administrator_says_so(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    here, them = await pods(sqlite_uow, repeatable=True)
    text = them.assertion(here.now)
    tokens = [(await here.bearer(text)).json()["access_token"] for _ in range(2)]
    first, second = (claims_in(each) for each in tokens)
    assert first["client_id"] == second["client_id"]


# -- AS-10: whose repository, which event


@pytest.mark.attack("AS-10")
@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "repo:acme-evil/deploy:environment:production"},
        {"sub": "repo:acme/deploy-evil:environment:production"},
        {"sub": "repo:acme/deploy:environment:production2"},
        {"sub": "repo:acme/deploy:environment:production/x"},
        {"sub": "repo:acme/deploy:environment:Production"},
        {"sub": "repo:ACME/deploy:environment:production"},
        {"sub": " repo:acme/deploy:environment:production"},
        {"sub": "repo:acme/deploy:pull_request"},
        {"sub": "repo:acme/deploy:ref:refs/heads/main"},
        {"sub": [SUBJECT]},
        {"sub": ABSENT},
        {"event_name": "pull_request"},
        {"event_name": "pull_request_target"},
        {"event_name": "issue_comment"},
        {"event_name": "workflow_run"},
        {"event_name": ABSENT},
        {"repository": ABSENT},
    ],
)
async def test_a_pipeline_of_somebody_else_or_for_an_outsider_is_refused(
    sqlite_uow: SqlUnitOfWork, changes: dict[str, Any]
) -> None:
    here, them = await pipelines(sqlite_uow)
    assert refused(await here.bearer(them.assertion(here.now, **changes)))


@pytest.mark.attack("AS-10")
async def test_an_outsiders_event_counts_only_where_a_rule_names_it(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(sqlite_uow, sub="repo:acme/deploy:pull_request", event_name="pull_request")
    answer = await here.bearer(
        them.assertion(here.now, sub="repo:acme/deploy:pull_request", event_name="pull_request")
    )
    assert answer.status_code == 200


class Begins(Condition):
    """A condition that is fulfilled by whatever begins as it says."""

    def holds(self, value: str) -> bool:
        return value.startswith(self.pattern)


class ByBeginning:
    """The rules of issuers, each matched by its beginning."""

    def __init__(self, tx: Any) -> None:
        self._inner = tx.trust_rules

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def of_issuer(self, ident: Any) -> list[Any]:
        return [
            replace(rule, conditions=tuple(Begins(claim=c.claim, pattern=c.pattern) for c in rule.conditions))
            for rule in self._inner.of_issuer(ident)
        ]


@pytest.mark.twin("AS-10")
async def test_matched_by_its_beginning_an_evil_repository_would_be_the_agent(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    def careless(**parts: Any) -> OAuth:
        return OAuth.build(**{**parts, "uow": VeiledWork(sqlite_uow, trust_rules=ByBeginning)})

    here, them = await Federated(sqlite_uow, build=careless).populate(), github()
    trusted = await here.trust(them, ProfileName.GITHUB_ACTIONS)
    await here.rule(trusted, sub=SUBJECT)
    answer = await here.bearer(them.assertion(here.now, sub=f"{SUBJECT}-evil"))
    assert answer.status_code == 200, answer.text
    minted = claims_in(answer.json()["access_token"])["sub"]
    assert "/agent/calendar-bot/" in minted


@pytest.mark.attack("AS-10")
async def test_rules_for_two_agents_are_a_choice_that_we_never_make(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(sqlite_uow)
    issuer, _, _ = await here.service.get("them")
    await here.rule(issuer, "mail-bot", repository_id="1001", environment="production")
    assert refused(await here.bearer(them.assertion(here.now)))


# -- AS-14: discovery


@pytest.mark.attack("AS-14")
@pytest.mark.parametrize(
    "said",
    [
        {"issuer": f"{GITHUB}/"},
        {"issuer": "https://evil.example"},
        {"issuer": [GITHUB]},
        {"jwks_uri": "http://token.actions.githubusercontent.com/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": ["https://a.example/keys"]},
        {"jwks_uri": None},
    ],
)
async def test_a_discovery_document_of_another_issuer_is_refused(
    sqlite_uow: SqlUnitOfWork, said: dict[str, Any]
) -> None:
    here, them = await pipelines(sqlite_uow)
    document = {"issuer": GITHUB, "jwks_uri": f"{GITHUB}/keys", **said}
    here.pages.pages[f"{GITHUB}/.well-known/openid-configuration"] = json.dumps(document).encode()
    assert refused(await here.bearer(them.assertion(here.now)))


class Credulous(KeyRefresher):
    """Takes the keys of whoever answers."""

    def _discovered(self, raw: bytes, issuer: Any) -> str:
        return str(json.loads(raw)["jwks_uri"])


@pytest.mark.twin("AS-14")
async def test_without_the_comparison_another_issuers_keys_would_count(sqlite_uow: SqlUnitOfWork) -> None:
    here, evil = await Federated(sqlite_uow, refresher=Credulous).populate(), github("evil")
    trusted = await here.trust(evil, ProfileName.GITHUB_ACTIONS)
    await here.rule(trusted, sub=SUBJECT)
    document = {"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"}
    here.pages.pages[f"{GITHUB}/.well-known/openid-configuration"] = json.dumps(document).encode()
    here.pages.pages["https://evil.example/keys"] = evil.jwks()
    assert (await here.bearer(evil.assertion(here.now))).status_code == 200


# -- possession, kills, withdrawal


@pytest.mark.attack("DP-08")
async def test_a_stolen_assertion_needs_a_proof_of_some_key_and_gives_no_bearer_token(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    here, them = await pipelines(sqlite_uow)
    text = them.assertion(here.now)
    for proof in (ABSENT, "x.y.z", here.proof(here.key(), target=f"{ISSUER}/introspect")):
        answer = await here.bearer(text, proof=proof)
        assert answer.json()["error"] == "invalid_dpop_proof"
    forged = here.proof(here.key("a")).split(".")[0], *here.proof(here.key("b")).split(".")[1:]
    assert (await here.bearer(text, proof=".".join(forged))).json()["error"] == "invalid_dpop_proof"
    assert (await here.bearer(text)).status_code == 200


@pytest.mark.req("R7")
async def test_a_key_that_anybody_has_or_had_is_no_workloads_key(uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(uow)
    known = here.world.actors["mail-bot"].key
    assert refused(await here.bearer(them.assertion(here.now), key=known))
    assert (await here.bearer(them.assertion(here.now))).status_code == 200
    here.world.clock.advance(them.life)
    await here.service.end_due(by=here.ana, at=here.now, limit=10)
    assert refused(await here.bearer(them.assertion(here.now)))
    assert (await here.bearer(them.assertion(here.now), key=here.key("new"))).status_code == 200


@pytest.mark.promise("P12")
@pytest.mark.req("R97")
async def test_what_was_stopped_is_not_back_by_the_same_proof(uow: SqlUnitOfWork) -> None:
    here, them = await workloads(uow)
    text = them.assertion(here.now)
    token = claims_in((await here.svid(text)).json()["access_token"])
    await here.world.identities.retire(token["client_id"], by=here.ana, because="test", at=here.now)
    for key in ("workload", "other"):
        assert refused(await here.svid(text, key=here.key(key)), "invalid_client", 401)
    assert refused(await here.svid(them.assertion(here.now), key=here.key("other")), "invalid_client", 401)
    here.world.clock.advance(them.life)
    assert (await here.svid(them.assertion(here.now), key=here.key("other"))).status_code == 200


@pytest.mark.promise("P1")
@pytest.mark.parametrize("how", ["rule", "issuer", "agent", "owner"])
async def test_withdrawn_trust_ends_what_came_by_it_and_lets_nothing_in(uow: SqlUnitOfWork, how: str) -> None:
    here, them = await pipelines(uow)
    token = (await here.bearer(them.assertion(here.now))).json()["access_token"]
    issuer, _, (rule,) = await here.service.get("them")
    match how:
        case "rule":
            await here.service.withdraw_rule(rule.id, by=here.ana, because="test", at=here.now)
        case "issuer":
            await here.service.distrust(issuer.id, by=here.ana, because="test", at=here.now)
        case "agent":
            await here.world.identities.suspend(here.agent(), by=here.ana, because="test", at=here.now)
        case _:
            await here.world.identities.suspend(here.ana, by=here.ana, because="test", at=here.now)
    held = await here.world.introspect("mail-bot", token)
    assert held.status_code == 401 or held.json() == {"active": False}
    answer = await here.bearer(them.assertion(here.now), key=here.key("new"))
    assert answer.json()["error"] in {"invalid_grant", "access_denied"}


async def test_an_issuance_judged_before_trust_was_withdrawn_leaves_nothing_behind(
    uow: SqlUnitOfWork,
) -> None:
    here, them = await pipelines(uow)
    await here.refresher.prepare(text := them.assertion(here.now), at=here.now)
    public = here.key().public

    def judge(tx: Any) -> admission.Admission:
        found = service.verify_in(tx, text, at=here.now)
        return admission.plan(tx, found, public, at=here.now, entropy=here.world.entropy)

    planned = await uow.read(judge)
    await here.service.withdraw_rule(planned.rule.id, by=here.ana, because="test", at=here.now)

    def work(tx: Any) -> None:
        admission.perform(tx, planned, at=here.now, entropy=here.world.entropy)

    with pytest.raises(Exception, match="not acceptable"):
        await uow.commit(work)
    assert await uow.read(lambda tx: tx.principals.get(planned.instance.id)) is None


@pytest.mark.attack("JW-21")
async def test_trust_is_one_tenants(store: OpenStore) -> None:
    here, _ = await pipelines(SqlUnitOfWork(store, tenant=TenantId("default")))
    other = SqlUnitOfWork(store, tenant=TenantId("other"))
    assert await other.read(lambda tx: tx.issuers.trusted(GITHUB)) is None
    assert await other.read(lambda tx: tx.issuers.all()) == []
    issuer, _, (rule,) = await here.service.get("them")
    assert await other.read(lambda tx: tx.trust_rules.get(rule.id)) is None
    assert await other.read(lambda tx: tx.issuer_keys.get(issuer.id)) is None


@pytest.mark.attack("JW-07")
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": f"{GITHUB}\0"},
        {"iss": "\0"},
        {"iss": "\ud800"},
        {"sub": "spiffe://a\0/b"},
        {"sub": f"{SUBJECT}\0"},
        {"jti": "a\0b"},
        {"environment": "production\0"},
    ],
)
async def test_a_name_that_no_store_can_hold_is_refused_on_each(
    uow: SqlUnitOfWork, changes: dict[str, Any]
) -> None:
    here, them = await pipelines(uow)
    assert refused(await here.bearer(them.assertion(here.now, **changes)))


# -- JW-22, JW-23: the issuer's keys


@pytest.mark.attack("JW-22")
async def test_random_kids_are_one_question_a_minute(uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(uow)
    assert (await here.bearer(them.assertion(here.now))).status_code == 200
    asked = len(here.pages.asked)
    for number in range(20):
        assert refused(await here.bearer(them.assertion(here.now, head={"kid": f"random-{number}"})))
    assert len(here.pages.asked) == asked
    here.world.clock.advance(61)
    for number in range(20):
        assert refused(await here.bearer(them.assertion(here.now, head={"kid": f"more-{number}"})))
    assert len(here.pages.asked) == asked + 2  # one round: the document and the set


class Eager(KeyRefresher):
    """Asks whenever it is asked."""

    async def _claimed(self, issuer: Any, at: Any) -> bool:
        return True


@pytest.mark.twin("JW-22")
async def test_without_the_pause_every_kid_would_be_a_question(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await Federated(sqlite_uow, refresher=Eager).populate(), github()
    trusted = await here.trust(them, ProfileName.GITHUB_ACTIONS)
    await here.rule(trusted, sub=SUBJECT)
    for number in range(5):
        await here.bearer(them.assertion(here.now, head={"kid": f"random-{number}"}))
    assert len(here.pages.asked) == 10


async def test_a_rotated_key_is_found_and_the_old_one_forgotten(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(sqlite_uow)
    assert (await here.bearer(them.assertion(here.now))).status_code == 200
    here.world.clock.advance(61)
    new = github("github rotated")
    new.kid = "k2"
    here.pages.serve(new)
    assert (await here.bearer(new.assertion(here.now), key=here.key("new"))).status_code == 200
    assert refused(await here.bearer(them.assertion(here.now), key=here.key("newer")))


async def test_an_outage_leaves_the_last_good_set_for_a_day(uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(uow)
    assert (await here.bearer(them.assertion(here.now))).status_code == 200
    here.pages.pages.clear()
    here.world.clock.advance(timedelta(hours=23))
    assert (await here.bearer(them.assertion(here.now), key=here.key("later"))).status_code == 200
    here.world.clock.advance(timedelta(hours=2))
    assert refused(await here.bearer(them.assertion(here.now), key=here.key("too late")))
    assert timedelta(minutes=1) == refresh.PAUSE


def poisoned(them: ForeignIssuer) -> dict[str, bytes]:
    one = them.jwk()
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": them.kid, "alg": "HS256"}
    return {
        "symmetric alone": json.dumps({"keys": [secret]}).encode(),
        "10,000 keys": json.dumps({"keys": [one] * 10_000}).encode(),
        "51 keys": json.dumps({"keys": [{**one, "kid": str(n)} for n in range(51)]}).encode(),
        "a kid twice": json.dumps({"keys": [one, one]}).encode(),
        "too large": json.dumps({"keys": [one], "x": "x" * (64 << 10)}).encode(),
        "no object": b"[]",
        "no JSON": b"\xff",
        "no keys": b"{}",
        "keys no list": b'{"keys":{}}',
        "empty": b'{"keys":[]}',
        "deep": b'{"keys":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "member twice": b'{"keys":[],"keys":[' + json.dumps(one).encode() + b"]}",
        "for encryption": json.dumps({"keys": [{**one, "use": "enc"}]}).encode(),
        "weak": json.dumps({"keys": [{**one, "e": "AQ"}]}).encode(),
    }


@pytest.mark.attack("JW-23", "JW-19", "JW-20")
async def test_a_poisoned_set_leaves_the_last_good_one(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(sqlite_uow)
    assert (await here.bearer(them.assertion(here.now))).status_code == 200
    for number, (name, raw) in enumerate(poisoned(them).items()):
        here.world.clock.advance(timedelta(hours=1, minutes=1))
        here.pages.serve(them, raw)
        answer = await here.bearer(them.assertion(here.now), key=here.key(f"pod {number}"))
        assert answer.status_code == 200, name
        if name == "a kid twice":
            here.pages.serve(them)  # a day must not pass without a good one
            here.world.clock.advance(timedelta(hours=1, minutes=1))
            assert (await here.bearer(them.assertion(here.now), key=here.key("between"))).status_code == 200


@pytest.mark.attack("JW-23", "JW-02")
async def test_a_symmetric_key_in_a_trusted_set_is_dropped(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(sqlite_uow)
    shared = {"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256"}
    here.pages.serve(them, json.dumps({"keys": [shared, them.jwk()]}).encode())
    assert (await here.bearer(them.assertion(here.now))).status_code == 200
    text = them.assertion(here.now, head={"kid": "shared", "alg": "HS256"})
    assert refused(await here.bearer(text))


@pytest.mark.attack("AS-05")
async def test_nobody_is_believed_before_an_administrator_says_so(sqlite_uow: SqlUnitOfWork) -> None:
    here = await Federated(sqlite_uow).populate()
    them = github()
    here.pages.serve(them)
    assert refused(await here.bearer(them.assertion(here.now)))
    assert here.pages.asked == []
    await here.trust(them, ProfileName.GITHUB_ACTIONS)
    assert refused(await here.bearer(them.assertion(here.now)))  # no rule


@pytest.mark.spec("RFC 7523", "3.1")
async def test_errors_of_the_grant_are_the_grants(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await pipelines(sqlite_uow)
    for form, error in (
        ({"scope": "remit.admin"}, "invalid_scope"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
        ({"audience": ISSUER}, "invalid_target"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"assertion": ABSENT}, "invalid_request"),
        ({"client_id": "somebody"}, "invalid_grant"),
    ):
        sent: dict[str, Any] = {"assertion": them.assertion(here.now), **form}
        answer = await here.bearer(**sent)
        assert (answer.status_code, answer.json()["error"]) == (400, error), form
    kinds = {each.actor for each in await here.world.records("authority.token.refused")}
    assert kinds == {here.agent()}
