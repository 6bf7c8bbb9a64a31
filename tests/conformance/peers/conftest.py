"""Peers from npm, installed once beside the virtual environment's own packages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.absent import absent

PACKAGE = "oauth4webapi@3.8.8"
BIN = Path(sys.executable).parent
PEERS = BIN.parent / "peers" / PACKAGE
LOCKED = Path(__file__).with_name("oidc-provider")


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


@pytest.fixture(scope="session")
def oidc_provider() -> Path:
    """npm's `oidc-provider`, installed once by its lock; the folder with its server."""
    folder = BIN.parent / "peers" / "upstream-oidc-provider"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "server.mjs"):
        shutil.copy(LOCKED / name, folder / name)
    if not (folder / "node_modules" / "oidc-provider").is_dir():
        installed = subprocess.run(
            [BIN / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=folder,
            env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
            capture_output=True,
            check=False,
            timeout=100,
        )
        if installed.returncode != 0 and not os.environ.get("CI"):
            absent(f"npm has no oidc-provider: {installed.stderr.decode()[-200:]}")
        assert installed.returncode == 0, installed.stderr
    return folder
