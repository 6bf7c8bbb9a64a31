"""SPIFFE with the PyPI `spiffe` library on the other side: SVIDs both ways, X.509-SVIDs, the bundle."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from spiffe import JwtBundle, JwtSvid, TrustDomain, X509Bundle, X509Svid
from spiffe import SpiffeId as Theirs

from remit.identity.federation.errors import NotAnInstance, SvidRejected
from remit.identity.federation.keysets import read_keys
from remit.identity.federation.profiles import ProfileName, profile_of
from remit.identity.federation.svids import AudienceUnfit, SvidService, bundle_of, sign_svid
from remit.identity.federation.trust import IssuerId
from remit.identity.federation.x509_svid import validate_x509_svid
from remit.identity.spiffe import MalformedSpiffeId, SpiffeId, parse_spiffe_id
from remit.kernel.canonical import JsonObject, b64u_decode
from remit.kernel.ids import KeyId
from remit.kernel.jose import rotation
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.errors import KeyMisused
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState, Signer
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON
from support.federation import DOMAIN, Federated, domain
from support.jose import entropy_of, party, private_key
from support.oauth import ISSUER, TRUST_DOMAIN, World, claims_in
from support.svids import LEAF_KEY, MIDDLE, ROOT, SUBJECT, Authority, certificate, der, leaf

PEER = "https://peer.example"


class Keys:
    """Our keys in memory."""

    def __init__(self) -> None:
        self.party = party(KeyClass.JWT_SVID, issuer=ISSUER, algorithm=Algorithm.ES256)

    def signer(self, key_class: KeyClass) -> Signer:
        assert key_class is KeyClass.JWT_SVID
        return self.party.signer

    def records(self) -> Sequence[KeyRecord]:
        return [self.party.record, party(KeyClass.ACCESS_TOKEN).record]


def service(world: World, keys: Keys) -> SvidService:
    return SvidService(
        uow=world.uow,
        keys=keys,
        trust_domain=TRUST_DOMAIN,
        entropy=entropy_of("svids"),
        tenant=DEFAULT_TENANT,
    )


# -- those that we issue


@pytest.mark.spec("JWT-SVID", "2")
@pytest.mark.spec("SPIFFE-Bundle", "4")
@pytest.mark.req("R12", "R161")
async def test_a_peer_verifies_our_svid_by_our_bundle(world: World) -> None:
    keys, now = Keys(), datetime.now(UTC)  # theirs reads the machine's clock
    bot = world.actors["calendar-bot"]
    issued = await service(world, keys).issue(bot.principal.id, [PEER], key=bot.key.public.thumbprint, at=now)
    bundle = JwtBundle.parse(TrustDomain(TRUST_DOMAIN), json.dumps(bundle_of(keys.records())).encode())
    found = JwtSvid.parse_and_validate(issued.text, bundle, {PEER})
    assert str(found.spiffe_id) == issued.subject == f"spiffe://remit.example/agent/calendar-bot/{bot.id}"
    header = json.loads(b64u_decode(issued.text.split(".")[0]))
    assert header == {"alg": "ES256", "kid": keys.party.record.kid, "typ": "JWT"}
    assert set(claims_in(issued.text)) == {"sub", "aud", "iat", "exp"}
    with pytest.raises(Exception, match="udience"):
        JwtSvid.parse_and_validate(issued.text, bundle, {"https://other.example"})


@pytest.mark.spec("SPIFFE-Bundle", "4.1")
def test_the_bundle_shows_svid_keys_alone_without_algorithms() -> None:
    keys = Keys()
    shown = bundle_of(keys.records())
    (only,) = json.loads(json.dumps(shown))["keys"]
    assert set(only) == {"kty", "crv", "x", "y", "kid", "use"}
    assert (only["use"], shown["spiffe_refresh_hint"]) == ("jwt-svid", 300)
    read = read_keys(
        json.dumps(shown).encode(), profile_of(ProfileName.SPIFFE), issuer=IssuerId("i"), at=NOON
    )
    assert [key.algorithm for key in read.keys] == ["ES256"]


@pytest.mark.spec("SPIFFE-Bundle", "4.1.1")
def test_the_sequence_grows_with_every_step_of_every_key() -> None:
    rule, count = rotation.RotationRule(), 0

    def make(at: Any) -> KeyRecord:
        nonlocal count
        count += 1
        return KeyRecord(
            tenant=DEFAULT_TENANT,
            issuer=ISSUER,
            kid=KeyId(f"key_{count}"),
            key_class=KeyClass.JWT_SVID,
            public=private_key(count, Algorithm.ES256).public,
            state=KeyState.PENDING,
            not_before=at,
        )

    records: dict[str, KeyRecord] = {}
    at, last, changes = NOON, -1, 0
    seen: JsonObject = {}
    for _ in range(400):
        while (step := rotation.next_step(records.values(), at=at, rule=rule)) is not None:
            records |= {each.kid: each for each in rotation.apply(records.values(), step, make=make)}
            shown = bundle_of(records.values())
            assert shown["spiffe_sequence"] > last  # type: ignore[operator]  # a number
            last, changes = int(str(shown["spiffe_sequence"])), changes + (shown["keys"] != seen)
            seen = shown["keys"]  # type: ignore[assignment]  # compared alone
        at += timedelta(hours=12)
    assert changes > 10
    active = next(each for each in records.values() if each.state is KeyState.ACTIVE)
    records[active.kid] = rotation.compromise(active, at=at)
    assert int(str(bundle_of(records.values())["spiffe_sequence"])) > last


async def test_an_svid_is_for_a_living_instance_and_ends_with_its_key(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await Federated(sqlite_uow).populate(), domain()
    trusted = await here.trust(them, ProfileName.SPIFFE)
    await here.rule(trusted, sub=SUBJECT)
    them.life = timedelta(seconds=90)
    token = claims_in((await here.svid(them.assertion(here.now))).json()["access_token"])
    svids, thumb = service(here.world, Keys()), here.key().public.thumbprint
    issued = await svids.issue(token["client_id"], [PEER], key=thumb, at=here.now)
    assert issued.expires_at == here.now + timedelta(seconds=90)
    with pytest.raises(NotAnInstance):
        await svids.issue(here.ana, [PEER], key="", at=here.now)
    for audiences in ([], ["a"] * 9, ["a\nb"], [""]):
        with pytest.raises(AudienceUnfit):
            await svids.issue(token["client_id"], audiences, key=thumb, at=here.now)
    await here.service.distrust("them", by=here.ana, because="test", at=here.now)
    with pytest.raises(NotAnInstance):
        await svids.issue(token["client_id"], [PEER], key=thumb, at=here.now)
    assert len(await here.world.records("identity.svid.issued")) == 1


def test_no_other_class_of_key_signs_an_svid() -> None:
    signer = party(KeyClass.ACCESS_TOKEN, algorithm=Algorithm.ES256).signer
    with pytest.raises(KeyMisused):
        sign_svid("spiffe://a/b", [PEER], signer=signer, at=NOON, expires_at=NOON)


# -- those that others issue


@pytest.mark.spec("JWT-SVID", "4")
@pytest.mark.spec("draft-ietf-oauth-spiffe-client-auth", "3.1")
@pytest.mark.req("R12")
async def test_an_svid_that_the_library_accepts_authenticates_a_client(uow: SqlUnitOfWork) -> None:
    here, them = await Federated(uow).populate(), domain()
    trusted = await here.trust(them, ProfileName.SPIFFE)
    await here.rule(trusted, sub=f"{DOMAIN}/ns/*/sa/calendar")
    text = them.assertion(here.now, typ="JWT")
    JwtSvid.parse_insecure(them.assertion(here.now, exp=4_000_000_000), {ISSUER})
    first = await here.svid(text, client_id=SUBJECT)
    assert first.status_code == 200, first.text
    # Agents of the Workload API hand out the same SVID until it runs out: never one-time (JWT-SVID §5).
    again = await here.svid(text)
    one, two = (claims_in(each.json()["access_token"]) for each in (first, again))
    assert one["client_id"] == two["client_id"]
    assert one["jti"] != two["jti"]
    for header in ({"kid": "other"}, {"typ": "at+jwt"}, {"alg": "ES384"}):
        answer = await here.svid(them.assertion(here.now, head=header))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.spec("JWT-SVID", "4")
async def test_the_instance_goes_on_while_its_platform_renews_the_svid(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await Federated(sqlite_uow).populate(), domain()
    trusted = await here.trust(them, ProfileName.SPIFFE)
    await here.rule(trusted, sub=SUBJECT)
    idents = set()
    for _ in range(4):
        answer = await here.svid(them.assertion(here.now))
        idents.add(claims_in(answer.json()["access_token"])["client_id"])
        here.world.clock.advance(timedelta(minutes=4))
        assert await here.service.end_due(by=here.ana, at=here.now, limit=10) == 0
    assert len(idents) == 1
    here.world.clock.advance(timedelta(minutes=4))
    assert await here.service.end_due(by=here.ana, at=here.now, limit=10) == 1


# -- SPIFFE IDs


@pytest.mark.spec("SPIFFE-ID", "2")
def test_the_library_and_we_read_ids_alike() -> None:
    for text in (
        SUBJECT,
        "spiffe://a",
        "spiffe://a/b",
        "spiffe://a.b-c_d/e.f-g_h",
        "spiffe://a/" + "b" * 2000,
    ):
        assert str(parse_spiffe_id(text)) == str(Theirs(text)) == text
    for text in (
        "", "a", "spiffe://", "spiffe:///a", "http://a/b", "spiffe://a/", "spiffe://a//b", "spiffe://a/./b",
        "spiffe://a/../b", "spiffe://a/b%20c", "spiffe://a/b c", "spiffe://a:1/b", "spiffe://u@a/b",
        "spiffe://a/b?c", "spiffe://a/b#c", "spiffe://a/ß",
    ):  # fmt: skip
        with pytest.raises(MalformedSpiffeId):
            parse_spiffe_id(text)
        with pytest.raises(Exception, match=""):  # noqa: PT011 — theirs are of several kinds
            Theirs(text)
    assert parse_spiffe_id(SUBJECT) == SpiffeId(trust_domain="prod.example.com", path="ns/agents/sa/calendar")
    with pytest.raises(MalformedSpiffeId):
        parse_spiffe_id("spiffe://a/" + "b" * 2048)


# -- X.509-SVIDs


def judged(chain: Sequence[x509.Certificate], *roots: x509.Certificate) -> SpiffeId:
    return validate_x509_svid(
        [der(each) for each in chain],
        authorities=[der(each) for each in roots or (ROOT.certificate,)],
        trust_domain="prod.example.com",
        at=NOON,
    )


@pytest.mark.spec("X509-SVID", "5.2")
def test_a_chain_that_the_library_accepts_names_its_workload() -> None:
    chain = [leaf(), MIDDLE.certificate]
    theirs = X509Svid.parse_raw(
        b"".join(der(each) for each in chain),
        LEAF_KEY.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    assert str(judged(chain)) == str(theirs.spiffe_id) == SUBJECT
    bundle = X509Bundle.parse_raw(TrustDomain("prod.example.com"), der(ROOT.certificate))
    assert len(bundle.x509_authorities) == 1
    assert str(judged([leaf(ROOT)])) == SUBJECT


@pytest.mark.attack("AS-07")
@pytest.mark.spec("X509-SVID", "2", "4")
@pytest.mark.parametrize(
    ("reason", "chain"),
    [
        ("uri_count", lambda: [leaf(uris=(SUBJECT, f"{DOMAIN}/other")), MIDDLE.certificate]),
        ("uri_count", lambda: [leaf(uris=(SUBJECT, "https://prod.example.com")), MIDDLE.certificate]),
        ("uri_count", lambda: [leaf(names=False), MIDDLE.certificate]),
        ("uri_malformed", lambda: [leaf(uris=("https://prod.example.com/a",)), MIDDLE.certificate]),
        ("wrong_trust_domain", lambda: [leaf(uris=("spiffe://evil.example/a",)), MIDDLE.certificate]),
        ("leaf_without_path", lambda: [leaf(uris=(DOMAIN,)), MIDDLE.certificate]),
        ("leaf_is_authority", lambda: [leaf(ca=True), MIDDLE.certificate]),
        ("leaf_usage", lambda: [leaf(usage="certify"), MIDDLE.certificate]),
        ("leaf_usage", lambda: [leaf(usage="none"), MIDDLE.certificate]),
        ("expired", lambda: [leaf(until=timedelta(seconds=-1)), MIDDLE.certificate]),
        ("critical_extension", lambda: [leaf(critical=True), MIDDLE.certificate]),
        ("not_anchored", lambda: [leaf()]),
        ("not_anchored", lambda: [leaf(Authority("middle", Authority("root")))]),
        ("bad_signature", lambda: [leaf(Authority("middle", ROOT)), MIDDLE.certificate]),
        ("bad_signature", lambda: [leaf(), MIDDLE.certificate, MIDDLE.certificate]),
        ("chain_size", list),
        ("chain_size", lambda: [leaf(), *[MIDDLE.certificate] * 5]),
    ],
)
def test_a_chain_that_breaks_a_rule_is_refused(reason: str, chain: Any) -> None:
    with pytest.raises(SvidRejected) as caught:
        judged(chain())
    assert caught.value.reason == reason


@pytest.mark.attack("AS-07")
def test_an_intermediate_that_is_none_or_is_over_is_refused() -> None:
    impostor = Authority("middle", ROOT)
    impostor.certificate = certificate(impostor.name, impostor.key.public_key(), ROOT, uris=[SUBJECT])
    short = Authority("short", ROOT, length=0)
    below = Authority("below", short)
    for reason, chain in (
        ("not_an_authority", [leaf(impostor), impostor.certificate]),
        ("expired", [leaf(old := Authority("old", ROOT, until=timedelta(seconds=-5))), old.certificate]),
        ("authority_usage", [leaf(mute := Authority("mute", ROOT, usage="sign")), mute.certificate]),
        ("authority_with_path", [leaf(named := Authority("named", ROOT, uris=[SUBJECT])), named.certificate]),
        ("path_length", [leaf(below), below.certificate, short.certificate]),
    ):
        with pytest.raises(SvidRejected) as caught:
            judged(chain)
        assert caught.value.reason == reason
    assert str(judged([leaf(short), short.certificate])) == SUBJECT


@pytest.mark.attack("AS-07")
def test_an_empty_bundle_and_hostile_bytes_anchor_nothing() -> None:
    for chain, roots in (([der(leaf(ROOT))], []), ([b""], [der(ROOT.certificate)]), ([b"\x30\x82"], [])):
        with pytest.raises(SvidRejected):
            validate_x509_svid(chain, authorities=roots, trust_domain="prod.example.com", at=NOON)
    whole = der(leaf(ROOT))
    for cut in range(0, len(whole), 37):
        broken = whole[:cut] + bytes([whole[cut] ^ 1]) + whole[cut + 1 :]
        with pytest.raises(SvidRejected):
            validate_x509_svid(
                [broken], authorities=[der(ROOT.certificate)], trust_domain="prod.example.com", at=NOON
            )
