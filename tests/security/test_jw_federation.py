"""JW: the negative JOSE corpus against assertions and SVIDs of trusted issuers; nothing is accepted."""

from dataclasses import replace

import pytest

from remit.identity.federation.assertion import verify_assertion
from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.keysets import read_keys
from remit.identity.federation.profiles import ProfileName
from remit.identity.federation.registering import StatedIssuer, draw_up
from remit.identity.federation.trust import IssuerId, KeySet, TrustedIssuer
from remit.kernel.ids import PrincipalId, TenantId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.jwk import parse_jwk
from remit.kernel.jose.keys import PrivateKey
from support.clock import NOON
from support.federation import OURS, ForeignIssuer, bundle, cluster, domain, github
from support.jose import private_key
from support.jw_corpus import Knowledge, Mutation, corpus
from support.oauth import ABSENT

KINDS = ("pipeline", "pod", "generic", "svid", "svid without kid")


def presented(kind: str) -> tuple[ForeignIssuer, TrustedIssuer, KeySet, str, Knowledge]:
    """An issuer, trusted, with its keys, a good assertion of it, and what the generator may use."""
    them, profile, lawful = _them(kind)
    stated = StatedIssuer(
        name="them",
        profile=profile,
        issuer=them.issuer,
        keys=bundle(them) if profile is ProfileName.SPIFFE else b"",
    )
    issuer = draw_up(
        stated,
        ident=IssuerId("iss_1"),
        tenant=TenantId("default"),
        by=PrincipalId("usr_1"),
        at=NOON,
        ours=OURS,
        known=(),
    )
    raw = bundle(them) if profile is ProfileName.SPIFFE else them.jwks()
    keys = read_keys(raw, issuer.kind, issuer=issuer.id, at=NOON)
    head = {"kid": ABSENT} if kind == "svid without kid" else {}
    known = Knowledge(
        owner=them.key,  # type: ignore[arg-type]  # an RSA key signs with the same face
        attacker=private_key("attacker", Algorithm.ES256),
        lawful_types=lawful,
        one_element_audience=True,
        nameless_key=profile is ProfileName.SPIFFE,
    )
    return them, issuer, keys, them.assertion(NOON, head=head), known


def _them(kind: str) -> tuple[ForeignIssuer, ProfileName, frozenset[str]]:
    plain = frozenset({"jwt", ""})
    match kind:
        case "pipeline":
            return github(), ProfileName.GITHUB_ACTIONS, plain
        case "pod":
            return cluster(), ProfileName.KUBERNETES, plain
        case "generic":
            them = replace(domain("generic"), issuer="https://issuer.example.com")
            them.claims = {"sub": "job-1"}
            return them, ProfileName.GENERIC_OIDC, plain
        case _:
            return domain(), ProfileName.SPIFFE, plain | {"jose"}


def harmless(kind: str, mutation: Mutation) -> bool:
    """What changes nothing that this class reads: our own reading of each, so that the list stays short."""
    if kind == "pipeline" and mutation.name == "{'x5t': 'AAAA'}":
        return True  # GitHub sends it, and nothing is read from it
    # JWT-SVID §3: `iss` means nothing there; the trust domain of `sub` does.
    return kind.startswith("svid") and mutation.attack == "JW-21" and mutation.name in {
        "iss 'https://other.example'", "iss '/'", "iss ''", "iss absent", "iss '/t/other'", "iss '\\x00'",
    }  # fmt: skip


@pytest.mark.attack(
    "JW-01", "JW-02", "JW-03", "JW-04", "JW-05", "JW-06", "JW-07", "JW-08", "JW-09", "JW-10", "JW-13",
    "JW-15", "JW-17", "JW-18", "JW-21",
)  # fmt: skip
@pytest.mark.parametrize("kind", KINDS)
def test_no_mutation_is_accepted(kind: str) -> None:
    them, issuer, keys, text, known = presented(kind)
    assert verify_assertion(text, issuer=issuer, keys=keys, at=NOON).issuer == issuer
    # The generator changes `kid` and `iss` where they are.
    if kind.startswith("svid"):
        text = them.assertion(NOON, iss="")
    accepted: list[str] = []
    count = 0
    for mutation in corpus(text, known):
        count += 1
        try:
            verify_assertion(mutation.token, issuer=issuer, keys=keys, at=NOON)
        except AssertionRejected:
            continue
        if not harmless(kind, mutation):
            accepted.append(f"{mutation.attack} {mutation.name}")
    assert accepted == []
    assert count > 200


@pytest.mark.attack("JW-03", "JW-12")
@pytest.mark.spec("JWT-SVID", "2.2")
def test_an_svid_of_ed25519_is_none() -> None:
    them = replace(domain(), key=private_key("edwards"))
    _, issuer, _, _, _ = presented("svid")
    keys = read_keys(bundle(them), issuer.kind, issuer=issuer.id, at=NOON)
    assert keys.keys == ()
    with pytest.raises(AssertionRejected):
        verify_assertion(them.assertion(NOON), issuer=issuer, keys=keys, at=NOON)


@pytest.mark.spec("JWT-SVID", "3.1")
@pytest.mark.parametrize(
    "subject",
    [
        "spiffe://prod.example.com",
        "spiffe://prod.example.com/",
        "spiffe://prod.example.com//a",
        "spiffe://prod.example.com/a/../b",
        "spiffe://prod.example.com/a/.",
        "spiffe://prod.example.com/a%2fb",
        "spiffe://prod.example.com/a?x",
        "spiffe://prod.example.com/a#x",
        "spiffe://prod.example.com:443/a",
        "spiffe://user@prod.example.com/a",
        "spiffe://PROD.example.com/a",
        "spiffe://prod.example.com.evil/a",
        "spiffe://other.example/a",
        "SPIFFE://prod.example.com/a",
        "prod.example.com/a",
        "spiffe://prod.example.com/ä",
    ],
)
def test_a_subject_that_is_no_workload_of_the_trust_domain_is_refused(subject: str) -> None:
    them, issuer, keys, _, _ = presented("svid")
    with pytest.raises(AssertionRejected):
        verify_assertion(them.assertion(NOON, sub=subject), issuer=issuer, keys=keys, at=NOON)


@pytest.mark.twin("JW-21")
def test_with_another_issuers_keys_its_assertions_would_hold() -> None:
    them, issuer, _, _, _ = presented("pipeline")
    evil = github("evil")
    theirs = read_keys(evil.jwks(), issuer.kind, issuer=issuer.id, at=NOON)
    assert verify_assertion(evil.assertion(NOON), issuer=issuer, keys=theirs, at=NOON).subject
    ours = read_keys(them.jwks(), issuer.kind, issuer=issuer.id, at=NOON)
    with pytest.raises(AssertionRejected):
        verify_assertion(evil.assertion(NOON), issuer=issuer, keys=ours, at=NOON)


def test_the_keys_of_the_tests_are_public_keys_like_others() -> None:
    them = github()
    assert parse_jwk(them.jwk()).thumbprint == them.key.public.thumbprint
    assert isinstance(domain().key, PrivateKey)
