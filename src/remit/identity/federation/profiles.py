"""Profiles of issuers: what each kind of issuer's assertions hold, and what proves which workload.

The claims tables follow the issuers' own documents. A claim that is in no table counts as ignored.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from remit.identity.federation.claims import Claim, Need, claim
from remit.kernel.jose.algorithms import Algorithm


class ProfileName(StrEnum):
    """The kinds of issuers that we know how to read."""

    SPIFFE = "spiffe"
    KUBERNETES = "kubernetes"
    GITHUB_ACTIONS = "github-actions"
    GITLAB = "gitlab"
    AWS = "aws"
    GOOGLE_CLOUD = "google-cloud"
    AZURE = "azure"
    GENERIC_OIDC = "generic-oidc"
    SAML = "saml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Values of a claim that are refused unless a rule names that claim itself (AS-10)."""

    claim: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What assertions of one kind of issuer look like.

    `proofs`: a rule must name every claim of at least one of these sets, or it proves nothing.
    `longest` is the ceiling of an assertion's life, `usual` what an issuer gets if nobody says otherwise.
    """

    name: ProfileName
    issuers: re.Pattern[str]
    issuer_example: str
    table: tuple[Claim, ...]
    proofs: tuple[frozenset[str], ...]
    algorithms: frozenset[Algorithm]
    longest: timedelta
    usual: timedelta
    guards: tuple[Guard, ...] = ()
    types: frozenset[str] = frozenset({"jwt", ""})
    """`typ` of the header, lower-case; the empty one: absent."""
    beside: frozenset[str] = frozenset()
    """Header members that the issuer adds, and that we read nothing from."""
    repeatable: bool = False
    """Whether an administrator may let an assertion be shown again until it ends: the platform caches it."""
    free_audience: bool = False
    """COMPAT: the platform does not let a workload choose our issuer as audience."""

    open_names: str = ""
    """Beginning of the names of claims that the issuer's administrator defines, each one optional."""

    def row(self, name: str) -> Claim | None:
        """The row of a claim, by the name that rules use."""
        if self.open_names and len(name) > len(self.open_names) and name.startswith(self.open_names):
            return claim(name, Need.OPTIONAL)
        return next((row for row in self.table if row.name == name), None)

    @property
    def rows(self) -> tuple[Claim, ...]:
        """The table as a person reads it: with a row for the names that are open."""
        return (*self.table, *((claim(f"{self.open_names}NAME", Need.OPTIONAL),) if self.open_names else ()))

    @property
    def ways(self) -> tuple[frozenset[str], ...]:
        """The sets of which a rule must name one, as a person reads them."""
        return (*self.proofs, *((frozenset({f"{self.open_names}NAME"}),) if self.open_names else ()))

    def proves(self, named: frozenset[str]) -> bool:
        """Whether conditions on these claims pin a workload down."""
        named_openly = bool(self.open_names) and any(each.startswith(self.open_names) for each in named)
        return named_openly or any(proof <= named for proof in self.proofs)


def profile_of(name: ProfileName) -> Profile:
    """Give what assertions of such issuers look like."""
    return _PROFILES[name]


_MINUTES: Final = timedelta(minutes=1)
_HTTPS: Final = r"https://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?"
_URL: Final = re.compile(_HTTPS + r"(?:/[A-Za-z0-9._~/-]*)?")
_RSA: Final = frozenset({Algorithm.RS256})
_CLUSTER: Final = frozenset({Algorithm.RS256, Algorithm.ES256, Algorithm.ES384})
_SVID: Final = frozenset({Algorithm.RS256, Algorithm.PS256, Algorithm.ES256, Algorithm.ES384})
_AWS: Final = "https://sts.amazonaws.com/"

REQUIRED, OPTIONAL, IGNORED = Need.REQUIRED, Need.OPTIONAL, Need.IGNORED


def _rows(need: Need, *names: str) -> tuple[Claim, ...]:
    return tuple(claim(name, need) for name in names)


def _below(need: Need, *paths: tuple[str, ...], prefix: str) -> tuple[Claim, ...]:
    return tuple(claim(".".join((prefix, *path[1:])), need, path=path) for path in paths)


def _any_of(*sets: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(each.split()) for each in sets)


_OUTSIDERS: Final = frozenset({
    "pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment",
    "issue_comment", "issues", "discussion", "discussion_comment", "fork", "watch", "workflow_run",
})  # fmt: skip
"""Events of a repository that somebody without write access can cause."""

_PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile(  # JWT-SVID §3: `iss` means nothing, the trust domain of `sub` says whose keys count
            name=ProfileName.SPIFFE,
            issuers=re.compile(r"spiffe://[a-z0-9._-]{1,255}"),
            issuer_example="spiffe://prod.example.com",
            table=(
                claim("sub", REQUIRED, shapes=("spiffe://!/!/…",)),
                *_rows(IGNORED, "iss", "jti", "iat"),
            ),
            proofs=_any_of("sub"),
            algorithms=_SVID,
            longest=60 * _MINUTES,
            usual=60 * _MINUTES,
            types=frozenset({"jwt", "jose", ""}),
            repeatable=True,
        ),
        Profile(  # bound service account tokens: `kubernetes.io` holds whom the token is bound to
            name=ProfileName.KUBERNETES,
            issuers=_URL,
            issuer_example="https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF",
            table=(
                claim("sub", REQUIRED, shapes=("system:serviceaccount:!:?",)),
                *_below(
                    REQUIRED,
                    ("kubernetes.io", "namespace"),
                    ("kubernetes.io", "serviceaccount", "name"),
                    ("kubernetes.io", "serviceaccount", "uid"),
                    prefix="kubernetes",
                ),
                *_below(
                    OPTIONAL,
                    ("kubernetes.io", "pod", "name"),
                    ("kubernetes.io", "pod", "uid"),
                    ("kubernetes.io", "node", "name"),
                    prefix="kubernetes",
                ),
                *_rows(IGNORED, "jti", "nbf"),
            ),
            proofs=_any_of(
                "sub", "kubernetes.serviceaccount.uid", "kubernetes.namespace kubernetes.serviceaccount.name"
            ),
            algorithms=_CLUSTER,
            longest=60 * _MINUTES,
            usual=60 * _MINUTES,
            repeatable=True,
        ),
        Profile(
            name=ProfileName.GITHUB_ACTIONS,
            issuers=_URL,
            issuer_example="https://token.actions.githubusercontent.com",
            table=(
                claim("sub", REQUIRED, shapes=("repo:!/!:environment:?",)),
                *_rows(
                    REQUIRED,
                    "repository",
                    "repository_id",
                    "repository_owner",
                    "repository_owner_id",
                    "event_name",
                ),
                *_rows(
                    OPTIONAL,
                    "ref",
                    "ref_type",
                    "ref_protected",
                    "environment",
                    "workflow_ref",
                    "job_workflow_ref",
                    "repository_visibility",
                    "runner_environment",
                ),
                *_rows(
                    IGNORED,
                    "actor",
                    "actor_id",
                    "workflow",
                    "head_ref",
                    "base_ref",
                    "run_id",
                    "run_number",
                    "run_attempt",
                    "sha",
                    "jti",
                ),
            ),
            proofs=_any_of(
                "sub",
                "repository ref",
                "repository environment",
                "repository_id ref",
                "repository_id environment",
            ),
            algorithms=_RSA,
            longest=15 * _MINUTES,
            usual=15 * _MINUTES,
            guards=(Guard(claim="event_name", values=_OUTSIDERS),),
            beside=frozenset({"x5t"}),
        ),
        Profile(
            name=ProfileName.GITLAB,
            issuers=_URL,
            issuer_example="https://gitlab.com",
            table=(
                claim("sub", REQUIRED),
                *_rows(
                    REQUIRED,
                    "project_id",
                    "project_path",
                    "namespace_id",
                    "namespace_path",
                    "pipeline_source",
                ),
                *_rows(
                    OPTIONAL,
                    "ref",
                    "ref_type",
                    "ref_path",
                    "ref_protected",
                    "environment",
                    "environment_protected",
                    "deployment_tier",
                    "ci_config_ref_uri",
                    "runner_environment",
                ),
                *_rows(
                    IGNORED,
                    "user_id",
                    "user_login",
                    "user_email",
                    "pipeline_id",
                    "job_id",
                    "sha",
                    "jti",
                ),
            ),
            proofs=_any_of(
                "sub",
                "project_id ref",
                "project_path ref",
                "project_id environment",
                "project_path environment",
            ),
            algorithms=_RSA,
            longest=60 * _MINUTES,
            usual=60 * _MINUTES,
            guards=(
                Guard(
                    claim="pipeline_source",
                    values=frozenset({"merge_request_event", "external_pull_request_event"}),
                ),
            ),
        ),
        Profile(  # `sts:GetWebIdentityToken`: a token, so no signed request is ever forwarded (AS-11)
            name=ProfileName.AWS,
            issuers=re.compile(r"https://[a-z0-9-]{1,63}\.tokens\.sts\.global\.api\.aws"),
            issuer_example="https://abc123-def456.tokens.sts.global.api.aws",
            table=(
                claim("sub", REQUIRED),
                claim("aws.account", REQUIRED, path=(_AWS, "aws_account")),
                claim("aws.org_id", OPTIONAL, path=(_AWS, "org_id")),
                claim("aws.source_region", OPTIONAL, path=(_AWS, "source_region")),
                claim("aws.lambda_function", OPTIONAL, path=(_AWS, "lambda_source_function_arn")),
                claim("aws.ec2_instance", OPTIONAL, path=(_AWS, "ec2_instance_source_arn")),
                claim("aws.request_tags", IGNORED, path=(_AWS, "request_tags")),
                *_rows(IGNORED, "jti"),
            ),
            proofs=_any_of("sub"),
            algorithms=frozenset({Algorithm.RS256, Algorithm.ES384}),
            longest=60 * _MINUTES,
            usual=15 * _MINUTES,
        ),
        Profile(
            name=ProfileName.GOOGLE_CLOUD,
            issuers=re.compile(r"https://accounts\.google\.com"),
            issuer_example="https://accounts.google.com",
            table=(
                *_rows(REQUIRED, "sub", "azp"),
                *_rows(OPTIONAL, "email"),
                *_below(
                    OPTIONAL,
                    ("google", "compute_engine", "project_id"),
                    ("google", "compute_engine", "project_number"),
                    ("google", "compute_engine", "zone"),
                    ("google", "compute_engine", "instance_id"),
                    prefix="google",
                ),
                *_rows(IGNORED, "email_verified"),
            ),
            # `sub` is the account's own number; an address can be deleted and given to somebody else.
            proofs=_any_of("sub"),
            algorithms=_RSA,
            longest=60 * _MINUTES,
            usual=60 * _MINUTES,
            repeatable=True,
        ),
        Profile(
            name=ProfileName.AZURE,
            # The address names one tenant of Entra: `common` and `organizations` would be all of them.
            issuers=re.compile(
                r"https://(?:login\.microsoftonline\.com/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/v2\.0"
                r"|sts\.windows\.net/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/)"
            ),
            issuer_example="https://login.microsoftonline.com/TENANT-GUID/v2.0",
            table=(
                *_rows(REQUIRED, "sub", "oid", "tid"),
                *_rows(OPTIONAL, "azp", "appid", "idtyp", "xms_mirid", "xms_az_rid"),
                *_rows(IGNORED, "name", "upn", "email", "preferred_username", "roles", "groups", "uti"),
            ),
            proofs=_any_of("oid", "sub"),
            algorithms=_RSA,
            longest=timedelta(hours=25),  # tokens of managed identities live up to 24 h
            usual=timedelta(hours=25),
            beside=frozenset({"x5t"}),
            repeatable=True,
            free_audience=True,
        ),
        Profile(
            name=ProfileName.GENERIC_OIDC,
            issuers=_URL,
            issuer_example="https://issuer.example.com",
            table=(
                *_rows(REQUIRED, "sub"),
                *_rows(OPTIONAL, "azp", "client_id", "environment", "namespace"),
                *_rows(IGNORED, "jti", "email", "name"),
            ),
            proofs=_any_of("sub"),
            algorithms=frozenset(Algorithm),
            longest=60 * _MINUTES,
            usual=5 * _MINUTES,
        ),
        Profile(  # RFC 7522: XML, so of the JOSE part nothing holds: no type, no algorithm of ours
            name=ProfileName.SAML,
            issuers=re.compile(r"[!-~]{1,1024}"),
            issuer_example="https://idp.example.com/entity",
            table=(
                *_rows(REQUIRED, "sub"),
                *_rows(OPTIONAL, "name_format", "authn_context"),
            ),
            proofs=_any_of("sub"),
            algorithms=frozenset(),
            longest=90 * _MINUTES,
            usual=60 * _MINUTES,
            types=frozenset(),
            open_names="attribute.",
        ),
    )
}
