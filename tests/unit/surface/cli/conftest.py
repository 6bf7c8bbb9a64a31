"""A command line that can't see this machine's own installation."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """An empty data directory, and none of our variables; the environment is put back afterwards."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("REMIT_")]:
        del os.environ[name]
    os.environ["REMIT_DATA"] = str(tmp_path / "data")
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)
