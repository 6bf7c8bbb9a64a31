"""The story of `make up`, told by a real process over public doors, and everything gone afterwards."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.ports import free_port
from support.processes import group_members

DEADLINE = 150.0
TOLD = (
    # 1: permitted, on two servers, one of which nobody here wrote
    r"permitted +\{ \"booking\": 1",
    r"permitted +support-bot, through mcp-server-git",
    # 2: denied with reason, nearest miss, remedy
    r"denied +.*\[resource_outside\]",
    r"nearest +argument /room, one_of \['Room-401'\] → permit",
    r"remedy +narrow_arguments",
    # 3: waits, approved, once; other bytes refused
    r"waiting +support-bot waits; lead@company\.com is asked",
    r"is approved",
    r"ran once +\{ \"refund\": 1",
    r"\[approval_denied\]",
    # 4: one hop, and no wider
    r"permitted +mail-bot, with the envelope: \{ \"mail\": 1",
    r"hop 1 +attenuate",
    r"refused +calendar-bot hands on a right it does not have",
    # 5: stopped on every plane
    r"killed agent calendar-bot",
    r"identity +\d+ suspended",
    r"enforcement +1 of 1 points confirmed",
    r"token +its next token: ",
    r"exchange +mail-bot with what it was handed: ",
    r"hop +a new hop of it: ",
    # 6: verified offline; the copy is caught and the place is named
    r"ok +\d+ records, no gap",
    r"changed: entry \d+ is not what was recorded there",
)


FIRST_STEPS = 1
"""Steps that are begun before the server of the other story is killed."""


@pytest.mark.timeout(240)
@pytest.mark.req("R3", "R26", "R41", "R70")
def test_the_story_is_told_and_leaves_nothing_running(tmp_path: Path) -> None:
    """The data directory is named as `make up` names it: relative to where the person stands."""
    log = tmp_path / "story.log"
    words = ["remit", "up", "--demo", "--data", ".remit", "--port", str(free_port())]
    process = start(words, log, folder=tmp_path)
    try:
        text = wait_for(process, log, "all of it in", "the demonstration stopped")
        missing = [phrase for phrase in TOLD if not re.search(phrase, text)]
        assert not missing, f"not told: {missing}\n{text}"
        assert "Traceback" not in text
        assert (tmp_path / ".remit" / "demo" / "evidence.zip").exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in {0, 130, -signal.SIGINT}
        assert not group_members(process.pid), "a child outlived the server"
    finally:
        sweep(process)


@pytest.mark.timeout(240)
def test_a_story_whose_server_is_killed_says_so_and_leaves_nothing_running(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "story.log"
    url, data = f"http://127.0.0.1:{port}", tmp_path / "data"
    serving = ["remit", "up", "--no-demo", "--data", str(data), "--port", str(port)]
    server = start(serving, tmp_path / "server.log", folder=tmp_path)
    try:
        wait_for(server, tmp_path / "server.log", "next: remit doctor")
        teller = start(["remit_demo"], log, folder=tmp_path, REMIT_DATA=str(data), REMIT_URL=url)
        try:
            wait_for(teller, log, f"\n{FIRST_STEPS}  ")
            server.kill()
            assert teller.wait(60) == 1
            text = log.read_text(encoding="utf-8")
            assert "Traceback" not in text, text
            last, next_step = text.rstrip().splitlines()[-2:]
            assert re.match(rf"the demonstration stopped in step \d: .*{re.escape(url)}", last), text
            assert next_step.startswith("next: "), text
            assert not group_members(teller.pid), "a child outlived the story"
        finally:
            sweep(teller)
    finally:
        sweep(server)


@pytest.mark.timeout(60)
def test_a_story_without_a_server_does_not_begin(tmp_path: Path) -> None:
    log, url = tmp_path / "story.log", f"http://127.0.0.1:{free_port()}"
    teller = start(["remit_demo"], log, folder=tmp_path, REMIT_DATA=str(tmp_path / "data"), REMIT_URL=url)
    try:
        assert teller.wait(50) == 1
    finally:
        sweep(teller)
    text = log.read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert "the demonstration stopped while setting the scene: " in text
    assert text.splitlines()[-1].startswith("next: ")


def start(words: list[str], log: Path, *, folder: Path, **environment: str) -> "subprocess.Popen[bytes]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**inherited, **environment},
            start_new_session=True,
        )


def sweep(process: "subprocess.Popen[bytes]") -> None:
    """Leave nothing of a test that failed."""
    if process.poll() is None or group_members(process.pid):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(process: "subprocess.Popen[bytes]", log: Path, *phrases: str) -> str:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        text = log.read_text(encoding="utf-8")
        if any(phrase in text for phrase in phrases) or process.poll() is not None:
            return text
        time.sleep(0.1)
    return log.read_text(encoding="utf-8")
