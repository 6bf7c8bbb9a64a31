"""Claims tables, conditions and rules: nothing is matched by its beginning, nothing unproven is stored."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.identity.federation.claims import Need
from remit.identity.federation.conditions import Condition, check_condition
from remit.identity.federation.errors import IssuerAlike, IssuerUnfit, RuleProvesNothing, RuleUnfit
from remit.identity.federation.profiles import ProfileName, profile_of
from remit.identity.federation.registering import Ours, StatedIssuer, draw_up
from remit.identity.federation.rules import check_rule
from remit.identity.federation.trust import IssuerId, TrustedIssuer
from remit.kernel.ids import PrincipalId, TenantId
from support.clock import NOON

OURS = Ours(issuer="https://remit.example", trust_domain="remit.example", saml=True)
EXAMPLES = {
    ProfileName.SPIFFE: ("spiffe://prod.example.com", {"sub": "spiffe://prod.example.com/ns/a/sa/b"}),
    ProfileName.KUBERNETES: ("https://k8s.example.com", {"sub": "system:serviceaccount:agents:calendar"}),
    ProfileName.GITHUB_ACTIONS: (
        "https://token.actions.githubusercontent.com",
        {"sub": "repo:acme/deploy:environment:production"},
    ),
    ProfileName.GITLAB: ("https://gitlab.com", {"project_id": "7", "ref": "main"}),
    ProfileName.AWS: (
        "https://abc123.tokens.sts.global.api.aws",
        {"sub": "arn:aws:iam::123456789012:role/Data"},
    ),
    ProfileName.GOOGLE_CLOUD: ("https://accounts.google.com", {"sub": "1145"}),
    ProfileName.AZURE: (
        "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
        {"oid": "0000"},
    ),
    ProfileName.SAML: ("urn:example:idp", {"sub": "urn:workload:calendar"}),
    ProfileName.GENERIC_OIDC: ("https://issuer.example.com/a", {"sub": "job-1"}),
}


def stated(profile: ProfileName, **changes: object) -> StatedIssuer:
    fetched = {ProfileName.SPIFFE, ProfileName.SAML}
    address = "https://bundles.example.com/b" if profile in fetched else ""
    made = StatedIssuer(name="them", profile=profile, issuer=EXAMPLES[profile][0], address=address)
    return replace(made, **changes)  # type: ignore[arg-type]  # tests change any field


def drawn(stated: StatedIssuer, *known: TrustedIssuer) -> TrustedIssuer:
    return draw_up(
        stated,
        ident=IssuerId("iss_1"),
        tenant=TenantId("default"),
        by=PrincipalId("usr_1"),
        at=NOON,
        ours=OURS,
        known=known,
    )


def conditions(**said: str) -> list[Condition]:
    return [Condition(claim=name.replace("__", "."), pattern=value) for name, value in said.items()]


@pytest.mark.req("R12", "R161")
@pytest.mark.parametrize("profile", list(ProfileName))
def test_every_kind_of_issuer_can_be_trusted_with_a_rule(profile: ProfileName) -> None:
    issuer = drawn(stated(profile))
    said = [Condition(claim=name, pattern=value) for name, value in EXAMPLES[profile][1].items()]
    check_rule(said, issuer)


@pytest.mark.attack("AS-10")
@pytest.mark.parametrize("profile", list(ProfileName))
def test_a_rule_without_a_condition_that_proves_something_is_refused(profile: ProfileName) -> None:
    issuer = drawn(stated(profile))
    with pytest.raises(RuleProvesNothing):
        check_rule([], issuer)
    loose = {row.name for row in profile_of(profile).table if row.need is not Need.IGNORED}
    for proof in profile_of(profile).proofs:
        loose -= proof
    with pytest.raises(RuleProvesNothing):
        check_rule([Condition(claim=name, pattern="x") for name in sorted(loose)[:16]], issuer)


@pytest.mark.attack("AS-10")
@pytest.mark.parametrize("profile", list(ProfileName))
def test_a_rule_can_not_name_what_the_workload_chooses(profile: ProfileName) -> None:
    issuer = drawn(stated(profile))
    fit = [Condition(claim=name, pattern=value) for name, value in EXAMPLES[profile][1].items()]
    ignored = [row.name for row in profile_of(profile).table if row.need is Need.IGNORED]
    for name in (*ignored, "nonsense"):
        with pytest.raises(RuleUnfit):
            check_rule([*fit, Condition(claim=name, pattern="x")], issuer)


@pytest.mark.attack("AS-10")
@pytest.mark.parametrize(
    "pattern",
    [
        "repo:acme/*",
        "repo:acme*",
        "repo:*",
        "*",
        "repo:acme/*:environment:production",
        "repo:*/deploy:environment:production",
        "repo:acme/deploy:*",
        "repo:acme/deploy:ref:refs/tags/*",
        "repo:acme/deploy:ref:refs/heads/*",
        "repo:acme/deploy:environment:prod*",
        "repo:acme/deploy:environment:*:job",
        "repo:acme/deploy:*:production",
    ],
)
def test_no_pattern_leaves_open_whose_repository_or_which_branch(pattern: str) -> None:
    with pytest.raises(RuleUnfit):
        check_rule(conditions(sub=pattern), drawn(stated(ProfileName.GITHUB_ACTIONS)))


def test_a_wildcard_stands_where_the_issuer_decides() -> None:
    check_rule(conditions(sub="repo:acme/deploy:environment:*"), drawn(stated(ProfileName.GITHUB_ACTIONS)))
    check_rule(conditions(sub="system:serviceaccount:agents:*"), drawn(stated(ProfileName.KUBERNETES)))
    spiffe = drawn(stated(ProfileName.SPIFFE))
    check_rule(conditions(sub="spiffe://prod.example.com/ns/*/sa/calendar"), spiffe)
    with pytest.raises(RuleUnfit):
        check_rule(conditions(sub="system:serviceaccount:*:calendar"), drawn(stated(ProfileName.KUBERNETES)))
    for outside in (
        "spiffe://prod.example.com.evil/ns/a",
        "spiffe://*/ns/a/b",
        "spiffe://prod.example.com/*",
    ):
        with pytest.raises(RuleUnfit):
            check_rule(conditions(sub=outside), spiffe)


def test_entities_without_an_address_are_told_apart_by_their_names() -> None:
    first = drawn(stated(ProfileName.SAML))
    second = drawn(stated(ProfileName.SAML, issuer="urn:example:other", name="other"), first)
    assert second.recipient == f"{OURS.issuer}/token"
    for alike in ("URN:example:idp", "urn:example:idp/"):
        with pytest.raises(IssuerAlike):
            drawn(stated(ProfileName.SAML, issuer=alike, name="other"), first)


SEGMENT = st.text("abAB0.-_", min_size=1, max_size=6)
VALUE = st.lists(st.tuples(SEGMENT, st.sampled_from(":/@")), min_size=1, max_size=6).map(
    lambda parts: "".join(segment + cut for segment, cut in parts)[:-1]
)


def by_regex(pattern: str, value: str) -> bool:
    """The slow obvious reading: each `*` is one run without a cut."""
    text = "".join("[^:/@]+" if each == "*" else re.escape(each) for each in re.split(r"([:/@])", pattern))
    return bool(value) and re.fullmatch(text, value) is not None


@pytest.mark.attack("AS-10")
@given(VALUE, VALUE, st.data())
def test_matching_is_what_the_obvious_reading_says(one: str, other: str, data: st.DataObject) -> None:
    segments = re.split(r"([:/@])", one)
    wild = data.draw(st.sets(st.sampled_from(range(0, len(segments), 2)), max_size=3))
    pattern = "".join("*" if index in wild else each for index, each in enumerate(segments))
    for value in (one, other, one + "x", "x" + one, one + "/x", ""):
        assert Condition(claim="sub", pattern=pattern).holds(value) == by_regex(pattern, value)


def test_conditions_hold_their_form() -> None:
    row = profile_of(ProfileName.GENERIC_OIDC).table[0]
    for pattern in ("", "a" * 513, "a\nb", "a*", "a/*"):
        with pytest.raises(RuleUnfit):
            check_condition(Condition(claim="sub", pattern=pattern), row)
    check_condition(Condition(claim="sub", pattern="a" * 512), row)


@pytest.mark.attack("AS-14")
@pytest.mark.parametrize(
    ("profile", "issuer"),
    [
        (ProfileName.GENERIC_OIDC, "http://issuer.example.com"),
        (ProfileName.GENERIC_OIDC, "https://user@issuer.example.com"),
        (ProfileName.GENERIC_OIDC, "https://issuer.example.com?x=1"),
        (ProfileName.GENERIC_OIDC, "https://issuer.example.com#f"),
        (ProfileName.GENERIC_OIDC, "ftp://issuer.example.com"),
        (ProfileName.GENERIC_OIDC, ""),
        (ProfileName.GOOGLE_CLOUD, "https://accounts.google.com.evil.example"),
        (ProfileName.AWS, "https://abc.tokens.sts.global.api.aws.evil.example"),
        (ProfileName.AZURE, "https://login.microsoftonline.com/common/v2.0"),
        (ProfileName.AZURE, "https://login.microsoftonline.com/organizations/v2.0"),
        (ProfileName.SPIFFE, "spiffe://prod.example.com/path"),
        (ProfileName.SPIFFE, "spiffe://PROD.example.com"),
    ],
)
def test_an_address_that_is_no_issuer_of_the_kind_is_refused(profile: ProfileName, issuer: str) -> None:
    with pytest.raises(IssuerUnfit):
        drawn(stated(profile, issuer=issuer))


def test_we_never_trust_ourselves_nor_a_look_alike() -> None:
    known = drawn(stated(ProfileName.GENERIC_OIDC))
    for alike in (known.issuer + "/", known.issuer.replace("issuer", "ISSUER")):
        with pytest.raises(IssuerAlike):
            drawn(stated(ProfileName.GENERIC_OIDC, issuer=alike), known)
    for ours in ("https://remit.example", "https://REMIT.example/"):
        with pytest.raises(IssuerAlike):
            drawn(stated(ProfileName.GENERIC_OIDC, issuer=ours))
    with pytest.raises(IssuerAlike):
        drawn(stated(ProfileName.SPIFFE, issuer="spiffe://remit.example"))


def test_audience_life_and_repetition_are_the_profiles_to_bound() -> None:
    for unfit in (
        stated(ProfileName.GENERIC_OIDC, audience="https://other.example"),
        stated(ProfileName.GENERIC_OIDC, longest=timedelta(seconds=59)),
        stated(ProfileName.GENERIC_OIDC, longest=timedelta(seconds=3601)),
        stated(ProfileName.GITHUB_ACTIONS, repeatable=True),
        stated(ProfileName.GENERIC_OIDC, address="https://a.example/k", keys=b"{}"),
        stated(ProfileName.SPIFFE, address=""),
        stated(ProfileName.GENERIC_OIDC, address="http://a.example/k"),
    ):
        with pytest.raises(IssuerUnfit):
            drawn(unfit)
    assert drawn(stated(ProfileName.AZURE, audience="api://remit")).audience == "api://remit"
    assert drawn(stated(ProfileName.GENERIC_OIDC, longest=timedelta(hours=1))).longest == timedelta(hours=1)
    assert drawn(stated(ProfileName.SPIFFE)).repeatable
