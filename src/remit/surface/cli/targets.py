"""Secretless set-ups per runtime: what an administrator runs once, and what goes to the workload.

`{name}` is the agent, `{issuer}` this installation. Words in capitals are the reader's to fill in.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.surface.cli.failures import Misused


class Target(StrEnum):
    """Where an agent may run."""

    KUBERNETES = "kubernetes"
    GITHUB_ACTIONS = "github-actions"
    GITLAB = "gitlab"
    AWS = "aws"
    GCP = "gcp"
    AZURE = "azure"
    SPIFFE = "spiffe"
    LOCAL = "local"


class Found(StrEnum):
    """What an agent may have had instead: long-lived, and somewhere where it can be read (R165)."""

    FILE = "file"
    ENV = "env"
    CI_SECRET = "ci-secret"  # noqa: S105 — a name of a kind
    KUBERNETES_SECRET = "kubernetes-secret"  # noqa: S105 — as above
    CLOUD_KEY = "cloud-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Commands for the administrator, then a file or script for the workload."""

    once: str
    file: str
    text: str


def setup_of(target: str, *, name: str, issuer: str) -> Setup:
    """The set-up for a target, with both names filled in. Raises `Misused` for one that there is none for."""
    try:
        found = _SETUPS[Target(target)]
    except ValueError as unknown:
        known = ", ".join(Target)
        raise Misused(
            f"no target is called `{target}`; there are {known}", next_step="remit agent init --help"
        ) from unknown

    def fill(text: str) -> str:
        return text.replace("{name}", name).replace("{issuer}", issuer).strip("\n")

    return Setup(once=fill(found.once), file=fill(found.file), text=fill(found.text))


def program_of() -> str:
    """The whole program of an agent, the same for every target: what differs is around it."""
    return _PROGRAM.strip("\n")


def ending_of(found: str, *, name: str) -> str:
    """How what an agent had before is ended; empty if nothing was named. Raises `Misused`."""
    if not found:
        return ""
    try:
        return _ENDINGS[Found(found)].replace("{name}", name).strip("\n")
    except ValueError as unknown:
        known = ", ".join(Found)
        raise Misused(
            f"no credential is called `{found}`; there are {known}", next_step="remit agent init --help"
        ) from unknown


_PROGRAM: Final = """
import remit_sdk  # pip install remit-sdk

with remit_sdk.connect(server="SERVER", ask="PERSON", message="WHAT FOR") as session:
    for tool in session.tools():
        print(tool["name"])
    print(session.call("TOOL", ARGUMENT="VALUE"))
"""
_OURS: Final = "remit agent unkey {name} --yes"
_ENDINGS: Final = {
    Found.FILE: f"{_OURS}\nshred -u {{name}}.key",
    Found.ENV: f"{_OURS}\n# and take REMIT_KEY with its value out of the unit, image or profile that sets it",
    Found.CI_SECRET: f"{_OURS}\ngh secret delete REMIT_KEY  # GitLab: glab variable delete REMIT_KEY",
    Found.KUBERNETES_SECRET: (
        "# A legacy token of a service account never ends and names no audience: Remit refuses it.\n"
        f"{_OURS}\nkubectl --namespace NAMESPACE delete secret SECRET-OF-THE-TOKEN"
    ),
    Found.CLOUD_KEY: (
        "# An access key proves nothing here, nor does a request that it signs.\n"
        f"{_OURS}\naws iam delete-access-key --access-key-id KEY-ID"
        "  # Google: gcloud iam service-accounts keys delete; Azure: az ad app credential delete"
    ),
}

_SETUPS: Final = {
    Target.KUBERNETES: Setup(
        once="""
remit issuer trust cluster --profile kubernetes --repeatable \\
  --issuer "$(kubectl get --raw /.well-known/openid-configuration | jq -r .issuer)"
remit issuer allow cluster {name} sub=system:serviceaccount:NAMESPACE:{name}
remit agent activate {name}
""",
        file="{name}.yaml",
        text="""
apiVersion: v1
kind: ServiceAccount
metadata: {name: {name}, namespace: NAMESPACE}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {name}, namespace: NAMESPACE}
spec:
  replicas: 1
  selector: {matchLabels: {app: {name}}}
  template:
    metadata: {labels: {app: {name}}}
    spec:
      serviceAccountName: {name}
      automountServiceAccountToken: false
      containers:
        - name: agent
          image: YOUR-IMAGE
          env:
            - {name: REMIT_URL, value: "{issuer}"}
            - {name: REMIT_KEY, value: /run/remit/agent.key}
          command: ["sh", "-c"]
          args:
            - |
              join() { remit agent join --assertion /var/run/secrets/remit/token --key "$REMIT_KEY"; }
              rm -f "$REMIT_KEY" && join || exit 1
              while sleep 240; do join; done &
              exec YOUR-COMMAND
          volumeMounts:
            - {name: proof, mountPath: /var/run/secrets/remit, readOnly: true}
            - {name: key, mountPath: /run/remit}
      volumes:
        - name: proof
          projected:
            sources:
              - serviceAccountToken: {audience: "{issuer}", expirationSeconds: 600, path: token}
        - name: key
          emptyDir: {medium: Memory}
""",
    ),
    Target.GITHUB_ACTIONS: Setup(
        once="""
remit issuer trust github --profile github-actions --issuer https://token.actions.githubusercontent.com
remit issuer allow github {name} sub=repo:OWNER/REPOSITORY:environment:production repository_owner_id=OWNER-ID
remit agent activate {name}
""",
        file=".github/workflows/{name}.yml",
        text="""
name: {name}
on:
  push: {branches: [main]}
permissions:
  id-token: write
  contents: read
jobs:
  agent:
    runs-on: ubuntu-latest
    environment: production
    env:
      REMIT_URL: "{issuer}"
    steps:
      - name: become {name}
        run: |
          curl -sSf -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \\
            "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=$REMIT_URL" | jq -r .value |
            remit agent join --assertion - --key "$RUNNER_TEMP/agent.key"
      - name: work
        run: YOUR-COMMAND
        env:
          REMIT_KEY: ${{ runner.temp }}/agent.key
""",
    ),
    Target.GITLAB: Setup(
        once="""
remit issuer trust gitlab --profile gitlab --issuer https://gitlab.com
remit issuer allow gitlab {name} project_id=PROJECT-ID ref=main ref_protected=true
remit agent activate {name}
""",
        file=".gitlab-ci.yml",
        text="""
{name}:
  variables:
    REMIT_URL: "{issuer}"
    REMIT_KEY: $CI_BUILDS_DIR/agent.key
  id_tokens:
    REMIT_ID_TOKEN:
      aud: "{issuer}"
  script:
    - printf %s "$REMIT_ID_TOKEN" | remit agent join --assertion - --key "$REMIT_KEY"
    - YOUR-COMMAND
""",
    ),
    Target.AWS: Setup(
        once="""
aws iam enable-outbound-web-identity-federation
remit issuer trust aws --profile aws --issuer ISSUER-URL-THAT-AWS-ANSWERED
remit issuer allow aws {name} sub=arn:aws:iam::ACCOUNT:role/ROLE aws.account=ACCOUNT
remit agent activate {name}
""",
        file="start.sh",
        text="""
export REMIT_URL="{issuer}" REMIT_KEY=/run/remit/agent.key
aws sts get-web-identity-token --audience "$REMIT_URL" --signing-algorithm ES384 --duration-seconds 300 \\
  --query WebIdentityToken --output text | remit agent join --assertion - --key "$REMIT_KEY"
exec YOUR-COMMAND
""",
    ),
    Target.GCP: Setup(
        once="""
remit issuer trust google --profile google-cloud --issuer https://accounts.google.com
remit issuer allow google {name} sub=NUMBER-OF-THE-SERVICE-ACCOUNT
remit agent activate {name}
""",
        file="start.sh",
        text="""
export REMIT_URL="{issuer}" REMIT_KEY=/run/remit/agent.key
curl -sSf -H "Metadata-Flavor: Google" -G --data-urlencode "audience=$REMIT_URL" --data format=full \\
  http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity |
  remit agent join --assertion - --key "$REMIT_KEY"
exec YOUR-COMMAND
""",
    ),
    Target.AZURE: Setup(
        once="""
remit issuer trust azure --profile azure --audience APP-ID \\
  --issuer https://login.microsoftonline.com/TENANT/v2.0
remit issuer allow azure {name} oid=OBJECT-ID-OF-THE-MANAGED-IDENTITY tid=TENANT
remit agent activate {name}
""",
        file="start.sh",
        text="""
export REMIT_URL="{issuer}" REMIT_KEY=/run/remit/agent.key
curl -sSf -H "Metadata: true" -G --data-urlencode "resource=api://APP-ID" --data api-version=2018-02-01 \\
  http://169.254.169.254/metadata/identity/oauth2/token | jq -r .access_token |
  remit agent join --assertion - --key "$REMIT_KEY"
exec YOUR-COMMAND
""",
    ),
    Target.SPIFFE: Setup(
        once="""
remit issuer trust mesh --profile spiffe --issuer spiffe://TRUST-DOMAIN --address https://BUNDLE-ENDPOINT
remit issuer allow mesh {name} sub=spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/{name}
remit agent activate {name}
""",
        file="start.sh",
        text="""
export REMIT_URL="{issuer}" REMIT_KEY=/run/remit/agent.key
spire-agent api fetch jwt -audience "$REMIT_URL" -output json | jq -r '.[0].svids[0].svid' |
  remit agent join --svid --assertion - --key "$REMIT_KEY"
exec YOUR-COMMAND
""",
    ),
    Target.LOCAL: Setup(
        once="""
remit agent new {name} --purpose PURPOSE --environment development --blueprint BLUEPRINT
""",
        file="start.sh",
        text="""
# On this machine nobody vouches for a process: its key is made here, in a file that only you can read.
export REMIT_URL="{issuer}" REMIT_KEY={name}.key
exec YOUR-COMMAND
""",
    ),
}
