"""`remit agent init`: the printed set-ups, run against a real server and issuers that sign with real keys."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from remit.surface.cli.failures import Misused
from remit.surface.cli.targets import Found, Target, ending_of, setup_of
from support.federation import ForeignIssuer, bundle, cluster, domain, github
from support.installation import Installation, installation
from support.issuers import generic

OWNED = "sub=repo:acme/deploy:environment:production"


class Platform:
    """An issuer that a job asks for its own assertion over HTTP, as GitHub's runners do, and its key set."""

    def __init__(self, issuer: ForeignIssuer) -> None:
        self.issuer = issuer
        self.asked: list[str] = []

    def answer(self, path: str, query: dict[str, list[str]]) -> Any:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.issuer.issuer, "jwks_uri": f"{self.issuer.issuer}/keys"}
        if path == "/keys":
            return json.loads(self.issuer.jwks())
        return {"value": self.issuer.assertion(datetime.now(UTC), aud=query["audience"][0])}


@contextmanager
def served(issuer: ForeignIssuer) -> Iterator[Platform]:
    """On a port that the kernel chose; the issuer takes its name from it."""
    platform = Platform(issuer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = json.dumps(platform.answer(parts.path, parse_qs(parts.query))).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with served(github()) as found:
        yield found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, platform: Platform) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("secretless")
    (folder / "data").mkdir(mode=0o700)
    host = platform.issuer.issuer.partition("://")[2]
    (folder / "data" / "settings.toml").write_text(
        f'[federation]\nunsafe_loopback_http = true\nprivate_hosts = ["{host}"]\n'
    )
    with installation(folder) as found:
        done = found.remit(
            "blueprint", "new", "office", "--purpose", "office work", "--environment", "production"
        )
        assert done.code == 0, done.err
        yield found


def agent(here: Installation, name: str) -> None:
    """A draft without a key, as `--federated` makes it."""
    said = (
        "agent",
        "new",
        name,
        "--purpose",
        "tests",
        "--environment",
        "production",
        "--blueprint",
        "office",
    )
    done = here.remit(*said, "--federated", "--output", "json")
    assert done.code == 0, done.err
    refused = here.remit("agent", "activate", name)
    assert refused.code == 1
    assert "key" in refused.err


def ok(here: Installation, *words: str, key: Path | None = None) -> str:
    done = here.remit(*words, key=key)
    assert done.code == 0, (words, done.err)
    return done.out


def shell(
    here: Installation, script: str, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run what is printed as it is printed, with `remit` on the path."""
    commands = folder / "bin"
    commands.mkdir(exist_ok=True)
    (commands / "remit").write_text(f'#!/bin/sh\nexec {sys.executable} -m remit "$@"\n')
    (commands / "remit").chmod(0o700)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
    return subprocess.run(
        ["bash", "-ec", script],
        env={**clean, "PATH": f"{commands}:{clean['PATH']}", **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.req("R44", "R165")
def test_an_agent_with_a_key_in_a_file_moves_and_the_file_is_worth_nothing(
    here: Installation, platform: Platform, tmp_path: Path
) -> None:
    old, new = tmp_path / "mover.key", tmp_path / "new.key"
    said = ("--purpose", "tests", "--environment", "production", "--blueprint", "office")
    ok(here, "agent", "new", "mover", *said, "--key", str(old))
    svid = ("agent", "svid", "--audience", "https://peer.example")
    ok(here, *svid, key=old)
    before = json.loads(ok(here, "agent", "secrets", "--output", "json"))
    assert "mover" in [each["name"] for each in before["lasting"]]
    words = ("agent", "init", "mover", "--target", "github-actions", "--replaces", "file")
    made = json.loads(ok(here, *words, "--output", "json"))
    # What stands under "once", with the reader's words filled in; then what stands in the workflow.
    ok(here, "issuer", "trust", "moving", "--profile", "generic-oidc", "--issuer", "https://ci.example.com",
       "--keys", keys_of(them := generic(), tmp_path))  # fmt: skip
    ok(here, "issuer", "allow", "moving", "mover", "sub=job-1")
    (tmp_path / "proof").write_text(them.assertion(datetime.now(UTC), aud=here.url))
    ok(here, "agent", "join", "--assertion", str(tmp_path / "proof"), "--key", str(new))
    kept = old.read_text()
    done = shell(here, made["after"], tmp_path, REMIT_DATA=str(here.data))
    assert done.returncode == 0, done.stderr
    assert not old.exists()
    (stolen := tmp_path / "copy.key").write_text(kept)
    stolen.chmod(0o600)
    assert here.remit(*svid, key=stolen).code == 3
    ok(here, *svid, key=new)
    after = json.loads(ok(here, "agent", "secrets", "--output", "json"))
    assert "mover" not in [each["name"] for each in after["lasting"]]
    assert after["share"] > before["share"]


def keys_of(issuer: ForeignIssuer, folder: Path) -> str:
    path = folder / "keys.json"
    path.write_bytes(issuer.jwks())
    return str(path)


@pytest.mark.parametrize("found", list(Found))
def test_every_kind_of_secret_has_an_end_that_can_be_run(found: Found) -> None:
    said = ending_of(found, name="calendar-bot")
    assert "remit agent unkey calendar-bot --yes" in said
    assert subprocess.run(["bash", "-n"], input=said, text=True, check=False).returncode == 0
    with pytest.raises(Misused):
        ending_of("post-it", name="calendar-bot")


@pytest.mark.req("R12", "R44", "R165")
def test_the_pipeline_that_is_printed_becomes_the_agent(
    here: Installation, platform: Platform, tmp_path: Path
) -> None:
    agent(here, "release-bot")
    made = json.loads(
        ok(here, "agent", "init", "release-bot", "--target", "github-actions", "--output", "json")
    )
    assert "secret" not in made["text"].lower()
    ok(here, "issuer", "trust", "github", "--profile", "github-actions", "--issuer", platform.issuer.issuer)
    ok(here, "issuer", "allow", "github", "release-bot", OWNED, "repository_owner_id=77")
    ok(here, "agent", "activate", "release-bot")
    workflow = yaml.safe_load(made["text"])
    assert workflow["permissions"]["id-token"] == "write"
    job = workflow["jobs"]["agent"]
    done = shell(
        here,
        job["steps"][0]["run"],
        tmp_path,
        REMIT_URL=job["env"]["REMIT_URL"],
        RUNNER_TEMP=str(tmp_path),
        ACTIONS_ID_TOKEN_REQUEST_TOKEN="t",
        ACTIONS_ID_TOKEN_REQUEST_URL=f"{platform.issuer.issuer}/token?api-version=2.0",
    )
    assert done.returncode == 0, done.stderr
    assert "/keys" in platform.asked
    key = tmp_path / "agent.key"
    assert key.stat().st_mode & 0o777 == 0o600
    # The key that was made there is the instance's own from now on: it earns tokens, and an SVID.
    svid = ok(here, "agent", "svid", "--audience", "https://peer.example", key=key).strip()
    assert svid.count(".") == 2
    shown = json.loads(ok(here, "issuer", "show", "github", "--output", "json"))
    assert shown["keys"]["kids"] == ["k1"]
    # Another repository's job is refused, and an administrator sees at which step.
    (tmp_path / "evil.jwt").write_text(
        platform.issuer.assertion(
            datetime.now(UTC), aud=here.url, sub="repo:acme-evil/deploy:environment:production"
        )
    )
    refused = here.remit("agent", "join", "--assertion", str(tmp_path / "evil.jwt"), "--key", "evil.key")
    assert refused.code == 1
    assert "does not verify" in refused.err
    tried = here.remit("issuer", "try", str(tmp_path / "evil.jwt"), "--output", "json")
    assert (tried.code, tried.json()["step"], tried.json()["reason"]) == (3, 8, "no_rule")


@pytest.mark.req("R12")
def test_the_pod_that_is_printed_becomes_the_agent_and_stays_it(here: Installation, tmp_path: Path) -> None:
    agent(here, "calendar")
    made = json.loads(ok(here, "agent", "init", "calendar", "--target", "kubernetes", "--output", "json"))
    account, deployment = yaml.safe_load_all(made["text"])
    pod = deployment["spec"]["template"]["spec"]
    assert account["kind"] == "ServiceAccount"
    assert pod["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"] == {
        "audience": here.url, "expirationSeconds": 600, "path": "token",
    }  # fmt: skip
    them = cluster()
    (tmp_path / "keys.json").write_bytes(them.jwks())
    ok(
        here, "issuer", "trust", "cluster", "--profile", "kubernetes", "--issuer", them.issuer,
        "--keys", str(tmp_path / "keys.json"), "--repeatable",
    )  # fmt: skip
    ok(here, "issuer", "allow", "cluster", "calendar", "sub=system:serviceaccount:agents:calendar")
    ok(here, "agent", "activate", "calendar")
    # kubelet renews the file before it runs out; the pod shows it again with the key that it has.
    (tmp_path / "token").write_text(them.assertion(datetime.now(UTC), aud=here.url))
    (tmp_path / "agent.key").write_text("left by a container that was here before")
    environment = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
    script = (
        pod["containers"][0]["args"][0]
        .replace("/var/run/secrets/remit/token", str(tmp_path / "token"))
        .replace("while sleep 240; do join; done &", "join")
        .replace("exec YOUR-COMMAND", "remit agent svid --audience https://peer.example")
    )
    environment["REMIT_KEY"] = str(tmp_path / "agent.key")
    done = shell(here, script, tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    instances = re.findall(r"instance (ins_\w+);", done.stdout)
    assert len(instances) == 2
    assert instances[0] == instances[1]


def test_an_svid_of_a_trust_domain_becomes_the_agent(here: Installation, tmp_path: Path) -> None:
    agent(here, "meshed")
    them = domain()
    (tmp_path / "bundle.json").write_bytes(bundle(them))
    ok(
        here, "issuer", "trust", "mesh", "--profile", "spiffe", "--issuer", them.issuer,
        "--keys", str(tmp_path / "bundle.json"),
    )  # fmt: skip
    ok(here, "issuer", "allow", "mesh", "meshed", f"sub={them.claims['sub']}")
    ok(here, "agent", "activate", "meshed")
    (tmp_path / "svid").write_text(them.assertion(datetime.now(UTC), aud=here.url))
    joined = ("agent", "join", "--svid", "--assertion", str(tmp_path / "svid"), "--key", str(tmp_path / "k"))
    ok(here, *joined)
    (tmp_path / "newer.json").write_bytes(bundle(them, sequence=0))
    older = here.remit("issuer", "pin", "mesh", str(tmp_path / "newer.json"))
    assert older.code == 1
    assert "sequence" in older.err
    ok(here, "issuer", "distrust", "mesh", "--yes")
    refused = here.remit(*joined)
    assert refused.code == 3


@pytest.mark.parametrize("target", list(Target))
def test_every_target_is_filled_in_and_holds_no_secret(target: Target) -> None:
    made = setup_of(target, name="calendar-bot", issuer="https://remit.example")
    whole = f"{made.once}\n{made.text}"
    assert "calendar-bot" in whole
    assert "https://remit.example" in made.text
    assert not re.search(r"\{(name|issuer)\}|client_secret|password|BEGIN .*PRIVATE", whole)
    if made.file.endswith((".yml", ".yaml")):
        assert list(yaml.safe_load_all(made.text))
    else:
        assert subprocess.run(["bash", "-n"], input=made.text, text=True, check=False).returncode == 0


def test_what_is_wrong_with_a_rule_is_said_in_a_sentence(here: Installation) -> None:
    done = here.remit("agent", "init", "x", "--target", "mainframe")
    assert done.code == 2
    assert "kubernetes" in done.err
    done = here.remit("issuer", "trust", "evil", "--profile", "generic-oidc", "--issuer", "http://a.example")
    assert done.code == 1
    assert "plain http" in done.err
    ok(here, "issuer", "trust", "oidc", "--profile", "generic-oidc", "--issuer", "https://a.example")
    assert here.remit("issuer", "allow", "oidc", "nobody", "sub=job").code == 1
    agent(here, "sorter")
    for said, wanted in (
        ("email=a@b", "proves nothing"),
        ("azp=x", "whoever"),
        ("sub=job*", "whole segment"),
    ):
        done = here.remit("issuer", "allow", "oidc", "sorter", said)
        assert done.code == 1
        assert wanted in done.err
    assert "repository_owner" in ok(here, "issuer", "claims", "github-actions")
