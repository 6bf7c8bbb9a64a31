"""The story of `make up`, told by a real process over public doors, and everything gone afterwards."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.timeout(240)
@pytest.mark.req("R3", "R26", "R41", "R70")
def test_the_story_is_told_and_leaves_nothing_running(tmp_path: Path) -> None:
    log = tmp_path / "story.log"
    words = ["up", "--demo", "--data", str(tmp_path / "data"), "--port", str(free_port())]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "remit", *words],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    try:
        text = wait_for_the_end(process, log)
        missing = [phrase for phrase in TOLD if not re.search(phrase, text)]
        assert not missing, f"not told: {missing}\n{text}"
        assert "Traceback" not in text
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in {0, 130, -signal.SIGINT}
        assert not group_members(process.pid), "a child outlived the server"
    finally:
        if process.poll() is None or group_members(process.pid):
            os.killpg(process.pid, signal.SIGKILL)


def wait_for_the_end(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        text = log.read_text(encoding="utf-8")
        if "all of it in" in text or "the demonstration stopped" in text or process.poll() is not None:
            return text
        time.sleep(0.3)
    return log.read_text(encoding="utf-8")


def group_members(group: int) -> list[int]:
    """Processes of the server's session that still live."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (
                    (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
                )
            except OSError:
                continue
            if int(stat[3]) == group and stat[0] != "Z":
                found.append(int(entry.name))
    return found
