"""One honest issuer of each kind that Remit knows, with the rule that pins its workload down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from remit.identity.federation.profiles import ProfileName
from support.federation import ForeignIssuer, RsaKey, cluster, domain, github, rsa_key
from support.jose import private_key
from support.oauth import ABSENT

STS: Final = "https://sts.amazonaws.com/"
ENTRA: Final = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How an honest issuer of a kind is made, what its rule says, and what it could say of others."""

    make: Callable[[str], ForeignIssuer]
    rule: Mapping[str, str]
    others: tuple[Mapping[str, Any], ...]
    """Claims of workloads that the rule does not name, one difference each."""
    audience: str = ""
    """Where the platform can't be told ours."""


def _rsa(name: str, issuer: str, claims: dict[str, Any], **more: Any) -> ForeignIssuer:
    return ForeignIssuer(issuer=issuer, key=RsaKey(rsa_key(name)), claims=claims, **more)


def gitlab(name: str = "gitlab") -> ForeignIssuer:
    claims = {
        "sub": "project_path:acme/site:ref_type:branch:ref:main",
        "project_id": "7",
        "project_path": "acme/site",
        "namespace_id": "3",
        "namespace_path": "acme",
        "pipeline_source": "push",
        "ref": "main",
        "ref_type": "branch",
        "ref_protected": "true",
    }
    return _rsa(name, "https://gitlab.com", claims)


def aws(name: str = "aws") -> ForeignIssuer:
    claims = {
        "sub": "arn:aws:iam::123456789012:role/Data",
        STS: {"aws_account": "123456789012", "org_id": "o-1", "source_region": "eu-west-1"},
    }
    return _rsa(name, "https://abc123.tokens.sts.global.api.aws", claims)


def google(name: str = "google") -> ForeignIssuer:
    claims = {"sub": "1145", "azp": "1145", "email": "bot@acme.iam.gserviceaccount.com", "jti": ABSENT}
    return _rsa(name, "https://accounts.google.com", claims)


def azure(name: str = "azure") -> ForeignIssuer:
    tenant = ENTRA.split("/")[3]
    claims = {"sub": "oid-1", "oid": "oid-1", "tid": tenant, "aud": "api://remit", "jti": ABSENT}
    return _rsa(name, ENTRA, claims, header={"x5t": "rRkKFZ1Zd8TX9Y5Y"})


def generic(name: str = "generic") -> ForeignIssuer:
    return ForeignIssuer(issuer="https://ci.example.com", key=private_key(name), claims={"sub": "job-1"})


def _pod(**changes: Any) -> dict[str, Any]:
    return {"kubernetes.io": {**cluster().claims["kubernetes.io"], **changes}}


KINDS: Final[dict[ProfileName, Kind]] = {
    ProfileName.SPIFFE: Kind(
        make=domain,
        rule={"sub": domain().claims["sub"]},
        others=(
            {"sub": f"{domain().issuer}/ns/agents/sa/mail"},
            {"sub": f"{domain().issuer}/ns/agents/sa/calendar/x"},
        ),
    ),
    ProfileName.KUBERNETES: Kind(
        make=cluster,
        rule={"sub": cluster().claims["sub"], "kubernetes__serviceaccount__uid": "sa-uid-1"},
        others=(
            {"sub": "system:serviceaccount:agents:mail"},
            _pod(serviceaccount={"name": "calendar", "uid": "sa-uid-2"}),
        ),
    ),
    ProfileName.GITHUB_ACTIONS: Kind(
        make=github,
        rule={"sub": github().claims["sub"], "repository_owner_id": "77"},
        others=(
            {"sub": "repo:acme/deploy:ref:refs/heads/main"},
            {"repository_owner_id": "78"},
            {"event_name": "pull_request"},
        ),
    ),
    ProfileName.GITLAB: Kind(
        make=gitlab,
        rule={"project_id": "7", "ref": "main", "ref_protected": "true"},
        others=({"project_id": "8"}, {"ref": "feature"}, {"pipeline_source": "merge_request_event"}),
    ),
    ProfileName.AWS: Kind(
        make=aws,
        rule={"sub": aws().claims["sub"], "aws__account": "123456789012"},
        others=(
            {"sub": "arn:aws:iam::123456789012:role/Other"},
            {STS: {"aws_account": "999999999999"}},
        ),
    ),
    ProfileName.GOOGLE_CLOUD: Kind(
        make=google, rule={"sub": "1145"}, others=({"sub": "1146", "azp": "1146"},)
    ),
    ProfileName.AZURE: Kind(
        make=azure,
        rule={"oid": "oid-1", "tid": ENTRA.split("/")[3]},
        others=({"oid": "oid-2"}, {"tid": "99999999-2222-3333-4444-555555555555"}),
        audience="api://remit",
    ),
    ProfileName.GENERIC_OIDC: Kind(make=generic, rule={"sub": "job-1"}, others=({"sub": "job-2"},)),
}
