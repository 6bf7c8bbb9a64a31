"""Clients by the API and by the command line, against a real server with a real administrator."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import Installation, installation
from support.jose import private_key

pytestmark = pytest.mark.req("N34")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("clients")) as found:
        made = found.remit(
            "blueprint", "new", "office", "--purpose", "work", "--environment", "development", "-o", "json"
        )
        assert made.code == 0, made.err
        made = found.remit(
            "agent", "new", "notes-bot", "--purpose", "notes", "--environment", "development",
            "--blueprint", "office", "-o", "json",
        )  # fmt: skip
        assert made.code == 0, made.err
        yield found


def keys(folder: Path, *names: str) -> str:
    path = folder / f"{'-'.join(names)}.jwks"
    path.write_text(json.dumps({"keys": [{**private_key(n).public.jwk(), "kid": n} for n in names]}))
    return str(path)


def test_a_client_from_its_registration_to_its_end(place: Installation, tmp_path: Path) -> None:
    made = place.remit(
        "client", "register", "Notes", "--agent", "notes-bot", "--native",
        "--redirect-uri", "http://127.0.0.1/cb", "--keys", keys(tmp_path, "cli-1", "cli-2"), "-o", "json",
    )  # fmt: skip
    assert made.code == 0, made.err
    client = made.json()
    assert client["client_id"] == client["id"]
    assert client["client_id"].startswith("ins_")
    assert client["auth_method"] == "private_key_jwt"
    assert client["application_type"] == "native"
    listed = place.remit("client", "list", "-o", "json").json()["items"]
    assert client["client_id"] in [each["client_id"] for each in listed]
    rotated = place.remit(
        "client", "keys", client["id"], keys(tmp_path, "cli-2", "cli-3"), "--yes", "-o", "json"
    )
    assert rotated.code == 0, rotated.err
    assert rotated.json()["digest"] != client["digest"]
    ended = place.remit("client", "revoke", client["id"], "--reason", "gone", "--yes", "-o", "json")
    assert ended.json()["state"] == "revoked"
    again = place.remit("client", "revoke", client["id"], "--reason", "gone", "--yes")
    assert again.code == 1
    assert "next: remit client list" in again.err


def test_an_application_is_nobodys_agent(place: Installation) -> None:
    made = place.remit(
        "client", "register", "Portal", "--redirect-uri", "https://portal.example/cb", "-o", "json"
    )
    assert made.code == 0, made.err
    assert made.json()["client_id"].startswith("app_")
    assert made.json()["auth_method"] == "none"


def test_what_is_refused_says_why(place: Installation, tmp_path: Path) -> None:
    bad = place.remit(
        "client", "register", "X", "--agent", "notes-bot", "--redirect-uri", "http://a.example/cb"
    )
    assert bad.code == 1
    assert "loopback" in bad.err
    nobody = place.remit(
        "client", "register", "X", "--agent", "nobody", "--redirect-uri", "https://a.example/cb"
    )
    assert nobody.code == 1
    assert "remit agent list" in nobody.err
    file = tmp_path / "none.json"
    file.write_text("{}")
    keyless = place.remit(
        "client", "register", "X", "--redirect-uri", "https://a.example/cb", "--keys", str(file)
    )
    assert keyless.code == 2


def test_an_invitation_is_shown_once_and_kept_nowhere(place: Installation) -> None:
    made = place.remit("client", "invite", "--agent", "notes-bot", "--uses", "2", "--for", "1h")
    assert made.code == 0, made.err
    token = made.out.strip().splitlines()[0]
    assert len(token) == 43
    for name in ("remit.db", "remit.db-wal"):
        path = place.data / name
        assert not path.exists() or token.encode() not in path.read_bytes()


@pytest.mark.req("R21", "R22", "R23", "R24")
def test_an_applications_terms_and_who_signs_in_elsewhere(place: Installation) -> None:
    made = place.remit(
        "client", "register", "Wiki", "--redirect-uri", "https://wiki.example/cb",
        "--logout-uri", "https://wiki.example/bye", "--backchannel-logout-uri", "https://wiki.example/out",
        "--lifetime", "8h", "--idle", "30m", "--sessions", "2", "--refreshes", "9", "--require", "mfa",
        "-o", "json",
    )  # fmt: skip
    assert made.code == 0, made.err
    wiki = made.json()
    assert wiki["client_id"].startswith("app_")
    assert wiki["limits"] == {
        "lifetime_seconds": 28_800,
        "idle_seconds": 1_800,
        "concurrency": 2,
        "refresh_count": 9,
    }
    assert (wiki["requires"], wiki["dpop_bound"]) == (["mfa"], False)
    assert wiki["backchannel_logout_uri"] == "https://wiki.example/out"
    changed = place.remit(
        "client", "terms", wiki["id"], "--idle", "5m",
        "--require", "mfa", "--require", "managed_device", "-o", "json",
    )  # fmt: skip
    assert changed.code == 0, changed.err
    assert changed.json()["limits"] == {**wiki["limits"], "idle_seconds": 300}
    assert changed.json()["requires"] == ["managed_device", "mfa"]
    assert place.remit("client", "terms", wiki["id"], "--require", "luck").code != 0
    # A tool that people use, and sign in to with accounts of its own.
    apart = place.remit("client", "mention", "old-crm", "--purpose", "customers", "-o", "json")
    assert apart.code == 0, apart.err
    covered = place.remit("client", "coverage", "-o", "json").json()
    states = {each["name"]: each["state"] for each in covered["items"]}
    assert (states["Wiki"], states["old-crm"]) == ("governed", "ungoverned")
    ended = place.remit("client", "revoke", wiki["id"], "--reason", "gone", "--yes", "-o", "json")
    assert ended.code == 0
