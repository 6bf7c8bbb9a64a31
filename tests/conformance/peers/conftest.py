"""Peers from npm, installed once beside the virtual environment's own packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.absent import absent

PACKAGE = "oauth4webapi@3.8.8"
BIN = Path(sys.executable).parent
PEERS = BIN.parent / "peers" / PACKAGE


@pytest.fixture(scope="session")
def peers() -> Path:
    """The package, installed once beside the virtual environment's own."""
    if not (PEERS / "node_modules" / "oauth4webapi").is_dir():
        PEERS.mkdir(parents=True, exist_ok=True)
        (PEERS / "package.json").write_text('{"private":true}')
        installed = subprocess.run(
            [BIN / "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE],
            cwd=PEERS,
            env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
            capture_output=True,
            check=False,
            timeout=100,
        )
        if installed.returncode != 0 and not os.environ.get("CI"):
            absent(f"npm has no {PACKAGE}: {installed.stderr.decode()[-200:]}")
        assert installed.returncode == 0, installed.stderr
    return PEERS
