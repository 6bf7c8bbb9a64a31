"""Starts of the real command line, a fork each of one process that has everything imported.

Reads a JSON line per start: `{"argv": […], "environ": {…}, "cwd": …, "out": …}`; the child writes stdout and
stderr to files in `out`. Says its exit code.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

from remit.surface.cli import main, up
from remit.surface.server import serve

LOADED = (up, serve)
"""What a start would import by itself."""


def start(line: str) -> None:
    asked = json.loads(line)
    folder = Path(asked["out"])
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(asked["environ"])
    os.chdir(asked["cwd"])
    sys.argv = ["remit", *asked["argv"]]
    main.main()


if __name__ == "__main__":
    with contextlib.redirect_stderr(io.StringIO()):
        main.run(["up", "--no-such-option"])  # loads whatever is loaded on use
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            start(line)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
