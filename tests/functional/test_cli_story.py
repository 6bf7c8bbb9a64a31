"""The command line against a real server: from an empty directory to a stopped agent and a verified log."""

import json
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from support.installation import Installation, installation

CEILING = {
    "purpose": "any",
    "start": "2026-01-01T00:00:00Z",
    "end": "2036-01-01T00:00:00Z",
    "depth": 1,
    "rights": [{"action": "business/rooms.book", "resource_type": "Room", "resources": ["Room-401"]}],
}
WANTED = {
    "users": [{"name": "user@company.com", "roles": ["reader"], "key": "user.key"}],
    "blueprints": [
        {"name": "office", "purpose": "office work", "environment": "development", "ceiling": CEILING}
    ],
    "agents": [
        {
            "name": "calendar-bot",
            "purpose": "books rooms",
            "environment": "development",
            "blueprint": "office",
            "key": "calendar-bot.key",
            "ceiling": CEILING,
        }
    ],
    "servers": [
        {
            "name": "business",
            "transport": "stdio",
            "purpose": "sample",
            "environment": "development",
            "argv": ["true"],
            "tools": [
                {
                    "name": "book_room",
                    "definition": {
                        "name": "book_room",
                        "inputSchema": {"type": "object", "properties": {"room": {"type": "string"}}},
                    },
                    "mapping": {
                        "action": "rooms.book",
                        "arguments": ["/room"],
                        "resource": {"type": "Room", "pointer": "/room"},
                    },
                }
            ],
        }
    ],
    "policies": ["base.cedar"],
}
POLICY = '@id("rooms.book")\npermit(principal, action == Remit::Action::"business/rooms.book", resource);\n'


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("installation")
    (folder / "remit.json").write_text(json.dumps(WANTED))
    (folder / "base.cedar").write_text(POLICY)
    (folder / "ceiling.json").write_text(json.dumps(CEILING))
    with installation(folder) as running:
        yield running


@pytest.mark.req("N35")
def test_a_healthy_installation_is_well(here: Installation) -> None:
    ran = here.remit("doctor", "-o", "json")
    assert ran.code == 0, ran.out + ran.err
    assert [each["step"] for each in ran.json()] == [
        "settings", "intent model", "server", "clock", "readiness", "issuer metadata", "session",
    ]  # fmt: skip


@pytest.mark.req("N35")
def test_each_planted_fault_is_named_with_its_fix(here: Installation, tmp_path: Path) -> None:
    kek = here.data / "kek"
    kek.chmod(0o644)
    exposed = here.remit("doctor")
    kek.chmod(0o600)
    assert exposed.code == 1
    assert "kek_exposed" in exposed.out
    assert f"fix: chmod 600 {kek}" in exposed.out
    key = here.remit("doctor", key=tmp_path / "no.key")
    assert key.code == 1
    assert "session            FAIL  there is no device key" in key.out
    assert here.remit("doctor", "mcp", f"{here.url}/nothing").code == 1
    assert here.remit("doctor", "idp").code == 2
    assert here.remit("doctor", "moon", here.url).code == 2


@pytest.mark.parametrize(
    ("words", "listed"),
    [
        ("agent show nobody", "remit agent list"),
        ("user show nobody", "remit user list"),
        ("server show nobody", "remit server list"),
        ("tool show nobody.nothing", "remit tool list"),
        ("task show tsk_nothing", "remit task list"),
        ("delegation show tsk_nothing", "remit task list"),
        ("why dec_nothing", "remit decision list"),
        ("approval show apr_nothing", "remit approval list --mine"),
        ("kill nobody --yes", "remit agent list"),
    ],
)
def test_what_is_not_there_sends_to_the_list_of_what_is(here: Installation, words: str, listed: str) -> None:
    ran = here.remit(*words.split())
    assert ran.code == 1
    assert ran.err.strip().splitlines()[-1] == f"next: {listed}"


def test_a_plan_changes_nothing_and_a_second_apply_is_empty(here: Installation) -> None:
    planned = here.remit("apply", "-f", "remit.json", "--plan")
    assert planned.code == 0, planned.err
    assert "+ agent calendar-bot" in planned.out
    assert here.remit("agent", "list", "-o", "json").json()["items"] == []
    applied = here.remit("apply", "-f", "remit.json")
    assert applied.code == 0, applied.err
    again = here.remit("apply", "-f", "remit.json")
    assert again.out.strip() == "= 8 unchanged"
    assert (here.folder / "calendar-bot.key").stat().st_mode & 0o077 == 0


@pytest.mark.req("R17")
def test_a_person_is_enrolled_listed_and_signed_out(here: Installation) -> None:
    link = here.remit("user", "enrol", "user@company.com", "--within", "2h", "-o", "json")
    assert link.code == 0, link.err
    assert link.json()["url"].startswith("http://localhost:")
    assert here.remit("user", "passkeys", "user@company.com", "-o", "json").json() == []
    assert "next: remit user enrol user@company.com" in here.remit("user", "passkeys", "user@company.com").out
    assert here.remit("user", "sessions", "user@company.com", "-o", "json").json() == []
    assert "0 sessions of user@company.com ended" in here.remit("user", "sign-out", "user@company.com").out
    assert here.remit("user", "revoke-passkey", "user@company.com", "psk_none").code == 1
    assert here.remit("user", "enrol", "user@company.com", "--within", "2 hours").code == 2
    assert here.remit("user", "enrol", "user@company.com", "--within", "25h").code != 0


@pytest.mark.req("N12")
def test_can_answers_as_a_call_would_be_and_tells_it_by_exit_code(here: Installation) -> None:
    nobody = here.remit("can", "calendar-bot", "business/book_room", "--arg", "room=Room-401")
    assert nobody.code == 3  # no task yet
    given = here.remit("delegation", "give", "calendar-bot", "ceiling.json", "--yes")
    assert given.code == 0, given.err
    started = here.remit(
        "task", "start", "calendar-bot", "book a room", "--purpose", "meeting", "--for", "20m", "-o", "json"
    )
    assert started.code == 0, started.err
    assert started.json()["envelope"].count(".") == 2
    way = here.remit("doctor", "mcp", f"{here.url}/mcp/business")
    assert way.code == 0, way.out
    good = here.remit("can", "calendar-bot", "business/book_room", "--arg", "room=Room-401")
    assert good.code == 0, good.out + good.err
    assert good.out.startswith("permit   calendar-bot wanted `business/rooms.book` on Room:Room-401")
    bad = here.remit("can", "calendar-bot", "business/book_room", "--arg", "room=Room-9")
    assert bad.code == 3
    assert "resource_outside" in bad.out
    assert "nearest miss   /room one of Room-401" in bad.out


def test_a_reader_sees_and_changes_nothing(here: Installation) -> None:
    key = here.folder / "user.key"
    seen = here.remit("agent", "list", "-o", "json", key=key)
    assert [each["name"] for each in seen.json()["items"]] == ["calendar-bot"]
    for command in (
        ["agent", "suspend", "calendar-bot"],
        ["kill", "calendar-bot", "--yes"],
        ["policy", "publish", "base.cedar"],
        ["key", "rotate", "--yes"],
        ["user", "new", "eve@company.com", "--role", "admin"],
    ):
        refused = here.remit(*command, key=key)
        assert refused.code == 3, (command, refused.out, refused.err)
        assert refused.err.strip().splitlines()[-1].startswith("next: ")


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_every_list_is_data_too(here: Installation, output: str) -> None:
    import yaml

    for noun in (
        "agent",
        "blueprint",
        "user",
        "server",
        "tool",
        "task",
        "policy",
        "decision",
        "approval",
        "key",
    ):
        ran = here.remit(noun, "list", "-o", output)
        assert ran.code == 0, (noun, ran.err)
        assert "\x1b" not in ran.out
        found = json.loads(ran.out) if output == "json" else yaml.safe_load(ran.out)
        assert isinstance(found, list | dict), noun
        table = here.remit(noun, "list")
        assert all(len(line) <= 100 for line in table.out.splitlines()), (noun, table.out)


SCENARIOS = """scenarios:
  - name: rooms are booked
    when: {agent: calendar-bot, tool: business/book_room, arguments: {room: Room-401}}
    then: {effect: permit}
"""


@pytest.mark.req("N6")
def test_a_policy_is_tried_out_on_the_directory_before_it_is_in_force(here: Installation) -> None:
    (here.folder / "try.yaml").write_text(SCENARIOS, encoding="utf-8")
    tried = here.remit("policy", "test", "try.yaml", "--on-server")
    assert tried.code == 0, tried.out + tried.err
    base = (here.folder / "base.cedar").read_text(encoding="utf-8")
    (here.folder / "wide.cedar").write_text(
        base + '\n@id("all")\npermit (principal, action, resource);\n', encoding="utf-8"
    )
    compared = here.remit("policy", "diff", "current", "wide.cedar")
    assert compared.code == 1
    assert "+ all  added" in compared.out
    analyzed = here.remit("policy", "analyze", "wide.cedar", "--against", "current", "--fail-on", "widened")
    assert analyzed.code == 1, analyzed.out + analyzed.err
    assert "widened all" in analyzed.out
    (here.folder / "bad.cedar").write_text(
        '@id("x")\npermit (principal, action, resource)\nwen { true };', "utf-8"
    )
    checked = here.remit("policy", "check", "bad.cedar")
    assert checked.code == 1
    assert "bad.cedar:3:1: policy x: not Cedar" in checked.out
    assert "did you mean `when`?" in checked.out
    refused = here.remit("policy", "test", "try.yaml", "--on-server", key=here.folder / "user.key")
    assert refused.code == 3


def test_kill_asks_first_then_stops_and_names_each_plane(here: Installation) -> None:
    unasked = here.remit("kill", "calendar-bot")
    assert unasked.code == 2
    assert "next: remit kill calendar-bot --yes" in unasked.err
    killed = here.remit("kill", "calendar-bot", "--reason", "drill", "--yes")
    assert killed.code == 0, killed.out + killed.err
    for plane in ("identity", "issuance", "tokens", "enforcement"):
        assert f"  {plane}" in killed.out
    after = here.remit("can", "calendar-bot", "business/book_room", "--arg", "room=Room-401")
    assert after.code == 3


def test_the_log_verifies_offline_and_a_tampered_copy_does_not(here: Installation) -> None:
    exported = here.remit("ledger", "export", "evidence.zip")
    assert exported.code == 0, exported.err
    sound = here.remit("ledger", "verify", "evidence.zip")
    assert sound.code == 0, sound.out
    assert "no gap" in sound.out
    with ZipFile(here.folder / "evidence.zip") as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    files["entries.jsonl"] = (
        files["entries.jsonl"]
        .replace(b"calendar-bot", b"someone-else", 1)
        .replace(b"oversight.kill.committed", b"oversight.kill.forgotten", 1)
    )
    with ZipFile(here.folder / "tampered.zip", "w") as copy:
        for name, content in files.items():
            copy.writestr(name, content)
    broken = here.remit("ledger", "verify", "tampered.zip")
    assert broken.code == 1
    assert "FAIL" in broken.out
    untrusted = here.remit("ledger", "verify", "evidence.zip", "--key", "base.cedar")
    assert untrusted.code in {1, 2}


@pytest.mark.promise("P14")
def test_no_secret_stands_in_the_servers_log(here: Installation) -> None:
    log = (here.folder / "server.log").read_text()
    assert "eyJ" not in log
    for name in ("kek", "operator.key"):
        content = (here.data / name).read_text().strip()
        secret = json.loads(content)["private"] if name == "operator.key" else content
        assert secret not in log
