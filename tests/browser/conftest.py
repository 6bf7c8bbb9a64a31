"""What browser tests need: Chromium, and the console built from the sources as they are now."""

import runpy
from pathlib import Path

import pytest

from support.absent import absent

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def chromium() -> None:
    """Debian's browser; a gate may not go without it."""
    if not Path("/usr/bin/chromium").exists():
        absent("Chromium is not installed (apt-get install chromium)")


@pytest.fixture(scope="session")
def console_built(chromium: None) -> None:
    """The console as it is in the tree; built here if the sources are newer than what is there."""
    builder = runpy.run_path(str(ROOT / "console/build.py"))
    try:
        builder["build"]()
    except builder["NotBuilt"] as failed:
        absent(str(failed))
