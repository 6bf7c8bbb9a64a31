"""The key-encryption key from a program: a KMS, a TPM or a secret store gives it; no file of ours holds it.

It is asked once, at start, and the key is then in memory alone. SAFETY: whatever goes wrong, the process does
not start; no key is made up and no other is looked for, as the store would then be under two (KM-12).
"""

import os
import select
import signal
import stat
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from remit.kernel.errors import Unavailable
from remit.kernel.sealing import Kek
from remit.platform.storage.kek import KekExposed, parse_kek

ANSWER_LIMIT: Final = 4096
"""Bytes that are read of what it prints."""
_OTHERS_WRITE: Final = 0o022


class KekUnavailable(Unavailable):
    """The program did not give a key: it is absent, slow, failed, or printed something else."""

    code = "kek_unavailable"


def ask_kek(command: Sequence[str], *, seconds: float) -> Kek:
    """Run the program and read the key that it prints: 32 bytes, 64 hexadecimal digits, or base64url.

    1 an absolute path to a program that only we or root can change   2 no shell, nothing to read, a session
    of its own   3 all that it prints within `seconds` and 4 KiB   4 it ends well   5 what it printed is a key
    Raises `KekUnavailable`, `KekExposed`, `Invalid` or `KekUnfit`.
    """
    # Step 1.
    _judge(Path(command[0]))
    # Step 2. What it says besides goes where our own errors go: it is the operator's to read.
    running = subprocess.Popen(
        list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        return _answer(running, time.monotonic() + seconds, seconds)
    finally:
        _end(running)


def _answer(running: "subprocess.Popen[bytes]", deadline: float, seconds: float) -> Kek:
    # Step 3.
    printed = _read(running, deadline)
    left = deadline - time.monotonic()
    if printed is None or left <= 0:
        raise KekUnavailable(f"the program of the key-encryption key did not answer within {seconds:g} s")
    if len(printed) > ANSWER_LIMIT:
        raise KekUnavailable(f"the program of the key-encryption key printed over {ANSWER_LIMIT} bytes")
    # Step 4.
    try:
        status = running.wait(timeout=left)
    except subprocess.TimeoutExpired as late:
        raise KekUnavailable(
            f"the program of the key-encryption key did not end within {seconds:g} s"
        ) from late
    if status != 0:
        raise KekUnavailable(
            f"the program of the key-encryption key ended with status {status}",
            next_step="run what `keys.kek_command` says, as the user that Remit runs as",
        )
    # Step 5.
    return parse_kek(printed)


def _read(running: "subprocess.Popen[bytes]", deadline: float) -> bytes | None:
    """All that it prints, a little more than the limit at most; None if that took too long."""
    if running.stdout is None:
        raise RuntimeError("a program that was started with a pipe has one")
    handle, printed = running.stdout.fileno(), b""
    while len(printed) <= ANSWER_LIMIT:
        ready, _, _ = select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        part = os.read(handle, ANSWER_LIMIT)
        if not part:
            break
        printed += part
    return printed


def _end(running: "subprocess.Popen[bytes]") -> None:
    """Leave nothing behind, whatever it has started."""
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    if running.stdout is not None:
        running.stdout.close()


def _judge(program: Path) -> None:
    if not program.is_absolute():
        raise KekUnavailable(f"`keys.kek_command` names `{program}`, which is no absolute path")
    try:
        found = program.stat()
    except OSError as absent:
        raise KekUnavailable(f"the program `{program}` can't be found", debug=str(absent)) from absent
    if not stat.S_ISREG(found.st_mode) or not os.access(program, os.X_OK):
        raise KekUnavailable(f"`{program}` is no program that we may run")
    if found.st_uid not in {0, os.getuid()} or found.st_mode & _OTHERS_WRITE:
        raise KekExposed(
            f"the program `{program}` can be changed by others, who would choose our key",
            next_step=f"let root own it: chmod 755 {program}",
        )
