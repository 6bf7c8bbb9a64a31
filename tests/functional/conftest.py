"""What functional tests need of the machine."""

from pathlib import Path

import pytest

from support.absent import absent


@pytest.fixture
def chromium() -> None:
    """Debian's browser; a gate may not go without it."""
    if not Path("/usr/bin/chromium").exists():
        absent("Chromium is not installed (apt-get install chromium)")
