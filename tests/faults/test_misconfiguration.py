"""F35 through the real process: each unsafe or senseless start is refused with one sentence and its fix."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from remit.platform.settings.refusals import LocalDisk, refusals
from support.composed import populated
from support.installation import installation
from support.ports import free_port

TESTS = Path(__file__).parent.parent
KEK = bytes(range(32))
PUBLIC = {"REMIT_HTTP_HOST": "0.0.0.0"}
OUTSIDE = {**PUBLIC, "REMIT_ISSUER": "https://remit.example.com"}
PATIENCE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a start ended."""

    code: int
    out: str
    err: str


class Starts:
    """Runs `remit …` in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, str(TESTS / "support" / "start_process.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{TESTS.parent / 'src'}:{TESTS}"},
        )

    def run(self, *argv: str, cwd: Path, **environ: str) -> Ended:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
        asked = {"argv": argv, "environ": {**clean, **environ}, "cwd": str(cwd), "out": str(self.folder)}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        out, err = ((self.folder / name).read_text() for name in ("stdout", "stderr"))
        return Ended(code=code, out=out, err=err)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starts]:
    found = Starts(tmp_path_factory.mktemp("starts"))
    yield found
    found.close()


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def settings(text: str) -> Callable[[Path], None]:
    return lambda data: write(data / "settings.toml", text.encode())


def a_letter(data: Path) -> None:
    write(data / "kek", KEK)
    write(data / "remit.db", b"a letter to the board " * 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One start: what it must say, and what is wrong."""

    says: str
    environ: dict[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] = ()
    prepare: Callable[[Path], None] = lambda data: None


CASES = {
    "outside without an issuer": Case(says="issuer_missing", environ=PUBLIC),
    "plain http elsewhere": Case(
        says="issuer_not_https", environ={"REMIT_ISSUER": "http://remit.example.com"}
    ),
    "plain http for all": Case(
        says="plain_http_public", environ={**PUBLIC, "REMIT_ISSUER": "http://localhost:7480"}
    ),
    "an issuer that is no address": Case(says="issuer_malformed", environ={"REMIT_ISSUER": "remit"}),
    "a trust domain with a slash": Case(says="trust_domain_malformed", environ={"REMIT_TRUST_DOMAIN": "a/b"}),
    "debug outside": Case(says="debug_public", environ={**OUTSIDE, "REMIT_DEBUG": "true"}),
    "a demonstration outside": Case(says="demo_public", environ=OUTSIDE, argv=("--demo",)),
    "a key that others can read": Case(
        says="kek_exposed", prepare=lambda data: write(data / "kek", KEK, 0o644)
    ),
    "a default key": Case(says="kek_weak", prepare=lambda data: write(data / "kek", b"changeme")),
    "a key of zeros": Case(says="kek_weak", prepare=lambda data: write(data / "kek", bytes(32))),
    "a database without its key": Case(
        says="kek_missing", prepare=lambda data: write(data / "remit.db", b"")
    ),
    "a directory that others can read": Case(says="data_exposed", prepare=lambda data: data.chmod(0o755)),
    "an operator's key that others can read": Case(
        says="data_exposed", prepare=lambda data: write(data / "operator.key", b"{}", 0o644)
    ),
    "a setting that is none": Case(says="`REMIT_HTTP_PROT`", environ={"REMIT_HTTP_PROT": "1"}),
    "a setting of the file that is none": Case(says="`audit`", prepare=settings("audit = false")),
    "a file that is no TOML": Case(says="is not TOML", prepare=settings("issuer = ")),
    "a file that is not there": Case(says="does not exist", argv=("--config", "/nowhere/remit.toml")),
    "a time without a unit": Case(says="`90`", environ={"REMIT_AUTHORITY_ACCESS_TOKEN": "90"}),
    "a limit above its ceiling": Case(says="the ceiling is", environ={"REMIT_HTTP_MAX_BODY": "1GiB"}),
    "a store of another make": Case(
        says="mysql",
        environ={"REMIT_STORE_URL": "mysql://h/d"},
        prepare=lambda data: write(data / "kek", KEK),
    ),
    "a database that is none": Case(
        says="not a database",
        prepare=a_letter,
    ),
}


def assert_refused(ended: Ended, says: str, data: Path) -> None:
    assert ended.code != 0, ended
    assert says in ended.err, ended.err
    assert ended.err.startswith("error: "), ended.err
    assert ended.err.splitlines()[-1].startswith("next: "), ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert not (data / "server.json").exists()


@pytest.mark.fault("F35")
@pytest.mark.promise("P5")
@pytest.mark.parametrize("name", CASES)
def test_a_start_that_would_be_unsafe_or_senseless_is_refused(
    starts: Starts, tmp_path: Path, name: str
) -> None:
    case, data = CASES[name], tmp_path / "data"
    data.mkdir(mode=0o700)
    case.prepare(data)
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    port = free_port()
    words = ("up", "--port", str(port), *(case.argv if "--demo" in case.argv else ("--no-demo", *case.argv)))
    ended = starts.run(*words, cwd=tmp_path, REMIT_DATA=str(data), **case.environ)
    assert_refused(ended, case.says, data)
    after = {path.name: path.read_bytes() for path in data.iterdir() if path.name in before}
    assert after == before, "what was there is left alone"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


@pytest.mark.fault("F35", "F26")
def test_beside_one_that_serves_no_second_starts(starts: Starts, tmp_path: Path) -> None:
    """The same address, or the same data at another address; the first one serves on.

    The first has files like those of the cases above, with nothing wrong in them: so that those are refused
    for what is wrong, and for nothing else.
    """
    sound = tmp_path / "data"
    sound.mkdir(mode=0o700)
    write(sound / "kek", KEK)
    write(sound / "settings.toml", b'[authority]\naccess_token = "90s"\n')
    with installation(tmp_path) as first:
        port, data = first.url.rpartition(":")[2], tmp_path / "other"
        taken = starts.run("up", "--no-demo", "--port", port, cwd=tmp_path, REMIT_DATA=str(data))
        assert_refused(taken, f"cannot listen on `127.0.0.1:{port}`", data)
        environ = {"REMIT_DATA": str(first.data), "REMIT_ISSUER": first.url}
        held = starts.run("up", "--no-demo", "--port", str(free_port()), cwd=tmp_path, **environ)
        assert held.code != 0
        assert "another process" in held.err, held.err
        assert held.err.splitlines()[-1].startswith("next: ")
        assert first.remit("doctor").code == 0


@pytest.mark.twin("F35")
async def test_who_does_not_look_would_serve_with_a_key_that_everybody_can_read(tmp_path: Path) -> None:
    """The same directory, opened without the look that a start takes: it works, and says nothing."""
    async with populated(tmp_path / "data") as house:
        (tmp_path / "data" / "kek").write_bytes(bytes(range(32)))
        (tmp_path / "data" / "kek").chmod(0o644)
        (tmp_path / "data").chmod(0o755)
        assert await house.own_token(house["admin"])
        found = {each.code for each in refusals(house.services.ground.settings, LocalDisk())}
    assert {"kek_exposed", "data_exposed"} <= found
