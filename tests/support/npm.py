"""Peers from npm, each at one version, installed once beside the virtual environment's own packages."""

import os
import subprocess
import sys
from pathlib import Path

from support.absent import absent

BIN = Path(sys.executable).parent


def installed(name: str, version: str) -> Path:
    """The folder of a package and nothing that it could run while it is installed."""
    home = BIN.parent / "peers" / f"{name}@{version}"
    package = home / "node_modules" / name
    if not package.is_dir():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private":true}')
        done = subprocess.run(
            [BIN / "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", f"{name}@{version}"],
            cwd=home,
            env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
            capture_output=True,
            check=False,
            timeout=100,
        )
        if done.returncode != 0:
            absent(f"npm has no {name}@{version}: {done.stderr.decode()[-200:]}")
    return package
